//! `knowledge_documents` and `knowledge_texts`

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use super::Name;
use crate::model::{Document, DocumentId, DocumentStatus, KnowledgeBaseId, TextPart};
use extraction::{Doubt, Report};
use platform::{db::contains, http::Slice, ids::OrgId, names::tidy};

pub struct NewDocument<'a> {
    pub id: DocumentId,
    pub org: OrgId,
    pub base: KnowledgeBaseId,
    pub filename: &'a str,
    pub kind: &'static str,
    pub size: i64,
    pub sha256: &'a [u8],
    pub created_by: &'a str,
    pub now: DateTime<Utc>,
}

/// False if the base already holds a document with the same content.
pub async fn insert(conn: &mut PgConnection, new: &NewDocument<'_>) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "INSERT INTO knowledge_documents \
           (id, org_id, knowledge_base_id, filename, kind, size, sha256, status, created_by, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'queued', $8, $9, $9) \
         ON CONFLICT ON CONSTRAINT knowledge_documents_sha256_key DO NOTHING",
        new.id.0,
        new.org.0,
        new.base.0,
        new.filename,
        new.kind,
        new.size,
        new.sha256,
        new.created_by,
        new.now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

pub async fn names(conn: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<Vec<Name>> {
    sqlx::query_as!(
        Name,
        "SELECT id, knowledge_base_id AS \"base?\", filename AS name, created_by FROM knowledge_documents WHERE id = ANY($1)",
        ids
    )
    .fetch_all(conn)
    .await
}

/// The newest that can be found.
pub async fn newest(conn: &mut PgConnection) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar!("SELECT id FROM knowledge_documents WHERE status = 'ready' ORDER BY id DESC LIMIT 1")
        .fetch_optional(conn)
        .await
}

/// Which documents of a base to list; `None` is no filter.
#[derive(Default)]
pub struct Filter<'a> {
    /// Substring of the file name or the title.
    pub search: Option<&'a str>,
    pub status: Option<DocumentStatus>,
    /// Ready documents with (true) or without (false) doubts in their reading report.
    pub doubted: Option<bool>,
    /// Only documents with this doubt.
    pub doubt: Option<Doubt>,
    /// Documents without vectors (true), or all others (false).
    pub words_only: Option<bool>,
}

impl Filter<'_> {
    fn is_none(&self) -> bool {
        let Self { search, status, doubted, doubt, words_only } = self;
        search.is_none() && status.is_none() && doubted.is_none() && doubt.is_none() && words_only.is_none()
    }
}

/// Documents of the base `$1`, without their reading reports, which can be long.
macro_rules! select {
    ($report:literal, $rest:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            Document,
            r#"SELECT id AS "id: DocumentId", knowledge_base_id AS "knowledge_base_id: KnowledgeBaseId", filename, title, kind, size,
                      encode(sha256, 'hex') AS "sha256!", status AS "status: DocumentStatus", failure_code, failure_reason, progress,
                      pages, chunks, attempts, created_at, updated_at, ready_at, doubts, words_only, "# + $report + r#" AS "report: Json<Report>"
               FROM knowledge_documents WHERE knowledge_base_id = $1 AND "# + $rest,
            $($argument),+
        )
    };
}

pub async fn list(
    conn: &mut PgConnection,
    base: KnowledgeBaseId,
    filter: &Filter<'_>,
    slice: &Slice,
) -> sqlx::Result<Vec<Document>> {
    let (beyond, rows) = (slice.beyond(), slice.rows());
    if filter.is_none() && slice.is_oldest_first() {
        return select!("NULL::jsonb", "id > $2 ORDER BY id LIMIT $3", base.0, beyond, rows).fetch_all(conn).await;
    }
    if filter.is_none() {
        return select!("NULL::jsonb", "id < $2 ORDER BY id DESC LIMIT $3", base.0, beyond, rows).fetch_all(conn).await;
    }
    let mut found = select!(
        "NULL::jsonb",
        "id = ANY (ARRAY(SELECT knowledge_documents_found($1, $2, $3, $4, $5, $6, $7, $8, $9))) ORDER BY id DESC",
        base.0,
        filter.search.map(contains),
        filter.status.map(DocumentStatus::as_str),
        filter.doubted,
        filter.doubt.map(Doubt::as_str),
        filter.words_only,
        beyond,
        slice.is_oldest_first(),
        rows
    )
    .fetch_all(conn)
    .await?;
    if slice.is_oldest_first() {
        found.reverse();
    }
    Ok(found)
}

