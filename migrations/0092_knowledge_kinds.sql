-- Tables as text (CSV, TSV), and source code, settings and logs, are read as what they are.
ALTER TABLE knowledge_documents DROP CONSTRAINT knowledge_documents_kind_check;
ALTER TABLE knowledge_documents ADD CONSTRAINT knowledge_documents_kind_check
  CHECK (kind IN ('pdf', 'docx', 'html', 'markdown', 'csv', 'code', 'text'));
