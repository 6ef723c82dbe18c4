INSERT INTO agents (id, org_id, slug, name, current_version, created_at, updated_at)
  SELECT pg_temp.id(n), '$org', 'a' || n, pg_temp.word(n), 1, now(), now() FROM n;
INSERT INTO agent_versions (org_id, agent_id, version, settings, created_by, created_at)
  SELECT '$org', pg_temp.id(n), 1, '{}', 'x', now() FROM n;
INSERT INTO agent_versions (org_id, agent_id, version, settings, note, created_by, created_at)
  SELECT '$org', pg_temp.id(1), 1 + n, '{}', pg_temp.word(n), 'x', now() FROM n;
INSERT INTO conversations (id, org_id, agent_id, title, subject, created_at, updated_at)
  SELECT pg_temp.id(n), '$org', pg_temp.id(1), CASE WHEN n % 2 = 0 THEN pg_temp.word(n) ELSE 'untitled' END, 'user:$user', now(), now() FROM n;
INSERT INTO messages (id, org_id, conversation_id, role, status, content, created_at)
  SELECT pg_temp.id(n), '$org', pg_temp.id(n), 'user', 'complete', 'What is ' || pg_temp.word(n) || ' here?', now() FROM n;
