-- Half of them in this week's partition, on every day of the week: PostgreSQL reads a partition of a few hundred rows whole, with or without an index.
INSERT INTO job_history (id, org_id, queue, kind, state, priority, attempts, max_attempts, created_at, run_at, finished_at, last_error)
  SELECT pg_temp.id(n), '$org', 'test', CASE WHEN n % 2 = 0 THEN 'test.common' ELSE 'test.other' END, 'succeeded', 0, 1, 1, now(), now(),
    CASE WHEN n % 4 < 2 THEN now() - (now() - week) * (n / ($rows + 1.0)) ELSE week - n * interval '8 minutes' END,
    CASE WHEN n % 1000 = 7 THEN 'a heron' WHEN n <= $rows / 5 THEN 'bygone' END
  FROM n, LATERAL (SELECT date_trunc('week', now(), 'UTC') AS week) AS of_now;
