-- Files that were stored to be sent with mail. They are stored before the mail is written: those of which no mail was made are deleted after an hour.
-- A row is kept for a day, by which an organisation's limit is counted.
CREATE TABLE mail_files (
  -- Its place in the object store.
  object text CONSTRAINT mail_files_pkey PRIMARY KEY,
  org_id uuid CONSTRAINT mail_files_org_id_fkey REFERENCES organisations (id) ON DELETE CASCADE,
  -- Bytes.
  size bigint NOT NULL,
  -- A mail has it: it goes with the week of its mail.
  used boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL
);
CREATE INDEX mail_files_org_idx ON mail_files (org_id, created_at);
CREATE INDEX mail_files_created_at_idx ON mail_files (created_at);
SELECT holdfast_tenant_table('mail_files');
-- Unused ones of all organisations are deleted.
SELECT holdfast_system_access('mail_files');
