-- Alerts that began or ended and wait for the next digest. Alerts are of the installation. An item is removed in the transaction that writes
-- the mails.
CREATE TABLE notice_items (
  -- The event: told of twice, it is kept once.
  event_id uuid CONSTRAINT notice_items_pkey PRIMARY KEY,
  -- No foreign key: the digest tells of an alert that was deleted meanwhile, too.
  alert_id uuid NOT NULL,
  state text NOT NULL CONSTRAINT notice_items_state_check CHECK (state IN ('firing', 'resolved')),
  name text NOT NULL,
  severity text NOT NULL,
  summary text NOT NULL,
  -- When the alert began or ended.
  at timestamptz NOT NULL,
  -- Critical, but one of too many for a mail each: mailed within minutes, with the others.
  urgent boolean NOT NULL,
  created_at timestamptz NOT NULL
);
CREATE INDEX notice_items_created_at_idx ON notice_items (created_at);
SELECT holdfast_global_table('notice_items', '');

-- How many notices of a name were made since a time: a storm of events does not become a storm of mails. A handful of rows.
CREATE TABLE notice_counts (
  name text CONSTRAINT notice_counts_pkey PRIMARY KEY,
  since timestamptz NOT NULL,
  count integer NOT NULL
);
SELECT holdfast_global_table('notice_counts', '');
