-- Conversations are searched from the newest on first, as lists are since 20261130120000_platform_search_newest.sql: a word that most
-- conversations have made the index of words hold all messages of the organisation.

-- By a part of the title, or by words of one message, in three steps as there. The sub-select of the first gives a value, because EXISTS may be
-- answered by listing all messages that have the words.
CREATE OR REPLACE FUNCTION agents_conversations_found(agent uuid, who text, pattern text, wanted text, below uuid, most bigint)
RETURNS SETOF uuid LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan AS $$
DECLARE
  near CONSTANT bigint := 200;
  few CONSTANT bigint := 1000;
  org CONSTANT uuid := holdfast_current_org();
  every CONSTANT tsquery := holdfast_words_query(wanted);
  hits uuid[] := ARRAY(
    SELECT newest.id FROM (
      SELECT c.id, c.title FROM conversations c
      WHERE c.org_id = org AND c.agent_id = agent AND c.subject = who AND c.id < below ORDER BY c.id DESC LIMIT near) AS newest
    WHERE newest.title ILIKE pattern OR (SELECT true FROM messages m WHERE m.conversation_id = newest.id AND m.words @@ every LIMIT 1)
    ORDER BY newest.id DESC LIMIT most);
  are_few boolean;
BEGIN
  IF cardinality(hits) = most THEN
    RETURN QUERY SELECT unnest(hits);
    RETURN;
  END IF;
  hits := ARRAY(SELECT agents_messages_found(every, few + 1));
  are_few := cardinality(hits) <= few;
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
