-- Raw checks, by day, for `uptime.keep_checks_days`; what they are rolled up into; beats.

CREATE TABLE uptime_checks (
  -- When its first attempt really started, by the prober's clock: with `monitor` it makes a batch that is written again harmless.
  at timestamptz NOT NULL,
  -- uptime_monitors.number. No foreign key: the rows of a deleted monitor go with their partition.
  monitor integer NOT NULL,
  -- Microseconds, of the whole attempt and of its phases. NULL: the phase was not reached, or the kind has none.
  total integer NOT NULL,
  resolve integer,
  connect integer,
  tls integer,
  first_byte integer,
  transfer integer,
  -- How late it started, milliseconds.
  lag integer NOT NULL,
  -- 0 up, 1 down, 2 degraded, 3 failed and not confirmed.
  outcome smallint NOT NULL CONSTRAINT uptime_checks_outcome_check CHECK (outcome BETWEEN 0 AND 3),
  -- Why it failed, as a number: uptime::Reason. 0: it did not.
  reason smallint NOT NULL,
  -- Number of the attempt, 1 for the first.
  attempt smallint NOT NULL,
  -- Status of HTTP and gRPC, reply code of SMTP, RCODE of DNS.
  code smallint,
  -- It ran in a maintenance window.
  maintenance boolean NOT NULL,
  org_id uuid,
  address inet,
  -- Of failures only, at most 500 characters.
  error text,
  CONSTRAINT uptime_checks_pkey PRIMARY KEY (monitor, at)
) PARTITION BY RANGE (at);
SELECT holdfast_tenant_table('uptime_checks');
SELECT holdfast_system_access('uptime_checks');
-- For whole hours of all monitors; within a day's partition rows come in the order of time.
CREATE INDEX uptime_checks_at_idx ON uptime_checks USING brin (at) WITH (pages_per_range = 32, autosummarize = on);
CREATE TABLE uptime_checks_default PARTITION OF uptime_checks DEFAULT;

-- One row for a monitor and an hour: its minutes as bytes (uptime::history::pack). Partitioned by month.
CREATE TABLE uptime_minutes (
  hour timestamptz NOT NULL,
  monitor integer NOT NULL,
  org_id uuid,
  minutes bytea NOT NULL,
  CONSTRAINT uptime_minutes_pkey PRIMARY KEY (monitor, hour)
) PARTITION BY RANGE (hour);
SELECT holdfast_tenant_table('uptime_minutes');
SELECT holdfast_system_access('uptime_minutes');
CREATE TABLE uptime_minutes_default PARTITION OF uptime_minutes DEFAULT;

-- One row for a monitor and a day (UTC): the day, and its 24 hours as bytes.
CREATE TABLE uptime_days (
  monitor integer NOT NULL CONSTRAINT uptime_days_monitor_fkey REFERENCES uptime_monitors (number) ON DELETE CASCADE,
  day date NOT NULL,
  org_id uuid,
  checks integer NOT NULL,
  failed integer NOT NULL,
  -- Of those that succeeded: the slowest, and the sum, microseconds; their percentiles as bytes (uptime::history::sketch).
  slowest integer NOT NULL,
  total bigint NOT NULL,
  sketch bytea NOT NULL,
  hours bytea NOT NULL,
  CONSTRAINT uptime_days_pkey PRIMARY KEY (monitor, day)
) WITH (fillfactor = 80);
CREATE INDEX uptime_days_day_idx ON uptime_days USING brin (day) WITH (pages_per_range = 32, autosummarize = on);
SELECT holdfast_tenant_table('uptime_days');
SELECT holdfast_system_access('uptime_days');

-- Hours that must be rolled up. The writer names one with the first check that it writes into it, and again with each batch that comes after its end;
-- the job takes it away with the result, if it was not named again meanwhile.
CREATE TABLE uptime_hours_open (
  hour timestamptz CONSTRAINT uptime_hours_open_pkey PRIMARY KEY,
  -- How often it was named.
  named bigint NOT NULL DEFAULT 1
);
SELECT holdfast_global_table('uptime_hours_open', '');

