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
llm-key-set = задан
llm-key-none = нет
llm-offered = Модели
llm-offered-all = все, что перечисляет сервер
llm-test = Проверить
llm-test-ok = { $name } отвечает за { $ms } мс и предлагает { $n ->
    [one] { $n } модель
    [few] { $n } модели
   *[other] { $n } моделей
}
llm-test-failed = { $name } не работает: { $error }
llm-no-providers = Языковой модели пока нет
llm-no-providers-text = Агенты дословно цитируют документы. Чтобы отвечала языковая модель, добавьте в конфигурацию раздел [llm.providers.ИМЯ] с base_url и api_key_file.
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
