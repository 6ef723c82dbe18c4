-- A scrub and a sweep go over all blobs in the order of their places.
CREATE INDEX files_blobs_org_idx ON files_blobs (org_id, id);
-- Objects of many small pieces are stored anew.
CREATE INDEX files_objects_scattered_idx ON files_objects (id) WHERE extents > 64;
