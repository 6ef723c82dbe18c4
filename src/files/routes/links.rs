//! `/api/v1/file-links`, and tokens that programs make: `/api/v1/buckets/{bucket}/sign`

use axum::{extract::State, http::StatusCode};
use chrono::{DateTime, TimeDelta, Utc};
use images::Options;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Builder;

use super::shapes::parse_version;
use crate::{
    BucketId, Caller, Claims, FileLink, FileLinkId, Files, FilesError, NewFileLink, READ, Verb, VersionId, VersionRef,
    WRITE,
};
use platform::{
    crypto,
    error::{ApiError, FieldError},
    http::{Auth, Json, ListQuery, Page, Path, Query},
};

/// Longest life of a token, seconds: it cannot be revoked.
const LONGEST: i64 = 7 * 24 * 3600;

/// A link to a file, or to all files of a folder.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FileLinkInfo {
    id: FileLinkId,
    bucket_id: BucketId,
    key: String,
    folder: bool,
    /// null: what is current when it is asked for.
    version_id: Option<VersionId>,
    has_password: bool,
    expires_at: Option<DateTime<Utc>>,
    /// Downloads that it is good for.
    most: Option<i32>,
    used: i32,
    created_by: String,
    created_at: DateTime<Utc>,
}

impl From<FileLink> for FileLinkInfo {
    fn from(link: FileLink) -> Self {
        Self {
            id: link.id,
            bucket_id: link.bucket,
            key: link.key,
            folder: link.folder,
            version_id: link.version,
            has_password: link.has_password,
            expires_at: link.expires_at,
            most: link.most,
            used: link.used,
            created_by: link.created_by,
            created_at: link.created_at,
        }
    }
}

/// Lists links, newest first, also those that have ended by themselves.
#[utoipa::path(get, path = "/api/v1/file-links", tag = "Files", params(ListQuery), responses((status = 200, body = Page<FileLinkInfo>)))]
pub(super) async fn list_file_links(
    State(files): State<Files>,
    Auth(who): Auth,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<FileLinkInfo>>, ApiError> {
    who.require(WRITE)?;
    let slice = query.slice()?;
    let rows = files.links(&Caller::of(&who), &slice).await?;
    Ok(Json(slice.page(rows.into_iter().map(FileLinkInfo::from).collect(), |link| link.id.0)))
}

/// A link to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateFileLink {
    /// Name or id.
    #[schema(example = "team-files")]
    bucket: String,
    /// The key; of a folder with a slash at its end, or nothing for the whole bucket.
    #[schema(example = "reports/", max_length = 1024)]
    key: String,
    /// Everything below `key`.
    #[serde(default)]
    folder: bool,
    /// Absent: what is current when it is asked for.
    #[serde(default)]
    version_id: Option<String>,
    /// At least 8 characters.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 8, max_length = 512)]
    password: Option<SecretString>,
    #[serde(default)]
    expires_at: Option<DateTime<Utc>>,
    /// Downloads that it is good for.
    #[serde(default)]
    #[schema(minimum = 1)]
    most: Option<i32>,
}

/// A link that was made.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MadeLink {
    #[serde(flatten)]
    link: FileLinkInfo,
    /// Shown only this once.
    url: String,
}

/// Makes a link to a file or a folder: whoever has it reads, without an account. The answer shows its address, only this once.
#[utoipa::path(post, path = "/api/v1/file-links", tag = "Files", request_body = CreateFileLink,
    responses((status = 201, body = MadeLink), (status = 403), (status = 404), (status = 422)))]
pub(super) async fn create_file_link(
    State(files): State<Files>,
    Auth(who): Auth,
    Json(body): Json<CreateFileLink>,
) -> Result<(StatusCode, Json<MadeLink>), ApiError> {
    who.require(WRITE)?;
    let who = Caller::of(&who);
    let bucket = files.bucket(&who, &body.bucket).await?.id;
    let version = match body.version_id.as_deref().map(parse_version).transpose()? {
        Some(VersionRef::Unversioned) => {
            return Err(FilesError::invalid("/version_id", "invalid", "a link needs the id of a version").into());
        }
        Some(VersionRef::Id(id)) => Some(id),
        None => None,
    };
    let CreateFileLink { key, folder, password, expires_at, most, .. } = body;
    let new = NewFileLink { bucket, key, folder, version, password, expires_at, most };
    let (link, token) = files.create_link(&who, new).await?;
    let url = format!("{}/f/l/{token}", files.public_url());
    Ok((StatusCode::CREATED, Json(MadeLink { link: link.into(), url })))
}

/// Revokes a link: it leads nowhere from now on.
#[utoipa::path(delete, path = "/api/v1/file-links/{id}", tag = "Files", params(("id" = FileLinkId, Path)),
    responses((status = 204), (status = 404)))]
