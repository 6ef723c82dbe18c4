-- A stored answer quotes the passages that it cites. When a document is deleted, alone or with its base, what was quoted
-- of it goes too: the citation keeps its number and the file's name, so that the answer still reads well, and says that
-- it is deleted. In the database, because a deletion must not depend on who deletes: knowledge knows nothing of agents.

CREATE FUNCTION agents_without_quotes(citations jsonb, gone uuid[]) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce(jsonb_agg(CASE WHEN (c ->> 'document_id')::uuid = ANY (gone)
      THEN c || '{"text": "", "heading": [], "page": null, "start": 0, "end": 0, "deleted": true}'
             || jsonb_build_object('title', c -> 'filename')
      ELSE c END ORDER BY n), '[]')
  FROM jsonb_array_elements(citations) WITH ORDINALITY AS t (c, n)
$$;

-- The answers that quote a document.
CREATE INDEX messages_quoted_documents_idx ON messages
  USING gin (jsonb_path_query_array(citations, '$[*].document_id') jsonb_path_ops) WHERE citations <> '[]';

-- As the owner: under row-level security the index could not be used (its operator is not leakproof). The organisation
-- is named instead.
CREATE FUNCTION agents_forget_documents() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  quoting uuid;
  deleted CONSTANT uuid[] := ARRAY(SELECT id FROM gone);
BEGIN
  -- Always in the same order: two deletions that concern the same answers wait for each other instead of dying.
  FOR quoting IN
    SELECT m.id FROM messages m
    WHERE m.id IN (
      SELECT q.id FROM gone JOIN messages q ON q.org_id = gone.org_id AND q.citations <> '[]'
        AND jsonb_path_query_array(q.citations, '$[*].document_id') @> jsonb_build_array(gone.id))
    ORDER BY m.id FOR UPDATE
  LOOP
    UPDATE messages SET citations = agents_without_quotes(citations, deleted) WHERE id = quoting;
  END LOOP;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION agents_forget_documents() FROM PUBLIC;
CREATE TRIGGER agents_forget_documents AFTER DELETE ON knowledge_documents
  REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION agents_forget_documents();

-- An answer that was being written while its document was deleted. The lock makes the two take turns: the deletion waits
-- for this commit and then finds the answer, or has been committed before and the document is not here any more.
CREATE FUNCTION agents_quote_living_documents() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  quoted CONSTANT uuid[] := ARRAY(SELECT DISTINCT (c ->> 'document_id')::uuid FROM jsonb_array_elements(NEW.citations) c);
  living CONSTANT uuid[] := ARRAY(SELECT id FROM knowledge_documents WHERE id = ANY (quoted) ORDER BY id FOR KEY SHARE);
BEGIN
  NEW.citations := agents_without_quotes(NEW.citations, ARRAY(SELECT unnest(quoted) EXCEPT SELECT unnest(living)));
  RETURN NEW;
END $$;
-- Not for the writes of the trigger above, which holds its own document and would wait for others.
CREATE TRIGGER agents_quote_living_documents BEFORE INSERT OR UPDATE OF citations ON messages
  FOR EACH ROW WHEN (jsonb_typeof(NEW.citations) = 'array' AND NEW.citations <> '[]' AND pg_trigger_depth() = 0) EXECUTE FUNCTION agents_quote_living_documents();

-- What earlier versions left behind.
UPDATE messages SET citations = citations WHERE citations <> '[]';
