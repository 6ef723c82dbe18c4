//! Signed URLs: tokens of ours in supabase's addresses. The token alone says what may be done.

use axum::{
    extract::{Request, State},
    http::HeaderMap,
    response::Response,
};
use chrono::TimeDelta;
use images::Options;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    objects::{How, write},
    render,
    who::{AtPath, InBucket, Who},
};
use crate::{
    Bucket, Caller, Claims, Files, FilesError, Key, Object, Verb, VersionRef,
    routes::{
        self, Exact,
        public::{Download, read_with},
    },
};
use platform::{
    error::ApiError,
    http::{Json, Path},
};

/// Longest life of a token, seconds.
const LONGEST: i64 = 7 * 24 * 3600;
/// Of one for an upload.
const UPLOAD: i64 = 2 * 3600;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sign {
    expires_in: i64,
    #[serde(default)]
    transform: Option<Map<String, Value>>,
    #[serde(default)]
    version_id: Option<String>,
}

fn invalid(detail: impl Into<String>) -> ApiError {
    ApiError::bad_request("invalid_request", detail)
}

fn lifetime(seconds: i64) -> Result<TimeDelta, ApiError> {
    if (1..=LONGEST).contains(&seconds) {
        return Ok(TimeDelta::seconds(seconds));
    }
    Err(invalid(format!("expiresIn: 1 to {LONGEST} seconds; a link of /api/v1/file-links may last longer")))
}

fn claims(files: &Files, bucket: &Bucket, key: &Key, verb: Verb, lifetime: TimeDelta) -> Claims {
    Claims {
        version: 1,
        org: bucket.org,
        bucket: bucket.id,
        key: key.to_string(),
        prefix: false,
        object: None,
        verb,
        expires: files.now() + lifetime,
        max_bytes: None,
        exact_bytes: None,
        content_type: None,
        sha256: None,
        keep: false,
        once: None,
        image: None,
    }
}

/// The path of an address, as clients encode it themselves. What would end it is left out: the token names the key.
fn shown(key: &Key) -> String {
    key.as_str().chars().map(|c| if matches!(c, '?' | '#') || c.is_control() { '_' } else { c }).collect()
}

pub(super) async fn sign(
    State(files): State<Files>,
    who: Who,
    Path(at): Path<AtPath>,
    Json(body): Json<Sign>,
) -> Result<Json<Value>, ApiError> {
    let lifetime = lifetime(body.expires_in)?;
    let key = at.key()?;
    let bucket = files.bucket(&who.caller, &at.bucket).await?;
    let version = body.version_id.as_deref().map(routes::parse_version).transpose()?;
    let object = files.find(&who.caller, &bucket, &key, version).await?;
    let mut claims = claims(&files, &bucket, &key, Verb::Read, lifetime);
    claims.object = version.map(|version| match version {
        VersionRef::Id(id) => id,
        VersionRef::Unversioned => object.id,
    });
    claims.image = body.transform.map(|transform| options(&transform)).transpose()?;
    let begin = if claims.image.is_some() { "render/image" } else { "object" };
    let token = files.grant(&who.caller, &bucket, &claims).await?;
    let address = format!("/{begin}/sign/{}/{}?token={token}", bucket.name, shown(&key));
    Ok(Json(json!({"signedURL": address})))
}

/// Options of an image as a client sends them, in the one form that is signed.
fn options(transform: &Map<String, Value>) -> Result<String, ApiError> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let pairs: Vec<(&str, String)> = transform.iter().map(|(name, value)| (name.as_str(), text(value))).collect();
    let query = serde_html_form::to_string(pairs).map_err(|error| invalid(error.to_string()))?;
    let options = Options::of_supabase(&query).map_err(FilesError::Invalid)?;
    Ok(options.canonical())
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SignMany {
    expires_in: i64,
    paths: Vec<String>,
}

pub(super) async fn sign_many(
    State(files): State<Files>,
    who: Who,
    Path(at): Path<InBucket>,
    Json(body): Json<SignMany>,
) -> Result<Json<Vec<Value>>, ApiError> {
    let lifetime = lifetime(body.expires_in)?;
    if body.paths.len() > 1000 {
        return Err(invalid("paths: at most 1000"));
    }
    let bucket = files.bucket(&who.caller, &at.bucket).await?;
    let mut signed = Vec::with_capacity(body.paths.len());
    for path in body.paths {
        let found = readable(&files, &who.caller, &bucket, &path).await;
        signed.push(match found {
            Ok(object) => {
                let claims = claims(&files, &bucket, &object.key, Verb::Read, lifetime);
                let token = files.grant(&who.caller, &bucket, &claims).await?;
                let address = format!("/object/sign/{}/{}?token={token}", bucket.name, shown(&object.key));
                json!({"error": null, "path": path, "signedURL": address})
            }
            Err(
                FilesError::ObjectNotFound | FilesError::Marker { .. } | FilesError::Denied(_) | FilesError::Key(_),
            ) => {
                let text = "Either the object does not exist or you do not have access to it";
                json!({"error": text, "path": path, "signedURL": null})
            }
            Err(error) => return Err(error.into()),
        });
    }
    Ok(Json(signed))
}

async fn readable(files: &Files, who: &Caller, bucket: &Bucket, path: &str) -> Result<Object, FilesError> {
    files.find(who, bucket, &Key::parse(path)?, None).await
}

#[derive(Debug, Deserialize)]
pub(super) struct Signed {
    token: String,
    #[serde(default)]
    download: Option<String>,
}

pub(super) async fn read(
    State(files): State<Files>,
    Exact(signed): Exact<Signed>,
    request: Request,
) -> Result<Response, ApiError> {
    let claims = files.verify(&signed.token)?;
    let key = Key::parse(claims.key.clone()).map_err(FilesError::from)?;
    let download = Download::new(signed.download);
    if let Some(image) = &claims.image {
        let options = Options::of_query(image).map_err(FilesError::Invalid)?;
        return render::by_token(&files, &claims, &key, &options, request).await;
    }
    read_with(&files, &claims, key, download.overrides(), request).await
}

pub(super) async fn sign_upload(
    State(files): State<Files>,
    who: Who,
    Path(at): Path<AtPath>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let key = at.key()?;
    let bucket = files.bucket(&who.caller, &at.bucket).await?;
    let upsert = headers.get("x-upsert").is_some_and(|value| value == "true");
    let claims = Claims { keep: !upsert, ..claims(&files, &bucket, &key, Verb::Write, TimeDelta::seconds(UPLOAD)) };
    let token = files.grant(&who.caller, &bucket, &claims).await?;
    let url = format!("/object/upload/sign/{}/{}?token={token}", bucket.name, shown(&key));
    Ok(Json(json!({"url": url, "token": token})))
}

/// Whether what is there is replaced is in the token, whatever the request says.
pub(super) async fn upload(
    State(files): State<Files>,
    Path(at): Path<AtPath>,
    Exact(signed): Exact<Signed>,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    let claims = files.verify(&signed.token)?;
    let who = files.bearer(&claims);
    let bucket = files.bucket_by_id(&who, claims.bucket).await?;
    // The path, too, must be that of the token: what is written elsewhere than it says would be a surprise.
    let how = How { replace: true, claims: Some(claims) };
    write(&files, (&who, &bucket, at.key()?), request, how).await
}
