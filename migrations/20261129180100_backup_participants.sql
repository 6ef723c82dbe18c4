-- Any room may take part in a backup with files of its own: their names are not known here.
ALTER TABLE backup_known_files DROP CONSTRAINT backup_known_files_tree_check;
ALTER TABLE backup_known_files ADD CONSTRAINT backup_known_files_tree_check CHECK (tree ~ '^[a-z][a-z0-9_]*$');
