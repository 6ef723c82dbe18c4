-- Paused: otherwise the appliance would check them, and the rows would not stay as they are.
INSERT INTO uptime_groups (id, org_id, key, name, created_by, created_at, updated_at)
  SELECT pg_temp.id(n), '$org', 'group-' || n, pg_temp.word(n), 'x', now(), now() FROM n;
INSERT INTO uptime_monitors (id, org_id, key, name, kind, spec, group_id, tags, interval_seconds, timeout_ms, retries, successes, paused_at, paused_by,
    created_by, created_at, updated_at)
  SELECT pg_temp.id(n), '$org', 'monitor-' || n, pg_temp.word(n), 'tcp', '{"kind": "tcp", "host": "192.0.2.1", "port": 443}', pg_temp.id(n), '{x}', 60,
    10000, 2, 1, now(), 'x', 'x', now(), now() FROM n;
INSERT INTO uptime_state (monitor_id, org_id, status, since, updated_at) SELECT pg_temp.id(n), '$org', 'paused', now(), now() FROM n;
INSERT INTO uptime_windows (id, org_id, key, name, starts_at, ends_at, zone, created_by, created_at, updated_at)
  SELECT pg_temp.id(n), '$org', 'window-' || n, pg_temp.word(n), now() - interval '2 hours', now() - interval '1 hour', 'UTC', 'x', now(), now() FROM n;
INSERT INTO uptime_imports (id, org_id, source, file_name, report, created_by, created_at)
  SELECT pg_temp.id(n), '$org', 'gatus', pg_temp.word(n), '{}', 'x', now() FROM n;
-- The history of the last monitor: the same times whatever the number of rows, and none to come. It is paused, so none lasts.
INSERT INTO uptime_spans (id, org_id, monitor_id, status, starts_at, ends_at, confirmed_at, cause, term)
  SELECT pg_temp.id(n), '$org', pg_temp.id($rows), 'down', now() + (n - $rows - 2) * interval '10 seconds',
    now() + (n - $rows - 1) * interval '10 seconds', now(), 'check', 1 FROM n;
INSERT INTO uptime_checks (at, monitor, org_id, total, lag, outcome, reason, attempt, maintenance, address)
  SELECT now() + (n - $rows - 1) * interval '10 seconds', m.number, '$org', 1000 + n, 1, 0, 0, 1, false, '192.0.2.1'
  FROM n, uptime_monitors m WHERE m.id = pg_temp.id($rows);
INSERT INTO uptime_minutes (hour, monitor, org_id, minutes)
  SELECT date_trunc('hour', now()), m.number, '$org', '' FROM uptime_monitors m WHERE m.id = pg_temp.id($rows);
INSERT INTO uptime_days (monitor, day, org_id, checks, failed, slowest, total, sketch, hours)
  SELECT m.number, current_date - 1, '$org', 1, 0, 1, 1, '', '' FROM uptime_monitors m WHERE m.id = pg_temp.id($rows);
INSERT INTO uptime_beats (org_id, monitor_id, received_at, beat) VALUES ('$org', pg_temp.id(1), now(), 'ok');
INSERT INTO uptime_file (path, digest, read_at, problems, counts) VALUES ('/nowhere/uptime.toml', '', now(), '[]', '{}');
