mail-title = Почта
mail-lead = Что отправлено, что ждёт отправки и что ответили почтовые серверы
mail-tabs = Разделы почты
mail-tab-messages = Письма
mail-tab-templates = Шаблоны
mail-tab-branding = Оформление
mail-tab-suppressions = Стоп-лист
mail-tab-domains = Домены
mail-tab-sources = Возвраты
mail-whose = Принадлежит
mail-whose-organisation = Почта организации
mail-whose-installation = Почта всей установки
mail-for-installation = Для почты всей установки
mail-not-configured = SMTP-сервер не настроен: почта ждёт здесь. Она будет отправлена, как только в конфигурации заданы mail.smtp_host и mail.from.
mail-not-configured-admin = Почта в этой установке ещё не настроена: письма ждут здесь и будут отправлены позже. Попросите оператора настроить SMTP-сервер.
mail-failing = Почтовый сервер не принимает письма с
mail-test = Отправить себе тестовое письмо
mail-test-to = Тестовое письмо на { $address } поставлено в очередь.
mail-test-suppressed = На { $address } ничего не отправляется: адрес в стоп-листе.

# Письма
mail-search = Поиск по адресу, теме, ошибке или Message-ID
mail-any-state = Любое состояние
mail-any-bounced = вернулось или отмечено как спам
mail-more-filters = Получатель и время
mail-recipient-whole = Адрес получателя целиком
mail-since = С (UTC)
mail-until = До (UTC)
mail-export = Выгрузить в CSV
mail-many-retry = Отправить все эти письма ещё раз
mail-many-retry-ask = { $n ->
    [0] Таких писем больше нет.
    [one] В очередь снова будет поставлено { $n } письмо с прежним Message-ID.
    [few] В очередь снова будут поставлены { $n } письма с прежними Message-ID.
   *[other] В очередь снова будут поставлены { $n } писем с прежними Message-ID.
} Письма, текст которых удалён вместе со ссылкой или которые потеряли смысл, пропускаются.
mail-many-cancel = Отменить все эти письма
mail-many-cancel-ask = { $n ->
    [0] Таких писем больше нет.
    [one] { $n } письмо не будет отправлено.
    [few] { $n } письма не будут отправлены.
   *[other] { $n } писем не будут отправлены.
} Позже их можно снова поставить в очередь, кроме писем со ссылкой, открывающей доступ к учётной записи.
mail-many-at-once = Писем больше: за один раз меняется столько. Для остальных повторите действие.
mail-many-retried = Снова в очереди: { $n }. Пропущено, потому что текста больше нет или письмо потеряло смысл: { $skipped }.
mail-many-cancelled = Отменено: { $n }. Пропущено, потому что письмо уже отправляется: { $skipped }.
mail-many-more = Изменено: { $n }. Пропущено: { $skipped }. Возможно, это не все: повторите действие для остальных.
mail-any-kind = Любой вид
mail-none = Писем пока нет
mail-none-text = Здесь появляются письма, которые нужно отправить. Чтобы проверить отправку, отправьте тестовое письмо себе.
mail-recipient = Получатель
mail-kind = Вид
mail-attempts = Попытки
mail-waiting = Ждут отправки
mail-oldest = Дольше всего ждёт
mail-later = Отложено
mail-scheduled = Запланировано
mail-expires = Теряет смысл после
mail-next-attempt = Следующая попытка
mail-state-queued = в очереди
mail-state-sending = отправляется
mail-state-sent = отправлено
mail-state-failed = не отправлено
mail-state-suppressed = адрес в стоп-листе
mail-state-cancelled = отменено
mail-bounced-hard = возврат
mail-bounced-soft = временный возврат
mail-bounced-refused = отклонено по правилам получателя
mail-bounced-complaint = отмечено как спам
mail-kind-verify = Подтверждение адреса
mail-kind-welcome = Приветствие
mail-kind-invitation = Приглашение
mail-kind-password-reset = Сброс пароля
mail-kind-new-device = Вход с нового устройства
mail-kind-mfa-changed = Изменение второго фактора
mail-kind-alert = Оповещение
mail-kind-digest = Сводка
mail-kind-activity = Сделка или задача
mail-kind-backup-report = Отчёт о резервной копии
mail-kind-weekly-report = Недельный отчёт
mail-kind-incident = Инцидент
mail-kind-status-confirm = Подписка на страницу состояния
mail-kind-status-update = Новости страницы состояния
mail-kind-api = Отправлено через API
mail-kind-test = Тест

