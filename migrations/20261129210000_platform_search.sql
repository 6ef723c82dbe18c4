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

-- Makes the extensions and the indexes that are missing. False where the server refuses the extensions, or has
-- them elsewhere. As the owner.
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
  -- Where pg_trgm was there before, in a schema of its own, its operator class is not found; nor would it be where a backup is restored.
  IF NOT EXISTS (SELECT FROM pg_opclass c WHERE c.opcname = 'gin_trgm_ops' AND pg_opclass_is_visible(c.oid)) THEN
    RETURN false;
  END IF;
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

-- Lists are searched and filtered by functions of the rooms, <room>_..._found(): each gives the ids of a page, and the rows are then read as the
-- caller, under row-level security. They run as the owner, because an operator that is not leakproof (ILIKE, @@) is never looked up in an index
-- under row-level security; so they must name the organisation themselves. NULL, which equals nothing, where none is set.
CREATE FUNCTION holdfast_current_org() RETURNS uuid LANGUAGE sql STABLE AS $$
  SELECT nullif(current_setting('holdfast.org_id', true), '')::uuid
$$;

-- Who may call such a function.
CREATE FUNCTION holdfast_found_by(f regprocedure, kind text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f);
  EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', f, holdfast_role(kind));
END $$;

-- The work of most of them. `source` is FROM and WHERE, made with format(%L), with the filters that are given and no others; `key` the id that the
-- list is ordered by; `searched` the text that a search index has, and `pattern` what it must be like, or NULL. Newest first, below `beyond`; or
-- (`oldest`) the other way round.
--
-- First by the search index alone: how many rows have a word is a guess of the planner, and a wrong one reads all rows of the organisation. Where
-- there are many, the newest rows are looked through: a page is soon full. Planned at each call, since the best way depends on the values.
CREATE FUNCTION holdfast_found(source text, key text, searched text, pattern text, beyond uuid, oldest boolean, most bigint)
RETURNS SETOF uuid LANGUAGE plpgsql STABLE SET enable_seqscan = off SET enable_indexscan = off SET enable_indexonlyscan = off AS $$
DECLARE
  few CONSTANT integer := 1000;
  page CONSTANT text := format(' AND %1$s %2$s %3$L ORDER BY %1$s %4$s LIMIT %5$s',
    key, CASE WHEN oldest THEN '>' ELSE '<' END, beyond, CASE WHEN oldest THEN 'ASC' ELSE 'DESC' END, most);
  hits uuid[];
BEGIN
  IF pattern IS NOT NULL THEN
    EXECUTE format('SELECT ARRAY(SELECT %s FROM %s AND %s ILIKE %L LIMIT %s)', key, source, searched, pattern, few + 1) INTO hits;
    IF cardinality(hits) <= few THEN
      RETURN QUERY EXECUTE format('SELECT %1$s FROM %2$s AND %1$s = ANY (%3$L::uuid[])', key, source, hits) || page;
      RETURN;
    END IF;
    source := format('%s AND %s ILIKE %L', source, searched, pattern);
  END IF;
  PERFORM set_config(name, 'on', true) FROM unnest(ARRAY['enable_seqscan', 'enable_indexscan', 'enable_indexonlyscan']) AS name;
  RETURN QUERY EXECUTE format('SELECT %s FROM %s', key, source) || page;
END $$;
REVOKE ALL ON FUNCTION holdfast_found(text, text, text, text, uuid, boolean, bigint) FROM PUBLIC;
