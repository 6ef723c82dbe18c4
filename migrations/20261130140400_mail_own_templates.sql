-- Templates that an organisation has named and written itself, for its mail by the API.
CREATE TABLE mail_own_templates (
  id uuid CONSTRAINT mail_own_templates_pkey PRIMARY KEY,
  org_id uuid NOT NULL CONSTRAINT mail_own_templates_org_id_fkey REFERENCES organisations (id) ON DELETE CASCADE,
  name text NOT NULL,
  -- {field: value}: which fields there are, and what the preview shows.
  example jsonb NOT NULL,
  -- {language: {subject, text, html}}
  texts jsonb NOT NULL,
  updated_by text NOT NULL,
  updated_at timestamptz NOT NULL,
  CONSTRAINT mail_own_templates_name_key UNIQUE (org_id, name)
);
CREATE INDEX mail_own_templates_org_idx ON mail_own_templates (org_id, id);
SELECT holdfast_tenant_table('mail_own_templates');
