//! `/api/v1/buckets/{bucket}/objects`

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Exact,
    headers::{conditions, new_object},
    shapes::{ObjectInfo, parse_version},
};
use crate::{
    Bucket, Caller, Files, FilesError, Key, ListEntry, ListObjects, Overrides, READ, Surface, VersionRef, WRITE,
    etag_value, refused, respond,
};
use platform::{
    error::ApiError,
    http::{Auth, Json, ListQuery, Page, Path, Principal, Query},
};

/// An entry of a list: an object, or everything below a prefix.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ObjectEntry {
    /// The key, or the prefix.
    key: String,
    /// null: this is a prefix.
    object: Option<ObjectInfo>,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(super) struct Place {
    /// Only keys that begin so.
    #[param(required = false)]
    pub prefix: String,
    /// Keys that have this text behind the prefix are one entry, up to it: `/` lists like folders.
    #[param(required = false)]
    pub delimiter: String,
}

/// Lists the objects of a bucket in the order of their keys.
#[utoipa::path(get, path = "/api/v1/buckets/{bucket}/objects", tag = "Files",
    params(("bucket" = String, Path, description = "Name or id."), ListQuery, Place),
    responses((status = 200, body = Page<ObjectEntry>), (status = 404)))]
pub(super) async fn list_objects(
    State(files): State<Files>,
    Auth(who): Auth,
    Path(bucket): Path<String>,
    Query(query): Query<ListQuery>,
    Exact(place): Exact<Place>,
) -> Result<Json<Page<ObjectEntry>>, ApiError> {
    who.require(READ)?;
    let slice = query.text_slice()?;
    let who = Caller::of(&who);
    let bucket = files.bucket(&who, &bucket).await?;
    let start = slice.start().to_owned();
    let query = ListObjects { prefix: place.prefix, delimiter: place.delimiter, start, most: slice.limit() };
    let listed = files.list(&who, &bucket, &query).await?;
    let entry = |entry: ListEntry| match entry {
        ListEntry::Prefix(key) => ObjectEntry { key, object: None },
        ListEntry::Object(object) => ObjectEntry { key: object.key.to_string(), object: Some((*object).into()) },
    };
    let rows = listed.entries.into_iter().map(entry).collect();
    Ok(Json(slice.page(rows, listed.next.as_deref())))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(super) struct WhichVersion {
    /// Id of a version, or `null` for what was written while the bucket had no versions; absent: what is current.
    version: Option<String>,
}

impl WhichVersion {
    pub(super) fn parse(&self) -> Result<Option<VersionRef>, FilesError> {
        self.version.as_deref().map(parse_version).transpose()
    }
}

/// A key in the query: for keys that browsers and proxies would change in a path, such as `..`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct WhichObject {
    /// The key.
    key: String,
    /// Id of a version, or `null` for what was written while the bucket had no versions; absent: what is current.
    #[serde(default)]
    version: Option<String>,
}

impl WhichObject {
    pub(super) fn parse(self) -> Result<(Key, Option<VersionRef>), FilesError> {
        Ok((Key::parse(self.key)?, self.version.as_deref().map(parse_version).transpose()?))
    }
}

/// Returns the content of an object
///
/// Always as an attachment: nothing in it runs here. Ranges and conditions are as RFC 9110 has them.
#[utoipa::path(get, path = "/api/v1/buckets/{bucket}/objects/{*key}", tag = "Files",
    params(("bucket" = String, Path, description = "Name or id."), ("*key" = String, Path, description = "The key; `/` as such."), WhichVersion),
    responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>), (status = 206), (status = 304), (status = 403), (status = 404),
        (status = 412), (status = 416)))]
pub(super) async fn get_object(
    State(files): State<Files>,
    Auth(who): Auth,
    Path((bucket, key)): Path<(String, String)>,
    Exact(which): Exact<WhichVersion>,
    request: Request,
) -> Result<Response, ApiError> {
    let key = Key::parse(key).map_err(FilesError::from)?;
    read(&files, &who, &bucket, (key, which.parse()?), request).await
}

/// Returns the content of an object, by its key in the query
///
/// As `GET /api/v1/buckets/{bucket}/objects/{*key}`.
#[utoipa::path(get, path = "/api/v1/buckets/{bucket}/object", tag = "Files",
    params(("bucket" = String, Path, description = "Name or id."), WhichObject),
    responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>), (status = 206), (status = 304), (status = 403), (status = 404),
        (status = 412), (status = 416)))]
pub(super) async fn get_object_by_key(
    State(files): State<Files>,
    Auth(who): Auth,
    Path(bucket): Path<String>,
    Exact(which): Exact<WhichObject>,
    request: Request,
) -> Result<Response, ApiError> {
    read(&files, &who, &bucket, which.parse()?, request).await
}

