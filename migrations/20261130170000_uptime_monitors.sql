-- What is watched, who set it, and what is known of it. `org_id` NULL: of the installation.

-- Drawn by each change that the prober must know: of monitors, groups and windows. A number can become visible after a greater one, so a reader
-- also compares all (id, revision) from time to time.
CREATE SEQUENCE uptime_revision_seq;
CREATE FUNCTION uptime_revised() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  NEW.revision := nextval('uptime_revision_seq');
  RETURN NEW;
END $$;

CREATE TABLE uptime_groups (
  id uuid CONSTRAINT uptime_groups_pkey PRIMARY KEY,
  org_id uuid CONSTRAINT uptime_groups_org_id_fkey REFERENCES organisations (id) ON DELETE CASCADE,
  -- Its identity in the file, and the first part of a key in Gatus's form.
  key text NOT NULL,
  name text NOT NULL,
  -- NULL: people.
  managed_by text CONSTRAINT uptime_groups_managed_by_check CHECK (managed_by IN ('file', 'builtin')),
  revision bigint NOT NULL DEFAULT nextval('uptime_revision_seq'),
  created_by text NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX uptime_groups_key ON uptime_groups (org_id, key) NULLS NOT DISTINCT;
CREATE INDEX uptime_groups_org_idx ON uptime_groups (org_id, id);
CREATE TRIGGER uptime_groups_revised BEFORE UPDATE ON uptime_groups FOR EACH ROW EXECUTE FUNCTION uptime_revised();
SELECT holdfast_tenant_table('uptime_groups');
SELECT holdfast_system_access('uptime_groups');

CREATE TABLE uptime_monitors (
  id uuid CONSTRAINT uptime_monitors_pkey PRIMARY KEY,
  -- By which the history knows it: a quarter of the id's size.
  number integer GENERATED ALWAYS AS IDENTITY CONSTRAINT uptime_monitors_number_key UNIQUE,
  org_id uuid CONSTRAINT uptime_monitors_org_id_fkey REFERENCES organisations (id) ON DELETE CASCADE,
  key text NOT NULL,
  name text NOT NULL,
  description text NOT NULL DEFAULT '',
  kind text NOT NULL CONSTRAINT uptime_monitors_kind_check CHECK (kind IN
    ('http', 'flow', 'tcp', 'tls', 'dns', 'icmp', 'smtp', 'imap', 'postgres', 'grpc', 'heartbeat', 'domain', 'internal')),
  -- What is asked and what is expected. Secrets are named in it, and are in `secrets`.
  spec jsonb NOT NULL,
  -- {name: value}, sealed with the master key and bound to the id. NULL: none.
  secrets bytea,
  -- SHA-256 of a heartbeat's token, by which a beat finds its monitor.
  token_hash bytea,
  group_id uuid CONSTRAINT uptime_monitors_group_id_fkey REFERENCES uptime_groups (id) ON DELETE SET NULL,
  parent_id uuid CONSTRAINT uptime_monitors_parent_id_fkey REFERENCES uptime_monitors (id) ON DELETE SET NULL,
  tags text[] NOT NULL DEFAULT '{}',
  interval_seconds integer NOT NULL CONSTRAINT uptime_monitors_interval_check CHECK (interval_seconds BETWEEN 10 AND 86400),
  -- Of one attempt, over all of its phases.
  timeout_ms integer NOT NULL CONSTRAINT uptime_monitors_timeout_check CHECK (timeout_ms BETWEEN 100 AND 120000),
  -- Further attempts before it is down, and the time from the start of one to the start of the next. NULL: the timeout.
  retries smallint NOT NULL CONSTRAINT uptime_monitors_retries_check CHECK (retries BETWEEN 0 AND 10),
  retry_ms integer CONSTRAINT uptime_monitors_retry_check CHECK (retry_ms BETWEEN 100 AND 3600000),
  -- Successes in a row before it is up again.
  successes smallint NOT NULL CONSTRAINT uptime_monitors_successes_check CHECK (successes BETWEEN 1 AND 10),
  -- Slower than this is degraded. NULL: never.
  slow_ms integer CONSTRAINT uptime_monitors_slow_check CHECK (slow_ms > 0),
  -- A certificate that ends sooner is degraded; 0: never.
  certificate_days smallint NOT NULL DEFAULT 21 CONSTRAINT uptime_monitors_certificate_check CHECK (certificate_days BETWEEN 0 AND 365),
  -- Share of the time, such as 0.999. NULL: no target.
  target double precision CONSTRAINT uptime_monitors_target_check CHECK (target > 0 AND target < 1),
  -- Strangers may read its badge though no public page shows it.
  badge boolean NOT NULL DEFAULT false,
  paused_at timestamptz,
  paused_by text,
  managed_by text CONSTRAINT uptime_monitors_managed_by_check CHECK (managed_by IN ('file', 'builtin')),
  -- The file no longer has it: not checked any more, and deleted `uptime.keep_removed_days` later.
  removed_at timestamptz,
  revision bigint NOT NULL DEFAULT nextval('uptime_revision_seq'),
  created_by text NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  CONSTRAINT uptime_monitors_parent_check CHECK (parent_id <> id),
  CONSTRAINT uptime_monitors_paused_check CHECK ((paused_at IS NULL) = (paused_by IS NULL))
);
CREATE UNIQUE INDEX uptime_monitors_key ON uptime_monitors (org_id, key) NULLS NOT DISTINCT;
CREATE UNIQUE INDEX uptime_monitors_token_key ON uptime_monitors (token_hash) WHERE token_hash IS NOT NULL;
CREATE INDEX uptime_monitors_org_idx ON uptime_monitors (org_id, id);
CREATE INDEX uptime_monitors_group_idx ON uptime_monitors (group_id);
CREATE INDEX uptime_monitors_parent_idx ON uptime_monitors (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX uptime_monitors_revision_idx ON uptime_monitors (revision);
CREATE INDEX uptime_monitors_removed_idx ON uptime_monitors (removed_at) WHERE removed_at IS NOT NULL;
CREATE TRIGGER uptime_monitors_revised BEFORE UPDATE ON uptime_monitors FOR EACH ROW EXECUTE FUNCTION uptime_revised();
SELECT holdfast_tenant_table('uptime_monitors');
-- One prober checks those of all organisations, and a beat is known by its token before its organisation is.
SELECT holdfast_system_access('uptime_monitors');

-- What a monitor is found by.
CREATE FUNCTION uptime_monitors_text(name text, key text, description text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT concat_ws(' ', name, key, description)
$$;
SELECT holdfast_search_index('uptime_monitors_search_idx',
  'uptime_monitors USING gin (org_id, uptime_monitors_text(name, key, description) gin_trgm_ops)');

-- One row for each monitor, made with it. Changes with the status, not with each check: what one check said is in uptime_checks.
CREATE TABLE uptime_state (
  monitor_id uuid CONSTRAINT uptime_state_pkey PRIMARY KEY
    CONSTRAINT uptime_state_monitor_id_fkey REFERENCES uptime_monitors (id) ON DELETE CASCADE,
  org_id uuid,
  status text NOT NULL CONSTRAINT uptime_state_status_check CHECK (status IN ('up', 'down', 'maintenance', 'paused', 'unknown')),
  -- It is down only because this one is.
  because_of uuid,
  since timestamptz NOT NULL,
  -- The outage that is not known to be over, by its first span: a gap or a window may have come after it. And whether people were told of it.
  outage_id uuid,
  outage_told boolean NOT NULL DEFAULT false,
  degraded text CONSTRAINT uptime_state_degraded_check CHECK (degraded IN ('slow', 'certificate', 'domain')),
  flapping_since timestamptz,
  -- Why it is down or degraded.
  error text,
  -- The certificate that was seen last: {fingerprint, name, issuer, told: the thresholds of it that were told}.
  certificate jsonb,
  certificate_ends_at timestamptz,
  domain_ends_at timestamptz,
  -- Of the prober that wrote it: one of an earlier term does not write over it.
  term bigint NOT NULL DEFAULT 0,
  updated_at timestamptz NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX uptime_state_org_idx ON uptime_state (org_id, status);
SELECT holdfast_tenant_table('uptime_state');
SELECT holdfast_system_access('uptime_state');

-- The ids of a page. NULL is no filter. `of_installation`: those without an organisation, which only the system role can read. `removed`: those that
-- the file no longer has, instead of the others.
CREATE FUNCTION uptime_monitors_found(
  of_installation boolean, removed boolean, with_status text, of_kind text, of_group uuid, with_tag text, pattern text, below uuid, most bigint
) RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT holdfast_found(concat(
      'uptime_monitors m ',
      CASE WHEN with_status IS NOT NULL THEN 'JOIN uptime_state s ON s.monitor_id = m.id ' END,
      'WHERE ',
      CASE WHEN of_installation THEN 'm.org_id IS NULL' ELSE format('m.org_id = %L', holdfast_current_org()) END,
      CASE WHEN removed THEN ' AND m.removed_at IS NOT NULL' ELSE ' AND m.removed_at IS NULL' END,
      CASE WHEN with_status IS NOT NULL THEN format(' AND s.status = %L', with_status) END,
      CASE WHEN of_kind IS NOT NULL THEN format(' AND m.kind = %L', of_kind) END,
      CASE WHEN of_group IS NOT NULL THEN format(' AND m.group_id = %L', of_group) END,
      CASE WHEN with_tag IS NOT NULL THEN format(' AND %L = ANY (m.tags)', with_tag) END),
    'm.id', 'uptime_monitors_text(m.name, m.key, m.description)', pattern, below, false, most)
$$;
SELECT holdfast_found_by('uptime_monitors_found(boolean, boolean, text, text, uuid, text, text, uuid, bigint)', 'app');
SELECT holdfast_found_by('uptime_monitors_found(boolean, boolean, text, text, uuid, text, text, uuid, bigint)', 'system');

-- How far the prober has come: written with each batch, at least every few seconds.
CREATE TABLE uptime_prober (
  singleton boolean NOT NULL DEFAULT true CONSTRAINT uptime_prober_pkey PRIMARY KEY CONSTRAINT uptime_prober_singleton_check CHECK (singleton),
  term bigint NOT NULL,
  alive_at timestamptz NOT NULL,
  -- Of monitors, groups and windows: the newest that it has taken over.
  revision bigint NOT NULL,
  -- {lag_ms, in_flight, monitors, in_memory}, for the pages of other processes.
  figures jsonb NOT NULL
) WITH (fillfactor = 50);
SELECT holdfast_global_table('uptime_prober', 'SELECT');

-- A time during which the status of a monitor did not change. The truth of availability: those of a monitor follow each other without gaps.
CREATE TABLE uptime_spans (
  id uuid CONSTRAINT uptime_spans_pkey PRIMARY KEY,
  org_id uuid,
  monitor_id uuid NOT NULL CONSTRAINT uptime_spans_monitor_id_fkey REFERENCES uptime_monitors (id) ON DELETE CASCADE,
  status text NOT NULL CONSTRAINT uptime_spans_status_check CHECK (status IN ('up', 'down', 'maintenance', 'paused', 'unknown')),
  -- An outage begins with its first failed attempt, not with its confirmation.
  starts_at timestamptz NOT NULL,
  -- NULL: it lasts.
  ends_at timestamptz,
  -- When it was known.
  confirmed_at timestamptz NOT NULL,
  cause text NOT NULL CONSTRAINT uptime_spans_cause_check CHECK (cause IN
    ('check', 'parent', 'window', 'by_hand', 'removed', 'new', 'prober_stopped', 'clock', 'overload', 'memory', 'unable')),
  -- The parent, or the window.
  because_of uuid,
  -- Of `down`: the first span of the outage; itself, unless only a gap or a window is between them.
  outage_id uuid,
  -- Whether people were told of it: not of a child of a monitor that is down, nor of what a gap or a window only interrupted.
  told boolean NOT NULL DEFAULT false,
  error text,
  term bigint NOT NULL,
  CONSTRAINT uptime_spans_order_check CHECK (ends_at >= starts_at)
);
CREATE UNIQUE INDEX uptime_spans_open_key ON uptime_spans (monitor_id) WHERE ends_at IS NULL;
-- A batch that is written again changes nothing.
CREATE UNIQUE INDEX uptime_spans_starts_key ON uptime_spans (monitor_id, starts_at);
CREATE INDEX uptime_spans_monitor_idx ON uptime_spans (monitor_id, id);
CREATE INDEX uptime_spans_down_idx ON uptime_spans (org_id, starts_at) WHERE status = 'down';
SELECT holdfast_tenant_table('uptime_spans');
SELECT holdfast_system_access('uptime_spans');

CREATE TABLE uptime_windows (
  id uuid CONSTRAINT uptime_windows_pkey PRIMARY KEY,
  org_id uuid CONSTRAINT uptime_windows_org_id_fkey REFERENCES organisations (id) ON DELETE CASCADE,
  key text NOT NULL,
  name text NOT NULL,
  -- Once: from starts_at to ends_at. Recurring: as `cron` says in `zone`, for `minutes`, between starts_at and ends_at where they are set.
  starts_at timestamptz,
  ends_at timestamptz,
  cron text,
  minutes integer CONSTRAINT uptime_windows_minutes_check CHECK (minutes BETWEEN 1 AND 10080),
  zone text NOT NULL,
  -- From availability.
  excluded boolean NOT NULL DEFAULT true,
  -- Whom it is for: everything of its owner, or any of these.
  every boolean NOT NULL DEFAULT false,
  monitors uuid[] NOT NULL DEFAULT '{}',
  groups uuid[] NOT NULL DEFAULT '{}',
  tags text[] NOT NULL DEFAULT '{}',
  managed_by text CONSTRAINT uptime_windows_managed_by_check CHECK (managed_by = 'file'),
  revision bigint NOT NULL DEFAULT nextval('uptime_revision_seq'),
  created_by text NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  CONSTRAINT uptime_windows_when_check CHECK (CASE
    WHEN cron IS NULL THEN starts_at IS NOT NULL AND ends_at IS NOT NULL AND starts_at < ends_at AND minutes IS NULL
    ELSE minutes IS NOT NULL AND (starts_at IS NULL OR ends_at IS NULL OR starts_at < ends_at) END)
);
CREATE UNIQUE INDEX uptime_windows_key ON uptime_windows (org_id, key) NULLS NOT DISTINCT;
CREATE INDEX uptime_windows_org_idx ON uptime_windows (org_id, id);
CREATE TRIGGER uptime_windows_revised BEFORE UPDATE ON uptime_windows FOR EACH ROW EXECUTE FUNCTION uptime_revised();
SELECT holdfast_tenant_table('uptime_windows');
SELECT holdfast_system_access('uptime_windows');

-- The last reading of the file of monitors.
CREATE TABLE uptime_file (
  singleton boolean NOT NULL DEFAULT true CONSTRAINT uptime_file_pkey PRIMARY KEY CONSTRAINT uptime_file_singleton_check CHECK (singleton),
  path text NOT NULL,
  -- SHA-256 of its text.
  digest bytea NOT NULL,
  read_at timestamptz NOT NULL,
  -- NULL: it was refused.
  applied_at timestamptz,
  -- Of what was applied last.
  applied_digest bytea,
  -- [{line, setting, problem}]
  problems jsonb NOT NULL,
  -- {created, changed, removed, unchanged}
  counts jsonb NOT NULL
);
SELECT holdfast_global_table('uptime_file', '');

CREATE TABLE uptime_imports (
  id uuid CONSTRAINT uptime_imports_pkey PRIMARY KEY,
  org_id uuid CONSTRAINT uptime_imports_org_id_fkey REFERENCES organisations (id) ON DELETE CASCADE,
  source text NOT NULL CONSTRAINT uptime_imports_source_check CHECK (source IN ('uptime_kuma', 'gatus')),
  file_name text NOT NULL,
  -- Sealed, because it may hold passwords. NULL: it was applied, or a day has passed.
  content bytea,
  -- What becomes of each field that the file sets.
  report jsonb NOT NULL,
  applied_at timestamptz,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL
);
CREATE INDEX uptime_imports_org_idx ON uptime_imports (org_id, id);
CREATE INDEX uptime_imports_content_idx ON uptime_imports (created_at) WHERE content IS NOT NULL;
SELECT holdfast_tenant_table('uptime_imports');
SELECT holdfast_system_access('uptime_imports');

DO $$ BEGIN
  EXECUTE format('GRANT USAGE ON SEQUENCE uptime_revision_seq TO %I, %I', holdfast_role('app'), holdfast_role('system'));
END $$;
