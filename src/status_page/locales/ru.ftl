scope-status-page-read = Просмотр страниц статуса
scope-status-page-write = Изменение страниц статуса

# The public page
status-page-all-operational = Все системы работают
status-page-all-maintenance = Идёт техническое обслуживание
status-page-all-degraded = Сервис работает с ухудшением
status-page-all-minor = Небольшой сбой
status-page-all-major = Частичный сбой
status-page-all-critical = Крупный сбой
status-page-operational = Работает
status-page-maintenance = Обслуживание
status-page-degraded = Ухудшение
status-page-partial = Частичный сбой
status-page-major = Сбой
status-page-restore-proven = Восстановление из копии проверено { $date }
status-page-investigating = Выясняем причину
status-page-identified = Причина найдена
status-page-monitoring = Наблюдаем
status-page-resolved = Устранено
status-page-postmortem = Разбор
status-page-scheduled = Запланировано
status-page-in-progress = Идёт
status-page-verifying = Проверяем
status-page-completed = Завершено
status-page-links = Разделы страницы
status-page-now = Текущее состояние
status-page-history = История
status-page-calendar = Календарь
status-page-contact = Связаться
status-page-planned = Плановые работы
status-page-recent = Последние семь дней
status-page-nothing-recent = За последние семь дней сбоев не было.
status-page-nothing = Сбоев не было.
status-page-affected = Затронуто: { $names }
status-page-all-updates = Все сообщения
status-page-group = { $name }: компоненты
status-page-no-history = Истории пока нет
status-page-as-of = По состоянию на { $time }
status-page-stale = Страницу не удаётся обновить с { $since }.
status-page-history-of = Текущее состояние актуально; история и сбои показаны на { $since }.
status-page-chart = Время ответа: { $name }
status-page-chart-label = Время ответа { $name } за последние 24 часа
status-page-as-table = В виде таблицы
status-page-time = Время
status-page-median = Медиана, мс
status-page-p95 = 95-й процентиль, мс
status-page-subscribe = Сообщения по почте
status-page-subscribe-button = Подписаться
status-page-address = Адрес электронной почты
status-page-leave-empty = Оставьте пустым
status-page-asked-title = Проверьте почту
status-page-asked-text = Если на этот адрес можно писать, на него отправлено письмо со ссылкой. Сообщения начнут приходить после её открытия.
status-page-confirm-title = Подписка на сообщения
status-page-confirm-text = Нажмите кнопку, чтобы получать сообщения этой страницы по почте.
status-page-confirm-button = Подписаться
status-page-confirmed-title = Подписка оформлена
status-page-confirmed-text = В каждом письме есть ссылка, чтобы изменить или отменить подписку.
status-page-manage-title = Ваша подписка
status-page-manage-text = Нажмите кнопку, чтобы посмотреть и изменить подписку.
status-page-manage-open = Показать подписку
status-page-manage-choose = Вы получаете сообщения о выбранном. Если ничего не выбрать, подписка отменяется.
status-page-manage-closed = Сейчас страница открыта не для всех, и письма не отправляются. Если её снова откроют, вы снова будете получать обновления. Кнопка прекращает подписку, и ваш адрес удаляется.
status-page-leave = Прекратить подписку
status-page-save = Сохранить
status-page-saved-title = Сохранено
status-page-saved-text = Теперь вы получаете сообщения о выбранном.
status-page-left-title = Подписка отменена
status-page-left-text = Больше ничего не отправляется, ваш адрес удалён.
status-page-link-title = Ссылка не работает
status-page-link-text = Она неполная или устарела. Подпишитесь на странице ещё раз.
status-page-closed-subject = Обновления страницы { $page } больше не приходят по почте
status-page-closed-text = Страница статуса { $page } больше не открыта для всех, поэтому её обновления вам не отправляются. Ваш адрес сохранён: если страницу снова откроют, вы снова будете получать сообщения.
status-page-closed-manage = По этой ссылке можно прекратить подписку, и ваш адрес будет удалён:
status-page-failed = Не получилось
status-page-address-invalid = Это не адрес электронной почты.
status-page-too-many = Слишком часто. Попробуйте позже.
status-page-not-now = Сейчас это невозможно. Попробуйте через несколько минут.
status-page-password = Пароль
status-page-password-title = Для этой страницы нужен пароль
status-page-password-text = Введите пароль, который вам сообщили.
status-page-password-wrong = Неверный пароль.
status-page-show = Показать страницу

