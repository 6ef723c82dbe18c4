-- A search that most rows match asked the search index first, whose bitmap then held all rows of the organisation: 60 ms of 100 000. The newest
-- rows are looked at before it now: of such a search they fill a page.

-- Where a pattern is given, three steps, of which each is taken where the one before did not fill a page:
--
-- 1. The newest `near` rows.
-- 2. The search index, where it finds at most `few` rows.
-- 3. All rows from the newest on, since a page is soon full where many rows match.
--
-- How many rows have a word is a guess of the planner, and a wrong one reads all rows of the organisation: so steps 2 and 3 leave it one way.
-- Planned at each call, since the best way depends on the values.
CREATE OR REPLACE FUNCTION holdfast_found(source text, key text, searched text, pattern text, beyond uuid, oldest boolean, most bigint)
RETURNS SETOF uuid LANGUAGE plpgsql STABLE
SET enable_seqscan = on SET enable_indexscan = on SET enable_indexonlyscan = on SET enable_bitmapscan = on AS $$
DECLARE
  near CONSTANT integer := 200;
  few CONSTANT integer := 1000;
  direction CONSTANT text := CASE WHEN oldest THEN 'ASC' ELSE 'DESC' END;
  ordered CONSTANT text := format(' AND %1$s %2$s %3$L ORDER BY %1$s %4$s LIMIT ',
    key, CASE WHEN oldest THEN '>' ELSE '<' END, beyond, direction);
  hits uuid[];
BEGIN
  IF pattern IS NULL THEN
    RETURN QUERY EXECUTE format('SELECT %s FROM %s', key, source) || ordered || most;
    RETURN;
  END IF;

  EXECUTE format('SELECT ARRAY(SELECT id FROM (SELECT %s AS id, %s AS text FROM %s%s%s) AS newest WHERE text ILIKE %L ORDER BY id %s LIMIT %s)',
    key, searched, source, ordered, near, pattern, direction, most) INTO hits;
  IF cardinality(hits) = most THEN
    RETURN QUERY SELECT unnest(hits);
    RETURN;
  END IF;

  PERFORM set_config(name, 'off', true) FROM unnest(ARRAY['enable_seqscan', 'enable_indexscan', 'enable_indexonlyscan']) AS name;
  EXECUTE format('SELECT ARRAY(SELECT %s FROM %s AND %s ILIKE %L LIMIT %s)', key, source, searched, pattern, few + 1) INTO hits;
  IF cardinality(hits) <= few THEN
    RETURN QUERY EXECUTE format('SELECT %1$s FROM %2$s AND %1$s = ANY (%3$L::uuid[])', key, source, hits) || ordered || most;
    RETURN;
  END IF;

  PERFORM set_config(name, 'on', true) FROM unnest(ARRAY['enable_indexscan', 'enable_indexonlyscan']) AS name;
  PERFORM set_config('enable_bitmapscan', 'off', true);
  RETURN QUERY EXECUTE format('SELECT %s FROM %s AND %s ILIKE %L', key, source, searched, pattern) || ordered || most;
END $$;
