INSERT INTO backups (id, sequence, kind, status, started_at, finished_at) SELECT pg_temp.id(n), n, 'scheduled', 'failed', now(), now() FROM n;
