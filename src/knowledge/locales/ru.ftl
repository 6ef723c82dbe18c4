knowledge-title = Знания
knowledge-lead = Собрания ваших документов: по ним отвечают агенты и в них ищут.
knowledge-new = Новая база знаний
knowledge-new-lead = Дайте ей имя, затем добавьте документы.
knowledge-create-first = Новая база знаний
knowledge-empty = Баз знаний пока нет
knowledge-empty-text = Создайте базу, перетащите в неё файлы PDF, Word, HTML, Markdown или текст — и спрашивайте.
knowledge-find = Найти базу знаний
knowledge-name-example = Справочник команды
knowledge-description = Описание
knowledge-description-hint = О чём эти документы — для ваших коллег.
knowledge-created = База «{ $name }» создана. Добавьте первые документы.
knowledge-saved = Сохранено.
knowledge-deleted = База «{ $name }» удалена.
knowledge-count-documents = { $n ->
    [0] нет документов
    [one] { $n } документ
    [few] { $n } документа
   *[other] { $n } документов
}
knowledge-count-passages = { $n ->
    [one] { $n } фрагмент
    [few] { $n } фрагмента
   *[other] { $n } фрагментов
}
knowledge-count-pending = { $n } в работе
knowledge-count-failed = { $n } с ошибкой
knowledge-count-tokens = { $n ->
    [one] { $n } токен
    [few] { $n } токена
   *[other] { $n } токенов
}
knowledge-documents = Документы
knowledge-search-tab = Поиск
knowledge-settings = Настройки

knowledge-drop = Перетащите документы сюда или выберите файлы
knowledge-choose = Выбрать файлы
knowledge-kinds = PDF, DOCX, HTML, Markdown, CSV, код и текст, каждый до { $limit }
knowledge-upload = Загрузить
knowledge-duplicate = уже есть в базе
knowledge-network = Соединение прервалось. Попробуйте ещё раз.
knowledge-uploaded = { $n ->
    [one] Добавлен { $n } документ.
    [few] Добавлено { $n } документа.
   *[other] Добавлено { $n } документов.
}
knowledge-duplicates = { $n ->
    [one] Этот документ уже есть в базе.
   *[other] Эти документы уже есть в базе.
}
knowledge-rejected = Файл «{ $name }» не добавлен: { $reason }
knowledge-nothing-chosen = Выберите хотя бы один файл.
knowledge-no-documents = Документов пока нет
knowledge-no-documents-text = Перетащите файлы в поле выше. Через несколько мгновений они будут доступны для поиска.
knowledge-find-document = Найти документ
knowledge-document = Документ
knowledge-passages = Фрагменты
knowledge-size = Размер
knowledge-added = Добавлен
knowledge-progress = Ход работы
knowledge-status-queued = В очереди
knowledge-status-extracting = Читается
knowledge-status-embedding = Индексируется
knowledge-status-ready = Готов
knowledge-status-failed = Ошибка
knowledge-failure-encrypted = Защищён паролем: сохраните его без пароля.
knowledge-failure-malformed = Файл повреждён.
knowledge-failure-no_text = Текст не найден: в файле только изображения или он пуст.
knowledge-failure-too_large_input = Файл слишком большой.
knowledge-failure-too_large_output = В распакованном виде текста слишком много.
knowledge-failure-timeout = Чтение заняло слишком много времени.
knowledge-failure-out_of_memory = Для чтения понадобилось слишком много памяти.
knowledge-failure-unsupported = Документы такого вида не читаются.
knowledge-failure-process = Процесс чтения завершился с ошибкой. Попробуйте ещё раз.
knowledge-failure-embedding = Модель эмбеддингов недоступна. Сообщите администратору и попробуйте ещё раз.
knowledge-failure-internal = Произошла внутренняя ошибка, она записана в журнал. Попробуйте ещё раз.

knowledge-search-title = Поиск в базе «{ $name }»
knowledge-ask = Задайте вопрос или введите слова
knowledge-mode = Вид поиска
knowledge-mode-hybrid = Совместно
knowledge-mode-vector = По смыслу
knowledge-mode-text = По словам
knowledge-search-empty = Попробуйте поиск
knowledge-search-empty-text = Вы увидите фрагменты, которые получил бы агент: лучшие сверху, с оценками.
knowledge-search-nothing = Подходящих фрагментов нет. Документы, которые ещё не готовы, пока не находятся.
knowledge-search-no-match = Похоже, в этой базе нет ответа на этот вопрос.
knowledge-search-weak = Слабые совпадения
knowledge-search-weak-text = Это ближайшие фрагменты, но в них мало слов из вопроса, а по смыслу они не ближе случайных.
knowledge-score = Оценка
knowledge-by-meaning = По смыслу: № { $rank }
knowledge-by-words = По словам: № { $rank }
knowledge-page = стр. { $n }

knowledge-index = Индекс
knowledge-model = Модель эмбеддингов
knowledge-generation = Поколение
knowledge-selftest = Самопроверка
knowledge-selftest-text = Предложения из документов задаются как вопросы, и каждый вид поиска получает оценку (nDCG@10, 1 — идеально). По ней выбираются веса.
knowledge-selftest-none = Ещё не измерено: нужно больше текста.
knowledge-language = Язык
knowledge-any-language = Любой
knowledge-language-eng = Английский
knowledge-language-rus = Русский
knowledge-questions = Вопросов
knowledge-weights = Веса, смысл : слова
knowledge-delete = Удалить эту базу знаний
knowledge-delete-text = Вместе с ней исчезнут все документы, их текст и индекс. Агенты потеряют этот источник.
knowledge-delete-question = Удалить базу «{ $name }» со всеми документами? Отменить это нельзя.

knowledge-download = Скачать
knowledge-delete-document-question = Удалить «{ $name }»? Вместе с документом исчезнут его текст и записи в индексе. Отменить это нельзя.
knowledge-document-deleted = Документ «{ $name }» удалён.
knowledge-renamed = Переименовано.
knowledge-retrying = Документ обрабатывается снова.
knowledge-not-failed = С этим документом всё в порядке.
knowledge-text = Текст
knowledge-in-text = показать в тексте
knowledge-no-text = Текста пока нет
knowledge-no-text-text = Он появится, когда документ будет прочитан.
knowledge-no-text-failed = Текста нет
knowledge-no-text-failed-text = Этот документ не удалось прочитать. Причина указана рядом; исправьте файл и загрузите его снова.
knowledge-cited = Процитированный фрагмент выделен
knowledge-earlier = Предыдущий текст
knowledge-later = Следующий текст
knowledge-kind = Вид
knowledge-kind-pdf = PDF
knowledge-kind-docx = Word (DOCX)
knowledge-kind-html = HTML
knowledge-kind-markdown = Markdown
knowledge-kind-csv = Таблица (CSV)
knowledge-kind-code = Код или настройки
knowledge-kind-text = Текст
knowledge-table-header = Заголовок таблицы, из которой взят этот фрагмент
knowledge-pages = Страниц
knowledge-ready-at = Обработан
knowledge-filename = Имя файла
