-- Which version of the text analysis made the terms of a base's index. Another version's terms are written anew, in place,
-- while the base is searched (knowledge.reanalyse).
ALTER TABLE knowledge_bases ADD COLUMN analysis smallint NOT NULL DEFAULT 1;
