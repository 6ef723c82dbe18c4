-- Mail: the outbox with its attempts, and what decides whether and how a mail is sent. `org_id` NULL: of the installation.

-- One row for each mail, written in the transaction that made it necessary. Retention drops whole weeks, but none with mail that waits: see
-- holdfast_mail_maintain.
CREATE TABLE mail_messages (
  id uuid NOT NULL,
  created_at timestamptz NOT NULL,
  org_id uuid,
  kind text NOT NULL,
  -- NULL: the caller gave the text.
  template text,
  language text NOT NULL,
  -- NULL: the configured sender at the time of sending.
  from_address text,
  from_name text NOT NULL DEFAULT '',
  reply_to text,
  to_address text NOT NULL,
  to_name text NOT NULL,
  -- The address in lower case, by which limits and suppressions know it.
  to_key text NOT NULL,
  subject text NOT NULL,
  -- Fixed here, so that a repetition is the same mail: without angle brackets. `@unset.invalid` becomes the sender's domain with the first attempt.
  message_id text NOT NULL,
  -- `<account>/<domain of the recipient>`: mail of one lane is sent by one job at a time.
  lane text NOT NULL,
  state text NOT NULL CONSTRAINT mail_messages_state_check
    CHECK (state IN ('queued', 'sending', 'sent', 'failed', 'suppressed', 'cancelled')),
  -- Number of the last attempt; also its fencing token: only the holder of this number may record the result.
  attempts integer NOT NULL DEFAULT 0,
  -- When the next attempt is due.
  send_at timestamptz NOT NULL,
  -- From then on it is of no use, and no further attempt begins: such as a link that works no more. NULL: never.
  expires_at timestamptz,
  -- First attempt that reached the server, since the message was queued or queued again by hand: it has failed `retry_hours` later.
  tried_since timestamptz,
  -- Of the last attempt: reply code, enhanced status code, error.
  status integer,
  enhanced text,
  error text,
  -- An attempt ended without an answer after the content was sent: it may arrive twice, with the same Message-ID.
  maybe_sent boolean NOT NULL DEFAULT false,
  sent_at timestamptz,
  bounced_at timestamptz,
  bounce text CONSTRAINT mail_messages_bounce_check CHECK (bounce IN ('hard', 'soft', 'complaint')),
  idempotency_key text,
  created_by text NOT NULL,
  CONSTRAINT mail_messages_pkey PRIMARY KEY (id, created_at)
) PARTITION BY RANGE (created_at);
SELECT holdfast_tenant_table('mail_messages');
-- A lane has mail of all organisations, and bounces are matched with mail of all.
SELECT holdfast_system_access('mail_messages');
CREATE INDEX mail_messages_org_idx ON mail_messages (org_id, id);
CREATE INDEX mail_messages_to_key_idx ON mail_messages (to_key, id);
CREATE INDEX mail_messages_message_id_idx ON mail_messages (message_id);
CREATE INDEX mail_messages_lane_idx ON mail_messages (lane, send_at) WHERE state = 'queued';
CREATE INDEX mail_messages_due_idx ON mail_messages (send_at) WHERE state = 'queued';
CREATE INDEX mail_messages_waiting_idx ON mail_messages (org_id, send_at) WHERE state = 'queued';
CREATE INDEX mail_messages_expires_idx ON mail_messages (expires_at) WHERE state = 'queued' AND expires_at IS NOT NULL;
CREATE INDEX mail_messages_sending_idx ON mail_messages (lane) WHERE state = 'sending';
CREATE TABLE mail_messages_default PARTITION OF mail_messages DEFAULT;

