INSERT INTO job_history (id, org_id, queue, kind, state, priority, attempts, max_attempts, created_at, run_at, finished_at, last_error)
  SELECT pg_temp.id(n), '$org', 'test', CASE WHEN n % 2 = 0 THEN 'test.common' ELSE 'test.other' END, 'succeeded', 0, 1, 1, now(), now(),
    now() - n * interval '8 minutes', CASE WHEN n % 1000 = 7 THEN 'a heron' WHEN n <= $rows / 5 THEN 'bygone' END FROM n;
