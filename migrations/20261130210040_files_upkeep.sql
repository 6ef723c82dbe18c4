-- What keeps the store in order: garbage, scrubs, sweeps, lifecycle rules.

-- Blobs that lost a reference: whether others are left is looked at after a while. Notes and no counts: a counter that is wrong deletes data. A blob
-- may stand here several times, so that those who note it wait for nobody.
CREATE TABLE files_garbage (
  id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT files_garbage_pkey PRIMARY KEY,
  blob_id uuid NOT NULL CONSTRAINT files_garbage_blob_id_fkey REFERENCES files_blobs (id) ON DELETE CASCADE,
  since timestamptz NOT NULL
);
CREATE INDEX files_garbage_since_idx ON files_garbage (since);
CREATE INDEX files_garbage_blob_idx ON files_garbage (blob_id);
SELECT holdfast_global_table('files_garbage', '');

CREATE FUNCTION files_note_garbage() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    INSERT INTO files_garbage (blob_id, since) SELECT DISTINCT r.blob_id, now() FROM removed r WHERE r.blob_id IS NOT NULL;
  ELSE
    -- A reference that is still there is no garbage: most updates change no blob.
    INSERT INTO files_garbage (blob_id, since)
    SELECT DISTINCT r.blob_id, now() FROM removed r WHERE r.blob_id IS NOT NULL AND NOT EXISTS (SELECT FROM added a WHERE a.blob_id = r.blob_id);
  END IF;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION files_note_garbage() FROM PUBLIC;
CREATE TRIGGER files_garbage_removed AFTER DELETE ON files_objects
  REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION files_note_garbage();
CREATE TRIGGER files_garbage_changed AFTER UPDATE ON files_objects
  REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION files_note_garbage();
CREATE TRIGGER files_garbage_removed AFTER DELETE ON files_extents
  REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION files_note_garbage();
CREATE TRIGGER files_garbage_changed AFTER UPDATE ON files_extents
  REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION files_note_garbage();
CREATE TRIGGER files_garbage_removed AFTER DELETE ON files_parts
  REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION files_note_garbage();
-- A part that is sent again.
CREATE TRIGGER files_garbage_changed AFTER UPDATE ON files_parts
  REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION files_note_garbage();

-- A scrub: one row for each, the newest first. Of the installation.
CREATE TABLE files_scrubs (
  id uuid CONSTRAINT files_scrubs_pkey PRIMARY KEY,
  started_at timestamptz NOT NULL,
  ended_at timestamptz,
  -- Where it is: room and key.
  room text NOT NULL, after text NOT NULL,
  objects bigint NOT NULL DEFAULT 0, bytes bigint NOT NULL DEFAULT 0,
  damaged bigint NOT NULL DEFAULT 0, repaired bigint NOT NULL DEFAULT 0, unread bigint NOT NULL DEFAULT 0
);
CREATE INDEX files_scrubs_started_idx ON files_scrubs (started_at DESC);
SELECT holdfast_global_table('files_scrubs', '');

CREATE TABLE files_damage (
  room text NOT NULL,
  object text NOT NULL,
  -- Whose it is; NULL: its key does not say.
  org_id uuid,
  kind text NOT NULL CONSTRAINT files_damage_kind_check CHECK (kind IN ('missing', 'size', 'content')),
  found_at timestamptz NOT NULL,
  tried_at timestamptz,
  note text NOT NULL DEFAULT '',
  repaired_at timestamptz,
  CONSTRAINT files_damage_pkey PRIMARY KEY (room, object)
);
CREATE INDEX files_damage_open_idx ON files_damage (found_at) WHERE repaired_at IS NULL;
SELECT holdfast_tenant_table('files_damage');
-- Of rooms whose keys do not say an organisation, too.
SELECT holdfast_system_access('files_damage');

-- How far the sweep for orphans is in each folder, and what it found.
CREATE TABLE files_sweeps (
  room text NOT NULL, shard smallint NOT NULL,
  swept_at timestamptz NOT NULL,
  objects bigint NOT NULL, orphans bigint NOT NULL, orphan_bytes bigint NOT NULL,
  CONSTRAINT files_sweeps_pkey PRIMARY KEY (room, shard)
);
SELECT holdfast_global_table('files_sweeps', '');

-- How far lifecycle rules are: a bucket each day.
CREATE TABLE files_lifecycle_runs (
  bucket_id uuid CONSTRAINT files_lifecycle_runs_pkey PRIMARY KEY CONSTRAINT files_lifecycle_runs_bucket_id_fkey REFERENCES files_buckets (id) ON DELETE CASCADE,
  org_id uuid NOT NULL,
  ran_at timestamptz NOT NULL,
  expired bigint NOT NULL, moved bigint NOT NULL, aborted bigint NOT NULL,
  problem text NOT NULL DEFAULT ''
);
CREATE INDEX files_lifecycle_runs_org_idx ON files_lifecycle_runs (org_id, bucket_id);
SELECT holdfast_tenant_table('files_lifecycle_runs');
SELECT holdfast_system_access('files_lifecycle_runs');
