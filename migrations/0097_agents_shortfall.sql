-- What of the search for an answer's passages the model did not see. Empty: it saw everything.
ALTER TABLE messages ADD COLUMN shortfall jsonb NOT NULL DEFAULT '{}';

-- Builds between two releases kept it as a last element of the citations.
UPDATE messages SET
  shortfall = jsonb_path_query_first(citations, '$[*].shortfall'),
  citations = jsonb_path_query_array(citations, '$[*] ? (!exists(@.shortfall))')
WHERE jsonb_path_exists(citations, '$[*].shortfall');
