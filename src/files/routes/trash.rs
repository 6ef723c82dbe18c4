//! The trash of buckets, deleted buckets, usage and quotas.

use axum::{extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::shapes::ObjectInfo;
use crate::{
    ADMIN, Bucket, BucketId, Caller, Files, FilesError, OrgUsage, READ, TrashEntry, TrashedBucket, VersionId, WRITE,
};
use jobs::JobId;
use platform::{
    error::ApiError,
    http::{Auth, Json, ListQuery, Page, Path, Query},
    ids::OrgId,
};

/// A version in the trash.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TrashInfo {
    /// By which it is brought back.
    id: VersionId,
    bucket_id: BucketId,
    object: ObjectInfo,
    trashed_at: DateTime<Utc>,
    trashed_by: String,
    /// The trash lets go of it then.
    purge_at: DateTime<Utc>,
}

impl From<TrashEntry> for TrashInfo {
    fn from(entry: TrashEntry) -> Self {
        Self {
            id: entry.object.id,
            bucket_id: entry.object.bucket,
            object: entry.object.into(),
            trashed_at: entry.trashed_at,
            trashed_by: entry.trashed_by,
            purge_at: entry.purge_at,
        }
    }
}

/// Lists what was deleted from a bucket and can be brought back, the newest versions first.
#[utoipa::path(get, path = "/api/v1/buckets/{bucket}/trash", tag = "Files",
    params(("bucket" = String, Path, description = "Name or id."), ListQuery, ("q" = Option<String>, Query, description = "A part of the key.")),
    responses((status = 200, body = Page<TrashInfo>), (status = 404)))]
pub(super) async fn list_trash(
    State(files): State<Files>,
    Auth(who): Auth,
    Path(bucket): Path<String>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<TrashInfo>>, ApiError> {
    who.require(READ)?;
    let slice = query.slice()?;
    let who = Caller::of(&who);
    let bucket = files.bucket(&who, &bucket).await?;
    let rows = files.trash(&who, &bucket, query.search(), &slice).await?;
    Ok(Json(slice.page(rows.into_iter().map(TrashInfo::from).collect(), |entry| entry.id.0)))
}

/// Versions in the trash.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TrashIds {
    #[schema(min_items = 1, max_items = 1000)]
    ids: Vec<VersionId>,
}

impl TrashIds {
    fn parse(self) -> Result<Vec<VersionId>, FilesError> {
        if (1..=1000).contains(&self.ids.len()) {
            return Ok(self.ids);
        }
        Err(FilesError::invalid("/ids", "out_of_range", "1 to 1000 ids"))
    }
}

/// What became of each, in the order in which they were asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TrashResults {
    data: Vec<TrashResult>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TrashResult {
    id: VersionId,
    done: bool,
    /// Why it was not done.
    code: Option<String>,
    detail: Option<String>,
}

impl TrashResult {
    fn of<T>(id: VersionId, result: Result<T, FilesError>) -> Self {
        match result.map_err(ApiError::from) {
            Ok(_) => Self { id, done: true, code: None, detail: None },
            Err(ApiError { code, detail, .. }) => {
                Self { id, done: false, code: Some(code.into_owned()), detail: Some(detail) }
            }
        }
    }
}

/// Brings versions back out of the trash
///
/// Each becomes what a reader of its key gets; what was that before goes where overwriting would put it.
#[utoipa::path(post, path = "/api/v1/trash/restore", tag = "Files", request_body = TrashIds,
    responses((status = 200, body = TrashResults), (status = 422)))]
pub(super) async fn restore_trash(
    State(files): State<Files>,
    Auth(who): Auth,
    Json(body): Json<TrashIds>,
) -> Result<Json<TrashResults>, ApiError> {
    who.require(WRITE)?;
    let who = Caller::of(&who);
    let mut data = Vec::new();
    for id in body.parse()? {
        data.push(TrashResult::of(id, files.restore(&who, id).await));
    }
    Ok(Json(TrashResults { data }))
}

/// Deletes versions in the trash for good.
#[utoipa::path(post, path = "/api/v1/trash/purge", tag = "Files", request_body = TrashIds,
    responses((status = 200, body = TrashResults), (status = 422)))]
pub(super) async fn purge_trash(
    State(files): State<Files>,
    Auth(who): Auth,
    Json(body): Json<TrashIds>,
) -> Result<Json<TrashResults>, ApiError> {
    who.require(ADMIN)?;
    let who = Caller::of(&who);
    let mut data = Vec::new();
    for id in body.parse()? {
        data.push(TrashResult::of(id, files.purge(&who, id).await));
    }
    Ok(Json(TrashResults { data }))
}

