//! `/api/v1/buckets`

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::headers::conditions;
use crate::{
    ADMIN, Bucket, BucketChange, BucketRule, BucketRuleId, BucketUsage, Caller, CorsRule, EtagList, Files, FilesError,
    LifecycleRule, NewBucket, NewBucketRule, READ, Verb, cross_origin, etag_value,
};
use platform::{
    error::ApiError,
    http::{Auth, Json, ListQuery, Page, Path, Query},
};

/// Lists buckets, newest first.
#[utoipa::path(get, path = "/api/v1/buckets", tag = "Files",
    params(ListQuery, ("q" = Option<String>, Query, description = "A part of the name.")),
    responses((status = 200, body = Page<Bucket>)))]
pub(super) async fn list_buckets(
    State(files): State<Files>,
    Auth(who): Auth,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Bucket>>, ApiError> {
    who.require(READ)?;
    let slice = query.slice()?;
    let rows = files.list_buckets(&Caller::of(&who), query.search(), &slice).await?;
    Ok(Json(slice.page(rows, |bucket| bucket.id.0)))
}

/// Makes a bucket.
#[utoipa::path(post, path = "/api/v1/buckets", tag = "Files", request_body = NewBucket,
    responses((status = 201, body = Bucket), (status = 409), (status = 413), (status = 422)))]
pub(super) async fn create_bucket(
    State(files): State<Files>,
    Auth(who): Auth,
    Json(new): Json<NewBucket>,
) -> Result<(StatusCode, Json<Bucket>), ApiError> {
    who.require(ADMIN)?;
    Ok((StatusCode::CREATED, Json(files.create_bucket(&Caller::of(&who), new).await?)))
}

/// The bucket, with its revision as `ETag`.
fn with_etag(bucket: Bucket) -> Response {
    ([(header::ETAG, etag_value(&bucket.revision.to_string()))], Json(bucket)).into_response()
}

/// Returns a bucket, by its name or its id.
#[utoipa::path(get, path = "/api/v1/buckets/{bucket}", tag = "Files", params(("bucket" = String, Path, description = "Name or id.")),
    responses((status = 200, body = Bucket), (status = 404)))]
pub(super) async fn get_bucket(
    State(files): State<Files>,
    Auth(who): Auth,
    Path(bucket): Path<String>,
) -> Result<Response, ApiError> {
    who.require(READ)?;
    Ok(with_etag(files.bucket(&Caller::of(&who), &bucket).await?))
}

/// Changes a bucket
///
/// What is left out stays as it is. With `If-Match` only if nobody has changed it since.
#[utoipa::path(patch, path = "/api/v1/buckets/{bucket}", tag = "Files", params(("bucket" = String, Path, description = "Name or id.")),
    request_body = BucketChange, responses((status = 200, body = Bucket), (status = 404), (status = 412), (status = 422)))]
pub(super) async fn change_bucket(
    State(files): State<Files>,
    Auth(who): Auth,
    Path(bucket): Path<String>,
    headers: HeaderMap,
    Json(change): Json<BucketChange>,
) -> Result<Response, ApiError> {
    who.require(ADMIN)?;
    change_with(&files, &Caller::of(&who), &bucket, &headers, change).await
}

async fn change_with(
    files: &Files,
    who: &Caller,
    bucket: &str,
    headers: &HeaderMap,
    change: BucketChange,
) -> Result<Response, ApiError> {
    let bucket = files.bucket(who, bucket).await?;
    let revision = match conditions(headers)?.if_match {
        None | Some(EtagList::Any) => None,
        Some(EtagList::These(tags)) => Some(tags),
    };
    let revision = match revision.as_deref() {
        None => None,
        // Another etag than a revision is none of ours.
        Some([one]) => Some(one.parse::<i64>().map_err(|_| FilesError::Precondition)?),
        Some(_) => return Err(FilesError::Precondition.into()),
    };
    Ok(with_etag(files.change_bucket(who, bucket.id, revision, change).await?))
}

/// Deletes a bucket that has nothing but trash. Its name is free at once.
#[utoipa::path(delete, path = "/api/v1/buckets/{bucket}", tag = "Files", params(("bucket" = String, Path, description = "Name or id.")),
    responses((status = 204), (status = 404), (status = 409)))]
