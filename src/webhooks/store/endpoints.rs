//! `webhook_endpoints`. Functions take a transaction that sees the owner's rows; `org` selects the owner (`None`: the installation), because
//! role `system` sees all rows.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::model::{DisabledReason, Endpoint, EndpointId, EndpointState};
use platform::{http::Slice, ids::OrgId};

/// An endpoint as stored.
pub struct Row {
    pub id: Uuid,
    pub org_id: Option<Uuid>,
    pub url: String,
    pub description: String,
    pub topics: Vec<String>,
    pub secret: Vec<u8>,
    pub previous_secret: Option<Vec<u8>>,
    pub previous_until: Option<DateTime<Utc>>,
    pub disabled_at: Option<DateTime<Utc>>,
    pub disabled_reason: Option<String>,
    pub failing_since: Option<DateTime<Utc>>,
    pub retry_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl From<Row> for Endpoint {
    fn from(row: Row) -> Self {
        let state = match (row.disabled_at, row.failing_since) {
            (Some(_), _) => EndpointState::Disabled,
            (None, Some(_)) => EndpointState::Failing,
            (None, None) => EndpointState::Enabled,
        };
        Self {
            id: EndpointId(row.id),
            installation: row.org_id.is_none(),
            url: row.url,
            description: row.description,
            topics: row.topics,
            state,
            disabled_reason: row.disabled_reason.as_deref().and_then(|reason| reason.parse().ok()),
            disabled_at: row.disabled_at,
            failing_since: row.failing_since,
            retry_at: row.retry_at,
            previous_secret_until: row.previous_until,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// An endpoint to insert.
pub struct NewEndpoint<'a> {
    pub id: EndpointId,
    pub org: Option<OrgId>,
    pub url: &'a str,
    pub description: &'a str,
    pub topics: &'a [String],
    /// Encrypted.
    pub secret: &'a [u8],
    pub created_by: &'a str,
    pub now: DateTime<Utc>,
}

pub async fn insert(conn: &mut PgConnection, new: &NewEndpoint<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO webhook_endpoints (id, org_id, url, description, topics, secret, created_by, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
        new.id.0,
        new.org.map(|org| org.0),
        new.url,
        new.description,
        new.topics,
        new.secret,
        new.created_by,
        new.now,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub async fn count(conn: &mut PgConnection, org: Option<OrgId>) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM webhook_endpoints WHERE org_id IS NOT DISTINCT FROM $1"#,
        org.map(|org| org.0)
    )
    .fetch_one(conn)
    .await
}

/// Newest first, below `before`; `search` is a part of the address or the description.
pub async fn list(
    conn: &mut PgConnection,
    org: Option<OrgId>,
    search: Option<&str>,
    slice: &Slice,
) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as!(
        Row,
        "SELECT id, org_id, url, description, topics, secret, previous_secret, previous_until, disabled_at, disabled_reason, failing_since,
           retry_at, created_at, updated_at
         FROM webhook_endpoints
         WHERE org_id IS NOT DISTINCT FROM $1 AND id < $2
           AND ($3::text IS NULL OR strpos(lower(url || ' ' || description), lower($3)) > 0)
         ORDER BY id DESC LIMIT $4",
        org.map(|org| org.0),
        slice.beyond(),
        search,
        slice.rows(),
    )
    .fetch_all(conn)
    .await
}

/// Locked until the transaction ends.
pub async fn get(conn: &mut PgConnection, org: Option<OrgId>, id: EndpointId) -> sqlx::Result<Option<Row>> {
    sqlx::query_as!(
        Row,
        "SELECT id, org_id, url, description, topics, secret, previous_secret, previous_until, disabled_at, disabled_reason, failing_since,
           retry_at, created_at, updated_at
         FROM webhook_endpoints WHERE id = $1 AND org_id IS NOT DISTINCT FROM $2 FOR NO KEY UPDATE",
        id.0,
        org.map(|org| org.0),
    )
    .fetch_optional(conn)
    .await
}

/// Enabled endpoints of all organisations.
pub async fn enabled(conn: &mut PgConnection) -> sqlx::Result<Vec<(EndpointId, Option<OrgId>, Vec<String>)>> {
    let rows = sqlx::query!("SELECT id, org_id, topics FROM webhook_endpoints WHERE disabled_at IS NULL ORDER BY id")
        .fetch_all(conn)
        .await?;
    Ok(rows.into_iter().map(|row| (EndpointId(row.id), row.org_id.map(OrgId), row.topics)).collect())
}

pub async fn update(
    conn: &mut PgConnection,
    id: EndpointId,
    (url, description, topics): (&str, &str, &[String]),
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE webhook_endpoints SET url = $2, description = $3, topics = $4, updated_at = $5 WHERE id = $1",
        id.0,
        url,
        description,
        topics,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Tells it of events again, and forgets its failures.
pub async fn enable(conn: &mut PgConnection, id: EndpointId, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE webhook_endpoints SET disabled_at = NULL, disabled_reason = NULL, failing_since = NULL, failures = 0, retry_at = NULL,
           updated_at = $2 WHERE id = $1",
        id.0,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// False where it was disabled already.
pub async fn disable(
    conn: &mut PgConnection,
    id: EndpointId,
    reason: DisabledReason,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "UPDATE webhook_endpoints SET disabled_at = $3, disabled_reason = $2, retry_at = NULL, updated_at = $3
         WHERE id = $1 AND disabled_at IS NULL",
        id.0,
        reason.as_str(),
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Puts a secret in the place of the present one, which signs too until `previous_until`.
pub async fn rotate(
    conn: &mut PgConnection,
    id: EndpointId,
    secret: &[u8],
    previous_until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE webhook_endpoints SET previous_secret = secret, secret = $2, previous_until = $3, updated_at = $4 WHERE id = $1",
        id.0,
        secret,
        previous_until,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub async fn delete(conn: &mut PgConnection, id: EndpointId) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM webhook_endpoints WHERE id = $1", id.0).execute(conn).await.map(drop)
}

/// After a success: nothing fails any more.
pub async fn succeeded(conn: &mut PgConnection, id: EndpointId) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE webhook_endpoints SET failing_since = NULL, failures = 0, retry_at = NULL WHERE id = $1 AND failures > 0",
        id.0
    )
    .execute(conn)
    .await
    .map(drop)
}

/// How many attempts have failed one after another, this one included, and since when. After a day without any attempt (nothing was queued,
/// or the appliance was down) a new series begins: nobody knows whether the receiver worked in between.
pub async fn failed(conn: &mut PgConnection, id: EndpointId, now: DateTime<Utc>) -> sqlx::Result<(i32, DateTime<Utc>)> {
    if platform::mutant(9) {
        return sqlx::query_as(
            "UPDATE webhook_endpoints SET failures = failures + 1, failing_since = coalesce(failing_since, $2)
             WHERE id = $1 RETURNING failures, failing_since",
        )
        .bind(id.0)
        .bind(now)
        .fetch_one(conn)
        .await;
    }
    let row = sqlx::query!(
        r#"UPDATE webhook_endpoints SET
             failures = CASE WHEN retry_at < $2::timestamptz - interval '1 day' THEN 1 ELSE failures + 1 END,
             failing_since = CASE WHEN retry_at < $2::timestamptz - interval '1 day' THEN $2 ELSE coalesce(failing_since, $2) END
           WHERE id = $1
           RETURNING failures, failing_since AS "failing_since!""#,
        id.0,
        now,
    )
    .fetch_one(conn)
    .await?;
    Ok((row.failures, row.failing_since))
}

/// Time of the next attempt.
pub async fn set_retry(conn: &mut PgConnection, id: EndpointId, at: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("UPDATE webhook_endpoints SET retry_at = $2 WHERE id = $1", id.0, at).execute(conn).await.map(drop)
}

/// Lets the next attempt be made now.
pub async fn retry_now(conn: &mut PgConnection, id: EndpointId, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("UPDATE webhook_endpoints SET retry_at = $2 WHERE id = $1 AND retry_at > $2", id.0, now)
        .execute(conn)
        .await
        .map(drop)
}

/// `(enabled, failing, disabled because they failed)`, over all organisations.
pub async fn counts(conn: &mut PgConnection) -> sqlx::Result<(i64, i64, i64)> {
    let row = sqlx::query!(
        r#"SELECT count(*) FILTER (WHERE disabled_at IS NULL AND failing_since IS NULL) AS "enabled!",
             count(*) FILTER (WHERE disabled_at IS NULL AND failing_since IS NOT NULL) AS "failing!",
             count(*) FILTER (WHERE disabled_reason IN ('failing', 'gone')) AS "disabled!"
           FROM webhook_endpoints"#
    )
    .fetch_one(conn)
    .await?;
    Ok((row.enabled, row.failing, row.disabled))
}
