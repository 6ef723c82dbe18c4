//! `/api/v1/buckets`

use axum::{extract::State, http::StatusCode};

use crate::{ADMIN, Bucket, Caller, Files, NewBucket, READ};
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

/// Returns a bucket, by its name or its id.
#[utoipa::path(get, path = "/api/v1/buckets/{bucket}", tag = "Files", params(("bucket" = String, Path, description = "Name or id.")),
    responses((status = 200, body = Bucket), (status = 404)))]
pub(super) async fn get_bucket(
    State(files): State<Files>,
    Auth(who): Auth,
    Path(bucket): Path<String>,
) -> Result<Json<Bucket>, ApiError> {
    who.require(READ)?;
    Ok(Json(files.bucket(&Caller::of(&who), &bucket).await?))
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
