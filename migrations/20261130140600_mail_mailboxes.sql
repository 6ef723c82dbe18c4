-- How reading the mailbox of bounces goes: one row, of the installation.
CREATE TABLE mail_mailboxes (
  mailbox text CONSTRAINT mail_mailboxes_pkey PRIMARY KEY,
  -- When it was last read to its end; NULL: never.
  read_at timestamptz,
  -- NULL while it can be read.
  failing_since timestamptz,
  error text
);
SELECT holdfast_global_table('mail_mailboxes', '');
