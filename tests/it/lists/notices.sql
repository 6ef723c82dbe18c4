INSERT INTO notice_items (event_id, alert_id, state, name, severity, summary, at, created_at)
  SELECT pg_temp.id(n), pg_temp.id(n), 'firing', pg_temp.word(n), 'warning', '', now(), now() FROM n LIMIT 3;
