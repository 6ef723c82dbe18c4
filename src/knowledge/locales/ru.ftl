knowledge-title = Знания
knowledge-lead = Коллекции документов: по ним отвечают агенты и работает поиск.
knowledge-new = Новая база знаний
knowledge-new-lead = Укажите название, затем добавьте документы.
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
knowledge-count-pending = { $n } в обработке
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
knowledge-rejected-with-others = Файл «{ $name }» не добавлен: { $reason } Другие файлы этой загрузки тоже не добавлены: проверьте список и загрузите недостающие.
knowledge-refused-empty = Файл пуст.
knowledge-refused-legacy_word = Это документ Word в старом формате .doc: сохраните его как .docx или PDF.
knowledge-refused-encrypted_office = Этот документ Office защищён паролем: сохраните его без пароля.
knowledge-refused-other_kind = Файлы этого типа не поддерживаются. Поддерживаются PDF, DOCX, HTML, Markdown, CSV, код и обычный текст.
knowledge-refused-payload_too_large = Файл слишком большой.
knowledge-nothing-chosen = Выберите хотя бы один файл.
knowledge-no-documents = Документов пока нет
knowledge-no-documents-text = Перетащите файлы в поле выше. Поиск по ним заработает почти сразу.
knowledge-find-document = Найти документ
knowledge-document = Документ
knowledge-passages = Фрагменты
knowledge-size = Размер
knowledge-added = Добавлен
knowledge-progress = Прогресс
knowledge-status-queued = В очереди
knowledge-status-extracting = Читается
knowledge-status-embedding = Индексируется
knowledge-status-ready = Готов
knowledge-status-failed = Ошибка
knowledge-failure-encrypted = Защищён паролем: сохраните его без пароля.
knowledge-failure-malformed = Файл повреждён.
knowledge-failure-no_text = Текст не найден: в файле только изображения или он пуст.
knowledge-failure-too_large_input = Файл слишком большой.
knowledge-failure-too_large_output = После распаковки текста слишком много.
knowledge-failure-timeout = Чтение заняло слишком много времени.
knowledge-failure-out_of_memory = Для чтения понадобилось слишком много памяти.
knowledge-failure-unsupported = Документы этого типа не поддерживаются.
knowledge-failure-process = Процесс чтения завершился с ошибкой. Попробуйте ещё раз.
knowledge-failure-original_missing = Файла нет в хранилище. Сообщите оператору: возможно, не подключён диск. Когда файл снова появится, повторите попытку или удалите документ и загрузите его заново.
knowledge-failure-killed = Сервер дважды аварийно завершился во время обработки этого документа: возможно, не хватило памяти. Прежде чем пробовать снова, обратитесь к оператору.
knowledge-failure-embedding = Модель эмбеддингов недоступна. Сообщите оператору и попробуйте ещё раз.
knowledge-failure-internal = Произошла внутренняя ошибка; она записана в журнал. Попробуйте ещё раз.

knowledge-search-title = Поиск в базе «{ $name }»
knowledge-ask = Задайте вопрос или введите слова для поиска
knowledge-mode = Режим поиска
knowledge-mode-hybrid = Гибридный
knowledge-mode-vector = По смыслу
knowledge-mode-text = По словам
knowledge-search-empty = Попробуйте поиск
knowledge-search-empty-text = Вы увидите фрагменты, которые получил бы агент: лучшие сверху, с оценками.
knowledge-search-nothing = Подходящих фрагментов нет. Документы, которые ещё не готовы, в поиске не участвуют.
knowledge-search-no-match = Похоже, в этой базе нет ответа на этот вопрос.
knowledge-search-words-only = Эти фрагменты найдены только по словам: модель эмбеддингов недоступна или база переиндексируется для другой модели.
knowledge-search-weak = Слабые совпадения
knowledge-search-weak-text = Это самые близкие из имеющихся фрагментов, но в них мало слов из вопроса, а близость по смыслу — на уровне случайной.
knowledge-score = Оценка
knowledge-by-meaning = По смыслу: № { $rank }
knowledge-by-words = По словам: № { $rank }
knowledge-page = стр. { $n }