async fn read(
    files: &Files,
    who: &Principal,
    bucket: &str,
    (key, version): (Key, Option<VersionRef>),
    request: Request,
) -> Result<Response, ApiError> {
    who.require(READ)?;
    let who = Caller::of(who);
    let bucket = files.bucket(&who, bucket).await?;
    let object = files.find(&who, &bucket, &key, version).await?;
    let (parts, _) = request.into_parts();
    let answer = respond(files, &who, &bucket, &object, &parts, Surface::Rest, Overrides::default()).await;
    Ok(answer.unwrap_or_else(refused))
}

/// Writes an object
///
/// The body is the content, of any length. `Content-MD5`, `Repr-Digest` and `X-Content-SHA256` are compared with it before the object is there;
/// `If-Match` and `If-None-Match: *` with what is there. `Cache-Control`, `Content-Disposition`, `Content-Encoding`, `Content-Language` and `Expires` are
/// stored with it, `X-Metadata-<name>` as metadata, `X-Tags: a=1&b=2` as tags.
#[utoipa::path(put, path = "/api/v1/buckets/{bucket}/objects/{*key}", tag = "Files",
    params(("bucket" = String, Path, description = "Name or id."), ("*key" = String, Path, description = "The key; `/` as such.")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 201, body = ObjectInfo), (status = 200, body = ObjectInfo), (status = 400), (status = 403), (status = 404),
        (status = 412), (status = 413), (status = 415), (status = 507)))]
pub(super) async fn put_object(
    State(files): State<Files>,
    Auth(who): Auth,
    Path((bucket, key)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let key = Key::parse(key).map_err(FilesError::from)?;
    write(&files, &who, &bucket, key, &headers, body).await
}

/// Writes an object, by its key in the query
///
/// As `PUT /api/v1/buckets/{bucket}/objects/{*key}`.
#[utoipa::path(put, path = "/api/v1/buckets/{bucket}/object", tag = "Files",
    params(("bucket" = String, Path, description = "Name or id."), ("key" = String, Query, description = "The key.")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 201, body = ObjectInfo), (status = 200, body = ObjectInfo), (status = 400), (status = 403), (status = 404),
        (status = 412), (status = 413), (status = 415), (status = 507)))]
pub(super) async fn put_object_by_key(
    State(files): State<Files>,
    Auth(who): Auth,
    Path(bucket): Path<String>,
    Exact(which): Exact<WhichObject>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let (key, _) = which.parse()?;
    write(&files, &who, &bucket, key, &headers, body).await
}

async fn write(
    files: &Files,
    who: &Principal,
    bucket: &str,
    key: Key,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    who.require(WRITE)?;
    let who = Caller::of(who);
    let bucket = files.bucket(&who, bucket).await?;
    let written = files.put(&who, &bucket, key, body.into_data_stream(), new_object(headers)?).await?;
    let status = if written.created { StatusCode::CREATED } else { StatusCode::OK };
    let etag = etag_value(&written.object.etag);
    Ok((status, [(header::ETAG, etag)], Json(ObjectInfo::from(written.object))).into_response())
}

/// Deletes an object: into the trash, for the days that the bucket says. That there is none is no error.
#[utoipa::path(delete, path = "/api/v1/buckets/{bucket}/objects/{*key}", tag = "Files",
    params(("bucket" = String, Path, description = "Name or id."), ("*key" = String, Path, description = "The key; `/` as such."), WhichVersion),
    responses((status = 204), (status = 403), (status = 404), (status = 412)))]
pub(super) async fn delete_object(
    State(files): State<Files>,
    Auth(who): Auth,
    Path((bucket, key)): Path<(String, String)>,
    Exact(which): Exact<WhichVersion>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    who.require(WRITE)?;
    let who = Caller::of(&who);
    let bucket = files.bucket(&who, &bucket).await?;
    let key = Key::parse(key).map_err(FilesError::from)?;
    delete(&files, &who, &bucket, (key, which.parse()?), &headers).await
}

/// Deletes an object, by its key in the query
///
/// As `DELETE /api/v1/buckets/{bucket}/objects/{*key}`.
#[utoipa::path(delete, path = "/api/v1/buckets/{bucket}/object", tag = "Files",
    params(("bucket" = String, Path, description = "Name or id."), WhichObject),
    responses((status = 204), (status = 403), (status = 404), (status = 412)))]
pub(super) async fn delete_object_by_key(
    State(files): State<Files>,
    Auth(who): Auth,
    Path(bucket): Path<String>,
    Exact(which): Exact<WhichObject>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    who.require(WRITE)?;
    let who = Caller::of(&who);
    let bucket = files.bucket(&who, &bucket).await?;
    delete(&files, &who, &bucket, which.parse()?, &headers).await
}

async fn delete(
    files: &Files,
    who: &Caller,
    bucket: &Bucket,
    (key, version): (Key, Option<VersionRef>),
    headers: &HeaderMap,
) -> Result<StatusCode, ApiError> {
    files.delete(who, bucket, &key, version, &conditions(headers)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
