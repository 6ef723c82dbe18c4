-- Status pages, who follows them, and their finished bytes. `org_id` NULL: of the installation.

CREATE SEQUENCE status_page_revision_seq;
CREATE FUNCTION status_page_revised() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  NEW.revision := nextval('status_page_revision_seq');
  RETURN NEW;
END $$;

CREATE TABLE status_pages (
  id uuid CONSTRAINT status_pages_pkey PRIMARY KEY,
  org_id uuid CONSTRAINT status_pages_org_id_fkey REFERENCES organisations (id) ON DELETE CASCADE,
  -- Twelve of [a-z0-9], made once: its id in Statuspage's JSON.
  code text NOT NULL CONSTRAINT status_pages_code_key UNIQUE,
  -- In its address, so of the whole installation.
  slug text NOT NULL CONSTRAINT status_pages_slug_key UNIQUE,
  name text NOT NULL,
  about text NOT NULL DEFAULT '',
  -- `private`: for people of its owner who are signed in.
  visibility text NOT NULL CONSTRAINT status_pages_visibility_check CHECK (visibility IN ('public', 'private')),
  -- Asked of strangers of a public page: argon2id. The version ends the cookies of the password before.
  password_hash text,
  password_version integer NOT NULL DEFAULT 1,
  -- SHA-256 of what programs send as `?key=` to a page with a password.
  key_hash bytea,
  -- Such as 10.0.0.0/8; empty: everybody.
  networks text[] NOT NULL DEFAULT '{}',
  zone text NOT NULL,
  -- The first is shown to those who want neither.
  languages text[] NOT NULL DEFAULT '{en,ru}',
  -- {accent, ...}
  theme jsonb NOT NULL DEFAULT '{}',
  logo bytea,
  logo_type text CONSTRAINT status_pages_logo_type_check CHECK (logo_type IN ('image/png', 'image/webp')),
  home_url text,
  contact_url text,
  -- Monitors with a chart.
  charts uuid[] NOT NULL DEFAULT '{}',
  subscribe boolean NOT NULL DEFAULT true,
  managed_by text CONSTRAINT status_pages_managed_by_check CHECK (managed_by IN ('file', 'builtin')),
  -- Grows with each change of the page, its groups, components and domains, which touch this row.
  revision bigint NOT NULL DEFAULT nextval('status_page_revision_seq'),
  removed_at timestamptz,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  CONSTRAINT status_pages_logo_check CHECK ((logo IS NULL) = (logo_type IS NULL) AND octet_length(logo) <= 65536)
);
CREATE INDEX status_pages_org_idx ON status_pages (org_id, id);
CREATE TRIGGER status_pages_revised BEFORE UPDATE ON status_pages FOR EACH ROW EXECUTE FUNCTION status_page_revised();
SELECT holdfast_tenant_table('status_pages');
-- One process renders those of all organisations, and each serves them.
SELECT holdfast_system_access('status_pages');

CREATE TABLE status_page_groups (
  id uuid CONSTRAINT status_page_groups_pkey PRIMARY KEY,
  org_id uuid,
  page_id uuid NOT NULL CONSTRAINT status_page_groups_page_id_fkey REFERENCES status_pages (id) ON DELETE CASCADE,
  code text NOT NULL CONSTRAINT status_page_groups_code_key UNIQUE,
  name text NOT NULL,
  position integer NOT NULL,
  -- Shown with its components in sight.
  open boolean NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);
CREATE INDEX status_page_groups_page_idx ON status_page_groups (page_id, position);
SELECT holdfast_tenant_table('status_page_groups');
SELECT holdfast_system_access('status_page_groups');

CREATE TABLE status_page_components (
  page_id uuid NOT NULL CONSTRAINT status_page_components_page_id_fkey REFERENCES status_pages (id) ON DELETE CASCADE,
  component_id uuid NOT NULL CONSTRAINT status_page_components_component_id_fkey REFERENCES incident_components (id) ON DELETE CASCADE,
  org_id uuid,
  group_id uuid CONSTRAINT status_page_components_group_id_fkey REFERENCES status_page_groups (id) ON DELETE SET NULL,
  -- NULL: the component's own.
  name text,
  position integer NOT NULL,
  showcase boolean NOT NULL DEFAULT true,
  only_show_if_degraded boolean NOT NULL DEFAULT false,
  -- Bars begin with it. NULL: with the component.
  start_date date,
  CONSTRAINT status_page_components_pkey PRIMARY KEY (page_id, component_id)
);
CREATE INDEX status_page_components_component_idx ON status_page_components (component_id);
CREATE INDEX status_page_components_group_idx ON status_page_components (group_id) WHERE group_id IS NOT NULL;
SELECT holdfast_tenant_table('status_page_components');
SELECT holdfast_system_access('status_page_components');

