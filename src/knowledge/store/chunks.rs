//! `knowledge_chunks`

use sqlx::PgConnection;
use uuid::Uuid;

use crate::model::{Chunk, ChunkId, DocumentId, KnowledgeBaseId, searchable_text};
use platform::{http::Slice, ids::OrgId};

/// Rows per INSERT: stays below PostgreSQL's message size for any chunk length.
const INSERT_ROWS: usize = 500;

pub struct NewChunk {
    pub id: ChunkId,
    pub chunk: extraction::Chunk,
    /// SHA-256 of the embedded text.
    pub text_sha256: [u8; 32],
}

pub async fn replace(
    conn: &mut PgConnection,
    org: OrgId,
    document: DocumentId,
    chunks: &[NewChunk],
) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM knowledge_chunks WHERE document_id = $1", document.0).execute(&mut *conn).await?;
    let int = |value: usize| i32::try_from(value).unwrap_or(i32::MAX);
    for part in chunks.chunks(INSERT_ROWS) {
        let ids: Vec<Uuid> = part.iter().map(|c| c.id.0).collect();
        let ordinals: Vec<i32> = part.iter().map(|c| c.chunk.ordinal).collect();
        let texts: Vec<String> = part.iter().map(|c| c.chunk.text.clone()).collect();
        let starts: Vec<i32> = part.iter().map(|c| int(c.chunk.start)).collect();
        let ends: Vec<i32> = part.iter().map(|c| int(c.chunk.end)).collect();
        let pages: Vec<Option<i32>> =
            part.iter().map(|c| c.chunk.page.and_then(|page| i32::try_from(page).ok())).collect();
        // PostgreSQL's nested arrays must be rectangular, so heading paths are sent as JSON.
        let headings: Vec<serde_json::Value> = part.iter().map(|c| c.chunk.heading.clone().into()).collect();
        let table_headers: Vec<Option<String>> = part.iter().map(|c| c.chunk.table_header.clone()).collect();
        let tokens: Vec<i32> = part.iter().map(|c| int(c.chunk.tokens)).collect();
        let hashes: Vec<Vec<u8>> = part.iter().map(|c| c.text_sha256.to_vec()).collect();
        sqlx::query!(
            "INSERT INTO knowledge_chunks \
               (id, org_id, document_id, ordinal, text, start_char, end_char, page, heading, tokens, text_sha256, table_header) \
             SELECT id, $1, $2, ordinal, text, start_char, end_char, page, \
                    ARRAY(SELECT h.value FROM jsonb_array_elements_text(heading) WITH ORDINALITY AS h(value, n) ORDER BY h.n), tokens, hash, table_header \
             FROM unnest($3::uuid[], $4::int[], $5::text[], $6::int[], $7::int[], $8::int[], $9::jsonb[], $10::int[], $11::bytea[], $12::text[]) \
               AS t(id, ordinal, text, start_char, end_char, page, heading, tokens, hash, table_header)",
            org.0,
            document.0,
            &ids,
            &ordinals,
            &texts,
            &starts,
            &ends,
            &pages as _,
            &headings,
            &tokens,
            &hashes,
            &table_headers as _,
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// A page of a document's chunks, in document order.
pub async fn list(conn: &mut PgConnection, document: DocumentId, slice: &Slice<i64>) -> sqlx::Result<Vec<Chunk>> {
    sqlx::query_as!(
        Chunk,
        r#"SELECT id AS "id: ChunkId", ordinal, text, start_char AS start, end_char AS "end", page, heading, table_header, tokens
           FROM knowledge_chunks WHERE document_id = $1 AND ordinal > $2 ORDER BY ordinal LIMIT $3"#,
        document.0,
        // Ordinals are i32: none is beyond these.
        i32::try_from(slice.above().clamp(-1, i64::from(i32::MAX))).unwrap_or(i32::MAX),
        slice.rows(),
    )
    .fetch_all(conn)
    .await
}

pub async fn get(conn: &mut PgConnection, document: DocumentId, id: ChunkId) -> sqlx::Result<Option<Chunk>> {
    sqlx::query_as!(
        Chunk,
        r#"SELECT id AS "id: ChunkId", ordinal, text, start_char AS start, end_char AS "end", page, heading, table_header, tokens
           FROM knowledge_chunks WHERE document_id = $1 AND id = $2"#,
        document.0,
        id.0,
    )
    .fetch_optional(conn)
    .await
}

/// A chunk to be indexed.
pub struct Pending {
    pub id: ChunkId,
    pub heading: Vec<String>,
    pub table_header: Option<String>,
    pub text: String,
}

impl Pending {
    /// The text that is embedded and indexed.
    pub fn searchable(&self) -> String {
        searchable_text(&self.heading, self.table_header.as_deref(), &self.text)
    }
}

/// The next chunks of a document that are not in the index of `generation`.
pub async fn unindexed(
    conn: &mut PgConnection,
    document: DocumentId,
    generation: i64,
    limit: i64,
) -> sqlx::Result<Vec<Pending>> {
    sqlx::query_as!(
        Pending,
        r#"SELECT id AS "id: ChunkId", heading, table_header, text FROM knowledge_chunks
           WHERE document_id = $1 AND indexed_generation IS DISTINCT FROM $2 ORDER BY ordinal LIMIT $3"#,
        document.0,
        generation,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// The next chunks of a base, by id, that are in the index of `generation`.
pub async fn indexed_after(
    conn: &mut PgConnection,
    base: KnowledgeBaseId,
    generation: i64,
    after: Uuid,
    limit: i64,
) -> sqlx::Result<Vec<Pending>> {
    sqlx::query_as!(
        Pending,
        r#"SELECT c.id AS "id: ChunkId", c.heading, c.table_header, c.text FROM knowledge_chunks c
           JOIN knowledge_documents d ON d.org_id = c.org_id AND d.id = c.document_id
           WHERE d.knowledge_base_id = $1 AND c.indexed_generation = $2 AND c.id > $3 ORDER BY c.id LIMIT $4"#,
        base.0,
        generation,
        after,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// Marks chunks as indexed; returns those that still exist.
pub async fn mark_indexed(conn: &mut PgConnection, ids: &[ChunkId], generation: i64) -> sqlx::Result<Vec<ChunkId>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    sqlx::query_scalar!(
        r#"UPDATE knowledge_chunks SET indexed_generation = $2 WHERE id = ANY($1) RETURNING id AS "id: ChunkId""#,
        &ids,
        generation
    )
    .fetch_all(conn)
    .await
}

/// Number of a document's chunks that are not in the index of `generation`.
pub async fn count_unindexed(conn: &mut PgConnection, document: DocumentId, generation: i64) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM knowledge_chunks WHERE document_id = $1 AND indexed_generation IS DISTINCT FROM $2"#,
        document.0,
        generation
    )
    .fetch_one(conn)
    .await
}

/// Embedding cache keys of the chunks of a base, or of one of its documents.
pub async fn hashes(
    conn: &mut PgConnection,
    base: KnowledgeBaseId,
    document: Option<DocumentId>,
) -> sqlx::Result<Vec<Vec<u8>>> {
    sqlx::query_scalar!(
        "SELECT DISTINCT c.text_sha256 FROM knowledge_chunks c \
         JOIN knowledge_documents d ON d.org_id = c.org_id AND d.id = c.document_id \
         WHERE d.knowledge_base_id = $1 AND ($2::uuid IS NULL OR d.id = $2)",
        base.0,
        document.map(|id| id.0),
    )
    .fetch_all(conn)
    .await
}

/// Clears the indexed mark of all chunks of these documents.
pub async fn unmark_indexed(conn: &mut PgConnection, documents: &[DocumentId]) -> sqlx::Result<()> {
    let ids: Vec<Uuid> = documents.iter().map(|id| id.0).collect();
    sqlx::query!("UPDATE knowledge_chunks SET indexed_generation = NULL WHERE document_id = ANY($1)", &ids)
        .execute(conn)
        .await?;
    Ok(())
}

/// A chunk, and whether the index of the requested generation should hold it.
pub struct Indexed {
    pub id: Uuid,
    pub document_id: DocumentId,
    pub indexed: bool,
}

/// Number of a base's chunks that its index should hold.
pub async fn count_indexed(conn: &mut PgConnection, base: KnowledgeBaseId, generation: i64) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM knowledge_chunks c
           JOIN knowledge_documents d ON d.org_id = c.org_id AND d.id = c.document_id
           WHERE d.knowledge_base_id = $1 AND c.indexed_generation = $2"#,
        base.0,
        generation,
    )
    .fetch_one(conn)
    .await
}

/// All chunks of a base.
pub async fn of_base(conn: &mut PgConnection, base: KnowledgeBaseId, generation: i64) -> sqlx::Result<Vec<Indexed>> {
    sqlx::query_as!(
        Indexed,
        r#"SELECT c.id, c.document_id AS "document_id: DocumentId", (c.indexed_generation IS NOT DISTINCT FROM $2) AS "indexed!"
           FROM knowledge_chunks c JOIN knowledge_documents d ON d.org_id = c.org_id AND d.id = c.document_id
           WHERE d.knowledge_base_id = $1"#,
        base.0,
        generation,
    )
    .fetch_all(conn)
    .await
}

/// An evenly spread sample of a base's chunks, at most `limit`.
pub async fn sample(conn: &mut PgConnection, base: KnowledgeBaseId, limit: i64) -> sqlx::Result<Vec<Pending>> {
    sqlx::query_as!(
        Pending,
        r#"WITH numbered AS (
           SELECT c.id, c.heading, c.table_header, c.text, row_number() OVER (ORDER BY c.id) - 1 AS n, count(*) OVER () AS total
           FROM knowledge_chunks c JOIN knowledge_documents d ON d.org_id = c.org_id AND d.id = c.document_id
           WHERE d.knowledge_base_id = $1 AND d.status = 'ready')
         SELECT id AS "id: ChunkId", heading, table_header, text FROM numbered WHERE n % greatest(1, total / $2) = 0 ORDER BY n LIMIT $2"#,
        base.0,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// A chunk found by a search, with its document.
pub struct Found {
    pub id: ChunkId,
    pub document_id: DocumentId,
    pub knowledge_base_id: KnowledgeBaseId,
    pub filename: String,
    pub title: String,
    pub text: String,
    pub page: Option<i32>,
    pub heading: Vec<String>,
    pub table_header: Option<String>,
    pub start: i32,
    pub end: i32,
}

/// The chunks with these ids in these bases, if their document is ready, or being embedded but already searchable by
/// words. The query forces the planner to look up the chunks by id first: left alone it starts with the documents and
/// reads every chunk of the base to find a dozen.
pub async fn found(conn: &mut PgConnection, bases: &[Uuid], ids: &[Uuid]) -> sqlx::Result<Vec<Found>> {
    sqlx::query_as!(
        Found,
        r#"WITH c AS MATERIALIZED (
             SELECT id, org_id, document_id, text, page, heading, table_header, start_char, end_char FROM knowledge_chunks WHERE id = ANY($2))
           SELECT c.id AS "id: ChunkId", c.document_id AS "document_id: DocumentId",
                  d.knowledge_base_id AS "knowledge_base_id: KnowledgeBaseId", d.filename,
                  coalesce(nullif(d.title, ''), d.filename) AS "title!", c.text, c.page, c.heading, c.table_header, c.start_char AS start, c.end_char AS "end"
           FROM c JOIN knowledge_documents d ON d.org_id = c.org_id AND d.id = c.document_id
           WHERE d.knowledge_base_id = ANY($1) AND (d.status = 'ready' OR (d.status = 'embedding' AND d.words_only))"#,
        bases,
        ids,
    )
    .fetch_all(conn)
    .await
}
