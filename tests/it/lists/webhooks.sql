INSERT INTO webhook_endpoints (id, org_id, url, description, topics, secret, created_by, created_at, updated_at)
  SELECT pg_temp.id(n), '$org', 'https://example.com/' || n, pg_temp.word(n), '{webhooks.none}', '', 'x', now(), now() FROM n;
INSERT INTO webhook_deliveries (id, message_id, org_id, receiver, topic, subject, body, state)
  SELECT pg_temp.id(n), pg_temp.id(n), '$org', pg_temp.id($rows)::text, 'webhooks.none', 'x', pg_temp.word(n), 'delivered' FROM n;
