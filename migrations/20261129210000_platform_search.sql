-- Lists are searched by trigram indexes: of the extensions pg_trgm and btree_gin (which puts the organisation into the same index). Both are
-- trusted: the owner may create them where the server has them. Where it has not, or refuses, searches give the same results by reading the
-- organisation's rows, and `doctor` says what to run; the indexes are made at the start after that.

-- The indexes that searches want. A room names its own with holdfast_search_index().
CREATE TABLE search_indexes (
  name text CONSTRAINT search_indexes_pkey PRIMARY KEY CONSTRAINT search_indexes_name_check CHECK (name ~ '^[a-z][a-z0-9_]{0,62}$'),
  -- What follows `CREATE INDEX name ON`.
  definition text NOT NULL
);
SELECT holdfast_global_table('search_indexes', '');

-- Makes the extensions and the indexes that are missing. False where the server refuses the extensions. As the owner.
CREATE FUNCTION holdfast_search_indexes() RETURNS boolean LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  missing record;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('holdfast search indexes', 0));
  BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA public;
    CREATE EXTENSION IF NOT EXISTS btree_gin SCHEMA public;
  EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported THEN
    RETURN false;
  END;
  FOR missing IN SELECT i.name, i.definition FROM search_indexes i WHERE to_regclass(i.name) IS NULL ORDER BY i.name LOOP
    EXECUTE format('CREATE INDEX %I ON %s', missing.name, missing.definition);
  END LOOP;
  RETURN true;
END $$;
REVOKE ALL ON FUNCTION holdfast_search_indexes() FROM PUBLIC;

CREATE FUNCTION holdfast_search_index(name text, definition text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO search_indexes VALUES (name, definition);
  PERFORM holdfast_search_indexes();
END $$;
REVOKE ALL ON FUNCTION holdfast_search_index(text, text) FROM PUBLIC;

-- For functions that find rows of the organisation that the transaction has set. They run as the owner, because an operator that is not
-- leakproof (ILIKE, @@) is never looked up in an index under row-level security; so they must name the organisation themselves.
-- NULL, which equals nothing, where none is set.
CREATE FUNCTION holdfast_current_org() RETURNS uuid LANGUAGE sql STABLE AS $$
  SELECT nullif(current_setting('holdfast.org_id', true), '')::uuid
$$;

-- What such a function needs besides: who may call it.
CREATE FUNCTION holdfast_found_by(f regprocedure, kind text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f);
  EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', f, holdfast_role(kind));
END $$;
