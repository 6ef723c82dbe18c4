# Заголовки и предложения в письмах.
notices-alert-firing = Сработало: { $name } ({ $severity })
notices-alert-resolved = Закончилось: { $name } ({ $severity })
notices-webhook-disabled = Вебхук отключён
notices-webhook-failing = Уже несколько дней все попытки доставки заканчиваются ошибкой. Сообщений он больше не получает; когда он снова ответит, включите его на его странице.
notices-webhook-gone = Получатель ответил 410 Gone. Сообщений он больше не получает.
notices-more = И ещё: { $count }
notices-device-unknown = Неизвестный браузер
