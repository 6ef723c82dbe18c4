INSERT INTO files_buckets (id, org_id, name, created_by, created_at, updated_at)
  SELECT pg_temp.id(n), '$org', 'bucket-' || n || '-' || replace(pg_temp.word(n), ' ', '-'), 'x', now(), now() FROM n;
-- Deleted ones, whose trash had content.
INSERT INTO files_buckets (id, org_id, name, created_by, created_at, updated_at, trashed_at)
  SELECT pg_temp.other(n), '$org', 'gone-' || n, 'x', now(), now(), now() FROM n;
INSERT INTO files_blobs (id, org_id, size, sha256, created_at) SELECT pg_temp.id(n), '$org', n, sha256(n::text::bytea), now() FROM generate_series(1, 3) AS n;
INSERT INTO files_objects (id, org_id, bucket_id, key, current, unversioned, size, blob_id, etag, content_type, created_by, created_at)
  SELECT pg_temp.id(n), '$org', pg_temp.id($rows), 'folder/' || lpad(n::text, 6, '0') || ' ' || pg_temp.word(n), true, true, 1, pg_temp.id(1), 'x', 'text/plain', 'x', now()
  FROM n;
-- The trash.
INSERT INTO files_objects (id, org_id, bucket_id, key, current, unversioned, size, etag, content_type, created_by, created_at,
    noncurrent_at, trashed_at, trashed_by, purge_at)
  SELECT pg_temp.other(n), '$org', pg_temp.id($rows), 'old ' || n || ' ' || pg_temp.word(n), false, true, 0, 'x', 'text/plain', 'x', now(),
    now(), now(), 'x', now() + interval '1 year' FROM n;
INSERT INTO files_objects (id, org_id, bucket_id, key, current, unversioned, size, extents, etag, content_type, created_by, created_at)
  VALUES (pg_temp.id($rows + 1), '$org', pg_temp.id(1), 'of two extents', true, true, 5, 2, 'x-2', 'text/plain', 'x', now());
INSERT INTO files_extents (object_id, n, org_id, blob_id, blob_offset, size, object_offset)
  VALUES (pg_temp.id($rows + 1), 1, '$org', pg_temp.id(2), 0, 2, 0), (pg_temp.id($rows + 1), 2, '$org', pg_temp.id(3), 0, 3, 2);
INSERT INTO files_rules (id, org_id, bucket_id, subject, verbs, created_by, created_at)
  VALUES (pg_temp.id(1), '$org', pg_temp.id(1), 'role:member', '{read}', 'x', now());
INSERT INTO files_access_keys (id, org_id, name, access_key_id, secret, verbs, created_by, created_at)
  SELECT pg_temp.id(n), '$org', pg_temp.word(n), 'HF' || upper(translate(lpad(to_hex(n), 18, '0'), '0189', 'wxyz')), '', '{read}', 'x', now() FROM n;
INSERT INTO files_quotas (org_id, bytes, updated_by, updated_at) VALUES ('$org', 1000000000000, 'x', now());
INSERT INTO files_uploads (id, org_id, bucket_id, key, kind, content_type, created_by, created_at, expires_at)
  SELECT pg_temp.id(n), '$org', pg_temp.id($rows), 'upload ' || n, 's3', 'text/plain', 'x', now(), now() + interval '1 year' FROM n;
INSERT INTO files_parts (upload_id, number, org_id, blob_id, size, created_at) VALUES (pg_temp.id(1), 1, '$org', pg_temp.id(1), 1, now());
INSERT INTO files_links (id, org_id, bucket_id, key, token_hash, created_by, created_at)
  SELECT pg_temp.id(n), '$org', pg_temp.id($rows), 'folder/' || n, sha256(n::text::bytea), 'x', now() FROM n;
INSERT INTO files_spent (nonce, org_id, expires_at) VALUES (pg_temp.id(1), '$org', now() + interval '1 year');
INSERT INTO files_garbage (blob_id, since) VALUES (pg_temp.id(1), now());
INSERT INTO files_scrubs (id, started_at, ended_at, room, after) VALUES (pg_temp.id(1), now(), now(), 'files', '');
INSERT INTO files_damage (room, object, org_id, kind, found_at) VALUES ('files', 'x', '$org', 'missing', now());
INSERT INTO files_sweeps (room, shard, swept_at, objects, orphans, orphan_bytes) VALUES ('files', 0, now(), 0, 0, 0);
INSERT INTO files_lifecycle_runs (bucket_id, org_id, ran_at, expired, moved, aborted) VALUES (pg_temp.id(1), '$org', now(), 0, 0, 0);
INSERT INTO files_image_reports (bucket_id, org_id, started_at, ended_at, report) VALUES (pg_temp.id(1), '$org', now(), now(), '{}');
