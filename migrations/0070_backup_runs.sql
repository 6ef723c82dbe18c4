-- What was backed up, where it lies, and what was proven of it. The destinations' manifests are the truth: these rows are
-- made from them where they are missing (after a restore they tell of the time before it).

CREATE TABLE backups (
  id uuid CONSTRAINT backups_pkey PRIMARY KEY,
  sequence bigint NOT NULL CONSTRAINT backups_sequence_key UNIQUE CONSTRAINT backups_sequence_check CHECK (sequence > 0),
  kind text NOT NULL CONSTRAINT backups_kind_check CHECK (kind IN ('scheduled', 'manual', 'before_migration')),
  status text NOT NULL CONSTRAINT backups_status_check CHECK (status IN ('running', 'verified', 'unverified', 'failed')),
  started_at timestamptz NOT NULL,
  finished_at timestamptz,
  step text NOT NULL DEFAULT '',
  database_bytes bigint NOT NULL DEFAULT 0,
  rows bigint NOT NULL DEFAULT 0,
  objects bigint NOT NULL DEFAULT 0,
  vector_files bigint NOT NULL DEFAULT 0,
  total_bytes bigint NOT NULL DEFAULT 0,
  added_bytes bigint NOT NULL DEFAULT 0,
  held boolean NOT NULL DEFAULT false,
  error text,
  CONSTRAINT backups_finished_check CHECK ((status = 'running') = (finished_at IS NULL))
);
SELECT holdfast_global_table('backups', '');

CREATE TABLE backup_copies (
  backup_id uuid NOT NULL CONSTRAINT backup_copies_backup_id_fkey REFERENCES backups (id) ON DELETE CASCADE,
  destination text NOT NULL,
  status text NOT NULL CONSTRAINT backup_copies_status_check CHECK (status IN ('verified', 'damaged', 'failed', 'pruned')),
  verified_at timestamptz,
  error text,
  CONSTRAINT backup_copies_pkey PRIMARY KEY (backup_id, destination)
);
SELECT holdfast_global_table('backup_copies', '');

-- The backup may have been pruned since: no reference.
CREATE TABLE backup_drills (
  id uuid CONSTRAINT backup_drills_pkey PRIMARY KEY,
  backup_id uuid NOT NULL,
  destination text NOT NULL,
  status text NOT NULL CONSTRAINT backup_drills_status_check CHECK (status IN ('running', 'passed', 'failed')),
  started_at timestamptz NOT NULL,
  finished_at timestamptz,
  seconds double precision,
  report jsonb NOT NULL DEFAULT '{}',
  error text,
  CONSTRAINT backup_drills_finished_check CHECK ((status = 'running') = (finished_at IS NULL))
);
SELECT holdfast_global_table('backup_drills', '');

-- Hashes of files that were read once: an object never changes, so the next backup need not read it again. A cache.
CREATE TABLE backup_known_files (
  tree text NOT NULL CONSTRAINT backup_known_files_tree_check CHECK (tree IN ('objects', 'vectors')),
  key text NOT NULL,
  size bigint NOT NULL,
  modified_at timestamptz NOT NULL,
  sha256 text NOT NULL CONSTRAINT backup_known_files_sha256_check CHECK (length(sha256) = 64),
  CONSTRAINT backup_known_files_pkey PRIMARY KEY (tree, key)
);
SELECT holdfast_global_table('backup_known_files', '');
