//! `/api/v1/knowledge-bases/{id}/documents`

use axum::{
    body::Body,
    extract::State,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    Document, DocumentId, DocumentStatus, Knowledge, KnowledgeBaseId, READ, WRITE,
    model::{Chunk, TextPart, media_type},
    store::documents::Filter,
};
use extraction::Doubt;
use platform::{
    error::{ApiError, FieldError},
    http::{Auth, Json, ListQuery, Page, Path, Query, Sort, disposition},
};
use storage::Object;

/// Maximum characters of text per response.
const TEXT_PART: i32 = 200_000;

pub(super) fn router() -> OpenApiRouter<Knowledge> {
    OpenApiRouter::new()
        .routes(routes!(list_documents))
        .routes(routes!(get_document, update_document, delete_document))
        .routes(routes!(get_original))
        .routes(routes!(list_chunks))
        .routes(routes!(get_text))
        .routes(routes!(retry_document))
        .routes(routes!(read_document_again))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DocumentFilter {
    #[param(value_type = Option<DocumentStatus>)]
    pub status: Option<String>,
    /// `true`: ready documents with doubts in their reading report; `false`: ready documents without doubts.
    #[param(value_type = Option<bool>)]
    pub doubts: Option<String>,
    /// Only documents with this doubt.
    #[param(value_type = Option<Doubt>)]
    pub doubt: Option<String>,
    /// `true`: documents without vectors, because the embedding model was unavailable; `false`: all others.
    #[param(value_type = Option<bool>)]
    pub words_only: Option<String>,
}

impl DocumentFilter {
    /// Empty (as sent by a form) means no filter.
    pub fn status(&self) -> Result<Option<DocumentStatus>, ApiError> {
        let Some(text) = self.status.as_deref().filter(|text| !text.is_empty()) else { return Ok(None) };
        text.parse::<DocumentStatus>().map(Some).map_err(|why| invalid("/status", why))
    }

    pub fn doubt(&self) -> Result<Option<Doubt>, ApiError> {
        let Some(text) = self.doubt.as_deref().filter(|text| !text.is_empty()) else { return Ok(None) };
        text.parse::<Doubt>().map(Some).map_err(|why| invalid("/doubt", why))
    }

    pub fn doubts(&self) -> Result<Option<bool>, ApiError> {
        flag("/doubts", self.doubts.as_deref())
    }

    pub fn words_only(&self) -> Result<Option<bool>, ApiError> {
        flag("/words_only", self.words_only.as_deref())
    }
}

/// Empty (as sent by a form) means no filter.
fn flag(pointer: &str, text: Option<&str>) -> Result<Option<bool>, ApiError> {
    match text.unwrap_or_default() {
        "" => Ok(None),
        "true" => Ok(Some(true)),
        "false" => Ok(Some(false)),
        other => Err(invalid(pointer, format!("{other:?} is neither true nor false"))),
    }
}

fn invalid(pointer: &str, why: String) -> ApiError {
    ApiError::validation(vec![FieldError::new(pointer, "invalid", why)])
}

/// How to read a document again.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct ReadAgain {
    /// Use OCR for pages without usable text, overriding the knowledge base's setting.
    ocr: bool,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UpdateDocument {
    /// 1 to 255 characters; of a path, only the last component is used.
    #[schema(example = "handbook.pdf", min_length = 1, pattern = r"\S")]
    filename: String,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct TextRange {
    /// First character, from 0.
    start: Option<i32>,
    /// One past the last character; a response has at most 200 000 characters.
    end: Option<i32>,
}

/// Lists the documents of a knowledge base, newest first.
#[utoipa::path(get, path = "/api/v1/knowledge-bases/{id}/documents", tag = "Knowledge",
    params(("id" = KnowledgeBaseId, Path), ListQuery, DocumentFilter,
        ("q" = Option<String>, Query, description = "A part of the file name or the title."),
        ("sort" = Option<Sort>, Query, description = "`newest` first (where it is absent) or `oldest` first.")),
    responses((status = 200, body = Page<Document>), (status = 404)))]
async fn list_documents(
    State(knowledge): State<Knowledge>,
    Auth(who): Auth,
    Path(id): Path<KnowledgeBaseId>,
    Query(query): Query<ListQuery>,
    Query(filter): Query<DocumentFilter>,
) -> Result<Json<Page<Document>>, ApiError> {
    who.require(READ)?;
    let slice = query.slice()?;
    let filter = Filter {
        search: query.search(),
        status: filter.status()?,
        doubted: filter.doubts()?,
        doubt: filter.doubt()?,
        words_only: filter.words_only()?,
    };
    let rows = knowledge.list_documents(who.org_id, id, &filter, &slice).await?;
    Ok(Json(slice.page(rows, |document| document.id.0)))
}

/// Returns a document with its status and reading report.
#[utoipa::path(get, path = "/api/v1/knowledge-bases/{id}/documents/{document}", tag = "Knowledge",
    params(("id" = KnowledgeBaseId, Path), ("document" = DocumentId, Path)),
    responses((status = 200, body = Document), (status = 404)))]
async fn get_document(
    State(knowledge): State<Knowledge>,
    Auth(who): Auth,
    Path((base, id)): Path<(KnowledgeBaseId, DocumentId)>,
) -> Result<Json<Document>, ApiError> {
    who.require(READ)?;
    Ok(Json(knowledge.get_document(who.org_id, base, id).await?))
}

/// Renames a document.
#[utoipa::path(patch, path = "/api/v1/knowledge-bases/{id}/documents/{document}", tag = "Knowledge",
    params(("id" = KnowledgeBaseId, Path), ("document" = DocumentId, Path)), request_body = UpdateDocument,
    responses((status = 200, body = Document), (status = 404), (status = 422)))]