# Одно письмо
mail-error = Ошибка
mail-error-expired = письмо не удалось отправить вовремя, и оно потеряло смысл
mail-error-cut-off = процесс завершился во время попытки
mail-error-suppressed = адрес получателя был в стоп-листе
mail-error-last = { $error }; последняя попытка: { $answer }
mail-from = От
mail-from-configured = отправитель из конфигурации
mail-to = Кому
mail-reply-to = Адрес для ответа
mail-template = Шаблон
mail-language = Язык
mail-sent-at = Отправлено
mail-bounced-at = Вернулось
mail-maybe-sent = Письмо могло прийти дважды: соединение оборвалось после передачи текста, до ответа сервера.
mail-idempotency-key = Ключ идемпотентности
mail-retry = Отправить сейчас
mail-retry-ask = Письмо отправляется сразу, с тем же Message-ID.
mail-retried = Письмо поставлено в очередь
mail-cancel = Не отправлять
mail-cancel-ask = Письмо не отправляется. Позже его можно снова поставить в очередь.
mail-cancelled = Письмо отменено
mail-attempts-title = Попытки
mail-no-attempts = Попыток ещё не было
mail-attempt-began = Начало
mail-attempt-outcome = Результат
mail-attempt-answer = Ответ сервера
mail-attempt-took = Длительность
mail-attempt-open = идёт
mail-outcome-sent = принято
mail-outcome-deferred = повторить позже
mail-outcome-rejected = отклонено
mail-outcome-lost = прервано
mail-outcome-suppressed = адрес в стоп-листе
mail-outcome-unknown = нет ответа
mail-outcome-account = нет доступа к серверу
mail-content = Содержимое
mail-secret = В письме есть ссылка, которая открывает доступ к учётной записи. Его может читать только получатель, поэтому текст здесь не показан. После отправки, отказа или отмены он удаляется.
mail-view-html = Светлое
mail-view-dark = Тёмное
mail-view-phone = Телефон
mail-view-text = Текст
mail-views = Вид
mail-preview = Предпросмотр письма
mail-images = Загрузить внешние картинки
mail-images-hint = Внешние картинки не загружаются: их сервер узнал бы, что письмо открыли.
mail-attachments = Вложения
mail-download = Скачать { $name }
mail-headers = Дополнительные заголовки

# Шаблоны
mail-templates-lead = Тексты писем на языках получателей. Изменённый текст используется вместо встроенного.
mail-templates-changed = изменён
mail-templates-built-in = встроенный
mail-template-name = Шаблон
mail-template-edit = Текст
mail-template-subject = Тема
mail-template-text = Текстовая часть
mail-template-html = HTML-часть
mail-template-text-hint = Для тех, кто читает без HTML.
mail-template-html-hint = Теги и стили в атрибутах, которые понимают почтовые программы. Скрипты не выполняются никогда.
mail-template-fields = Поля
mail-template-field = Поле
mail-template-meaning = Значение
mail-template-example = Пример
mail-template-optional = может быть пустым
mail-template-fields-text = Когда письмо создаётся, запись вида { "{{ name }}" } заменяется значением поля.
mail-template-preview = Предпросмотр
mail-template-preview-hint = С данными для примера. Показывает текст из полей выше, даже если он ещё не сохранён.
mail-template-view-text = Тема и текст
mail-template-saved = Шаблон сохранён
mail-template-reset = Вернуть встроенный текст
mail-template-reset-ask = Удаляет ваш текст на этом языке. Снова используется встроенный.
mail-template-was-reset = Снова используется встроенный текст
mail-template-test = Отправить себе тестовое письмо
mail-template-test-hint = Сохранённый текст с данными для примера, на { $address }.

# Свои шаблоны
mail-own-templates = Свои шаблоны
mail-own-templates-text = Для писем, которые ваши программы отправляют через API: они называют шаблон и передают его поля.
mail-own-template-new = Новый шаблон
mail-own-template-name = Имя
mail-own-template-name-hint = По нему шаблон называют программы: строчные латинские буквы, цифры, точки, дефисы и подчёркивания.
mail-own-template-example = Пример
mail-own-template-example-hint = JSON: значение каждого поля. Других полей в шаблоне нет, и предпросмотр показывает эти значения.
mail-own-template-no-text = на этом языке текста нет
mail-own-template-delete = Удалить
mail-own-template-delete-ask = Программы, которые используют этот шаблон, с этого момента получают ошибку. Уже созданные по нему письма отправляются.
mail-own-template-deleted = Шаблон удалён
error-mail-own-template-exists = Шаблон с таким именем уже есть.

