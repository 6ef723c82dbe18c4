-- Usage rows and cached vectors end: settings say when, a daily job removes them for all organisations.

SELECT holdfast_system_access('llm_usage');
SELECT holdfast_system_access('embedding_cache');

-- Written at most once a day for a vector, so that reading the cache is not writing it.
ALTER TABLE embedding_cache ADD COLUMN last_used_at timestamptz;
UPDATE embedding_cache SET last_used_at = created_at;
ALTER TABLE embedding_cache ALTER COLUMN last_used_at SET NOT NULL;
CREATE INDEX embedding_cache_last_used_at_idx ON embedding_cache (last_used_at);
