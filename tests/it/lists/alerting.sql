INSERT INTO alerts SELECT pg_temp.id(n), md5(n::text), now(), now(), pg_temp.word(n), 'warning', '{}', '{}', '', now(), now() FROM n;
