-- Addresses that are told of events, of organisations and of the installation, and what was sent to them.

CREATE TABLE webhook_endpoints (
  id uuid CONSTRAINT webhook_endpoints_pkey PRIMARY KEY,
  -- NULL: of the installation.
  org_id uuid CONSTRAINT webhook_endpoints_org_id_fkey REFERENCES organisations (id) ON DELETE CASCADE,
  url text NOT NULL,
  description text NOT NULL,
  -- Empty: all of them.
  topics text[] NOT NULL,
  -- Sealed with the master key; the one before the last rotation signs too until previous_until.
  secret bytea NOT NULL,
  previous_secret bytea,
  previous_until timestamptz,
  -- NULL while it is told; why it is not: by hand, because it failed for days, or because it answered 410.
  disabled_at timestamptz,
  disabled_reason text CONSTRAINT webhook_endpoints_disabled_reason_check CHECK (disabled_reason IN ('by_hand', 'failing', 'gone')),
  -- Since when every attempt has failed; NULL after a success.
  failing_since timestamptz,
  -- Attempts that failed since then, and when the next may be made.
  failures integer NOT NULL DEFAULT 0,
  retry_at timestamptz,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  CONSTRAINT webhook_endpoints_disabled_check CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL)),
  CONSTRAINT webhook_endpoints_previous_check CHECK ((previous_secret IS NULL) = (previous_until IS NULL))
);
SELECT holdfast_tenant_table('webhook_endpoints');
-- Events of all organisations are matched with their endpoints in one transaction.
SELECT holdfast_system_access('webhook_endpoints');
CREATE INDEX webhook_endpoints_org_idx ON webhook_endpoints (org_id, id);

-- One row for each event and receiver. A receiver is an endpoint, or one that the configuration names (`alerting.webhooks.<name>`).
CREATE TABLE webhook_deliveries (
  id uuid NOT NULL,
  -- `webhook-id` of every attempt, and of every repetition by hand: the receiver knows by it what it has had already.
  message_id uuid NOT NULL,
  org_id uuid,
  -- The endpoint's id, or `alerting.<name>`.
  receiver text NOT NULL,
  topic text NOT NULL,
  -- What the event happened to.
  subject text NOT NULL,
  -- Kept as sent, so that every attempt says the same.
  body text NOT NULL,
  state text NOT NULL CONSTRAINT webhook_deliveries_state_check CHECK (state IN ('queued', 'delivered', 'dead')),
  attempts integer NOT NULL DEFAULT 0,
  -- Of the last attempt: the answer's status, how long it took, why it failed.
  status integer,
  milliseconds integer,
  error text,
  created_at timestamptz NOT NULL DEFAULT now(),
  attempted_at timestamptz,
  CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (id, created_at)
) PARTITION BY RANGE (created_at);
SELECT holdfast_tenant_table('webhook_deliveries');
-- Made for many organisations in one transaction, and worked off by jobs; those of the configuration have no organisation.
SELECT holdfast_system_access('webhook_deliveries');
CREATE INDEX webhook_deliveries_org_idx ON webhook_deliveries (org_id, receiver, id);
CREATE INDEX webhook_deliveries_receiver_idx ON webhook_deliveries (receiver, id);
CREATE INDEX webhook_deliveries_queued_idx ON webhook_deliveries (receiver, id) WHERE state = 'queued';
CREATE INDEX webhook_deliveries_subject_idx ON webhook_deliveries (subject, id);
CREATE TABLE webhook_deliveries_default PARTITION OF webhook_deliveries DEFAULT;

-- Receivers of the configuration have no row of their own: this is theirs.
CREATE TABLE webhook_receivers (
  receiver text CONSTRAINT webhook_receivers_pkey PRIMARY KEY,
  failing_since timestamptz,
  failures integer NOT NULL DEFAULT 0,
  retry_at timestamptz
);
SELECT holdfast_global_table('webhook_receivers', '');

CREATE FUNCTION holdfast_webhooks_maintain(retention interval, OUT created integer, OUT dropped integer)
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT * FROM holdfast_weekly_partitions('webhook_deliveries', retention)
$$;
REVOKE ALL ON FUNCTION holdfast_webhooks_maintain(interval) FROM PUBLIC;
DO $$ BEGIN
  EXECUTE format('GRANT EXECUTE ON FUNCTION holdfast_webhooks_maintain(interval) TO %I', holdfast_role('system'));
END $$;
SELECT holdfast_webhooks_maintain(interval '36500 days');

-- What alerting had passed on, or has still to: its table stays as it was for the version before this one.
INSERT INTO webhook_deliveries (id, message_id, receiver, topic, subject, body, state, attempts, error, created_at, attempted_at)
  SELECT id, id, 'alerting.' || webhook, CASE event WHEN 'firing' THEN 'alerting.alert.firing' ELSE 'alerting.alert.resolved' END,
    alert_id::text, body, state, attempts, error, created_at, attempted_at
  FROM alert_deliveries;
