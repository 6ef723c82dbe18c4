//! Addresses without an account: public objects (`/f/o/{organisation}/{bucket}/{key}`), contents by their hash (`/f/c/{organisation}/{sha256}/{name}`), and
//! what tokens allow (`/f/t/{token}`).

use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, Multipart, Request, State, multipart::MultipartRejection},
    http::{HeaderMap, Method, StatusCode, header, request::Parts},
    response::{IntoResponse as _, Response},
    routing::get,
};
use serde::Deserialize;

use super::{Exact, forms, headers::new_object, images, shapes::ObjectInfo};
use crate::{
    Bucket, Caller, Claims, Decision, Files, FilesError, Key, Object, Overrides, Surface, Verb, VersionRef,
    cross_origin, decide, etag_value, refused, respond, supabase,
};
use platform::{
    error::ApiError,
    http::{Json, Path},
    ids::OrgId,
};

/// Addresses that nobody signs in for: no session counts there.
pub(crate) const PUBLIC: &[&str] = &["/f/o", "/f/c", "/f/t", "/f/l"];

pub(crate) fn router() -> Router<Files> {
    let routes = Router::new()
        .route("/f/o/{org}/{bucket}/{*key}", get(get_public))
        .route("/f/c/{org}/{sha256}/{*name}", get(get_content))
        .route("/f/t/{token}", get(get_by_token).put(put_by_token).post(post_by_token))
        .route("/f/t/{token}/{*rest}", get(get_below_token))
        .layer(DefaultBodyLimit::disable());
    cross_origin::open(routes)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Download {
    /// To be kept as a file of this name; empty: of its own name.
    download: Option<String>,
}

impl Download {
    pub(crate) fn new(download: Option<String>) -> Self {
        Self { download }
    }

    pub(crate) fn overrides(self) -> Overrides {
        Overrides { download: self.download, ..Overrides::default() }
    }
}

async fn get_public(
    State(files): State<Files>,
    Path((org, bucket, key)): Path<(String, String, String)>,
    Exact(download): Exact<Download>,
    request: Request,
) -> Result<Response, ApiError> {
    let org = files.organisation(&org).await?.ok_or(FilesError::ObjectNotFound)?;
    let (parts, _) = request.into_parts();
    let (who, bucket, object) = public_object(&files, org, &bucket, key).await?;
    let query = parts.uri.query().unwrap_or_default();
    if let Some(others) = beside_options(query) {
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        let image = files.picture(&who, &bucket, &object, query, &others, &parts.headers).await?;
        return Ok(images::respond(&image, &bucket, &object, &parts.headers));
    }
    answer(&files, &who, &bucket, &object, &parts, (Surface::Public, download.overrides())).await
}

/// What a query has besides options of an image; `None`: it has none of these.
fn beside_options(query: &str) -> Option<Vec<String>> {
    const OPTIONS: [&str; 14] = [
        "preset",
        "width",
        "height",
        "dpr",
        "fit",
        "focus",
        "crop",
        "format",
        "quality",
        "background",
        "blur",
        "animated",
        "enlarge",
        "s",
    ];
    let pairs: Vec<(String, String)> = serde_html_form::from_str(query).ok()?;
    let (options, others): (Vec<_>, Vec<_>) =
        pairs.into_iter().map(|(name, _)| name).partition(|name| OPTIONS.contains(&name.as_str()));
    (!options.is_empty()).then_some(others)
}

/// An object of a public bucket. That there is none, or that the bucket is not public, looks the same.
pub(crate) async fn public_object(
    files: &Files,
    org: OrgId,
    bucket: &str,
    key: String,
) -> Result<(Caller, Bucket, Object), FilesError> {
    let who = Caller::anyone(org);
    let hidden = |error: FilesError| match error {
        FilesError::BucketNotFound | FilesError::Denied(_) | FilesError::Marker { .. } | FilesError::Key(_) => {
            FilesError::ObjectNotFound
        }
        other => other,
    };
    let bucket = files.bucket(&who, bucket).await.map_err(hidden)?;
    let key = Key::parse(key).map_err(|_| FilesError::ObjectNotFound)?;
    let object = files.find(&who, &bucket, &key, None).await.map_err(hidden)?;
    Ok((who, bucket, object))
}

async fn get_content(
    State(files): State<Files>,
    Path((org, sha256, name)): Path<(String, String, String)>,
    request: Request,
) -> Result<Response, ApiError> {
    let org = files.organisation(&org).await?.ok_or(FilesError::ObjectNotFound)?;
    let (who, bucket, object) = files.content(org, &sha256).await?.ok_or(FilesError::ObjectNotFound)?;
    let (parts, _) = request.into_parts();
    // The name is only what a file is called.
    let file = name.rsplit('/').next().unwrap_or_default();
    let disposition = platform::http::disposition("inline", file).to_str().map(str::to_owned).ok();
    let overrides = Overrides { immutable: true, content_disposition: disposition, ..Overrides::default() };
    answer(&files, &who, &bucket, &object, &parts, (Surface::Public, overrides)).await
}

pub(crate) async fn answer(
    files: &Files,
    who: &Caller,
    bucket: &Bucket,
    object: &Object,
    parts: &Parts,
    (surface, overrides): (Surface, Overrides),
) -> Result<Response, ApiError> {
    let answer = respond(files, who, bucket, object, parts, surface, overrides).await;
    Ok(answer.unwrap_or_else(refused))
}

async fn get_by_token(
    State(files): State<Files>,
    Path(token): Path<String>,
    Exact(download): Exact<Download>,
    request: Request,
) -> Result<Response, ApiError> {
    let claims = files.verify(&token)?;
    let key = Key::parse(claims.key.clone()).map_err(FilesError::from)?;
    if let Some(image) = &claims.image {
        let options = ::images::Options::of_query(image).map_err(FilesError::Invalid)?;
        return supabase::image_by_token(&files, &claims, &key, &options, request).await;
    }
    read_with(&files, &claims, key, download.overrides(), request).await
}

async fn get_below_token(
    State(files): State<Files>,
    Path((token, rest)): Path<(String, String)>,
    Exact(download): Exact<Download>,
    request: Request,
) -> Result<Response, ApiError> {
    let claims = files.verify(&token)?;
    if !claims.prefix {
        return Err(FilesError::ObjectNotFound.into());
    }
    let key = Key::parse(format!("{}{rest}", claims.key)).map_err(FilesError::from)?;
    read_with(&files, &claims, key, download.overrides(), request).await
}

pub(crate) async fn read_with(
    files: &Files,
    claims: &Claims,
    key: Key,
    overrides: Overrides,
    request: Request,
) -> Result<Response, ApiError> {
    let who = files.bearer(claims);
    let bucket = files.bucket_by_id(&who, claims.bucket).await?;
    let object = files.find(&who, &bucket, &key, claims.object.map(VersionRef::Id)).await?;
    let (parts, _) = request.into_parts();
    // What is answered without bytes uses nothing up.
    let decision = decide(&parts.headers, &parts.method, &object.etag, object.created_at, object.size);
    if parts.method != Method::HEAD && matches!(decision, Decision::Whole | Decision::Part(_)) {
        files.spend_on_reading(claims).await?;
    }
    answer(files, &who, &bucket, &object, &parts, (Surface::Token, overrides)).await
}

async fn put_by_token(
    State(files): State<Files>,
    Path(token): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let claims = files.verify(&token)?;
    let (who, bucket) = writer(&files, &claims, false).await?;
    let key = Key::parse(claims.key.clone()).map_err(FilesError::from)?;
    let new = claims.bind(new_object(&headers)?)?;
    let written = files.put(&who, &bucket, key, body.into_data_stream(), new).await?;
    let status = if written.created { StatusCode::CREATED } else { StatusCode::OK };
    let etag = etag_value(&written.object.etag);
    Ok((status, [(header::ETAG, etag)], Json(ObjectInfo::from(written.object))).into_response())
}

async fn post_by_token(
    State(files): State<Files>,
    Path(token): Path<String>,
    form: Result<Multipart, MultipartRejection>,
) -> Result<Response, ApiError> {
    let claims = files.verify(&token)?;
    let (who, bucket) = writer(&files, &claims, true).await?;
    Ok(forms::receive(&files, &who, &bucket, form, Some(&claims)).await?.into_response())
}

/// Who writes with a token: one of a single object by PUT, one of a prefix by a form.
async fn writer(files: &Files, claims: &Claims, by_form: bool) -> Result<(Caller, Bucket), FilesError> {
    if claims.verb != Verb::Write || claims.prefix != by_form {
        return Err(crate::Why::Token.into());
    }
    let who = files.bearer(claims);
    let bucket = files.bucket_by_id(&who, claims.bucket).await?;
    Ok((who, bucket))
}
