-- Which worker processes there are: each writes its row every few seconds for as long as it reaches the queue, and removes it when it
-- has drained. Leases tell of busy workers only; an idle one is not a dead one.
CREATE TABLE job_workers (
  id uuid CONSTRAINT job_workers_pkey PRIMARY KEY,
  -- Whose jobs it takes.
  queues text[] NOT NULL,
  started_at timestamptz NOT NULL DEFAULT now(),
  seen_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
SELECT holdfast_global_table('job_workers', '');
