//! `/api/v1/buckets/{bucket}/images`: objects in other sizes and formats, and what is known of images.

use axum::{
    body::Body,
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    ADMIN, Bucket, Caller, Files, FilesError, Key, LastImageReport, Object, READ, Variant, VersionRef, etag_value,
};
use platform::{
    error::ApiError,
    http::{Auth, Finished, Json, Path, disposition},
};

/// Nothing in an image runs; this holds for what is not known yet.
const POLICY: &str = "sandbox; default-src 'none'";

/// Returns an image of an object in another size or format
///
/// Images (JPEG, PNG, GIF, WebP) and, where the programs are installed, the first page of PDFs and the first frame of videos. Turned upright, in
/// sRGB, without metadata. Made once, and kept.
#[utoipa::path(get, path = "/api/v1/buckets/{bucket}/images/{*key}", tag = "Files",
    params(("bucket" = String, Path, description = "Name or id."), ("*key" = String, Path, description = "The key; `/` as such."),
        ("version" = Option<String>, Query, description = "Id of a version, or `null`; absent: what is current."),
        ("preset" = Option<String>, Query, description = "Options that the bucket names; without others."),
        ("width" = Option<String>, Query, description = "1 to 2500 pixels."),
        ("height" = Option<String>, Query, description = "1 to 2500 pixels."),
        ("dpr" = Option<String>, Query, description = "Pixels for each of the two above, 1 to 3."),
        ("fit" = Option<String>, Query, description = "`cover` (cut off), `contain` (with a border), `fill` (distorted), `inside`."),
        ("focus" = Option<String>, Query, description = "What stays when it is cut off: `center`, `north`, ..., or percentages such as `30,70`."),
        ("crop" = Option<String>, Query, description = "Part to cut out first: `x,y,width,height` in pixels."),
        ("format" = Option<String>, Query, description = "`auto` (by `Accept`), `jpeg`, `png`, `webp`, `avif`, `keep`."),
        ("quality" = Option<String>, Query, description = "20 to 100."),
        ("background" = Option<String>, Query, description = "Colour behind transparent pixels and of borders: six hexadecimal digits."),
        ("blur" = Option<String>, Query, description = "0 to 50."),
        ("animated" = Option<String>, Query, description = "`keep`, or `first`: the first frame."),
        ("enlarge" = Option<String>, Query, description = "`true`: larger than it is, if the size asks for it.")),
    responses((status = 200, content_type = "image/webp", body = Vec<u8>), (status = 304), (status = 403), (status = 404),
        (status = 415), (status = 422), (status = 503)))]
pub(super) async fn get_image(
    State(files): State<Files>,
    Auth(who): Auth,
    Path((bucket, key)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    who.require(READ)?;
    let who = Caller::of(&who);
    let query = query.unwrap_or_default();
    let (bucket, object) = find(&files, &who, &bucket, key, &query).await?;
    let variant = files.picture(&who, &bucket, &object, &query, &["version"], &headers).await?;
    Ok(respond(&variant, &bucket, &object, &headers))
}

/// What is known of an image.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ImageInfo {
    /// As it is to be seen: turned as its metadata says.
    width: u32,
    height: u32,
    frames: u32,
    /// A `ThumbHash` in base64: 25 bytes or so to show while the image loads.
    placeholder: String,
}

/// Returns the size of an image, and a placeholder
#[utoipa::path(get, path = "/api/v1/buckets/{bucket}/image-info/{*key}", tag = "Files",
    params(("bucket" = String, Path, description = "Name or id."), ("*key" = String, Path, description = "The key; `/` as such."),
        ("version" = Option<String>, Query, description = "Id of a version, or `null`; absent: what is current.")),
    responses((status = 200, body = ImageInfo), (status = 404), (status = 415), (status = 422), (status = 503)))]
pub(super) async fn get_image_info(
    State(files): State<Files>,
    Auth(who): Auth,
    Path((bucket, key)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Json<ImageInfo>, ApiError> {
    who.require(READ)?;
    let who = Caller::of(&who);
    let (bucket, object) = find(&files, &who, &bucket, key, &query.unwrap_or_default()).await?;
    let Variant { facts, bytes, .. } = files.image_facts(&bucket, &object).await?;
    let placeholder = STANDARD.encode(bytes);
    Ok(Json(ImageInfo { width: facts.width, height: facts.height, frames: facts.frames, placeholder }))
}

/// Options that readers without an account may use.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SignedOptions {
    /// What follows the `?` of the image's public address.
    #[schema(example = "width=300&s=Zm9v")]
    query: String,
}

/// Signs options of an image, for its public address
///
/// For buckets whose readers may use signed options. A signature does not end by itself.
#[utoipa::path(get, path = "/api/v1/buckets/{bucket}/image-signature/{*key}", tag = "Files",
    params(("bucket" = String, Path, description = "Name or id."), ("*key" = String, Path, description = "The key; `/` as such."),
        ("preset" = Option<String>, Query, description = "As of the image itself."),
        ("width" = Option<String>, Query, description = "As of the image itself."), ("height" = Option<String>, Query, description = "As of the image itself."),
        ("dpr" = Option<String>, Query, description = "As of the image itself."), ("fit" = Option<String>, Query, description = "As of the image itself."),
        ("focus" = Option<String>, Query, description = "As of the image itself."), ("crop" = Option<String>, Query, description = "As of the image itself."),
        ("format" = Option<String>, Query, description = "As of the image itself."), ("quality" = Option<String>, Query, description = "As of the image itself."),
        ("background" = Option<String>, Query, description = "As of the image itself."), ("blur" = Option<String>, Query, description = "As of the image itself."),
        ("animated" = Option<String>, Query, description = "As of the image itself."), ("enlarge" = Option<String>, Query, description = "As of the image itself.")),
    responses((status = 200, body = SignedOptions), (status = 403), (status = 404), (status = 422)))]
