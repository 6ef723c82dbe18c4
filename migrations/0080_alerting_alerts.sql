-- Alerts as Alertmanager told of them: it keeps no history. They are of the installation, not of an organisation.

-- One row for each time that an alert fired: `fingerprint` names its labels, `starts_at` the time.
CREATE TABLE alerts (
  id uuid CONSTRAINT alerts_pkey PRIMARY KEY,
  fingerprint text NOT NULL,
  starts_at timestamptz NOT NULL,
  -- NULL while it fires.
  ends_at timestamptz,
  name text NOT NULL,
  severity text NOT NULL CONSTRAINT alerts_severity_check CHECK (severity IN ('critical', 'warning', 'info', 'none')),
  labels jsonb NOT NULL,
  annotations jsonb NOT NULL,
  generator_url text NOT NULL,
  received_at timestamptz NOT NULL,
  -- When it was last spoken of.
  heard_at timestamptz NOT NULL,
  CONSTRAINT alerts_fingerprint_starts_at_key UNIQUE (fingerprint, starts_at)
);
CREATE INDEX alerts_firing_idx ON alerts (id) WHERE ends_at IS NULL;
SELECT holdfast_global_table('alerts', '');

-- What is passed on, and how that went. The id is the `webhook-id` of every attempt; the body is kept so that every attempt says the same.
CREATE TABLE alert_deliveries (
  id uuid CONSTRAINT alert_deliveries_pkey PRIMARY KEY,
  alert_id uuid NOT NULL CONSTRAINT alert_deliveries_alert_id_fkey REFERENCES alerts (id) ON DELETE CASCADE,
  webhook text NOT NULL,
  event text NOT NULL CONSTRAINT alert_deliveries_event_check CHECK (event IN ('firing', 'resolved')),
  body text NOT NULL,
  state text NOT NULL CONSTRAINT alert_deliveries_state_check CHECK (state IN ('queued', 'delivered', 'dead')),
  attempts integer NOT NULL DEFAULT 0,
  error text,
  created_at timestamptz NOT NULL,
  -- End of the last attempt.
  attempted_at timestamptz
);
CREATE INDEX alert_deliveries_alert_id_idx ON alert_deliveries (alert_id);
SELECT holdfast_global_table('alert_deliveries', '');

-- One row: when the alert that always fires was last heard of.
CREATE TABLE alert_watchdog (
  seen_at timestamptz NOT NULL,
  singleton boolean NOT NULL DEFAULT true CONSTRAINT alert_watchdog_singleton_key UNIQUE CONSTRAINT alert_watchdog_singleton_check CHECK (singleton)
);
SELECT holdfast_global_table('alert_watchdog', '');
