-- A browser asks for the CORS rules of a bucket before it says whose it is.
CREATE INDEX files_buckets_cors_idx ON files_buckets (name) WHERE trashed_at IS NULL AND cors <> '[]';
