//! `POST /api/v1/knowledge-bases/{id}/documents`: files as `multipart/form-data`, streamed to the object store.

use axum::{
    extract::{DefaultBodyLimit, Multipart, State, multipart::MultipartError},
    http::StatusCode,
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    Knowledge, KnowledgeBaseId, KnowledgeError, WRITE,
    model::clean_filename,
    service::{Rejected, Upload},
};
use platform::{
    error::{ApiError, FieldError},
    http::{Auth, Json, Path, Principal, file_name, unreadable_body},
};
use storage::StorageError;

pub(super) fn router() -> OpenApiRouter<Knowledge> {
    // Size per file and number of files have their own limits: `[knowledge]`.
    OpenApiRouter::new().routes(routes!(upload_documents)).layer(DefaultBodyLimit::disable())
}

/// The document for a single file, a list for several.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum UploadResponse {
    One(Box<Upload>),
    Several(Uploads),
}

/// The results of an upload of several files.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct Uploads {
    /// In the order of the files.
    pub data: Vec<Upload>,
    /// Rejected files, with reasons.
    pub rejected: Vec<Rejected>,
    /// The upload was aborted at a file that is too large: the files after it were not read, and are in neither list.
    pub rest_not_read: bool,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form for the API's description")]
struct UploadForm {
    /// One or more files; the field name is ignored.
    #[schema(value_type = Vec<String>, format = Binary)]
    file: Vec<u8>,
}

/// Uploads documents. Returns 201 with the document for a single file, or `{data, rejected}` for several. A file whose
/// content the base already holds returns the existing document with `duplicate: true` (200 if nothing was added); if
/// that document had failed, it is retried. If no file was accepted, the response is the first file's error: 415 for an
/// unsupported kind, 413 for a file that is too large.
#[utoipa::path(post, path = "/api/v1/knowledge-bases/{id}/documents", tag = "Knowledge", params(("id" = KnowledgeBaseId, Path)),
    request_body(content = UploadForm, content_type = "multipart/form-data"),
    responses((status = 201, body = UploadResponse), (status = 200, body = UploadResponse), (status = 404), (status = 413), (status = 415)))]
async fn upload_documents(
    State(knowledge): State<Knowledge>,
    Auth(who): Auth,
    Path(id): Path<KnowledgeBaseId>,
    multipart: Result<Multipart, axum::extract::multipart::MultipartRejection>,
) -> Result<(StatusCode, Json<UploadResponse>), ApiError> {
    who.require(WRITE)?;
    knowledge.require_base(who.org_id, id).await?;
    let multipart = multipart.map_err(|_| ApiError::unsupported_media_type("send files as `multipart/form-data`"))?;
    let (mut uploads, problem) = receive(&knowledge, &who, id, multipart).await?;
    if uploads.data.is_empty() {
        let nothing =
            || ApiError::validation(vec![FieldError::new("/file", "required", "there is no file in the form")]);
        return Err(problem.unwrap_or_else(nothing));
    }
    let known = uploads.data.iter().all(|upload| upload.duplicate);
    let response = match uploads.data.pop() {
        Some(upload) if uploads.data.is_empty() && uploads.rejected.is_empty() => UploadResponse::One(Box::new(upload)),
        last => {
            uploads.data.extend(last);
            UploadResponse::Several(uploads)
        }
    };
    Ok((if known { StatusCode::OK } else { StatusCode::CREATED }, Json(response)))
}

/// Stores the files of a form; also returns the error of the first rejected one. An error aborts the upload, but keeps
/// the files before it.
pub(crate) async fn receive(
    knowledge: &Knowledge,
    who: &Principal,
    base: KnowledgeBaseId,
    mut form: Multipart,
) -> Result<(Uploads, Option<ApiError>), ApiError> {
    let (mut response, mut first) = (Uploads::default(), None);
    while let Some(field) = form.next_field().await.map_err(unreadable)? {
        // Browsers send an empty file without a name if none was chosen.
        let Some(filename) = file_name(field.headers()) else { continue };
        if response.data.len() + response.rejected.len() >= knowledge.max_upload_files() {
            return Err(ApiError::payload_too_large(format!(
                "at most {} files per upload",
                knowledge.max_upload_files()
            )));
        }
        let error = match knowledge.upload(who, base, &filename, field).await {
            Ok(upload) => {
                response.data.push(upload);
                continue;
            }
            Err(error) => error,
        };
        let too_large = matches!(error, KnowledgeError::Storage(StorageError::TooLarge(_)));
        if !too_large && !matches!(error, KnowledgeError::Unsupported(_)) {
            return Err(error.into());
        }
        let problem = ApiError::from(error);
        let filename = clean_filename(&filename);
        let reason = problem.errors.first().map(|error| error.code.to_string());
        let code = problem.code.to_string();
        response.rejected.push(Rejected { filename, code, reason, detail: problem.detail.clone() });
        first.get_or_insert(problem);
        // Skipping to the next file would mean reading the rest of this one.
        if too_large {
            response.rest_not_read = true;
            break;
        }
    }
    Ok((response, first))
}

fn unreadable(error: MultipartError) -> ApiError {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::payload_too_large("the upload is too large"),
        _ => unreadable_body("the upload is not valid multipart/form-data, or ended early", error),
    }
}
