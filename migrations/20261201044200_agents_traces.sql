-- What each answer was made of, and who may read it.

CREATE TABLE agent_privacy (
  org_id uuid CONSTRAINT agent_privacy_pkey PRIMARY KEY CONSTRAINT agent_privacy_org_id_fkey REFERENCES organisations (id) ON DELETE CASCADE,
  -- What was asked from then on may be read by administrators; NULL: nothing.
  conversations_since timestamptz,
  trace_days integer NOT NULL DEFAULT 30 CONSTRAINT agent_privacy_trace_days_check CHECK (trace_days BETWEEN 1 AND 400),
  changed_by text NOT NULL,
  changed_at timestamptz NOT NULL
);
SELECT holdfast_tenant_table('agent_privacy');
SELECT holdfast_system_access('agent_privacy');

-- One row for each run of an answer, also of those that came by the OpenAI API and have no conversation. Figures only; texts are below.
CREATE TABLE agent_traces (
  id uuid CONSTRAINT agent_traces_pkey PRIMARY KEY,
  org_id uuid NOT NULL CONSTRAINT agent_traces_org_id_fkey REFERENCES organisations (id) ON DELETE CASCADE,
  agent_id uuid NOT NULL,
  -- Zero: settings that were tried without being saved.
  agent_version integer NOT NULL,
  -- user:<id>, key:<id>.
  subject text NOT NULL,
  via text NOT NULL CONSTRAINT agent_traces_via_check CHECK (via IN ('console', 'conversation', 'model')),
  conversation_id uuid,
  message_id uuid,
  -- Of the request, for the log.
  trace_id text,
  status text NOT NULL CONSTRAINT agent_traces_status_check CHECK (status IN ('complete', 'stopped', 'failed')),
  error_code text,
  model text NOT NULL DEFAULT '',
  -- Has knowledge bases; sources that are no weak matches; sources that the text cites.
  grounded boolean NOT NULL,
  sources integer NOT NULL,
  cited integer NOT NULL,
  -- Same questions have the same: a hash of the question's stems, whatever their order. NULL where no text is kept.
  question_key bytea,
  prompt_tokens bigint NOT NULL,
  completion_tokens bigint NOT NULL,
  -- By the configured price or the provider's word; NULL: unknown.
  cost double precision,
  search_ms integer,
  first_token_ms integer,
  duration_ms integer NOT NULL,
  -- Copied from agent_feedback: -1, 0, 1.
  feedback smallint NOT NULL DEFAULT 0 CONSTRAINT agent_traces_feedback_check CHECK (feedback BETWEEN -1 AND 1),
  created_at timestamptz NOT NULL
);
CREATE INDEX agent_traces_org_id_idx ON agent_traces (org_id, id);
CREATE INDEX agent_traces_agent_idx ON agent_traces (org_id, agent_id, id);
CREATE INDEX agent_traces_subject_idx ON agent_traces (org_id, subject, id);
CREATE INDEX agent_traces_conversation_idx ON agent_traces (conversation_id) WHERE conversation_id IS NOT NULL;
CREATE INDEX agent_traces_message_idx ON agent_traces (message_id) WHERE message_id IS NOT NULL;
CREATE INDEX agent_traces_trace_id_idx ON agent_traces (trace_id) WHERE trace_id IS NOT NULL;
-- What somebody should look at, each kind without reading the others.
CREATE INDEX agent_traces_failed_idx ON agent_traces (org_id, id) WHERE status = 'failed';
CREATE INDEX agent_traces_uncited_idx ON agent_traces (org_id, id) WHERE grounded AND status = 'complete' AND cited = 0;
CREATE INDEX agent_traces_feedback_idx ON agent_traces (org_id, feedback, id) WHERE feedback <> 0;
-- For retention, which goes over all organisations.
CREATE INDEX agent_traces_created_at_idx ON agent_traces USING brin (created_at);
SELECT holdfast_tenant_table('agent_traces');
SELECT holdfast_system_access('agent_traces');