# Оформление
mail-branding-lead = Как выглядят письма этой организации
mail-branding-name = Название
mail-branding-name-hint = Показывается в начале каждого письма.
mail-branding-color = Цвет
mail-branding-color-hint = Кнопок и линий, например #0a756b.
mail-branding-logo = Адрес логотипа
mail-branding-logo-hint = https. Многие почтовые программы не загружают картинки: тогда видно название.
mail-branding-footer = Подпись внизу
mail-branding-footer-hint = Например, название и почтовый адрес компании.
mail-branding-from = Имя отправителя
mail-branding-from-hint = Почтовые программы показывают его вместо адреса.
mail-branding-reply-to = Адрес для ответа
mail-branding-reply-to-hint = Пусто: адрес отправителя.
mail-branding-saved = Оформление сохранено
mail-branding-preview = Предпросмотр

# Стоп-лист
mail-suppressions-lead = Адреса, на которые больше ничего не отправляется: они не существуют, их владельцы пожаловались или отписались, или их добавили вручную
mail-suppressions-search = Поиск по адресам
mail-suppressions-none = Стоп-лист пуст
mail-suppressions-none-text = Адрес попадает сюда, когда его сервер отвечает, что такого адреса нет, и когда владелец жалуется или отписывается. Адрес можно добавить и вручную.
mail-suppressions-new = Добавить адрес
mail-suppressions-address = Адрес электронной почты
mail-suppressions-kind = Какие письма
mail-suppressions-all = все письма
mail-suppressions-reason = Причина
mail-suppressions-any-reason = Любая причина
mail-suppressions-detail = Пояснение
mail-suppressions-detail-hint = Например, кто об этом попросил.
mail-suppressions-added = Адрес добавлен
mail-suppressions-remove = Убрать
mail-suppressions-remove-ask = На { $address } снова будут отправляться письма. Если адреса нет, отказы его сервера вредят репутации отправителя.
mail-suppressions-removed = Адрес убран
mail-import = Загрузить адреса
mail-import-text = Файл CSV, по одному адресу в строке. Подходят выгрузки SendGrid, Mailgun, Amazon SES, Postmark и этой страницы; достаточно и простого списка адресов. Адреса, которые уже в стоп-листе, не меняются.
mail-import-reason = Причина, если её нет в файле
mail-import-file = Файл CSV
mail-import-done = Добавлено: { $added }. Уже были в стоп-листе: { $known }. Пропущено строк: { $rejected }.
mail-import-more = Показаны первые сто.
mail-reason-hard-bounce = адрес не существует
mail-reason-complaint = жалоба
mail-reason-unsubscribed = отписка
mail-reason-manual = вручную

# Домены
mail-domains-lead = Домены, с которых отправляется почта. По их записям DNS получатели узнают, что она действительно ваша.
mail-domains-none = Доменов пока нет
mail-domains-none-text = Добавьте домен адреса отправителя. Вы получите записи DNS, которые нужно опубликовать, и их проверку.
mail-domains-new = Добавить домен
mail-domains-domain = Домен
mail-domains-domain-hint = То, что стоит после @ в адресе отправителя, например example.com.
mail-domains-added = Домен добавлен. Опубликуйте записи у своего DNS-провайдера и затем проверьте их.
mail-domains-checked = Последняя проверка
mail-domains-never = ещё не было
mail-domains-verified = подтверждён
mail-domains-not-verified = не подтверждён
mail-domains-not-verified-text = Почта отправляется с этого домена, когда проверка найдёт запись DKIM с ключом RSA.
mail-domains-failing = запись пропала
mail-domains-failing-text = Если запись DKIM с ключом RSA не вернётся за три дня, почта с этого домена больше не отправляется. Записи нет с
mail-domains-check = Проверить записи
mail-domains-was-checked = Записи проверены
mail-domains-delete = Удалить
mail-domains-delete-ask = Удаляет домен и его ключи. Письма с него больше не подписываются, а добавленный снова домен получит другие ключи.
mail-domains-deleted = Домен удалён
mail-domains-records = Записи DNS
mail-domains-records-text = Опубликуйте их у своего DNS-провайдера. Иногда проходит около часа, пока они видны везде.
mail-domains-record = Запись
mail-domains-do = Что сделать
mail-domains-do-again = DNS-сервер не ответил. Проверьте ещё раз через несколько минут.
mail-domains-spf-text = Запись SPF домена { $domain } называет серверы вашего почтового провайдера; он подскажет, что в ней указать: например, v=spf1 include:spf.example.net ~all. У домена только одна такая запись.
mail-domains-type = Тип
mail-domains-host = Имя
mail-domains-value = Значение
mail-domains-found = Найдено
mail-domains-nothing = ничего
mail-domains-state-pass = опубликована
mail-domains-state-warn = можно улучшить
mail-domains-state-fail = нет или неверна
mail-domains-state-unknown = нет ответа
mail-domains-what-spf = SPF: какие серверы могут отправлять от имени домена
mail-domains-what-dkim-rsa = DKIM: ключ RSA, которым подписано каждое письмо
mail-domains-what-dkim-ed25519 = DKIM: ключ Ed25519, которым подписано каждое письмо
mail-domains-what-dmarc = DMARC: что делать с письмами, которые не прошли ни одну проверку
mail-domains-what-reverse = Обратное имя адреса отправляющего сервера
mail-domains-do-spf = Получатели не видят, что ваш почтовый сервер может отправлять от имени домена. Добавьте его в запись SPF; у домена она только одна.
mail-domains-do-dkim-rsa = Подписи нельзя проверить. Опубликуйте запись без изменений; других записей с этим именем быть не должно. Если провайдер делит длинное значение на части, в ответе DNS они снова соединяются.
mail-domains-do-dkim-ed25519 = Когда запись появится, письма будут подписаны и этим ключом. Для доставки достаточно ключа RSA: некоторые DNS-провайдеры такую запись не принимают.
mail-domains-do-dmarc = Крупные провайдеры требуют эту запись от всех, кто отправляет много писем. Начните с p=none и читайте отчёты.
mail-domains-do-reverse = Это имя задаёт провайдер сервера, а не DNS-провайдер. Оно должно совпадать с mail.hostname и вести обратно на тот же адрес.

