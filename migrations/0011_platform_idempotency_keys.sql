-- Requests that carried an Idempotency-Key, and how they were answered, for 24 hours.

CREATE TABLE idempotency_keys (
  org_id uuid NOT NULL CONSTRAINT idempotency_keys_org_id_fkey REFERENCES organisations ON DELETE CASCADE,
  -- `user:<id>` or `key:<id>`: each has keys of its own.
  principal text NOT NULL CONSTRAINT idempotency_keys_principal_check CHECK (length(principal) BETWEEN 1 AND 100),
  key text NOT NULL CONSTRAINT idempotency_keys_key_check CHECK (length(key) BETWEEN 1 AND 255),
  -- SHA-256 of method, path and body: a key stands for one request.
  fingerprint bytea NOT NULL CONSTRAINT idempotency_keys_fingerprint_check CHECK (length(fingerprint) = 32),
  -- Which run of the request this is: one that lost its lease must not answer for its successor.
  run uuid NOT NULL,
  -- While there is no response: until when nobody else may begin.
  leased_until timestamptz NOT NULL,
  -- Sealed with the master key, because an API key's secret is in it. NULL while the request runs.
  response bytea,
  created_at timestamptz NOT NULL,
  CONSTRAINT idempotency_keys_pkey PRIMARY KEY (org_id, principal, key)
);
CREATE INDEX idempotency_keys_created_at_idx ON idempotency_keys (created_at);
SELECT holdfast_tenant_table('idempotency_keys');
-- Retention goes over all organisations.
SELECT holdfast_system_access('idempotency_keys');
