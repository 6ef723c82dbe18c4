-- Links that people share. What is presigned for programs has no row: see files_spent.
CREATE TABLE files_links (
  id uuid CONSTRAINT files_links_pkey PRIMARY KEY,
  org_id uuid NOT NULL,
  bucket_id uuid NOT NULL,
  key text COLLATE "C" NOT NULL,
  -- A folder: everything below `key`, which ends in `/`.
  folder boolean NOT NULL DEFAULT false,
  -- NULL: what is current when it is asked for.
  object_id uuid,
  token_hash bytea NOT NULL CONSTRAINT files_links_token_key UNIQUE,
  -- argon2id, in PHC form.
  password_hash text,
  expires_at timestamptz,
  most integer CONSTRAINT files_links_most_check CHECK (most > 0),
  used integer NOT NULL DEFAULT 0,
  revoked_at timestamptz,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL,
  CONSTRAINT files_links_bucket_id_fkey FOREIGN KEY (org_id, bucket_id) REFERENCES files_buckets (org_id, id) ON DELETE CASCADE
);
CREATE INDEX files_links_org_idx ON files_links (org_id, id);
CREATE INDEX files_links_key_idx ON files_links (bucket_id, key);
SELECT holdfast_tenant_table('files_links');
SELECT holdfast_system_access('files_links');

-- Tokens that are good once, and were used.
CREATE TABLE files_spent (
  nonce uuid CONSTRAINT files_spent_pkey PRIMARY KEY,
  org_id uuid NOT NULL CONSTRAINT files_spent_org_id_fkey REFERENCES organisations (id) ON DELETE CASCADE,
  expires_at timestamptz NOT NULL
);
CREATE INDEX files_spent_expires_idx ON files_spent (expires_at);
CREATE INDEX files_spent_org_idx ON files_spent (org_id, nonce);
SELECT holdfast_tenant_table('files_spent');
SELECT holdfast_system_access('files_spent');
