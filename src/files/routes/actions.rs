//! What is done with several objects, or to one without its content: deleting, copying, moving, describing, locking.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Exact,
    objects::{Place, WhichObject},
    shapes::{ObjectFacts, ObjectHeaders, ObjectInfo, ObjectLock, VersionInfo, parse_version, version_id},
};
use crate::{
    Caller, Conditions, CopyObject, Deleted, EtagList, Files, FilesError, Headers, Key, ListVersions, Metadata,
    ObjectChange, READ, Tags, VersionRef, WRITE,
};
use platform::{
    error::ApiError,
    http::{Auth, Json, ListQuery, Page, Path, Query},
};

/// Objects to delete.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeleteObjects {
    #[schema(min_items = 1, max_items = 1000)]
    objects: Vec<ObjectName>,
}

/// An object, or one version of it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ObjectName {
    #[schema(min_length = 1, max_length = 1024)]
    key: String,
    /// Absent: what is current.
    #[serde(default)]
    version_id: Option<String>,
}

impl ObjectName {
    fn parse(self) -> Result<(Key, Option<VersionRef>), FilesError> {
        Ok((Key::parse(self.key)?, self.version_id.as_deref().map(parse_version).transpose()?))
    }
}

/// What became of each, in the order in which they were asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeletedObjects {
    data: Vec<DeletedObject>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeletedObject {
    key: String,
    /// Whether it is deleted now; that there was nothing is no error.
    deleted: bool,
    /// The version that is gone.
    version_id: Option<String>,
    /// The delete marker that was written.
    marker_id: Option<String>,
    /// Why it is not deleted.
    code: Option<String>,
    detail: Option<String>,
}

impl DeletedObject {
    fn of(key: String, result: Result<Deleted, FilesError>) -> Self {
        match result {
            Ok(deleted) => Self {
                key,
                deleted: true,
                version_id: deleted.version.map(version_id),
                marker_id: deleted.marker.map(|id| id.to_string()),
                code: None,
                detail: None,
            },
            Err(error) => {
                let ApiError { code, detail, .. } = error.into();
                let (code, detail) = (Some(code.into_owned()), Some(detail));
                Self { key, deleted: false, version_id: None, marker_id: None, code, detail }
            }
        }
    }
}

/// Deletes up to 1000 objects
///
/// Each for itself: `data` says of each what became of it.
#[utoipa::path(post, path = "/api/v1/buckets/{bucket}/delete", tag = "Files", params(("bucket" = String, Path, description = "Name or id.")),
    request_body = DeleteObjects, responses((status = 200, body = DeletedObjects), (status = 404), (status = 422)))]
pub(super) async fn delete_objects(
    State(files): State<Files>,
    Auth(who): Auth,
    Path(bucket): Path<String>,
    Json(body): Json<DeleteObjects>,
) -> Result<Json<DeletedObjects>, ApiError> {
    who.require(WRITE)?;
    let who = Caller::of(&who);
    let bucket = files.bucket(&who, &bucket).await?;
    let names: Vec<String> = body.objects.iter().map(|object| object.key.clone()).collect();
    let keys = body.objects.into_iter().map(ObjectName::parse).collect::<Result<Vec<_>, _>>()?;
    let results = files.delete_many(&who, &bucket, keys).await?;
    let data = names.into_iter().zip(results).map(|(key, result)| DeletedObject::of(key, result)).collect();
    Ok(Json(DeletedObjects { data }))
}

/// Where an object goes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MoveObject {
    #[schema(min_length = 1, max_length = 1024)]
    from: String,
    /// Of the copy; absent: what is current.
    #[serde(default)]
    version_id: Option<String>,
    #[schema(min_length = 1, max_length = 1024)]
    to: String,
    /// Name or id of the other bucket; absent: the same.
    #[serde(default)]
    to_bucket: Option<String>,
    /// Whether an object that is there may be replaced.
    #[serde(default)]
    replace: bool,
}

/// Copies an object, without touching its content.
#[utoipa::path(post, path = "/api/v1/buckets/{bucket}/copy", tag = "Files", params(("bucket" = String, Path, description = "Name or id.")),
    request_body = MoveObject, responses((status = 200, body = ObjectInfo), (status = 404), (status = 409), (status = 412), (status = 422)))]
pub(super) async fn copy_object(
    State(files): State<Files>,
    Auth(who): Auth,
    Path(bucket): Path<String>,
    Json(body): Json<MoveObject>,
) -> Result<Json<ObjectInfo>, ApiError> {
    who.require(WRITE)?;
    let who = Caller::of(&who);
    let from = files.bucket(&who, &bucket).await?;
    let to = match &body.to_bucket {
        Some(bucket) => files.bucket(&who, bucket).await?,
        None => from.clone(),
    };
    let version = body.version_id.as_deref().map(parse_version).transpose()?;
    let key = Key::parse(body.from).map_err(FilesError::from)?;
    let object = files.find(&who, &from, &key, version).await?;
    let to_key = Key::parse(body.to).map_err(FilesError::from)?;
    let when = Conditions { if_none_match: (!body.replace).then_some(EtagList::Any), ..Conditions::default() };
    let new = CopyObject { when, ..CopyObject::default() };
    let written = files.copy(&who, (&from, &object), (&to, to_key), new).await.map_err(|error| match error {
        FilesError::Precondition => FilesError::Exists,
        other => other,
    })?;
    Ok(Json(written.object.into()))
}

/// Gives an object another key, in the same or another bucket.
#[utoipa::path(post, path = "/api/v1/buckets/{bucket}/move", tag = "Files", params(("bucket" = String, Path, description = "Name or id.")),
    request_body = MoveObject, responses((status = 200, body = ObjectInfo), (status = 404), (status = 409), (status = 422)))]
