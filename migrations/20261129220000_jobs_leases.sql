-- Which process of the installation has a duty that one of them has: a row for each duty. Expiry goes by the database's clock, so that a
-- process that is killed, frozen or cut off loses it without a word.
CREATE TABLE job_leases (
  name text CONSTRAINT job_leases_pkey PRIMARY KEY,
  -- The process, random for each start.
  holder uuid NOT NULL,
  -- Grows with each change of the holder.
  term bigint NOT NULL DEFAULT 1,
  held_since timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires_at timestamptz NOT NULL
) WITH (fillfactor = 50);
SELECT holdfast_global_table('job_leases', '');
