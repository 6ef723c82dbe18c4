-- A mail that was refused for its sender or its content, and not for its address.
ALTER TABLE mail_messages DROP CONSTRAINT mail_messages_bounce_check;
ALTER TABLE mail_messages ADD CONSTRAINT mail_messages_bounce_check CHECK (bounce IN ('hard', 'soft', 'refused', 'complaint'));
ALTER TABLE mail_bounces DROP CONSTRAINT mail_bounces_kind_check;
ALTER TABLE mail_bounces ADD CONSTRAINT mail_bounces_kind_check CHECK (kind IN ('hard', 'soft', 'refused', 'complaint', 'unsubscribe'));
