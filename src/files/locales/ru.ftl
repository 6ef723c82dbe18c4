scope-files-read = Просматривать и читать файлы
scope-files-write = Записывать и удалять файлы
scope-files-admin = Создавать и изменять хранилища файлов
files-link-title = Файл по ссылке
files-link-locked = Ссылка защищена паролем.
files-link-password = Пароль
files-link-open = Открыть
files-link-wrong = Пароль неверен.
files-link-download = Скачать
files-link-gone = Ссылка никуда не ведёт
files-link-gone-text = Срок истёк, её отозвали, или её не было. Попросите новую у того, кто её прислал.
files-link-expires = Действует до
files-link-empty = Папка пуста.
files-link-up = В папку выше
files-link-more = Ещё файлы
files-title = Файлы
files-lead = Хранилища файлов для людей и программ: в браузере, через API и через S3
files-tab-buckets = Хранилища
files-tab-keys = Ключи доступа
files-tab-links = Ссылки
files-tab-trash = Корзина
files-tab-usage = Объём

# Обзор
files-overview-stored = Хранится файлов
files-overview-damaged = { $n ->
    [one] Повреждён { $n } объект
    [few] Повреждено { $n } объекта
   *[many] Повреждено { $n } объектов
 }
files-overview-quota = использовано { $n } % квоты
files-step = Создайте хранилище файлов
files-step-text = Загружайте файлы в браузере или дайте программам работать с ним как с S3.
files-count-objects = { $n ->
    [one] { $n } объект
    [few] { $n } объекта
   *[many] { $n } объектов
 }
files-count-trashed = { $n ->
    [one] { $n } объект в корзине
    [few] { $n } объекта в корзине
   *[many] { $n } объектов в корзине
 }

# Хранилища
files-bucket = Хранилище
files-bucket-new = Новое хранилище
files-bucket-name-hint = От 3 до 63 строчных латинских букв, цифр, точек и дефисов
files-bucket-created = Хранилище { $name } создано.
files-bucket-deleted = Хранилище { $name } удалено.
files-bucket-not-empty = В хранилище ещё есть объекты, версии или незавершённые загрузки: сначала удалите их.
files-find-bucket = Поиск хранилищ
files-none = Хранилищ пока нет
files-none-text = В хранилище лежат файлы любого размера. Участники записывают, наблюдатели читают, если не заданы свои правила.
files-bars = Байты по хранилищам
files-bars-kinds = Байты: текущие, прежние версии, корзина
files-trash-note = { $n ->
    [0] Удалённое исчезает сразу, если у хранилища нет корзины.
    [one] Удалённое и перезаписанное можно вернуть в течение { $n } дня.
    [few] Удалённое и перезаписанное можно вернуть в течение { $n } дней.
   *[many] Удалённое и перезаписанное можно вернуть в течение { $n } дней.
 }
files-objects = Объекты
files-object = Объект
files-size = Размер
files-versions = Версии
files-has-versions = версии
files-is-public = общедоступно
files-is-locked = блокировка объектов

# Папка
files-settings = Настройки
files-path = Путь
files-above = На уровень выше
files-folder = Папка
files-folder-new = Новая папка
files-folder-name = Имя папки
files-folder-made = Папка создана.
files-folder-no-name = Папке нужно имя.
files-empty = Здесь пока пусто
files-empty-text = Перетащите сюда файлы или папки либо создайте папку.
files-drop = Перетащите файлы или папки либо выберите файлы
files-drop-note = После паузы, обрыва связи или обновления страницы загрузка продолжается с того же места.
files-choose = Выбрать файлы
files-choose-folder = Загрузить папку
files-upload = Загрузить
files-uploaded = { $n ->
    [one] Загружен { $n } файл.
    [few] Загружено { $n } файла.
   *[many] Загружено { $n } файлов.
 }
files-upload-failed = Файл { $name } не загружен: { $reason }
files-waiting = ожидание
files-pause = Пауза
files-resume = Продолжить
files-too-large = больше, чем принимает это хранилище
files-network = нет связи: выберите файл снова, чтобы продолжить
files-open-uploads = В этом браузере есть незавершённые загрузки: выберите те же файлы снова, и они продолжатся с того же места.
files-find-object = Поиск по имени
files-type = Тип
files-written = Записан
files-by = Кем
files-choose-items = Выбор
files-choose-item = Выбрать { $name }
files-nothing-chosen = Ничего не выбрано.
files-delete-chosen = Удалить
files-move-chosen = Переместить
files-move-to = Куда: папка/ или хранилище:папка/
files-change-note = Не более 1000 объектов за раз; папка считается со всем содержимым.
files-deleted = { $n ->
    [one] Удалён { $n } объект.
    [few] Удалено { $n } объекта.
   *[many] Удалено { $n } объектов.
 }
files-moved = { $n ->
    [one] Перемещён { $n } объект.
    [few] Перемещено { $n } объекта.
   *[many] Перемещено { $n } объектов.
 }