/// With its reading report.
pub async fn get(conn: &mut PgConnection, base: KnowledgeBaseId, id: DocumentId) -> sqlx::Result<Option<Document>> {
    select!("reading_report", "id = $2", base.0, id.0).fetch_optional(conn).await
}

/// The document with this content.
pub async fn by_content(
    conn: &mut PgConnection,
    base: KnowledgeBaseId,
    sha256: &[u8],
) -> sqlx::Result<Option<Document>> {
    select!("NULL::jsonb", "sha256 = $2", base.0, sha256).fetch_optional(conn).await
}

pub async fn rename(
    conn: &mut PgConnection,
    base: KnowledgeBaseId,
    id: DocumentId,
    filename: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "UPDATE knowledge_documents SET filename = $3, updated_at = $4 WHERE knowledge_base_id = $1 AND id = $2",
        base.0,
        id.0,
        filename,
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Also deletes the text and the chunks.
pub async fn delete(conn: &mut PgConnection, base: KnowledgeBaseId, id: DocumentId) -> sqlx::Result<bool> {
    let done = sqlx::query!("DELETE FROM knowledge_documents WHERE knowledge_base_id = $1 AND id = $2", base.0, id.0)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// The fields of a document that its jobs need.
#[derive(Clone, Debug)]
pub struct Work {
    pub knowledge_base_id: KnowledgeBaseId,
    pub filename: String,
    pub status: DocumentStatus,
    pub chunks: i32,
}

/// Starts reading a document that is `queued` or (after a crash) `extracting`. `None` if there is nothing to read.
pub async fn begin_extract(conn: &mut PgConnection, id: DocumentId, now: DateTime<Utc>) -> sqlx::Result<Option<Work>> {
    sqlx::query_as!(
        Work,
        r#"UPDATE knowledge_documents SET status = 'extracting', progress = 0, attempts = attempts + 1, updated_at = $2
           WHERE id = $1 AND status IN ('queued', 'extracting')
           RETURNING knowledge_base_id AS "knowledge_base_id: KnowledgeBaseId", filename, status AS "status: DocumentStatus", chunks"#,
        id.0,
        now,
    )
    .fetch_optional(conn)
    .await
}

/// A job's document, its row locked until the transaction ends.
pub async fn lock(conn: &mut PgConnection, id: DocumentId) -> sqlx::Result<Option<Work>> {
    sqlx::query_as!(
        Work,
        r#"SELECT knowledge_base_id AS "knowledge_base_id: KnowledgeBaseId", filename, status AS "status: DocumentStatus", chunks
           FROM knowledge_documents WHERE id = $1 FOR NO KEY UPDATE"#,
        id.0,
    )
    .fetch_optional(conn)
    .await
}

/// The result of reading a document, without its chunks.
pub struct Reading<'a> {
    pub title: Option<&'a str>,
    pub text: &'a str,
    pub pages: Option<i32>,
    pub chunks: i32,
    pub report: &'a Report,
}

/// The names of a report's doubts.
fn doubts(report: &Report) -> Vec<String> {
    report.doubts.iter().map(|doubt| doubt.as_str().to_owned()).collect()
}

/// Stores the text (replacing an older one) and moves the document to `embedding`.
pub async fn store_reading(
    conn: &mut PgConnection,
    org: OrgId,
    id: DocumentId,
    reading: &Reading<'_>,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO knowledge_texts (document_id, org_id, text) VALUES ($1, $2, $3) \
         ON CONFLICT ON CONSTRAINT knowledge_texts_pkey DO UPDATE SET text = excluded.text",
        id.0,
        org.0,
        reading.text,
    )
    .execute(&mut *conn)
    .await?;
    let title = reading.title.map(tidy).filter(|title| !title.is_empty());
    sqlx::query!(
        "UPDATE knowledge_documents SET status = 'embedding', progress = 0, title = $2, pages = $3, chunks = $4, updated_at = $5, \
           reading_report = $6, doubts = $7 \
         WHERE id = $1",
        id.0,
        title,
        reading.pages,
        reading.chunks,
        now,
        Json(reading.report) as _,
        &doubts(reading.report),
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub async fn set_progress(
    conn: &mut PgConnection,
    id: DocumentId,
    percent: i16,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!("UPDATE knowledge_documents SET progress = $2, updated_at = $3 WHERE id = $1", id.0, percent, now)
        .execute(conn)
        .await?;
    Ok(())
}

/// Moves a document to `ready`; returns the seconds since its upload. `None` if it was deleted or failed meanwhile.
pub async fn set_ready(
    conn: &mut PgConnection,
    id: DocumentId,
    words_only: bool,
    now: DateTime<Utc>,
) -> sqlx::Result<Option<f64>> {
    sqlx::query_scalar!(
        r#"UPDATE knowledge_documents SET status = 'ready', progress = 100, ready_at = $2, updated_at = $2, words_only = $3
           WHERE id = $1 AND status = 'embedding' RETURNING extract(epoch FROM $2 - created_at)::float8 AS "seconds!""#,
        id.0,
        now,
        words_only,
    )
    .fetch_optional(conn)
    .await
}

/// Moves the documents of a base without vectors back to an earlier status; returns their ids.
pub async fn requeue_words_only(
    conn: &mut PgConnection,
    base: KnowledgeBaseId,
    to: DocumentStatus,
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<DocumentId>> {
    sqlx::query_scalar!(
        r#"UPDATE knowledge_documents SET status = $2, progress = 0, updated_at = $3
           WHERE knowledge_base_id = $1 AND words_only AND status = 'ready' RETURNING id AS "id: DocumentId""#,
        base.0,
        to.as_str(),
        now,
    )
    .fetch_all(conn)
    .await
}

/// Stores the report of a document that could not be read, as far as there is one.
pub async fn store_failed_reading(
    conn: &mut PgConnection,
    id: DocumentId,
    pages: Option<i32>,
    report: &Report,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE knowledge_documents SET reading_report = $2, doubts = $3, pages = coalesce($4, pages) WHERE id = $1",
        id.0,
        Json(report) as _,
        &doubts(report),
        pages,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// False if it was deleted meanwhile.
pub async fn set_failed(
    conn: &mut PgConnection,
    id: DocumentId,
    code: &str,
    reason: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "UPDATE knowledge_documents SET status = 'failed', failure_code = $2, failure_reason = $3, updated_at = $4 \
         WHERE id = $1 AND status <> 'ready'",
        id.0,
        code,
        reason,
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Moves a document back to an earlier status. False if its status is not in `from`.
pub async fn requeue(
    conn: &mut PgConnection,
    id: DocumentId,
    from: &[DocumentStatus],
    to: DocumentStatus,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let from: Vec<String> = from.iter().map(|status| status.as_str().to_owned()).collect();
    let done = sqlx::query!(
        "UPDATE knowledge_documents SET status = $3, progress = 0, failure_code = NULL, failure_reason = NULL, updated_at = $4 \
         WHERE id = $1 AND status = ANY($2)",
        id.0,
        &from,
        to.as_str(),
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Moves every document of a base back to `queued`, to rebuild the index; returns their ids.
pub async fn requeue_all(
    conn: &mut PgConnection,
    base: KnowledgeBaseId,
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<DocumentId>> {
    sqlx::query_scalar!(
        r#"UPDATE knowledge_documents SET status = 'queued', progress = 0, failure_code = NULL, failure_reason = NULL, updated_at = $2
           WHERE knowledge_base_id = $1 AND (status <> 'failed' OR chunks > 0) RETURNING id AS "id: DocumentId""#,
        base.0,
        now,
    )
    .fetch_all(conn)
    .await
}

/// Ids and statuses of all documents of a base.
pub async fn statuses(
    conn: &mut PgConnection,
    base: KnowledgeBaseId,
) -> sqlx::Result<Vec<(DocumentId, DocumentStatus)>> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id: DocumentId", status AS "status: DocumentStatus" FROM knowledge_documents WHERE knowledge_base_id = $1"#,
        base.0
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.status)).collect())
}

/// Characters `start..end` of the text; `end` is capped at its length. `None` before the document was read.
pub async fn text(conn: &mut PgConnection, id: DocumentId, start: i32, end: i32) -> sqlx::Result<Option<TextPart>> {
    sqlx::query_as!(
        TextPart,
        r#"SELECT least($2, length(text)) AS "start!", greatest(least($2, length(text)), least($3, length(text))) AS "end!",
                  length(text) AS "length!", substr(text, $2 + 1, greatest($3 - $2, 0)) AS "text!"
           FROM knowledge_texts WHERE document_id = $1"#,
        id.0,
        start,
        end,
    )
    .fetch_optional(conn)
    .await
}
