-- Searching and filtering the lists of knowledge bases and documents; how, says 20261129210000_platform_search.sql.

SELECT holdfast_search_index('knowledge_bases_search_idx',
  $$knowledge_bases USING gin (org_id, (name || ' ' || description) gin_trgm_ops)$$);
SELECT holdfast_search_index('knowledge_documents_search_idx',
  $$knowledge_documents USING gin (knowledge_base_id, (filename || ' ' || coalesce(title, '')) gin_trgm_ops)$$);
-- A document's progress is no indexed column: with room on the page its updates leave the indexes alone.
ALTER TABLE knowledge_documents SET (fillfactor = 80);
CREATE INDEX knowledge_documents_status_idx ON knowledge_documents (org_id, knowledge_base_id, status, id);
CREATE INDEX knowledge_documents_doubts_idx ON knowledge_documents (org_id, knowledge_base_id, id) WHERE doubts <> '{}';

CREATE FUNCTION knowledge_bases_found(pattern text, below uuid, most bigint) RETURNS SETOF uuid LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT holdfast_found(format('knowledge_bases b WHERE b.org_id = %L', holdfast_current_org()),
    'b.id', $q$(b.name || ' ' || b.description)$q$, pattern, below, false, most)
$$;
SELECT holdfast_found_by('knowledge_bases_found(text, uuid, bigint)', 'app');

-- NULL is no filter. `doubted`: ready ones whose reading report has doubts, or ready ones whose has none. `doubt`: those with this one.
CREATE FUNCTION knowledge_documents_found(
  base uuid, pattern text, status text, doubted boolean, doubt text, words_only boolean, beyond uuid, oldest boolean, most bigint
) RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT holdfast_found(concat(
      format('knowledge_documents d WHERE d.org_id = %L AND d.knowledge_base_id = %L', holdfast_current_org(), base),
      CASE WHEN status IS NOT NULL THEN format(' AND d.status = %L', status) END,
      CASE doubted WHEN true THEN $q$ AND d.status = 'ready' AND d.doubts <> '{}'$q$ WHEN false THEN $q$ AND d.status = 'ready' AND d.doubts = '{}'$q$ END,
      CASE WHEN doubt IS NOT NULL THEN format($q$ AND d.doubts <> '{}' AND d.doubts @> ARRAY[%L]$q$, doubt) END,
      CASE words_only WHEN true THEN ' AND d.words_only' WHEN false THEN ' AND NOT d.words_only' END),
    'd.id', $q$(d.filename || ' ' || coalesce(d.title, ''))$q$, pattern, beyond, oldest, most)
$$;
SELECT holdfast_found_by('knowledge_documents_found(uuid, text, text, boolean, text, boolean, uuid, boolean, bigint)', 'app');
