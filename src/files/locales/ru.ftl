scope-files-read = Просматривать и читать файлы
scope-files-write = Записывать и удалять файлы
scope-files-admin = Создавать и изменять хранилища файлов
