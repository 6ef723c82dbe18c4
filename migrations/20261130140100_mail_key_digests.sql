-- SHA-256 of the request that an idempotency key belongs to; NULL: not of a request.
ALTER TABLE mail_keys ADD COLUMN request_digest bytea;
