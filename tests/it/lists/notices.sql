INSERT INTO notice_items (event_id, alert_id, state, name, severity, summary, at, urgent, created_at)
  SELECT pg_temp.id(n), pg_temp.id(n), 'firing', pg_temp.word(n), 'warning', '', now(), false, now() FROM n LIMIT 3;
INSERT INTO notice_counts (name, since, count) VALUES ('alerts', now(), 1);
