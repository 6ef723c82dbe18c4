-- Organisations, people, memberships, sessions, API keys, one-time links.

CREATE TABLE organisations (
  id uuid CONSTRAINT organisations_pkey PRIMARY KEY,
  slug text NOT NULL
    CONSTRAINT organisations_slug_key UNIQUE
    CONSTRAINT organisations_slug_check CHECK (slug ~ '^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$'),
  name text NOT NULL CONSTRAINT organisations_name_check CHECK (length(name) BETWEEN 1 AND 200),
  created_at timestamptz NOT NULL
);
-- The tenant itself: its id is what `org_id` is elsewhere, so the usual policy is written out for `id`.
ALTER TABLE organisations ENABLE ROW LEVEL SECURITY;
ALTER TABLE organisations FORCE ROW LEVEL SECURITY;
DO $$ BEGIN
  EXECUTE format(
    'CREATE POLICY tenant ON organisations TO %I USING (id = (SELECT nullif(current_setting(''holdfast.org_id'', true), '''')::uuid)) '
    'WITH CHECK (id = (SELECT nullif(current_setting(''holdfast.org_id'', true), '''')::uuid))',
    holdfast_role('app'));
  EXECUTE format('GRANT SELECT, UPDATE (name) ON organisations TO %I', holdfast_role('app'));
END $$;
-- Made by operators, listed for the organisation switcher.
SELECT holdfast_system_access('organisations');

CREATE TABLE users (
  id uuid CONSTRAINT users_pkey PRIMARY KEY,
  email text NOT NULL
    CONSTRAINT users_email_key UNIQUE
    CONSTRAINT users_email_check CHECK (email = lower(email) AND length(email) BETWEEN 3 AND 254 AND position('@' IN email) > 1),
  name text NOT NULL DEFAULT '' CONSTRAINT users_name_check CHECK (length(name) <= 200),
  -- PHC string: $argon2id$v=19$m=..,t=..,p=..$salt$hash
  password_hash text NOT NULL,
  must_change_password boolean NOT NULL DEFAULT false,
  is_operator boolean NOT NULL DEFAULT false,
  disabled_at timestamptz,
  last_sign_in_at timestamptz,
  created_at timestamptz NOT NULL
);

CREATE TABLE memberships (
  org_id uuid NOT NULL CONSTRAINT memberships_org_id_fkey REFERENCES organisations ON DELETE CASCADE,
  user_id uuid NOT NULL CONSTRAINT memberships_user_id_fkey REFERENCES users ON DELETE CASCADE,
  role text NOT NULL CONSTRAINT memberships_role_check CHECK (role IN ('owner', 'admin', 'member', 'viewer')),
  created_at timestamptz NOT NULL,
  CONSTRAINT memberships_pkey PRIMARY KEY (org_id, user_id)
);
CREATE INDEX memberships_user_id_idx ON memberships (user_id);
SELECT holdfast_tenant_table('memberships');
-- Sign-in asks which organisations a person belongs to before one is chosen.
SELECT holdfast_system_access('memberships');

