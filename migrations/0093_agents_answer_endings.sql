-- Why an answer ended, and what the model thought before it: kept apart from what it said.
ALTER TABLE messages
  ADD COLUMN finish_reason text,
  ADD COLUMN thinking text NOT NULL DEFAULT '';

-- Earlier versions took an answer without a word for a complete one.
UPDATE messages SET status = 'failed', error_code = 'answer_empty'
WHERE role = 'assistant' AND status = 'complete' AND content !~ '\S';