knowledge-index = Индекс
knowledge-model = Модель эмбеддингов
knowledge-generation = Поколение
knowledge-selftest = Самопроверка
knowledge-selftest-text = Предложения из документов используются как вопросы, и каждый режим поиска получает оценку (nDCG@10, 1 — идеально). По оценкам рассчитываются веса.
knowledge-selftest-none = Измерений ещё не было: проверка запускается, когда прочитаны все документы, и ей нужно достаточно текста.
knowledge-language = Язык
knowledge-any-language = Любой
knowledge-language-eng = Английский
knowledge-language-rus = Русский
knowledge-questions = Вопросов
knowledge-weights = Веса, смысл : слова
knowledge-delete = Удалить эту базу знаний
knowledge-delete-text = Вместе с ней будут удалены все документы, их текст и индекс. Агенты лишатся этого источника.
knowledge-delete-question = Удалить базу «{ $name }» со всеми документами? Отменить это нельзя.

knowledge-download = Скачать
knowledge-delete-document-question = Удалить «{ $name }»? Вместе с документом будут удалены его текст и записи в индексе. Отменить это нельзя.
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
knowledge-kind = Тип
knowledge-kind-pdf = PDF
knowledge-kind-docx = Word (DOCX)
knowledge-kind-html = HTML
knowledge-kind-markdown = Markdown
knowledge-kind-csv = Таблица (CSV)
knowledge-kind-code = Код или конфигурация
knowledge-kind-text = Текст
knowledge-table-header = Заголовок таблицы, из которой взят этот фрагмент
knowledge-pages = Страниц
knowledge-ready-at = Обработан
knowledge-filename = Имя файла

knowledge-status-doubted = Готов, есть сомнения
knowledge-status-words_only = Только по словам
knowledge-count-doubted = { $n ->
    [one] { $n } готовый документ вызывает сомнения
    [few] { $n } готовых документа вызывают сомнения
   *[other] { $n } готовых документов вызывают сомнения
}
knowledge-count-doubted-short = есть сомнения: { $n }
knowledge-doubted-text = Часть текста могла потеряться или исказиться: что проверить, указано на странице документа.
knowledge-count-words-only = { $n ->
    [one] { $n } документ ищется только по словам
    [few] { $n } документа ищутся только по словам
   *[other] { $n } документов ищутся только по словам
}
knowledge-words-only-text = Модель эмбеддингов недоступна. Когда она появится, эти документы будет находить и поиск по смыслу; делать ничего не нужно.
knowledge-words-only-document = Ищется только по словам: при индексации модель эмбеддингов была недоступна. Когда она появится, документ будет находить и поиск по смыслу; делать ничего не нужно.

knowledge-report = Отчёт о чтении
knowledge-report-fine = Прочитано всё, сомнений нет.
knowledge-report-before = Документ прочитан до появления отчётов. Прочитайте его снова, чтобы узнать, что было пропущено.
knowledge-report-characters = Символов
knowledge-report-words = Слов
knowledge-report-plausible = Правдоподобных слов
knowledge-report-tables = Таблиц
knowledge-report-form-fields = Заполненных полей формы
knowledge-report-comments = Комментариев и примечаний
knowledge-report-images = Изображений без описания
knowledge-report-without-text = Страницы без текста
knowledge-report-partly = Страницы, прочитанные частично
knowledge-report-by-ocr = Страницы, распознанные OCR
knowledge-report-by-model = Страницы, прочитанные моделью
knowledge-report-hidden = Найдено скрытых символов
knowledge-report-encoding = Кодировка (угадана)
knowledge-report-undecodable = Нераспознанных символов
knowledge-report-fonts = Нечитаемые шрифты
knowledge-report-parts = Непрочитанные части
knowledge-read-again = Прочитать снова
knowledge-read-with-ocr = Прочитать снова с OCR
knowledge-open-original = Открыть оригинал
knowledge-reading-again = Документ читается снова. Пока он не готов, поиск его не находит.
knowledge-being-read = Документ уже читается.