async fn update_document(
    State(knowledge): State<Knowledge>,
    Auth(who): Auth,
    Path((base, id)): Path<(KnowledgeBaseId, DocumentId)>,
    Json(body): Json<UpdateDocument>,
) -> Result<Json<Document>, ApiError> {
    who.require(WRITE)?;
    Ok(Json(knowledge.rename_document(who.org_id, base, id, &body.filename).await?))
}

/// Deletes a document. It is gone at once; its file and index rows are removed shortly after.
#[utoipa::path(delete, path = "/api/v1/knowledge-bases/{id}/documents/{document}", tag = "Knowledge",
    params(("id" = KnowledgeBaseId, Path), ("document" = DocumentId, Path)), responses((status = 204), (status = 404)))]
async fn delete_document(
    State(knowledge): State<Knowledge>,
    Auth(who): Auth,
    Path((base, id)): Path<(KnowledgeBaseId, DocumentId)>,
) -> Result<StatusCode, ApiError> {
    who.require(WRITE)?;
    knowledge.delete_document(who.org_id, base, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Downloads the original file.
#[utoipa::path(get, path = "/api/v1/knowledge-bases/{id}/documents/{document}/original", tag = "Knowledge",
    params(("id" = KnowledgeBaseId, Path), ("document" = DocumentId, Path)),
    responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>), (status = 404)))]
async fn get_original(
    State(knowledge): State<Knowledge>,
    Auth(who): Auth,
    Path((base, id)): Path<(KnowledgeBaseId, DocumentId)>,
) -> Result<Response, ApiError> {
    who.require(READ)?;
    let (document, object) = knowledge.original(who.org_id, base, id).await?;
    Ok(attachment(&document, object))
}

/// Serves an untrusted file as a download, never inline.
pub(crate) fn attachment(document: &Document, object: Object) -> Response {
    let headers: [(HeaderName, HeaderValue); 5] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type(&document.kind))),
        (header::CONTENT_LENGTH, HeaderValue::from(object.size)),
        (header::CONTENT_DISPOSITION, disposition("attachment", &document.filename)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'")),
    ];
    (headers, Body::from_stream(object.stream)).into_response()
}

/// Lists the chunks (passages) of a document in order.
#[utoipa::path(get, path = "/api/v1/knowledge-bases/{id}/documents/{document}/chunks", tag = "Knowledge",
    params(("id" = KnowledgeBaseId, Path), ("document" = DocumentId, Path), ListQuery),
    responses((status = 200, body = Page<Chunk>), (status = 404)))]
async fn list_chunks(
    State(knowledge): State<Knowledge>,
    Auth(who): Auth,
    Path((base, id)): Path<(KnowledgeBaseId, DocumentId)>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Chunk>>, ApiError> {
    who.require(READ)?;
    let slice = query.slice()?;
    let rows = knowledge.chunks(who.org_id, base, id, &slice).await?;
    Ok(Json(slice.page(rows, |chunk| chunk.ordinal.into())))
}

/// Returns the text of a document; offsets of chunks and citations refer to it. Empty before it was read.
#[utoipa::path(get, path = "/api/v1/knowledge-bases/{id}/documents/{document}/text", tag = "Knowledge",
    params(("id" = KnowledgeBaseId, Path), ("document" = DocumentId, Path), TextRange),
    responses((status = 200, body = TextPart), (status = 404)))]
async fn get_text(
    State(knowledge): State<Knowledge>,
    Auth(who): Auth,
    Path((base, id)): Path<(KnowledgeBaseId, DocumentId)>,
    Query(range): Query<TextRange>,
) -> Result<Json<TextPart>, ApiError> {
    who.require(READ)?;
    let start = range.start.unwrap_or(0).max(0);
    let most = start.saturating_add(TEXT_PART);
    let end = range.end.unwrap_or(most).clamp(start, most);
    Ok(Json(knowledge.text(who.org_id, base, id, start, end).await?))
}

/// Retries a failed document.
#[utoipa::path(post, path = "/api/v1/knowledge-bases/{id}/documents/{document}/retry", tag = "Knowledge",
    params(("id" = KnowledgeBaseId, Path), ("document" = DocumentId, Path)),
    responses((status = 202, body = Document), (status = 404), (status = 409)))]
async fn retry_document(
    State(knowledge): State<Knowledge>,
    Auth(who): Auth,
    Path((base, id)): Path<(KnowledgeBaseId, DocumentId)>,
) -> Result<(StatusCode, Json<Document>), ApiError> {
    who.require(WRITE)?;
    Ok((StatusCode::ACCEPTED, Json(knowledge.retry_document(who.org_id, base, id).await?)))
}

/// Reads a ready or failed document again from its file, for example after the base's settings or the installed OCR
/// programs have changed. It is not searchable until it has been read.
#[utoipa::path(post, path = "/api/v1/knowledge-bases/{id}/documents/{document}/read", tag = "Knowledge",
    params(("id" = KnowledgeBaseId, Path), ("document" = DocumentId, Path)), request_body = ReadAgain,
    responses((status = 202, body = Document), (status = 404), (status = 409)))]
async fn read_document_again(
    State(knowledge): State<Knowledge>,
    Auth(who): Auth,
    Path((base, id)): Path<(KnowledgeBaseId, DocumentId)>,
    Json(body): Json<ReadAgain>,
) -> Result<(StatusCode, Json<Document>), ApiError> {
    who.require(WRITE)?;
    Ok((StatusCode::ACCEPTED, Json(knowledge.read_document_again(who.org_id, base, id, body.ocr).await?)))
}
