-- Whoever writes an answer says so every few seconds: what is silent was left by a crash, however young, and what is slow was not.
ALTER TABLE messages ADD COLUMN alive_at timestamptz;
