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
agents-failed = Ответ оборвался.
agents-searching = Ищу в документах…
agents-regenerate = Ответить заново
agents-source-deleted = С тех пор удалён
agents-page = с. { $page }
agents-seconds = { $seconds } с
agents-tokens = { $n ->
    [one] { $n } токен
    [few] { $n } токена
   *[other] { $n } токенов
}
agents-not-asked = Не отправлено: { $reason }
agents-not-answered = Нет ответа: { $reason }