knowledge-doubt-pages_without_text = Страницы без текста.
knowledge-doubt-pages_without_text-do = На некоторых страницах только изображения или совсем ничего нет. Какие страницы не прочитаны и что с этим делать, указано ниже.
knowledge-doubt-unreadable_fonts = Нечитаемые шрифты.
knowledge-doubt-unreadable_fonts-do = В некоторых шрифтах не указано, какие символы они изображают, поэтому слова могли пропасть или исказиться. Сравните текст с оригиналом или заново экспортируйте файл из исходной программы.
knowledge-doubt-implausible_text = Странный текст.
knowledge-doubt-implausible_text-do = Лишь немногие слова похожи на настоящие. Сравните текст с оригиналом.
knowledge-doubt-hidden_text = Скрытый текст.
knowledge-doubt-hidden_text-do = В файле есть текст, которого не видно при просмотре; он пропущен. Посмотрите примеры ниже.
knowledge-doubt-unread_parts = Непрочитанные части.
knowledge-doubt-unread_parts-do = Некоторые части файла не удалось прочитать. Откройте оригинал и сохраните его заново.
knowledge-doubt-undecodable_characters = Нераспознанные символы.
knowledge-doubt-undecodable_characters-do = Вместо некоторых символов в тексте стоит �. Сохраните файл в UTF-8 и загрузите снова.
knowledge-doubt-much_left_out = Много пропущено.
knowledge-doubt-much_left_out-do = Необычно большая часть текста принята за колонтитулы. Посмотрите примеры ниже.
knowledge-doubt-uncertain_order = Неясный порядок.
knowledge-doubt-uncertain_order-do = Порядок текста на странице определить не удалось. Сравните текст с оригиналом.
knowledge-doubt-read_from_pictures = Распознано по изображениям.
knowledge-doubt-read_from_pictures-do = Некоторые страницы распознаны по изображениям; имена и числа могли прочитаться неверно. Сравните их с оригиналом.

knowledge-unread = Непрочитанные страницы
knowledge-unread-pages = Стр. { $pages }:
knowledge-unread-off = база читает только текст. Включите OCR в её настройках и прочитайте документ снова.
knowledge-unread-not_installed = OCR на этом сервере не установлен. Попросите оператора установить tesseract и poppler-utils.
knowledge-unread-no_language = у OCR нет данных для языков этой базы. Попросите оператора установить их или выберите другие языки в настройках.
knowledge-unread-over_limit = страниц без текста больше, чем OCR может прочитать в одном документе. Разделите документ или попросите оператора увеличить лимит.
knowledge-unread-out_of_time = исчерпан лимит времени на распознавание одного документа. Разделите документ или попросите оператора увеличить лимит.
knowledge-unread-ocr_failed = распознавание завершилось с ошибкой. Прочитайте документ снова; если ошибка повторится, откройте оригинал.
knowledge-unread-nothing_found = на изображении не найдено слов.
knowledge-unread-unclear = изображение слишком нечёткое для OCR. Отсканируйте страницу ещё раз с лучшим качеством или откройте оригинал.
knowledge-unread-over_budget = дневной бюджет чтения с помощью модели исчерпан. Прочитайте документ снова завтра или попросите оператора увеличить бюджет.
knowledge-unread-model_failed = модель не ответила. Проверьте раздел «Модели» и прочитайте документ снова.

