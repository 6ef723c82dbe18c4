-- Providers and aliases made in the console; of the installation. What the configuration file names wins.
CREATE TABLE llm_providers (
  name text CONSTRAINT llm_providers_pkey PRIMARY KEY CONSTRAINT llm_providers_name_check CHECK (name ~ '^[a-z0-9_-]{1,40}$'),
  -- base_url, models, timeouts, adaptations, prices: as in [llm.providers.NAME].
  settings jsonb NOT NULL,
  -- Sealed with the master key for this name; NULL: none.
  api_key bytea,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL,
  changed_by text NOT NULL,
  changed_at timestamptz NOT NULL
);
SELECT holdfast_global_table('llm_providers', '');

CREATE TABLE llm_aliases (
  name text CONSTRAINT llm_aliases_pkey PRIMARY KEY CONSTRAINT llm_aliases_name_check CHECK (name IN ('fast', 'quality')),
  model text NOT NULL,
  changed_by text NOT NULL,
  changed_at timestamptz NOT NULL
);
SELECT holdfast_global_table('llm_aliases', '');

-- Grows with each change: processes look at it every two seconds.
CREATE TABLE llm_settings_version (
  singleton boolean CONSTRAINT llm_settings_version_pkey PRIMARY KEY DEFAULT true CONSTRAINT llm_settings_version_singleton_check CHECK (singleton),
  version bigint NOT NULL
);
SELECT holdfast_global_table('llm_settings_version', '');
INSERT INTO llm_settings_version (version) VALUES (0);

-- By the configured price or the provider's word; NULL: unknown.
ALTER TABLE llm_usage ADD COLUMN cost double precision;

-- The use of models by day (UTC), so that a year is read in milliseconds. Written in the statement that writes the rows.
CREATE TABLE llm_usage_days (
  org_id uuid NOT NULL CONSTRAINT llm_usage_days_org_id_fkey REFERENCES organisations (id) ON DELETE CASCADE,
  day date NOT NULL,
  operation text NOT NULL,
  provider text NOT NULL,
  model text NOT NULL,
  -- Zero: none.
  agent_id uuid NOT NULL,
  actor text NOT NULL,
  requests bigint NOT NULL,
  failed bigint NOT NULL,
  prompt_tokens bigint NOT NULL,
  completion_tokens bigint NOT NULL,
  cost double precision NOT NULL,
  -- Requests whose cost is known.
  priced bigint NOT NULL,
  duration_ms bigint NOT NULL,
  first_token_ms bigint NOT NULL,
  -- Requests with a first token.
  first_tokens bigint NOT NULL,
  CONSTRAINT llm_usage_days_pkey PRIMARY KEY (org_id, day, operation, provider, model, agent_id, actor)
) WITH (
  -- No indexed column changes: with room on the page its updates are heap-only.
  fillfactor = 70
);
-- A person's own.
CREATE INDEX llm_usage_days_actor_idx ON llm_usage_days (org_id, actor, day);
SELECT holdfast_tenant_table('llm_usage_days');
SELECT holdfast_system_access('llm_usage_days');
INSERT INTO llm_usage_days (org_id, day, operation, provider, model, agent_id, actor,
  requests, failed, prompt_tokens, completion_tokens, cost, priced, duration_ms, first_token_ms, first_tokens)
SELECT org_id, (created_at AT TIME ZONE 'UTC')::date, operation, provider, model, coalesce(agent_id, '00000000-0000-0000-0000-000000000000'), actor,
  count(*), count(*) FILTER (WHERE outcome NOT IN ('ok', 'cancelled')), sum(prompt_tokens), sum(completion_tokens), 0, 0,
  sum(duration_ms), coalesce(sum(first_token_ms), 0), count(first_token_ms)
FROM llm_usage GROUP BY 1, 2, 3, 4, 5, 6, 7;