-- What was asked, searched, given and answered. Only while agent_privacy.conversations_since is set; removed after trace_days, and with the
-- message that it is about.
CREATE TABLE agent_trace_details (
  trace_id uuid CONSTRAINT agent_trace_details_pkey PRIMARY KEY
    CONSTRAINT agent_trace_details_trace_id_fkey REFERENCES agent_traces (id) ON DELETE CASCADE,
  org_id uuid NOT NULL CONSTRAINT agent_trace_details_org_id_fkey REFERENCES organisations (id) ON DELETE CASCADE,
  message_id uuid CONSTRAINT agent_trace_details_message_id_fkey REFERENCES messages (id) ON DELETE CASCADE,
  question text NOT NULL,
  answer text NOT NULL,
  -- {"query", "explain", "sources": [..], "given": [{"role", "content"}]}; at most 256 kB, else without "given".
  detail jsonb NOT NULL,
  created_at timestamptz NOT NULL,
  words tsvector GENERATED ALWAYS AS (holdfast_words(question)) STORED
);
CREATE INDEX agent_trace_details_org_id_idx ON agent_trace_details (org_id, created_at);
CREATE INDEX agent_trace_details_message_id_idx ON agent_trace_details (message_id) WHERE message_id IS NOT NULL;
CREATE INDEX agent_trace_details_documents_idx ON agent_trace_details
  USING gin (jsonb_path_query_array(detail, '$.sources[*].document_id') jsonb_path_ops);
SELECT holdfast_tenant_table('agent_trace_details');
SELECT holdfast_system_access('agent_trace_details');
SELECT holdfast_search_index('agent_trace_details_words_idx', 'agent_trace_details USING gin (org_id, words)');

