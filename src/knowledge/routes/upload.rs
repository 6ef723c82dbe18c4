//! `POST /api/v1/knowledge-bases/{id}/documents`: files as `multipart/form-data`, streamed to the object store.

use axum::{
    extract::{DefaultBodyLimit, Multipart, State, multipart::MultipartError},
    http::StatusCode,
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    knowledge::{
        Knowledge, KnowledgeBaseId, KnowledgeError,
        model::clean_filename,
        service::{Rejected, Upload},
    },
    platform::{
        error::{ApiError, FieldError},
        http::{Auth, Json, Path, Principal, Scope, file_name, unreadable_body},
    },
    storage::StorageError,
};

pub(super) fn router() -> OpenApiRouter<Knowledge> {
    // Each file has its own limit, and so has their number: `[knowledge]`.
    OpenApiRouter::new().routes(routes!(upload_documents)).layer(DefaultBodyLimit::disable())
}

/// The answer: for one file its document, for several a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum UploadResponse {
    One(Box<Upload>),
    Several(Uploads),
}

/// What became of the files of an upload.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(in crate::knowledge) struct Uploads {
    /// In the order of the files.
    pub data: Vec<Upload>,
    /// Files that were not taken in, and why.
    pub rejected: Vec<Rejected>,
    /// The upload was given up at a file that is too large: the files behind it were not read, and stand in neither list.
    pub rest_not_read: bool,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form for the API's description")]
struct UploadForm {
    /// One or more files; the field's name does not matter.
    #[schema(value_type = Vec<String>, format = Binary)]
    file: Vec<u8>,
}

/// Adds documents. 201 with the document of a single file, or `{data, rejected}` for several. A file whose content the
/// base holds already gives the document that is there, with `duplicate: true` (200 when there was nothing new at all); where that one
/// could not be read, it is tried again.
/// When no file could be taken in, the first one's problem is the answer: 415 for what is no PDF, DOCX, HTML, Markdown or
/// text, 413 for what is too large.
#[utoipa::path(post, path = "/api/v1/knowledge-bases/{id}/documents", tag = "Knowledge", params(("id" = KnowledgeBaseId, Path)),
    request_body(content = UploadForm, content_type = "multipart/form-data"),
    responses((status = 201, body = UploadResponse), (status = 200, body = UploadResponse), (status = 404), (status = 413), (status = 415)))]
async fn upload_documents(
    State(knowledge): State<Knowledge>,
    Auth(who): Auth,
    Path(id): Path<KnowledgeBaseId>,
    multipart: Result<Multipart, axum::extract::multipart::MultipartRejection>,
) -> Result<(StatusCode, Json<UploadResponse>), ApiError> {
    who.require(Scope::KnowledgeWrite)?;
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

/// Takes the files of a form in; also gives the first rejected one's problem. Errors end the upload, and what came
/// before stays.
pub(in crate::knowledge) async fn receive(
    knowledge: &Knowledge,
    who: &Principal,
    base: KnowledgeBaseId,
    mut form: Multipart,
) -> Result<(Uploads, Option<ApiError>), ApiError> {
    let (mut response, mut first) = (Uploads::default(), None);
    while let Some(field) = form.next_field().await.map_err(unreadable)? {
        // Browsers send an empty file with no name for a form without a choice.
        let Some(filename) = file_name(field.headers()) else { continue };
        if response.data.len() + response.rejected.len() >= knowledge.max_upload_files() {
            return Err(ApiError::payload_too_large(format!(
                "at most {} files in one upload",
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
        // The rest of it would have to be read to get to the next file.
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
