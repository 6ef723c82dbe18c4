-- Objects of buckets, and the bytes that they are made of.

-- Stored bytes. One row for each content of an organisation: equal content is stored once. Its place in the store is
-- `<org>/<first two hex digits of id>/<id>`.
CREATE TABLE files_blobs (
  -- Random, not ordered by time: 256 folders fill evenly.
  id uuid CONSTRAINT files_blobs_pkey PRIMARY KEY,
  -- No foreign key: where an organisation is deleted, its objects go first, and the collector then deletes their blobs with their files.
  org_id uuid NOT NULL,
  size bigint NOT NULL CONSTRAINT files_blobs_size_check CHECK (size BETWEEN 1 AND 1073741824),
  sha256 bytea NOT NULL CONSTRAINT files_blobs_sha256_check CHECK (length(sha256) = 32),
  created_at timestamptz NOT NULL,
  -- Nothing refers to it: it is being deleted, and nothing may refer to it any more.
  gone_at timestamptz,
  -- Found missing or damaged, and not repaired yet.
  damaged_at timestamptz
);
CREATE UNIQUE INDEX files_blobs_content_key ON files_blobs (org_id, sha256, size) WHERE gone_at IS NULL;
CREATE INDEX files_blobs_gone_idx ON files_blobs (gone_at) WHERE gone_at IS NOT NULL;
CREATE INDEX files_blobs_damaged_idx ON files_blobs (org_id, damaged_at) WHERE damaged_at IS NOT NULL;
SELECT holdfast_tenant_table('files_blobs');
-- Garbage, scrub and sweeps are over all organisations.
SELECT holdfast_system_access('files_blobs');

CREATE SEQUENCE files_objects_seq;
DO $$ BEGIN
  EXECUTE format('GRANT USAGE ON SEQUENCE files_objects_seq TO %I, %I', holdfast_role('app'), holdfast_role('system'));
END $$;

