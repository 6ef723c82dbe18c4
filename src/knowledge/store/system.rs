//! Queries across all organisations, for gauges and reconciling. Callers hold a `system` transaction.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::model::{DocumentId, DocumentStatus, KnowledgeBaseId};
use platform::ids::OrgId;

/// Number of documents by status, and of all chunks.
pub async fn counts(conn: &mut PgConnection) -> sqlx::Result<(Vec<(DocumentStatus, i64)>, i64)> {
    let rows = sqlx::query!(
        r#"SELECT status AS "status: DocumentStatus", count(*) AS "documents!", coalesce(sum(chunks), 0)::bigint AS "chunks!"
           FROM knowledge_documents GROUP BY status"#
    )
    .fetch_all(conn)
    .await?;
    let chunks = rows.iter().map(|row| row.chunks).sum();
    Ok((rows.into_iter().map(|row| (row.status, row.documents)).collect(), chunks))
}

/// Number of ready documents with doubts, and of ready documents without vectors.
pub async fn doubted(conn: &mut PgConnection) -> sqlx::Result<(i64, i64)> {
    let row = sqlx::query!(
        r#"SELECT count(*) FILTER (WHERE doubts <> '{}') AS "doubted!", count(*) FILTER (WHERE words_only) AS "words_only!"
           FROM knowledge_documents WHERE status = 'ready'"#
    )
    .fetch_one(conn)
    .await?;
    Ok((row.doubted, row.words_only))
}

/// Bases with ready documents without vectors.
pub async fn words_only(conn: &mut PgConnection) -> sqlx::Result<Vec<(OrgId, KnowledgeBaseId)>> {
    let rows = sqlx::query!(
        r#"SELECT DISTINCT org_id AS "org_id: OrgId", knowledge_base_id AS "knowledge_base_id: KnowledgeBaseId"
           FROM knowledge_documents WHERE words_only AND status = 'ready' ORDER BY 1, 2"#
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.org_id, row.knowledge_base_id)).collect())
}

/// Number of bases that use OCR, and the languages that they name.
pub struct OcrWanted {
    pub bases: i64,
    pub languages: Vec<String>,
}

pub async fn ocr_languages(conn: &mut PgConnection) -> sqlx::Result<OcrWanted> {
    sqlx::query_as!(
        OcrWanted,
        r#"SELECT count(DISTINCT b.id) AS "bases!", coalesce(array_agg(DISTINCT l) FILTER (WHERE l IS NOT NULL), '{}') AS "languages!"
           FROM knowledge_bases b LEFT JOIN LATERAL unnest(b.ocr_languages) AS l ON true WHERE b.reading = 'ocr'"#
    )
    .fetch_one(conn)
    .await
}

/// A base of any organisation.
pub struct AnyBase {
    pub id: KnowledgeBaseId,
    pub org_id: OrgId,
    pub index_generation: i64,
    /// Was written to at least once, so its table should exist.
    pub indexed: bool,
    /// Written to since it was last optimised.
    pub unoptimized: bool,
    /// A document is being processed.
    pub busy: bool,
}

pub async fn bases(conn: &mut PgConnection) -> sqlx::Result<Vec<AnyBase>> {
    sqlx::query_as!(
        AnyBase,
        r#"SELECT id AS "id: KnowledgeBaseId", org_id AS "org_id: OrgId", index_generation, (indexed_at IS NOT NULL) AS "indexed!",
                  (indexed_at IS NOT NULL AND (optimized_at IS NULL OR optimized_at < indexed_at)) AS "unoptimized!",
                  EXISTS (SELECT FROM knowledge_documents d WHERE d.org_id = b.org_id AND d.knowledge_base_id = b.id
                            AND d.status = 'embedding') AS "busy!"
           FROM knowledge_bases b ORDER BY id"#
    )
    .fetch_all(conn)
    .await
}

/// Which of these documents exist.
pub async fn existing_documents(conn: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!("SELECT id FROM knowledge_documents WHERE id = ANY($1)", ids).fetch_all(conn).await
}

/// Documents that are neither ready nor failed and were not updated since `before`.
pub async fn unfinished(conn: &mut PgConnection, before: DateTime<Utc>) -> sqlx::Result<Vec<(OrgId, DocumentId)>> {
    let rows = sqlx::query!(
        r#"SELECT org_id AS "org_id: OrgId", id AS "id: DocumentId" FROM knowledge_documents
           WHERE status NOT IN ('ready', 'failed') AND updated_at < $1 ORDER BY updated_at LIMIT 10000"#,
        before
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.org_id, row.id)).collect())
}

/// Bases of all organisations from this one on, in the order of their folders.
pub async fn bases_from(
    conn: &mut PgConnection,
    (org, base): (Uuid, Uuid),
    most: i64,
) -> sqlx::Result<Vec<(OrgId, KnowledgeBaseId)>> {
    let rows = sqlx::query!(
        r#"SELECT org_id AS "org_id: OrgId", id AS "id: KnowledgeBaseId" FROM knowledge_bases
           WHERE (org_id, id) >= ($1, $2) ORDER BY org_id, id LIMIT $3"#,
        org,
        base,
        most,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.org_id, row.id)).collect())
}

/// The original of a document.
pub struct Original {
    pub id: DocumentId,
    pub size: i64,
    pub sha256: Vec<u8>,
}

/// Originals of a base behind a document.
pub async fn originals(
    conn: &mut PgConnection,
    (org, base): (OrgId, KnowledgeBaseId),
    after: Uuid,
    most: i64,
) -> sqlx::Result<Vec<Original>> {
    sqlx::query_as!(
        Original,
        r#"SELECT id AS "id: DocumentId", size, sha256 FROM knowledge_documents
           WHERE org_id = $1 AND knowledge_base_id = $2 AND id > $3 ORDER BY id LIMIT $4"#,
        org.0,
        base.0,
        after,
        most,
    )
    .fetch_all(conn)
    .await
}
