//! `mail_bounce_sources`, and `mail_bounce_tokens` of their signatures. `org` selects the owner (`None`: the installation), because role
//! `system` sees all rows.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::model::{Provider, Source, SourceId};
use platform::{http::Slice, ids::OrgId};

/// A source to insert.
pub struct NewSource<'a> {
    pub id: SourceId,
    pub org: Option<OrgId>,
    pub provider: Provider,
    pub token_hash: &'a [u8],
    /// Encrypted.
    pub secret: Option<&'a [u8]>,
    pub created_by: &'a str,
    pub now: DateTime<Utc>,
}

pub async fn insert(conn: &mut PgConnection, new: &NewSource<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO mail_bounce_sources (id, org_id, provider, token_hash, secret, created_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        new.id.0,
        new.org.map(|org| org.0),
        new.provider.as_str(),
        new.token_hash,
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
        r#"SELECT count(*) AS "count!" FROM mail_bounce_sources WHERE org_id IS NOT DISTINCT FROM $1"#,
        org.map(|org| org.0)
    )
    .fetch_one(conn)
    .await
}

struct Row {
    id: Uuid,
    org_id: Option<Uuid>,
    provider: String,
    has_secret: bool,
    created_by: String,
    created_at: DateTime<Utc>,
    last_at: Option<DateTime<Utc>>,
    refused_since: Option<DateTime<Utc>>,
    refusal: Option<String>,
}

impl From<Row> for Source {
    fn from(row: Row) -> Self {
        Self {
            id: SourceId(row.id),
            installation: row.org_id.is_none(),
            // The table's check constraint permits only known values.
            provider: row.provider.parse().unwrap_or(Provider::Sendgrid),
            has_secret: row.has_secret,
            created_by: row.created_by,
            created_at: row.created_at,
            last_at: row.last_at,
            refused_since: row.refused_since,
            refusal: row.refusal,
        }
    }
}

/// Newest first.
pub async fn list(conn: &mut PgConnection, org: Option<OrgId>, slice: &Slice) -> sqlx::Result<Vec<Source>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id, org_id, provider, secret IS NOT NULL AS "has_secret!", created_by, created_at, last_at,
             refused_since, refusal
           FROM mail_bounce_sources WHERE org_id IS NOT DISTINCT FROM $1 AND id < $2 ORDER BY id DESC LIMIT $3"#,
        org.map(|org| org.0),
        slice.beyond(),
        slice.rows(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Source::from).collect())
}

pub async fn get(conn: &mut PgConnection, org: Option<OrgId>, id: SourceId) -> sqlx::Result<Option<Source>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id, org_id, provider, secret IS NOT NULL AS "has_secret!", created_by, created_at, last_at,
             refused_since, refusal
           FROM mail_bounce_sources WHERE id = $1 AND org_id IS NOT DISTINCT FROM $2"#,
        id.0,
        org.map(|org| org.0),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Source::from))
}

/// False where there is none.
pub async fn delete(conn: &mut PgConnection, org: Option<OrgId>, id: SourceId) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "DELETE FROM mail_bounce_sources WHERE id = $1 AND org_id IS NOT DISTINCT FROM $2",
        id.0,
        org.map(|org| org.0),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// A source as its token finds it.
pub struct Found {
    pub id: SourceId,
    pub org: Option<OrgId>,
    /// Encrypted.
    pub secret: Option<Vec<u8>>,
}

/// In a system transaction: whose the token is, is not known before.
pub async fn by_token(conn: &mut PgConnection, provider: Provider, token_hash: &[u8]) -> sqlx::Result<Option<Found>> {
    let found = sqlx::query!(
        "SELECT id, org_id, secret FROM mail_bounce_sources WHERE token_hash = $1 AND provider = $2",
        token_hash,
        provider.as_str(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.map(|row| Found { id: SourceId(row.id), org: row.org_id.map(OrgId), secret: row.secret }))
}

/// Notes that a report was taken; at most once a minute, so that many do not wait for each other.
pub async fn reported(conn: &mut PgConnection, id: SourceId, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE mail_bounce_sources SET last_at = $2, refusals = 0, refused_since = NULL, refused_at = NULL, refusal = NULL
         WHERE id = $1 AND (last_at IS NULL OR last_at < $2::timestamptz - interval '1 minute' OR refusals > 0)",
        id.0,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Reports that come to nothing before it is a fault of the source: anybody who has learnt its address can send a few.
const MANY_REFUSALS: i32 = 4;

/// Notes that a report came to nothing; when there were many, at most once a minute.
pub async fn refused(conn: &mut PgConnection, id: SourceId, why: &str, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE mail_bounce_sources
         SET refusals = refusals + 1, refused_since = coalesce(refused_since, $3), refused_at = $3, refusal = $2
         WHERE id = $1 AND (refusals < $4 OR refused_at < $3::timestamptz - interval '1 minute')",
        id.0,
        why,
        now,
        MANY_REFUSALS,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// How many sources of each provider take nothing, of all owners: many reports came to nothing since the last that was taken, and one after `since`.
pub async fn failing(conn: &mut PgConnection, since: DateTime<Utc>) -> sqlx::Result<Vec<(Provider, i64)>> {
    let rows = sqlx::query!(
        r#"SELECT provider, count(*) AS "sources!" FROM mail_bounce_sources WHERE refusals >= $1 AND refused_at >= $2 GROUP BY provider"#,
        MANY_REFUSALS,
        since,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().filter_map(|row| Some((row.provider.parse().ok()?, row.sources))).collect())
}

/// Notes that a signature's token was used for this body; false where it was used for another. Both are hashes.
pub async fn use_token(
    conn: &mut PgConnection,
    source: SourceId,
    token: &[u8],
    body: &[u8],
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"INSERT INTO mail_bounce_tokens AS t (source_id, token, body, used_at) VALUES ($1, $2, $3, $4)
           ON CONFLICT (source_id, token) DO UPDATE SET used_at = t.used_at
           RETURNING t.body = $3 AS "same!""#,
        source.0,
        token,
        body,
        now,
    )
    .fetch_one(conn)
    .await
}
