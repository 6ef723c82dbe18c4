-- The log is searched by time, by Message-ID and for what came back.

-- Few of the messages have bounced.
CREATE INDEX mail_messages_bounced_idx ON mail_messages (org_id, id) WHERE bounce IS NOT NULL;

-- As mail_messages_found, with more filters. NULL (and false) is no filter. `answer`: pattern of the error. `not_before`: the first id of a time, since
-- ids are ordered by time; `below` is that of its end. `named`: if there is a message with this Message-ID, it is the only one that is found.
CREATE FUNCTION mail_log_found(
  of_installation boolean, wanted text, of_kind text, recipient text, came_back boolean, answer text, not_before uuid, named text,
  pattern text, below uuid, most bigint
) RETURNS SETOF uuid LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  source CONSTANT text := concat(
    'mail_messages m WHERE ',
    CASE WHEN of_installation THEN 'm.org_id IS NULL' ELSE format('m.org_id = %L', holdfast_current_org()) END,
    CASE WHEN wanted IS NOT NULL THEN format(' AND m.state = %L', wanted) END,
    CASE WHEN of_kind IS NOT NULL THEN format(' AND m.kind = %L', of_kind) END,
    CASE WHEN recipient IS NOT NULL THEN format(' AND m.to_key = %L', recipient) END,
    CASE WHEN came_back THEN ' AND m.bounce IS NOT NULL' END,
    CASE WHEN answer IS NOT NULL THEN format(' AND m.error ILIKE %L', answer) END,
    CASE WHEN not_before IS NOT NULL THEN format(' AND m.id >= %L', not_before) END);
  hits uuid[];
BEGIN
  IF named IS NOT NULL THEN
    EXECUTE format('SELECT ARRAY(SELECT m.id FROM %s AND m.message_id = %L)', source, named) INTO hits;
    IF cardinality(hits) > 0 THEN
      RETURN QUERY SELECT hit FROM unnest(hits) AS hit WHERE hit < below ORDER BY hit DESC LIMIT most;
      RETURN;
    END IF;
  END IF;
  RETURN QUERY SELECT holdfast_found(source, 'm.id', 'mail_messages_text(m.to_address, m.subject, m.error)', pattern, below, false, most);
END $$;
SELECT holdfast_found_by('mail_log_found(boolean, text, text, text, boolean, text, uuid, text, text, uuid, bigint)', 'app');
SELECT holdfast_found_by('mail_log_found(boolean, text, text, text, boolean, text, uuid, text, text, uuid, bigint)', 'system');