-- What a message is found by.
CREATE FUNCTION mail_messages_text(to_address text, subject text, error text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT concat_ws(' ', to_address, subject, error)
$$;
SELECT holdfast_search_index('mail_messages_search_idx',
  'mail_messages USING gin (org_id, mail_messages_text(to_address, subject, error) gin_trgm_ops)');

-- NULL is no filter. `of_installation`: those without an organisation, which only the system role can read.
CREATE FUNCTION mail_messages_found(
  of_installation boolean, wanted text, of_kind text, recipient text, pattern text, below uuid, most bigint
) RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT holdfast_found(concat(
      'mail_messages m WHERE ',
      CASE WHEN of_installation THEN 'm.org_id IS NULL' ELSE format('m.org_id = %L', holdfast_current_org()) END,
      CASE WHEN wanted IS NOT NULL THEN format(' AND m.state = %L', wanted) END,
      CASE WHEN of_kind IS NOT NULL THEN format(' AND m.kind = %L', of_kind) END,
      CASE WHEN recipient IS NOT NULL THEN format(' AND m.to_key = %L', recipient) END),
    'm.id', 'mail_messages_text(m.to_address, m.subject, m.error)', pattern, below, false, most)
$$;
SELECT holdfast_found_by('mail_messages_found(boolean, text, text, text, text, uuid, bigint)', 'app');
SELECT holdfast_found_by('mail_messages_found(boolean, text, text, text, text, uuid, bigint)', 'system');

-- The content, apart from the row that changes with each attempt. `created_at` is the message's: both are dropped together.
CREATE TABLE mail_bodies (
  id uuid NOT NULL,
  created_at timestamptz NOT NULL,
  org_id uuid,
  text text NOT NULL,
  html text,
  -- Further headers: {name: value}.
  headers jsonb NOT NULL DEFAULT '{}',
  -- [{name, content_type, size, object}]
  attachments jsonb NOT NULL DEFAULT '[]',
  CONSTRAINT mail_bodies_pkey PRIMARY KEY (id, created_at)
) PARTITION BY RANGE (created_at);
SELECT holdfast_tenant_table('mail_bodies');
SELECT holdfast_system_access('mail_bodies');
CREATE INDEX mail_bodies_org_idx ON mail_bodies (org_id, id);
CREATE TABLE mail_bodies_default PARTITION OF mail_bodies DEFAULT;

-- `created_at` is the message's.
CREATE TABLE mail_attempts (
  message_id uuid NOT NULL,
  attempt integer NOT NULL,
  created_at timestamptz NOT NULL,
  org_id uuid,
  began_at timestamptz NOT NULL,
  -- NULL while it runs, or if its process ended before it noticed.
  ended_at timestamptz,
  outcome text CONSTRAINT mail_attempts_outcome_check
    CHECK (outcome IN ('sent', 'deferred', 'rejected', 'unknown', 'account', 'suppressed', 'lost')),
  status integer,
  answer text,
  milliseconds integer,
  CONSTRAINT mail_attempts_pkey PRIMARY KEY (message_id, attempt, created_at)
) PARTITION BY RANGE (created_at);
SELECT holdfast_tenant_table('mail_attempts');
SELECT holdfast_system_access('mail_attempts');
CREATE INDEX mail_attempts_org_idx ON mail_attempts (org_id, message_id);
CREATE TABLE mail_attempts_default PARTITION OF mail_attempts DEFAULT;

-- A key makes one message only. Not a constraint of the partitioned table, which would need created_at in it.
CREATE TABLE mail_keys (
  org_id uuid CONSTRAINT mail_keys_org_id_fkey REFERENCES organisations (id) ON DELETE CASCADE,
  key text NOT NULL,
  message_id uuid NOT NULL,
  created_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX mail_keys_key ON mail_keys (org_id, key) NULLS NOT DISTINCT;
CREATE INDEX mail_keys_created_at_idx ON mail_keys (created_at);
SELECT holdfast_tenant_table('mail_keys');
SELECT holdfast_system_access('mail_keys');

-- SMTP accounts that fail: no row while everything works. Nothing is sent with the account until retry_at; then one mail tries it.
CREATE TABLE mail_accounts (
  account text CONSTRAINT mail_accounts_pkey PRIMARY KEY,
  failures integer NOT NULL,
  failing_since timestamptz NOT NULL,
  retry_at timestamptz NOT NULL,
  error text NOT NULL
);
SELECT holdfast_global_table('mail_accounts', '');

-- Addresses to which nothing is sent, or nothing of a kind.
CREATE TABLE mail_suppressions (
  id uuid CONSTRAINT mail_suppressions_pkey PRIMARY KEY,
  org_id uuid CONSTRAINT mail_suppressions_org_id_fkey REFERENCES organisations (id) ON DELETE CASCADE,
  -- Lower case.
  address text NOT NULL,
  -- '*': everything.
  kind text NOT NULL,
  reason text NOT NULL CONSTRAINT mail_suppressions_reason_check CHECK (reason IN ('hard_bounce', 'complaint', 'unsubscribed', 'manual')),
  detail text NOT NULL,
  -- The message that led to it.
  message_id uuid,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX mail_suppressions_address_key ON mail_suppressions (org_id, address, kind) NULLS NOT DISTINCT;
CREATE INDEX mail_suppressions_org_idx ON mail_suppressions (org_id, id);
CREATE INDEX mail_suppressions_address_idx ON mail_suppressions (address);
SELECT holdfast_tenant_table('mail_suppressions');
-- Looked at for mail of all organisations, and filled by bounces.
SELECT holdfast_system_access('mail_suppressions');
SELECT holdfast_search_index('mail_suppressions_search_idx', $$mail_suppressions USING gin (org_id, (address || ' ' || detail) gin_trgm_ops)$$);

CREATE FUNCTION mail_suppressions_found(of_installation boolean, with_reason text, pattern text, below uuid, most bigint)
RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT holdfast_found(concat(
      'mail_suppressions s WHERE ',
      CASE WHEN of_installation THEN 's.org_id IS NULL' ELSE format('s.org_id = %L', holdfast_current_org()) END,
      CASE WHEN with_reason IS NOT NULL THEN format(' AND s.reason = %L', with_reason) END),
    's.id', $q$(s.address || ' ' || s.detail)$q$, pattern, below, false, most)
$$;
SELECT holdfast_found_by('mail_suppressions_found(boolean, text, text, uuid, bigint)', 'app');
SELECT holdfast_found_by('mail_suppressions_found(boolean, text, text, uuid, bigint)', 'system');

-- Templates that an organisation, or the installation, has changed.
CREATE TABLE mail_templates (
  id uuid CONSTRAINT mail_templates_pkey PRIMARY KEY,
  org_id uuid CONSTRAINT mail_templates_org_id_fkey REFERENCES organisations (id) ON DELETE CASCADE,
  name text NOT NULL,
  language text NOT NULL,
  subject text NOT NULL,
  text text NOT NULL,
  html text NOT NULL,
  updated_by text NOT NULL,
  updated_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX mail_templates_name_key ON mail_templates (org_id, name, language) NULLS NOT DISTINCT;
SELECT holdfast_tenant_table('mail_templates');
SELECT holdfast_system_access('mail_templates');

-- How mail of an organisation, or of the installation, looks.
CREATE TABLE mail_branding (
  org_id uuid CONSTRAINT mail_branding_org_id_fkey REFERENCES organisations (id) ON DELETE CASCADE,
  name text NOT NULL,
  color text NOT NULL,
  logo_url text,
  footer text NOT NULL,
  from_name text,
  reply_to text,
  updated_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX mail_branding_org_key ON mail_branding (org_id) NULLS NOT DISTINCT;
SELECT holdfast_tenant_table('mail_branding');
SELECT holdfast_system_access('mail_branding');

-- Domains of senders, with the keys that sign their mail (DKIM).
CREATE TABLE mail_domains (
  id uuid CONSTRAINT mail_domains_pkey PRIMARY KEY,
  org_id uuid CONSTRAINT mail_domains_org_id_fkey REFERENCES organisations (id) ON DELETE CASCADE,
  -- ASCII, lower case.
  domain text NOT NULL,
  -- The keys' records are `<selector>._domainkey` (RSA) and `<selector>e._domainkey` (Ed25519).
  selector text NOT NULL,
  -- PKCS #8, sealed with the master key.
  rsa_private bytea NOT NULL,
  ed25519_private bytea NOT NULL,
  -- Base64, as in the `p=` of the records.
  rsa_public text NOT NULL,
  ed25519_public text NOT NULL,
  -- When its records were first found to have these keys: from then on mail is sent from it.
  verified_at timestamptz,
  -- Of the last check: [{name, status, found, expected}].
  checks jsonb NOT NULL DEFAULT '[]',
  checked_at timestamptz,
  created_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX mail_domains_owner_key ON mail_domains (org_id, domain) NULLS NOT DISTINCT;
-- Whoever controls the domain has shown it in its DNS.
CREATE UNIQUE INDEX mail_domains_domain_key ON mail_domains (domain) WHERE verified_at IS NOT NULL;
SELECT holdfast_tenant_table('mail_domains');
SELECT holdfast_system_access('mail_domains');

-- Providers that report bounces to `/hooks/mail/<provider>/<token>`.
CREATE TABLE mail_bounce_sources (
  id uuid CONSTRAINT mail_bounce_sources_pkey PRIMARY KEY,
  org_id uuid CONSTRAINT mail_bounce_sources_org_id_fkey REFERENCES organisations (id) ON DELETE CASCADE,
  provider text NOT NULL CONSTRAINT mail_bounce_sources_provider_check
    CHECK (provider IN ('sendgrid', 'mailgun', 'ses', 'resend', 'postmark')),
  token_hash bytea NOT NULL CONSTRAINT mail_bounce_sources_token_key UNIQUE,
  -- The provider's signing key, sealed with the master key; NULL: the token in the address is all there is.
  secret bytea,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL,
  -- When the last report came.
  last_at timestamptz
);
CREATE INDEX mail_bounce_sources_org_idx ON mail_bounce_sources (org_id, id);
SELECT holdfast_tenant_table('mail_bounce_sources');
-- A report is known by its token, before its organisation is.
SELECT holdfast_system_access('mail_bounce_sources');

-- Tokens of signatures that do not cover the body (Mailgun): each is good for one body only. Hashes.
CREATE TABLE mail_bounce_tokens (
  source_id uuid NOT NULL CONSTRAINT mail_bounce_tokens_source_id_fkey REFERENCES mail_bounce_sources (id) ON DELETE CASCADE,
  token bytea NOT NULL,
  body bytea NOT NULL,
  used_at timestamptz NOT NULL,
  CONSTRAINT mail_bounce_tokens_pkey PRIMARY KEY (source_id, token)
);
SELECT holdfast_global_table('mail_bounce_tokens', '');
CREATE INDEX mail_bounce_tokens_used_at_idx ON mail_bounce_tokens (used_at);

-- What providers and mail servers reported.
CREATE TABLE mail_bounces (
  id uuid CONSTRAINT mail_bounces_pkey PRIMARY KEY,
  org_id uuid CONSTRAINT mail_bounces_org_id_fkey REFERENCES organisations (id) ON DELETE CASCADE,
  -- The bounce source's id, or `imap`.
  source text NOT NULL,
  -- The provider's id of the event, or a hash of the report: the same report counts once.
  provider_event_id text NOT NULL,
  -- Message-ID that it is about, if it names one.
  message_id text,
  address text,
  kind text NOT NULL CONSTRAINT mail_bounces_kind_check CHECK (kind IN ('hard', 'soft', 'complaint', 'unsubscribe')),
  status text NOT NULL,
  detail text NOT NULL,
  raw text NOT NULL,
  created_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX mail_bounces_event_key ON mail_bounces (source, provider_event_id);
CREATE INDEX mail_bounces_org_idx ON mail_bounces (org_id, id);
CREATE INDEX mail_bounces_message_id_idx ON mail_bounces (message_id);
CREATE INDEX mail_bounces_created_at_idx ON mail_bounces (created_at);
SELECT holdfast_tenant_table('mail_bounces');
SELECT holdfast_system_access('mail_bounces');

-- Makes the coming weeks of the three partitioned tables, and drops those that ended more than `retention` ago: all three of a week together,
-- and none with mail that still waits. `kept`: weeks that are past retention and were kept for that reason. `oldest`: the oldest week that is
-- left; attachments of earlier ones may go.
CREATE FUNCTION holdfast_mail_maintain(retention interval, OUT created integer, OUT dropped integer, OUT kept integer, OUT oldest timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
  for_ever CONSTANT interval := interval '36500 days';
  look CONSTANT text := 'SELECT EXISTS (SELECT FROM %I WHERE state IN (''queued'', ''sending''))';
  week record;
  waits boolean;
BEGIN
  created := (holdfast_weekly_partitions('mail_messages', for_ever)).created;
  created := created + (holdfast_weekly_partitions('mail_bodies', for_ever)).created;
  created := created + (holdfast_weekly_partitions('mail_attempts', for_ever)).created;
  dropped := 0;
  kept := 0;
  FOR week IN
    SELECT right(c.relname, 8) AS day, to_date(right(c.relname, 8), 'YYYYMMDD')::timestamp AT TIME ZONE 'UTC' AS starts
    FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid
    WHERE h.inhparent = 'mail_messages'::regclass AND c.relname ~ '_[0-9]{8}$'
    ORDER BY 2
  LOOP
    CONTINUE WHEN week.starts + interval '168 hours' > now() - retention;
    EXECUTE format(look, 'mail_messages_' || week.day) INTO waits;
    IF waits THEN
      kept := kept + 1;
      CONTINUE;
    END IF;
    BEGIN
      -- Looked at again, when nobody can queue anything in it any more.
      EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', 'mail_messages_' || week.day);
      EXECUTE format(look, 'mail_messages_' || week.day) INTO waits;
      IF NOT waits THEN
        EXECUTE format('DROP TABLE %I, %I, %I', 'mail_messages_' || week.day, 'mail_bodies_' || week.day, 'mail_attempts_' || week.day);
        dropped := dropped + 1;
      END IF;
    EXCEPTION WHEN lock_not_available OR deadlock_detected THEN NULL;
    END;
  END LOOP;
  -- Rows outside of all weeks.
  DELETE FROM mail_bodies_default b USING mail_messages_default m
    WHERE b.id = m.id AND m.created_at < now() - retention AND m.state NOT IN ('queued', 'sending');
  DELETE FROM mail_attempts_default a USING mail_messages_default m
    WHERE a.message_id = m.id AND m.created_at < now() - retention AND m.state NOT IN ('queued', 'sending');
  DELETE FROM mail_messages_default WHERE created_at < now() - retention AND state NOT IN ('queued', 'sending');
  DELETE FROM mail_keys WHERE created_at < now() - retention;
  DELETE FROM mail_bounces WHERE created_at < now() - retention;
  -- Older signatures are refused for their age.
  DELETE FROM mail_bounce_tokens WHERE used_at < now() - interval '3 days';
  SELECT least(min(to_date(right(c.relname, 8), 'YYYYMMDD')::timestamp AT TIME ZONE 'UTC'), (SELECT min(d.created_at) FROM mail_messages_default d))
    INTO oldest
    FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid
    WHERE h.inhparent = 'mail_messages'::regclass AND c.relname ~ '_[0-9]{8}$';
END $$;
REVOKE ALL ON FUNCTION holdfast_mail_maintain(interval) FROM PUBLIC;
DO $$ BEGIN
  EXECUTE format('GRANT EXECUTE ON FUNCTION holdfast_mail_maintain(interval) TO %I', holdfast_role('system'));
END $$;
SELECT holdfast_mail_maintain(interval '36500 days');
