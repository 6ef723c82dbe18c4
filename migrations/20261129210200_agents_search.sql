-- Searching the lists of agents and conversations; how, says 20261129210000_platform_search.sql.

SELECT holdfast_search_index('agents_search_idx',
  $$agents USING gin (org_id, (name || ' ' || slug || ' ' || description) gin_trgm_ops)$$);
-- Newest first without sorting all of the organisation's.
CREATE INDEX agents_org_id_idx ON agents (org_id, id);
-- A person's conversations with an agent, without reading other people's.
CREATE INDEX conversations_subject_idx ON conversations (org_id, agent_id, subject, id);
SELECT holdfast_search_index('conversations_title_idx', $$conversations USING gin (agent_id, subject, title gin_trgm_ops)$$);

-- A text as its words are searched: in NFC, with spaces for punctuation, and е for ё, as most people type it. The parser would keep an address,
-- a path or 2024-1187 as one word, which no part of it finds, and leave out <String> as markup.
CREATE FUNCTION holdfast_plain(content text) RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
  IF content IS NOT NFC NORMALIZED THEN
    content := normalize(content);
  END IF;
  RETURN replace(replace(regexp_replace(content, '[!-/:-@\[-`{-~]+', ' ', 'g'), 'ё', 'е'), 'Ё', 'Е');
END $$;

-- The words of a text, for searching: as they stand (simple) and without their endings (russian, which takes English ones off words in Latin
-- letters). Of a longer text the beginning: a tsvector may have a megabyte.
CREATE FUNCTION holdfast_words(content text) RETURNS tsvector LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
  plain CONSTANT text := public.holdfast_plain(left(content, 100000));
BEGIN
  RETURN to_tsvector('pg_catalog.simple', plain) || to_tsvector('pg_catalog.russian', plain);
END $$;

-- What a text must have to be found: every word, or a longer one that begins with it, or one with the same stem. NULL where there is no word.
CREATE FUNCTION holdfast_words_query(wanted text) RETURNS tsquery LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog SET client_min_messages = warning AS $$
DECLARE
  word text;
  one tsquery;
  every tsquery;
BEGIN
  FOR word IN SELECT lexeme FROM unnest(to_tsvector('simple', public.holdfast_plain(left(wanted, 1000)))) LOOP
    one := (quote_literal(word) || ':*')::tsquery || plainto_tsquery('russian', word);
    every := coalesce(every && one, one);
  END LOOP;
  RETURN every;
END $$;

ALTER TABLE messages ADD COLUMN words tsvector GENERATED ALWAYS AS (holdfast_words(content)) STORED;
SELECT holdfast_search_index('messages_words_idx', 'messages USING gin (org_id, words)');

CREATE FUNCTION agents_found(pattern text, below uuid, most bigint) RETURNS SETOF uuid LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT holdfast_found(format('agents a WHERE a.org_id = %L', holdfast_current_org()),
    'a.id', $q$(a.name || ' ' || a.slug || ' ' || a.description)$q$, pattern, below, false, most)
$$;
SELECT holdfast_found_by('agents_found(text, uuid, bigint)', 'app');

-- The conversations of up to `most` messages that are found. Only by the index: how many messages have a word that begins so is a guess, and
-- a wrong one reads all messages.
CREATE FUNCTION agents_messages_found(every tsquery, most bigint) RETURNS SETOF uuid LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan SET enable_seqscan = off SET enable_indexscan = off AS $$
DECLARE
  org CONSTANT uuid := holdfast_current_org();
BEGIN
  RETURN QUERY SELECT m.conversation_id FROM messages m WHERE m.org_id = org AND m.words @@ every LIMIT most;
END $$;
REVOKE ALL ON FUNCTION agents_messages_found(tsquery, bigint) FROM PUBLIC;

-- By a part of the title, or by words of one message. Where many messages are found, the newest conversations are looked through one by one:
-- a page is soon full.
CREATE FUNCTION agents_conversations_found(agent uuid, who text, pattern text, wanted text, below uuid, most bigint)
RETURNS SETOF uuid LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan AS $$
DECLARE
  org CONSTANT uuid := holdfast_current_org();
  every CONSTANT tsquery := holdfast_words_query(wanted);
  few CONSTANT bigint := 1000;
  hits CONSTANT uuid[] := ARRAY(SELECT agents_messages_found(every, few + 1));
  are_few CONSTANT boolean := cardinality(hits) <= few;
BEGIN
  RETURN QUERY
    SELECT holdfast_found(
      format('conversations c WHERE c.org_id = %L AND c.agent_id = %L AND c.subject = %L', org, agent, who), 'c.id', 'c.title', pattern, below, false, most)
    UNION
    (SELECT c.id FROM conversations c
     WHERE are_few AND c.id = ANY (hits) AND c.org_id = org AND c.agent_id = agent AND c.subject = who AND c.id < below
     ORDER BY c.id DESC LIMIT most)
    UNION
    (SELECT c.id FROM conversations c
     WHERE NOT are_few AND c.org_id = org AND c.agent_id = agent AND c.subject = who AND c.id < below
       AND EXISTS (SELECT FROM messages m WHERE m.conversation_id = c.id AND m.conversation_id < below AND m.words @@ every)
     ORDER BY c.id DESC LIMIT most)
    ORDER BY 1 DESC LIMIT most;
END $$;
SELECT holdfast_found_by('agents_conversations_found(uuid, text, text, text, uuid, bigint)', 'app');
