INSERT INTO mail_messages (id, created_at, org_id, kind, language, to_address, to_name, to_key, subject, message_id, lane, state, send_at, created_by)
  SELECT pg_temp.id(n), now(), '$org', 'api', 'en', 'person' || n || '@example.com', '', 'person' || n || '@example.com', pg_temp.word(n),
    n || '@example.com', 'default/example.com', 'sent', now(), 'x' FROM n;
INSERT INTO mail_suppressions (id, org_id, address, kind, reason, detail, created_by, created_at)
  SELECT pg_temp.id(n), '$org', 'person' || n || '@example.com', '*', 'manual', pg_temp.word(n), 'x', now() FROM n;
INSERT INTO mail_domains (id, org_id, domain, selector, rsa_private, ed25519_private, rsa_public, ed25519_public, created_at)
  SELECT pg_temp.id(n), '$org', 'd' || n || '.example.com', 'x', '', '', 'x', 'x', now() FROM n;
INSERT INTO mail_bounce_sources (id, org_id, provider, token_hash, created_by, created_at)
  SELECT pg_temp.id(n), '$org', 'ses', sha256(n::text::bytea), 'x', now() FROM n;