-- One row for each version of each object; an object of a bucket without versions has one.
CREATE TABLE files_objects (
  -- UUIDv7; the version id of the API and of S3 (`null` where `unversioned`).
  id uuid CONSTRAINT files_objects_pkey PRIMARY KEY,
  org_id uuid NOT NULL,
  bucket_id uuid NOT NULL,
  key text COLLATE "C" NOT NULL CONSTRAINT files_objects_key_check CHECK (octet_length(key) BETWEEN 1 AND 1024),
  -- The order of the versions of a key, also where the clocks of two hosts differ. Drawn under the key's lock.
  seq bigint NOT NULL DEFAULT nextval('files_objects_seq'),
  -- What a reader of the key gets. A deleted key of a bucket with versions has none: its latest version is a marker. So lists never pass over
  -- markers, however many keys were deleted.
  current boolean NOT NULL,
  -- A delete marker: a version without content.
  marker boolean NOT NULL DEFAULT false,
  -- Written while the bucket had no versions: S3's version `null`.
  unversioned boolean NOT NULL,
  size bigint NOT NULL CONSTRAINT files_objects_size_check CHECK (size >= 0),
  -- The content, if it is one whole blob. NULL: empty, a marker, or in files_extents.
  blob_id uuid CONSTRAINT files_objects_blob_id_fkey REFERENCES files_blobs (id),
  extents integer NOT NULL DEFAULT 0,
  -- Without quotes: MD5 in hex; `<md5 of md5s>-<parts>`; `<first half of the SHA-256>-1` where no MD5 was computed.
  etag text NOT NULL,
  -- Of the whole content, where it is known.
  sha256 bytea,
  -- {type: full|composite, crc32|crc32c|crc64nvme|sha1|sha256: base64}
  checksums jsonb NOT NULL DEFAULT '{}',
  -- Sizes of S3's parts, for reads by part number. NULL: written in one piece.
  parts bigint[],
  content_type text NOT NULL,
  -- What the content is, whatever was declared; empty: not recognised.
  sniffed text NOT NULL DEFAULT '',
  -- cache-control, content-disposition, content-encoding, content-language, expires
  headers jsonb NOT NULL DEFAULT '{}',
  metadata jsonb NOT NULL DEFAULT '{}',
  tags jsonb NOT NULL DEFAULT '{}',
  lock_mode text CONSTRAINT files_objects_lock_mode_check CHECK (lock_mode IN ('governance', 'compliance')),
  lock_until timestamptz,
  legal_hold boolean NOT NULL DEFAULT false,
  scan text NOT NULL DEFAULT 'none' CONSTRAINT files_objects_scan_check CHECK (scan IN ('none', 'pending', 'clean', 'infected', 'unscanned')),
  -- Of clamd: the signature's name; or why it was not scanned.
  scan_note text NOT NULL DEFAULT '',
  created_by text NOT NULL,
  created_at timestamptz NOT NULL,
  -- When a later version took its place. NULL: it is the latest of its key.
  noncurrent_at timestamptz,
  trashed_at timestamptz,
  trashed_by text,
  -- When the trash lets go of it.
  purge_at timestamptz,
  CONSTRAINT files_objects_bucket_id_fkey FOREIGN KEY (org_id, bucket_id) REFERENCES files_buckets (org_id, id) ON DELETE CASCADE,
  CONSTRAINT files_objects_state_check CHECK (
    NOT (current AND (marker OR trashed_at IS NOT NULL OR noncurrent_at IS NOT NULL))
    AND (trashed_at IS NULL) = (purge_at IS NULL)
    AND (lock_mode IS NULL) = (lock_until IS NULL)
    AND NOT (marker AND (size > 0 OR blob_id IS NOT NULL OR extents > 0))
    -- Content is one whole blob, or extents, or nothing.
    AND CASE WHEN blob_id IS NOT NULL THEN size > 0 AND extents = 0 WHEN extents > 0 THEN size > 0 ELSE size = 0 END)
) WITH (fillfactor = 90);
-- Get, head, and every list of a bucket.
CREATE UNIQUE INDEX files_objects_current_key ON files_objects (bucket_id, key) WHERE current;
-- Lists of versions; the latest of a key; the newest below one that was deleted.
CREATE INDEX files_objects_versions_idx ON files_objects (bucket_id, key, seq DESC) WHERE trashed_at IS NULL;
-- Markers that are the latest of their keys: lifecycle removes those under which nothing is left.
CREATE UNIQUE INDEX files_objects_markers_key ON files_objects (bucket_id, key) WHERE marker AND noncurrent_at IS NULL AND trashed_at IS NULL;
CREATE UNIQUE INDEX files_objects_unversioned_key ON files_objects (bucket_id, key) WHERE unversioned AND trashed_at IS NULL;
-- Whether anything still refers to a blob.
CREATE INDEX files_objects_blob_idx ON files_objects (blob_id) WHERE blob_id IS NOT NULL;
-- Whether a bucket that is removed has anything left. Small: its entries are few, and the places are packed.
CREATE INDEX files_objects_bucket_idx ON files_objects (bucket_id);
CREATE INDEX files_objects_trash_idx ON files_objects (org_id, id) WHERE trashed_at IS NOT NULL;
CREATE INDEX files_objects_purge_idx ON files_objects (purge_at) WHERE purge_at IS NOT NULL;
-- Lifecycle: what is old enough, of each bucket that has rules.
CREATE INDEX files_objects_age_idx ON files_objects (bucket_id, created_at, id) WHERE current;
CREATE INDEX files_objects_noncurrent_idx ON files_objects (bucket_id, noncurrent_at, id) WHERE noncurrent_at IS NOT NULL AND trashed_at IS NULL;
CREATE INDEX files_objects_scan_idx ON files_objects (created_at) WHERE scan = 'pending';
SELECT holdfast_tenant_table('files_objects');
-- Trash, lifecycle and scans of all organisations.
SELECT holdfast_system_access('files_objects');

CREATE TABLE files_extents (
  object_id uuid NOT NULL CONSTRAINT files_extents_object_id_fkey REFERENCES files_objects (id) ON DELETE CASCADE,
  n integer NOT NULL,
  org_id uuid NOT NULL,
  blob_id uuid NOT NULL CONSTRAINT files_extents_blob_id_fkey REFERENCES files_blobs (id),
  -- Of the range in the blob, and of its first byte in the object.
  blob_offset bigint NOT NULL,
  size bigint NOT NULL CONSTRAINT files_extents_size_check CHECK (size > 0),
  object_offset bigint NOT NULL,
  CONSTRAINT files_extents_pkey PRIMARY KEY (object_id, n)
);
CREATE INDEX files_extents_blob_idx ON files_extents (blob_id);
CREATE INDEX files_extents_org_idx ON files_extents (org_id, object_id);
SELECT holdfast_tenant_table('files_extents');
SELECT holdfast_system_access('files_extents');