files-changed-more = { $n ->
    [one] Изменён { $n } объект, но есть ещё: повторите.
    [few] Изменено { $n } объекта, но есть ещё: повторите.
   *[many] Изменено { $n } объектов, но есть ещё: повторите.
 }
files-change-failed = Сделано не всё (объектов: { $n }): { $reason }
files-scan-pending = проверяется
files-quarantined = карантин

# Объект
files-preview = Просмотр
files-preview-cut = Это начало; целиком файл можно скачать.
files-preview-none = Для файлов этого типа просмотра нет.
files-download = Скачать
files-download-anyway = Всё равно скачать
files-delete-ask = Удалить { $name }? Его можно вернуть из корзины, если она у хранилища есть.
files-object-deleted = Объект удалён.
files-object-locked = Объект заблокирован: { $reason }
files-quarantined-text = Антивирус нашёл что-то в этом файле. Читать его больше нельзя.
files-marker = удалён
files-latest = последняя
files-restore-version = Сделать текущей
files-version-restored = Эта версия снова текущая.
files-describe = Тип, метки и метаданные
files-described = Сохранено.
files-tags = Метки
files-metadata = Метаданные
files-pairs-hint = По одной в строке: имя=значение
files-not-a-pair = { $line } — не имя=значение.
files-share = Поделиться
files-share-note = Кто знает ссылку, читает этот файл без учётной записи.
files-share-make = Создать ссылку
files-share-failed = Ссылка не создана: { $reason }
files-expires = Истекает
files-utc = По UTC; пусто — никогда
files-most = Скачиваний не более
files-password = Пароль
files-password-hint = Не менее 8 знаков; пусто — без пароля
files-not-a-time = Нужны дата и время или пустое поле.
files-lock = Блокировка
files-lock-note = Заблокированную версию нельзя удалить или перезаписать до срока. Governance: администраторы могут снять. Compliance: не может никто, даже удалив организацию.
files-lock-mode = Режим
files-lock-governance = Governance
files-lock-compliance = Compliance
files-lock-until = До
files-lock-needs-time = Блокировке нужно время окончания.
files-lock-changed = Блокировка изменена.
files-legal-hold = Удержание (legal hold)
files-sniffed = Похоже на
files-scan = Проверка на вирусы
files-scan-none = не проверялся
files-scan-clean = чисто
files-scan-infected = найдена угроза
files-scan-unscanned = проверить не удалось

# Настройки хранилища
files-public = Общедоступное
files-public-hint = Объект читает любой, кто знает его адрес. Список без прав не видит никто.
files-versioning = Версии
files-versioning-hint = Перезаписанное и удалённое остаётся версией. Отключить нельзя, только приостановить.
files-versioning-off = Нет
files-versioning-on = Да
files-versioning-suspended = Приостановлены
files-object-lock = Блокировка объектов
files-object-lock-hint = Версии можно блокировать. Нужны версии, и отключить это нельзя.
files-default-lock = Блокировка новых версий
files-lock-days = Дней
files-trash-days = Дней в корзине
files-max-object = Наибольший объект, байт
files-bucket-quota = Квота, байт
files-allowed-types = Принимаемые типы
files-allowed-types-hint = По содержимому, а не по словам клиента; пусто — любые
files-cache-control = Cache-Control объектов, у которых его нет
files-purge-url = Адрес, которому сообщают об изменениях
files-purge-url-hint = Чтобы очистить кэш перед хранилищем. Получает подписанный POST с изменившимися адресами.
files-image-options = Картинки для тех, кто не вошёл
files-image-options-hint = Какие размеры и форматы можно запросить
files-image-options-presets = Названные ниже
files-image-options-signed = Названные ниже и подписанные
files-image-options-any = Любые
files-image-options-off = Никакие
files-image-presets = Именованные параметры картинок (JSON)
files-scan-mode-default = Как настроено в установке
files-scan-mode-off = Нет
files-scan-mode-after = Да; читать можно до проверки
files-scan-mode-before = Да; до проверки читать нельзя
files-lifecycle = Правила жизненного цикла (JSON)
files-lifecycle-hint = Что удаляется или перемещается по возрасту. Выполняются каждую ночь.
files-cors-hint = Какие страницы других сайтов могут пользоваться хранилищем (JSON)
files-settings-saved = Настройки сохранены.
files-settings-changed = Тем временем настройки изменил кто-то другой. Посмотрите на них и сохраните снова.
files-rules = Правила доступа
files-rules-text = Без правил наблюдатели видят список и читают, участники записывают и удаляют. Если есть хоть одно правило, действуют только правила. Администраторам можно всегда всё.
files-rules-lines = Правила
files-rules-hint = По одному в строке: кто, что, префикс. Кто: anyone, role:viewer, role:member, scope:ИМЯ, key:ID, user:ID. Что: list, read, write, delete.
files-rules-saved = Правила сохранены.
files-report = Картинки поменьше
files-report-text = Насколько меньше были бы картинки этого хранилища в WebP. Ничего не меняется.
files-report-make = Узнать
files-report-started = Картинки просматриваются.
files-report-runs = выполняется
files-report-found = { $n ->
    [one] { $n } картинка: она была бы меньше на { $percent } %.
    [few] { $n } картинки: они были бы меньше на { $percent } %.
   *[many] { $n } картинок: они были бы меньше на { $percent } %.
 }
