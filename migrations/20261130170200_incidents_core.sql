-- Components, incidents with their timeline, and who is told of them. `org_id` NULL: of the installation.

-- What a status page shows and what an incident affects.
CREATE TABLE incident_components (
  id uuid CONSTRAINT incident_components_pkey PRIMARY KEY,
  org_id uuid CONSTRAINT incident_components_org_id_fkey REFERENCES organisations (id) ON DELETE CASCADE,
  key text NOT NULL,
  -- Twelve of [a-z0-9], made once: its id in Statuspage's JSON.
  code text NOT NULL CONSTRAINT incident_components_code_key UNIQUE,
  name text NOT NULL,
  description text NOT NULL DEFAULT '',
  -- Set by hand. NULL: what monitors and incidents say.
  override text CONSTRAINT incident_components_override_check
    CHECK (override IN ('operational', 'degraded_performance', 'partial_outage', 'major_outage', 'under_maintenance')),
  -- What is shown now.
  status text NOT NULL CONSTRAINT incident_components_status_check
    CHECK (status IN ('operational', 'degraded_performance', 'partial_outage', 'major_outage', 'under_maintenance')),
  since timestamptz NOT NULL,
  -- An incident that one of its monitors opens is published at once; otherwise a person has to.
  announce boolean NOT NULL DEFAULT false,
  managed_by text CONSTRAINT incident_components_managed_by_check CHECK (managed_by IN ('file', 'builtin')),
  removed_at timestamptz,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX incident_components_key ON incident_components (org_id, key) NULLS NOT DISTINCT;
CREATE INDEX incident_components_org_idx ON incident_components (org_id, id);
CREATE INDEX incident_components_updated_idx ON incident_components (updated_at);
SELECT holdfast_tenant_table('incident_components');
-- A monitor of any organisation goes down in the prober's transaction.
SELECT holdfast_system_access('incident_components');

-- What the outage of a monitor makes of a component.
CREATE TABLE incident_component_monitors (
  component_id uuid NOT NULL CONSTRAINT incident_component_monitors_component_id_fkey REFERENCES incident_components (id) ON DELETE CASCADE,
  monitor_id uuid NOT NULL CONSTRAINT incident_component_monitors_monitor_id_fkey REFERENCES uptime_monitors (id) ON DELETE CASCADE,
  org_id uuid,
  weight text NOT NULL CONSTRAINT incident_component_monitors_weight_check
    CHECK (weight IN ('degraded_performance', 'partial_outage', 'major_outage')),
  CONSTRAINT incident_component_monitors_pkey PRIMARY KEY (component_id, monitor_id)
);
CREATE INDEX incident_component_monitors_monitor_idx ON incident_component_monitors (monitor_id);
SELECT holdfast_tenant_table('incident_component_monitors');
SELECT holdfast_system_access('incident_component_monitors');

-- What was shown when.
CREATE TABLE incident_component_changes (
  id uuid CONSTRAINT incident_component_changes_pkey PRIMARY KEY,
  org_id uuid,
  component_id uuid NOT NULL CONSTRAINT incident_component_changes_component_id_fkey REFERENCES incident_components (id) ON DELETE CASCADE,
  status text NOT NULL CONSTRAINT incident_component_changes_status_check
    CHECK (status IN ('operational', 'degraded_performance', 'partial_outage', 'major_outage', 'under_maintenance')),
  at timestamptz NOT NULL,
  incident_id uuid
);
CREATE INDEX incident_component_changes_component_idx ON incident_component_changes (component_id, at);
SELECT holdfast_tenant_table('incident_component_changes');
SELECT holdfast_system_access('incident_component_changes');

CREATE TABLE incidents (
  id uuid CONSTRAINT incidents_pkey PRIMARY KEY,
  org_id uuid CONSTRAINT incidents_org_id_fkey REFERENCES organisations (id) ON DELETE CASCADE,
  code text NOT NULL CONSTRAINT incidents_code_key UNIQUE,
  -- `maintenance`: announced work.
  kind text NOT NULL CONSTRAINT incidents_kind_check CHECK (kind IN ('incident', 'maintenance')),
  name text NOT NULL,
  status text NOT NULL CONSTRAINT incidents_status_check CHECK (status IN
    ('investigating', 'identified', 'monitoring', 'resolved', 'postmortem', 'scheduled', 'in_progress', 'verifying', 'completed')),
  impact text NOT NULL CONSTRAINT incidents_impact_check CHECK (impact IN ('none', 'minor', 'major', 'critical', 'maintenance')),
  -- Set by hand: kept, whatever the components do.
  impact_override boolean NOT NULL DEFAULT false,
  severity text NOT NULL CONSTRAINT incidents_severity_check CHECK (severity IN ('info', 'warning', 'critical')),
  -- Since when pages show it, whose components it affects. NULL: they do not.
  published_at timestamptz,
  -- `monitor`, `alert`, `ending`, `window`, `user:<id>`, `key:<id>`
  opened_by text NOT NULL,
  started_at timestamptz NOT NULL,
  acknowledged_at timestamptz,
  acknowledged_by text,
  monitoring_at timestamptz,
  -- When it was resolved, or a maintenance completed.
  resolved_at timestamptz,
  scheduled_for timestamptz,
  scheduled_until timestamptz,
  -- Of a maintenance: uptime_windows.id, and the beginning of the occurrence.
  window_id uuid,
  occurrence timestamptz,
  -- What further trouble of the same cause carries, and until when it joins. NULL: nothing joins.
  merge_key text,
  joins_until timestamptz,
  merged_into uuid CONSTRAINT incidents_merged_into_fkey REFERENCES incidents (id) ON DELETE SET NULL,
  flapping boolean NOT NULL DEFAULT false,
  -- When its causes had all ended; it is resolved `incidents.settle_seconds` later unless one comes back.
  settles_at timestamptz,
  postmortem text,
  postmortem_published_at timestamptz,
  -- Grows with each change; who changes it names the one that they saw.
  version integer NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  CONSTRAINT incidents_kind_status_check CHECK (CASE kind
    WHEN 'incident' THEN status IN ('investigating', 'identified', 'monitoring', 'resolved', 'postmortem')
    ELSE status IN ('scheduled', 'in_progress', 'verifying', 'completed') END),
  CONSTRAINT incidents_resolved_check CHECK ((resolved_at IS NOT NULL) = (status IN ('resolved', 'postmortem', 'completed'))),
  CONSTRAINT incidents_scheduled_check CHECK (kind = 'incident' OR (scheduled_for IS NOT NULL AND scheduled_until > scheduled_for)),
  CONSTRAINT incidents_acknowledged_check CHECK ((acknowledged_at IS NULL) = (acknowledged_by IS NULL))
);
CREATE INDEX incidents_org_idx ON incidents (org_id, id);
-- Those that a new cause may join, and those that are shown as open.
CREATE INDEX incidents_open_idx ON incidents (org_id, id) WHERE resolved_at IS NULL AND merged_into IS NULL;
CREATE INDEX incidents_merge_key_idx ON incidents (org_id, merge_key) WHERE resolved_at IS NULL AND merged_into IS NULL AND merge_key IS NOT NULL;
CREATE INDEX incidents_merged_into_idx ON incidents (merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX incidents_settles_idx ON incidents (settles_at) WHERE settles_at IS NOT NULL;
-- When something of it has changed last: pages look for that each second.
CREATE INDEX incidents_updated_idx ON incidents (updated_at);
CREATE INDEX incidents_scheduled_idx ON incidents (scheduled_for) WHERE kind = 'maintenance' AND resolved_at IS NULL;
CREATE UNIQUE INDEX incidents_window_key ON incidents (window_id, occurrence) WHERE window_id IS NOT NULL;
SELECT holdfast_tenant_table('incidents');
SELECT holdfast_system_access('incidents');
SELECT holdfast_search_index('incidents_search_idx', 'incidents USING gin (org_id, name gin_trgm_ops)');

CREATE TABLE incident_updates (
  id uuid CONSTRAINT incident_updates_pkey PRIMARY KEY,
  org_id uuid,
  code text NOT NULL CONSTRAINT incident_updates_code_key UNIQUE,
  incident_id uuid NOT NULL CONSTRAINT incident_updates_incident_id_fkey REFERENCES incidents (id) ON DELETE CASCADE,
  status text NOT NULL CONSTRAINT incident_updates_status_check CHECK (status IN
    ('investigating', 'identified', 'monitoring', 'resolved', 'postmortem', 'scheduled', 'in_progress', 'verifying', 'completed')),
  -- Markdown; HTML in it is shown as text.
  body text NOT NULL,
  -- [{component, old, new}]
  affected jsonb NOT NULL DEFAULT '[]',
  display_at timestamptz NOT NULL,
  published boolean NOT NULL,
  -- Subscribers get it by mail.
  notify boolean NOT NULL,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);
-- The renderer of status pages asks each second when anything was changed last.
CREATE INDEX incident_updates_updated_idx ON incident_updates (updated_at);
CREATE INDEX incident_updates_incident_idx ON incident_updates (incident_id, display_at);
SELECT holdfast_tenant_table('incident_updates');
SELECT holdfast_system_access('incident_updates');

-- What people and programs did, for insiders: acknowledged, escalated, told, merged, joined.
CREATE TABLE incident_log (
  id uuid CONSTRAINT incident_log_pkey PRIMARY KEY,
  org_id uuid,
  incident_id uuid NOT NULL CONSTRAINT incident_log_incident_id_fkey REFERENCES incidents (id) ON DELETE CASCADE,
  what text NOT NULL,
  -- `user:<id>`, `key:<id>`, or the room.
  done_by text NOT NULL,
  detail jsonb NOT NULL DEFAULT '{}',
  at timestamptz NOT NULL
);
CREATE INDEX incident_log_incident_idx ON incident_log (incident_id, id);
SELECT holdfast_tenant_table('incident_log');
SELECT holdfast_system_access('incident_log');

-- What opened an incident, or joined it. A cause does so once.
CREATE TABLE incident_causes (
  source text NOT NULL CONSTRAINT incident_causes_source_check CHECK (source IN ('monitor', 'alert', 'ending')),
  -- The outage by its first span (uptime_spans.outage_id), the alert, or the event that said that a certificate or a domain ends.
  ref uuid NOT NULL,
  org_id uuid,
  incident_id uuid NOT NULL CONSTRAINT incident_causes_incident_id_fkey REFERENCES incidents (id) ON DELETE CASCADE,
  -- The monitor, or the alert.
  subject uuid NOT NULL,
  name text NOT NULL,
  -- By which others join: {parent, host, group, service}.
  traits jsonb NOT NULL DEFAULT '{}',
  opened_at timestamptz NOT NULL,
  closed_at timestamptz,
  CONSTRAINT incident_causes_pkey PRIMARY KEY (source, ref)
);
CREATE INDEX incident_causes_incident_idx ON incident_causes (incident_id);
CREATE INDEX incident_causes_subject_idx ON incident_causes (subject, opened_at);
CREATE INDEX incident_causes_ending_idx ON incident_causes (opened_at) WHERE source = 'ending' AND closed_at IS NULL;
SELECT holdfast_tenant_table('incident_causes');
SELECT holdfast_system_access('incident_causes');

CREATE TABLE incident_impacts (
  incident_id uuid NOT NULL CONSTRAINT incident_impacts_incident_id_fkey REFERENCES incidents (id) ON DELETE CASCADE,
  component_id uuid NOT NULL CONSTRAINT incident_impacts_component_id_fkey REFERENCES incident_components (id) ON DELETE CASCADE,
  org_id uuid,
  status text NOT NULL CONSTRAINT incident_impacts_status_check
    CHECK (status IN ('operational', 'degraded_performance', 'partial_outage', 'major_outage', 'under_maintenance')),
  -- Said by a person: it lasts as long as the incident. Otherwise a monitor made it, and it lasts as long as that one's outage.
  by_hand boolean NOT NULL DEFAULT false,
  CONSTRAINT incident_impacts_pkey PRIMARY KEY (incident_id, component_id)
);
CREATE INDEX incident_impacts_component_idx ON incident_impacts (component_id);
SELECT holdfast_tenant_table('incident_impacts');
SELECT holdfast_system_access('incident_impacts');

CREATE TABLE incident_templates (
  id uuid CONSTRAINT incident_templates_pkey PRIMARY KEY,
  org_id uuid CONSTRAINT incident_templates_org_id_fkey REFERENCES organisations (id) ON DELETE CASCADE,
  name text NOT NULL,
  language text NOT NULL CONSTRAINT incident_templates_language_check CHECK (language IN ('en', 'ru')),
  title text NOT NULL,
  body text NOT NULL,
  status text NOT NULL CONSTRAINT incident_templates_status_check CHECK (status IN
    ('investigating', 'identified', 'monitoring', 'resolved', 'postmortem', 'scheduled', 'in_progress', 'verifying', 'completed')),
  components uuid[] NOT NULL DEFAULT '{}',
  created_by text NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX incident_templates_name_key ON incident_templates (org_id, name, language) NULLS NOT DISTINCT;
CREATE INDEX incident_templates_org_idx ON incident_templates (org_id, id);
SELECT holdfast_tenant_table('incident_templates');
SELECT holdfast_system_access('incident_templates');

CREATE TABLE incident_channels (
  id uuid CONSTRAINT incident_channels_pkey PRIMARY KEY,
  org_id uuid CONSTRAINT incident_channels_org_id_fkey REFERENCES organisations (id) ON DELETE CASCADE,
  key text NOT NULL,
  name text NOT NULL,
  kind text NOT NULL CONSTRAINT incident_channels_kind_check
    CHECK (kind IN ('mail', 'webhook', 'slack', 'mattermost', 'discord', 'teams', 'telegram')),
  -- Addresses, the chat: nothing secret.
  settings jsonb NOT NULL,
  -- URL with its token, bot token, signing secret: sealed with the master key, bound to the id.
  secrets bytea,
  language text NOT NULL CONSTRAINT incident_channels_language_check CHECK (language IN ('en', 'ru')),
  zone text NOT NULL,
  disabled_at timestamptz,
  disabled_reason text CONSTRAINT incident_channels_disabled_reason_check CHECK (disabled_reason IN ('by_hand', 'gone')),
  managed_by text CONSTRAINT incident_channels_managed_by_check CHECK (managed_by IN ('file', 'builtin')),
  created_by text NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  CONSTRAINT incident_channels_disabled_check CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL))
);
CREATE UNIQUE INDEX incident_channels_key ON incident_channels (org_id, key) NULLS NOT DISTINCT;
CREATE INDEX incident_channels_org_idx ON incident_channels (org_id, id);
SELECT holdfast_tenant_table('incident_channels');
-- Jobs tell in transactions of any owner.
SELECT holdfast_system_access('incident_channels');

-- Who is told of what: the first rule of an owner, by position, that matches; and the next one too where it proceeds.
CREATE TABLE incident_rules (
  id uuid CONSTRAINT incident_rules_pkey PRIMARY KEY,
  org_id uuid CONSTRAINT incident_rules_org_id_fkey REFERENCES organisations (id) ON DELETE CASCADE,
  key text NOT NULL,
  name text NOT NULL,
  position integer NOT NULL,
  -- {groups, tags, monitors, severities, sources}; an empty list matches all.
  matches jsonb NOT NULL DEFAULT '{}',
  -- Steps of the escalation: [{after_seconds, channels, rota, repeat_seconds}].
  steps jsonb NOT NULL,
  -- It must have been down for so long.
  after_seconds integer NOT NULL DEFAULT 0 CONSTRAINT incident_rules_after_check CHECK (after_seconds BETWEEN 0 AND 86400),
  -- What comes within so long is one message, and what joins later waits for so long.
  group_wait_ms integer NOT NULL DEFAULT 2000 CONSTRAINT incident_rules_group_wait_check CHECK (group_wait_ms BETWEEN 0 AND 60000),
  group_interval_seconds integer NOT NULL DEFAULT 300
    CONSTRAINT incident_rules_group_interval_check CHECK (group_interval_seconds BETWEEN 10 AND 86400),
  -- So many changes in so many minutes are flapping.
  flap_changes integer NOT NULL DEFAULT 6 CONSTRAINT incident_rules_flap_changes_check CHECK (flap_changes BETWEEN 2 AND 16),
  flap_minutes integer NOT NULL DEFAULT 30 CONSTRAINT incident_rules_flap_minutes_check CHECK (flap_minutes BETWEEN 1 AND 1440),
  -- [{days, from, until, zone, least}]: what is below `least` waits for the end of these hours.
  quiet jsonb NOT NULL DEFAULT '[]',
  proceed boolean NOT NULL DEFAULT false,
  disabled boolean NOT NULL DEFAULT false,
  managed_by text CONSTRAINT incident_rules_managed_by_check CHECK (managed_by IN ('file', 'builtin')),
  created_by text NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX incident_rules_key ON incident_rules (org_id, key) NULLS NOT DISTINCT;
CREATE INDEX incident_rules_position_idx ON incident_rules (org_id, position);
CREATE INDEX incident_rules_org_idx ON incident_rules (org_id, id);
SELECT holdfast_tenant_table('incident_rules');
SELECT holdfast_system_access('incident_rules');

-- Organisations for which the rule that mails their administrators was made. Once: who deletes that rule does not get it again.
CREATE TABLE incident_defaults (
  org_id uuid CONSTRAINT incident_defaults_pkey PRIMARY KEY
    CONSTRAINT incident_defaults_org_id_fkey REFERENCES organisations (id) ON DELETE CASCADE,
  made_at timestamptz NOT NULL
);
SELECT holdfast_tenant_table('incident_defaults');
-- Made where a monitor goes down, in the prober's transaction, too.
SELECT holdfast_system_access('incident_defaults');

CREATE TABLE incident_rotas (
  id uuid CONSTRAINT incident_rotas_pkey PRIMARY KEY,
  org_id uuid CONSTRAINT incident_rotas_org_id_fkey REFERENCES organisations (id) ON DELETE CASCADE,
  key text NOT NULL,
  name text NOT NULL,
  zone text NOT NULL,
  -- [{people, starts, turn, handover, hours}]; of two that cover a moment the later one has it.
  layers jsonb NOT NULL,
  managed_by text CONSTRAINT incident_rotas_managed_by_check CHECK (managed_by = 'file'),
  created_by text NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX incident_rotas_key ON incident_rotas (org_id, key) NULLS NOT DISTINCT;
CREATE INDEX incident_rotas_org_idx ON incident_rotas (org_id, id);
SELECT holdfast_tenant_table('incident_rotas');
SELECT holdfast_system_access('incident_rotas');

CREATE TABLE incident_rota_overrides (
  id uuid CONSTRAINT incident_rota_overrides_pkey PRIMARY KEY,
  org_id uuid,
  rota_id uuid NOT NULL CONSTRAINT incident_rota_overrides_rota_id_fkey REFERENCES incident_rotas (id) ON DELETE CASCADE,
  user_id uuid NOT NULL,
  starts_at timestamptz NOT NULL,
  ends_at timestamptz NOT NULL,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL,
  CONSTRAINT incident_rota_overrides_order_check CHECK (ends_at > starts_at)
);
CREATE INDEX incident_rota_overrides_rota_idx ON incident_rota_overrides (rota_id, ends_at);
SELECT holdfast_tenant_table('incident_rota_overrides');
SELECT holdfast_system_access('incident_rota_overrides');

-- Where a person is told, in an organisation. No row: by mail, at the address of the account.
CREATE TABLE incident_people (
  org_id uuid CONSTRAINT incident_people_org_id_fkey REFERENCES organisations (id) ON DELETE CASCADE,
  user_id uuid NOT NULL,
  channels uuid[] NOT NULL,
  language text NOT NULL CONSTRAINT incident_people_language_check CHECK (language IN ('en', 'ru')),
  updated_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX incident_people_key ON incident_people (org_id, user_id) NULLS NOT DISTINCT;
SELECT holdfast_tenant_table('incident_people');
SELECT holdfast_system_access('incident_people');

-- Each message that was decided on. Retention drops whole weeks.
CREATE TABLE incident_told (
  id uuid NOT NULL,
  created_at timestamptz NOT NULL,
  org_id uuid,
  -- NULL: a test.
  incident_id uuid,
  rule_id uuid,
  -- One of them, or both: of a person's channel.
  channel_id uuid,
  user_id uuid,
  what text NOT NULL CONSTRAINT incident_told_what_check
    CHECK (what IN ('opened', 'grown', 'reminder', 'escalated', 'flapping', 'updated', 'resolved', 'test')),
  -- mail_messages.id or webhook_deliveries.id. NULL: it was held back, and why.
  delivery_id uuid,
  held text CONSTRAINT incident_told_held_check CHECK (held IN ('quiet', 'flapping', 'grouped', 'disabled', 'no_address', 'no_mail', 'failed')),
  CONSTRAINT incident_told_pkey PRIMARY KEY (id, created_at)
) PARTITION BY RANGE (created_at);
SELECT holdfast_tenant_table('incident_told');
SELECT holdfast_system_access('incident_told');
CREATE INDEX incident_told_incident_idx ON incident_told (incident_id, id);
CREATE INDEX incident_told_channel_idx ON incident_told (channel_id, id);
CREATE TABLE incident_told_default PARTITION OF incident_told DEFAULT;

-- Decides once, in the transaction that enqueues the message: `<what>/<number>/<rule>/<step>/<receiver>`.
CREATE TABLE incident_told_keys (
  incident_id uuid NOT NULL CONSTRAINT incident_told_keys_incident_id_fkey REFERENCES incidents (id) ON DELETE CASCADE,
  once text NOT NULL,
  org_id uuid,
  CONSTRAINT incident_told_keys_pkey PRIMARY KEY (incident_id, once)
);
SELECT holdfast_tenant_table('incident_told_keys');
SELECT holdfast_system_access('incident_told_keys');

-- The ids of a page. NULL is no filter. `of_installation`: those without an organisation, which only the system role can read. Those that were merged
-- into another are part of that one.
CREATE FUNCTION incidents_found(
  of_installation boolean, open boolean, of_kind text, with_severity text, of_component uuid, pattern text, below uuid, most bigint
) RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT holdfast_found(concat(
      'incidents i WHERE ',
      CASE WHEN of_installation THEN 'i.org_id IS NULL' ELSE format('i.org_id = %L', holdfast_current_org()) END,
      ' AND i.merged_into IS NULL',
      CASE open WHEN true THEN ' AND i.resolved_at IS NULL' WHEN false THEN ' AND i.resolved_at IS NOT NULL' END,
      CASE WHEN of_kind IS NOT NULL THEN format(' AND i.kind = %L', of_kind) END,
      CASE WHEN with_severity IS NOT NULL THEN format(' AND i.severity = %L', with_severity) END,
      CASE WHEN of_component IS NOT NULL
        THEN format(' AND EXISTS (SELECT FROM incident_impacts a WHERE a.incident_id = i.id AND a.component_id = %L)', of_component) END),
    'i.id', 'i.name', pattern, below, false, most)
$$;
SELECT holdfast_found_by('incidents_found(boolean, boolean, text, text, uuid, text, uuid, bigint)', 'app');
SELECT holdfast_found_by('incidents_found(boolean, boolean, text, text, uuid, text, uuid, bigint)', 'system');

CREATE FUNCTION holdfast_incidents_maintain(retention interval, OUT created integer, OUT dropped integer)
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT * FROM holdfast_weekly_partitions('incident_told', retention)
$$;
REVOKE ALL ON FUNCTION holdfast_incidents_maintain(interval) FROM PUBLIC;
DO $$ BEGIN
  EXECUTE format('GRANT EXECUTE ON FUNCTION holdfast_incidents_maintain(interval) TO %I', holdfast_role('system'));
END $$;
SELECT holdfast_incidents_maintain(interval '36500 days');
