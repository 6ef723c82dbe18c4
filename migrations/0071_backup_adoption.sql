-- Two hosts that were restored from the same backup may each have made a number 8: both are taken into the table when they are found.
ALTER TABLE backups DROP CONSTRAINT backups_sequence_key;
CREATE INDEX backups_sequence_idx ON backups (sequence);
