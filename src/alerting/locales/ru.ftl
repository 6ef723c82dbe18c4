alerting-title = Оповещения
alerting-lead = Оповещения Prometheus, полученные от Alertmanager
alerting-off = Приём оповещений выключен
alerting-off-text = Чтобы Alertmanager мог присылать сюда оповещения, нужен токен. Создайте его, перезапустите Holdfast с ним и укажите тот же файл в webhook-получателе Alertmanager:
alerting-firing-now = Активные
alerting-firing = активно
alerting-resolved = завершено
alerting-watchdog = Последний Watchdog
alerting-no-watchdog = Watchdog ещё не приходил: оповещения могут не доходить
alerting-nothing-fires = Активных оповещений нет
alerting-nothing-fires-text = Новые оповещения появляются здесь через несколько секунд после отправки из Alertmanager.
alerting-alert = Оповещение
alerting-severity = Важность
alerting-any-severity = Любая важность
alerting-since = Начало
alerting-began = Начало
alerting-ended = Окончание
alerting-lasted = Длительность
alerting-received = Первое уведомление
alerting-heard = Последнее уведомление
alerting-expression = Выражение
alerting-in-prometheus = Открыть в Prometheus
alerting-history = История
alerting-no-history = Завершённых оповещений пока нет
alerting-no-history-text = Здесь сохраняются завершённые оповещения: время начала и длительность.
alerting-search = Имя, описание или метка
alerting-from = С (UTC)
alerting-to = По (UTC)
alerting-labels = Метки
alerting-annotations = Аннотации
alerting-deliveries = Переслано
alerting-no-deliveries = Не пересылалось: для этой важности не настроен ни один webhook.
alerting-webhook = Webhook
alerting-event = Событие
alerting-attempts = Попытки
alerting-last-attempt = Последняя попытка
alerting-delivery-queued = ожидает
alerting-delivery-delivered = доставлено
alerting-delivery-dead = не доставлено
alerting-silences = Заглушение
alerting-silences-lead = Alertmanager не отправляет уведомления об оповещениях, которые подпадают под действующее правило
alerting-silences-known = Правила в Alertmanager
alerting-no-silences = Ничего не заглушено
alerting-no-silences-text = Заглушите оповещения, которыми уже занимаетесь, чтобы из-за них не вызывали коллег.
alerting-silence-active = действует
alerting-silence-pending = ещё не началось
alerting-silence-expired = истекло
alerting-is-silenced = заглушено
alerting-silence-now = Заглушить на 2 ч
alerting-silence-more = Заглушить…
alerting-silence-new = Новое правило
alerting-silence-create = Заглушить
alerting-silenced = Подпадающие под правило оповещения заглушены.
alerting-expired = Правило больше не действует.
alerting-refused = Не удалось: { $why }
alerting-expire = Завершить
alerting-matchers = Условия
alerting-matchers-hint = По одному в строке: имя метки, затем =, !=, =~ (соответствует регулярному выражению) или !~, затем значение. Оповещение заглушается, если выполнены все условия.
alerting-until = До
alerting-duration = Длительность
alerting-comment = Причина
alerting-comment-hint = Увидят все, кто откроет правило
alerting-runbook = Инструкция
alerting-runbooks = Инструкции
alerting-runbooks-lead = Что означает оповещение, как оно влияет на пользователей, где искать причину и что делать
alerting-no-runbooks = Инструкций нет
alerting-no-runbooks-text = В этой сборке их нет.
alerting-when-it-fired = Когда приходило
error-alertmanager-not-configured = Правила заглушения хранит Alertmanager: укажите его адрес в alerting.alertmanager_url, например http://alertmanager:9093.
error-alertmanager-unreachable = Alertmanager недоступен по адресу из alerting.alertmanager_url. Запущен ли он и верен ли адрес?
error-invalid-matcher = Неверное условие. Пишите по одному в строке, например alertname="JobsStuck".

# Navigation and overview
alerting-overview-firing = { $n ->
    [one] { $n } активное оповещение
    [few] { $n } активных оповещения
   *[other] { $n } активных оповещений
}
alerting-overview-all = Все оповещения
alerting-overview-runbook = Инструкция
alerting-severity-critical = критическая
alerting-severity-warning = предупреждение
alerting-severity-info = сведения
alerting-severity-none = без важности
