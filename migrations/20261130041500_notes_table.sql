-- Notes: short texts of an organisation.

CREATE TABLE notes (
  id uuid CONSTRAINT notes_pkey PRIMARY KEY,
  org_id uuid NOT NULL CONSTRAINT notes_org_id_fkey REFERENCES organisations (id) ON DELETE CASCADE,
  title text NOT NULL CONSTRAINT notes_title_check CHECK (length(title) BETWEEN 1 AND 200),
  text text NOT NULL CONSTRAINT notes_text_check CHECK (length(text) <= 20000),
  -- `user:<id>` or `key:<id>`.
  created_by text NOT NULL,
  created_at timestamptz NOT NULL
);
SELECT holdfast_tenant_table('notes');
-- Retention deletes old notes of all organisations.
SELECT holdfast_system_access('notes');
-- Newest first without sorting all of the organisation's.
CREATE INDEX notes_org_id_idx ON notes (org_id, id);
CREATE INDEX notes_created_at_idx ON notes (created_at);
SELECT holdfast_search_index('notes_search_idx', $$notes USING gin (org_id, title gin_trgm_ops)$$);

CREATE FUNCTION notes_found(pattern text, below uuid, most bigint) RETURNS SETOF uuid LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT holdfast_found(format('notes n WHERE n.org_id = %L', holdfast_current_org()), 'n.id', 'n.title', pattern, below, false, most)
$$;
SELECT holdfast_found_by('notes_found(text, uuid, bigint)', 'app');