files-bucket-delete = Удалить хранилище
files-bucket-delete-text = { $n ->
    [0] Объектов в хранилище нет. Что лежит в его корзине, остаётся на заданный срок.
    [one] В хранилище { $n } объект: удалить можно только пустое.
    [few] В хранилище { $n } объекта: удалить можно только пустое.
   *[many] В хранилище { $n } объектов: удалить можно только пустое.
 }
files-bucket-delete-ask = Удалить хранилище { $name }?

# Ключи доступа
files-keys-lead = Для программ, которые говорят на S3: резервные копии, rclone, SDK
files-keys-none = Ключей доступа пока нет
files-keys-none-text = Ключ принадлежит организации; его можно ограничить хранилищами, префиксом и действиями.
files-key-new = Новый ключ доступа
files-key-name-hint = Для чего он, например ночные копии
files-key-made = Ключ доступа создан
files-key-once = Секрет показан только сейчас: сохраните его там, где программа его прочтёт.
files-key-id = Access key ID
files-key-secret = Secret access key
files-key-revoke = Отозвать
files-key-revoke-ask = Отозвать { $name }? Программы с этим ключом перестанут работать в течение десяти секунд.
files-key-revoked = Ключ доступа отозван.
files-key-is-revoked = отозван
files-key-gone = Этого ключа доступа уже нет.
files-verbs = Может
files-verb-list = видеть список
files-verb-read = читать
files-verb-write = записывать
files-verb-delete = удалять
files-verb-admin = управлять: создавать и менять хранилища, снимать блокировки governance
files-only-buckets = Только эти хранилища
files-all-buckets = все
files-prefix = Префикс
files-prefix-hint = Только ключи с таким началом; пусто — все
files-last-used = Использован
files-never = никогда
files-clients = Как настроить программы
files-endpoint = Адрес для программ, которые принимают путь
files-endpoint-root = Адрес в корне порта: для restic, s3cmd и других
files-endpoint-none = в этой установке не открыт (files.s3_listen)
files-region = Регион

# Ссылки
files-links-lead = Что могут читать люди без учётной записи
files-links-none = Ссылок пока нет
files-links-none-text = Откройте файл и поделитесь им; у ссылки может быть срок и пароль, и её можно отозвать.
files-link-made = Ссылка создана
files-link-once = Её адрес показан только сейчас.
files-link-http = К этой установке обращаются без шифрования: кто слушает по пути, видит и файл, и пароль.
files-link-revoke = Отозвать
files-link-revoke-ask = Отозвать ссылку? С этого момента она никуда не ведёт.
files-link-revoked = Ссылка отозвана.
files-has-password = пароль
files-used = Скачивания

# Корзина
files-trash-lead = Удалённое и перезаписанное, пока не выйдет срок. Входит в квоту.
files-trash-none = Корзина пуста
files-trash-none-text = Здесь ждёт то, что удалено из хранилища с корзиной.
files-trash-empty = Очистить корзину
files-trash-empty-ask = Удалить навсегда всё из корзины { $name }?
files-deleted-at = Удалён
files-purged-at = Исчезнет
files-restore = Вернуть
files-restored = { $n ->
    [one] Возвращён { $n } объект.
    [few] Возвращено { $n } объекта.
   *[many] Возвращено { $n } объектов.
 }
files-purge = Удалить навсегда
files-purged = { $n ->
    [one] Удалён навсегда { $n } объект.
    [few] Удалено навсегда { $n } объекта.
   *[many] Удалено навсегда { $n } объектов.
 }

# Объём
files-usage-lead = Что хранится, с версиями и корзиной
files-usage-none = Пока ничего не хранится
files-usage-none-text = Здесь показаны самые большие хранилища.
files-stored = Хранится
files-quota = Квота
files-no-quota = без ограничения
files-by-bucket = По хранилищам
files-share-of-all = Доля
files-quarantine = Карантин
files-quarantine-text = Файлы, в которых антивирус что-то нашёл. Читать их нельзя никому; администраторы могут скачать их с их страниц.
files-found = Найдено
files-upkeep = Хранилище этой установки
files-upkeep-text = Каждую неделю всё хранимое читается и сравнивается с записанным.
files-damage-kind = Повреждение
files-damage-missing = нет на месте
files-damage-size = другой размер
files-damage-content = другое содержимое
files-damage-note = Что сделано
files-found-at = Найдено
files-damaged = Повреждено
files-repaired = Исправлено
files-scrubs-none = Проверок ещё не было.
files-scrub-started = Начата
files-scrub-ended = Закончена
files-scrub-runs = идёт
