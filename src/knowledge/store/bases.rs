//! `knowledge_bases`

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use super::contains;
use crate::{
    knowledge::{
        index::{ANALYSIS, Weights},
        model::{BaseChanges, Counts, KnowledgeBase, KnowledgeBaseId, ReadingMode},
    },
    platform::ids::OrgId,
};

pub struct NewBase<'a> {
    pub id: KnowledgeBaseId,
    pub org: OrgId,
    pub name: &'a str,
    pub description: &'a str,
    pub reading: ReadingMode,
    pub ocr_languages: &'a [String],
    pub vision_model: &'a str,
    pub created_by: &'a str,
    pub now: DateTime<Utc>,
}

pub async fn insert(conn: &mut PgConnection, new: &NewBase<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO knowledge_bases \
           (id, org_id, name, description, created_by, created_at, updated_at, reading, ocr_languages, vision_model, analysis) \
         VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8, $9, $10)",
        new.id.0,
        new.org.0,
        new.name,
        new.description,
        new.created_by,
        new.now,
        new.reading.as_str(),
        new.ocr_languages,
        new.vision_model,
        ANALYSIS,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Which bases to read; newest first.
#[derive(Default)]
pub struct Filter<'a> {
    pub ids: Option<&'a [Uuid]>,
    /// Substring of the name.
    pub search: Option<&'a str>,
    /// Only bases older than this one.
    pub after: Option<Uuid>,
    /// `None`: no limit.
    pub limit: Option<i64>,
}

pub async fn list(conn: &mut PgConnection, filter: &Filter<'_>) -> sqlx::Result<Vec<KnowledgeBase>> {
    sqlx::query_as!(
        KnowledgeBase,
        r#"SELECT b.id AS "id: KnowledgeBaseId", b.name, b.description, b.embedding_model, b.index_generation,
                  c.documents AS "documents!", c.ready AS "documents_ready!", c.failed AS "documents_failed!",
                  c.doubted AS "documents_doubted!", c.words_only AS "documents_words_only!",
                  b.reading AS "reading: ReadingMode", b.ocr_languages, b.vision_model,
                  c.chunks AS "chunks!", c.size AS "size!", b.weights AS "weights: Json<Weights>", b.created_at, b.updated_at
           FROM knowledge_bases b
           CROSS JOIN LATERAL (
             SELECT count(*) AS documents, count(*) FILTER (WHERE status = 'ready') AS ready,
                    count(*) FILTER (WHERE status = 'failed') AS failed,
                    count(*) FILTER (WHERE status = 'ready' AND doubts <> '{}') AS doubted,
                    count(*) FILTER (WHERE status = 'ready' AND words_only) AS words_only,
                    coalesce(sum(d.chunks), 0)::bigint AS chunks, coalesce(sum(d.size), 0)::bigint AS size
             FROM knowledge_documents d WHERE d.org_id = b.org_id AND d.knowledge_base_id = b.id
           ) c
           WHERE ($1::uuid[] IS NULL OR b.id = ANY($1)) AND ($2::text IS NULL OR b.name ILIKE $2 OR b.description ILIKE $2)
             AND ($3::uuid IS NULL OR b.id < $3)
           ORDER BY b.id DESC LIMIT $4"#,
        filter.ids as _,
        contains(filter.search),
        filter.after,
        filter.limit,
    )
    .fetch_all(conn)
    .await
}

/// Knowledge bases, and documents by what became of them.
pub async fn counts(conn: &mut PgConnection) -> sqlx::Result<Counts> {
    sqlx::query_as!(
        Counts,
        r#"SELECT (SELECT count(*) FROM knowledge_bases) AS "bases!", count(*) FILTER (WHERE status = 'ready') AS "ready!",
             count(*) FILTER (WHERE status = 'failed') AS "failed!",
             count(*) FILTER (WHERE status NOT IN ('ready', 'failed')) AS "waiting!"
           FROM knowledge_documents"#
    )
    .fetch_one(conn)
    .await
}

pub async fn get(conn: &mut PgConnection, id: KnowledgeBaseId) -> sqlx::Result<Option<KnowledgeBase>> {
    let found = list(conn, &Filter { ids: Some(&[id.0]), ..Filter::default() }).await?;
    Ok(found.into_iter().next())
}

/// The fields of a base that a search needs.
pub struct Searchable {
    pub id: KnowledgeBaseId,
    pub embedding_model: String,
    pub index_generation: i64,
    /// Number of chunks if several bases are searched (they are weighted by size); for a single base only whether it
    /// has any.
    pub chunks: i64,
    pub weights: Option<Json<Weights>>,
}

pub async fn searchable(conn: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<Vec<Searchable>> {
    sqlx::query_as!(
        Searchable,
        r#"SELECT b.id AS "id: KnowledgeBaseId", b.embedding_model, b.index_generation, b.weights AS "weights: Json<Weights>",
                  CASE WHEN cardinality($1::uuid[]) > 1
                    THEN (SELECT coalesce(sum(d.chunks), 0)::bigint FROM knowledge_documents d
                          WHERE d.org_id = b.org_id AND d.knowledge_base_id = b.id)
                    ELSE (SELECT count(*) FROM (SELECT FROM knowledge_documents d
                          WHERE d.org_id = b.org_id AND d.knowledge_base_id = b.id AND d.chunks > 0 LIMIT 1) AS one)
                  END AS "chunks!"
           FROM knowledge_bases b WHERE b.id = ANY($1) ORDER BY b.id DESC"#,
        ids,
    )
    .fetch_all(conn)
    .await
}

pub async fn exists(conn: &mut PgConnection, id: KnowledgeBaseId) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM knowledge_bases WHERE id = $1) AS "exists!""#, id.0)
        .fetch_one(conn)
        .await
}

