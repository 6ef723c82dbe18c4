//! `/api/v1/uploads`: large files in parts that may be sent again, in any order.

use axum::{body::Body, extract::State, http::HeaderMap, http::StatusCode};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    headers::{expected, text},
    shapes::{ObjectHeaders, ObjectInfo},
};
use crate::{
    BucketId, Caller, Conditions, Files, FilesError, Key, Metadata, NewUpload, PartWant, READ, Tags, Upload, UploadId,
    UploadKind, UploadPart, WRITE,
};
use platform::{
    error::ApiError,
    http::{Auth, Json, Path},
};

/// Most parts of a list.
const MOST_PARTS: i32 = 10_000;

/// An unfinished object.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UploadInfo {
    id: UploadId,
    bucket_id: BucketId,
    key: String,
    /// Bytes; null: not known yet.
    length: Option<u64>,
    content_type: String,
    created_by: String,
    created_at: DateTime<Utc>,
    /// It is given up then.
    expires_at: DateTime<Utc>,
}

impl From<Upload> for UploadInfo {
    fn from(upload: Upload) -> Self {
        Self {
            id: upload.id,
            bucket_id: upload.bucket,
            key: upload.key.to_string(),
            length: upload.length,
            content_type: upload.content_type,
            created_by: upload.created_by,
            created_at: upload.created_at,
            expires_at: upload.expires_at,
        }
    }
}

/// An upload to begin.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BeginUpload {
    #[schema(min_length = 1, max_length = 1024, example = "films/a.mp4")]
    key: String,
    /// Bytes of the whole.
    #[serde(default)]
    length: Option<u64>,
    #[serde(default)]
    content_type: Option<String>,
    #[serde(default)]
    headers: ObjectHeaders,
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    tags: Tags,
    /// An object that is there is not replaced.
    #[serde(default)]
    keep: bool,
}

/// Begins an upload in parts.
#[utoipa::path(post, path = "/api/v1/buckets/{bucket}/uploads", tag = "Files", params(("bucket" = String, Path, description = "Name or id.")),
    request_body = BeginUpload, responses((status = 201, body = UploadInfo), (status = 404), (status = 409), (status = 413), (status = 422)))]
pub(super) async fn begin_upload(
    State(files): State<Files>,
    Auth(who): Auth,
    Path(bucket): Path<String>,
    Json(body): Json<BeginUpload>,
) -> Result<(StatusCode, Json<UploadInfo>), ApiError> {
    who.require(WRITE)?;
    let who = Caller::of(&who);
    let bucket = files.bucket(&who, &bucket).await?;
    let key = Key::parse(body.key).map_err(FilesError::from)?;
    let new = NewUpload {
        length: body.length,
        replace: !body.keep,
        content_type: body.content_type,
        headers: body.headers.try_into()?,
        metadata: body.metadata,
        tags: body.tags,
        ..NewUpload::of(UploadKind::S3)
    };
    let upload = files.begin_upload(&who, &bucket, key, new).await?;
    Ok((StatusCode::CREATED, Json(upload.into())))
}

/// Returns an unfinished upload.
#[utoipa::path(get, path = "/api/v1/uploads/{id}", tag = "Files", params(("id" = UploadId, Path)),
    responses((status = 200, body = UploadInfo), (status = 404), (status = 410)))]
pub(super) async fn get_upload(
    State(files): State<Files>,
    Auth(who): Auth,
    Path(id): Path<UploadId>,
) -> Result<Json<UploadInfo>, ApiError> {
    who.require(WRITE)?;
    Ok(Json(files.upload(&Caller::of(&who), id).await?.into()))
}

/// Gives an upload up.
#[utoipa::path(delete, path = "/api/v1/uploads/{id}", tag = "Files", params(("id" = UploadId, Path)),
    responses((status = 204), (status = 404), (status = 410)))]