-- Beats of heartbeat monitors, kept for a day. The prober reads them in the order of `ordinal`, of which one may become visible after a greater one.
CREATE TABLE uptime_beats (
  ordinal bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT uptime_beats_pkey PRIMARY KEY,
  org_id uuid,
  monitor_id uuid NOT NULL CONSTRAINT uptime_beats_monitor_id_fkey REFERENCES uptime_monitors (id) ON DELETE CASCADE,
  received_at timestamptz NOT NULL,
  beat text NOT NULL CONSTRAINT uptime_beats_beat_check CHECK (beat IN ('start', 'ok', 'fail')),
  -- What the sender says that it took, milliseconds.
  took integer,
  message text NOT NULL DEFAULT ''
);
CREATE INDEX uptime_beats_monitor_idx ON uptime_beats (monitor_id, received_at);
CREATE INDEX uptime_beats_received_idx ON uptime_beats (received_at);
SELECT holdfast_tenant_table('uptime_beats');
SELECT holdfast_system_access('uptime_beats');

-- Makes the partitions of checks from yesterday to the day after tomorrow, and those of minutes of this month and the next; drops those that ended
-- longer ago than `keep_checks` and `keep_minutes`, but no day with an hour that waits for its rollup. As holdfast_weekly_partitions: with a lock
-- it waits for a second at most.
CREATE FUNCTION holdfast_uptime_maintain(keep_checks interval, keep_minutes interval, OUT created integer, OUT dropped integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
  kept record;
  old record;
  starts timestamptz;
  ends timestamptz;
  part text;
BEGIN
  created := 0;
  dropped := 0;
  PERFORM pg_advisory_xact_lock(hashtextextended('holdfast uptime partitions', 0));
  FOR kept IN
    SELECT * FROM (VALUES
      ('uptime_checks', 'at', 'day', interval '1 day', -1, 2, keep_checks),
      ('uptime_minutes', 'hour', 'month', interval '1 month', 0, 1, keep_minutes)
    ) AS k (parent, col, unit, step, first, last, keep)
  LOOP
    FOR i IN kept.first..kept.last LOOP
      -- Added to a time without a zone: a month is then a month, and a day a day, whatever the session's zone.
      starts := (date_trunc(kept.unit, now() AT TIME ZONE 'UTC') + i * kept.step) AT TIME ZONE 'UTC';
      ends := (date_trunc(kept.unit, now() AT TIME ZONE 'UTC') + (i + 1) * kept.step) AT TIME ZONE 'UTC';
      part := kept.parent || '_' || to_char(starts AT TIME ZONE 'UTC', 'YYYYMMDD');
      CONTINUE WHEN to_regclass(part) IS NOT NULL;
      EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', part, kept.parent);
      EXECUTE format(
        'WITH moved AS (DELETE FROM %1$I WHERE %2$I >= %3$L AND %2$I < %4$L RETURNING *) INSERT INTO %5$I SELECT * FROM moved',
        kept.parent || '_default', kept.col, starts, ends, part);
      EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', kept.parent, part, starts, ends);
      created := created + 1;
    END LOOP;
    FOR old IN
      SELECT c.relname AS name, to_date(right(c.relname, 8), 'YYYYMMDD')::timestamp AS starts
      FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid
      WHERE h.inhparent = kept.parent::regclass AND c.relname ~ '_[0-9]{8}$'
    LOOP
      CONTINUE WHEN (old.starts + kept.step) AT TIME ZONE 'UTC' > now() - kept.keep;
      CONTINUE WHEN kept.parent = 'uptime_checks' AND EXISTS (SELECT FROM uptime_hours_open o
        WHERE o.hour >= old.starts AT TIME ZONE 'UTC' AND o.hour < (old.starts + kept.step) AT TIME ZONE 'UTC');
      BEGIN
        EXECUTE format('DROP TABLE %I', old.name);
        dropped := dropped + 1;
      EXCEPTION WHEN lock_not_available THEN NULL;
      END;
    END LOOP;
  END LOOP;
  -- Rows outside of all partitions: by a clock that was wrong, or from the time without a worker.
  DELETE FROM uptime_checks_default c WHERE c.at < now() - keep_checks
    AND NOT EXISTS (SELECT FROM uptime_hours_open o WHERE o.hour = date_trunc('hour', c.at, 'UTC'));
  DELETE FROM uptime_minutes_default WHERE hour < now() - keep_minutes;
END $$;
REVOKE ALL ON FUNCTION holdfast_uptime_maintain(interval, interval) FROM PUBLIC;
DO $$ BEGIN
  EXECUTE format('GRANT EXECUTE ON FUNCTION holdfast_uptime_maintain(interval, interval) TO %I', holdfast_role('system'));
END $$;
SELECT holdfast_uptime_maintain(interval '36500 days', interval '36500 days');
