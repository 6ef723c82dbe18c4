-- The language that a person chose last in the console, or that their browser asked for at a sign-in: mails to them are in it. NULL: not known.
ALTER TABLE users ADD COLUMN language text CONSTRAINT users_language_check CHECK (language IN ('en', 'ru'));
