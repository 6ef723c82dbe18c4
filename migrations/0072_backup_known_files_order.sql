-- A backup goes through the files by key, in pieces, in the order of bytes as the program has it.
ALTER TABLE backup_known_files ALTER COLUMN key TYPE text COLLATE "C";
