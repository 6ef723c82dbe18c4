INSERT INTO knowledge_bases (id, org_id, name, created_by, created_at, updated_at)
  SELECT pg_temp.id(n), '$org', pg_temp.word(n) || n, 'x', now(), now() FROM n;
INSERT INTO knowledge_documents (id, org_id, knowledge_base_id, filename, kind, size, sha256, status, chunks, created_by, created_at, updated_at)
  SELECT pg_temp.id(n), '$org', pg_temp.id($rows), pg_temp.word(n) || n || '.pdf', 'pdf', 1, sha256(n::text::bytea),
    'ready', 1, 'x', now(), now() FROM n;
INSERT INTO knowledge_documents (id, org_id, knowledge_base_id, filename, kind, size, sha256, status, created_by, created_at, updated_at)
  SELECT pg_temp.other(n), '$org', pg_temp.id(n), 'one', 'pdf', 1, sha256('x'), 'ready', 'x', now(), now() FROM n;
INSERT INTO knowledge_chunks (id, org_id, document_id, ordinal, text, start_char, end_char, heading, tokens, text_sha256)
  SELECT pg_temp.id(n), '$org', pg_temp.id(1), n, 'x', 0, 1, '{}', 1, sha256('x') FROM n;
-- Somebody else's, so that the organisation is not all there is.
INSERT INTO knowledge_bases (id, org_id, name, created_by, created_at, updated_at)
  SELECT pg_temp.other(n), pg_temp.id(1), 'common' || n, 'x', now(), now() FROM n;
