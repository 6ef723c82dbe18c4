# Слова этого раздела
auth-email = Эл. почта
auth-name = Ваше имя
auth-password = Пароль
auth-password-new = Новый пароль
auth-password-current = Текущий пароль
auth-password-hint = Не меньше 10 символов. Подойдут несколько слов.
auth-role = Роль
auth-never = Никогда
auth-ends = Истекает
auth-saved = Сохранено

# Вход
auth-login = Войти
auth-login-wrong = Неверная почта или пароль.
auth-login-too-many = Слишком много попыток. Подождите минуту и попробуйте снова.
auth-login-busy = Сейчас слишком много входов одновременно. Попробуйте через несколько секунд.
auth-login-no-organisation = Эта учётная запись не состоит ни в одной организации. Попросите администратора добавить вас.
auth-login-forgotten = Забыли пароль? Обратитесь к администратору вашей организации: он может создать ссылку для установки нового. Она придёт по почте, если почта настроена, или её передаст администратор.

# Пароль
auth-password-change = Сменить пароль
auth-password-change-text = Остальные сеансы будут завершены.
auth-password-forced = Вы вошли с одноразовым паролем. Придумайте свой, чтобы продолжить.
auth-password-changed = Пароль изменён. Остальные сеансы завершены.

# Одноразовые ссылки
auth-accept-join = Присоединиться
auth-accept-join-org = Присоединиться к «{ $organisation }»
auth-accept-join-text = Это приглашение для { $email }.
auth-accept-sign-in = У вас уже есть учётная запись. Войдите в неё, чтобы присоединиться.
auth-accept-other = Вы вошли как { $email }. Выйдите и откройте ссылку под учётной записью, для которой она создана.
auth-accept-reset = Задать новый пароль
auth-accept-reset-text = Для { $email }. Все сеансы этой учётной записи будут завершены.
auth-accept-invalid = Эта ссылка больше не работает
auth-accept-invalid-text = Она уже использована, истекла или отозвана. Попросите отправителя прислать новую.
auth-accept-done = Добро пожаловать

# Учётная запись
auth-account-notices = Уведомления по почте
auth-account = Учётная запись
auth-sessions = Активные сеансы
auth-sessions-text = Завершите незнакомые сеансы и смените пароль.
auth-sessions-end-others = Завершить остальные сеансы
auth-sessions-end-others-ask = Все сеансы, кроме этого, завершатся сразу.
auth-sessions-ended = Остальные сеансы завершены
auth-session-ended = Сеанс завершён
auth-session-end = Завершить
auth-session-current = Этот сеанс
auth-session-seen = последняя активность
auth-session-unknown = Неизвестный браузер

# Участники
auth-members = Участники
auth-members-text = Участники этой организации и их роли.
auth-member = Участник
auth-member-since = Дата вступления
auth-last-sign-in = Последний вход
auth-members-search = Поиск по почте или имени
auth-members-add = Добавить участника
auth-members-make-link = Создать ссылку
auth-members-link-made = Ссылка для { $email }
auth-members-reset-made = Ссылка для смены пароля { $email }
auth-members-link-once = Скопируйте её сейчас: показать её снова нельзя. Она сработает один раз и действует 72 часа. Отправьте её по надёжному каналу.
auth-members-link-mailed = Письмо с ней на этот адрес тоже поставлено в очередь.
auth-members-open-links = Неиспользованные ссылки
auth-members-link-delete = Отозвать
auth-members-link-deleted = Ссылка отозвана
auth-members-role-changed = Роль { $email } изменена
auth-members-remove = Удалить
auth-members-remove-ask = { $email } сразу потеряет доступ к этой организации, а созданные этим участником ссылки перестанут действовать. Ключи API останутся: ими могут пользоваться приложения.
auth-members-revoke-keys = Также отозвать ключи API, созданные этим участником
auth-members-removed = Участник удалён
auth-members-leave = Покинуть
auth-members-leave-ask = Вы сразу потеряете доступ к этой организации.
auth-members-reset = Ссылка для смены пароля
auth-members-reset-refused = Сбросить пароль этого человека может только оператор: он состоит и в других организациях или его роль не ниже вашей.

# Ключи API
auth-keys = Ключи API
auth-keys-text = Для приложений: любой клиент OpenAI по адресу /v1, всё остальное по адресу /api/v1.
auth-keys-new = Новый ключ API
auth-keys-name-hint = Для чего нужен ключ.
auth-keys-last-day = Последний день
auth-keys-last-day-hint = Пусто: действует до отзыва.
auth-keys-scopes = Разрешения
auth-keys-made = Ключ API «{ $name }»
auth-keys-once = Скопируйте его сейчас: показать его снова нельзя.
auth-keys-search = Поиск по названию или началу ключа
auth-keys-none = Ключей API пока нет
auth-keys-none-text = Создайте ключ выше, чтобы подключить первое приложение.
auth-keys-last-used = Последнее использование
auth-keys-state-active = Действует
auth-keys-state-ended = Истёк
auth-keys-state-revoked = Отозван
auth-keys-revoke = Отозвать
auth-keys-revoke-ask = Приложения с ключом «{ $name }» сразу перестанут работать. Отменить это нельзя.
auth-keys-revoked = Ключ API отозван

# Организация
auth-organisation = Организация
auth-organisation-text = Ей принадлежат агенты, знания, участники и ключи.
auth-organisation-slug = Короткое имя
auth-organisation-id = ID

# Ошибки
error-wrong-password = Текущий пароль неверен.
error-password-too-short = Не меньше 10 символов.
error-password-too-long = Не больше 512 байт.
error-password-is-email = Пароль не должен совпадать с адресом почты.
error-password-common = Это один из самых распространённых паролей. Выберите другой.
error-password-unchanged = Новый пароль должен отличаться от текущего.
error-last-owner = У организации должен остаться хотя бы один владелец. Сначала назначьте другого.
error-already-member = Этот человек уже состоит в организации.
error-slug-taken = Это короткое имя занято.
error-email-taken = Учётная запись с этой почтой уже есть.

# Scopes of API keys
scope-admin = Участники, ключи API, настройки

# Navigation and overview
auth-nav-api-keys = Ключи API
auth-nav-members = Участники
auth-nav-organisation = Организация
auth-overview-keys = Ключи API
auth-step-api = Подключите своё приложение
auth-step-api-text = Создайте ключ API и направьте сюда любой клиент OpenAI.