/// How many versions were deleted.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Emptied {
    deleted: u64,
}

/// Deletes the whole trash of a bucket for good.
#[utoipa::path(post, path = "/api/v1/buckets/{bucket}/empty-trash", tag = "Files", params(("bucket" = String, Path, description = "Name or id.")),
    responses((status = 200, body = Emptied), (status = 404)))]
pub(super) async fn empty_trash(
    State(files): State<Files>,
    Auth(who): Auth,
    Path(bucket): Path<String>,
) -> Result<Json<Emptied>, ApiError> {
    who.require(ADMIN)?;
    let who = Caller::of(&who);
    let bucket = files.bucket(&who, &bucket).await?;
    Ok(Json(Emptied { deleted: files.empty_trash(&who, &bucket).await? }))
}

/// The job that does it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Emptying {
    job_id: JobId,
}

/// Deletes all objects of a bucket, by a job: into the trash, as one by one.
#[utoipa::path(post, path = "/api/v1/buckets/{bucket}/empty", tag = "Files", params(("bucket" = String, Path, description = "Name or id.")),
    responses((status = 202, body = Emptying), (status = 404)))]
pub(super) async fn empty_bucket(
    State(files): State<Files>,
    Auth(who): Auth,
    Path(bucket): Path<String>,
) -> Result<(StatusCode, Json<Emptying>), ApiError> {
    who.require(ADMIN)?;
    let who = Caller::of(&who);
    let bucket = files.bucket(&who, &bucket).await?;
    let job_id = files.empty_bucket(&who, bucket.id).await?;
    Ok((StatusCode::ACCEPTED, Json(Emptying { job_id })))
}

/// Lists buckets that were deleted while their trash had content, newest first.
#[utoipa::path(get, path = "/api/v1/trash/buckets", tag = "Files", params(ListQuery), responses((status = 200, body = Page<TrashedBucket>)))]
pub(super) async fn list_trashed_buckets(
    State(files): State<Files>,
    Auth(who): Auth,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<TrashedBucket>>, ApiError> {
    who.require(ADMIN)?;
    let slice = query.slice()?;
    let rows = files.trashed_buckets(&Caller::of(&who), &slice).await?;
    Ok(Json(slice.page(rows, |bucket| bucket.id.0)))
}

/// The name under which a bucket comes back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RestoreBucket {
    #[schema(example = "team-files", min_length = 3, max_length = 63)]
    name: String,
}

/// Brings a deleted bucket back with its trash.
#[utoipa::path(post, path = "/api/v1/trash/buckets/{bucket}/restore", tag = "Files", params(("bucket" = BucketId, Path)),
    request_body = RestoreBucket, responses((status = 200, body = Bucket), (status = 404), (status = 409), (status = 422)))]
pub(super) async fn restore_bucket(
    State(files): State<Files>,
    Auth(who): Auth,
    Path(bucket): Path<BucketId>,
    Json(body): Json<RestoreBucket>,
) -> Result<Json<Bucket>, ApiError> {
    who.require(ADMIN)?;
    Ok(Json(files.restore_bucket(&Caller::of(&who), bucket, &body.name).await?))
}

/// Returns what the organisation stores, and may.
#[utoipa::path(get, path = "/api/v1/files/usage", tag = "Files", responses((status = 200, body = OrgUsage)))]
pub(super) async fn get_files_usage(State(files): State<Files>, Auth(who): Auth) -> Result<Json<OrgUsage>, ApiError> {
    who.require(READ)?;
    Ok(Json(files.usage(&Caller::of(&who)).await?))
}

/// What an organisation may store.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct QuotaBody {
    /// With versions and trash; null: as the settings say.
    #[schema(minimum = 0)]
    bytes: Option<i64>,
    /// Current ones; null: as the settings say.
    #[schema(minimum = 0)]
    objects: Option<i64>,
}

/// Sets the quota of an organisation. For operators.
#[utoipa::path(put, path = "/api/v1/files/quotas/{organisation}", tag = "Files", params(("organisation" = OrgId, Path)),
    request_body = QuotaBody, responses((status = 204), (status = 403), (status = 404), (status = 422)))]
pub(super) async fn put_quota(
    State(files): State<Files>,
    Auth(who): Auth,
    Path(organisation): Path<OrgId>,
    Json(body): Json<QuotaBody>,
) -> Result<StatusCode, ApiError> {
    who.require_operator("set quotas")?;
    files.set_quota(organisation, body.bytes, body.objects, &who.subject()).await?;
    Ok(StatusCode::NO_CONTENT)
}
