-- The queue. `jobs` holds only what waits or runs, so it stays small however many jobs there have been; payloads are
-- written once and never updated; what is finished moves to partitions by week that are dropped whole. A running
-- pg_dump, whose snapshot keeps every dead row from being vacuumed, then has little to slow down.
--
-- Jobs without an organisation are the system's own: tenants neither see nor make them (NULL equals nothing).
-- Organisations are not referenced by a foreign key: its share lock would make every enqueue touch one hot row.

CREATE TABLE job_queues (
  name text CONSTRAINT job_queues_pkey PRIMARY KEY
    CONSTRAINT job_queues_name_check CHECK (name ~ '^[a-z][a-z0-9_.]{0,62}$'),
  paused boolean NOT NULL DEFAULT false,
  -- Jobs of this queue that run at once, over all workers; NULL: as many as the workers have room for.
  concurrency integer CONSTRAINT job_queues_concurrency_check CHECK (concurrency BETWEEN 1 AND 10000),
  -- Jobs that may start within a minute, over all workers; NULL: no limit.
  rate_per_minute integer CONSTRAINT job_queues_rate_per_minute_check CHECK (rate_per_minute BETWEEN 1 AND 1000000),
  -- GCRA: when the next job may start if jobs came evenly spaced ("theoretical arrival time").
  rate_next_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
SELECT holdfast_global_table('job_queues', 'select');

CREATE TABLE jobs (
  id uuid CONSTRAINT jobs_pkey PRIMARY KEY,
  org_id uuid,
  queue text NOT NULL,
  kind text NOT NULL,
  state text NOT NULL DEFAULT 'queued' CONSTRAINT jobs_state_check CHECK (state IN ('queued', 'running')),
  priority smallint NOT NULL DEFAULT 0 CONSTRAINT jobs_priority_check CHECK (priority BETWEEN -9 AND 9),
  run_at timestamptz NOT NULL,
  -- run_at less one minute for each step of priority: the order of leasing. A job that has waited p minutes longer
  -- equals one with p more priority, so nothing waits for ever, and the order is an index.
  order_at timestamptz NOT NULL,
  attempt integer NOT NULL DEFAULT 0 CONSTRAINT jobs_attempt_check CHECK (attempt >= 0),
  max_attempts integer NOT NULL CONSTRAINT jobs_max_attempts_check CHECK (max_attempts BETWEEN 1 AND 100),
  -- Fencing token: grows with each lease; heartbeats and completions must name the present one.
  lease_no integer NOT NULL DEFAULT 0,
  leased_until timestamptz,
  worker_id uuid,
  started_at timestamptz,
  unique_key text CONSTRAINT jobs_unique_key_check CHECK (length(unique_key) BETWEEN 1 AND 300),
  concurrency_key text CONSTRAINT jobs_concurrency_key_check CHECK (length(concurrency_key) BETWEEN 1 AND 300),
  cancel_requested boolean NOT NULL DEFAULT false,
  progress smallint NOT NULL DEFAULT 0 CONSTRAINT jobs_progress_check CHECK (progress BETWEEN 0 AND 100),
  progress_note text NOT NULL DEFAULT '',
  last_error text,
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT jobs_lease_check CHECK (
    (state = 'running') = (leased_until IS NOT NULL AND worker_id IS NOT NULL AND started_at IS NOT NULL)
  )
) WITH (
  -- Heartbeats change no indexed column: with room on the page they are heap-only updates.
  fillfactor = 70,
  -- Rows live for seconds: vacuum by number of dead rows, not by a share of a table that is nearly empty.
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0,
  autovacuum_vacuum_insert_threshold = 10000,
  autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 1000
);
SELECT holdfast_tenant_table('jobs');
-- The worker leases, beats and finishes before it knows whose job it has.
SELECT holdfast_system_access('jobs');
CREATE INDEX jobs_due_idx ON jobs (queue, order_at, id) WHERE state = 'queued';
CREATE INDEX jobs_running_idx ON jobs (queue) WHERE state = 'running';
CREATE INDEX jobs_org_idx ON jobs (org_id, id);
CREATE UNIQUE INDEX jobs_unique_key_key ON jobs (org_id, kind, unique_key) NULLS NOT DISTINCT WHERE unique_key IS NOT NULL;
-- One running job for each concurrency key, whatever leases race: the schema's promise, not the worker's.
CREATE UNIQUE INDEX jobs_concurrency_key_key ON jobs (concurrency_key) WHERE state = 'running' AND concurrency_key IS NOT NULL;
CREATE INDEX jobs_concurrency_waiting_idx ON jobs (concurrency_key, queue, order_at, id) WHERE state = 'queued' AND concurrency_key IS NOT NULL;

-- Written with the job, never updated. Found by (created_at, job_id), both of which the job carries.
CREATE TABLE job_payloads (
  job_id uuid NOT NULL,
  org_id uuid,
  created_at timestamptz NOT NULL,
  payload json NOT NULL,
  -- The HTTP request that asked for it, to find its log lines.
  request_id text,
  CONSTRAINT job_payloads_pkey PRIMARY KEY (job_id, created_at)
) PARTITION BY RANGE (created_at);
SELECT holdfast_tenant_table('job_payloads');
-- Leasing hands the payload to the worker.
SELECT holdfast_system_access('job_payloads');

-- One row for each job that has ended.
CREATE TABLE job_history (
  id uuid NOT NULL,
  org_id uuid,
  queue text NOT NULL,
  kind text NOT NULL,
  -- dead: gave up, see job_dead_letters.
  state text NOT NULL CONSTRAINT job_history_state_check CHECK (state IN ('succeeded', 'cancelled', 'dead')),
  priority smallint NOT NULL,
  attempts integer NOT NULL,
  max_attempts integer NOT NULL,
  -- With id: where the payload is, as long as its partition is kept.
  created_at timestamptz NOT NULL,
  run_at timestamptz NOT NULL,
  -- Of the last attempt; NULL when it never ran.
  started_at timestamptz,
  finished_at timestamptz NOT NULL,
  last_error text,
  CONSTRAINT job_history_pkey PRIMARY KEY (id, finished_at)
) PARTITION BY RANGE (finished_at);
SELECT holdfast_tenant_table('job_history');
-- Completions are written by the worker.
SELECT holdfast_system_access('job_history');
CREATE INDEX job_history_org_idx ON job_history (org_id, id);
CREATE INDEX job_history_dead_idx ON job_history (queue, finished_at) WHERE state = 'dead';

-- One row for each attempt that has ended.
CREATE TABLE job_attempts (
  job_id uuid NOT NULL,
  org_id uuid,
  lease_no integer NOT NULL,
  attempt integer NOT NULL,
  worker_id uuid NOT NULL,
  -- lost: the worker stopped answering, the lease ran out.
  outcome text NOT NULL CONSTRAINT job_attempts_outcome_check CHECK (outcome IN ('succeeded', 'failed', 'cancelled', 'lost')),
  started_at timestamptz NOT NULL,
  finished_at timestamptz NOT NULL,
  -- The chain of causes, outermost first.
  error text,
  CONSTRAINT job_attempts_pkey PRIMARY KEY (job_id, lease_no, finished_at)
) PARTITION BY RANGE (finished_at);
SELECT holdfast_tenant_table('job_attempts');
-- Written by the worker.
SELECT holdfast_system_access('job_attempts');
CREATE INDEX job_attempts_org_idx ON job_attempts (org_id);

-- Jobs that gave up, complete enough to be run again after the rest of their history is gone.
CREATE TABLE job_dead_letters (
  job_id uuid CONSTRAINT job_dead_letters_pkey PRIMARY KEY,
  org_id uuid,
  queue text NOT NULL,
  kind text NOT NULL,
  priority smallint NOT NULL,
  max_attempts integer NOT NULL,
  concurrency_key text,
  payload json NOT NULL,
  attempts integer NOT NULL,
  error text NOT NULL,
  died_at timestamptz NOT NULL
);
SELECT holdfast_tenant_table('job_dead_letters');
-- Written by the worker; counted for gauges.
SELECT holdfast_system_access('job_dead_letters');
CREATE INDEX job_dead_letters_org_idx ON job_dead_letters (org_id, job_id);
CREATE INDEX job_dead_letters_queue_idx ON job_dead_letters (queue);

-- Cron. Whoever moves next_at from the tick it read to the following one enqueues that tick's job in the same
-- transaction: exactly one job for each tick, whatever number of workers looks.
CREATE TABLE job_schedules (
  name text CONSTRAINT job_schedules_pkey PRIMARY KEY,
  kind text NOT NULL,
  cron text NOT NULL,
  time_zone text NOT NULL,
  catch_up text NOT NULL CONSTRAINT job_schedules_catch_up_check CHECK (catch_up IN ('skip', 'one')),
  next_at timestamptz NOT NULL,
  -- The tick that fired last, and the job that it made.
  last_at timestamptz,
  last_job_id uuid,
  updated_at timestamptz NOT NULL DEFAULT now()
);
SELECT holdfast_global_table('job_schedules', '');

-- Catches rows that no week's partition takes (the appliance was off when its week should have been made).
CREATE TABLE job_payloads_default PARTITION OF job_payloads DEFAULT;
CREATE TABLE job_history_default PARTITION OF job_history DEFAULT;
CREATE TABLE job_attempts_default PARTITION OF job_attempts DEFAULT;

-- Makes the partitions of this week and the next two, drops those that ended more than `retention` ago. Runs as the
-- owner because only an owner may; system may call it. Waits for a lock at most a second (a backup holds share locks
-- on all tables, and everything queues behind a waiting exclusive lock): what it could not do now, it does at its
-- next run. A week of payloads stays as long as a job of that week waits or runs.
CREATE FUNCTION holdfast_jobs_maintain(retention interval, OUT created integer, OUT dropped integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
  parent text; key text; week timestamptz; part text; old record;
  this_week CONSTANT timestamptz := date_trunc('week', now(), 'UTC');
BEGIN
  created := 0;
  dropped := 0;
  PERFORM pg_advisory_xact_lock(hashtextextended('holdfast jobs maintain', 0));
  FOR parent, key IN VALUES ('job_payloads', 'created_at'), ('job_history', 'finished_at'), ('job_attempts', 'finished_at') LOOP
    FOR i IN 0..2 LOOP
      week := this_week + i * interval '168 hours';
      part := parent || '_' || to_char(week AT TIME ZONE 'UTC', 'YYYYMMDD');
      CONTINUE WHEN to_regclass(part) IS NOT NULL;
      EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', part, parent);
      EXECUTE format(
        'WITH moved AS (DELETE FROM %I WHERE %I >= %L AND %I < %L RETURNING *) INSERT INTO %I SELECT * FROM moved',
        parent || '_default', key, week, key, week + interval '168 hours', part);
      EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, part, week, week + interval '168 hours');
      created := created + 1;
    END LOOP;
    FOR old IN
      SELECT c.relname AS name, to_date(right(c.relname, 8), 'YYYYMMDD')::timestamp AT TIME ZONE 'UTC' AS starts
      FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid
      WHERE h.inhparent = parent::regclass AND c.relname ~ '_[0-9]{8}$'
    LOOP
      CONTINUE WHEN old.starts + interval '168 hours' > now() - retention;
      CONTINUE WHEN parent = 'job_payloads'
        AND EXISTS (SELECT FROM jobs j WHERE j.created_at >= old.starts AND j.created_at < old.starts + interval '168 hours');
      BEGIN
        EXECUTE format('DROP TABLE %I', old.name);
        dropped := dropped + 1;
      EXCEPTION WHEN lock_not_available THEN NULL;
      END;
    END LOOP;
    EXECUTE format('DELETE FROM %I WHERE %I < now() - $1', parent || '_default', key) USING retention;
  END LOOP;
END $$;
REVOKE ALL ON FUNCTION holdfast_jobs_maintain(interval) FROM PUBLIC;
DO $$ BEGIN
  EXECUTE format('GRANT EXECUTE ON FUNCTION holdfast_jobs_maintain(interval) TO %I', holdfast_role('system'));
END $$;
SELECT holdfast_jobs_maintain('30 days');
