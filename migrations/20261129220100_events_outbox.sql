-- What happened, written in the transaction in which it happened, for those who react to it: subscribers' jobs, webhooks, and later readers.

-- Draws numbers in the order of the calls; each is a row, or a transaction that ended without one.
CREATE SEQUENCE events_ordinal_seq;

CREATE TABLE events (
  -- Where a reader is: see store.rs of events.
  ordinal bigint NOT NULL,
  id uuid NOT NULL,
  -- NULL: of the installation.
  org_id uuid,
  topic text NOT NULL,
  -- Of the payload's form.
  version smallint NOT NULL,
  -- Events with the same key are handled in order.
  key text NOT NULL,
  payload jsonb NOT NULL,
  -- The request and trace in which it happened.
  request_id text,
  trace_id text,
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT events_pkey PRIMARY KEY (ordinal, created_at)
) PARTITION BY RANGE (created_at);
SELECT holdfast_tenant_table('events');
-- Readers read all organisations' events, and retention removes them.
SELECT holdfast_system_access('events');
CREATE INDEX events_org_idx ON events (org_id, ordinal);
CREATE TABLE events_default PARTITION OF events DEFAULT;
DO $$ BEGIN
  EXECUTE format('GRANT USAGE ON SEQUENCE events_ordinal_seq TO %I, %I', holdfast_role('app'), holdfast_role('system'));
END $$;

-- How far each reader has come.
CREATE TABLE event_cursors (
  reader text CONSTRAINT event_cursors_pkey PRIMARY KEY,
  ordinal bigint NOT NULL,
  -- Ordinals up to gap_upto that have no row belong to transactions older than gap_xid: when those have ended, they never will.
  gap_xid bigint,
  gap_upto bigint,
  updated_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT event_cursors_gap_check CHECK ((gap_xid IS NULL) = (gap_upto IS NULL))
) WITH (fillfactor = 50);
SELECT holdfast_global_table('event_cursors', '');

-- Makes the weekly partitions of `parent` by created_at for this week and the next two, and drops those that ended more than `retention`
-- ago. As holdfast_jobs_maintain: with a lock it waits for a second at most. Only the wrappers below may be called.
CREATE FUNCTION holdfast_weekly_partitions(parent text, retention interval, OUT created integer, OUT dropped integer)
LANGUAGE plpgsql SET search_path = public, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
  week timestamptz; part text; old record;
  this_week CONSTANT timestamptz := date_trunc('week', now(), 'UTC');
BEGIN
  created := 0;
  dropped := 0;
  PERFORM pg_advisory_xact_lock(hashtextextended('holdfast weekly partitions ' || parent, 0));
  FOR i IN 0..2 LOOP
    week := this_week + i * interval '168 hours';
    part := parent || '_' || to_char(week AT TIME ZONE 'UTC', 'YYYYMMDD');
    CONTINUE WHEN to_regclass(part) IS NOT NULL;
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', part, parent);
    EXECUTE format(
      'WITH moved AS (DELETE FROM %I WHERE created_at >= %L AND created_at < %L RETURNING *) INSERT INTO %I SELECT * FROM moved',
      parent || '_default', week, week + interval '168 hours', part);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, part, week, week + interval '168 hours');
    created := created + 1;
  END LOOP;
  FOR old IN
    SELECT c.relname AS name, to_date(right(c.relname, 8), 'YYYYMMDD')::timestamp AT TIME ZONE 'UTC' AS starts
    FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid
    WHERE h.inhparent = parent::regclass AND c.relname ~ '_[0-9]{8}$'
  LOOP
    CONTINUE WHEN old.starts + interval '168 hours' > now() - retention;
    BEGIN
      EXECUTE format('DROP TABLE %I', old.name);
      dropped := dropped + 1;
    EXCEPTION WHEN lock_not_available THEN NULL;
    END;
  END LOOP;
  EXECUTE format('DELETE FROM %I WHERE created_at < now() - $1', parent || '_default') USING retention;
END $$;
REVOKE ALL ON FUNCTION holdfast_weekly_partitions(text, interval) FROM PUBLIC;

CREATE FUNCTION holdfast_events_maintain(retention interval, OUT created integer, OUT dropped integer)
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT * FROM holdfast_weekly_partitions('events', retention)
$$;
REVOKE ALL ON FUNCTION holdfast_events_maintain(interval) FROM PUBLIC;
DO $$ BEGIN
  EXECUTE format('GRANT EXECUTE ON FUNCTION holdfast_events_maintain(interval) TO %I', holdfast_role('system'));
END $$;
SELECT holdfast_events_maintain(interval '36500 days');

-- Jobs that must not overtake each other, whatever has to be tried again: of those with the same concurrency key, the one with the lowest
-- number comes first, and the others wait for its end.
ALTER TABLE jobs ADD COLUMN ordinal bigint;
CREATE SEQUENCE jobs_ordinal_seq;
CREATE INDEX jobs_ordered_idx ON jobs (concurrency_key, ordinal) WHERE ordinal IS NOT NULL;
DO $$ BEGIN
  EXECUTE format('GRANT USAGE ON SEQUENCE jobs_ordinal_seq TO %I, %I', holdfast_role('app'), holdfast_role('system'));
END $$;
