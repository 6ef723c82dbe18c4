-- Run once, when the cluster is made. In the database `postgres`, not in ours: a dump of ours must not need a superuser to be restored.
\connect postgres
CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
