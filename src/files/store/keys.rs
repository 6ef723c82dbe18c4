//! `files_access_keys`

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{AccessKeyId, AccessKeyInfo, BucketId, FilesError, Verb};
use platform::{http::Slice, ids::OrgId};

/// A key to insert; `sealed`: its secret.
pub(crate) struct NewRow<'a> {
    pub id: AccessKeyId,
    pub org: OrgId,
    pub access_key_id: &'a str,
    pub sealed: &'a [u8],
    pub new: &'a crate::NewAccessKey,
    pub created_by: &'a str,
    pub now: DateTime<Utc>,
}

pub(crate) async fn insert(conn: &mut PgConnection, row: &NewRow<'_>) -> sqlx::Result<()> {
    let verbs: Vec<String> = row.new.verbs.iter().map(|verb| verb.as_str().to_owned()).collect();
    let buckets: Option<Vec<Uuid>> = row.new.buckets.as_ref().map(|list| list.iter().map(|id| id.0).collect());
    sqlx::query!(
        "INSERT INTO files_access_keys (id, org_id, name, access_key_id, secret, verbs, bucket_ids, prefix, expires_at, created_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        row.id.0,
        row.org.0,
        row.new.name,
        row.access_key_id,
        row.sealed,
        &verbs,
        buckets.as_deref(),
        row.new.prefix,
        row.new.expires_at,
        row.created_by,
        row.now,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// How many of the organisation can still be used.
pub(crate) async fn count_live(conn: &mut PgConnection, org: OrgId, now: DateTime<Utc>) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM files_access_keys
           WHERE org_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)"#,
        org.0,
        now,
    )
    .fetch_one(conn)
    .await
}

/// How many of these buckets the organisation has.
pub(crate) async fn count_buckets(conn: &mut PgConnection, org: OrgId, ids: &[Uuid]) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM files_buckets WHERE org_id = $1 AND id = ANY ($2) AND trashed_at IS NULL"#,
        org.0,
        ids,
    )
    .fetch_one(conn)
    .await
}

/// Newest first, revoked ones too.
pub(crate) async fn list(conn: &mut PgConnection, slice: &Slice) -> Result<Vec<AccessKeyInfo>, FilesError> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id: AccessKeyId", name, access_key_id, verbs, bucket_ids, prefix, expires_at, last_used_at, revoked_at, created_by, created_at
           FROM files_access_keys WHERE id < $1 ORDER BY id DESC LIMIT $2"#,
        slice.beyond(),
        slice.rows(),
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(AccessKeyInfo {
                id: row.id,
                name: row.name,
                access_key_id: row.access_key_id,
                verbs: verbs(&row.verbs)?,
                buckets: row.bucket_ids.map(buckets),
                prefix: row.prefix,
                expires_at: row.expires_at,
                last_used_at: row.last_used_at,
                revoked_at: row.revoked_at,
                created_by: row.created_by,
                created_at: row.created_at,
            })
        })
        .collect()
}

/// Revokes a key of the organisation and returns what clients call it; `None`: there is none. Revoking again changes nothing.
pub(crate) async fn revoke(
    conn: &mut PgConnection,
    id: AccessKeyId,
    now: DateTime<Utc>,
) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        "UPDATE files_access_keys SET revoked_at = coalesce(revoked_at, $2) WHERE id = $1 RETURNING access_key_id",
        id.0,
        now,
    )
    .fetch_optional(conn)
    .await
}

/// A key that may sign, with its sealed secret.
pub(crate) struct KeyRow {
    pub id: AccessKeyId,
    pub org: OrgId,
    pub name: String,
    pub sealed: Vec<u8>,
    pub verbs: Vec<Verb>,
    pub buckets: Option<Vec<BucketId>>,
    pub prefix: String,
    pub expires_at: Option<DateTime<Utc>>,
    pub last_used_at: Option<DateTime<Utc>>,
}

/// Unless it is revoked. As role `system`: the key names its organisation.
pub(crate) async fn by_access_key_id(
    conn: &mut PgConnection,
    access_key_id: &str,
) -> Result<Option<KeyRow>, FilesError> {
    let row = sqlx::query!(
        r#"SELECT id AS "id: AccessKeyId", org_id AS "org_id: OrgId", name, secret, verbs, bucket_ids, prefix, expires_at, last_used_at
           FROM files_access_keys WHERE access_key_id = $1 AND revoked_at IS NULL"#,
        access_key_id,
    )
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(KeyRow {
        id: row.id,
        org: row.org_id,
        name: row.name,
        sealed: row.secret,
        verbs: verbs(&row.verbs)?,
        buckets: row.bucket_ids.map(buckets),
        prefix: row.prefix,
        expires_at: row.expires_at,
        last_used_at: row.last_used_at,
    }))
}

/// As role `system`.
pub(crate) async fn note_use(conn: &mut PgConnection, id: AccessKeyId, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("UPDATE files_access_keys SET last_used_at = greatest(last_used_at, $2) WHERE id = $1", id.0, now)
        .execute(conn)
        .await
        .map(drop)
}

fn verbs(texts: &[String]) -> Result<Vec<Verb>, FilesError> {
    texts.iter().map(|text| text.parse().map_err(FilesError::Row)).collect()
}

fn buckets(ids: Vec<Uuid>) -> Vec<BucketId> {
    ids.into_iter().map(BucketId).collect()
}
