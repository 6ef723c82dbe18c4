-- From here on a migration's number is the time when it was written, YYYYMMDDHHMMSS: one that comes later sorts after all others, in
-- whichever room it is. Which versions can work with a database is a question of sets: `needed_migrations` are those that a version must
-- know, because it could not work with what is left of the database without them.
--
-- What takes something away comes a version later than what replaces it, and says
--   SELECT holdfast_needs_migration(<the number of the migration that replaces it>);
-- A version that does not know that migration refuses to start. For what is older than this file, name this file.
--
-- Versions before this one compare `compatible_since` with the highest number that they know (two to four digits): it is kept, and any
-- number of fourteen digits is above theirs, so they refuse as well. A shorter one could be below it and mean something else: not taken.
ALTER TABLE installation ADD COLUMN needed_migrations bigint[] NOT NULL DEFAULT '{}';

CREATE FUNCTION holdfast_needs_migration(needed bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF needed < 20261129180000 THEN
    RAISE EXCEPTION 'migration % has a number that versions before 20261129180000 may take for one that they know', needed;
  END IF;
  UPDATE installation SET
    compatible_since = greatest(compatible_since, needed),
    needed_migrations = array(SELECT DISTINCT n FROM unnest(needed_migrations || needed) AS n ORDER BY n);
END $$;
