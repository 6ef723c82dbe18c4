-- In which order mail is sent, and what waits for which reason.

-- Which mail of a lane is sent first: the lowest. See `Kind::priority`.
ALTER TABLE mail_messages ADD COLUMN priority smallint NOT NULL DEFAULT 1;
-- How often the account failed at this mail, after it was told of it: such a mail may be the only one that the server means.
ALTER TABLE mail_messages ADD COLUMN account_failures integer NOT NULL DEFAULT 0;

CREATE INDEX mail_messages_order_idx ON mail_messages (lane, priority, send_at) WHERE state = 'queued';
DROP INDEX mail_messages_lane_idx;
-- With what is asked about what is due, so that the messages need not be looked at.
CREATE INDEX mail_messages_due_lane_idx ON mail_messages (send_at, lane) INCLUDE (expires_at) WHERE state = 'queued';
DROP INDEX mail_messages_due_idx;
-- Mail that the server has put off.
CREATE INDEX mail_messages_put_off_idx ON mail_messages (tried_since) WHERE state = 'queued' AND tried_since IS NOT NULL;
