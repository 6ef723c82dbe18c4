INSERT INTO mail_messages (id, created_at, org_id, kind, language, to_address, to_name, to_key, subject, message_id, lane, state, send_at, created_by)
  SELECT pg_temp.id(n), now(), '$org', 'api', 'en', 'person' || n || '@example.com', '', 'person' || n || '@example.com', pg_temp.word(n),
    n || '@example.com', 'default/example.com', 'sent', now(), 'x' FROM n;
INSERT INTO mail_suppressions (id, org_id, address, kind, reason, detail, created_by, created_at)
  SELECT pg_temp.id(n), '$org', 'person' || n || '@example.com', '*', 'manual', pg_temp.word(n), 'x', now() FROM n;
INSERT INTO mail_domains (id, org_id, domain, selector, rsa_private, ed25519_private, rsa_public, ed25519_public, created_at)
  SELECT pg_temp.id(n), '$org', 'd' || n || '.example.com', 'x', '', '', 'x', 'x', now() FROM n;
INSERT INTO mail_bounce_sources (id, org_id, provider, token_hash, created_by, created_at)
  SELECT pg_temp.id(n), '$org', 'ses', sha256(n::text::bytea), 'x', now() FROM n;
INSERT INTO mail_bodies (id, created_at, org_id, text) SELECT id, created_at, org_id, 'x' FROM mail_messages LIMIT 1;
INSERT INTO mail_attempts (message_id, attempt, created_at, org_id, began_at, ended_at, outcome, status, answer, milliseconds)
  SELECT id, 1, created_at, org_id, now(), now(), 'sent', 250, '250 Ok', 1 FROM mail_messages LIMIT 1;
INSERT INTO mail_keys (org_id, key, message_id, created_at) VALUES ('$org', 'x', pg_temp.id(1), now());
INSERT INTO mail_accounts (account, failures, failing_since, retry_at, error) VALUES ('another', 1, now(), now(), 'x');
INSERT INTO mail_templates (id, org_id, name, language, subject, text, html, updated_by, updated_at)
  VALUES (pg_temp.id(1), '$org', 'welcome', 'en', 'x', 'x', 'x', 'x', now());
INSERT INTO mail_branding (org_id, name, color, footer, updated_at) VALUES ('$org', 'x', '#0a756b', '', now());
INSERT INTO mail_bounce_tokens (source_id, token, body, used_at) VALUES (pg_temp.id(1), sha256('x'), sha256('x'), now());
INSERT INTO mail_bounces (id, org_id, source, provider_event_id, kind, status, detail, raw, created_at)
  VALUES (pg_temp.id(1), '$org', 'imap', 'x', 'hard', '5.1.1', 'x', 'x', now());
INSERT INTO mail_own_templates (id, org_id, name, example, texts, updated_by, updated_at)
  SELECT pg_temp.id(n), '$org', 't' || n, '{}', '{"en": {"subject": "x", "text": "x", "html": "x"}}', 'x', now() FROM n;
INSERT INTO mail_files (object, org_id, size, used, created_at) VALUES ('$org/20261130/x', '$org', 1, true, now());
INSERT INTO mail_mailboxes (mailbox, read_at) VALUES ('another', now());
