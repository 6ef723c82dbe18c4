llm-title = Модели
llm-lead = Языковые модели и векторы, и сколько ими пользовались
llm-tokens-per-day = Токены по дням
llm-requests-per-day = Запросы по дням
llm-failed = С ошибкой
llm-thirty-days = За последние 30 дней
llm-providers = Провайдеры
llm-providers-text = Серверы моделей из файла конфигурации
llm-provider = Провайдер
llm-address = Адрес
llm-key = Ключ
llm-key-set = Задан
llm-key-none = Нет
llm-offered = Модели
llm-offered-all = все, что перечисляет сервер
llm-test = Проверить
llm-tested = Проверка { $name }
llm-test-ok = работает
llm-test-failed = не работает
llm-test-list = Список моделей
llm-test-models = доступен, предлагает { $n ->
    [one] { $n } модель
    [few] { $n } модели
   *[other] { $n } моделей
}
llm-test-asked = Запрошен один токен
llm-test-answer = Ответ
llm-test-no-model = Спросить некого: сервер не перечисляет моделей. Назовите их в models у провайдера.
llm-test-first-token = Первый токен через
llm-milliseconds = { $ms } мс
llm-advice-provider-auth = Проверьте api_key_file провайдера: ключ неверен, истёк или не даёт права на эту модель.
llm-advice-provider-billing = Пополните счёт у провайдера.
llm-advice-provider-rate-limited = Подождите или поднимите предел для счёта у провайдера.
llm-advice-provider-error = Ошибка на стороне провайдера: посмотрите его журнал или страницу состояния.
llm-advice-provider-unreachable = Проверьте base_url, работает ли сервер, и сеть с межсетевым экраном между вами.
llm-advice-provider-timeout = Посмотрите, не перегружен ли сервер и не загружает ли он ещё модель; timeout_seconds можно увеличить.
llm-advice-provider-stream-cut = Сервер оборвал ответ: посмотрите его журнал и прокси между вами.
llm-advice-provider-bad-response = base_url должен указывать на API, совместимый с OpenAI, обычно он кончается на /v1.
llm-advice-provider-rejected = Сервер отвергает запрос: причина указана выше.
llm-advice-model-not-found = Проверьте имя модели и то, что base_url кончается там, где начинается API, обычно на /v1.
llm-advice-provider-quota = Поднимите квоту или бюджет счёта у провайдера или возьмите другого провайдера.
llm-advice-provider-forbidden = Ключ верен, но этого ему нельзя: посмотрите у провайдера, какие модели, регионы и проекты разрешены.
llm-advice-provider-moderation = Фильтр провайдера не пропускает содержание: измените текст или возьмите другую модель.
llm-advice-provider-overloaded = Подождите или возьмите другую модель: у провайдера больше запросов, чем он успевает.
llm-advice-provider-loading = Подождите, пока сервер загрузит модель; сколько ждут запросы, задаёт timeout_seconds.
llm-advice-context-length-exceeded = Сократите разговор или отрывки либо дайте модели большее окно контекста.
llm-advice-provider-too-large = Отправляйте меньше за раз; размер может ограничивать и прокси перед провайдером.
llm-advice-other = Подробности в журнале этого сервера.
llm-no-providers = Языковой модели пока нет
llm-no-providers-text = Агенты дословно цитируют документы. Чтобы отвечала языковая модель, добавьте в конфигурацию раздел [llm.providers.ИМЯ] с base_url и api_key_file и назовите одну из его моделей в [llm.aliases].
llm-names = Имена
llm-names-text = Агенты и клиенты API пользуются этими именами, что бы за ними ни стояло
llm-name = Имя
llm-stands-for = Что за ним стоит
llm-alias-none = пока ничего
llm-default = Агенты без модели
llm-embedding = векторы
llm-embedding-size = { $dims } чисел в векторе, тексты до { $tokens } токенов
llm-embedding-broken = не работает
llm-usage = Использование по моделям
llm-no-usage = Пока никто ничего не спрашивал
llm-no-usage-text = Задайте вопрос агенту или вызовите API, и здесь появится использование каждой модели.
llm-model = Модель
llm-requests = Запросов
llm-tokens-in = Токенов на входе
llm-tokens-out = Токенов на выходе
llm-first-token = Первый токен, с
llm-duration = Время, с
llm-estimated = { $n ->
    [one] токены { $n } запроса оценены
   *[other] токены { $n } запросов оценены
}
