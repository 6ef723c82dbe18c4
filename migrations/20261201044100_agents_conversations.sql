-- Branches, pins, sharing, feedback, attachments.

-- A question that was edited and an answer that was made anew are siblings below one parent. What is shown is one path, the messages that are
-- not superseded, in the order of their ids. Parents are filled in when a conversation branches for the first time.
ALTER TABLE messages ADD COLUMN parent_id uuid CONSTRAINT messages_parent_id_fkey REFERENCES messages (id) ON DELETE CASCADE;
CREATE INDEX messages_parent_id_idx ON messages (parent_id) WHERE parent_id IS NOT NULL;

ALTER TABLE conversations
  ADD COLUMN branched boolean NOT NULL DEFAULT false,
  ADD COLUMN pinned_at timestamptz,
  -- Readable for the whole organisation by its address.
  ADD COLUMN shared_at timestamptz,
  -- Made by copying a shared one.
  ADD COLUMN copied_from uuid;
-- All of an organisation, newest first, for those who may see them.
CREATE INDEX conversations_org_id_id_idx ON conversations (org_id, id);
-- A person's own with all agents.
CREATE INDEX conversations_own_idx ON conversations (org_id, subject, id);
CREATE INDEX conversations_pinned_idx ON conversations (org_id, subject, id) WHERE pinned_at IS NOT NULL;
CREATE INDEX conversations_shared_idx ON conversations (org_id, subject, id) WHERE shared_at IS NOT NULL;

-- The agents whose versions use a knowledge base.
CREATE INDEX agent_versions_bases_idx ON agent_versions USING gin ((settings -> 'knowledge_bases') jsonb_path_ops);

CREATE TABLE agent_feedback (
  message_id uuid NOT NULL CONSTRAINT agent_feedback_message_id_fkey REFERENCES messages (id) ON DELETE CASCADE,
  org_id uuid NOT NULL CONSTRAINT agent_feedback_org_id_fkey REFERENCES organisations (id) ON DELETE CASCADE,
  -- user:<id>, key:<id>.
  subject text NOT NULL,
  good boolean NOT NULL,
  comment text NOT NULL DEFAULT '' CONSTRAINT agent_feedback_comment_check CHECK (length(comment) <= 2000),
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  CONSTRAINT agent_feedback_pkey PRIMARY KEY (message_id, subject)
);
CREATE INDEX agent_feedback_org_id_idx ON agent_feedback (org_id, created_at);
SELECT holdfast_tenant_table('agent_feedback');

-- Pictures and texts given with a question. A picture is an object of the room `agents`; of a document only the text is kept.
CREATE TABLE agent_attachments (
  id uuid CONSTRAINT agent_attachments_pkey PRIMARY KEY,
  org_id uuid NOT NULL CONSTRAINT agent_attachments_org_id_fkey REFERENCES organisations (id) ON DELETE CASCADE,
  agent_id uuid NOT NULL CONSTRAINT agent_attachments_agent_id_fkey REFERENCES agents (id) ON DELETE CASCADE,
  subject text NOT NULL,
  -- NULL until the question is asked; unasked ones are removed after a day.
  message_id uuid CONSTRAINT agent_attachments_message_id_fkey REFERENCES messages (id) ON DELETE CASCADE,
  ordinal smallint NOT NULL DEFAULT 0,
  kind text NOT NULL CONSTRAINT agent_attachments_kind_check CHECK (kind IN ('picture', 'document')),
  filename text NOT NULL CONSTRAINT agent_attachments_filename_check CHECK (length(filename) BETWEEN 1 AND 255),
  media_type text NOT NULL,
  -- Of a picture as it is stored; of a document as it was given.
  size bigint NOT NULL CONSTRAINT agent_attachments_size_check CHECK (size >= 0),
  -- Where a picture is: its own id, or that of the row that it was copied from. The object goes with the last row that names it.
  object_id uuid,
  sha256 bytea CONSTRAINT agent_attachments_sha256_check CHECK (length(sha256) = 32),
  width integer,
  height integer,
  text text NOT NULL DEFAULT '',
  -- The text was longer than the agent takes.
  cut boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL,
  CONSTRAINT agent_attachments_picture_check CHECK (
    CASE WHEN kind = 'picture' THEN num_nonnulls(object_id, sha256, width, height) = 4 ELSE num_nonnulls(object_id, sha256, width, height) = 0 END)
);
CREATE INDEX agent_attachments_message_id_idx ON agent_attachments (message_id);
CREATE INDEX agent_attachments_agent_id_idx ON agent_attachments (agent_id);
CREATE INDEX agent_attachments_org_id_idx ON agent_attachments (org_id, id);
CREATE INDEX agent_attachments_object_id_idx ON agent_attachments (object_id) WHERE object_id IS NOT NULL;
CREATE INDEX agent_attachments_unasked_idx ON agent_attachments (created_at) WHERE message_id IS NULL;
SELECT holdfast_tenant_table('agent_attachments');
SELECT holdfast_system_access('agent_attachments');

-- A person's own conversations with all agents; `kind`: `pinned`, `shared`, or NULL for all. `pattern` and `wanted` as in
-- agents_conversations_found, or NULL for no search. In the same three steps.
CREATE FUNCTION agents_own_conversations_found(who text, kind text, pattern text, wanted text, below uuid, most bigint)
RETURNS SETOF uuid LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan AS $$
DECLARE
  near CONSTANT bigint := 200;
  few CONSTANT bigint := 1000;
  org CONSTANT uuid := holdfast_current_org();
  every CONSTANT tsquery := holdfast_words_query(wanted);
  source CONSTANT text := format('conversations c WHERE c.org_id = %L AND c.subject = %L', org, who)
    || CASE kind WHEN 'pinned' THEN ' AND c.pinned_at IS NOT NULL' WHEN 'shared' THEN ' AND c.shared_at IS NOT NULL' ELSE '' END;
  hits uuid[];
  are_few boolean;
BEGIN
  IF pattern IS NULL THEN
    RETURN QUERY SELECT holdfast_found(source, 'c.id', NULL, NULL, below, false, most);
    RETURN;
  END IF;
  EXECUTE format(
    'SELECT ARRAY(SELECT newest.id FROM (SELECT c.id, c.title FROM %s AND c.id < %L ORDER BY c.id DESC LIMIT %s) AS newest
     WHERE newest.title ILIKE %L OR (SELECT true FROM messages m WHERE m.conversation_id = newest.id AND m.words @@ %L::tsquery LIMIT 1)
     ORDER BY newest.id DESC LIMIT %s)', source, below, near, pattern, every, most) INTO hits;
  IF cardinality(hits) = most THEN
    RETURN QUERY SELECT unnest(hits);
    RETURN;
  END IF;
  hits := ARRAY(SELECT agents_messages_found(every, few + 1));
  are_few := cardinality(hits) <= few;
  RETURN QUERY EXECUTE format(
    'SELECT holdfast_found(%1$L, ''c.id'', ''c.title'', %2$L, %3$L, false, %4$s)
     UNION (SELECT c.id FROM %1$s AND c.id < %3$L AND %5$s ORDER BY c.id DESC LIMIT %4$s)
     ORDER BY 1 DESC LIMIT %4$s', source, pattern, below, most,
    CASE WHEN are_few THEN format('c.id = ANY (%L::uuid[])', hits)
      ELSE format('EXISTS (SELECT FROM messages m WHERE m.conversation_id = c.id AND m.words @@ %L::tsquery)', every) END);
END $$;
SELECT holdfast_found_by('agents_own_conversations_found(text, text, text, text, uuid, bigint)', 'app');
