llm-title = Модели
llm-lead = Языковые модели, эмбеддинги и их использование
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
llm-test-no-model = Проверить нечего: сервер не перечисляет моделей. Укажите их в models провайдера.
llm-test-first-token = Время до первого токена
llm-advice-provider-auth = Проверьте api_key_file провайдера: ключ неверен, истёк или не даёт права на эту модель.
llm-advice-provider-billing = Пополните счёт у провайдера.
llm-advice-provider-rate-limited = Подождите или увеличьте лимит учётной записи у провайдера.
llm-advice-provider-error = Ошибка на стороне провайдера: посмотрите его журнал или страницу состояния.
llm-advice-provider-unreachable = Проверьте base_url, работает ли сервер, а также сеть и межсетевой экран на пути к нему.
llm-advice-provider-timeout = Проверьте, не перегружен ли сервер и не загружает ли он ещё модель; timeout_seconds можно увеличить.
llm-advice-provider-stream-cut = Сервер оборвал ответ: проверьте его журнал и прокси на пути к нему.
llm-advice-provider-bad-response = base_url должен указывать на API, совместимый с OpenAI; обычно он заканчивается на /v1.
llm-advice-provider-rejected = Сервер отклоняет запрос: причина указана выше.
llm-advice-model-not-found = Проверьте имя модели и то, что base_url заканчивается базовым путём API, обычно /v1.
llm-advice-provider-quota = Увеличьте квоту или бюджет учётной записи у провайдера или выберите другого провайдера.
llm-advice-provider-forbidden = Ключ верен, но не даёт таких прав: проверьте у провайдера, какие модели, регионы и проекты доступны учётной записи.
llm-advice-provider-moderation = Фильтр провайдера не пропускает это содержание: измените текст или выберите другую модель.
llm-advice-provider-overloaded = Подождите или выберите другую модель: у провайдера больше запросов, чем он успевает обработать.
llm-advice-provider-loading = Подождите, пока сервер загрузит модель; время ожидания задаёт timeout_seconds.
llm-advice-context-length-exceeded = Сократите беседу или число источников либо увеличьте окно контекста модели.
llm-advice-provider-too-large = Отправляйте меньше данных за раз; размер может ограничивать и прокси перед провайдером.
llm-advice-other = Подробности в журнале этого сервера.
llm-no-providers = Языковой модели пока нет
llm-no-providers-text = Агенты дословно цитируют документы. Чтобы отвечала языковая модель, добавьте в конфигурацию раздел [llm.providers.ИМЯ] с base_url и api_key_file и укажите одну из его моделей в [llm.aliases].
llm-names = Псевдонимы
llm-names-text = Агенты и клиенты API используют эти имена независимо от конкретной модели
llm-name = Псевдоним
llm-stands-for = Модель
llm-alias-none = не задан
llm-default = По умолчанию для агентов
llm-embedding = эмбеддинги
llm-embedding-size = размерность { $dims }, тексты до { $tokens } токенов
llm-embedding-broken = не работает
llm-usage = Использование по моделям
llm-no-usage = Запросов пока нет
llm-no-usage-text = Задайте вопрос агенту или вызовите API — здесь появится использование каждой модели.
llm-model = Модель
llm-requests = Запросов
llm-tokens-in = Токенов на входе
llm-tokens-out = Токенов на выходе
llm-first-token = Первый токен, с
llm-duration = Длительность, с
llm-estimated = { $n ->
    [one] токены { $n } запроса оценены
   *[other] токены { $n } запросов оценены
}
llm-adaptation-no-stream-options = запрашивается без stream_options, число токенов оценивается приблизительно
llm-adaptation-max-tokens = лимит ответа передаётся как max_tokens
llm-adaptation-max-completion-tokens = лимит ответа передаётся как max_completion_tokens
llm-adaptation-system-for-developer = сообщения developer передаются как system
llm-adaptation-no-system = системные сообщения передаются вместе с первым вопросом
llm-adaptation-alternate-turns = сообщения одной роли, идущие подряд, объединяются
llm-adaptation-plain-content = списки текстов передаются одним текстом
llm-adaptation-input-fields-only = поля, которые бывают только в ответах, удаляются из сообщений
llm-adaptation-no-stream = ответ запрашивается целиком и передаётся клиенту потоком
llm-adaptation-no-encoding-format = эмбеддинги запрашиваются без encoding_format

# Scopes of API keys
scope-inference = Запросы к агентам и моделям (/v1)

# Navigation and overview
llm-nav = Модели
llm-overview-tokens = Токенов сегодня
llm-overview-tokens-by-day = Токены по дням
llm-overview-no-model = Языковая модель ещё не подключена. Агенты отвечают цитатами из найденных фрагментов; добавьте провайдера, чтобы они писали ответы.
