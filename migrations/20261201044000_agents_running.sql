-- Answers that are written whether or not somebody reads, and that any process can pass on.

-- One at a time in a conversation, whichever process writes it. What a crash left behind twice is ended first.
UPDATE messages m SET status = 'failed', error_code = 'interrupted'
WHERE m.status = 'streaming' AND EXISTS (
  SELECT FROM messages n WHERE n.conversation_id = m.conversation_id AND n.status = 'streaming' AND n.id > m.id);
CREATE UNIQUE INDEX messages_one_answer_idx ON messages (conversation_id) WHERE status = 'streaming';

-- Asked for by whoever may stop it; its writer looks with every piece.
ALTER TABLE messages ADD COLUMN stop_requested boolean NOT NULL DEFAULT false;

-- What was written so far, in order. Gone with the end of the answer. Appended, never changed: an answer of 30 kB costs 30 kB, not 30 kB twice a
-- second.
CREATE TABLE agent_answer_pieces (
  message_id uuid NOT NULL CONSTRAINT agent_answer_pieces_message_id_fkey REFERENCES messages (id) ON DELETE CASCADE,
  org_id uuid NOT NULL CONSTRAINT agent_answer_pieces_org_id_fkey REFERENCES organisations (id) ON DELETE CASCADE,
  -- Number of the last event in it.
  seq bigint NOT NULL,
  -- [{"type": "sources" | "delta" | "thinking" | "rewrite", ...}] as the API sends them, neighbours joined.
  events jsonb NOT NULL,
  CONSTRAINT agent_answer_pieces_pkey PRIMARY KEY (message_id, seq)
) WITH (
  -- Every row is deleted within minutes: vacuum by their number.
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000
);
CREATE INDEX agent_answer_pieces_org_id_idx ON agent_answer_pieces (org_id);
SELECT holdfast_tenant_table('agent_answer_pieces');
-- What a crash left of an answer is put together by the sweep, whosever it is.
SELECT holdfast_system_access('agent_answer_pieces');
