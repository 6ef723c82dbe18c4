//! `/api/v1/knowledge-bases`

mod documents;
mod upload;

use axum::{extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) use documents::DocumentFilter;
pub(super) use upload::receive;

use super::{
    DocumentId, Knowledge, KnowledgeBase, KnowledgeBaseId, READ, SearchFound, SearchHit, SearchRequest, WRITE,
    model::{BaseChanges, ReadingMode},
};
use platform::{
    error::ApiError,
    http::{Auth, Json, ListQuery, Page, Path, Query, idempotent},
};

pub fn router() -> OpenApiRouter<Knowledge> {
    OpenApiRouter::new()
        .routes(idempotent(routes!(list_knowledge_bases, create_knowledge_base)))
        .routes(routes!(get_knowledge_base, update_knowledge_base, delete_knowledge_base))
        .routes(routes!(search_knowledge_base))
        .merge(documents::router())
        .merge(upload::router())
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateKnowledgeBase {
    /// 1 to 200 characters.
    #[schema(example = "Team handbook", min_length = 1, max_length = 200, pattern = r"\S")]
    name: String,
    /// At most 2000 characters.
    #[schema(max_length = 2000)]
    #[serde(default)]
    description: String,
    #[serde(default)]
    reading: ReadingMode,
    /// OCR languages as tesseract codes; empty for English and Russian where installed.
    #[serde(default)]
    #[schema(example = json!(["eng", "rus"]))]
    ocr_languages: Vec<String>,
    /// The model that reads images of pages that OCR cannot read; empty for none.
    #[serde(default)]
    vision_model: String,
}

/// Omitted fields stay unchanged.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UpdateKnowledgeBase {
    #[schema(min_length = 1, max_length = 200, pattern = r"\S")]
    name: Option<String>,
    #[schema(max_length = 2000)]
    description: Option<String>,
    reading: Option<ReadingMode>,
    ocr_languages: Option<Vec<String>>,
    vision_model: Option<String>,
}

/// Lists knowledge bases, newest first.
#[utoipa::path(get, path = "/api/v1/knowledge-bases", tag = "Knowledge",
    params(ListQuery, ("q" = Option<String>, Query, description = "Substring of the name or description.")),
    responses((status = 200, body = Page<KnowledgeBase>)))]
async fn list_knowledge_bases(
    State(knowledge): State<Knowledge>,
    Auth(who): Auth,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<KnowledgeBase>>, ApiError> {
    who.require(READ)?;
    let slice = query.slice()?;
    let rows = knowledge.list_bases(who.org_id, query.search(), &slice).await?;
    Ok(Json(slice.page(rows, |base| base.id.0)))
}

/// Creates an empty knowledge base.
#[utoipa::path(post, path = "/api/v1/knowledge-bases", tag = "Knowledge", request_body = CreateKnowledgeBase,
    responses((status = 201, body = KnowledgeBase), (status = 422)))]
async fn create_knowledge_base(
    State(knowledge): State<Knowledge>,
    Auth(who): Auth,
    Json(body): Json<CreateKnowledgeBase>,
) -> Result<(StatusCode, Json<KnowledgeBase>), ApiError> {
    who.require(WRITE)?;
    let CreateKnowledgeBase { name, description, reading, ocr_languages, vision_model } = body;
    let new = BaseChanges {
        name: Some(name),
        description: Some(description),
        reading: Some(reading),
        ocr_languages: Some(ocr_languages),
        vision_model: Some(vision_model),
    };
    let base = knowledge.create_base(&who, new).await?;
    Ok((StatusCode::CREATED, Json(base)))
}

/// Returns a knowledge base with its document counts.
#[utoipa::path(get, path = "/api/v1/knowledge-bases/{id}", tag = "Knowledge", params(("id" = KnowledgeBaseId, Path)),
    responses((status = 200, body = KnowledgeBase), (status = 404)))]
async fn get_knowledge_base(
    State(knowledge): State<Knowledge>,
    Auth(who): Auth,
    Path(id): Path<KnowledgeBaseId>,
) -> Result<Json<KnowledgeBase>, ApiError> {
    who.require(READ)?;
    Ok(Json(knowledge.get_base(who.org_id, id).await?))
}

