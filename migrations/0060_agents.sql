-- Agents: what they are told, with which model and which knowledge; their conversations.

CREATE TABLE agents (
  id uuid CONSTRAINT agents_pkey PRIMARY KEY,
  org_id uuid NOT NULL CONSTRAINT agents_org_id_fkey REFERENCES organisations (id) ON DELETE CASCADE,
  slug text NOT NULL CONSTRAINT agents_slug_check CHECK (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
  name text NOT NULL CONSTRAINT agents_name_check CHECK (length(name) BETWEEN 1 AND 100),
  description text NOT NULL DEFAULT '' CONSTRAINT agents_description_check CHECK (length(description) <= 1000),
  -- The version that answers; going back is pointing at an older one.
  current_version integer NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  CONSTRAINT agents_org_id_slug_key UNIQUE (org_id, slug)
);
SELECT holdfast_tenant_table('agents');

-- Immutable: every change of an agent's settings is a new version.
CREATE TABLE agent_versions (
  org_id uuid NOT NULL CONSTRAINT agent_versions_org_id_fkey REFERENCES organisations (id) ON DELETE CASCADE,
  agent_id uuid NOT NULL CONSTRAINT agent_versions_agent_id_fkey REFERENCES agents (id) ON DELETE CASCADE,
  version integer NOT NULL,
  settings jsonb NOT NULL,
  note text NOT NULL DEFAULT '',
  created_by text NOT NULL,
  created_at timestamptz NOT NULL,
  CONSTRAINT agent_versions_pkey PRIMARY KEY (agent_id, version)
);
CREATE INDEX agent_versions_org_id_idx ON agent_versions (org_id);
SELECT holdfast_tenant_table('agent_versions');

CREATE TABLE conversations (
  id uuid CONSTRAINT conversations_pkey PRIMARY KEY,
  org_id uuid NOT NULL CONSTRAINT conversations_org_id_fkey REFERENCES organisations (id) ON DELETE CASCADE,
  agent_id uuid NOT NULL CONSTRAINT conversations_agent_id_fkey REFERENCES agents (id) ON DELETE CASCADE,
  title text NOT NULL DEFAULT '',
  -- `user:<id>` or `key:<id>`: people see their own conversations.
  subject text NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);
CREATE INDEX conversations_org_id_agent_id_idx ON conversations (org_id, agent_id, id);
CREATE INDEX conversations_agent_id_idx ON conversations (agent_id);
SELECT holdfast_tenant_table('conversations');

CREATE TABLE messages (
  id uuid CONSTRAINT messages_pkey PRIMARY KEY,
  org_id uuid NOT NULL CONSTRAINT messages_org_id_fkey REFERENCES organisations (id) ON DELETE CASCADE,
  conversation_id uuid NOT NULL CONSTRAINT messages_conversation_id_fkey REFERENCES conversations (id) ON DELETE CASCADE,
  role text NOT NULL CONSTRAINT messages_role_check CHECK (role IN ('user', 'assistant')),
  status text NOT NULL CONSTRAINT messages_status_check CHECK (status IN ('complete', 'streaming', 'stopped', 'failed')),
  content text NOT NULL,
  citations jsonb NOT NULL DEFAULT '[]',
  agent_version integer,
  model text,
  error_code text,
  -- An answer that was made anew hides the one before it.
  superseded boolean NOT NULL DEFAULT false,
  prompt_tokens bigint,
  completion_tokens bigint,
  first_token_ms bigint,
  duration_ms bigint,
  created_at timestamptz NOT NULL
);
CREATE INDEX messages_conversation_id_idx ON messages (conversation_id, id);
CREATE INDEX messages_org_id_idx ON messages (org_id);
-- Answers that a crash left unfinished are few, and found without reading the rest.
CREATE INDEX messages_streaming_idx ON messages (created_at) WHERE status = 'streaming';
SELECT holdfast_tenant_table('messages');
-- At start: what a crash left as `streaming` is marked as failed, for every organisation.
SELECT holdfast_system_access('messages');