-- Names of DNS that lead to a page. Nothing is served under one before its owner has proved it.
CREATE TABLE status_page_domains (
  page_id uuid NOT NULL CONSTRAINT status_page_domains_page_id_fkey REFERENCES status_pages (id) ON DELETE CASCADE,
  -- ASCII, lower case.
  domain text NOT NULL,
  org_id uuid,
  -- What the TXT record of `_holdfast.<domain>` must hold.
  proof text NOT NULL,
  proven_at timestamptz,
  checked_at timestamptz,
  error text,
  CONSTRAINT status_page_domains_pkey PRIMARY KEY (page_id, domain)
);
-- Whoever controls the domain has shown it in its DNS: a claim alone keeps nobody out.
CREATE UNIQUE INDEX status_page_domains_domain_key ON status_page_domains (domain) WHERE proven_at IS NOT NULL;
SELECT holdfast_tenant_table('status_page_domains');
SELECT holdfast_system_access('status_page_domains');

-- Their links carry the id and a signature of it, made with the master key: nothing of it is kept here.
CREATE TABLE status_page_subscribers (
  id uuid CONSTRAINT status_page_subscribers_pkey PRIMARY KEY,
  org_id uuid,
  page_id uuid NOT NULL CONSTRAINT status_page_subscribers_page_id_fkey REFERENCES status_pages (id) ON DELETE CASCADE,
  -- As it was written, and in lower case, by which it is known.
  address text NOT NULL,
  address_key text NOT NULL,
  language text NOT NULL CONSTRAINT status_page_subscribers_language_check CHECK (language IN ('en', 'ru')),
  -- Empty: all of the page.
  components uuid[] NOT NULL DEFAULT '{}',
  -- When it was asked for last: the link to confirm lives for 48 hours from then on.
  asked_at timestamptz NOT NULL,
  asked_from text NOT NULL DEFAULT '',
  confirmed_at timestamptz
);
CREATE UNIQUE INDEX status_page_subscribers_address_key ON status_page_subscribers (page_id, address_key);
-- Those of an update are told in the order of their addresses' domains.
CREATE INDEX status_page_subscribers_page_idx ON status_page_subscribers (page_id, id);
CREATE INDEX status_page_subscribers_told_idx ON status_page_subscribers (page_id, split_part(address_key, '@', 2), id)
  WHERE confirmed_at IS NOT NULL;
CREATE INDEX status_page_subscribers_asked_idx ON status_page_subscribers (asked_at) WHERE confirmed_at IS NULL;
SELECT holdfast_tenant_table('status_page_subscribers');
-- A link is all that a stranger has.
SELECT holdfast_system_access('status_page_subscribers');

-- Finished answers. Made by one process, loaded by each that serves.
CREATE TABLE status_page_renders (
  page_id uuid NOT NULL CONSTRAINT status_page_renders_page_id_fkey REFERENCES status_pages (id) ON DELETE CASCADE,
  -- `index.en`, `summary.json`, `history.atom`, ...; with `stale/` in front what is served when nothing newer can be made.
  path text NOT NULL,
  org_id uuid,
  content_type text NOT NULL,
  etag text NOT NULL,
  body bytea NOT NULL,
  gzip bytea,
  br bytea,
  -- Of the page, when this was written: a reader asks for those above its own.
  version bigint NOT NULL,
  CONSTRAINT status_page_renders_pkey PRIMARY KEY (page_id, path)
);
-- Compressed already.
ALTER TABLE status_page_renders ALTER COLUMN gzip SET STORAGE EXTERNAL, ALTER COLUMN br SET STORAGE EXTERNAL;
SELECT holdfast_tenant_table('status_page_renders');
SELECT holdfast_system_access('status_page_renders');

CREATE TABLE status_page_versions (
  page_id uuid CONSTRAINT status_page_versions_pkey PRIMARY KEY
    CONSTRAINT status_page_versions_page_id_fkey REFERENCES status_pages (id) ON DELETE CASCADE,
  org_id uuid,
  version bigint NOT NULL,
  -- Of the prober that rendered it: one of an earlier term does not write over it.
  term bigint NOT NULL,
  rendered_at timestamptz NOT NULL,
  -- What it says was true then.
  as_of timestamptz NOT NULL
) WITH (fillfactor = 50);
SELECT holdfast_tenant_table('status_page_versions');
SELECT holdfast_system_access('status_page_versions');

DO $$ BEGIN
  EXECUTE format('GRANT USAGE ON SEQUENCE status_page_revision_seq TO %I, %I', holdfast_role('app'), holdfast_role('system'));
END $$;