pub(super) async fn move_object(
    State(files): State<Files>,
    Auth(who): Auth,
    Path(bucket): Path<String>,
    Json(body): Json<MoveObject>,
) -> Result<Json<ObjectInfo>, ApiError> {
    who.require(WRITE)?;
    if body.version_id.is_some() {
        return Err(FilesError::invalid("/version_id", "invalid", "what is current is moved: copy a version").into());
    }
    let who = Caller::of(&who);
    let from = files.bucket(&who, &bucket).await?;
    let to = match &body.to_bucket {
        Some(bucket) => files.bucket(&who, bucket).await?,
        None => from.clone(),
    };
    let key = Key::parse(body.from).map_err(FilesError::from)?;
    let to_key = Key::parse(body.to).map_err(FilesError::from)?;
    let written = files.rename(&who, (&from, &key), (&to, to_key), body.replace).await?;
    Ok(Json(written.object.into()))
}

/// Returns what is known of an object: metadata, tags, headers, lock, hashes.
#[utoipa::path(get, path = "/api/v1/buckets/{bucket}/object-info", tag = "Files",
    params(("bucket" = String, Path, description = "Name or id."), WhichObject), responses((status = 200, body = ObjectFacts), (status = 404)))]
pub(super) async fn get_object_info(
    State(files): State<Files>,
    Auth(who): Auth,
    Path(bucket): Path<String>,
    Exact(which): Exact<WhichObject>,
) -> Result<Json<ObjectFacts>, ApiError> {
    who.require(READ)?;
    let who = Caller::of(&who);
    let bucket = files.bucket(&who, &bucket).await?;
    let (key, version) = which.parse()?;
    Ok(Json(files.find(&who, &bucket, &key, version).await?.into()))
}

/// What is to be changed of an object; what is left out stays as it is.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ObjectPatch {
    #[schema(min_length = 1, max_length = 255)]
    content_type: Option<String>,
    /// All of them: those that are left out are removed.
    headers: Option<ObjectHeaders>,
    metadata: Option<Metadata>,
    tags: Option<Tags>,
    /// Longer than it is, or of a stricter mode.
    lock: Option<ObjectLock>,
    /// Ends a lock of the mode governance: needs the right to administer the bucket.
    unlock: bool,
    legal_hold: Option<bool>,
}

/// Changes what is said of an object, or its lock
///
/// The content, its etag and its version stay. Locks need a bucket with object lock.
#[utoipa::path(patch, path = "/api/v1/buckets/{bucket}/object-info", tag = "Files",
    params(("bucket" = String, Path, description = "Name or id."), WhichObject), request_body = ObjectPatch,
    responses((status = 200, body = ObjectFacts), (status = 403), (status = 404), (status = 409), (status = 422)))]
pub(super) async fn change_object_info(
    State(files): State<Files>,
    Auth(who): Auth,
    Path(bucket): Path<String>,
    Exact(which): Exact<WhichObject>,
    Json(patch): Json<ObjectPatch>,
) -> Result<Json<ObjectFacts>, ApiError> {
    who.require(WRITE)?;
    let who = Caller { bypass_governance: patch.unlock, ..Caller::of(&who) };
    if patch.unlock && patch.lock.is_some() {
        return Err(FilesError::invalid("/unlock", "invalid", "either a lock, or none").into());
    }
    let bucket = files.bucket(&who, &bucket).await?;
    let (key, version) = which.parse()?;
    let mut object = files.find(&who, &bucket, &key, version).await?;
    let headers = patch.headers.map(Headers::try_from).transpose()?;
    if patch.content_type.is_some() || headers.is_some() || patch.metadata.is_some() {
        let change = ObjectChange { content_type: patch.content_type, headers, metadata: patch.metadata };
        object = files.set_metadata(&who, &object, change).await?;
    }
    if let Some(tags) = patch.tags {
        object = files.set_tags(&who, &object, tags).await?;
    }
    if patch.lock.is_some() || patch.unlock {
        object = files.set_lock(&who, &object, patch.lock.map(Into::into)).await?;
    }
    if let Some(hold) = patch.legal_hold {
        object = files.set_hold(&who, &object, hold).await?;
    }
    Ok(Json(object.into()))
}

/// Lists versions and delete markers: by key, and of each key from the latest on.
#[utoipa::path(get, path = "/api/v1/buckets/{bucket}/versions", tag = "Files",
    params(("bucket" = String, Path, description = "Name or id."), ListQuery, Place),
    responses((status = 200, body = Page<VersionInfo>), (status = 404)))]
pub(super) async fn list_object_versions(
    State(files): State<Files>,
    Auth(who): Auth,
    Path(bucket): Path<String>,
    Query(query): Query<ListQuery>,
    Exact(place): Exact<Place>,
) -> Result<Json<Page<VersionInfo>>, ApiError> {
    who.require(READ)?;
    let slice = query.text_slice()?;
    let who = Caller::of(&who);
    let bucket = files.bucket(&who, &bucket).await?;
    // No key has U+0000.
    let (start, behind) = match slice.start().split_once('\0') {
        Some((key, version)) => (key.to_owned(), Some(parse_version(version)?)),
        None => (slice.start().to_owned(), None),
    };
    let Place { prefix, delimiter } = place;
    let query = ListVersions { prefix, delimiter, start, behind, most: slice.limit() };
    let listed = files.list_versions(&who, &bucket, &query).await?;
    let next = listed.next.map(|(key, version)| match version {
        Some(version) => format!("{key}\0{}", version_id(version)),
        None => key,
    });
    let rows = listed.entries.into_iter().map(VersionInfo::from).collect();
    Ok(Json(slice.page(rows, next.as_deref())))
}
