-- Keys are searched by a trigram index; how, says 20261129210000_platform_search.sql.

SELECT holdfast_search_index('files_objects_search_idx', 'files_objects USING gin (bucket_id, key gin_trgm_ops) WHERE current');
-- A page of a search, from the newest on.
CREATE INDEX files_objects_newest_idx ON files_objects (bucket_id, id) WHERE current;

-- Current objects of a bucket below `under`, whose key is like `pattern`: the newest first.
CREATE FUNCTION files_objects_found(of_bucket uuid, under text, pattern text, below uuid, most bigint) RETURNS SETOF uuid LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT holdfast_found(concat(
      format('files_objects o WHERE o.bucket_id = %L AND o.org_id = %L AND o.current', of_bucket, holdfast_current_org()),
      CASE WHEN under <> '' THEN format(' AND starts_with(o.key, %L)', under) END),
    'o.id', 'o.key', pattern, below, false, most)
$$;
SELECT holdfast_found_by('files_objects_found(uuid, text, text, uuid, bigint)', 'app');

SELECT holdfast_search_index('files_objects_trash_search_idx', 'files_objects USING gin (org_id, key gin_trgm_ops) WHERE trashed_at IS NOT NULL');

-- The trash of a bucket, or (NULL) of all buckets: what was written last comes first.
CREATE FUNCTION files_trash_found(of_bucket uuid, pattern text, below uuid, most bigint) RETURNS SETOF uuid LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT holdfast_found(concat(
      format('files_objects o WHERE o.org_id = %L AND o.trashed_at IS NOT NULL', holdfast_current_org()),
      CASE WHEN of_bucket IS NOT NULL THEN format(' AND o.bucket_id = %L', of_bucket) END),
    'o.id', 'o.key', pattern, below, false, most)
$$;
SELECT holdfast_found_by('files_trash_found(uuid, text, uuid, bigint)', 'app');

-- Buckets of the organisation.
SELECT holdfast_search_index('files_buckets_search_idx', 'files_buckets USING gin (org_id, name gin_trgm_ops)');

CREATE FUNCTION files_buckets_found(pattern text, below uuid, most bigint) RETURNS SETOF uuid LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT holdfast_found(format('files_buckets b WHERE b.org_id = %L AND b.trashed_at IS NULL', holdfast_current_org()),
    'b.id', 'b.name', pattern, below, false, most)
$$;
SELECT holdfast_found_by('files_buckets_found(text, uuid, bigint)', 'app');
