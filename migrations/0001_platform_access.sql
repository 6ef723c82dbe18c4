-- Who may touch which table is said beside the table, by calling one of these functions after CREATE TABLE.
-- Role names carry the installation's prefix (roles belong to the whole cluster), which the migrating session sets
-- as `holdfast.role_prefix`; the migration files stay the same everywhere.

CREATE FUNCTION holdfast_role(kind text) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT current_setting('holdfast.role_prefix') || '_' || kind
$$;

-- A tenant's table: rows are seen and written only inside the organisation that the transaction has set.
-- An unset organisation is NULL, and `org_id = NULL` is never true: zero rows, not all rows.
-- The sub-select makes the planner read the setting once for a statement, not once for a row.
CREATE FUNCTION holdfast_tenant_table(t regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', t);
  EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', t);
  EXECUTE format(
    'CREATE POLICY tenant ON %s TO %I USING (org_id = (SELECT nullif(current_setting(''holdfast.org_id'', true), '''')::uuid)) '
    'WITH CHECK (org_id = (SELECT nullif(current_setting(''holdfast.org_id'', true), '''')::uuid))',
    t, holdfast_role('app'));
  EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I', t, holdfast_role('app'));
END $$;

-- A tenant's table that is also worked on where no tenant is known yet (leasing, sign-in, retention, gauges).
CREATE FUNCTION holdfast_system_access(t regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE POLICY system ON %s TO %I USING (true) WITH CHECK (true)', t, holdfast_role('system'));
  EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I', t, holdfast_role('system'));
END $$;

-- A table of the installation, without org_id. `app_verbs`: what tenants' transactions may do ('' = nothing).
CREATE FUNCTION holdfast_global_table(t regclass, app_verbs text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I', t, holdfast_role('system'));
  IF app_verbs <> '' THEN
    EXECUTE format('GRANT %s ON %s TO %I', app_verbs, t, holdfast_role('app'));
  END IF;
END $$;

-- One row: which installation this database belongs to. Its id also stands in the data directory, so that an empty
-- database beside a directory that knew a full one is noticed instead of being migrated.
CREATE TABLE installation (
  id uuid CONSTRAINT installation_pkey PRIMARY KEY,
  created_at timestamptz NOT NULL DEFAULT now(),
  singleton boolean NOT NULL DEFAULT true CONSTRAINT installation_singleton_key UNIQUE CONSTRAINT installation_singleton_check CHECK (singleton)
);
SELECT holdfast_global_table('installation', 'select');
INSERT INTO installation (id) VALUES (gen_random_uuid());
