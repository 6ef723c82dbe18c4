-- Lists of objects, in the order of keys.

-- The next text after all texts that begin with `prefix`, in the order of their bytes. NULL: there is none.
CREATE FUNCTION files_after(prefix text) RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
  code integer;
BEGIN
  WHILE prefix <> '' LOOP
    code := ascii(right(prefix, 1));
    prefix := left(prefix, -1);
    -- Surrogates are no characters.
    IF code < 1114111 THEN RETURN prefix || chr(CASE WHEN code = 55295 THEN 57344 ELSE code + 1 END); END IF;
  END LOOP;
  RETURN NULL;
END $$;

-- A page of a bucket's current objects from `start` on (inclusive): ids, and prefixes up to the delimiter (`common`, without id). Reads about as many
-- entries of the index as it returns: behind a common prefix it goes on at the first key after it. As the owner, because comparisons under row-level
-- security are not taken into the index where they are not leakproof; so it restricts the organisation itself.
--
-- One statement, planned once for a connection. It has no upper end: where the keys leave the prefix, reading stops.
CREATE FUNCTION files_list(bucket uuid, prefix text, delimiter text, start text, most bigint)
RETURNS TABLE (id uuid, key text, common boolean) LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
  at_key text COLLATE "C" := greatest(start COLLATE "C", prefix COLLATE "C");
  entry record;
  cut integer;
  left_over bigint := most;
BEGIN
  IF NOT EXISTS (SELECT FROM files_buckets b WHERE b.id = bucket AND b.org_id = holdfast_current_org()) THEN RETURN; END IF;
  common := false;
  WHILE left_over > 0 AND at_key IS NOT NULL LOOP
    -- Where a common prefix was before, another one is likely: one entry is read without a cursor, which costs a third of a batch.
    IF common THEN
      SELECT o.id, o.key INTO entry FROM files_objects o WHERE o.bucket_id = bucket AND o.current AND o.key >= at_key ORDER BY o.key LIMIT 1;
      IF NOT FOUND OR NOT starts_with(entry.key, prefix) THEN RETURN; END IF;
      cut := strpos(substr(entry.key, length(prefix) + 1), delimiter);
      IF cut > 0 THEN
        id := NULL; key := left(entry.key, length(prefix) + cut - 1 + length(delimiter));
        at_key := files_after(key);
        left_over := left_over - 1;
        RETURN NEXT;
        CONTINUE;
      END IF;
      common := false;
    END IF;
    FOR entry IN
      SELECT o.id, o.key FROM files_objects o WHERE o.bucket_id = bucket AND o.current AND o.key >= at_key ORDER BY o.key LIMIT left_over
    LOOP
      IF NOT starts_with(entry.key, prefix) THEN RETURN; END IF;
      cut := CASE WHEN delimiter = '' THEN 0 ELSE strpos(substr(entry.key, length(prefix) + 1), delimiter) END;
      -- What follows may be below the same prefix.
      common := cut > 0;
      EXIT WHEN common;
      id := entry.id; key := entry.key;
      -- The next text: no text has U+0000.
      at_key := entry.key || chr(1);
      left_over := left_over - 1;
      RETURN NEXT;
    END LOOP;
    IF NOT common AND left_over > 0 THEN RETURN; END IF;
  END LOOP;
END $$;
SELECT holdfast_found_by('files_list(uuid, text, text, text, bigint)', 'app');

-- As files_list, of all versions that are not in the trash: by key, and of each key from the latest on. Behind version `below` of the key `start`;
-- 0: from the first version of `start` on. `latest`: no later version of the key is there.
CREATE FUNCTION files_list_versions(bucket uuid, prefix text, delimiter text, start text, below bigint, most bigint)
RETURNS TABLE (id uuid, key text, common boolean, latest boolean) LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
  at_key text COLLATE "C" := greatest(start COLLATE "C", prefix COLLATE "C");
  -- Versions of `at_key` from here on were returned.
  at_seq bigint := CASE WHEN below > 0 AND at_key = start THEN below ELSE 9223372036854775807 END;
  entry record;
  cut integer;
  left_over bigint := most;
  asked bigint;
  seen bigint;
BEGIN
  IF NOT EXISTS (SELECT FROM files_buckets b WHERE b.id = bucket AND b.org_id = holdfast_current_org()) THEN RETURN; END IF;
  WHILE left_over > 0 AND at_key IS NOT NULL LOOP
    asked := CASE WHEN delimiter = '' THEN left_over ELSE least(left_over, 64) END;
    seen := 0;
    -- First what is left of the key, then the keys after it: each is a range of the index.
    FOR entry IN
      SELECT v.id, v.key, v.seq, v.noncurrent_at FROM (
        (SELECT o.id, o.key, o.seq, o.noncurrent_at FROM files_objects o
         WHERE o.bucket_id = bucket AND o.trashed_at IS NULL AND o.key = at_key AND o.seq < at_seq ORDER BY o.seq DESC LIMIT asked)
        UNION ALL
        (SELECT o.id, o.key, o.seq, o.noncurrent_at FROM files_objects o
         WHERE o.bucket_id = bucket AND o.trashed_at IS NULL AND o.key > at_key ORDER BY o.key, o.seq DESC LIMIT asked)) v
      LIMIT asked
    LOOP
      IF NOT starts_with(entry.key, prefix) THEN RETURN; END IF;
      seen := seen + 1;
      cut := CASE WHEN delimiter = '' THEN 0 ELSE strpos(substr(entry.key, length(prefix) + 1), delimiter) END;
      left_over := left_over - 1;
      IF cut = 0 THEN
        id := entry.id; key := entry.key; common := false; latest := entry.noncurrent_at IS NULL;
        at_key := entry.key; at_seq := entry.seq;
        RETURN NEXT;
      ELSE
        id := NULL; key := left(entry.key, length(prefix) + cut - 1 + length(delimiter)); common := true; latest := NULL;
        at_key := files_after(key); at_seq := 9223372036854775807;
        RETURN NEXT;
        EXIT;
      END IF;
    END LOOP;
    IF seen < asked AND NOT (seen > 0 AND common) THEN RETURN; END IF;
  END LOOP;
END $$;
SELECT holdfast_found_by('files_list_versions(uuid, text, text, text, bigint, bigint)', 'app');
