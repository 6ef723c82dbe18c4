//! `/api/v1/buckets/{bucket}/objects`

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Exact, conditions, expected};
use crate::{
    Caller, Files, FilesError, Key, ListEntry, ListObjects, NewObject, Object, READ, VersionRef, WRITE, attachment,
    etag_value,
};
use platform::{
    crypto,
    error::ApiError,
    http::{Auth, Bulk, Finished, Json, ListQuery, Page, Path, Query},
};

/// An object.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ObjectInfo {
    key: String,
    version_id: String,
    /// Bytes.
    size: u64,
    /// Without quotes.
    etag: String,
    /// 64 hexadecimal digits; null where it is not known of the whole.
    sha256: Option<String>,
    content_type: String,
    created_by: String,
    created_at: DateTime<Utc>,
}

impl From<Object> for ObjectInfo {
    fn from(object: Object) -> Self {
        let version_id = match object.version() {
            VersionRef::Id(id) => id.to_string(),
            VersionRef::Unversioned => "null".to_owned(),
        };
        Self {
            key: object.key.to_string(),
            version_id,
            size: object.size,
            etag: object.etag,
            sha256: object.sha256.map(|hash| crypto::hex(&hash)),
            content_type: object.content_type,
            created_by: object.created_by,
            created_at: object.created_at,
        }
    }
}

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
    prefix: String,
    /// Keys that have this text behind the prefix are one entry, up to it: `/` lists like folders.
    #[param(required = false)]
    delimiter: String,
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
    fn parse(&self) -> Result<Option<VersionRef>, FilesError> {
        match self.version.as_deref() {
            None => Ok(None),
            Some("null") => Ok(Some(VersionRef::Unversioned)),
            Some(id) => id.parse().map(|id| Some(VersionRef::Id(id))).map_err(|_| FilesError::VersionNotFound),
        }
    }
}

/// Returns the content of an object
///
/// Always as an attachment: nothing in it runs here.
#[utoipa::path(get, path = "/api/v1/buckets/{bucket}/objects/{*key}", tag = "Files",
    params(("bucket" = String, Path, description = "Name or id."), ("*key" = String, Path, description = "The key; `/` as such."), WhichVersion),
    responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>), (status = 403), (status = 404)))]
pub(super) async fn get_object(
    State(files): State<Files>,
    Auth(who): Auth,
    Path((bucket, key)): Path<(String, String)>,
    Exact(which): Exact<WhichVersion>,
) -> Result<Response, ApiError> {
    who.require(READ)?;
    let who = Caller::of(&who);
    let bucket = files.bucket(&who, &bucket).await?;
    let key = Key::parse(key).map_err(FilesError::from)?;
    let object = files.find(&who, &bucket, &key, which.parse()?).await?;
    let content = files.open(&who, &object, None).await?;
    let mut response = (attachment(&bucket, &object), Body::from_stream(content)).into_response();
    // Files are sent as they are: their length is said, and ranges of them are asked for.
    response.extensions_mut().insert(Finished);
    response.extensions_mut().insert(Bulk);
    Ok(response)
}

/// Writes an object
///
/// The body is the content, of any length. `Content-MD5` and `X-Content-SHA256` are compared with it before the object is there; `If-Match` and
/// `If-None-Match: *` with what is there.
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
    who.require(WRITE)?;
    let who = Caller::of(&who);
    let bucket = files.bucket(&who, &bucket).await?;
    let key = Key::parse(key).map_err(FilesError::from)?;
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let new = NewObject {
        length: text(header::CONTENT_LENGTH).and_then(|length| length.parse().ok()),
        content_type: text(header::CONTENT_TYPE),
        when: conditions(&headers)?,
        expect: expected(&headers)?,
        ..NewObject::default()
    };
    let written = files.put(&who, &bucket, key, body.into_data_stream(), new).await?;
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
    files.delete(&who, &bucket, &key, which.parse()?, &conditions(&headers)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
