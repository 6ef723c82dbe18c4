scope-incidents-read = Просмотр инцидентов
scope-incidents-write = Создание и изменение инцидентов
scope-incidents-admin = Каналы, правила и графики дежурств
