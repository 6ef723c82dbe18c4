//! `/api/v1/notes`

use axum::{extract::State, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Note, NoteId, Notes, READ, WRITE};
use platform::{
    error::ApiError,
    http::{Auth, Json, ListQuery, Page, Path, Query, idempotent},
};

/// The routes of this capability.
pub fn router() -> OpenApiRouter<Notes> {
    OpenApiRouter::new().routes(idempotent(routes!(list_notes, create_note))).routes(routes!(delete_note))
}

/// Notes, newest first
#[utoipa::path(get, path = "/api/v1/notes", tag = "Notes",
    params(ListQuery, ("q" = Option<String>, Query, description = "A part of the title.")),
    responses((status = 200, body = Page<Note>), (status = 403), (status = 422)))]
async fn list_notes(
    State(notes): State<Notes>,
    Auth(who): Auth,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Note>>, ApiError> {
    who.require(READ)?;
    let slice = query.slice()?;
    let rows = notes.list(who.org_id, query.search(), &slice).await?;
    Ok(Json(slice.page(rows, |note| note.id.0)))
}

/// A new note.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateNote {
    #[schema(min_length = 1, max_length = 200)]
    title: String,
    #[serde(default)]
    #[schema(max_length = 20_000)]
    text: String,
}

/// Create a note
#[utoipa::path(post, path = "/api/v1/notes", tag = "Notes", request_body = CreateNote,
    responses((status = 201, body = Note), (status = 403), (status = 422)))]
async fn create_note(
    State(notes): State<Notes>,
    Auth(who): Auth,
    Json(body): Json<CreateNote>,
) -> Result<(StatusCode, Json<Note>), ApiError> {
    who.require(WRITE)?;
    Ok((StatusCode::CREATED, Json(notes.create(&who, &body.title, &body.text).await?)))
}

/// Delete a note
#[utoipa::path(delete, path = "/api/v1/notes/{id}", tag = "Notes", params(("id" = NoteId, Path)), responses((status = 204), (status = 403), (status = 404)))]
async fn delete_note(
    State(notes): State<Notes>,
    Auth(who): Auth,
    Path(id): Path<NoteId>,
) -> Result<StatusCode, ApiError> {
    who.require(WRITE)?;
    notes.delete(&who, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