pub(super) async fn delete_bucket(
    State(files): State<Files>,
    Auth(who): Auth,
    Path(bucket): Path<String>,
) -> Result<StatusCode, ApiError> {
    who.require(ADMIN)?;
    let who = Caller::of(&who);
    let bucket = files.bucket(&who, &bucket).await?;
    files.delete_bucket(&who, bucket.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Returns what a bucket has: objects, versions, trash.
#[utoipa::path(get, path = "/api/v1/buckets/{bucket}/usage", tag = "Files", params(("bucket" = String, Path, description = "Name or id.")),
    responses((status = 200, body = BucketUsage), (status = 404)))]
pub(super) async fn get_bucket_usage(
    State(files): State<Files>,
    Auth(who): Auth,
    Path(bucket): Path<String>,
) -> Result<Json<BucketUsage>, ApiError> {
    who.require(READ)?;
    let who = Caller::of(&who);
    let bucket = files.bucket(&who, &bucket).await?;
    Ok(Json(files.bucket_usage(&who, &bucket).await?))
}

/// Who may do what below a prefix.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RuleInfo {
    id: BucketRuleId,
    subject: String,
    prefix: String,
    verbs: Vec<Verb>,
    created_by: String,
    created_at: DateTime<Utc>,
}

impl From<BucketRule> for RuleInfo {
    fn from(rule: BucketRule) -> Self {
        let BucketRule { id, subject, prefix, verbs, created_by, created_at } = rule;
        Self { id, subject: subject.to_string(), prefix, verbs, created_by, created_at }
    }
}

/// The rules of a bucket.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Rules {
    data: Vec<RuleInfo>,
}

/// All rules of a bucket.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PutRules {
    #[schema(max_items = 100)]
    rules: Vec<NewBucketRule>,
}

/// Returns the rules of a bucket
///
/// A bucket without rules: viewers list and read, members write and delete, admins do everything.
#[utoipa::path(get, path = "/api/v1/buckets/{bucket}/rules", tag = "Files", params(("bucket" = String, Path, description = "Name or id.")),
    responses((status = 200, body = Rules), (status = 404)))]
pub(super) async fn get_rules(
    State(files): State<Files>,
    Auth(who): Auth,
    Path(bucket): Path<String>,
) -> Result<Json<Rules>, ApiError> {
    who.require(ADMIN)?;
    let who = Caller::of(&who);
    let bucket = files.bucket(&who, &bucket).await?;
    let rules = files.rules(&who, &bucket).await?;
    Ok(Json(Rules { data: rules.into_iter().map(RuleInfo::from).collect() }))
}

/// Replaces the rules of a bucket. An empty list brings back the defaults.
#[utoipa::path(put, path = "/api/v1/buckets/{bucket}/rules", tag = "Files", params(("bucket" = String, Path, description = "Name or id.")),
    request_body = PutRules, responses((status = 200, body = Rules), (status = 404), (status = 422)))]
pub(super) async fn put_rules(
    State(files): State<Files>,
    Auth(who): Auth,
    Path(bucket): Path<String>,
    Json(body): Json<PutRules>,
) -> Result<Json<Rules>, ApiError> {
    who.require(ADMIN)?;
    let who = Caller::of(&who);
    let bucket = files.bucket(&who, &bucket).await?;
    let rules = files.set_rules(&who, &bucket, body.rules).await?;
    Ok(Json(Rules { data: rules.into_iter().map(RuleInfo::from).collect() }))
}

/// Returns which pages of other sites may use a bucket that is not public.
#[utoipa::path(get, path = "/api/v1/buckets/{bucket}/cors", tag = "Files", params(("bucket" = String, Path, description = "Name or id.")),
    responses((status = 200, body = Vec<CorsRule>), (status = 404)))]
pub(super) async fn get_cors(
    State(files): State<Files>,
    Auth(who): Auth,
    Path(bucket): Path<String>,
) -> Result<Json<Value>, ApiError> {
    who.require(READ)?;
    Ok(Json(files.bucket(&Caller::of(&who), &bucket).await?.cors))
}

/// All rules of CORS of a bucket.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PutCors {
    #[schema(max_items = 100)]
    cors: Vec<CorsRule>,
}

