//! The only SQL of the gateway: usage rows and cached vectors.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::usage::UsageRow;
use platform::{
    db::{Db, DbError},
    ids::OrgId,
    text_enum,
};

/// Inserts one organisation's rows, and adds them to the figures of their days, in one statement. In the order of the key: two processes wait for
/// each other instead of dying.
pub(super) async fn insert_usage(db: &Db, org: OrgId, rows: &[UsageRow]) -> Result<(), DbError> {
    let rows = serde_json::to_value(rows).map_err(|e| sqlx::Error::Encode(e.into()))?;
    let mut tx = db.tenant(org).await?;
    sqlx::query!(
        "WITH added AS ( \
           INSERT INTO llm_usage (id, org_id, actor, agent_id, operation, provider, model, alias, prompt_tokens, completion_tokens, \
             estimated, duration_ms, first_token_ms, outcome, streamed, cost, created_at) \
           SELECT id, $1, actor, agent_id, operation, provider, model, alias, prompt_tokens, completion_tokens, \
             estimated, duration_ms, first_token_ms, outcome, streamed, cost, created_at \
           FROM jsonb_to_recordset($2) AS row(id uuid, actor text, agent_id uuid, operation text, provider text, model text, alias text, \
             prompt_tokens bigint, completion_tokens bigint, estimated boolean, duration_ms bigint, first_token_ms bigint, outcome text, \
             streamed boolean, cost double precision, created_at timestamptz) \
           ON CONFLICT (id) DO NOTHING RETURNING *) \
         INSERT INTO llm_usage_days AS d (org_id, day, operation, provider, model, agent_id, actor, requests, failed, prompt_tokens, \
           completion_tokens, cost, priced, duration_ms, first_token_ms, first_tokens) \
         SELECT org_id, (created_at AT TIME ZONE 'UTC')::date, operation, provider, model, \
           coalesce(agent_id, '00000000-0000-0000-0000-000000000000'), actor, count(*), \
           count(*) FILTER (WHERE outcome NOT IN ('ok', 'cancelled')), sum(prompt_tokens), sum(completion_tokens), coalesce(sum(cost), 0), \
           count(cost), sum(duration_ms), coalesce(sum(first_token_ms), 0), count(first_token_ms) \
         FROM added GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1, 2, 3, 4, 5, 6, 7 \
         ON CONFLICT ON CONSTRAINT llm_usage_days_pkey DO UPDATE SET requests = d.requests + excluded.requests, \
           failed = d.failed + excluded.failed, prompt_tokens = d.prompt_tokens + excluded.prompt_tokens, \
           completion_tokens = d.completion_tokens + excluded.completion_tokens, cost = d.cost + excluded.cost, \
           priced = d.priced + excluded.priced, duration_ms = d.duration_ms + excluded.duration_ms, \
           first_token_ms = d.first_token_ms + excluded.first_token_ms, first_tokens = d.first_tokens + excluded.first_tokens",
        org.0,
        rows
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}

/// An organisation's use of models on one day (UTC).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct UsageByDay {
    pub day: NaiveDate,
    pub requests: i64,
    /// Failed requests, without those cancelled by the caller.
    pub failed: i64,
    pub prompt_tokens: i64,
    pub completion_tokens: i64,
}

/// Days since `from` with any use, oldest first.
pub async fn usage_by_day(conn: &mut PgConnection, from: DateTime<Utc>) -> Result<Vec<UsageByDay>, sqlx::Error> {
    sqlx::query_as!(
        UsageByDay,
        "SELECT (created_at AT TIME ZONE 'UTC')::date AS \"day!\", count(*) AS \"requests!\", \
           count(*) FILTER (WHERE outcome NOT IN ('ok', 'cancelled')) AS \"failed!\", \
           coalesce(sum(prompt_tokens), 0)::bigint AS \"prompt_tokens!\", \
           coalesce(sum(completion_tokens), 0)::bigint AS \"completion_tokens!\" \
         FROM llm_usage WHERE created_at >= $1 GROUP BY 1 ORDER BY 1",
        from
    )
    .fetch_all(conn)
    .await
}

