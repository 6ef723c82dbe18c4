//! `/api/v1/knowledge-bases/{id}/documents`

use std::fmt::Write as _;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    knowledge::{
        Document, DocumentId, DocumentStatus, Knowledge, KnowledgeBaseId,
        extract::Doubt,
        model::{Chunk, TextPart, media_type},
        store::documents::Filter,
    },
    platform::{
        error::{ApiError, FieldError},
        http::{Auth, Json, ListQuery, Page, Path, Query, Scope, Sort},
    },
    storage::Object,
};

/// Characters of a text in one answer.
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
pub(in crate::knowledge) struct DocumentFilter {
    #[param(value_type = Option<DocumentStatus>)]
    pub status: Option<String>,
    /// `true`: ready ones whose reading report has doubts; `false`: ready ones whose report has none.
    #[param(value_type = Option<bool>)]
    pub doubts: Option<String>,
    /// Those with this doubt.
    #[param(value_type = Option<Doubt>)]
    pub doubt: Option<String>,
    /// `true`: those that are found by their words alone, because the embedding model was missing; `false`: the others.
    #[param(value_type = Option<bool>)]
    pub words_only: Option<String>,
}

impl DocumentFilter {
    /// An empty field, as a form sends it, is no filter.
    pub fn status(&self) -> Result<Option<DocumentStatus>, ApiError> {
        let Some(text) = self.status.as_deref().filter(|text| !text.is_empty()) else { return Ok(None) };
        let status = DocumentStatus::ALL.into_iter().find(|status| status.as_str() == text);
        let wrong =
            || ApiError::validation(vec![FieldError::new("/status", "invalid", format!("{text:?} is no status"))]);
        status.map(Some).ok_or_else(wrong)
    }

    pub fn doubt(&self) -> Result<Option<Doubt>, ApiError> {
        let Some(text) = self.doubt.as_deref().filter(|text| !text.is_empty()) else { return Ok(None) };
        let doubt = Doubt::ALL.into_iter().find(|doubt| doubt.as_str() == text);
        let wrong =
            || ApiError::validation(vec![FieldError::new("/doubt", "invalid", format!("{text:?} is no doubt"))]);
        doubt.map(Some).ok_or_else(wrong)
    }

    pub fn doubts(&self) -> Result<Option<bool>, ApiError> {
        flag("/doubts", self.doubts.as_deref())
    }

    pub fn words_only(&self) -> Result<Option<bool>, ApiError> {
        flag("/words_only", self.words_only.as_deref())
    }
}

/// An empty field, as a form sends it, is no filter.
fn flag(pointer: &str, text: Option<&str>) -> Result<Option<bool>, ApiError> {
    match text.unwrap_or_default() {
        "" => Ok(None),
        "true" => Ok(Some(true)),
        "false" => Ok(Some(false)),
        other => {
            let text = format!("{other:?} is neither true nor false");
            Err(ApiError::validation(vec![FieldError::new(pointer, "invalid", text)]))
        }
    }
}

/// How to read a document again.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct ReadAgain {
    /// Pages without usable text go through OCR, whatever the knowledge base says.
    ocr: bool,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UpdateDocument {
    /// 1 to 255 characters; a path's last part is taken.
    #[schema(example = "handbook.pdf", min_length = 1, pattern = r"\S")]
    filename: String,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct TextRange {
    /// First character, from 0.
    start: Option<i32>,
    /// One past the last character; at most 200 000 are given at once.
    end: Option<i32>,
}

/// Documents of a knowledge base, newest first.
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
    who.require(Scope::KnowledgeRead)?;
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

/// A document and how far it is.
#[utoipa::path(get, path = "/api/v1/knowledge-bases/{id}/documents/{document}", tag = "Knowledge",
    params(("id" = KnowledgeBaseId, Path), ("document" = DocumentId, Path)),
    responses((status = 200, body = Document), (status = 404)))]
async fn get_document(
    State(knowledge): State<Knowledge>,
    Auth(who): Auth,
    Path((base, id)): Path<(KnowledgeBaseId, DocumentId)>,
) -> Result<Json<Document>, ApiError> {
    who.require(Scope::KnowledgeRead)?;
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
    who.require(Scope::KnowledgeWrite)?;
    Ok(Json(knowledge.rename_document(who.org_id, base, id, &body.filename).await?))
}

/// Deletes a document. Gone at once; its file and index rows follow within moments.
#[utoipa::path(delete, path = "/api/v1/knowledge-bases/{id}/documents/{document}", tag = "Knowledge",
    params(("id" = KnowledgeBaseId, Path), ("document" = DocumentId, Path)), responses((status = 204), (status = 404)))]
async fn delete_document(
    State(knowledge): State<Knowledge>,
    Auth(who): Auth,
    Path((base, id)): Path<(KnowledgeBaseId, DocumentId)>,
) -> Result<StatusCode, ApiError> {
    who.require(Scope::KnowledgeWrite)?;
    knowledge.delete_document(who.org_id, base, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The file as it was uploaded.
#[utoipa::path(get, path = "/api/v1/knowledge-bases/{id}/documents/{document}/original", tag = "Knowledge",
    params(("id" = KnowledgeBaseId, Path), ("document" = DocumentId, Path)),
    responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>), (status = 404)))]
