-- Since when the server has had no connection for a mail, attempt after attempt; NULL: the last attempt ended otherwise. Each attempt puts the mail off by
-- half a minute, so nothing else says how long it waits.
ALTER TABLE mail_messages ADD COLUMN busy_since timestamptz;
CREATE INDEX mail_messages_busy_idx ON mail_messages (busy_since) WHERE state IN ('queued', 'sending') AND busy_since IS NOT NULL;
