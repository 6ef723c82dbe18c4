//! `/api/v1/uptime/imports`

use axum::{extract::State, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Whose, owner};
use crate::{ImportId, ImportSource, READ, Uptime, WRITE, import::Import, service::Choices};
use platform::{
    error::ApiError,
    http::{Auth, Json, ListQuery, Page, Path, Query},
};

/// Files of other monitor programs, newest first
#[utoipa::path(get, path = "/api/v1/uptime/imports", tag = "Uptime", params(ListQuery, Whose),
    responses((status = 200, body = Page<Import>), (status = 403), (status = 422)))]
pub(super) async fn list_uptime_imports(
    State(uptime): State<Uptime>,
    Auth(who): Auth,
    Query(query): Query<ListQuery>,
    Query(whose): Query<Whose>,
) -> Result<Json<Page<Import>>, ApiError> {
    let owner = owner(&uptime, &who, READ, whose.installation)?;
    let slice = query.slice()?;
    let rows = uptime.imports(owner, &slice).await?;
    Ok(Json(slice.page(rows, |import| import.id.0)))
}

/// A file to read.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"source": "gatus", "file_name": "config.yaml",
    "content": "endpoints:\n  - name: shop\n    url: https://shop.example/\n    conditions: [\"[STATUS] == 200\"]\n"}))]
pub(super) struct CreateImport {
    source: ImportSource,
    #[serde(default)]
    #[schema(max_length = 200)]
    file_name: String,
    /// The whole text: Uptime Kuma's JSON, or Gatus's YAML.
    content: String,
    /// For the installation instead of the organisation; operators only.
    #[serde(default)]
    installation: bool,
}

/// Read a file of another monitor program, and see what would become of it
///
/// Nothing is made yet. The file is kept sealed for a day, until it is applied.
#[utoipa::path(post, path = "/api/v1/uptime/imports", tag = "Uptime", request_body = CreateImport,
    responses((status = 201, body = Import), (status = 403), (status = 422)))]
pub(super) async fn create_uptime_import(
    State(uptime): State<Uptime>,
    Auth(who): Auth,
    Json(body): Json<CreateImport>,
) -> Result<(StatusCode, Json<Import>), ApiError> {
    let owner = owner(&uptime, &who, WRITE, body.installation)?;
    let made = uptime.create_import(&who, owner, body.source, &body.file_name, &body.content).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// An import with its report
#[utoipa::path(get, path = "/api/v1/uptime/imports/{id}", tag = "Uptime", params(("id" = ImportId, Path)),
    responses((status = 200, body = Import), (status = 403), (status = 404)))]
pub(super) async fn get_uptime_import(
    State(uptime): State<Uptime>,
    Auth(who): Auth,
    Path(id): Path<ImportId>,
) -> Result<Json<Import>, ApiError> {
    who.require(READ)?;
    Ok(Json(uptime.get_import(&who, id).await?))
}

/// Make what the file describes
///
/// What cannot be made is named in the report with its reason, and does not hold up the rest.
#[utoipa::path(post, path = "/api/v1/uptime/imports/{id}/apply", tag = "Uptime", params(("id" = ImportId, Path)), request_body = Choices,
    responses((status = 200, body = Import), (status = 403), (status = 404), (status = 409), (status = 422)))]
pub(super) async fn apply_uptime_import(
    State(uptime): State<Uptime>,
    Auth(who): Auth,
    Path(id): Path<ImportId>,
    Json(choices): Json<Choices>,
) -> Result<Json<Import>, ApiError> {
    who.require(WRITE)?;
    Ok(Json(uptime.apply_import(&who, id, &choices).await?))
}