# Возвраты
mail-sources-lead = Провайдеры, которые сообщают сюда, какие письма вернулись, отмечены как спам или чьи получатели отписались
mail-mailbox = Почтовый ящик для возвратов
mail-mailbox-read = читается
mail-mailbox-failing = не читается
mail-mailbox-never = ещё не читался
mail-mailbox-server = Сервер и пользователь
mail-mailbox-read-at = Прочитан
mail-mailbox-failing-since = Ошибка с
mail-sources-none = Сообщений о возвратах пока нет
mail-sources-none-text = Добавьте своего почтового провайдера и укажите у него адрес, который будет показан. Тогда возвраты видны здесь, и на несуществующие адреса больше ничего не отправляется.
mail-sources-new = Добавить провайдера
mail-sources-provider = Провайдер
mail-sources-secret = Секрет подписи
mail-sources-secret-hint = SendGrid: ключ проверки. Mailgun: ключ подписи HTTP-вебхуков. Resend: whsec_… Amazon SES: ARN темы. Postmark: user:password, можно оставить пустым.
mail-sources-made = Провайдер добавлен
mail-sources-once = Укажите этот адрес в настройках вебхуков у провайдера. Он показывается только один раз: скопируйте его сейчас.
mail-sources-last = Последнее сообщение
mail-sources-never = не было
mail-sources-refused = не принимаются
mail-sources-refused-since = с
mail-sources-delete = Убрать
mail-sources-delete-ask = Сообщения на этот адрес больше не принимаются.
mail-sources-deleted = Провайдер убран

# Обзор
mail-overview-waiting = Ждут отправки
mail-overview-failing = не отправляются
mail-overview-not-configured = Есть письма, которые ждут отправки: SMTP-сервер не настроен.
mail-overview-set-up = Показать

error-mail-state = Так изменить письмо уже нельзя: оно отправляется, отправлено, отменено, потеряло смысл или содержало ссылку, открывающую доступ к учётной записи. Состояние указано на его странице.
error-mail-domain-exists = Этот домен уже есть. Если нужны новые ключи, сначала удалите его.
error-mail-domain-taken = Другая организация этой установки уже подтвердила, что управляет этим доменом.
error-invalid-secret = У провайдера это выглядит иначе. SendGrid: ключ, который начинается с MFkw. Resend: whsec_… Amazon SES: arn:aws:sns:… Postmark: user:password.

