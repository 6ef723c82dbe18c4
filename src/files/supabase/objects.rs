//! `/object`: writing, reading, copying, removing.

use axum::{
    body::Body,
    extract::{DefaultBodyLimit, FromRequest as _, Multipart, Request, State},
    http::{HeaderMap, header},
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    shapes,
    who::{AtPath, InBucket, Of, Who},
};
use crate::{
    ADMIN, Bucket, Caller, Claims, Conditions, CopyObject, EtagList, Files, FilesError, Headers, Key, NewObject,
    Object, Surface, VersionRef, Written,
    routes::{
        self, Exact, forms,
        public::{Download, answer, public_object},
        tus::custom,
    },
};
use platform::{
    error::ApiError,
    http::{Json, Path, file_name},
};

/// Most objects that are removed at once.
const MOST: usize = 1000;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    #[serde(rename = "versionId")]
    version: Option<String>,
    #[serde(flatten)]
    download: Download,
}

impl Asked {
    fn version(&self) -> Result<Option<VersionRef>, FilesError> {
        self.version.as_deref().map(routes::parse_version).transpose()
    }
}

async fn found(files: &Files, who: &Caller, at: &AtPath, asked: &Asked) -> Result<(Bucket, Object), FilesError> {
    let bucket = files.bucket(who, &at.bucket).await?;
    let object = files.find(who, &bucket, &at.key()?, asked.version()?).await?;
    Ok((bucket, object))
}

pub(super) async fn read(
    State(files): State<Files>,
    who: Who,
    Path(at): Path<AtPath>,
    Exact(asked): Exact<Asked>,
    request: Request,
) -> Result<Response, ApiError> {
    let (bucket, object) = found(&files, &who.caller, &at, &asked).await?;
    let (parts, _) = request.into_parts();
    let how = (Surface::Supabase, asked.download.overrides());
    answer(&files, &who.caller, &bucket, &object, &parts, how).await
}

pub(super) async fn public(
    State(files): State<Files>,
    Of(org): Of,
    Path(at): Path<AtPath>,
    Exact(asked): Exact<Asked>,
    request: Request,
) -> Result<Response, ApiError> {
    let (who, bucket, mut object) = public_object(&files, org, &at.bucket, at.path).await?;
    if let Some(version) = asked.version()? {
        object = files.find(&who, &bucket, &object.key, Some(version)).await?;
    }
    let (parts, _) = request.into_parts();
    answer(&files, &who, &bucket, &object, &parts, (Surface::Public, asked.download.overrides())).await
}

pub(super) async fn info(
    State(files): State<Files>,
    who: Who,
    Path(at): Path<AtPath>,
    Exact(asked): Exact<Asked>,
) -> Result<Json<Value>, ApiError> {
    let (bucket, object) = found(&files, &who.caller, &at, &asked).await?;
    Ok(Json(shapes::info(&object, &bucket)))
}

pub(super) async fn upload(
    State(files): State<Files>,
    who: Who,
    Path(at): Path<AtPath>,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    let upsert = request.headers().get("x-upsert").is_some_and(|value| value == "true");
    let bucket = files.bucket(&who.caller, &at.bucket).await?;
    write(&files, (&who.caller, &bucket, at.key()?), request, How { replace: upsert, claims: None }).await
}

pub(super) async fn update(
    State(files): State<Files>,
    who: Who,
    Path(at): Path<AtPath>,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    let bucket = files.bucket(&who.caller, &at.bucket).await?;
    write(&files, (&who.caller, &bucket, at.key()?), request, How { replace: true, claims: None }).await
}

/// How an object is written.
pub(super) struct How {
    pub replace: bool,
    pub claims: Option<Claims>,
}

/// The content is the body, or the first file of a form.
pub(super) async fn write(
    files: &Files,
    (who, bucket, key): (&Caller, &Bucket, Key),
    request: Request,
    how: How,
) -> Result<Json<Value>, ApiError> {
    let kind = request.headers().get(header::CONTENT_TYPE).map(|kind| kind.as_bytes().to_ascii_lowercase());
    let written = if kind.is_some_and(|kind| kind.starts_with(b"multipart/form-data")) {
        of_form(files, (who, bucket, key), request, &how).await?
    } else {
        let (parts, body) = request.into_parts();
        let new = raw(&parts.headers)?;
        put(files, (who, bucket, key), body, new, &how).await?
    };
    let full = shapes::full_path(bucket, &written.object);
    Ok(Json(json!({"Id": written.object.id, "Key": full})))
}

async fn put(
    files: &Files,
    (who, bucket, key): (&Caller, &Bucket, Key),
    body: Body,
    new: NewObject,
    how: &How,
) -> Result<Written, FilesError> {
    let new = ready(new, how)?;
    files.put(who, bucket, key, body.into_data_stream(), new).await.map_err(duplicate)
}

