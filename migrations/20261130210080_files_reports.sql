-- How small the images of a bucket could be: the last report of each bucket.
CREATE TABLE files_image_reports (
  bucket_id uuid CONSTRAINT files_image_reports_pkey PRIMARY KEY CONSTRAINT files_image_reports_bucket_id_fkey REFERENCES files_buckets (id) ON DELETE CASCADE,
  org_id uuid NOT NULL,
  started_at timestamptz NOT NULL,
  -- NULL: it is being made.
  ended_at timestamptz,
  -- Of the ended one: {images, bytes, would_be, sampled, unread, by_format: {type: {images, bytes, would_be}}}
  report jsonb
);
CREATE INDEX files_image_reports_org_idx ON files_image_reports (org_id, bucket_id);
SELECT holdfast_tenant_table('files_image_reports');
