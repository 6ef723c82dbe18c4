agents-title = Агенты
agents-lead = Агенты отвечают по вашим документам и указывают источники.
agents-new = Новый агент
agents-edit = Изменить агента
agents-empty = Агентов пока нет
agents-empty-text = Задайте агенту имя, инструкции и базу знаний — и спросите его о чём-нибудь.
agents-search = Поиск агентов
agents-bases = { $n ->
    [0] без базы знаний
    [one] { $n } база знаний
    [few] { $n } базы знаний
   *[other] { $n } баз знаний
}
agents-documents = { $n ->
    [one] { $n } документ
    [few] { $n } документа
   *[other] { $n } документов
}
agents-name = Имя
agents-name-hint = Его видят те, кто обращается к агенту.
agents-slug = Короткое имя
agents-slug-hint = Приложения обращаются к модели agent/короткое-имя. Если оставить пустым, оно будет создано из имени.
agents-description = Описание
agents-instructions = Инструкции
agents-instructions-hint = Назначение агента, стиль речи и ограничения. Правила об источниках Holdfast добавляет сам.
agents-knowledge = Знания
agents-no-bases = Баз знаний пока нет.
agents-make-base = Создать
agents-model = Модель
agents-model-hint = fast и quality — псевдонимы моделей, которые задаёт оператор.
agents-model-default = По умолчанию
agents-details = Поиск, температура и ограничения
agents-mode = Поиск
agents-mode-hybrid = По смыслу и словам
agents-mode-vector = По смыслу
agents-mode-text = По словам
agents-limit = Источников
agents-max-tokens = Токенов во всех источниках
agents-temperature = Температура
agents-max-output = Максимальная длина ответа, токенов
agents-left-to-model = Пусто: значение модели по умолчанию.
agents-starters = Вопросы для начала
agents-starters-hint = По одному в строке, не больше шести. Они предлагаются в начале диалога.
agents-pictures = Модель понимает изображения
agents-pictures-hint = Тогда к вопросу можно приложить изображения.
agents-note = Заметка
agents-note-hint = Причина изменения, видна в списке версий.
agents-created = { $name } готов. Задайте вопрос.
agents-saved = { $name } сохранён; используется версия { $version }.
agents-changed-meanwhile = Агента тем временем изменил кто-то другой. Здесь показано текущее состояние; внесите изменение ещё раз.
agents-delete = Удалить агента
agents-delete-text = Его версии и беседы тоже будут удалены. Базы знаний останутся.
agents-delete-question = Удалить { $name } вместе со всеми беседами?
agents-deleted = { $name } удалён.
agents-version = Версия
agents-versions = Версии
agents-versions-lead = Каждое изменение настроек создаёт версию. К прежней версии можно вернуться в любой момент.
agents-search-versions = Поиск в заметках и инструкциях
agents-answers = Используется
agents-roll-back = Использовать эту версию
agents-rolled-back = { $name }: используется версия { $version }.
agents-use = Как пользоваться
agents-as-model = Как модель
agents-new-conversation = Новая беседа
agents-conversation = Беседа
agents-conversations = Беседы
agents-search-conversations = Поиск бесед
agents-no-conversations = Здесь будут ваши беседы с этим агентом.
agents-untitled = Без названия
agents-conversation-title = Название
agents-conversation-renamed = Переименовано.
agents-conversation-deleted = Беседа удалена.
agents-delete-conversation = Удалить беседу
agents-delete-conversation-question = Удалить эту беседу вместе со всеми сообщениями?
agents-ask-title = Задайте вопрос
agents-ask-text = Ответ ссылается на источники; любой из них можно открыть в документе.
agents-ask-something = Сначала напишите вопрос.
agents-placeholder = Спросите: { $name }
agents-question = Вопрос
agents-send = Отправить
agents-stop = Остановить
agents-being-written = Ответ пишется.
agents-stopped = Остановлено.
agents-searching = Поиск по документам…
agents-regenerate = Ответить заново
agents-only-weak = Только слабые совпадения: в документах нет ничего, что хорошо подходит к вопросу. Проверьте источники, прежде чем полагаться на ответ.
agents-found-only-weak = Найдены только слабые совпадения: в документах нет ничего, что хорошо подходит к вопросу.
agents-left-out = { $n ->
    [one] Найден ещё { $n } источник, но он не уместился в лимит токенов этого агента: модель его не видела.
    [few] Найдено ещё { $n } источника, но они не уместились в лимит токенов этого агента: модель их не видела.
   *[other] Найдено ещё { $n } источников, но они не уместились в лимит токенов этого агента: модель их не видела.
}
agents-question-cut = Поиск по документам шёл только по первым { $n } символам вопроса. Чтобы искать и по остальному тексту, задайте вопрос короче.
agents-words-only = Поиск по документам шёл только по словам: модель эмбеддингов недоступна, или документы переиндексируются для другой модели.
agents-arrived = Вопрос был получен: вот он и уже написанная часть ответа.
agents-weak = слабое совпадение
agents-earlier-left-out = Сообщения выше этой линии модель больше не видит: ей передаются только последние вопросы и ответы.
agents-bases-gone = { $n ->
    [one] { $n } база знаний этого агента удалена. Он отвечает без неё.
    [few] { $n } базы знаний этого агента удалены. Он отвечает без них.
   *[other] { $n } баз знаний этого агента удалены. Он отвечает без них.
}
agents-beyond = Может отвечать не только по документам
agents-beyond-hint = Если в документах нет ответа, модель может ответить из собственных знаний и сообщит об этом. Иначе она скажет, что в документах ответа нет.
agents-source-deleted = Уже удалён
agents-page = с. { $page }
agents-tokens = { $n ->
    [one] { $n } токен
    [few] { $n } токена
   *[other] { $n } токенов
}
agents-thinking = Рассуждения
agents-cut-off = Ответ прерван: достигнут предел длины.
agents-continue = Продолжить
agents-ended-with = Модель остановилась с пометкой «{ $reason }».
agents-why-other = Не удалось получить ответ.
agents-why-answer-broke-off = Провайдер прервал ответ. Написанное сохранено.
agents-why-answer-empty = Модель ничего не ответила. Спросите ещё раз или выберите другую модель.
agents-why-answer-filtered = Фильтр содержания у провайдера не пропустил ответ. Переформулируйте вопрос.
agents-why-answer-needs-tools = Модель запросила инструмент, которого у неё нет. Выберите для агента другую модель.
agents-why-answer-only-thinking = Модель израсходовала лимит на рассуждения и не дошла до ответа. Увеличьте максимальную длину ответа в настройках агента или спросите ещё раз.
agents-why-answer-refused = Модель отказалась отвечать.
agents-why-interrupted = Ответ прерван перезапуском сервера. Написанное сохранено.
agents-why-provider-auth = Провайдер модели не принимает ключ сервера. Это должен исправить оператор.
agents-why-provider-bad-response = Ответ провайдера модели не удалось прочитать. Оператору нужно проверить его адрес.
agents-why-provider-billing = На счёте у провайдера модели закончились средства.
agents-why-provider-error = У провайдера модели произошла ошибка. Попробуйте ещё раз чуть позже.
agents-why-provider-rate-limited = Провайдер модели ограничивает частоту запросов. Попробуйте через минуту.
agents-why-provider-rejected = Провайдер модели отклонил запрос. Причину оператор найдёт в журнале.
agents-why-provider-stream-cut = Связь с провайдером модели оборвалась посреди ответа. Написанное сохранено.
agents-why-provider-timeout = Провайдер модели не ответил вовремя. Попробуйте ещё раз.
agents-why-provider-unreachable = Нет связи с провайдером модели.
agents-why-model-not-found = Модели этого агента больше нет. Выберите другую в настройках агента.
agents-why-too-many-answers = Сейчас пишется слишком много ответов. Попробуйте через несколько секунд.
agents-why-conversation-busy = В этой беседе уже пишется ответ в другом окне. Дождитесь его или остановите там.
agents-why-conversation-full = В этой беседе достигнут предел сообщений. Начните новую.
agents-why-nothing-to-regenerate = Пока нет ответа, который можно было бы создать заново.
agents-why-nothing-to-continue = Последний ответ завершён: продолжать нечего.
agents-why-validation-failed = Текст пустой или слишком длинный.
agents-why-unauthorized = Сеанс завершён. Войдите снова в другом окне и отправьте вопрос ещё раз.
agents-why-conversation-not-found = Эта беседа удалена.
agents-why-offline = Нет связи с сервером. Проверьте подключение и попробуйте ещё раз.
agents-why-provider-forbidden = Учётной записи у провайдера модели это не разрешено. Оператору нужно проверить доступные ей модели и регионы.
agents-why-provider-loading = Модель ещё загружается. Попробуйте через минуту.
agents-why-provider-moderation = Фильтр провайдера не пропускает этот текст. Переформулируйте его.
agents-why-provider-overloaded = Провайдер модели перегружен. Попробуйте через минуту.
agents-why-provider-quota = Квота учётной записи у провайдера модели исчерпана.
agents-why-provider-too-large = Запрос слишком велик для провайдера модели. Начните новую беседу.
agents-why-context-length-exceeded = Беседа слишком длинная для модели. Начните новую.

# Scopes of API keys
scope-agents-read = Просмотр агентов
scope-agents-write = Изменение агентов

# Navigation and overview
agents-nav = Агенты
agents-overview-ask = Спросить агента
agents-overview-conversations = Бесед сегодня
agents-overview-conversations-by-day = Беседы по дням
agents-overview-agents = Агенты
agents-step-agent = Создайте агента
agents-step-agent-text = Дайте ему инструкции и знания, которыми он может пользоваться.
agents-step-question = Задайте вопрос
agents-step-question-text = Ответ ссылается на фрагменты, на которых он основан.
