INSERT INTO users (id, email, name, password_hash, created_at)
  SELECT pg_temp.id(n), 'person' || n || '@example.com', pg_temp.word(n), 'x', now() FROM n;
INSERT INTO memberships (org_id, user_id, role, created_at) SELECT '$org', pg_temp.id(n), 'member', now() FROM n;
INSERT INTO api_keys (id, org_id, name, prefix, secret_hash, scopes, created_by, created_at)
  SELECT pg_temp.id(n), '$org', pg_temp.word(n), substr(md5(n::text), 1, 8), sha256(n::text::bytea), '{inference}', '$user', now() FROM n;
INSERT INTO one_time_links (id, org_id, purpose, token_hash, email, role, created_at, expires_at)
  SELECT pg_temp.id(n), '$org', 'join', sha256(n::text::bytea), 'new' || n || '@example.com', 'member', now(), now() + interval '1 day' FROM n;
INSERT INTO organisations (id, slug, name, created_at) SELECT pg_temp.id(n), 'org-' || n, pg_temp.word(n), now() FROM n;
INSERT INTO sessions (id, user_id, token_hash, user_agent, address, created_at, last_seen_at, expires_at)
  SELECT pg_temp.id(n), '$user', sha256(n::text::bytea), '', '', now(), now(), now() + interval '1 day' FROM n;
