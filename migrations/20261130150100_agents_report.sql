-- The weekly report counts the answers of all organisations in one statement: by their time, without reading the others, and by who asked.
CREATE INDEX messages_answers_idx ON messages (created_at) WHERE role = 'assistant';
SELECT holdfast_system_access('conversations');
