-- Unfinished objects: S3's multipart uploads, tus, and our own. Their parts are blobs, so that finishing copies nothing.
CREATE TABLE files_uploads (
  -- Random: it is a secret in the address of a tus upload.
  id uuid CONSTRAINT files_uploads_pkey PRIMARY KEY,
  org_id uuid NOT NULL,
  bucket_id uuid NOT NULL,
  key text COLLATE "C" NOT NULL,
  kind text NOT NULL CONSTRAINT files_uploads_kind_check CHECK (kind IN ('s3', 'tus', 'tus_partial')),
  -- Bytes; NULL: not known yet.
  length bigint,
  received bigint NOT NULL DEFAULT 0,
  replace boolean NOT NULL DEFAULT true,
  -- As in files_objects: what the object will have.
  content_type text NOT NULL,
  headers jsonb NOT NULL DEFAULT '{}', metadata jsonb NOT NULL DEFAULT '{}', tags jsonb NOT NULL DEFAULT '{}',
  checksum_algorithm text, checksum_type text,
  lock_mode text CONSTRAINT files_uploads_lock_mode_check CHECK (lock_mode IN ('governance', 'compliance')), lock_until timestamptz,
  legal_hold boolean NOT NULL DEFAULT false,
  -- Of the token that it was begun with: its limits hold to the end.
  claims jsonb,
  -- The request that writes now. Another takes over by writing its own; the former notices at its next commit.
  holder uuid,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  -- What became of it: kept for a day, so that a repeated completion gets the same answer.
  object_id uuid,
  ended_at timestamptz,
  CONSTRAINT files_uploads_bucket_id_fkey FOREIGN KEY (org_id, bucket_id) REFERENCES files_buckets (org_id, id) ON DELETE CASCADE
);
-- ListMultipartUploads, in the order of keys.
CREATE INDEX files_uploads_bucket_idx ON files_uploads (bucket_id, key, id) WHERE ended_at IS NULL;
CREATE INDEX files_uploads_org_idx ON files_uploads (org_id, id);
CREATE INDEX files_uploads_expires_idx ON files_uploads (expires_at);
SELECT holdfast_tenant_table('files_uploads');
-- An upload's id is all that a tus client has; expired ones of all organisations are removed.
SELECT holdfast_system_access('files_uploads');

CREATE TABLE files_parts (
  upload_id uuid NOT NULL CONSTRAINT files_parts_upload_id_fkey REFERENCES files_uploads (id) ON DELETE CASCADE,
  -- S3's part number; of tus: 1, 2, ... in the order of arrival.
  number integer NOT NULL,
  -- A part larger than a blob, or copied from an object of several extents, is several pieces.
  piece integer NOT NULL DEFAULT 1,
  org_id uuid NOT NULL,
  blob_id uuid NOT NULL CONSTRAINT files_parts_blob_id_fkey REFERENCES files_blobs (id),
  blob_offset bigint NOT NULL DEFAULT 0,
  size bigint NOT NULL,
  -- Of the part, in its first piece.
  md5 bytea,
  checksums jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL,
  CONSTRAINT files_parts_pkey PRIMARY KEY (upload_id, number, piece)
);
CREATE INDEX files_parts_blob_idx ON files_parts (blob_id);
SELECT holdfast_tenant_table('files_parts');
SELECT holdfast_system_access('files_parts');
