-- A domain is verified by its RSA record alone. Mail is signed with Ed25519, too, only while that key's record is there.
ALTER TABLE mail_domains ADD COLUMN ed25519_published boolean NOT NULL DEFAULT false;
UPDATE mail_domains SET ed25519_published = true WHERE verified_at IS NOT NULL;
