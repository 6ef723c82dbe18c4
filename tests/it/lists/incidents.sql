-- Rooms come in the order of their names: the monitors of uptime are not there yet.
INSERT INTO uptime_monitors (id, org_id, key, name, kind, spec, interval_seconds, timeout_ms, retries, successes, paused_at, paused_by, created_by,
    created_at, updated_at)
  VALUES (pg_temp.other(1), '$org', 'of-a-component', 'x', 'tcp', '{"kind": "tcp", "host": "192.0.2.1", "port": 443}', 60, 10000, 2, 1, now(), 'x',
    'x', now(), now());
INSERT INTO incident_components (id, org_id, key, code, name, status, since, created_by, created_at, updated_at)
  SELECT pg_temp.id(n), '$org', 'component-' || n, lpad('c' || n, 12, '0'), pg_temp.word(n), 'operational', now(), 'x', now(), now() FROM n;
INSERT INTO incident_component_monitors (component_id, monitor_id, org_id, weight)
  VALUES (pg_temp.id(1), pg_temp.other(1), '$org', 'major_outage');
INSERT INTO incident_component_changes (id, org_id, component_id, status, at) VALUES (pg_temp.id(1), '$org', pg_temp.id(1), 'operational', now());
INSERT INTO incidents (id, org_id, code, kind, name, status, impact, severity, opened_by, started_at, resolved_at, created_at, updated_at)
  SELECT pg_temp.id(n), '$org', lpad('i' || n, 12, '0'), 'incident', pg_temp.word(n), 'resolved', 'minor', 'warning', 'x', now(), now(), now(), now()
  FROM n;
-- Everything of the last incident.
INSERT INTO incident_updates (id, org_id, code, incident_id, status, body, display_at, published, notify, created_by, created_at, updated_at)
  SELECT pg_temp.id(n), '$org', lpad('u' || n, 12, '0'), pg_temp.id($rows), 'investigating', pg_temp.word(n), now(), true, false, 'x', now(), now() FROM n;
INSERT INTO incident_log (id, org_id, incident_id, what, done_by, at)
  SELECT pg_temp.id(n), '$org', pg_temp.id($rows), 'told', 'incidents', now() FROM n;
INSERT INTO incident_causes (source, ref, org_id, incident_id, subject, name, opened_at, closed_at)
  VALUES ('monitor', pg_temp.id(1), '$org', pg_temp.id($rows), pg_temp.other(1), 'x', now(), now());
INSERT INTO incident_impacts (incident_id, component_id, org_id, status) VALUES (pg_temp.id($rows), pg_temp.id(1), '$org', 'partial_outage');
INSERT INTO incident_templates (id, org_id, name, language, title, body, status, created_by, created_at, updated_at)
  SELECT pg_temp.id(n), '$org', pg_temp.word(n) || n, 'en', 'x', 'x', 'investigating', 'x', now(), now() FROM n;
INSERT INTO incident_channels (id, org_id, key, name, kind, settings, language, zone, created_by, created_at, updated_at)
  SELECT pg_temp.id(n), '$org', 'channel-' || n, pg_temp.word(n), 'mail', '{"to": ["ops@example.com"]}', 'en', 'UTC', 'x', now(), now() FROM n;
INSERT INTO incident_rules (id, org_id, key, name, position, steps, disabled, created_by, created_at, updated_at)
  SELECT pg_temp.id(n), '$org', 'rule-' || n, pg_temp.word(n), n, '[]', true, 'x', now(), now() FROM n;
INSERT INTO incident_rotas (id, org_id, key, name, zone, layers, created_by, created_at, updated_at)
  SELECT pg_temp.id(n), '$org', 'rota-' || n, pg_temp.word(n), 'UTC', '[]', 'x', now(), now() FROM n;
INSERT INTO incident_rota_overrides (id, org_id, rota_id, user_id, starts_at, ends_at, created_by, created_at)
  SELECT pg_temp.id(n), '$org', pg_temp.id($rows), '$user', now() - interval '2 hours', now() - interval '1 hour', 'x', now() FROM n;
-- What was sent to the last channel: room webhooks has it.
INSERT INTO webhook_deliveries (id, message_id, org_id, receiver, topic, subject, body, state)
  SELECT pg_temp.other(n), pg_temp.other(n), '$org', 'incidents.' || pg_temp.id($rows), 'incidents.message', 'x', '{}', 'delivered' FROM n;
-- The appliance may have made it meanwhile.
INSERT INTO incident_defaults (org_id, made_at) VALUES ('$org', now()) ON CONFLICT DO NOTHING;
INSERT INTO incident_people (org_id, user_id, channels, language, updated_at) VALUES ('$org', '$user', '{}', 'en', now());
INSERT INTO incident_told (id, created_at, org_id, incident_id, channel_id, what)
  SELECT pg_temp.id(n), now(), '$org', pg_temp.id($rows), pg_temp.id($rows), 'opened' FROM n;
INSERT INTO incident_told_keys (incident_id, once, org_id) VALUES (pg_temp.id($rows), 'opened/1', '$org');
