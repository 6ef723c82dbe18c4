-- What reading a document gave, left out and doubts; NULL for documents that were read before reports were kept.
ALTER TABLE knowledge_documents
  ADD COLUMN reading_report jsonb,
  -- The report's doubts, for filters and counts: lists do not read the report.
  ADD COLUMN doubts text[] NOT NULL DEFAULT '{}',
  -- Found by its words alone, because the embedding model was missing; it gets its vectors when the model is there.
  ADD COLUMN words_only boolean NOT NULL DEFAULT false;
CREATE INDEX knowledge_documents_words_only_idx ON knowledge_documents (org_id, knowledge_base_id) WHERE words_only;

-- How pages without usable text are read.
ALTER TABLE knowledge_bases
  ADD COLUMN reading text NOT NULL DEFAULT 'ocr' CONSTRAINT knowledge_bases_reading_check CHECK (reading IN ('text', 'ocr')),
  -- Languages of the OCR, as its data files are called; empty takes English and Russian, as far as they are installed.
  ADD COLUMN ocr_languages text[] NOT NULL DEFAULT '{}',
  -- The model that reads pages where OCR cannot; empty for none.
  ADD COLUMN vision_model text NOT NULL DEFAULT ''
    CONSTRAINT knowledge_bases_vision_model_check CHECK (length(vision_model) <= 200);
