-- Searching and filtering the lists of knowledge bases and documents. Each function gives the ids of a page, newest first; the rows are read
-- as the caller, under row-level security. Planned at each call (force_custom_plan): which index is the right one depends on what is
-- searched for, and a filter that is not given must not be in the plan.

SELECT holdfast_search_index('knowledge_bases_search_idx',
  $$knowledge_bases USING gin (org_id, (name || ' ' || description) gin_trgm_ops)$$);
SELECT holdfast_search_index('knowledge_documents_search_idx',
  $$knowledge_documents USING gin (knowledge_base_id, (filename || ' ' || coalesce(title, '')) gin_trgm_ops)$$);
-- A document's progress is no indexed column: with room on the page its updates leave the indexes alone.
ALTER TABLE knowledge_documents SET (fillfactor = 80);
CREATE INDEX knowledge_documents_status_idx ON knowledge_documents (org_id, knowledge_base_id, status, id);
CREATE INDEX knowledge_documents_doubts_idx ON knowledge_documents (org_id, knowledge_base_id, id) WHERE doubts <> '{}';

-- `pattern`: of LIKE. `below`: only older ones.
CREATE FUNCTION knowledge_bases_found(pattern text, below uuid, most bigint) RETURNS SETOF uuid LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan AS $$
DECLARE
  org CONSTANT uuid := holdfast_current_org();
BEGIN
  RETURN QUERY SELECT b.id FROM knowledge_bases b
    WHERE b.org_id = org AND (b.name || ' ' || b.description) ILIKE pattern AND b.id < below
    ORDER BY b.id DESC LIMIT most;
END $$;
SELECT holdfast_found_by('knowledge_bases_found(text, uuid, bigint)', 'app');

-- NULL is no filter. Newest first, or (`oldest`) the other way round: then `beyond` is the last one of the page before. `doubted`: ready ones whose reading report has doubts, or ready ones whose has none. `doubt`: those with this one.
CREATE FUNCTION knowledge_documents_found(
  base uuid, pattern text, wanted text, doubted boolean, doubt text, by_words boolean, beyond uuid, oldest boolean, most bigint
) RETURNS SETOF uuid LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan AS $$
DECLARE
  org CONSTANT uuid := holdfast_current_org();
BEGIN
  IF oldest THEN
    RETURN QUERY SELECT d.id FROM knowledge_documents d
      WHERE d.org_id = org AND d.knowledge_base_id = base AND d.id > beyond
        AND (pattern IS NULL OR (d.filename || ' ' || coalesce(d.title, '')) ILIKE pattern)
        AND (wanted IS NULL OR d.status = wanted)
        AND (doubted IS NULL OR d.status = 'ready') AND (doubted IS NULL OR (d.doubts <> '{}') = doubted)
        AND (doubt IS NULL OR d.doubts <> '{}') AND (doubt IS NULL OR d.doubts @> ARRAY[doubt])
        AND (by_words IS NULL OR d.words_only = by_words)
      ORDER BY d.id LIMIT most;
  ELSE
    RETURN QUERY SELECT d.id FROM knowledge_documents d
      WHERE d.org_id = org AND d.knowledge_base_id = base AND d.id < beyond
        AND (pattern IS NULL OR (d.filename || ' ' || coalesce(d.title, '')) ILIKE pattern)
        AND (wanted IS NULL OR d.status = wanted)
        AND (doubted IS NULL OR d.status = 'ready') AND (doubted IS NULL OR (d.doubts <> '{}') = doubted)
        AND (doubt IS NULL OR d.doubts <> '{}') AND (doubt IS NULL OR d.doubts @> ARRAY[doubt])
        AND (by_words IS NULL OR d.words_only = by_words)
      ORDER BY d.id DESC LIMIT most;
  END IF;
END $$;
SELECT holdfast_found_by('knowledge_documents_found(uuid, text, text, boolean, text, boolean, uuid, boolean, bigint)', 'app');
