//! API keys. Inside the organisation, except looking up a key and recording its use.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::model::{ApiKey, ApiKeyId, KeyRow};
use platform::{
    db::contains,
    http::Slice,
    ids::{OrgId, UserId},
};

/// A key to insert.
pub struct NewKey<'a> {
    pub id: ApiKeyId,
    pub org_id: OrgId,
    pub name: &'a str,
    pub prefix: &'a str,
    pub secret_hash: &'a [u8],
    pub scopes: &'a [String],
    pub expires_at: Option<DateTime<Utc>>,
    pub created_by: Option<UserId>,
    /// The key that creates this one: its creator counts as this one's.
    pub made_by_key: Option<ApiKeyId>,
    pub created_at: DateTime<Utc>,
}

pub async fn insert(conn: &mut PgConnection, key: &NewKey<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO api_keys (id, org_id, name, prefix, secret_hash, scopes, expires_at, created_by, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, coalesce($8, (SELECT created_by FROM api_keys WHERE id = $10)), $9)",
        key.id.0,
        key.org_id.0,
        key.name,
        key.prefix,
        key.secret_hash,
        key.scopes,
        key.expires_at,
        key.created_by.map(|u| u.0),
        key.created_at,
        key.made_by_key.map(|key| key.0)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Id and name of these keys, revoked ones too, and who made each.
pub async fn names(conn: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<Vec<(Uuid, String, Option<Uuid>)>> {
    let rows =
        sqlx::query!("SELECT id, name, created_by FROM api_keys WHERE id = ANY($1)", ids).fetch_all(conn).await?;
    Ok(rows.into_iter().map(|row| (row.id, row.name, row.created_by)).collect())
}

/// The keys that `$from` yields, with their creators.
macro_rules! select {
    ($from:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            Row,
            "SELECT k.id, k.name, k.prefix, k.scopes, k.expires_at, k.last_used_at, k.revoked_at, u.email AS \"created_by?\", k.created_at \
             FROM " + $from + " k LEFT JOIN LATERAL (SELECT p.email FROM users p WHERE p.id = k.created_by LIMIT 1) u ON true ORDER BY k.id DESC",
            $($argument),+
        )
    };
}

struct Row {
    id: Uuid,
    name: String,
    prefix: String,
    scopes: Vec<String>,
    expires_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    created_by: Option<String>,
    created_at: DateTime<Utc>,
}

/// The organisation's keys, newest first; `search` is a part of name or prefix.
pub async fn list(conn: &mut PgConnection, search: Option<&str>, slice: &Slice) -> sqlx::Result<Vec<ApiKey>> {
    let (beyond, rows) = (slice.beyond(), slice.rows());
    let rows = match search.map(contains) {
        None => {
            select!("(SELECT * FROM api_keys WHERE id < $1 ORDER BY id DESC LIMIT $2)", beyond, rows)
                .fetch_all(conn)
                .await?
        }
        Some(pattern) => {
            select!(
                "(SELECT * FROM api_keys WHERE id = ANY (ARRAY(SELECT auth_keys_found($1, $2, $3))))",
                pattern,
                beyond,
                rows
            )
            .fetch_all(conn)
            .await?
        }
    };
    let keys = rows.into_iter().map(|r| ApiKey {
        id: r.id.into(),
        name: r.name,
        prefix: format!("hf_{}", r.prefix),
        scopes: r.scopes,
        expires_at: r.expires_at,
        last_used_at: r.last_used_at,
        revoked_at: r.revoked_at,
        created_by: r.created_by,
        created_at: r.created_at,
    });
    Ok(keys.collect())
}

/// Keys of the organisation that are neither revoked nor expired.
pub async fn count_live(conn: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        "SELECT count(*) AS \"count!\" FROM api_keys WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $1)",
        now
    )
    .fetch_one(conn)
    .await
}

/// Revokes a key of this organisation and returns its name; `None` when there is none. Revoking again changes nothing.
pub async fn revoke(conn: &mut PgConnection, id: ApiKeyId, at: DateTime<Utc>) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        "UPDATE api_keys SET revoked_at = coalesce(revoked_at, $2) WHERE id = $1 RETURNING name",
        id.0,
        at
    )
    .fetch_optional(conn)
    .await
}

/// Revokes all keys of the organisation that this person created; returns how many.
pub async fn revoke_made_by(conn: &mut PgConnection, user: UserId, at: DateTime<Utc>) -> sqlx::Result<u64> {
    let done =
        sqlx::query!("UPDATE api_keys SET revoked_at = $2 WHERE created_by = $1 AND revoked_at IS NULL", user.0, at)
            .execute(conn)
            .await?;
    Ok(done.rows_affected())
}

/// The key with this prefix unless revoked. As role `system`: the key names its organisation.
pub async fn by_prefix(conn: &mut PgConnection, prefix: &str) -> sqlx::Result<Option<KeyRow>> {
    let row = sqlx::query!(
        "SELECT id, org_id, name, secret_hash, scopes, expires_at, last_used_at FROM api_keys WHERE prefix = $1 AND revoked_at IS NULL",
        prefix
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|r| KeyRow {
        id: r.id.into(),
        org_id: r.org_id.into(),
        name: r.name,
        secret_hash: r.secret_hash,
        scopes: r.scopes,
        expires_at: r.expires_at,
        last_used_at: r.last_used_at,
    }))
}

/// Records their last use. As role `system`, for all organisations at once.
pub async fn touch(conn: &mut PgConnection, ids: &[uuid::Uuid], at: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE api_keys SET last_used_at = $2 WHERE id IN \
           (SELECT id FROM api_keys WHERE id = ANY($1) AND (last_used_at IS NULL OR last_used_at < $2) FOR UPDATE SKIP LOCKED)",
        ids,
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}
