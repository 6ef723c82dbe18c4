INSERT INTO notes (id, org_id, title, text, created_by, created_at)
  SELECT pg_temp.id(n), '$org', pg_temp.word(n), 'x', 'x', now() FROM n;
