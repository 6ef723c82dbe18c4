-- Files of users: buckets, who may use them, and access keys of the S3 API.

CREATE TABLE files_buckets (
  id uuid CONSTRAINT files_buckets_pkey PRIMARY KEY,
  org_id uuid NOT NULL CONSTRAINT files_buckets_org_id_fkey REFERENCES organisations (id) ON DELETE CASCADE,
  -- As S3 permits: unique in the organisation, because an access key names its organisation.
  name text NOT NULL CONSTRAINT files_buckets_name_check CHECK (name ~ '^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$'),
  -- Anybody may read an object whose key they know. Nobody may list without rights.
  public boolean NOT NULL DEFAULT false,
  versioning text NOT NULL DEFAULT 'off' CONSTRAINT files_buckets_versioning_check CHECK (versioning IN ('off', 'on', 'suspended')),
  -- Cannot be turned off again.
  object_lock boolean NOT NULL DEFAULT false CONSTRAINT files_buckets_object_lock_check CHECK (NOT object_lock OR versioning = 'on'),
  lock_mode text CONSTRAINT files_buckets_lock_mode_check CHECK (lock_mode IN ('governance', 'compliance')),
  lock_days integer CONSTRAINT files_buckets_lock_days_check CHECK (lock_days BETWEEN 1 AND 36500),
  trash_days integer NOT NULL DEFAULT 7 CONSTRAINT files_buckets_trash_days_check CHECK (trash_days BETWEEN 0 AND 90),
  -- NULL: the setting of the installation.
  max_object_bytes bigint CONSTRAINT files_buckets_max_object_bytes_check CHECK (max_object_bytes > 0),
  quota_bytes bigint CONSTRAINT files_buckets_quota_bytes_check CHECK (quota_bytes >= 0),
  -- Media types as they are found in the content, `image/*` too; empty: any.
  allowed_types text[] NOT NULL DEFAULT '{}',
  cache_control text NOT NULL DEFAULT '',
  -- Who may choose options of images: of public objects and tokens.
  image_options text NOT NULL DEFAULT 'presets' CONSTRAINT files_buckets_image_options_check CHECK (image_options IN ('presets', 'signed', 'any', 'off')),
  -- {name: options}
  image_presets jsonb NOT NULL DEFAULT '{}',
  scan text NOT NULL DEFAULT 'default' CONSTRAINT files_buckets_scan_check CHECK (scan IN ('default', 'off', 'after', 'before')),
  cors jsonb NOT NULL DEFAULT '[]',
  lifecycle jsonb NOT NULL DEFAULT '[]',
  tags jsonb NOT NULL DEFAULT '{}',
  -- Told of changes, to empty a cache in front: an address of the organisation. NULL: nobody.
  purge_url text,
  revision bigint NOT NULL DEFAULT 1,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  -- Deleted while its trash had content: its name is free, and it goes with the last of that.
  trashed_at timestamptz,
  CONSTRAINT files_buckets_org_id_key UNIQUE (org_id, id)
);
CREATE UNIQUE INDEX files_buckets_name_key ON files_buckets (org_id, name) WHERE trashed_at IS NULL;
-- The trash of buckets.
CREATE INDEX files_buckets_trash_idx ON files_buckets (org_id, id) WHERE trashed_at IS NOT NULL;
SELECT holdfast_tenant_table('files_buckets');
-- An anonymous reader, a token and an upload name a bucket before its organisation is known; lifecycle and sweeps go over all.
SELECT holdfast_system_access('files_buckets');

-- What somebody may do below a prefix. A bucket without rules: viewers list and read, members write and delete, admins everything.
CREATE TABLE files_rules (
  id uuid CONSTRAINT files_rules_pkey PRIMARY KEY,
  org_id uuid NOT NULL,
  bucket_id uuid NOT NULL,
  -- `anyone`, `role:viewer|member|admin|owner` (and higher), `scope:<name>` (an API key's), `key:<uuid>` (an access or API key), `user:<uuid>`.
  subject text NOT NULL CONSTRAINT files_rules_subject_check CHECK (subject ~ '^(anyone|role:(viewer|member|admin|owner)|scope:[a-z_]{1,60}|(key|user):[0-9a-f-]{36})$'),
  prefix text COLLATE "C" NOT NULL DEFAULT '',
  verbs text[] NOT NULL CONSTRAINT files_rules_verbs_check CHECK (verbs <@ ARRAY['list', 'read', 'write', 'delete'] AND cardinality(verbs) > 0),
  created_by text NOT NULL,
  created_at timestamptz NOT NULL,
  CONSTRAINT files_rules_bucket_id_fkey FOREIGN KEY (org_id, bucket_id) REFERENCES files_buckets (org_id, id) ON DELETE CASCADE
);
CREATE INDEX files_rules_bucket_idx ON files_rules (org_id, bucket_id, id);
SELECT holdfast_tenant_table('files_rules');
SELECT holdfast_system_access('files_rules');

CREATE TABLE files_access_keys (
  id uuid CONSTRAINT files_access_keys_pkey PRIMARY KEY,
  org_id uuid NOT NULL CONSTRAINT files_access_keys_org_id_fkey REFERENCES organisations (id) ON DELETE CASCADE,
  name text NOT NULL CONSTRAINT files_access_keys_name_check CHECK (length(name) BETWEEN 1 AND 100),
  -- `HF` and 18 capital letters and digits: what clients call the access key id.
  access_key_id text NOT NULL CONSTRAINT files_access_keys_access_key_id_key UNIQUE CONSTRAINT files_access_keys_access_key_id_check CHECK (access_key_id ~ '^HF[A-Z2-7]{18}$'),
  -- Sealed with the master key, bound to the id: signatures need it as it is, so it cannot be a hash.
  secret bytea NOT NULL,
  verbs text[] NOT NULL CONSTRAINT files_access_keys_verbs_check CHECK (verbs <@ ARRAY['list', 'read', 'write', 'delete', 'admin'] AND cardinality(verbs) > 0),
  -- NULL: all of the organisation's.
  bucket_ids uuid[],
  prefix text COLLATE "C" NOT NULL DEFAULT '',
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL
);
CREATE INDEX files_access_keys_org_idx ON files_access_keys (org_id, id);
SELECT holdfast_tenant_table('files_access_keys');
-- A signature names its key before the organisation is known.
SELECT holdfast_system_access('files_access_keys');

-- Set by operators. No row, or NULL: the settings of the installation.
CREATE TABLE files_quotas (
  org_id uuid CONSTRAINT files_quotas_pkey PRIMARY KEY CONSTRAINT files_quotas_org_id_fkey REFERENCES organisations (id) ON DELETE CASCADE,
  bytes bigint CONSTRAINT files_quotas_bytes_check CHECK (bytes >= 0),
  objects bigint CONSTRAINT files_quotas_objects_check CHECK (objects >= 0),
  updated_by text NOT NULL,
  updated_at timestamptz NOT NULL
);
SELECT holdfast_tenant_table('files_quotas');
SELECT holdfast_system_access('files_quotas');
