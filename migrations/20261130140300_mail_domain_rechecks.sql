-- Since when a verified domain's record has not been there any more: after some days it is not verified.
ALTER TABLE mail_domains ADD COLUMN failing_since timestamptz;
-- Verified domains are checked again, the longest unchecked first.
CREATE INDEX mail_domains_checked_at_idx ON mail_domains (checked_at) WHERE verified_at IS NOT NULL;