knowledge-unread-certainty = уверенность распознавания: { $n } %
knowledge-unread-pages-limit = страниц в документе: не более { $n }
knowledge-unread-tokens-limit = токенов в день: не более { $n }
knowledge-unread-too-long = это заняло слишком много времени
knowledge-unread-too-much-memory = для этого понадобилось слишком много памяти
knowledge-part-on-page = стр. { $page }: { $part }
knowledge-part-page = не удалось прочитать ({ $detail })
knowledge-part-packed_stream = часть, которую не удалось распаковать ({ $detail })
knowledge-part-stream = часть, которую не удалось разобрать ({ $detail })
knowledge-part-much_content = содержимое сверх лимита
knowledge-part-many_characters = символы сверх лимита
knowledge-part-many_annotations = заметок и полей: { $detail }, из них прочитано { $name }
knowledge-part-broken_text = содержимое обрывается посреди текста: остальное, возможно, повреждено
knowledge-part-missing_object = объект, которого нет в файле
knowledge-part-xfa = форма XFA, из которой прочитаны только обычные страницы
knowledge-part-missing_end = нет конца файла (битых ссылок: { $detail })
knowledge-part-drawn_text = страницы, текст которых, похоже, нарисован контурами: { $detail }
knowledge-part-damaged_part = часть { $name } повреждена ({ $detail })
knowledge-part-missing_insert = вставленный файл, которого нет в документе
knowledge-part-insert = { $name }: вставленный файл, который не читается ({ $detail })
knowledge-part-inserted_rtf = { $name }: вставленный текст в формате RTF
knowledge-part-inserted_archive = { $name }: вставленный веб-архив (MHT) без страницы
knowledge-part-nested_document = { $name }: слишком глубоко вложенный документ
knowledge-part-embedded_object = внедрённый объект ({ $detail })
knowledge-part-active_x = элемент управления ActiveX
knowledge-part-chart = { $name }: диаграмма или схема
knowledge-part-sub_document = вложенный документ, которого нет в файле
knowledge-part-mail_part = { $name }: часть письма, которую не удалось декодировать
knowledge-part-attached_message = вложенное письмо { $name } ({ $detail })
knowledge-part-attachment = вложение { $name } ({ $detail })
knowledge-part-nested_forms = вложенные варианты текста
knowledge-part-damaged_content = содержимое, возможно, прочитано не целиком ({ $detail })
knowledge-part-attached_files = вложенные файлы: { $detail }
knowledge-part-attached_file = приложенный файл, который не прочитан ({ $name })
knowledge-part-more = и ещё { $detail }
knowledge-part-other = { $detail }

knowledge-left-out-nothing = Ничего не пропущено.
knowledge-left-out = { $n ->
    [one] Пропущен { $n } символ
    [few] Пропущено { $n } символа
   *[other] Пропущено { $n } символов
}
knowledge-left-out-times = { $n ->
    [one] в { $n } месте
   *[other] в { $n } местах
}
knowledge-left-out-page_number = Номера страниц
knowledge-left-out-running_line = Повторяющиеся колонтитулы (оставлены один раз)
knowledge-left-out-navigation = Навигация веб-страницы
knowledge-left-out-hidden = Скрытый текст
knowledge-left-out-revision = Текст, удалённый в режиме правок
knowledge-left-out-script = Скрипты и таблицы стилей
knowledge-left-out-comment = Комментарии в исходном коде, невидимые читателю
knowledge-left-out-duplicate = Повторяющийся в файле текст

knowledge-reading = Страницы без текста
knowledge-reading-hint = Сканы, а также страницы со шрифтами, в которых не указано, какие символы они изображают. Для документов, которые уже есть в базе, нажмите «Прочитать снова» на их странице.
knowledge-reading-ocr = Распознавать по изображению (OCR)
knowledge-reading-text = Не распознавать: читать только текст
knowledge-ocr-languages = Языки для OCR
knowledge-ocr-languages-hint = Коды tesseract через пробел, например eng rus. Если пусто: английский и русский, если они установлены.
knowledge-vision-model = Модель для страниц, которые не читает OCR
knowledge-vision-model-hint = Модель, понимающая изображения, в виде provider/model. Ей отправляются изображения страниц. Если пусто, модель не используется.
knowledge-ocr-here = OCR на этом сервере установлен, языки: { $languages }.
knowledge-ocr-missing = OCR на этом сервере не установлен: страницы без текста останутся непрочитанными, и это будет указано в отчётах о чтении. Попросите оператора установить tesseract и poppler-utils.

# Scopes of API keys
scope-knowledge-read = Просмотр знаний и поиск
scope-knowledge-write = Изменение знаний

# Navigation and overview
knowledge-nav = Знания
knowledge-overview-add = Добавить документы
knowledge-overview-documents = Документов готово
knowledge-overview-in-bases = { $n ->
    [0] баз знаний пока нет
    [one] в { $n } базе знаний
    [few] в { $n } базах знаний
   *[other] в { $n } базах знаний
}
knowledge-step-base = Создайте базу знаний
knowledge-step-base-text = Место для связанных друг с другом документов.
knowledge-step-documents = Загрузите документы
knowledge-step-documents-text = PDF, Word, HTML, Markdown или текст; каждый готов за секунды.

# Errors
error-base-name-taken = База знаний с таким названием уже есть. Выберите другое название.
