agents-title = Агенты
agents-lead = Агент отвечает по вашим документам и указывает, где он это прочитал.
agents-new = Новый агент
agents-edit = Изменить агента
agents-empty = Агентов пока нет
agents-empty-text = Дайте агенту имя, инструкции и базу знаний — и задайте вопрос.
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
agents-name-hint = Его видят те, кто спрашивает.
agents-slug = Короткое имя
agents-slug-hint = Приложения обращаются к модели agent/короткое-имя. Если пусто, оно получится из имени.
agents-description = Описание
agents-instructions = Инструкции
agents-instructions-hint = Для чего он, как говорит, чего не делает. Правила об источниках Holdfast добавляет сам.
agents-knowledge = Знания
agents-no-bases = Баз знаний пока нет.
agents-make-base = Создать
agents-model = Модель
agents-model-hint = fast и quality — псевдонимы, которые задаёт оператор.
agents-model-default = По умолчанию
agents-details = Поиск, температура и пределы
agents-mode = Поиск
agents-mode-hybrid = По смыслу и словам
agents-mode-vector = По смыслу
agents-mode-text = По словам
agents-limit = Фрагментов
agents-max-tokens = Токенов во всех фрагментах
agents-temperature = Температура
agents-max-output = Длина ответа, токенов
agents-left-to-model = Если пусто, решает модель.
agents-note = Заметка
agents-note-hint = Почему изменили — для списка версий.
agents-created = { $name } готов. Задайте вопрос.
agents-saved = { $name } сохранён; отвечает версия { $version }.
agents-changed-meanwhile = Кто-то другой успел изменить агента. Здесь его нынешнее состояние; внесите изменение ещё раз.
agents-delete = Удалить агента
agents-delete-text = Вместе с ним исчезнут его версии и беседы. Базы знаний останутся.
agents-delete-question = Удалить { $name } вместе со всеми беседами?
agents-deleted = { $name } удалён.
agents-version = Версия
agents-versions = Версии
agents-versions-lead = Каждое изменение настроек — это версия. Прежняя может снова отвечать сразу.
agents-search-versions = Поиск в заметках и инструкциях
agents-answers = Отвечает
agents-roll-back = Вернуть
agents-rolled-back = { $name }: отвечает версия { $version }.
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
agents-ask-text = Ответ ссылается на фрагменты, из которых он взят; любой из них можно открыть в документе.
agents-ask-something = Сначала напишите вопрос.
agents-placeholder = Спросите: { $name }
agents-question = Вопрос
agents-send = Отправить
agents-stop = Остановить
agents-being-written = Ответ пишется.
agents-stopped = Остановлено.
agents-searching = Ищу в документах…
agents-regenerate = Ответить заново
agents-only-weak = Только слабые совпадения: в документах нет ничего, что хорошо подходит к вопросу. Проверьте источники, прежде чем полагаться на ответ.
agents-found-only-weak = Найдены только слабые совпадения: ничто в документах не подходит к вопросу хорошо.
agents-left-out = { $n ->
    [one] Найден ещё { $n } фрагмент, но он не уместился в предел токенов этого агента: модель его не видела.
    [few] Найдено ещё { $n } фрагмента, но они не уместились в предел токенов этого агента: модель их не видела.
   *[other] Найдено ещё { $n } фрагментов, но они не уместились в предел токенов этого агента: модель их не видела.
}
agents-question-cut = Поиск по документам шёл только по первым { $n } знакам вопроса. Чтобы искать по остальному, спросите короче.
agents-words-only = Поиск по документам шёл только по словам: модель эмбеддингов недоступна, или документы индексируются для другой модели.
agents-arrived = Вопрос дошёл: вот он и то, что было написано в ответ.
agents-weak = слабое совпадение
agents-earlier-left-out = Сообщения выше этой черты модель больше не видит: ей показывают только последние вопросы и ответы.
agents-bases-gone = { $n ->
    [one] { $n } база знаний этого агента удалена. Он отвечает без неё.
    [few] { $n } базы знаний этого агента удалены. Он отвечает без них.
   *[other] { $n } баз знаний этого агента удалены. Он отвечает без них.
}
agents-beyond = Может отвечать и без документов
agents-beyond-hint = Если в документах ответа нет, модель может ответить из того, что знает сама, и скажет об этом. Иначе она скажет, что в документах ответа нет.
agents-source-deleted = С тех пор удалён
agents-page = с. { $page }
agents-seconds = { $seconds } с
agents-tokens = { $n ->
    [one] { $n } токен
    [few] { $n } токена
   *[other] { $n } токенов
}
agents-thinking = Ход мыслей
agents-cut-off = Ответ прерван: достигнут предел длины.
agents-continue = Продолжить
agents-ended-with = Модель закончила с пометкой «{ $reason }».
agents-why-other = Ответ не получился.
agents-why-answer-broke-off = Провайдер прервал ответ. Написанное сохранено.
agents-why-answer-empty = Модель ничего не ответила. Спросите ещё раз или выберите другую модель.
agents-why-answer-filtered = Фильтр содержания у провайдера не пропустил ответ. Спросите другими словами.
agents-why-answer-needs-tools = Модель запросила инструмент, которого у неё нет. Выберите для агента другую модель.
agents-why-answer-only-thinking = Модель размышляла, но до ответа не дошла. Увеличьте длину ответа в настройках агента или спросите ещё раз.
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
agents-why-conversation-busy = На вопрос в этой беседе уже отвечают в другом окне. Дождитесь ответа или остановите его там.
agents-why-conversation-full = Эта беседа заполнена. Начните новую.
agents-why-nothing-to-regenerate = Пока нет ответа, который можно написать заново.
agents-why-nothing-to-continue = Последний ответ закончен: продолжать нечего.
agents-why-validation-failed = Текст пуст или слишком длинный.
agents-why-unauthorized = Сеанс завершён. Войдите снова в другом окне и отправьте вопрос ещё раз.
agents-why-conversation-not-found = Эта беседа удалена.
agents-why-offline = Нет связи с сервером. Проверьте подключение и попробуйте ещё раз.
agents-why-provider-forbidden = Учётной записи у провайдера модели это не разрешено. Оператору нужно проверить её модели и регионы.
agents-why-provider-loading = Модель ещё загружается. Попробуйте через минуту.
agents-why-provider-moderation = Фильтр провайдера не пропускает этот текст. Спросите другими словами.
agents-why-provider-overloaded = Провайдер модели перегружен. Попробуйте через минуту.
agents-why-provider-quota = Квота учётной записи у провайдера модели исчерпана.
agents-why-provider-too-large = Запрос больше, чем принимает провайдер модели. Начните новую беседу.
agents-why-context-length-exceeded = Беседа длиннее, чем принимает модель. Начните новую.

# Scopes of API keys
scope-agents-read = Чтение агентов
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
