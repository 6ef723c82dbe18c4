-- How far a long reading is, in pages, so that the rest can be estimated; when the present stage began.
ALTER TABLE knowledge_documents
  ADD COLUMN stage_at timestamptz,
  ADD COLUMN pages_read integer CONSTRAINT knowledge_documents_pages_read_check CHECK (pages_read >= 0),
  -- A folder's path, of an upload of folders; shown before the name.
  ADD COLUMN path text NOT NULL DEFAULT '' CONSTRAINT knowledge_documents_path_check CHECK (length(path) <= 1000),
  -- What a list by name goes by. A column, because under row-level security no index serves a comparison of lower(filename).
  ADD COLUMN sort_name text NOT NULL GENERATED ALWAYS AS (lower(filename)) STORED;

-- Two bases of one name cannot be told apart. The oldest keeps its name, the others get the first number that is free.
DO $$
DECLARE
  double record;
  n integer;
BEGIN
  FOR double IN
    SELECT b.id, b.org_id, b.name FROM knowledge_bases b
    WHERE EXISTS (SELECT FROM knowledge_bases o WHERE o.org_id = b.org_id AND lower(o.name) = lower(b.name) AND o.id < b.id)
    ORDER BY b.id
  LOOP
    n := 2;
    WHILE EXISTS (
      SELECT FROM knowledge_bases o WHERE o.org_id = double.org_id AND lower(o.name) = lower(left(double.name, 190) || ' (' || n || ')')
    ) LOOP
      n := n + 1;
    END LOOP;
    UPDATE knowledge_bases SET name = left(double.name, 190) || ' (' || n || ')' WHERE id = double.id;
  END LOOP;
END $$;
CREATE UNIQUE INDEX knowledge_bases_name_key ON knowledge_bases (org_id, lower(name));

-- Sorting the list of a base: by name, by size. Newest and oldest go by the id.
CREATE INDEX knowledge_documents_name_idx ON knowledge_documents (org_id, knowledge_base_id, sort_name, id);
CREATE INDEX knowledge_documents_size_idx ON knowledge_documents (org_id, knowledge_base_id, size, id);
-- All of an organisation that can be found, newest first.
CREATE INDEX knowledge_documents_ready_idx ON knowledge_documents (org_id, id) WHERE status = 'ready';
