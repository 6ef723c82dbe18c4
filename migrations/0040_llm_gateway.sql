-- What models were asked and how it went; the vectors of texts that were embedded before.

-- One row for each call to a model. Written in batches, read by organisation and day, never updated.
CREATE TABLE llm_usage (
  id uuid CONSTRAINT llm_usage_pkey PRIMARY KEY,
  org_id uuid NOT NULL CONSTRAINT llm_usage_org_id_fkey REFERENCES organisations ON DELETE CASCADE,
  -- user:<id>, key:<id> or job:<kind>: no foreign key, the row outlives them.
  actor text NOT NULL,
  agent_id uuid,
  operation text NOT NULL CONSTRAINT llm_usage_operation_check CHECK (operation IN ('chat', 'embedding')),
  provider text NOT NULL,
  model text NOT NULL,
  alias text,
  prompt_tokens bigint NOT NULL,
  completion_tokens bigint NOT NULL,
  -- The provider reported nothing, and the tokens were guessed from the text.
  estimated boolean NOT NULL,
  duration_ms bigint NOT NULL,
  first_token_ms bigint,
  outcome text NOT NULL CONSTRAINT llm_usage_outcome_check
    CHECK (outcome IN ('ok', 'cancelled', 'client_error', 'rate_limited', 'timeout', 'provider_error', 'internal_error')),
  streamed boolean NOT NULL,
  created_at timestamptz NOT NULL
);
SELECT holdfast_tenant_table('llm_usage');
CREATE INDEX llm_usage_org_id_created_at_idx ON llm_usage (org_id, created_at);
-- For retention: rows come in the order of time, so a summary of each range of blocks finds the old ones.
CREATE INDEX llm_usage_created_at_idx ON llm_usage USING brin (created_at);

-- Vectors by model and text, so that a passage that comes again is not embedded again. Kept for each organisation: a
-- shared cache would tell one, by how fast an answer comes, what another has embedded.
CREATE TABLE embedding_cache (
  org_id uuid NOT NULL CONSTRAINT embedding_cache_org_id_fkey REFERENCES organisations ON DELETE CASCADE,
  model_id text NOT NULL,
  -- SHA-256 of the text.
  text_hash bytea NOT NULL CONSTRAINT embedding_cache_text_hash_check CHECK (length(text_hash) = 32),
  -- Little-endian 32-bit floats.
  vector bytea NOT NULL CONSTRAINT embedding_cache_vector_check CHECK (length(vector) % 4 = 0),
  created_at timestamptz NOT NULL,
  CONSTRAINT embedding_cache_pkey PRIMARY KEY (org_id, model_id, text_hash)
);
SELECT holdfast_tenant_table('embedding_cache');
-- A deleted document takes its vectors along, whatever model made them.
CREATE INDEX embedding_cache_org_id_text_hash_idx ON embedding_cache (org_id, text_hash);
