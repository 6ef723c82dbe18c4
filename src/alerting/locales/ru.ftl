alerting-title = Оповещения
alerting-lead = Что заметил Prometheus и прислал сюда Alertmanager
alerting-off = Оповещения не принимаются
alerting-off-text = Чтобы присылать сюда оповещения, Alertmanager нужен токен. Создайте его, перезапустите с ним Holdfast и укажите тот же файл в получателе webhook у Alertmanager:
alerting-firing-now = Активные
alerting-firing = активно
alerting-resolved = закончилось
alerting-watchdog = Watchdog приходил
alerting-no-watchdog = Watchdog ещё не приходил: оповещения могут не доходить
alerting-nothing-fires = Активных оповещений нет
alerting-nothing-fires-text = Оповещения появляются здесь через секунды после того, как их отправит Alertmanager.
alerting-alert = Оповещение
alerting-severity = Важность
alerting-any-severity = Любая важность
alerting-since = С какого времени
alerting-began = Началось
alerting-ended = Закончилось
alerting-lasted = Длилось
alerting-received = Впервые пришло
alerting-heard = Последний раз пришло
alerting-expression = Выражение
alerting-in-prometheus = Открыть в Prometheus
alerting-history = История
alerting-no-history = Ни одно оповещение ещё не закончилось
alerting-no-history-text = Здесь остаются закончившиеся оповещения: когда начались и сколько длились.
alerting-search = Имя, описание или метка
alerting-from = С дня (UTC)
alerting-to = По день (UTC)
alerting-minutes = { $n } мин
alerting-hours = { $n } ч
alerting-days = { $n ->
    [one] { $n } день
    [few] { $n } дня
   *[other] { $n } дней
}
alerting-labels = Метки
alerting-annotations = Аннотации
alerting-deliveries = Передано дальше
alerting-no-deliveries = Никуда: для этой важности не настроен ни один webhook.
alerting-webhook = Webhook
alerting-event = Событие
alerting-attempts = Попытки
alerting-last-attempt = Последняя попытка
alerting-delivery-queued = ожидает
alerting-delivery-delivered = доставлено
alerting-delivery-dead = не доставлено
alerting-silences = Заглушение
alerting-silences-lead = Об оповещениях, подходящих под действующее правило, Alertmanager ничего не отправляет
alerting-silences-known = Правила в Alertmanager
alerting-no-silences = Ничего не заглушено
alerting-no-silences-text = Заглушите то, чем уже занимаетесь, чтобы из-за этого не вызывали других.
alerting-silence-active = действует
alerting-silence-pending = начнётся позже
alerting-silence-expired = закончилось
alerting-is-silenced = заглушено
alerting-silence-now = Заглушить на 2 ч
alerting-silence-more = Заглушить…
alerting-silence-new = Новое правило
alerting-silence-create = Заглушить
alerting-silenced = Подходящие оповещения заглушены.
alerting-expired = Правило больше не действует.
alerting-refused = Не получилось: { $why }
alerting-expire = Снять
alerting-matchers = Условия
alerting-matchers-hint = По одному в строке: имя метки, затем =, !=, =~ (подходит под выражение) или !~, затем значение. Заглушается то, что подходит под все условия.
alerting-until = До
alerting-duration = На сколько
alerting-comment = Почему
alerting-comment-hint = Для тех, кто это увидит
alerting-runbook = Инструкция
alerting-runbooks = Инструкции
alerting-runbooks-lead = Что означает оповещение, как оно сказывается на пользователях, где смотреть и что делать
alerting-no-runbooks = Инструкций нет
alerting-no-runbooks-text = В этой сборке их нет.
alerting-when-it-fired = Когда приходило
error-alertmanager-not-configured = Правила заглушения хранит Alertmanager: укажите его адрес в alerting.alertmanager_url, например http://alertmanager:9093.
error-alertmanager-unreachable = Alertmanager недоступен по адресу из alerting.alertmanager_url. Запущен ли он и верен ли адрес?
error-invalid-matcher = Это не условие. Пишите по одному в строке, например alertname="JobsStuck".

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