pub(super) async fn revoke_file_link(
    State(files): State<Files>,
    Auth(who): Auth,
    Path(id): Path<FileLinkId>,
) -> Result<StatusCode, ApiError> {
    who.require(WRITE)?;
    files.revoke_link(&Caller::of(&who), id).await?;
    Ok(StatusCode::NO_CONTENT)
}

platform::text_enum! {
    /// What a token is for.
    pub enum TokenMethod {
        /// Reads, HEAD too.
        Get = "GET",
        /// Writes one object.
        Put = "PUT",
        /// Takes a form with files below a prefix.
        Post = "POST",
    }
}

/// A token to sign.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SignToken {
    method: TokenMethod,
    /// The key; or, with `prefix`, what keys begin with.
    #[schema(max_length = 1024)]
    key: String,
    /// Good for all keys that begin so. A form needs it.
    #[serde(default)]
    prefix: bool,
    /// Seconds.
    #[schema(minimum = 1, maximum = 604_800, example = 3600)]
    expires_in: i64,
    /// Of what is written.
    #[serde(default)]
    max_bytes: Option<u64>,
    #[serde(default)]
    exact_bytes: Option<u64>,
    #[serde(default)]
    content_type: Option<String>,
    /// 64 hexadecimal digits.
    #[serde(default)]
    #[schema(pattern = "^[0-9a-f]{64}$")]
    sha256: Option<String>,
    /// Does not replace an object that is there.
    #[serde(default)]
    keep: bool,
    /// Good for one request. A download that breaks off has used it up.
    #[serde(default)]
    once: bool,
    /// Options of an image, as in its query: the token shows this variant.
    #[serde(default)]
    image: Option<String>,
}

/// A token that was signed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SignedToken {
    token: String,
    url: String,
    expires_at: DateTime<Utc>,
}

/// Signs a token: an address that allows one thing without an account
///
/// Bound to the object, the method, the time, and to size, type and hash where they are named. It cannot be revoked before it expires: a link can.
#[utoipa::path(post, path = "/api/v1/buckets/{bucket}/sign", tag = "Files", params(("bucket" = String, Path, description = "Name or id.")),
    request_body = SignToken, responses((status = 200, body = SignedToken), (status = 403), (status = 404), (status = 422)))]
pub(super) async fn sign_token(
    State(files): State<Files>,
    Auth(who): Auth,
    Path(bucket): Path<String>,
    Json(body): Json<SignToken>,
) -> Result<Json<SignedToken>, ApiError> {
    let verb = if body.method == TokenMethod::Get { Verb::Read } else { Verb::Write };
    who.require(if verb == Verb::Read { READ } else { WRITE })?;
    let who = Caller::of(&who);
    let bucket = files.bucket(&who, &bucket).await?;
    check(&body)?;
    let image = body.image.as_deref().map(|query| Options::of_query(query).map(|options| options.canonical()));
    let image = image.transpose().map_err(FilesError::Invalid)?;
    let expires_at = files.now() + TimeDelta::seconds(body.expires_in);
    let claims = Claims {
        version: 1,
        org: who.org,
        bucket: bucket.id,
        key: body.key,
        prefix: body.prefix,
        object: None,
        verb,
        expires: expires_at,
        max_bytes: body.max_bytes,
        exact_bytes: body.exact_bytes,
        content_type: body.content_type,
        sha256: body.sha256,
        keep: body.keep,
        once: body.once.then(|| Builder::from_random_bytes(crypto::random_bytes()).into_uuid()),
        image,
    };
    let token = files.grant(&who, &bucket, &claims).await?;
    let url = format!("{}/f/t/{token}", files.public_url());
    Ok(Json(SignedToken { token, url, expires_at }))
}

fn check(body: &SignToken) -> Result<(), FilesError> {
    let mut errors = Vec::new();
    let mut wrong = |field: &'static str, text: &'static str| errors.push(FieldError::new(field, "invalid", text));
    if !(1..=LONGEST).contains(&body.expires_in) {
        wrong("/expires_in", "1 to 604800 seconds");
    }
    if body.method == TokenMethod::Post && !body.prefix {
        wrong("/prefix", "a form names its files itself: it needs a prefix");
    }
    if body.key.len() > 1024 || body.key.contains('\0') || (body.key.is_empty() && !body.prefix) {
        wrong("/key", "1 to 1024 bytes, without U+0000");
    }
    let is_hash = |hash: &String| hash.parse::<crypto::Digest>().is_ok();
    if body.sha256.as_ref().is_some_and(|hash| !is_hash(hash)) {
        wrong("/sha256", "64 lower-case hexadecimal digits");
    }
    if body.method == TokenMethod::Get {
        let of_writers = [body.max_bytes.is_some(), body.exact_bytes.is_some(), body.content_type.is_some(), body.keep];
        if of_writers.contains(&true) || body.sha256.is_some() {
            wrong("/method", "size, type, hash and keep are for what is written");
        }
    } else if body.image.is_some() {
        wrong("/image", "for GET");
    }
    if errors.is_empty() { Ok(()) } else { Err(FilesError::Invalid(errors)) }
}