/// Updates the name, description or reading settings of a knowledge base.
#[utoipa::path(patch, path = "/api/v1/knowledge-bases/{id}", tag = "Knowledge", params(("id" = KnowledgeBaseId, Path)),
    request_body = UpdateKnowledgeBase, responses((status = 200, body = KnowledgeBase), (status = 404), (status = 422)))]
async fn update_knowledge_base(
    State(knowledge): State<Knowledge>,
    Auth(who): Auth,
    Path(id): Path<KnowledgeBaseId>,
    Json(body): Json<UpdateKnowledgeBase>,
) -> Result<Json<KnowledgeBase>, ApiError> {
    who.require(WRITE)?;
    let UpdateKnowledgeBase { name, description, reading, ocr_languages, vision_model } = body;
    let changes = BaseChanges { name, description, reading, ocr_languages, vision_model };
    Ok(Json(knowledge.update_base(who.org_id, id, changes).await?))
}

/// Deletes a knowledge base and all its documents. It is gone at once; files and index are removed shortly after.
#[utoipa::path(delete, path = "/api/v1/knowledge-bases/{id}", tag = "Knowledge", params(("id" = KnowledgeBaseId, Path)),
    responses((status = 204), (status = 404)))]
async fn delete_knowledge_base(
    State(knowledge): State<Knowledge>,
    Auth(who): Auth,
    Path(id): Path<KnowledgeBaseId>,
) -> Result<StatusCode, ApiError> {
    who.require(WRITE)?;
    knowledge.delete_base(who.org_id, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Serialize, ToSchema)]
struct SearchResponse {
    /// Best first; weak matches after all others.
    results: Vec<SearchResult>,
    /// How many results are not weak matches. 0: nothing in the base answers the query.
    matches: usize,
    /// Full text only, although the query asked for vectors: the embedding model is unavailable, or the base is being
    /// re-indexed for another model.
    words_only: bool,
}

#[derive(Debug, Serialize, ToSchema)]
struct SearchResult {
    document_id: DocumentId,
    filename: String,
    /// The document's title, or its file name.
    title: String,
    /// The chunk's text, exactly as in the document's text from `start` to `end`.
    text: String,
    /// Hybrid: 0 to 1, where 1 means first in both arms. Vector: cosine similarity. Text: BM25.
    score: f64,
    /// From 1; null if the format has no pages.
    page: Option<i32>,
    /// Headings above the chunk, outermost first.
    heading: Vec<String>,
    /// For a chunk cut from the middle of a table: caption and header rows, which are not part of `text`.
    #[schema(example = "Region | Q1 | Q2")]
    table_header: Option<String>,
    /// First character in the document's text, from 0.
    start: i32,
    /// One past the last character.
    end: i32,
    /// A weak match: among the nearest chunks, but it has few of the query's words and its similarity is no better than
    /// chance (a floor that the base's self-test measures).
    weak: bool,
}

impl From<SearchHit> for SearchResult {
    fn from(hit: SearchHit) -> Self {
        let SearchHit {
            document_id, filename, title, text, score, page, heading, table_header, start, end, weak, ..
        } = hit;
        Self { document_id, filename, title, text, score, page, heading, table_header, start, end, weak }
    }
}

/// Searches a knowledge base and returns chunks, best first. Documents that are not ready are not found yet.
#[utoipa::path(post, path = "/api/v1/knowledge-bases/{id}/search", tag = "Knowledge", params(("id" = KnowledgeBaseId, Path)),
    request_body = SearchRequest, responses((status = 200, body = SearchResponse), (status = 404), (status = 422)))]
async fn search_knowledge_base(
    State(knowledge): State<Knowledge>,
    Auth(who): Auth,
    Path(id): Path<KnowledgeBaseId>,
    Json(request): Json<SearchRequest>,
) -> Result<Json<SearchResponse>, ApiError> {
    who.require(READ)?;
    let SearchFound { hits, words_only, .. } = knowledge.search_base(&who, id, &request).await?;
    let matches = hits.iter().filter(|hit| !hit.weak).count();
    Ok(Json(SearchResponse { results: hits.into_iter().map(SearchResult::from).collect(), matches, words_only }))
}
