-- Searching and filtering the list of jobs; how, says 20261129210000_platform_search.sql. What waits or runs is few and changes all the time: no
-- index is added there.

CREATE INDEX job_history_kind_idx ON job_history (org_id, kind, id);
CREATE INDEX job_history_failed_idx ON job_history (org_id, id) WHERE state <> 'succeeded';
SELECT holdfast_search_index('job_history_error_idx',
  'job_history USING gin (org_id, last_error gin_trgm_ops) WHERE last_error IS NOT NULL');

-- `of_system`: those without an organisation, which only the system role can read then. `pattern`: in the kind or, `with_errors`, in the last
-- error; or an id from `first` to `last`. NULL is no filter.
CREATE FUNCTION jobs_found(
  of_system boolean, wanted text, in_queue text, of_kind text, pattern text, with_errors boolean, first uuid, last uuid, below uuid, most bigint
) RETURNS SETOF uuid LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan AS $$
DECLARE
  org CONSTANT uuid := holdfast_current_org();
  kinds text[];
BEGIN
  IF pattern IS NULL THEN
    RETURN QUERY
      (SELECT j.id FROM jobs j
       WHERE (of_system AND j.org_id IS NULL OR NOT of_system AND j.org_id = org) AND j.id < below
         AND (wanted IS NULL OR j.state = wanted) AND (in_queue IS NULL OR j.queue = in_queue) AND (of_kind IS NULL OR j.kind = of_kind)
       ORDER BY j.id DESC LIMIT most)
      UNION ALL
      (SELECT h.id FROM job_history h
       WHERE (of_system AND h.org_id IS NULL OR NOT of_system AND h.org_id = org) AND h.id < below
         AND (wanted IS NULL OR h.state = wanted) AND (in_queue IS NULL OR h.queue = in_queue) AND (of_kind IS NULL OR h.kind = of_kind)
       ORDER BY h.id DESC LIMIT most)
      ORDER BY 1 DESC LIMIT most;
    RETURN;
  END IF;
  -- From one kind to the next by index: there are few.
  kinds := ARRAY(
    WITH RECURSIVE every AS (
      (SELECT h.kind FROM job_history h
       WHERE (of_system AND h.org_id IS NULL OR NOT of_system AND h.org_id = org) ORDER BY h.kind LIMIT 1)
      UNION ALL
      SELECT (SELECT h.kind FROM job_history h
              WHERE (of_system AND h.org_id IS NULL OR NOT of_system AND h.org_id = org) AND h.kind > every.kind ORDER BY h.kind LIMIT 1)
      FROM every WHERE every.kind IS NOT NULL
    )
    SELECT every.kind FROM every WHERE every.kind ILIKE pattern AND (of_kind IS NULL OR every.kind = of_kind));
  RETURN QUERY
    (SELECT j.id FROM jobs j
     WHERE (of_system AND j.org_id IS NULL OR NOT of_system AND j.org_id = org) AND j.id < below
       AND (wanted IS NULL OR j.state = wanted) AND (in_queue IS NULL OR j.queue = in_queue) AND (of_kind IS NULL OR j.kind = of_kind)
       AND (j.kind ILIKE pattern OR with_errors AND j.last_error ILIKE pattern OR j.id BETWEEN first AND last)
     ORDER BY j.id DESC LIMIT most)
    UNION
    (SELECT f.id FROM unnest(kinds) AS k(kind) CROSS JOIN LATERAL (
       SELECT h.id FROM job_history h
       WHERE (of_system AND h.org_id IS NULL OR NOT of_system AND h.org_id = org) AND h.id < below AND h.kind = k.kind
         AND (wanted IS NULL OR h.state = wanted) AND (in_queue IS NULL OR h.queue = in_queue)
       ORDER BY h.id DESC LIMIT most) f)
    UNION
    (SELECT h.id FROM job_history h
     WHERE (of_system AND h.org_id IS NULL OR NOT of_system AND h.org_id = org) AND h.id < below AND h.id BETWEEN first AND last
       AND (wanted IS NULL OR h.state = wanted) AND (in_queue IS NULL OR h.queue = in_queue) AND (of_kind IS NULL OR h.kind = of_kind)
     ORDER BY h.id DESC LIMIT most)
    UNION
    (SELECT h.id FROM job_history h
     WHERE with_errors AND (of_system AND h.org_id IS NULL OR NOT of_system AND h.org_id = org) AND h.id < below AND h.last_error ILIKE pattern
       AND (wanted IS NULL OR h.state = wanted) AND (in_queue IS NULL OR h.queue = in_queue) AND (of_kind IS NULL OR h.kind = of_kind)
     ORDER BY h.id DESC LIMIT most)
    ORDER BY 1 DESC LIMIT most;
END $$;
SELECT holdfast_found_by('jobs_found(boolean, text, text, text, text, boolean, uuid, uuid, uuid, bigint)', 'app');
SELECT holdfast_found_by('jobs_found(boolean, text, text, text, text, boolean, uuid, uuid, uuid, bigint)', 'system');
