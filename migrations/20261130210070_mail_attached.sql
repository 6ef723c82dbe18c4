-- Files of mails are compared with the object store: those few mails that have any.
CREATE INDEX mail_bodies_attached_idx ON mail_bodies (id) WHERE attachments <> '[]';