# The console
status-page-title = Страницы статуса
status-page-lead = Что видят клиенты и другие мониторы о компонентах и сбоях
status-page-step-public = Страница статуса этой установки открыта для всех
status-page-step-private = У этой установки есть страница статуса
status-page-step-text = Её адрес: { $url }. Кто её видит, задаёт настройка status_page.appliance.
status-page-none = Страниц статуса пока нет
status-page-none-text = Создайте страницу, выберите компоненты и откройте её клиентам.
status-page-new = Новая страница статуса
status-page-created = Страница статуса создана
status-page-changed = Страница статуса сохранена
status-page-deleted = Страница статуса удалена
status-page-name = Название
status-page-slug = Адрес
status-page-slug-hint = Часть адреса: строчные латинские буквы, цифры и дефисы
status-page-about = Описание
status-page-visibility = Кто её видит
status-page-visibility-public = Все
status-page-visibility-private = Участники организации
status-page-zone = Часовой пояс
status-page-languages = Языки
status-page-languages-hint = en, ru или оба через пробел; первый показывают остальным
status-page-accent = Цвет
status-page-accent-hint = Например #0b57d0; должен быть виден на светлом и тёмном фоне
status-page-preview = Примерить цвет
status-page-preview-hint = Показывает страницу как есть с этим цветом; ничего не сохраняется.
status-page-preview-light = Светлый вид
status-page-preview-dark = Тёмный вид
status-page-networks = Сети
status-page-networks-hint = По одной в строке, например 10.0.0.0/8; пусто: отовсюду
status-page-home-url = Ваш сайт
status-page-contact-url = Связь
status-page-allow-subscribe = Посетители могут подписаться по почте
status-page-allow-subscribe-hint = Только пока страницу видят все: с паролем, сетями или закрытая она ничего не отправляет. Подписчики узнают об этом из письма через десять минут после такого изменения, остаются подписчиками и могут прекратить подписку по ссылке в любом письме.
status-page-new-password = Новый пароль
status-page-new-password-hint = Пусто: остаётся прежним
status-page-no-password = Не спрашивать пароль
status-page-components = Компоненты
status-page-components-hint = Ключ компонента в каждой строке. Строка в [скобках] начинает группу.
status-page-component-unknown = Нет компонента { $key }
status-page-installation = Для всей установки
status-page-of-installation = Установки
status-page-managed = Эту страницу задаёт файл мониторов: измените её там.
status-page-view = Посмотреть
status-page-delete = Удалить
status-page-delete-ask = Страница и её подписчики будут удалены.
status-page-domains = Имена DNS
status-page-domain = Домен
status-page-domain-add = Добавить домен
status-page-domain-added = Домен добавлен: опубликуйте его запись
status-page-domain-removed = Домен удалён
status-page-domain-check = Проверить
status-page-domain-checked = Запрос к DNS выполнен
status-page-domain-remove = Убрать
status-page-domain-remove-ask = Страница больше не откроется под этим именем. Если добавить его снова, потребуется другая запись.
status-page-domain-proven = используется
status-page-domain-waiting = не подтверждён
status-page-domain-record = Запись TXT
status-page-subscribers = Подписчики
status-page-subscribers-none = Пока никто не подписался
status-page-subscribers-none-text = Посетители публичной страницы могут подписаться по почте.
status-page-subscribers-closed = Страница открыта не для всех или не принимает подписки: тем, кто ниже, ничего не отправляется. Им об этом написали; когда страницу откроют, они снова будут получать обновления.
status-page-confirmed-at = Подтверждено
status-page-unconfirmed = не подтверждено
status-page-subscriber-removed = Подписчик удалён
status-page-subscriber-delete-ask = Адрес удаляется, и писем больше не будет.
status-page-not-rendered = Страница ещё не готова: рабочий процесс сделает её за несколько секунд.

# Numbers
status-page-minutes = { $n } мин
status-page-hours = { $n } ч
status-page-days =
    { $n ->
        [one] Полосы показывают { $n } день; последний справа.
        [few] Полосы показывают { $n } дня; последний справа.
       *[many] Полосы показывают { $n } дней; последний справа.
    }
status-page-more-days =
    { $n ->
        [one] ещё { $n } день
        [few] ещё { $n } дня
       *[many] ещё { $n } дней
    }
