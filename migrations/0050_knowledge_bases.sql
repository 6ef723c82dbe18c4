-- Knowledge bases, their documents, the documents' text and passages. These rows and the objects are the truth; the
-- LanceDB tables are made from them and can be dropped at any time.

CREATE TABLE knowledge_bases (
  id uuid CONSTRAINT knowledge_bases_pkey PRIMARY KEY,
  org_id uuid NOT NULL CONSTRAINT knowledge_bases_org_id_fkey REFERENCES organisations ON DELETE CASCADE,
  name text NOT NULL CONSTRAINT knowledge_bases_name_check CHECK (length(name) BETWEEN 1 AND 200),
  description text NOT NULL DEFAULT '' CONSTRAINT knowledge_bases_description_check CHECK (length(description) <= 2000),
  -- Which model made the vectors of this generation; empty before the first document. Another model starts another generation.
  embedding_model text NOT NULL DEFAULT '',
  index_generation bigint NOT NULL DEFAULT 1,
  -- What the self-test found (index::Weights); NULL before the first one.
  weights jsonb,
  -- When passages were last written to or removed from the index, and when it was last optimised.
  indexed_at timestamptz,
  optimized_at timestamptz,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  -- Lets documents point at a base of their own organisation only.
  CONSTRAINT knowledge_bases_org_id_id_key UNIQUE (org_id, id)
);
SELECT holdfast_tenant_table('knowledge_bases');
-- Reconciling and maintenance go through the bases of all organisations.
SELECT holdfast_system_access('knowledge_bases');

CREATE TABLE knowledge_documents (
  id uuid CONSTRAINT knowledge_documents_pkey PRIMARY KEY,
  org_id uuid NOT NULL,
  knowledge_base_id uuid NOT NULL,
  filename text NOT NULL CONSTRAINT knowledge_documents_filename_check CHECK (length(filename) BETWEEN 1 AND 255),
  title text CONSTRAINT knowledge_documents_title_check CHECK (length(title) <= 300),
  kind text NOT NULL CONSTRAINT knowledge_documents_kind_check CHECK (kind IN ('pdf', 'docx', 'html', 'markdown', 'text')),
  size bigint NOT NULL CONSTRAINT knowledge_documents_size_check CHECK (size >= 0),
  sha256 bytea NOT NULL CONSTRAINT knowledge_documents_sha256_check CHECK (length(sha256) = 32),
  status text NOT NULL
    CONSTRAINT knowledge_documents_status_check CHECK (status IN ('queued', 'extracting', 'embedding', 'ready', 'failed')),
  failure_code text,
  failure_reason text,
  -- Percent of the present stage.
  progress smallint NOT NULL DEFAULT 0 CONSTRAINT knowledge_documents_progress_check CHECK (progress BETWEEN 0 AND 100),
  pages integer,
  chunks integer NOT NULL DEFAULT 0,
  attempts integer NOT NULL DEFAULT 0,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  ready_at timestamptz,
  CONSTRAINT knowledge_documents_knowledge_base_id_fkey FOREIGN KEY (org_id, knowledge_base_id)
    REFERENCES knowledge_bases (org_id, id) ON DELETE CASCADE,
  CONSTRAINT knowledge_documents_org_id_id_key UNIQUE (org_id, id),
  CONSTRAINT knowledge_documents_sha256_key UNIQUE (knowledge_base_id, sha256),
  CONSTRAINT knowledge_documents_failure_check CHECK ((status = 'failed') = (failure_code IS NOT NULL))
);
CREATE INDEX knowledge_documents_knowledge_base_id_idx ON knowledge_documents (org_id, knowledge_base_id, id DESC);
SELECT holdfast_tenant_table('knowledge_documents');
-- Gauges by status, and documents whose jobs were lost.
SELECT holdfast_system_access('knowledge_documents');

-- The canonical text, which passages and citations are cut from. Apart from the document: lists must not carry it.
CREATE TABLE knowledge_texts (
  document_id uuid CONSTRAINT knowledge_texts_pkey PRIMARY KEY,
  org_id uuid NOT NULL,
  text text NOT NULL,
  CONSTRAINT knowledge_texts_document_id_fkey FOREIGN KEY (org_id, document_id)
    REFERENCES knowledge_documents (org_id, id) ON DELETE CASCADE
);
CREATE INDEX knowledge_texts_document_id_idx ON knowledge_texts (org_id, document_id);
SELECT holdfast_tenant_table('knowledge_texts');

CREATE TABLE knowledge_chunks (
  id uuid CONSTRAINT knowledge_chunks_pkey PRIMARY KEY,
  org_id uuid NOT NULL,
  document_id uuid NOT NULL,
  -- Position in the document, from 0.
  ordinal integer NOT NULL,
  text text NOT NULL,
  -- Characters (Unicode scalar values) of knowledge_texts.text, from 0, end exclusive.
  start_char integer NOT NULL,
  end_char integer NOT NULL,
  page integer,
  -- Headings above the passage, outermost first.
  heading text[] NOT NULL,
  tokens integer NOT NULL,
  -- SHA-256 of the searchable text (headings and text): its key in embedding_cache.
  text_sha256 bytea NOT NULL CONSTRAINT knowledge_chunks_text_sha256_check CHECK (length(text_sha256) = 32),
  -- The index generation whose table holds the passage.
  indexed_generation bigint,
  CONSTRAINT knowledge_chunks_document_id_fkey FOREIGN KEY (org_id, document_id)
    REFERENCES knowledge_documents (org_id, id) ON DELETE CASCADE,
  CONSTRAINT knowledge_chunks_ordinal_key UNIQUE (document_id, ordinal)
);
CREATE INDEX knowledge_chunks_document_id_idx ON knowledge_chunks (org_id, document_id);
SELECT holdfast_tenant_table('knowledge_chunks');
