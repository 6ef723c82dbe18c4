-- How many documents a base has, of which status, with how many passages and bytes. Kept with every change, because a list of bases (and the
-- question whether a base is ready, asked after each upload) would otherwise read every document of every base that it shows.
-- A base without a row has no document: making a base costs no second row.

CREATE TABLE knowledge_base_counts (
  knowledge_base_id uuid CONSTRAINT knowledge_base_counts_pkey PRIMARY KEY,
  org_id uuid NOT NULL,
  documents bigint NOT NULL,
  ready bigint NOT NULL,
  failed bigint NOT NULL,
  -- Ready ones whose reading report has doubts, and ready ones that are found by their words alone.
  doubted bigint NOT NULL,
  words_only bigint NOT NULL,
  chunks bigint NOT NULL,
  size bigint NOT NULL,
  CONSTRAINT knowledge_base_counts_knowledge_base_id_fkey FOREIGN KEY (org_id, knowledge_base_id)
    REFERENCES knowledge_bases (org_id, id) ON DELETE CASCADE
) WITH (
  -- No indexed column changes: with room on the page its updates are heap-only. Many updates of few rows: vacuum by their number.
  fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500
);
CREATE INDEX knowledge_base_counts_org_id_idx ON knowledge_base_counts (org_id, knowledge_base_id);
SELECT holdfast_tenant_table('knowledge_base_counts');

-- Once for each statement, whoever runs it. A base that is being deleted has lost its row already.
CREATE FUNCTION knowledge_count_documents() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO knowledge_base_counts AS c
    SELECT a.knowledge_base_id, a.org_id, count(*), count(*) FILTER (WHERE a.status = 'ready'), count(*) FILTER (WHERE a.status = 'failed'),
           count(*) FILTER (WHERE a.status = 'ready' AND a.doubts <> '{}'), count(*) FILTER (WHERE a.status = 'ready' AND a.words_only),
           sum(a.chunks), sum(a.size)
    FROM added a GROUP BY 1, 2
    ON CONFLICT ON CONSTRAINT knowledge_base_counts_pkey DO UPDATE SET
      documents = c.documents + excluded.documents, ready = c.ready + excluded.ready, failed = c.failed + excluded.failed,
      doubted = c.doubted + excluded.doubted, words_only = c.words_only + excluded.words_only,
      chunks = c.chunks + excluded.chunks, size = c.size + excluded.size;
  ELSIF TG_OP = 'DELETE' THEN
    UPDATE knowledge_base_counts c SET
      documents = c.documents - r.documents, ready = c.ready - r.ready, failed = c.failed - r.failed, doubted = c.doubted - r.doubted,
      words_only = c.words_only - r.words_only, chunks = c.chunks - r.chunks, size = c.size - r.size
    FROM (
      SELECT d.knowledge_base_id, count(*) AS documents, count(*) FILTER (WHERE d.status = 'ready') AS ready,
             count(*) FILTER (WHERE d.status = 'failed') AS failed,
             count(*) FILTER (WHERE d.status = 'ready' AND d.doubts <> '{}') AS doubted,
             count(*) FILTER (WHERE d.status = 'ready' AND d.words_only) AS words_only, sum(d.chunks) AS chunks, sum(d.size) AS size
      FROM removed d GROUP BY 1) r
    WHERE c.knowledge_base_id = r.knowledge_base_id;
  ELSE
    -- A document stays in its base.
    UPDATE knowledge_base_counts c SET
      ready = c.ready + n.ready, failed = c.failed + n.failed, doubted = c.doubted + n.doubted, words_only = c.words_only + n.words_only,
      chunks = c.chunks + n.chunks, size = c.size + n.size
    FROM (
      SELECT a.knowledge_base_id, sum((a.status = 'ready')::int - (r.status = 'ready')::int) AS ready,
             sum((a.status = 'failed')::int - (r.status = 'failed')::int) AS failed,
             sum((a.status = 'ready' AND a.doubts <> '{}')::int - (r.status = 'ready' AND r.doubts <> '{}')::int) AS doubted,
             sum((a.status = 'ready' AND a.words_only)::int - (r.status = 'ready' AND r.words_only)::int) AS words_only,
             sum(a.chunks - r.chunks) AS chunks, sum(a.size - r.size) AS size
      FROM added a JOIN removed r ON r.id = a.id
      WHERE (a.status, a.doubts, a.words_only, a.chunks, a.size) IS DISTINCT FROM (r.status, r.doubts, r.words_only, r.chunks, r.size)
      GROUP BY 1) n
    WHERE c.knowledge_base_id = n.knowledge_base_id
      AND (n.ready, n.failed, n.doubted, n.words_only, n.chunks, n.size) IS DISTINCT FROM (0, 0, 0, 0, 0, 0);
  END IF;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION knowledge_count_documents() FROM PUBLIC;
CREATE TRIGGER knowledge_count_added AFTER INSERT ON knowledge_documents
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION knowledge_count_documents();
CREATE TRIGGER knowledge_count_changed AFTER UPDATE ON knowledge_documents
  REFERENCING NEW TABLE AS added OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION knowledge_count_documents();
CREATE TRIGGER knowledge_count_removed AFTER DELETE ON knowledge_documents
  REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION knowledge_count_documents();

INSERT INTO knowledge_base_counts
SELECT knowledge_base_id, org_id, count(*), count(*) FILTER (WHERE status = 'ready'), count(*) FILTER (WHERE status = 'failed'),
       count(*) FILTER (WHERE status = 'ready' AND doubts <> '{}'), count(*) FILTER (WHERE status = 'ready' AND words_only), sum(chunks), sum(size)
FROM knowledge_documents GROUP BY 1, 2;
