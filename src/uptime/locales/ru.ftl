scope-uptime-read = Просмотр мониторов
scope-uptime-write = Изменение мониторов
