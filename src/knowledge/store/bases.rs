//! `knowledge_bases`

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use super::Name;
use crate::model::{BaseChanges, Counts, KnowledgeBase, KnowledgeBaseId, ReadingMode};
use platform::{db::contains, http::Slice, ids::OrgId};
use vectors::{ANALYSIS, Weights};

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

/// The new base, in one statement: it has no documents.
pub async fn insert(conn: &mut PgConnection, new: &NewBase<'_>) -> sqlx::Result<KnowledgeBase> {
    sqlx::query_as!(
        KnowledgeBase,
        r#"INSERT INTO knowledge_bases
             (id, org_id, name, description, created_by, created_at, updated_at, reading, ocr_languages, vision_model, analysis)
           VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8, $9, $10)
           RETURNING id AS "id: KnowledgeBaseId", name, description, embedding_model, index_generation,
             0::bigint AS "documents!", 0::bigint AS "documents_ready!", 0::bigint AS "documents_failed!",
             0::bigint AS "documents_doubted!", 0::bigint AS "documents_words_only!",
             reading AS "reading: ReadingMode", ocr_languages, vision_model, 0::bigint AS "chunks!", 0::bigint AS "size!",
             weights AS "weights: Json<Weights>", created_at, updated_at"#,
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
    .fetch_one(conn)
    .await
}

/// The bases that `$from` yields, with the counts of their documents (kept by a trigger: nothing is counted here).
macro_rules! select {
    ($from:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            KnowledgeBase,
            r#"SELECT b.id AS "id: KnowledgeBaseId", b.name, b.description, b.embedding_model, b.index_generation,
                      coalesce(c.documents, 0) AS "documents!", coalesce(c.ready, 0) AS "documents_ready!",
                      coalesce(c.failed, 0) AS "documents_failed!", coalesce(c.doubted, 0) AS "documents_doubted!",
                      coalesce(c.words_only, 0) AS "documents_words_only!",
                      b.reading AS "reading: ReadingMode", b.ocr_languages, b.vision_model,
                      coalesce(c.chunks, 0) AS "chunks!", coalesce(c.size, 0) AS "size!",
                      b.weights AS "weights: Json<Weights>", b.created_at, b.updated_at
               FROM "# + $from + r#" b
               LEFT JOIN LATERAL (SELECT * FROM knowledge_base_counts k WHERE k.knowledge_base_id = b.id LIMIT 1) c ON true
               ORDER BY b.id DESC"#,
            $($argument),+
        )
    };
}

/// Newest first; `search` is a part of the name or description.
pub async fn list(conn: &mut PgConnection, search: Option<&str>, slice: &Slice) -> sqlx::Result<Vec<KnowledgeBase>> {
    match search.map(contains) {
        None => {
            select!(
                "(SELECT * FROM knowledge_bases WHERE id < $1 ORDER BY id DESC LIMIT $2)",
                slice.beyond(),
                slice.rows()
            )
            .fetch_all(conn)
            .await
        }
        Some(pattern) => {
            select!(
                "(SELECT * FROM knowledge_bases WHERE id = ANY (ARRAY(SELECT knowledge_bases_found($1, $2, $3))))",
                pattern,
                slice.beyond(),
                slice.rows()
            )
            .fetch_all(conn)
            .await
        }
    }
}

/// Knowledge bases, and documents by what became of them.
pub async fn counts(conn: &mut PgConnection) -> sqlx::Result<Counts> {
    sqlx::query_as!(
        Counts,
        r#"SELECT (SELECT count(*) FROM knowledge_bases) AS "bases!", coalesce(sum(ready), 0)::bigint AS "ready!",
             coalesce(sum(failed), 0)::bigint AS "failed!", coalesce(sum(documents - ready - failed), 0)::bigint AS "waiting!"
           FROM knowledge_base_counts"#
    )
    .fetch_one(conn)
    .await
}

pub async fn get(conn: &mut PgConnection, id: KnowledgeBaseId) -> sqlx::Result<Option<KnowledgeBase>> {
    select!("(SELECT * FROM knowledge_bases WHERE id = $1)", id.0).fetch_optional(conn).await
}

pub async fn names(conn: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<Vec<Name>> {
    sqlx::query_as!(
        Name,
        "SELECT id, NULL::uuid AS \"base?\", name, created_by FROM knowledge_bases WHERE id = ANY($1)",
        ids
    )
    .fetch_all(conn)
    .await
}

pub async fn newest(conn: &mut PgConnection) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar!("SELECT id FROM knowledge_bases ORDER BY id DESC LIMIT 1").fetch_optional(conn).await
}

/// The fields of a base that a search needs.
pub struct Searchable {
    pub id: KnowledgeBaseId,
    pub embedding_model: String,
    pub index_generation: i64,
    /// Number of chunks.
    pub chunks: i64,
    pub weights: Option<Json<Weights>>,
}

pub async fn searchable(conn: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<Vec<Searchable>> {
    sqlx::query_as!(
        Searchable,
        r#"SELECT b.id AS "id: KnowledgeBaseId", b.embedding_model, b.index_generation, b.weights AS "weights: Json<Weights>",
                  coalesce(c.chunks, 0) AS "chunks!"
           FROM knowledge_bases b LEFT JOIN knowledge_base_counts c ON c.knowledge_base_id = b.id
           WHERE b.id = ANY($1) ORDER BY b.id DESC"#,
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