/// Tokens used by one actor's calls since `from`.
pub async fn tokens_of(conn: &mut PgConnection, actor: &str, from: DateTime<Utc>) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT coalesce(sum(prompt_tokens + completion_tokens), 0)::bigint AS \"tokens!\" FROM llm_usage \
         WHERE actor = $1 AND created_at >= $2",
        actor,
        from
    )
    .fetch_one(conn)
    .await
}

/// An organisation's use of one model.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct UsageByModel {
    pub provider: String,
    pub model: String,
    pub operation: String,
    pub requests: i64,
    /// Failed requests, without those cancelled by the caller.
    pub failed: i64,
    pub prompt_tokens: i64,
    pub completion_tokens: i64,
    /// Requests whose tokens were estimated, because the provider reported none.
    pub estimated: i64,
    /// Median time of a request, milliseconds.
    pub duration_ms: f64,
    /// Median time to the first token of streamed answers, milliseconds.
    pub first_token_ms: Option<f64>,
}

/// Models used since `from`, most tokens first.
pub async fn usage_by_model(conn: &mut PgConnection, from: DateTime<Utc>) -> Result<Vec<UsageByModel>, sqlx::Error> {
    sqlx::query_as!(
        UsageByModel,
        "SELECT provider, model, operation, count(*) AS \"requests!\", \
           count(*) FILTER (WHERE outcome NOT IN ('ok', 'cancelled')) AS \"failed!\", \
           coalesce(sum(prompt_tokens), 0)::bigint AS \"prompt_tokens!\", \
           coalesce(sum(completion_tokens), 0)::bigint AS \"completion_tokens!\", \
           count(*) FILTER (WHERE estimated) AS \"estimated!\", \
           percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ms) AS \"duration_ms!\", \
           percentile_cont(0.5) WITHIN GROUP (ORDER BY first_token_ms) AS first_token_ms \
         FROM llm_usage WHERE created_at >= $1 GROUP BY provider, model, operation \
         ORDER BY sum(prompt_tokens + completion_tokens) DESC, provider, model LIMIT 200",
        from
    )
    .fetch_all(conn)
    .await
}

/// Days whose figures are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsageRange {
    /// The first day (UTC).
    pub from: NaiveDate,
    /// The day after the last.
    pub until: NaiveDate,
}

text_enum! {
    /// What usage is grouped by.
    pub enum UsageBy {
        Agent = "agent",
        /// API keys.
        Key = "key",
        Person = "person",
        /// A provider's model.
        Model = "model",
        Provider = "provider",
    }
}

/// The use of models on one day by one agent, key, person, model or provider.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UsageFigure {
    pub day: NaiveDate,
    /// An agent's id (zero: none), a subject, `provider/model`, or a provider.
    pub key: String,
    pub requests: i64,
    /// Failed requests, without those cancelled by the caller.
    pub failed: i64,
    pub prompt_tokens: i64,
    pub completion_tokens: i64,
    /// Of the requests whose cost is known, which are `priced`.
    pub cost: f64,
    pub priced: i64,
    /// Sum over all requests, milliseconds.
    pub duration_ms: i64,
    /// Sum over the requests with a first token, which are `first_tokens`.
    pub first_token_ms: i64,
    pub first_tokens: i64,
}

/// An organisation's use of models in `range`, oldest day first. `operation`: `chat` or `embedding`; `None` for both.
pub async fn usage_between(
    conn: &mut PgConnection,
    range: &UsageRange,
    by: UsageBy,
    operation: Option<&str>,
) -> Result<Vec<UsageFigure>, sqlx::Error> {
    sqlx::query_as!(
        UsageFigure,
        "SELECT day, CASE $3 WHEN 'agent' THEN agent_id::text WHEN 'model' THEN provider || '/' || model WHEN 'provider' THEN provider \
             ELSE actor END AS \"key!\", \
           sum(requests)::bigint AS \"requests!\", sum(failed)::bigint AS \"failed!\", sum(prompt_tokens)::bigint AS \"prompt_tokens!\", \
           sum(completion_tokens)::bigint AS \"completion_tokens!\", sum(cost) AS \"cost!\", sum(priced)::bigint AS \"priced!\", \
           sum(duration_ms)::bigint AS \"duration_ms!\", sum(first_token_ms)::bigint AS \"first_token_ms!\", \
           sum(first_tokens)::bigint AS \"first_tokens!\" \
         FROM llm_usage_days \
         WHERE day >= $1 AND day < $2 AND ($4::text IS NULL OR operation = $4) \
           AND CASE $3 WHEN 'key' THEN actor LIKE 'key:%' WHEN 'person' THEN actor LIKE 'user:%' ELSE true END \
         GROUP BY 1, 2 ORDER BY 1, 2",
        range.from,
        range.until,
        by.as_str(),
        operation
    )
    .fetch_all(conn)
    .await
}