-- Counts of a bucket, in 16 slots: a writer takes the slot of its connection, so that writers seldom wait for each other's commit. Only the sum of
-- the slots means something: a single one may be below zero.
CREATE TABLE files_usage (
  bucket_id uuid NOT NULL CONSTRAINT files_usage_bucket_id_fkey REFERENCES files_buckets (id) ON DELETE CASCADE,
  slot smallint NOT NULL,
  org_id uuid NOT NULL,
  -- Current ones.
  objects bigint NOT NULL, bytes bigint NOT NULL,
  -- Others, markers too.
  versions bigint NOT NULL, version_bytes bigint NOT NULL,
  -- In the trash.
  trashed bigint NOT NULL, trashed_bytes bigint NOT NULL,
  CONSTRAINT files_usage_pkey PRIMARY KEY (bucket_id, slot)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
CREATE INDEX files_usage_org_idx ON files_usage (org_id, bucket_id);
SELECT holdfast_tenant_table('files_usage');
-- Gauges and quotas of all organisations.
SELECT holdfast_system_access('files_usage');

-- Adds to a bucket's counts: objects, bytes, versions, bytes of versions, trashed, bytes of those.
CREATE FUNCTION files_count(of_bucket uuid, of_org uuid, n bigint[]) RETURNS void LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  -- Where a bucket is being deleted, it is gone already, and so are its counts.
  IF n = ARRAY[0, 0, 0, 0, 0, 0]::bigint[] OR NOT EXISTS (SELECT FROM files_buckets b WHERE b.id = of_bucket) THEN RETURN; END IF;
  INSERT INTO files_usage AS u (bucket_id, slot, org_id, objects, bytes, versions, version_bytes, trashed, trashed_bytes)
  VALUES (of_bucket, (pg_backend_pid() % 16)::smallint, of_org, n[1], n[2], n[3], n[4], n[5], n[6])
  ON CONFLICT ON CONSTRAINT files_usage_pkey DO UPDATE SET
    objects = u.objects + n[1], bytes = u.bytes + n[2], versions = u.versions + n[3], version_bytes = u.version_bytes + n[4],
    trashed = u.trashed + n[5], trashed_bytes = u.trashed_bytes + n[6];
END $$;
REVOKE ALL ON FUNCTION files_count(uuid, uuid, bigint[]) FROM PUBLIC;

-- Once for each statement, whoever runs it. Buckets in the order of their ids: two statements over the same buckets do not deadlock.
CREATE FUNCTION files_count_objects() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  c record;
BEGIN
  IF TG_OP = 'INSERT' THEN
    FOR c IN
      SELECT a.bucket_id, a.org_id, ARRAY[
        count(*) FILTER (WHERE a.current), coalesce(sum(a.size) FILTER (WHERE a.current), 0)::bigint,
        count(*) FILTER (WHERE NOT a.current AND a.trashed_at IS NULL), coalesce(sum(a.size) FILTER (WHERE NOT a.current AND a.trashed_at IS NULL), 0)::bigint,
        count(a.trashed_at), coalesce(sum(a.size) FILTER (WHERE a.trashed_at IS NOT NULL), 0)::bigint] AS n
      FROM added a GROUP BY 1, 2 ORDER BY 1
    LOOP
      PERFORM files_count(c.bucket_id, c.org_id, c.n);
    END LOOP;
  ELSIF TG_OP = 'DELETE' THEN
    FOR c IN
      SELECT r.bucket_id, r.org_id, ARRAY[
        -count(*) FILTER (WHERE r.current), -coalesce(sum(r.size) FILTER (WHERE r.current), 0)::bigint,
        -count(*) FILTER (WHERE NOT r.current AND r.trashed_at IS NULL), -coalesce(sum(r.size) FILTER (WHERE NOT r.current AND r.trashed_at IS NULL), 0)::bigint,
        -count(r.trashed_at), -coalesce(sum(r.size) FILTER (WHERE r.trashed_at IS NOT NULL), 0)::bigint] AS n
      FROM removed r GROUP BY 1, 2 ORDER BY 1
    LOOP
      PERFORM files_count(c.bucket_id, c.org_id, c.n);
    END LOOP;
  ELSE
    -- Old rows are taken away, new ones are added: an object may move to another bucket.
    FOR c IN
      SELECT x.bucket_id, x.org_id, ARRAY[
        coalesce(sum(x.sign) FILTER (WHERE x.current), 0)::bigint, coalesce(sum(x.sign * x.size) FILTER (WHERE x.current), 0)::bigint,
        coalesce(sum(x.sign) FILTER (WHERE NOT x.current AND x.trashed_at IS NULL), 0)::bigint,
        coalesce(sum(x.sign * x.size) FILTER (WHERE NOT x.current AND x.trashed_at IS NULL), 0)::bigint,
        coalesce(sum(x.sign) FILTER (WHERE x.trashed_at IS NOT NULL), 0)::bigint,
        coalesce(sum(x.sign * x.size) FILTER (WHERE x.trashed_at IS NOT NULL), 0)::bigint] AS n
      FROM (SELECT 1 AS sign, a.bucket_id, a.org_id, a.current, a.trashed_at, a.size FROM added a
            UNION ALL SELECT -1, r.bucket_id, r.org_id, r.current, r.trashed_at, r.size FROM removed r) x
      GROUP BY 1, 2 ORDER BY 1
    LOOP
      PERFORM files_count(c.bucket_id, c.org_id, c.n);
    END LOOP;
  END IF;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION files_count_objects() FROM PUBLIC;
CREATE TRIGGER files_count_added AFTER INSERT ON files_objects
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION files_count_objects();
CREATE TRIGGER files_count_changed AFTER UPDATE ON files_objects
  REFERENCING NEW TABLE AS added OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION files_count_objects();
CREATE TRIGGER files_count_removed AFTER DELETE ON files_objects
  REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION files_count_objects();

-- A version under legal hold, or whose compliance lock has not ended, is neither deleted nor put into the trash, by nobody and on no way: the
-- service says so before it tries, and this holds where it is not asked, as when an organisation is deleted with all that it has. Governance is
-- the service's alone: whoever may bypass it, may. By the database's clock.
CREATE FUNCTION files_keep_locked() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  compliance CONSTANT boolean := OLD.lock_mode = 'compliance' AND OLD.lock_until > clock_timestamp();
BEGIN
  IF TG_OP = 'DELETE' OR (OLD.trashed_at IS NULL AND NEW.trashed_at IS NOT NULL) THEN
    IF OLD.legal_hold OR compliance THEN
      RAISE EXCEPTION 'object % of bucket % is locked%: it cannot be deleted', OLD.id, OLD.bucket_id,
        CASE WHEN OLD.legal_hold THEN ' by a legal hold' ELSE format(' until %s', OLD.lock_until) END
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'files_objects_locked', TABLE = 'files_objects',
          HINT = 'Wait for the end of the lock, or release the legal hold.';
    END IF;
  ELSIF compliance AND (NEW.lock_mode IS DISTINCT FROM 'compliance' OR NEW.lock_until < OLD.lock_until) THEN
    RAISE EXCEPTION 'the compliance lock of object % of bucket % cannot end before %', OLD.id, OLD.bucket_id, OLD.lock_until
      USING ERRCODE = 'restrict_violation', CONSTRAINT = 'files_objects_locked', TABLE = 'files_objects';
  END IF;
  RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
REVOKE ALL ON FUNCTION files_keep_locked() FROM PUBLIC;
CREATE TRIGGER files_keep_locked_deleted BEFORE DELETE ON files_objects
  FOR EACH ROW WHEN (OLD.legal_hold OR OLD.lock_mode = 'compliance') EXECUTE FUNCTION files_keep_locked();
CREATE TRIGGER files_keep_locked_changed BEFORE UPDATE ON files_objects
  FOR EACH ROW WHEN (OLD.legal_hold OR OLD.lock_mode = 'compliance') EXECUTE FUNCTION files_keep_locked();