/// Replaces the rules of CORS of a bucket.
#[utoipa::path(put, path = "/api/v1/buckets/{bucket}/cors", tag = "Files", params(("bucket" = String, Path, description = "Name or id.")),
    request_body = PutCors, responses((status = 200, body = Bucket), (status = 404), (status = 422)))]
pub(super) async fn put_cors(
    State(files): State<Files>,
    Auth(who): Auth,
    Path(bucket): Path<String>,
    headers: HeaderMap,
    Json(PutCors { cors }): Json<PutCors>,
) -> Result<Response, ApiError> {
    who.require(ADMIN)?;
    let errors = cross_origin::problems(&cors);
    if !errors.is_empty() {
        return Err(FilesError::Invalid(errors).into());
    }
    let cors = Some(serde_json::to_value(cors).map_err(FilesError::from)?);
    let change = BucketChange { cors, ..BucketChange::default() };
    change_with(&files, &Caller::of(&who), &bucket, &headers, change).await
}

/// Returns the rules that delete or move objects of a bucket by their age.
#[utoipa::path(get, path = "/api/v1/buckets/{bucket}/lifecycle", tag = "Files", params(("bucket" = String, Path, description = "Name or id.")),
    responses((status = 200, body = Vec<LifecycleRule>), (status = 404)))]
pub(super) async fn get_lifecycle(
    State(files): State<Files>,
    Auth(who): Auth,
    Path(bucket): Path<String>,
) -> Result<Json<Value>, ApiError> {
    who.require(READ)?;
    Ok(Json(files.bucket(&Caller::of(&who), &bucket).await?.lifecycle))
}

/// All rules of a bucket that delete or move objects by their age.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PutLifecycle {
    lifecycle: Vec<LifecycleRule>,
}

/// Replaces the rules that delete or move objects of a bucket by their age.
#[utoipa::path(put, path = "/api/v1/buckets/{bucket}/lifecycle", tag = "Files", params(("bucket" = String, Path, description = "Name or id.")),
    request_body = PutLifecycle, responses((status = 200, body = Bucket), (status = 404), (status = 422)))]
pub(super) async fn put_lifecycle(
    State(files): State<Files>,
    Auth(who): Auth,
    Path(bucket): Path<String>,
    headers: HeaderMap,
    Json(PutLifecycle { lifecycle }): Json<PutLifecycle>,
) -> Result<Response, ApiError> {
    who.require(ADMIN)?;
    let change = BucketChange { lifecycle: Some(lifecycle), ..BucketChange::default() };
    change_with(&files, &Caller::of(&who), &bucket, &headers, change).await
}

/// Options of images by name.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = Object)]
pub(super) struct Presets(serde_json::Map<String, Value>);

/// Returns the named options of images of a bucket.
#[utoipa::path(get, path = "/api/v1/buckets/{bucket}/presets", tag = "Files", params(("bucket" = String, Path, description = "Name or id.")),
    responses((status = 200, body = Presets), (status = 404)))]
pub(super) async fn get_presets(
    State(files): State<Files>,
    Auth(who): Auth,
    Path(bucket): Path<String>,
) -> Result<Json<Value>, ApiError> {
    who.require(READ)?;
    Ok(Json(files.bucket(&Caller::of(&who), &bucket).await?.image_presets))
}

/// All named options of images of a bucket.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PutPresets {
    image_presets: Presets,
}

/// Replaces the named options of images of a bucket.
#[utoipa::path(put, path = "/api/v1/buckets/{bucket}/presets", tag = "Files", params(("bucket" = String, Path, description = "Name or id.")),
    request_body = PutPresets, responses((status = 200, body = Bucket), (status = 404), (status = 422)))]
pub(super) async fn put_presets(
    State(files): State<Files>,
    Auth(who): Auth,
    Path(bucket): Path<String>,
    headers: HeaderMap,
    Json(PutPresets { image_presets: Presets(presets) }): Json<PutPresets>,
) -> Result<Response, ApiError> {
    who.require(ADMIN)?;
    let change = BucketChange { image_presets: Some(Value::Object(presets)), ..BucketChange::default() };
    change_with(&files, &Caller::of(&who), &bucket, &headers, change).await
}
