//! `/api/v1/access-keys`

use axum::{extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{ADMIN, AccessKey, AccessKeyId, AccessKeyInfo, BucketId, Caller, Files, NewAccessKey, Verb};
use platform::{
    error::ApiError,
    http::{Auth, Json, ListQuery, Page, Path, Query},
};

/// Lists access keys of the S3 API, newest first, revoked ones included.
#[utoipa::path(get, path = "/api/v1/access-keys", tag = "Files", params(ListQuery),
    responses((status = 200, body = Page<AccessKeyInfo>), (status = 403)))]
pub(super) async fn list_access_keys(
    State(files): State<Files>,
    Auth(who): Auth,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<AccessKeyInfo>>, ApiError> {
    who.require(ADMIN)?;
    let slice = query.slice()?;
    let rows = files.list_keys(&Caller::of(&who), &slice).await?;
    Ok(Json(slice.page(rows, |key| key.id.0)))
}

/// A new access key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateAccessKey {
    /// What it is for.
    #[schema(example = "nightly backups", min_length = 1, max_length = 100, pattern = r"\S")]
    name: String,
    /// What it may do. `admin` makes and changes buckets, and ends locks.
    #[schema(min_items = 1)]
    verbs: Vec<Verb>,
    /// Ids of the buckets that it is for; absent: all.
    #[serde(default)]
    buckets: Option<Vec<BucketId>>,
    /// Only keys that begin so.
    #[serde(default)]
    #[schema(max_length = 1024)]
    prefix: String,
    /// When it expires; absent: never.
    #[serde(default)]
    expires_at: Option<DateTime<Utc>>,
}

/// An access key that was made, with its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MadeAccessKey {
    id: AccessKeyId,
    name: String,
    access_key_id: String,
    /// Shown only this once.
    secret_access_key: String,
    verbs: Vec<Verb>,
    buckets: Option<Vec<BucketId>>,
    prefix: String,
    expires_at: Option<DateTime<Utc>>,
}

/// Makes an access key of the S3 API. The answer shows its secret, only this once.
#[utoipa::path(post, path = "/api/v1/access-keys", tag = "Files", request_body = CreateAccessKey,
    responses((status = 201, body = MadeAccessKey), (status = 403), (status = 404), (status = 413), (status = 422)))]
pub(super) async fn create_access_key(
    State(files): State<Files>,
    Auth(who): Auth,
    Json(body): Json<CreateAccessKey>,
) -> Result<(StatusCode, Json<MadeAccessKey>), ApiError> {
    who.require(ADMIN)?;
    let CreateAccessKey { name, verbs, buckets, prefix, expires_at } = body;
    let new = NewAccessKey { name, verbs, buckets, prefix, expires_at };
    let (key, secret) = files.create_key(&Caller::of(&who), new).await?;
    let AccessKey { id, name, access_key_id, verbs, buckets, prefix, expires_at, .. } = key;
    let secret_access_key = secret.expose_secret().to_owned();
    let made = MadeAccessKey { id, name, access_key_id, secret_access_key, verbs, buckets, prefix, expires_at };
    Ok((StatusCode::CREATED, Json(made)))
}

/// Revokes an access key: it stops working within ten seconds.
#[utoipa::path(delete, path = "/api/v1/access-keys/{id}", tag = "Files", params(("id" = AccessKeyId, Path)),
    responses((status = 204), (status = 403), (status = 404)))]
pub(super) async fn revoke_access_key(
    State(files): State<Files>,
    Auth(who): Auth,
    Path(id): Path<AccessKeyId>,
) -> Result<StatusCode, ApiError> {
    who.require(ADMIN)?;
    files.revoke_key(&Caller::of(&who), id).await?;
    Ok(StatusCode::NO_CONTENT)
}