-- People belong to the installation; an organisation sees those who are its members, and never a password's hash.
ALTER TABLE users ENABLE ROW LEVEL SECURITY;
ALTER TABLE users FORCE ROW LEVEL SECURITY;
DO $$ BEGIN
  EXECUTE format(
    'CREATE POLICY tenant ON users FOR SELECT TO %I USING (id IN (SELECT m.user_id FROM memberships m '
    'WHERE m.org_id = (SELECT nullif(current_setting(''holdfast.org_id'', true), '''')::uuid)))',
    holdfast_role('app'));
  EXECUTE format('GRANT SELECT (id, email, name, is_operator, must_change_password, disabled_at, last_sign_in_at, created_at) ON users TO %I',
    holdfast_role('app'));
END $$;
-- Sign-in: there is no organisation before the person is known.
SELECT holdfast_system_access('users');

-- A person's sign-ins. They cross organisations (the switcher), so only sign-in's role sees them.
CREATE TABLE sessions (
  id uuid CONSTRAINT sessions_pkey PRIMARY KEY,
  user_id uuid NOT NULL CONSTRAINT sessions_user_id_fkey REFERENCES users ON DELETE CASCADE,
  -- SHA-256 of the cookie's value.
  token_hash bytea NOT NULL CONSTRAINT sessions_token_hash_key UNIQUE CONSTRAINT sessions_token_hash_check CHECK (length(token_hash) = 32),
  current_org_id uuid CONSTRAINT sessions_current_org_id_fkey REFERENCES organisations ON DELETE SET NULL,
  user_agent text NOT NULL CONSTRAINT sessions_user_agent_check CHECK (length(user_agent) <= 300),
  address text NOT NULL,
  created_at timestamptz NOT NULL,
  last_seen_at timestamptz NOT NULL,
  -- The absolute limit; the idle limit counts from last_seen_at.
  expires_at timestamptz NOT NULL
);
CREATE INDEX sessions_user_id_idx ON sessions (user_id);
CREATE INDEX sessions_current_org_id_idx ON sessions (current_org_id);
CREATE INDEX sessions_expires_at_idx ON sessions (expires_at);
SELECT holdfast_global_table('sessions', '');

CREATE TABLE api_keys (
  id uuid CONSTRAINT api_keys_pkey PRIMARY KEY,
  org_id uuid NOT NULL CONSTRAINT api_keys_org_id_fkey REFERENCES organisations ON DELETE CASCADE,
  name text NOT NULL CONSTRAINT api_keys_name_check CHECK (length(name) BETWEEN 1 AND 100),
  -- The eight characters after `hf_`: shown in lists, and how a key is found.
  prefix text NOT NULL CONSTRAINT api_keys_prefix_key UNIQUE CONSTRAINT api_keys_prefix_check CHECK (prefix ~ '^[a-z0-9]{8}$'),
  -- SHA-256 of the secret part: 256 random bits need no slow hash.
  secret_hash bytea NOT NULL CONSTRAINT api_keys_secret_hash_check CHECK (length(secret_hash) = 32),
  scopes text[] NOT NULL CONSTRAINT api_keys_scopes_check CHECK (cardinality(scopes) BETWEEN 1 AND 20),
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz,
  created_by uuid CONSTRAINT api_keys_created_by_fkey REFERENCES users ON DELETE SET NULL,
  created_at timestamptz NOT NULL
);
CREATE INDEX api_keys_org_id_idx ON api_keys (org_id, id);
CREATE INDEX api_keys_created_by_idx ON api_keys (created_by);
SELECT holdfast_tenant_table('api_keys');
-- A key names its organisation: it is looked up before one is known.
SELECT holdfast_system_access('api_keys');

-- Links that are good once: to join an organisation, or to set a new password.
CREATE TABLE one_time_links (
  id uuid CONSTRAINT one_time_links_pkey PRIMARY KEY,
  org_id uuid NOT NULL CONSTRAINT one_time_links_org_id_fkey REFERENCES organisations ON DELETE CASCADE,
  purpose text NOT NULL CONSTRAINT one_time_links_purpose_check CHECK (purpose IN ('join', 'reset')),
  token_hash bytea NOT NULL CONSTRAINT one_time_links_token_hash_key UNIQUE CONSTRAINT one_time_links_token_hash_check CHECK (length(token_hash) = 32),
  -- Whom it is for.
  email text NOT NULL CONSTRAINT one_time_links_email_check CHECK (email = lower(email)),
  -- What they become, for `join`.
  role text CONSTRAINT one_time_links_role_check CHECK (role IN ('owner', 'admin', 'member', 'viewer')),
  created_by uuid CONSTRAINT one_time_links_created_by_fkey REFERENCES users ON DELETE SET NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  used_at timestamptz,
  CONSTRAINT one_time_links_role_of_join_check CHECK ((purpose = 'join') = (role IS NOT NULL))
);
CREATE INDEX one_time_links_org_id_idx ON one_time_links (org_id, id);
CREATE INDEX one_time_links_created_by_idx ON one_time_links (created_by);
SELECT holdfast_tenant_table('one_time_links');
-- Whoever opens a link has no organisation yet.
SELECT holdfast_system_access('one_time_links');