/// What is there is not replaced, unless that is wanted; a token binds the rest.
fn ready(mut new: NewObject, how: &How) -> Result<NewObject, FilesError> {
    if !how.replace {
        new.when.if_none_match = Some(EtagList::Any);
    }
    match &how.claims {
        Some(claims) => claims.bind(new),
        None => Ok(new),
    }
}

fn duplicate(error: FilesError) -> FilesError {
    match error {
        FilesError::Precondition => FilesError::Exists,
        other => other,
    }
}

/// Of an upload whose body is the content.
fn raw(headers: &HeaderMap) -> Result<NewObject, FilesError> {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let wrong = || FilesError::invalid("/x-metadata", "invalid", "x-metadata: expected base64 of a JSON object");
    let metadata = match headers.get("x-metadata") {
        None => String::new(),
        Some(value) => {
            let bytes = STANDARD.decode(value.as_bytes()).map_err(|_| wrong())?;
            String::from_utf8(bytes).map_err(|_| wrong())?
        }
    };
    Ok(NewObject {
        length: text(header::CONTENT_LENGTH).and_then(|length| length.parse().ok()),
        content_type: text(header::CONTENT_TYPE),
        headers: Headers {
            cache_control: text(header::CACHE_CONTROL),
            content_encoding: text(header::CONTENT_ENCODING),
            ..Headers::default()
        },
        metadata: if metadata.is_empty() { crate::Metadata::new() } else { custom(&metadata)? },
        ..NewObject::default()
    })
}

/// Of a form: fields `cacheControl` (seconds) and `metadata` (JSON), then the file.
async fn of_form(
    files: &Files,
    (who, bucket, key): (&Caller, &Bucket, Key),
    mut request: Request,
    how: &How,
) -> Result<Written, ApiError> {
    // The file has its own limits; what is beside it is read by a few kilobytes.
    DefaultBodyLimit::disable().apply(&mut request);
    let form = Multipart::from_request(request, &()).await;
    let mut form = form.map_err(|_| ApiError::unsupported_media_type("send the file as `multipart/form-data`"))?;
    let mut new = NewObject::default();
    while let Some(field) = form.next_field().await.map_err(forms::unreadable)? {
        if file_name(field.headers()).is_some() {
            new.content_type = field.content_type().map(str::to_owned);
            let new = ready(new, how)?;
            return Ok(files.put(who, bucket, key, field, new).await.map_err(duplicate)?);
        }
        match field.name().unwrap_or_default() {
            "cacheControl" => new.headers.cache_control = Some(format!("max-age={}", forms::small(field).await?)),
            "contentEncoding" => new.headers.content_encoding = Some(forms::small(field).await?),
            "metadata" => new.metadata = custom(&forms::small(field).await?)?,
            _ => {}
        }
    }
    Err(ApiError::bad_request("invalid_request", "there is no file in the form"))
}

/// Where an object goes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Destination {
    bucket_id: String,
    source_key: String,
    destination_key: String,
    #[serde(default)]
    destination_bucket: Option<String>,
    #[serde(default)]
    source_version_id: Option<String>,
    #[serde(default)]
    copy_metadata: Option<bool>,
    #[serde(default)]
    metadata: Option<CopiedMetadata>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct CopiedMetadata {
    cache_control: Option<String>,
    content_encoding: Option<String>,
    mimetype: Option<String>,
}

impl Destination {
    async fn buckets(&self, files: &Files, who: &Caller) -> Result<(Bucket, Bucket), FilesError> {
        let from = files.bucket(who, &self.bucket_id).await?;
        let to = match &self.destination_bucket {
            Some(bucket) => files.bucket(who, bucket).await?,
            None => from.clone(),
        };
        Ok((from, to))
    }
}

pub(super) async fn rename(
    State(files): State<Files>,
    who: Who,
    Json(body): Json<Destination>,
) -> Result<Json<Value>, ApiError> {
    if body.source_version_id.is_some() {
        let text = "sourceVersionId: what is current is moved; a version can be copied";
        return Err(ApiError::bad_request("invalid_request", text));
    }
    let who = who.caller;
    let (from, to) = body.buckets(&files, &who).await?;
    let (source, target) = keys(&body)?;
    let written = files.rename(&who, (&from, &source), (&to, target), false).await.map_err(duplicate)?;
    let full = shapes::full_path(&to, &written.object);
    Ok(Json(json!({"message": "Successfully moved", "Id": written.object.id, "Key": full})))
}

fn keys(body: &Destination) -> Result<(Key, Key), FilesError> {
    Ok((Key::parse(body.source_key.clone())?, Key::parse(body.destination_key.clone())?))
}

