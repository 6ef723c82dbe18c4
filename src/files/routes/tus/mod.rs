//! `/f/tus`: resumable uploads by tus 1.0, for every surface that has them.
//!
//! Creation (also with the first bytes, or without a length), checksum, expiration, termination, concatenation. An upload's address is made of
//! `server.public_url`, never of what a proxy says.

mod protocol;

use axum::{
    Extension, Router,
    body::Body,
    extract::{OriginalUri, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::{Next, from_fn},
    response::{IntoResponse as _, Response},
    routing::{head, post},
};
use serde_json::Value;

use crate::{
    Bucket, Caller, Claims, Conditions, Files, FilesError, Headers, Key, Metadata, NewObject, NewUpload, Upload,
    UploadId, UploadKind, WRITE, Why, cross_origin,
};
use platform::{
    error::ApiError,
    http::{Path, Principal},
};
use protocol::Concat;

const RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");

/// The routes below `path`.
pub(crate) fn router(path: &str) -> Router<Files> {
    let routes = Router::new()
        .route(path, post(create).options(options))
        .route(&format!("{path}/{{id}}"), head(look).patch(append).delete(end).post(overridden).options(options))
        .layer(from_fn(speak));
    cross_origin::open(routes)
}

/// Both sides speak the same version, and no cache keeps an offset.
async fn speak(request: Request, next: Next) -> Response {
    let spoken = request.headers().get(&RESUMABLE).is_some_and(|version| version == protocol::VERSION);
    let mut response = if spoken || request.method() == Method::OPTIONS {
        next.run(request).await
    } else {
        let text = "this address speaks tus 1.0.0: send `Tus-Resumable: 1.0.0`";
        let mut response = ApiError::new(StatusCode::PRECONDITION_FAILED, "tus_version", text).into_response();
        let version = HeaderValue::from_static(protocol::VERSION);
        response.headers_mut().insert(HeaderName::from_static("tus-version"), version);
        response
    };
    let headers = response.headers_mut();
    headers.insert(RESUMABLE, HeaderValue::from_static(protocol::VERSION));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn options(State(files): State<Files>) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        ("tus-version", protocol::VERSION),
        ("tus-extension", protocol::EXTENSIONS),
        ("tus-checksum-algorithm", protocol::CHECKSUMS),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.insert(HeaderName::from_static("tus-max-size"), HeaderValue::from(files.config().max_object_bytes));
    response
}

/// Who uploads: a person or a key of the organisation, or the holder of a token that was signed for this.
fn caller(
    files: &Files,
    principal: Option<&Principal>,
    headers: &HeaderMap,
) -> Result<(Caller, Option<Claims>), ApiError> {
    if let Some(signature) = headers.get("x-signature") {
        let token = signature.to_str().map_err(|_| FilesError::from(Why::Token))?;
        let claims = files.verify(token)?;
        return Ok((files.bearer(&claims), Some(claims)));
    }
    let who = principal.ok_or(FilesError::Denied(Why::Nobody))?;
    who.require(WRITE)?;
    Ok((Caller::of(who), None))
}

/// An error as tus clients know it.
fn refused(error: FilesError) -> Response {
    let status = StatusCode::from_u16(460).unwrap_or(StatusCode::BAD_REQUEST);
    match error {
        FilesError::Digest { .. } => ApiError::new(status, "checksum_mismatch", error.to_string()).into_response(),
        FilesError::Offset { expected } => {
            let mut response = ApiError::from(error).into_response();
            response.headers_mut().insert(HeaderName::from_static("upload-offset"), HeaderValue::from(expected));
            response
        }
        FilesError::Invalid(errors) => {
            let detail = errors.first().map(|error| error.detail.clone()).unwrap_or_default();
            ApiError { errors, ..ApiError::bad_request("invalid_header", detail) }.into_response()
        }
        error => ApiError::from(error).into_response(),
    }
}

/// What an upload will be, by its metadata. The names are those that tus clients, Uppy and supabase use.
struct Said {
    bucket: Bucket,
    key: Key,
    new: NewUpload,
}

async fn said(files: &Files, who: &Caller, claims: Option<&Claims>, headers: &HeaderMap) -> Result<Said, FilesError> {
    let mut metadata = protocol::metadata(headers)?;
    let mut take = |names: &[&str]| names.iter().find_map(|name| metadata.remove(*name));
    let bucket = take(&["bucketName", "bucket"]);
    let key = take(&["objectName", "key", "filename", "name"]);
    let content_type = take(&["contentType", "filetype", "type"]).filter(|kind| !kind.is_empty());
    let cache_control = take(&["cacheControl"]).map(|text| cache_control(&text));
    let own = take(&["metadata"]);
    let missing = |what: &str| {
        let text = format!("upload-metadata: {what} is missing, which partial uploads need, too");
        FilesError::invalid("/upload-metadata", "required", text)
    };
    let bucket = match (bucket, claims) {
        (Some(name), _) => files.bucket(who, &name).await?,
        (None, Some(claims)) => files.bucket_by_id(who, claims.bucket).await?,
        (None, None) => return Err(missing("bucketName")),
    };
    let key = key.or_else(|| claims.map(|claims| claims.key.clone())).ok_or_else(|| missing("objectName"))?;
    let mut metadata: Metadata = metadata;
    metadata.extend(own.map(|text| custom(&text)).transpose()?.unwrap_or_default());
    let upsert = headers.get("x-upsert").map(|value| value == "true");
    let mut new = NewUpload {
        content_type,
        headers: Headers { cache_control, ..Headers::default() },
        metadata,
        // Other clients than supabase's know no upsert, and replace.
        replace: upsert.unwrap_or(true),
        ..NewUpload::of(UploadKind::Tus)
    };
    if let Some(claims) = claims {
        // As a PUT with the same token.
        let like = NewObject { content_type: new.content_type.clone(), ..NewObject::default() };
        claims.check(&like)?;
        new.replace = !claims.keep;
        new.claims = Some(claims.clone());
    }
    Ok(Said { bucket, key: Key::parse(key)?, new })
}

/// supabase sends seconds.
fn cache_control(text: &str) -> String {
    match text.parse::<u64>() {
        Ok(seconds) => format!("max-age={seconds}"),
        Err(_) => text.to_owned(),
    }
}

/// A JSON object of anything: metadata of ours is text.
pub(crate) fn custom(text: &str) -> Result<Metadata, FilesError> {
    let wrong = |_| FilesError::invalid("/metadata", "invalid", "metadata: expected a JSON object");
    let object: serde_json::Map<String, Value> = serde_json::from_str(text).map_err(wrong)?;
    let plain = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    Ok(object.into_iter().map(|(key, value)| (key, plain(value))).collect())
}

async fn create(
    State(files): State<Files>,
    principal: Option<Extension<Principal>>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let (who, claims) = caller(&files, principal.as_deref(), &headers)?;
    let made = match begin(&files, &who, claims.as_ref(), &headers, body).await {
        Ok(made) => made,
        Err(error) => return Ok(refused(error)),
    };
    let address = format!("{}{}/{}", files.public_url(), uri.path().trim_end_matches('/'), made.id);
    let mut response = StatusCode::CREATED.into_response();
    let told = response.headers_mut();
    if let Ok(address) = HeaderValue::try_from(address) {
        told.insert(header::LOCATION, address);
    }
    told.insert(HeaderName::from_static("upload-offset"), HeaderValue::from(made.received));
    if let Ok(expires) = HeaderValue::try_from(protocol::expires(made.expires_at)) {
        told.insert(HeaderName::from_static("upload-expires"), expires);
    }
    Ok(response)
}

async fn begin(
    files: &Files,
    who: &Caller,
    claims: Option<&Claims>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Upload, FilesError> {
    let Said { bucket, key, mut new } = said(files, who, claims, headers).await?;
    let concat = protocol::concat(headers)?;
    if let Concat::Final(parts) = &concat {
        let upload = files.begin_upload(who, &bucket, key, new).await?;
        let joined = files.join_uploads(who, &upload, parts).await?;
        files.complete(who, &joined, None, &Conditions::default()).await?;
        return files.upload(who, upload.id).await;
    }
    new.length = protocol::new_length(headers)?;
    if concat == Concat::Partial {
        new.kind = UploadKind::TusPartial;
    } else if let Some(claims) = claims {
        claims.check(&NewObject {
            length: new.length,
            content_type: new.content_type.clone(),
            ..NewObject::default()
        })?;
    }
    let digest = protocol::checksum(headers)?;
    let upload = files.begin_upload(who, &bucket, key, new).await?;
    let with_bytes = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == protocol::CONTENT);
    if with_bytes {
        files.append_and_finish(who, &upload, 0, body.into_data_stream(), digest).await?;
    }
    files.look_at_upload(who, upload.id).await
}

async fn look(
    State(files): State<Files>,
    principal: Option<Extension<Principal>>,
    Path(Which { id }): Path<Which>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (who, _) = caller(&files, principal.as_deref(), &headers)?;
    let mut response = match files.look_at_upload(&who, id).await {
        // Given up.
        Ok(upload) if upload.ended_at.is_some() && upload.object.is_none() => refused(FilesError::Ended),
        Ok(upload) => {
            let mut response = StatusCode::OK.into_response();
            protocol::tell(response.headers_mut(), &upload);
            response
        }
        Err(error) => refused(error),
    };
    response.headers_mut().remove(header::CONTENT_TYPE);
    Ok(response)
}

/// The id is the last part of every address; others stand before it on some surfaces.
#[derive(serde::Deserialize)]
struct Which {
    id: UploadId,
}

async fn append(
    State(files): State<Files>,
    principal: Option<Extension<Principal>>,
    Path(Which { id }): Path<Which>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let (who, _) = caller(&files, principal.as_deref(), &headers)?;
    if headers.get(header::CONTENT_TYPE).is_none_or(|kind| kind != protocol::CONTENT) {
        return Err(ApiError::unsupported_media_type(format!("send `Content-Type: {}`", protocol::CONTENT)));
    }
    Ok(match add(&files, &who, id, &headers, body).await {
        Ok(upload) => {
            let mut response = StatusCode::NO_CONTENT.into_response();
            protocol::tell(response.headers_mut(), &upload);
            response.headers_mut().remove("upload-metadata");
            response
        }
        Err(error) => refused(error),
    })
}

async fn add(files: &Files, who: &Caller, id: UploadId, headers: &HeaderMap, body: Body) -> Result<Upload, FilesError> {
    let (at, digest) = (protocol::offset(headers)?, protocol::checksum(headers)?);
    let mut upload = files.upload(who, id).await?;
    if upload.ended_at.is_some() {
        // The answer to the last request was lost: it is told again.
        let is_done = upload.object.is_some() && upload.length == Some(at);
        return if is_done { Ok(upload) } else { Err(FilesError::Ended) };
    }
    if let Some(length) = protocol::length(headers)? {
        upload = files.set_upload_length(who, &upload, length).await?;
    }
    files.append_and_finish(who, &upload, at, body.into_data_stream(), digest).await?;
    files.upload(who, id).await
}

async fn end(
    State(files): State<Files>,
    principal: Option<Extension<Principal>>,
    Path(Which { id }): Path<Which>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (who, _) = caller(&files, principal.as_deref(), &headers)?;
    let done = async {
        let upload = files.upload(&who, id).await?;
        files.abort(&who, &upload).await
    };
    Ok(match done.await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => refused(error),
    })
}

/// For clients that cannot send other methods than GET and POST.
async fn overridden(
    state: State<Files>,
    principal: Option<Extension<Principal>>,
    which: Path<Which>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let method = headers.get("x-http-method-override").and_then(|method| method.to_str().ok()).unwrap_or_default();
    match method.to_ascii_uppercase().as_str() {
        "PATCH" => append(state, principal, which, headers, body).await,
        "DELETE" => end(state, principal, which, headers).await,
        "HEAD" => look(state, principal, which, headers).await,
        _ => {
            let text = "this address takes HEAD, PATCH and DELETE, also by `X-HTTP-Method-Override`";
            Err(ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", text))
        }
    }
}