/// Updates the given fields. False if there is no such base.
pub async fn update(
    conn: &mut PgConnection,
    id: KnowledgeBaseId,
    changes: &BaseChanges,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "UPDATE knowledge_bases SET name = coalesce($2, name), description = coalesce($3, description), updated_at = $4, \
           reading = coalesce($5, reading), ocr_languages = coalesce($6, ocr_languages), vision_model = coalesce($7, vision_model) \
         WHERE id = $1",
        id.0,
        changes.name,
        changes.description,
        now,
        changes.reading.map(ReadingMode::as_str),
        changes.ocr_languages.as_deref() as _,
        changes.vision_model,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

pub async fn delete(conn: &mut PgConnection, id: KnowledgeBaseId) -> sqlx::Result<bool> {
    let done = sqlx::query!("DELETE FROM knowledge_bases WHERE id = $1", id.0).execute(conn).await?;
    Ok(done.rows_affected() > 0)
}

/// How pages without usable text are read in a base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadingSettings {
    pub reading: ReadingMode,
    pub ocr_languages: Vec<String>,
    pub vision_model: String,
}

pub async fn reading_settings(conn: &mut PgConnection, id: KnowledgeBaseId) -> sqlx::Result<Option<ReadingSettings>> {
    sqlx::query_as!(
        ReadingSettings,
        r#"SELECT reading AS "reading: ReadingMode", ocr_languages, vision_model FROM knowledge_bases WHERE id = $1"#,
        id.0
    )
    .fetch_optional(conn)
    .await
}

/// The parameters of a base's index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexState {
    pub embedding_model: String,
    pub index_generation: i64,
    /// Version of the text analysis that made its terms.
    pub analysis: i16,
}

pub async fn index_state(conn: &mut PgConnection, id: KnowledgeBaseId) -> sqlx::Result<Option<IndexState>> {
    sqlx::query_as!(
        IndexState,
        "SELECT embedding_model, index_generation, analysis FROM knowledge_bases WHERE id = $1",
        id.0
    )
    .fetch_optional(conn)
    .await
}

/// Sets the model of a base that has none yet.
pub async fn claim_model(conn: &mut PgConnection, id: KnowledgeBaseId, model: &str) -> sqlx::Result<()> {
    sqlx::query!("UPDATE knowledge_bases SET embedding_model = $2 WHERE id = $1 AND embedding_model = ''", id.0, model)
        .execute(conn)
        .await?;
    Ok(())
}

/// Sets the model of a base, replacing any other.
pub async fn set_model(conn: &mut PgConnection, id: KnowledgeBaseId, model: &str) -> sqlx::Result<()> {
    sqlx::query!("UPDATE knowledge_bases SET embedding_model = $2 WHERE id = $1", id.0, model).execute(conn).await?;
    Ok(())
}

/// Starts a new generation with another model. False if the base has this model already.
pub async fn next_generation(
    conn: &mut PgConnection,
    id: KnowledgeBaseId,
    model: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "UPDATE knowledge_bases SET embedding_model = $2, index_generation = index_generation + 1, weights = NULL, updated_at = $3 \
         WHERE id = $1 AND embedding_model NOT IN ('', $2)",
        id.0,
        model,
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Starts a new generation with the same model, because the table of the current one is lost.
pub async fn next_table(conn: &mut PgConnection, id: KnowledgeBaseId) -> sqlx::Result<()> {
    sqlx::query!("UPDATE knowledge_bases SET index_generation = index_generation + 1 WHERE id = $1", id.0)
        .execute(conn)
        .await?;
    Ok(())
}

pub async fn touch_indexed(conn: &mut PgConnection, id: KnowledgeBaseId, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("UPDATE knowledge_bases SET indexed_at = $2 WHERE id = $1", id.0, now).execute(conn).await?;
    Ok(())
}

/// `began`: rows written since then still have to be optimised.
pub async fn touch_optimized(conn: &mut PgConnection, id: KnowledgeBaseId, began: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("UPDATE knowledge_bases SET optimized_at = $2 WHERE id = $1", id.0, began).execute(conn).await?;
    Ok(())
}

pub async fn set_weights(conn: &mut PgConnection, id: KnowledgeBaseId, weights: &Weights) -> sqlx::Result<()> {
    sqlx::query!("UPDATE knowledge_bases SET weights = $2 WHERE id = $1", id.0, Json(weights) as _)
        .execute(conn)
        .await?;
    Ok(())
}

pub async fn set_analysis(conn: &mut PgConnection, id: KnowledgeBaseId, analysis: i16) -> sqlx::Result<()> {
    sqlx::query!("UPDATE knowledge_bases SET analysis = $2 WHERE id = $1", id.0, analysis).execute(conn).await?;
    Ok(())
}
