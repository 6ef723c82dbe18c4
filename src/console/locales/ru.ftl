# Оболочка
console-skip = Перейти к содержимому
console-navigation = Навигация
console-switch-org = Сменить организацию
console-theme = Оформление
console-theme-system = Как в системе
console-theme-light = Светлое
console-theme-dark = Тёмное
console-language = Язык
console-account = Учётная запись
console-change-password = Сменить пароль
console-api-docs = Справочник API
console-sign-out = Выйти
console-insecure = Соединение не зашифровано: пароли и документы можно перехватить. Поставьте перед сервером TLS и укажите https в server.public_url.
console-role-viewer = Наблюдатель
console-role-member = Участник
console-role-admin = Администратор
console-role-owner = Владелец

# Навигация
console-nav-build = Создание
console-nav-operate = Эксплуатация
console-nav-settings = Настройки
console-nav-overview = Обзор

# Общие слова
console-save = Сохранить
console-cancel = Отмена
console-close = Закрыть
console-create = Создать
console-edit = Изменить
console-delete = Удалить
console-rename = Переименовать
console-search = Найти
console-copy = Копировать
console-copied = Скопировано
console-name = Название
console-status = Состояние
console-created = Создано
console-updated = Изменено
console-actions = Действия
console-all = Все
console-none = Нет
console-yes = Да
console-no = Нет
console-optional = необязательно
console-pages = Страницы
console-first-page = В начало
console-next-page = Дальше
console-nothing-found = Ничего не найдено
console-nothing-found-text = По этому запросу ничего нет. Попробуйте меньше слов или другие слова.
console-clear-search = Сбросить поиск
console-try-again = Повторить
console-refresh = Обновить
console-live-away = Сервер не отвечает. Страница снова начнёт обновляться, когда он ответит.
console-live-signed-out = Сеанс завершён. Страница больше не обновляется.
console-live-outdated = Страница больше не обновляется: она открыта для другого сеанса, организации или версии.
console-to-overview = К обзору
console-conflict-theirs = Взять чужое
console-conflict-mine = Оставить своё
console-chart-table = Показать таблицей
console-chart-time = Время
console-request-id = Запрос

# Ошибки
console-error-not-found = Страница не найдена
console-error-not-found-detail = По этому адресу ничего нет, или это принадлежит другой организации.
console-error-forbidden = Недостаточно прав
console-error-forbidden-detail = Ваша роль в этой организации этого не позволяет. Её может изменить администратор.
console-error-refused = Не получилось
console-error-refused-detail = Запрос некорректен. Вернитесь назад и попробуйте ещё раз.
console-error-unavailable = Временно недоступно
console-error-unavailable-detail = Holdfast не может связаться с базой данных или запускается. Обычно это занимает несколько секунд.
console-error-internal = Произошла ошибка
console-error-internal-detail = Ошибка записана в журнал. Если она повторяется, сообщите оператору номер ниже.
error-csrf = Форма устарела. Откройте страницу заново и повторите действие.
error-invalid-form = Форму не удалось прочитать. Проверьте значения и отправьте её ещё раз.
error-payload-too-large = Размер больше, чем принимает этот сервер.

# Обзор
console-overview = Обзор
console-milliseconds = { $n } мс
console-seconds = { $n } с
console-minutes = { $n } мин
console-hours = { $n } ч
console-days = { $n } д
console-overview-in-progress = { $n } в работе
console-overview-failed = { $n } с ошибкой
console-overview-no-answer = не удалось прочитать
console-steps = Первые шаги
console-steps-done = Сделано { $done } из { $all }
console-step-done = сделано

# Справочник API
console-docs-lead = Каждый вызов принимает ключ API как bearer-токен. Ошибки приходят в problem+json с постоянным кодом.
console-docs-contents = Операции
console-docs-filter = Отбор операций
console-docs-parameters = Параметры
console-docs-request = Тело запроса
console-docs-responses = Ответы
console-docs-required = обязательно
