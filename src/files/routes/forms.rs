//! Files of a form: `POST /api/v1/buckets/{bucket}/objects`, and forms that a token permits.

use axum::{
    extract::{
        Multipart, State,
        multipart::{Field, MultipartError, MultipartRejection},
    },
    http::{StatusCode, header},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::shapes::ObjectInfo;
use crate::{Bucket, Caller, Claims, Files, FilesError, Key, NewObject, WRITE};
use platform::{
    error::{ApiError, FieldError},
    http::{Auth, Json, Path, file_name, unreadable_body},
};

/// Most files of a form.
const MOST: usize = 1000;
/// Longest field that is no file, bytes.
const LONGEST_FIELD: usize = 4096;

/// What became of the files of a form.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct FormAnswer {
    /// In the order of the files.
    pub data: Vec<ObjectInfo>,
    /// Refused files, with reasons.
    pub rejected: Vec<RejectedFile>,
    /// The form was left at a file that is too large: those behind it were not read, and are in neither list.
    pub rest_not_read: bool,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RejectedFile {
    pub key: String,
    pub code: String,
    pub detail: String,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form for the API's description")]
pub(crate) struct FilesForm {
    /// What stands before the names of the files: a folder ends in a slash. Before the files.
    prefix: Option<String>,
    /// One or more files; the field name is ignored. A name may have folders in it.
    #[schema(value_type = Vec<String>, format = Binary)]
    file: Vec<u8>,
}

/// Writes the files of a form
///
/// Each is an object, whose key is `prefix` and the file's name. Returns 201, or the first file's error if none was accepted.
#[utoipa::path(post, path = "/api/v1/buckets/{bucket}/objects", tag = "Files", params(("bucket" = String, Path, description = "Name or id.")),
    request_body(content = FilesForm, content_type = "multipart/form-data"),
    responses((status = 201, body = FormAnswer), (status = 400), (status = 403), (status = 404), (status = 413), (status = 415), (status = 507)))]
pub(super) async fn upload_objects(
    State(files): State<Files>,
    Auth(who): Auth,
    Path(bucket): Path<String>,
    form: Result<Multipart, MultipartRejection>,
) -> Result<(StatusCode, Json<FormAnswer>), ApiError> {
    who.require(WRITE)?;
    let who = Caller::of(&who);
    let bucket = files.bucket(&who, &bucket).await?;
    receive(&files, &who, &bucket, form, None).await
}

/// Writes what a form has. `claims`: of the token that permits it; its key is the prefix then.
pub(crate) async fn receive(
    files: &Files,
    who: &Caller,
    bucket: &Bucket,
    form: Result<Multipart, MultipartRejection>,
    claims: Option<&Claims>,
) -> Result<(StatusCode, Json<FormAnswer>), ApiError> {
    let mut form = form.map_err(|_| ApiError::unsupported_media_type("send files as `multipart/form-data`"))?;
    let mut prefix = claims.map(|claims| claims.key.clone()).unwrap_or_default();
    let (mut answer, mut first) = (FormAnswer::default(), None);
    while let Some(field) = form.next_field().await.map_err(unreadable)? {
        let Some(name) = file_name(field.headers()) else {
            if claims.is_none() && field.name() == Some("prefix") {
                prefix = small(field).await?;
            }
            continue;
        };
        if answer.data.len() + answer.rejected.len() >= MOST {
            return Err(ApiError::payload_too_large(format!("at most {MOST} files in a form")));
        }
        let key = format!("{prefix}{}", name.trim_start_matches('/'));
        let error = match write(files, who, bucket, (&key, field), claims).await {
            Ok(object) => {
                answer.data.push(object);
                continue;
            }
            Err(error) => error,
        };
        answer.rest_not_read = matches!(error, FilesError::TooLarge { .. } | FilesError::Quota { .. });
        if !answer.rest_not_read && !is_of_file(&error) {
            return Err(error.into());
        }
        let problem = ApiError::from(error);
        let (code, detail) = (problem.code.to_string(), problem.detail.clone());
        answer.rejected.push(RejectedFile { key, code, detail });
        first.get_or_insert(problem);
        // The next file would only be found by reading the rest of this one.
        if answer.rest_not_read {
            break;
        }
    }
    if answer.data.is_empty() {
        let nothing =
            || ApiError::validation(vec![FieldError::new("/file", "required", "there is no file in the form")]);
        return Err(first.unwrap_or_else(nothing));
    }
    Ok((StatusCode::CREATED, Json(answer)))
}

async fn write(
    files: &Files,
    who: &Caller,
    bucket: &Bucket,
    (key, field): (&str, Field<'_>),
    claims: Option<&Claims>,
) -> Result<ObjectInfo, FilesError> {
    let key = Key::parse(key)?;
    let said = field.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).map(str::to_owned);
    let new = NewObject { content_type: said, ..NewObject::default() };
    let new = match claims {
        Some(claims) => claims.bind(new)?,
        None => new,
    };
    Ok(files.put(who, bucket, key, field, new).await?.object.into())
}

/// Whether only this file is refused.
fn is_of_file(error: &FilesError) -> bool {
    matches!(
        error,
        FilesError::Key(_)
            | FilesError::Type { .. }
            | FilesError::Precondition
            | FilesError::Exists
            | FilesError::Locked(_)
            | FilesError::Incomplete { .. }
            | FilesError::Digest { .. }
            | FilesError::Denied(_)
    )
}

/// A field that is no file.
pub(crate) async fn small(mut field: Field<'_>) -> Result<String, ApiError> {
    let mut text = Vec::new();
    while let Some(bytes) = field.chunk().await.map_err(unreadable)? {
        text.extend_from_slice(&bytes);
        if text.len() > LONGEST_FIELD {
            return Err(ApiError::payload_too_large(format!(
                "a field that is no file has at most {LONGEST_FIELD} bytes"
            )));
        }
    }
    String::from_utf8(text).map_err(|_| ApiError::bad_request("invalid_form", "a field is not UTF-8"))
}

pub(crate) fn unreadable(error: MultipartError) -> ApiError {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::payload_too_large("the upload is too large"),
        _ => unreadable_body("the upload is not valid multipart/form-data, or ended early", error),
    }
}
