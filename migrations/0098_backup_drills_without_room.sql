-- A drill that had no room says nothing of the backup: not failed.
ALTER TABLE backup_drills DROP CONSTRAINT backup_drills_status_check;
ALTER TABLE backup_drills ADD CONSTRAINT backup_drills_status_check CHECK (status IN ('running', 'passed', 'failed', 'no_room'));
-- The embedding model's files travel with a backup.
ALTER TABLE backup_known_files DROP CONSTRAINT backup_known_files_tree_check;
ALTER TABLE backup_known_files ADD CONSTRAINT backup_known_files_tree_check CHECK (tree IN ('objects', 'vectors', 'models'));