pub(super) async fn abort_upload(
    State(files): State<Files>,
    Auth(who): Auth,
    Path(id): Path<UploadId>,
) -> Result<StatusCode, ApiError> {
    who.require(WRITE)?;
    let who = Caller::of(&who);
    let upload = files.upload(&who, id).await?;
    files.abort(&who, &upload).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A part of an upload.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PartInfo {
    number: i32,
    /// Bytes.
    size: u64,
    etag: String,
    created_at: DateTime<Utc>,
}

impl From<UploadPart> for PartInfo {
    fn from(part: UploadPart) -> Self {
        Self { number: part.number, size: part.size, etag: part.etag, created_at: part.created_at }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct WhichPart {
    id: UploadId,
    number: i32,
}

/// Stores a part
///
/// The body is its content: 5 MiB at least, but for the last one. It replaces a part of the same number. `Content-MD5`, `Repr-Digest` and
/// `X-Content-SHA256` are compared with it.
#[utoipa::path(put, path = "/api/v1/uploads/{id}/parts/{number}", tag = "Files",
    params(("id" = UploadId, Path), ("number" = i32, Path, description = "1 to 10000.")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = PartInfo), (status = 400), (status = 404), (status = 410), (status = 413), (status = 507)))]
pub(super) async fn put_part(
    State(files): State<Files>,
    Auth(who): Auth,
    Path(WhichPart { id, number }): Path<WhichPart>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<PartInfo>, ApiError> {
    who.require(WRITE)?;
    let who = Caller::of(&who);
    let upload = files.upload(&who, id).await?;
    let length = text(&headers, &axum::http::header::CONTENT_LENGTH)?.and_then(|length| length.parse().ok());
    let want = PartWant { length, expect: expected(&headers)?, ..PartWant::default() };
    Ok(Json(files.put_part(&who, &upload, number, body.into_data_stream(), want).await?.into()))
}

/// The parts of an upload.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Parts {
    /// In the order of their numbers.
    data: Vec<PartInfo>,
}

/// Returns the parts that have come.
#[utoipa::path(get, path = "/api/v1/uploads/{id}/parts", tag = "Files", params(("id" = UploadId, Path)),
    responses((status = 200, body = Parts), (status = 404), (status = 410)))]
pub(super) async fn get_parts(
    State(files): State<Files>,
    Auth(who): Auth,
    Path(id): Path<UploadId>,
) -> Result<Json<Parts>, ApiError> {
    who.require(READ)?;
    let who = Caller::of(&who);
    let upload = files.upload(&who, id).await?;
    let parts = files.list_parts(&who, &upload, 0, MOST_PARTS).await?;
    Ok(Json(Parts { data: parts.into_iter().map(PartInfo::from).collect() }))
}

/// The parts that the object is made of, in the order of their numbers.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CompleteUpload {
    /// null: all that came.
    parts: Option<Vec<ChosenPart>>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChosenPart {
    number: i32,
    etag: String,
}

/// Makes the object of its parts
///
/// Copies nothing, however large it is. Repeated within a day, it gives the same answer.
#[utoipa::path(post, path = "/api/v1/uploads/{id}/complete", tag = "Files", params(("id" = UploadId, Path)),
    request_body = CompleteUpload,
    responses((status = 200, body = ObjectInfo), (status = 400), (status = 404), (status = 409), (status = 410), (status = 413), (status = 415)))]
pub(super) async fn complete_upload(
    State(files): State<Files>,
    Auth(who): Auth,
    Path(id): Path<UploadId>,
    Json(body): Json<CompleteUpload>,
) -> Result<Json<ObjectInfo>, ApiError> {
    who.require(WRITE)?;
    let who = Caller::of(&who);
    let upload = files.upload(&who, id).await?;
    let parts: Option<Vec<(i32, String)>> =
        body.parts.map(|parts| parts.into_iter().map(|part| (part.number, part.etag)).collect());
    let written = files.complete(&who, &upload, parts.as_deref(), &Conditions::default()).await?;
    Ok(Json(written.object.into()))
}