pub(super) async fn sign_image_options(
    State(files): State<Files>,
    Auth(who): Auth,
    Path((bucket, key)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Json<SignedOptions>, ApiError> {
    who.require(READ)?;
    let who = Caller::of(&who);
    let (bucket, object) = find(&files, &who, &bucket, key, "").await?;
    let query = files.sign_options(&bucket, object.key.as_str(), &query.unwrap_or_default())?;
    Ok(Json(SignedOptions { query }))
}

/// Starts a report on how small the images of a bucket could be
///
/// It takes a while, and changes nothing. One that is being made is not started again.
#[utoipa::path(post, path = "/api/v1/buckets/{bucket}/image-report", tag = "Files",
    params(("bucket" = String, Path, description = "Name or id.")), responses((status = 202), (status = 403), (status = 404)))]
pub(super) async fn start_image_report(
    State(files): State<Files>,
    Auth(who): Auth,
    Path(bucket): Path<String>,
) -> Result<StatusCode, ApiError> {
    who.require(ADMIN)?;
    let who = Caller::of(&who);
    let bucket = files.bucket(&who, &bucket).await?;
    files.start_image_report(&who, &bucket).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Returns the last report on how small the images of a bucket could be
#[utoipa::path(get, path = "/api/v1/buckets/{bucket}/image-report", tag = "Files",
    params(("bucket" = String, Path, description = "Name or id.")),
    responses((status = 200, body = LastImageReport), (status = 404, description = "No such bucket, or no report of it yet.")))]
pub(super) async fn get_image_report(
    State(files): State<Files>,
    Auth(who): Auth,
    Path(bucket): Path<String>,
) -> Result<Json<LastImageReport>, ApiError> {
    who.require(READ)?;
    let who = Caller::of(&who);
    let bucket = files.bucket(&who, &bucket).await?;
    let report = files.image_report(&who, &bucket).await?;
    report.map(Json).ok_or_else(|| ApiError::not_found("report"))
}

async fn find(
    files: &Files,
    who: &Caller,
    bucket: &str,
    key: String,
    query: &str,
) -> Result<(Bucket, Object), FilesError> {
    let bucket = files.bucket(who, bucket).await?;
    let key = Key::parse(key)?;
    let object = files.find(who, &bucket, &key, version(query)?).await?;
    Ok((bucket, object))
}

fn version(query: &str) -> Result<Option<VersionRef>, FilesError> {
    let pairs: Vec<(String, String)> = serde_html_form::from_str(query).unwrap_or_default();
    match pairs.iter().find(|(name, _)| name == "version").map(|(_, value)| value.as_str()) {
        None => Ok(None),
        Some("null") => Ok(Some(VersionRef::Unversioned)),
        Some(id) => id.parse().map(|id| Some(VersionRef::Id(id))).map_err(|_| FilesError::VersionNotFound),
    }
}

/// An image as every surface sends it. It was written here, so it may be shown.
pub(crate) fn respond(variant: &Variant, bucket: &Bucket, object: &Object, request: &HeaderMap) -> Response {
    let etag = etag_value(&variant.etag);
    let default_cache = if bucket.public { "public, max-age=60" } else { "no-cache" };
    let cache = [object.headers.cache_control.as_deref(), Some(bucket.cache_control.as_str())];
    let cache = cache.into_iter().flatten().find(|text| !text.is_empty()).unwrap_or(default_cache);
    let mut headers = HeaderMap::from_iter([
        (header::ETAG, etag.clone()),
        (header::CACHE_CONTROL, HeaderValue::try_from(cache).unwrap_or(HeaderValue::from_static("no-cache"))),
        // What the client accepts decides the format.
        (header::VARY, HeaderValue::from_static("accept")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    ]);
    if has(request, &etag) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    let kind = HeaderValue::try_from(variant.facts.content_type.as_str());
    headers.insert(header::CONTENT_TYPE, kind.unwrap_or(HeaderValue::from_static("application/octet-stream")));
    headers.insert(header::CONTENT_DISPOSITION, disposition("inline", object.key.file_name()));
    let mut response = (headers, Body::from(variant.bytes.clone())).into_response();
    response.extensions_mut().insert(Finished);
    response
}

/// Whether `If-None-Match` names it.
fn has(request: &HeaderMap, etag: &HeaderValue) -> bool {
    let named = |value: &HeaderValue| {
        value.to_str().is_ok_and(|list| {
            let mut tags = list.split(',').map(|tag| tag.trim().trim_start_matches("W/"));
            tags.any(|tag| tag == "*" || tag.as_bytes() == etag.as_bytes())
        })
    };
    request.get_all(header::IF_NONE_MATCH).iter().any(named)
}
