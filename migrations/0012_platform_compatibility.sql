-- How far back versions of Holdfast can still work with this database. During an upgrade the former version runs beside the new
-- one, so a migration only adds: tables, columns with a default, indexes. What takes something away comes a version later, and sets
--   UPDATE installation SET compatible_since = <the newest migration that a version must know to work with what is left>;
-- A version that does not know that migration refuses to start.
ALTER TABLE installation ADD COLUMN compatible_since bigint NOT NULL DEFAULT 0;