-- How often an answer cited a document; rows of deleted documents go with them.
CREATE TABLE agent_document_uses (
  document_id uuid CONSTRAINT agent_document_uses_pkey PRIMARY KEY,
  org_id uuid NOT NULL CONSTRAINT agent_document_uses_org_id_fkey REFERENCES organisations (id) ON DELETE CASCADE,
  uses bigint NOT NULL,
  last_used_at timestamptz NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX agent_document_uses_org_id_idx ON agent_document_uses (org_id);
SELECT holdfast_tenant_table('agent_document_uses');

-- A trace without what it quotes of these documents. The whole of what the model was given goes, too: the passages stand in it as text.
CREATE FUNCTION agents_trace_without(detail jsonb, gone uuid[]) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT detail - 'given' || jsonb_build_object('sources', public.agents_without_quotes(coalesce(detail -> 'sources', '[]'), gone))
$$;

-- As 0062_agents_forget_deleted.sql has it, for traces and counts of uses as well: in the same transaction, always in the same order.
CREATE OR REPLACE FUNCTION agents_forget_documents() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  quoting uuid;
  deleted CONSTANT uuid[] := ARRAY(SELECT id FROM gone);
BEGIN
  -- Always in the same order: two deletions that concern the same answers wait for each other instead of dying.
  FOR quoting IN
    SELECT m.id FROM messages m
    WHERE m.id IN (
      SELECT q.id FROM gone JOIN messages q ON q.org_id = gone.org_id AND q.citations <> '[]'
        AND jsonb_path_query_array(q.citations, '$[*].document_id') @> jsonb_build_array(gone.id))
    ORDER BY m.id FOR UPDATE
  LOOP
    UPDATE messages SET citations = agents_without_quotes(citations, deleted) WHERE id = quoting;
  END LOOP;
  FOR quoting IN
    SELECT d.trace_id FROM agent_trace_details d
    WHERE d.trace_id IN (
      SELECT q.trace_id FROM gone JOIN agent_trace_details q ON q.org_id = gone.org_id
        AND jsonb_path_query_array(q.detail, '$.sources[*].document_id') @> jsonb_build_array(gone.id))
    ORDER BY d.trace_id FOR UPDATE
  LOOP
    UPDATE agent_trace_details SET detail = agents_trace_without(detail, deleted) WHERE trace_id = quoting;
  END LOOP;
  DELETE FROM agent_document_uses WHERE document_id IN (
    SELECT u.document_id FROM agent_document_uses u WHERE u.document_id = ANY (deleted) ORDER BY u.document_id FOR UPDATE);
  RETURN NULL;
END $$;

-- An answer whose document was deleted while it was written: see agents_quote_living_documents.
CREATE FUNCTION agents_trace_living_documents() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  quoted CONSTANT uuid[] := ARRAY(SELECT DISTINCT (s ->> 'document_id')::uuid FROM jsonb_array_elements(NEW.detail -> 'sources') s);
  living CONSTANT uuid[] := ARRAY(SELECT id FROM knowledge_documents WHERE id = ANY (quoted) ORDER BY id FOR KEY SHARE);
  gone CONSTANT uuid[] := ARRAY(SELECT unnest(quoted) EXCEPT SELECT unnest(living));
BEGIN
  IF gone <> '{}' THEN
    NEW.detail := agents_trace_without(NEW.detail, gone);
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER agents_trace_living_documents BEFORE INSERT ON agent_trace_details
  FOR EACH ROW WHEN (jsonb_typeof(NEW.detail -> 'sources') = 'array') EXECUTE FUNCTION agents_trace_living_documents();

-- The same for questions of the same words, whatever their order and endings. NULL where there is no word that counts.
CREATE FUNCTION agents_question_key(question text) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT sha256(convert_to(stems, 'UTF8'))
  FROM (SELECT array_to_string(tsvector_to_array(to_tsvector('pg_catalog.russian', public.holdfast_plain(left(question, 4000)))), ' ') AS stems) AS of
  WHERE stems <> ''
$$;

-- Ready documents from before `since` that no answer has cited since then; newest first.
CREATE FUNCTION agents_unused_documents(since timestamptz, below uuid, most bigint) RETURNS SETOF uuid LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT d.id FROM knowledge_documents d
  WHERE d.org_id = holdfast_current_org() AND d.status = 'ready' AND d.created_at < since AND d.id < below
    AND NOT EXISTS (SELECT FROM agent_document_uses u WHERE u.document_id = d.id AND u.last_used_at >= since)
  ORDER BY d.id DESC LIMIT most
$$;
SELECT holdfast_found_by('agents_unused_documents(timestamptz, uuid, bigint)', 'app');

-- Traces, newest first. NULL is no filter. `above` and `below` are ids: a range of time is one of ids, as a UUIDv7 begins with its time.
-- `kind`: `failed`, `unanswered` (nothing but weak matches was found), `uncited` (no source was cited), `good`, `bad`. `wanted`: words of the
-- question, in three steps as in agents_conversations_found.
CREATE FUNCTION agents_traces_found(agent uuid, who text, kind text, wanted text, above uuid, below uuid, most bigint)
RETURNS SETOF uuid LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan AS $$
DECLARE
  few CONSTANT bigint := 1000;
  org CONSTANT uuid := holdfast_current_org();
  every CONSTANT tsquery := holdfast_words_query(wanted);
  source text := format('agent_traces t WHERE t.org_id = %L', org)
    || CASE WHEN agent IS NULL THEN '' ELSE format(' AND t.agent_id = %L', agent) END
    || CASE WHEN who IS NULL THEN '' ELSE format(' AND t.subject = %L', who) END
    || CASE WHEN above IS NULL THEN '' ELSE format(' AND t.id >= %L', above) END
    || CASE kind
      WHEN 'failed' THEN ' AND t.status = ''failed'''
      WHEN 'unanswered' THEN ' AND t.grounded AND t.status = ''complete'' AND t.cited = 0 AND t.sources = 0'
      WHEN 'uncited' THEN ' AND t.grounded AND t.status = ''complete'' AND t.cited = 0 AND t.sources > 0'
      WHEN 'good' THEN ' AND t.feedback = 1'
      WHEN 'bad' THEN ' AND t.feedback = -1'
      ELSE '' END;
  hits uuid[];
BEGIN
  IF wanted IS NOT NULL THEN
    hits := ARRAY(SELECT agents_trace_details_found(every, few + 1));
    source := source || CASE WHEN cardinality(hits) <= few THEN format(' AND t.id = ANY (%L::uuid[])', hits)
      ELSE format(' AND EXISTS (SELECT FROM agent_trace_details d WHERE d.trace_id = t.id AND d.words @@ %L::tsquery)', every) END;
  END IF;
  RETURN QUERY EXECUTE format('SELECT t.id FROM %s AND t.id < %L ORDER BY t.id DESC LIMIT %s', source, below, most);
END $$;

-- Up to `most` traces whose question has these words. Only by the index: see agents_messages_found.
CREATE FUNCTION agents_trace_details_found(every tsquery, most bigint) RETURNS SETOF uuid LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan SET enable_seqscan = off SET enable_indexscan = off AS $$
DECLARE
  org CONSTANT uuid := holdfast_current_org();
BEGIN
  RETURN QUERY SELECT d.trace_id FROM agent_trace_details d WHERE d.org_id = org AND d.words @@ every LIMIT most;
END $$;
REVOKE ALL ON FUNCTION agents_trace_details_found(tsquery, bigint) FROM PUBLIC;
SELECT holdfast_found_by('agents_traces_found(uuid, text, text, text, uuid, uuid, bigint)', 'app');
