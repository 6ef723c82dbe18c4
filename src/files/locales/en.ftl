scope-files-read = List and read files
scope-files-write = Write and delete files
scope-files-admin = Make and change buckets
