-- A passage cut out of a table below its first rows: the table's caption and header rows, which stand in an earlier
-- passage. NULL for every other passage, and for those cut before this column was there: they stay as they are until
-- their document is read again.
ALTER TABLE knowledge_chunks ADD COLUMN table_header text;

-- An answer's citation carries the header too: what is forgotten of a deleted document includes it.
CREATE OR REPLACE FUNCTION agents_without_quotes(citations jsonb, gone uuid[]) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce(jsonb_agg(CASE WHEN (c ->> 'document_id')::uuid = ANY (gone)
      THEN (c - 'table_header') || '{"text": "", "heading": [], "page": null, "start": 0, "end": 0, "deleted": true}'
             || jsonb_build_object('title', c -> 'filename')
      ELSE c END ORDER BY n), '[]')
  FROM jsonb_array_elements(citations) WITH ORDINALITY AS t (c, n)
$$;