pub(super) async fn copy(
    State(files): State<Files>,
    who: Who,
    headers: HeaderMap,
    Json(body): Json<Destination>,
) -> Result<Json<Value>, ApiError> {
    let who = who.caller;
    let (from, to) = body.buckets(&files, &who).await?;
    let (source, target) = keys(&body)?;
    let version = body.source_version_id.as_deref().map(routes::parse_version).transpose()?;
    let object = files.find(&who, &from, &source, version).await?;
    let replace = (body.copy_metadata == Some(false)).then(|| {
        let said = body.metadata.unwrap_or_default();
        let (cache_control, content_encoding) = (said.cache_control, said.content_encoding);
        let headers = Headers { cache_control, content_encoding, ..Headers::default() };
        Box::new(NewObject { content_type: said.mimetype, headers, ..NewObject::default() })
    });
    let upsert = headers.get("x-upsert").is_some_and(|value| value == "true");
    let when = Conditions { if_none_match: (!upsert).then_some(EtagList::Any), ..Conditions::default() };
    let new = CopyObject { replace, when };
    let written = files.copy(&who, (&from, &object), (&to, target), new).await.map_err(duplicate)?;
    let full = shapes::full_path(&to, &written.object);
    Ok(Json(json!({"Id": written.object.id, "Key": full, "path": written.object.key.as_str()})))
}

pub(super) async fn remove(
    State(files): State<Files>,
    who: Who,
    Path(at): Path<AtPath>,
) -> Result<Json<Value>, ApiError> {
    let bucket = files.bucket(&who.caller, &at.bucket).await?;
    files.delete(&who.caller, &bucket, &at.key()?, None, &Conditions::default()).await?;
    Ok(Json(json!({"message": "Successfully deleted"})))
}

#[derive(Debug, Deserialize)]
pub(super) struct Removed {
    prefixes: Vec<Entry>,
}

/// A key, or a version of one.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Entry {
    Key(String),
    Version {
        path: String,
        #[serde(rename = "versionId")]
        version: String,
    },
}

impl Entry {
    fn parse(self) -> Result<(Key, Option<VersionRef>), FilesError> {
        match self {
            Self::Key(key) => Ok((Key::parse(key)?, None)),
            Self::Version { path, version } => Ok((Key::parse(path)?, Some(routes::parse_version(&version)?))),
        }
    }
}

/// Answers what was there and is removed; what was not there is in no list.
pub(super) async fn remove_many(
    State(files): State<Files>,
    who: Who,
    Path(at): Path<InBucket>,
    Json(body): Json<Removed>,
) -> Result<Json<Vec<Value>>, ApiError> {
    if body.prefixes.len() > MOST {
        return Err(ApiError::bad_request("invalid_request", format!("prefixes: at most {MOST}")));
    }
    let who = who.caller;
    let bucket = files.bucket(&who, &at.bucket).await?;
    let entries = body.prefixes.into_iter().map(Entry::parse).collect::<Result<Vec<_>, _>>()?;
    let mut there = Vec::with_capacity(entries.len());
    for (key, version) in &entries {
        match files.find(&who, &bucket, key, *version).await {
            Ok(object) => there.push(Some(shapes::object(&object, object.key.as_str()))),
            // Who may delete need not be able to read.
            Err(FilesError::ObjectNotFound | FilesError::VersionNotFound | FilesError::Marker { .. }) => {
                there.push(None);
            }
            Err(FilesError::Denied(_)) => there.push(Some(json!({"name": key.as_str()}))),
            Err(error) => return Err(error.into()),
        }
    }
    let results = files.delete_many(&who, &bucket, entries).await?;
    let mut removed = Vec::new();
    for (object, result) in there.into_iter().zip(results) {
        match result {
            Ok(_) => removed.extend(object),
            Err(FilesError::ObjectNotFound | FilesError::VersionNotFound) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Json(removed))
}

/// Forgets what was made of an object, and tells whoever keeps copies in front.
pub(super) async fn purge(
    State(files): State<Files>,
    who: Who,
    Path(at): Path<AtPath>,
) -> Result<Json<Value>, ApiError> {
    who.principal.require(ADMIN)?;
    let bucket = files.bucket(&who.caller, &at.bucket).await?;
    files.purge_copies(&who.caller, &bucket, Some(&at.key()?)).await?;
    Ok(Json(json!({"message": "success"})))
}

pub(super) async fn purge_bucket(
    State(files): State<Files>,
    who: Who,
    Path(at): Path<InBucket>,
) -> Result<Json<Value>, ApiError> {
    who.principal.require(ADMIN)?;
    let bucket = files.bucket(&who.caller, &at.bucket).await?;
    files.purge_copies(&who.caller, &bucket, None).await?;
    Ok(Json(json!({"message": "success"})))
}