# Что говорят проверки
mail-said-line = Строка { $line }: { $what }
mail-said-control = здесь нельзя использовать перевод строки и другие управляющие символы
mail-said-invisible = есть невидимый символ: наберите адрес вручную, а не вставляйте
mail-said-form = нужен один адрес, например ada@example.com
mail-said-local = часть перед @ пуста, слишком длинна или содержит недопустимый символ
mail-said-domain = часть после @ — не имя домена
mail-said-ascii = до @ в адресе могут быть только символы ASCII: письма с другими многие серверы не принимают
mail-said-color = нужен цвет, например #0a756b
mail-said-logo = адрес должен начинаться с https://: других картинок почтовые программы не загружают
mail-said-no-addresses = В файле нет столбца с адресами. Назовите его address в первой строке.
mail-said-utf8 = кодировка не UTF-8: сохраните файл в этой кодировке
mail-said-most-characters = не больше { $n } символов
mail-said-most-bytes = не больше { $n } байт
mail-said-most-lines = В файле может быть не больше { $n } строк: загрузите его по частям.
mail-said-most-address = в адресе может быть не больше { $n } символов
mail-said-most-name = в имени может быть не больше { $n } символов
mail-said-many-domains = не больше 20 доменов
mail-said-many-sources = не больше 20 провайдеров
mail-said-dns-another = есть ещё одна запись с этим именем, и получатели могут взять её: удалите лишнюю
mail-said-dns-missing = записи нет
mail-said-dns-other-key = в записи другой ключ
mail-said-dns-no-spf = записи нет: укажите в ней серверы своего почтового провайдера
mail-said-dns-plus-all = запись разрешает отправку любому серверу (+all)
mail-said-dns-no-all = запись не заканчивается на ~all или -all и поэтому ничего не говорит о других серверах
mail-said-dns-several-spf = записей SPF несколько, поэтому не действует ни одна (RFC 7208, раздел 4.5)
mail-said-dns-no-dmarc = записи нет: крупные провайдеры требуют её от тех, кто отправляет много писем
mail-said-dns-only-watches = запись только наблюдает (p=none)
mail-said-dns-no-policy = в записи нет политики (p=)
mail-said-dns-several-dmarc = записей DMARC несколько, поэтому не действует ни одна
mail-said-dns-testing = в ней указано, что домен только пробует DKIM (t=y): получатели считают его письма неподписанными
mail-said-dns-v-first = v= стоит не в начале: некоторые получатели её не принимают
mail-said-dns-no-key = в ней нет ключа (p=, строчной буквой)
mail-said-dns-withdrawn = ключ отозван (p= пусто)
mail-said-dns-sha256 = она не разрешает sha256, которым подписываются письма (h=)
mail-said-dns-not-mail = она не для почты (s=)
mail-said-dns-kind = указан другой вид ключа (k=)
mail-said-dns-version = получатели знают только версию v=DKIM1
mail-said-dns-escaped = форма DNS-провайдера экранировала точки с запятой: введите их так, чтобы перед ними не было обратной черты
mail-said-dns-unreadable = получатели не могут её прочитать
mail-said-dns-network = она разрешает все серверы мира (сеть длины 0)
mail-said-dns-behind-all = то, что стоит после all, не учитывается: перенесите его вперёд
mail-said-dns-nobody = она никому не разрешает отправлять: укажите в ней серверы своего почтового провайдера
mail-said-dns-lookups = получателям пришлось бы запросить больше 10 имён, а они останавливаются на десяти
mail-said-dns-many-lookups = получателям приходится запрашивать почти 10 имён, не считая имён включённых записей: на десяти они останавливаются
mail-said-dns-dmarc-value = получатели не могут прочитать её значение: политика — none, quarantine или reject (p=, sp=)
mail-said-dns-pct = её политика не действует ни на одно письмо (pct=0)
mail-said-dns-dmarc-testing = в ней указано, что политика только пробуется (t=y)
mail-said-dns-parent-watches = действует политика родительского домена, которая только наблюдает
mail-said-dns-parent = действует политика родительского домена
mail-said-dns-no-address = у имени нет адреса
mail-said-dns-other-name = у одного из адресов другое имя: это неважно, если письма отправляет сервер провайдера

scope-mail-send = Отправлять почту

# Отписка
mail-unsubscribe-title = Отписка
mail-unsubscribe-lead = Письма на { $address }
mail-unsubscribe-button = Отписаться: { $kind }
mail-unsubscribe-choose = Присылать мне
mail-unsubscribe-other = Письма о вашей учётной записи, например о сбросе пароля, отправляются в любом случае.
mail-unsubscribe-blocked = Сейчас на этот адрес не отправляется ничего: его сервер отказал в приёме или его владелец пожаловался. Изменить это может администратор.
mail-unsubscribe-done = Вы отписаны
mail-unsubscribe-saved = Сохранено
mail-unsubscribe-invalid = Ссылка не работает
mail-unsubscribe-invalid-text = Откройте ссылку из письма ещё раз. Если она разбита на строки, скопируйте её целиком.
