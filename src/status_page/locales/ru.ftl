scope-status-page-read = Просмотр страниц статуса
scope-status-page-write = Изменение страниц статуса