async fn get_original(
    State(knowledge): State<Knowledge>,
    Auth(who): Auth,
    Path((base, id)): Path<(KnowledgeBaseId, DocumentId)>,
) -> Result<Response, ApiError> {
    who.require(Scope::KnowledgeRead)?;
    let (document, object) = knowledge.original(who.org_id, base, id).await?;
    Ok(attachment(&document, object))
}

/// A stranger's file as a download: never shown inside our pages, whatever it holds.
pub(in crate::knowledge) fn attachment(document: &Document, object: Object) -> Response {
    let headers: [(HeaderName, HeaderValue); 5] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type(&document.kind))),
        (header::CONTENT_LENGTH, HeaderValue::from(object.size)),
        (header::CONTENT_DISPOSITION, disposition(&document.filename)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'")),
    ];
    (headers, Body::from_stream(object.stream)).into_response()
}

/// `attachment` with the name in ASCII for old clients and in full (RFC 6266, RFC 8187).
fn disposition(filename: &str) -> HeaderValue {
    let plain: String = filename
        .chars()
        .map(|c| if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%') { c } else { '_' })
        .collect();
    let mut value = format!("attachment; filename=\"{plain}\"");
    // Writing to a String does not fail.
    let _ = write!(value, "; filename*=UTF-8''{}", utf8_percent_encode(filename, NON_ALPHANUMERIC));
    HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("attachment"))
}

/// Passages of a document, in its order.
#[utoipa::path(get, path = "/api/v1/knowledge-bases/{id}/documents/{document}/chunks", tag = "Knowledge",
    params(("id" = KnowledgeBaseId, Path), ("document" = DocumentId, Path), ListQuery),
    responses((status = 200, body = Page<Chunk>), (status = 404)))]
async fn list_chunks(
    State(knowledge): State<Knowledge>,
    Auth(who): Auth,
    Path((base, id)): Path<(KnowledgeBaseId, DocumentId)>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Chunk>>, ApiError> {
    who.require(Scope::KnowledgeRead)?;
    let slice = query.slice()?;
    let rows = knowledge.chunks(who.org_id, base, id, &slice).await?;
    Ok(Json(slice.page(rows, |chunk| chunk.ordinal.into())))
}

/// The text of a document, which passages and citations point into. Empty before it was read.
#[utoipa::path(get, path = "/api/v1/knowledge-bases/{id}/documents/{document}/text", tag = "Knowledge",
    params(("id" = KnowledgeBaseId, Path), ("document" = DocumentId, Path), TextRange),
    responses((status = 200, body = TextPart), (status = 404)))]
async fn get_text(
    State(knowledge): State<Knowledge>,
    Auth(who): Auth,
    Path((base, id)): Path<(KnowledgeBaseId, DocumentId)>,
    Query(range): Query<TextRange>,
) -> Result<Json<TextPart>, ApiError> {
    who.require(Scope::KnowledgeRead)?;
    let start = range.start.unwrap_or(0).max(0);
    let most = start.saturating_add(TEXT_PART);
    let end = range.end.unwrap_or(most).clamp(start, most);
    Ok(Json(knowledge.text(who.org_id, base, id, start, end).await?))
}

/// Tries a failed document again.
#[utoipa::path(post, path = "/api/v1/knowledge-bases/{id}/documents/{document}/retry", tag = "Knowledge",
    params(("id" = KnowledgeBaseId, Path), ("document" = DocumentId, Path)),
    responses((status = 202, body = Document), (status = 404), (status = 409)))]
async fn retry_document(
    State(knowledge): State<Knowledge>,
    Auth(who): Auth,
    Path((base, id)): Path<(KnowledgeBaseId, DocumentId)>,
) -> Result<(StatusCode, Json<Document>), ApiError> {
    who.require(Scope::KnowledgeWrite)?;
    Ok((StatusCode::ACCEPTED, Json(knowledge.retry_document(who.org_id, base, id).await?)))
}

/// Reads a document again from its file, ready or failed: after the base's settings, or what is installed, have changed.
/// Until it is read it is not found.
#[utoipa::path(post, path = "/api/v1/knowledge-bases/{id}/documents/{document}/read", tag = "Knowledge",
    params(("id" = KnowledgeBaseId, Path), ("document" = DocumentId, Path)), request_body = ReadAgain,
    responses((status = 202, body = Document), (status = 404), (status = 409)))]
async fn read_document_again(
    State(knowledge): State<Knowledge>,
    Auth(who): Auth,
    Path((base, id)): Path<(KnowledgeBaseId, DocumentId)>,
    Json(body): Json<ReadAgain>,
) -> Result<(StatusCode, Json<Document>), ApiError> {
    who.require(Scope::KnowledgeWrite)?;
    Ok((StatusCode::ACCEPTED, Json(knowledge.read_document_again(who.org_id, base, id, body.ocr).await?)))
}
