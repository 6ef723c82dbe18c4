-- Reports of a source that came to nothing since the last one that was taken. Zero and NULL: the last one was taken.
ALTER TABLE mail_bounce_sources ADD COLUMN refusals integer NOT NULL DEFAULT 0;
-- When the first and the last of them came.
ALTER TABLE mail_bounce_sources ADD COLUMN refused_since timestamptz;
ALTER TABLE mail_bounce_sources ADD COLUMN refused_at timestamptz;
-- Why the last of them was.
ALTER TABLE mail_bounce_sources ADD COLUMN refusal text;