/// Grows with each change of providers and aliases in the console. As role `system`.
pub(super) async fn settings_version(conn: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!("SELECT version FROM llm_settings_version").fetch_one(conn).await
}

/// Tokens of a provider's model: `(provider, model, prompt, completion)`.
pub(super) type ModelTokens = (String, String, i64, i64);

/// Tokens by model in `[from, until)`, of whom the role may see.
pub(super) async fn tokens_by_model(
    conn: &mut PgConnection,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Vec<ModelTokens>, sqlx::Error> {
    let rows = sqlx::query!(
        "SELECT provider, model, coalesce(sum(prompt_tokens), 0)::bigint AS \"prompt!\", \
           coalesce(sum(completion_tokens), 0)::bigint AS \"completion!\" \
         FROM llm_usage WHERE created_at >= $1 AND created_at < $2 GROUP BY provider, model",
        from,
        until
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.provider, row.model, row.prompt, row.completion)).collect())
}

/// The cached vectors of these texts: (hash, little-endian floats). Updates their last use, once a day.
pub(super) async fn cached_vectors(
    conn: &mut PgConnection,
    model_id: &str,
    hashes: &[Vec<u8>],
    now: DateTime<Utc>,
) -> Result<Vec<(Vec<u8>, Vec<u8>)>, sqlx::Error> {
    // SKIP LOCKED: two documents with the same text must not wait for each other, and one update is enough.
    sqlx::query!(
        "UPDATE embedding_cache SET last_used_at = $3 WHERE ctid = ANY(ARRAY( \
           SELECT ctid FROM embedding_cache WHERE model_id = $1 AND text_hash = ANY($2) AND last_used_at < $3::timestamptz - interval '1 day' \
           FOR UPDATE SKIP LOCKED))",
        model_id,
        hashes,
        now
    )
    .execute(&mut *conn)
    .await?;
    let rows = sqlx::query!(
        "SELECT text_hash, vector FROM embedding_cache WHERE model_id = $1 AND text_hash = ANY($2)",
        model_id,
        hashes
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.text_hash, row.vector)).collect())
}

/// Stores vectors; those that another writer has stored meanwhile stay.
pub(super) async fn keep_vectors(
    conn: &mut PgConnection,
    org: OrgId,
    model_id: &str,
    hashes: &[Vec<u8>],
    vectors: &[Vec<u8>],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO embedding_cache (org_id, model_id, text_hash, vector, created_at, last_used_at) \
         SELECT $1, $2, text_hash, vector, $5, $5 FROM unnest($3::bytea[], $4::bytea[]) AS new(text_hash, vector) \
         ON CONFLICT ON CONSTRAINT embedding_cache_pkey DO NOTHING",
        org.0,
        model_id,
        hashes,
        vectors,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes the vectors of texts; returns how many.
pub(super) async fn forget_vectors(conn: &mut PgConnection, hashes: &[Vec<u8>]) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!("DELETE FROM embedding_cache WHERE text_hash = ANY($1)", hashes).execute(conn).await?;
    Ok(done.rows_affected())
}

/// Deletes up to `limit` usage rows of any organisation from before `before`; returns how many.
pub(super) async fn delete_usage(
    conn: &mut PgConnection,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "DELETE FROM llm_usage WHERE ctid = ANY(ARRAY(SELECT ctid FROM llm_usage WHERE created_at < $1 LIMIT $2))",
        before,
        limit
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Deletes up to `limit` vectors of any organisation last used before `before`; returns how many.
pub(super) async fn delete_vectors(
    conn: &mut PgConnection,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<u64, sqlx::Error> {
    // Repeated in the outer WHERE: a vector used in between stays.
    let done = sqlx::query!(
        "DELETE FROM embedding_cache WHERE last_used_at < $1 \
           AND ctid = ANY(ARRAY(SELECT ctid FROM embedding_cache WHERE last_used_at < $1 LIMIT $2))",
        before,
        limit
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
