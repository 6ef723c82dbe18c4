//! `/api/v1/uptime/groups`

use axum::{extract::State, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Whose, owner};
use crate::{Group, GroupId, READ, Uptime, WRITE};
use platform::{
    error::ApiError,
    http::{Auth, Json, ListQuery, Page, Path, Query},
};

/// Groups of monitors, newest first
#[utoipa::path(get, path = "/api/v1/uptime/groups", tag = "Uptime", params(ListQuery, Whose),
    responses((status = 200, body = Page<Group>), (status = 403), (status = 422)))]
pub(super) async fn list_monitor_groups(
    State(uptime): State<Uptime>,
    Auth(who): Auth,
    Query(query): Query<ListQuery>,
    Query(whose): Query<Whose>,
) -> Result<Json<Page<Group>>, ApiError> {
    let owner = owner(&uptime, &who, READ, whose.installation)?;
    let slice = query.slice()?;
    let rows = uptime.groups(owner, &slice).await?;
    Ok(Json(slice.page(rows, |group| group.id.0)))
}

/// A group to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Shop"}))]
pub(super) struct CreateGroup {
    /// Left out: made of the name.
    #[serde(default)]
    key: Option<String>,
    #[schema(max_length = 100)]
    name: String,
    /// Belongs to the installation instead of the organisation; operators only.
    #[serde(default)]
    installation: bool,
}

/// Make a group of monitors
#[utoipa::path(post, path = "/api/v1/uptime/groups", tag = "Uptime", request_body = CreateGroup,
    responses((status = 201, body = Group), (status = 403), (status = 409), (status = 422)))]
pub(super) async fn create_monitor_group(
    State(uptime): State<Uptime>,
    Auth(who): Auth,
    Json(body): Json<CreateGroup>,
) -> Result<(StatusCode, Json<Group>), ApiError> {
    let owner = owner(&uptime, &who, WRITE, body.installation)?;
    let made = uptime.create_group(&who, owner, body.key.as_deref(), &body.name).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// A group of monitors
#[utoipa::path(get, path = "/api/v1/uptime/groups/{id}", tag = "Uptime", params(("id" = GroupId, Path)),
    responses((status = 200, body = Group), (status = 403), (status = 404)))]
pub(super) async fn get_monitor_group(
    State(uptime): State<Uptime>,
    Auth(who): Auth,
    Path(id): Path<GroupId>,
) -> Result<Json<Group>, ApiError> {
    who.require(READ)?;
    Ok(Json(uptime.get_group(&who, id).await?))
}

/// A new name.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RenameGroup {
    #[schema(max_length = 100)]
    name: String,
}

/// Rename a group of monitors
#[utoipa::path(patch, path = "/api/v1/uptime/groups/{id}", tag = "Uptime", params(("id" = GroupId, Path)), request_body = RenameGroup,
    responses((status = 200, body = Group), (status = 403), (status = 404), (status = 409), (status = 422)))]
pub(super) async fn rename_monitor_group(
    State(uptime): State<Uptime>,
    Auth(who): Auth,
    Path(id): Path<GroupId>,
    Json(body): Json<RenameGroup>,
) -> Result<Json<Group>, ApiError> {
    who.require(WRITE)?;
    Ok(Json(uptime.rename_group(&who, id, &body.name).await?))
}

/// Delete a group; its monitors stay
#[utoipa::path(delete, path = "/api/v1/uptime/groups/{id}", tag = "Uptime", params(("id" = GroupId, Path)),
    responses((status = 204), (status = 403), (status = 404), (status = 409)))]
pub(super) async fn delete_monitor_group(
    State(uptime): State<Uptime>,
    Auth(who): Auth,
    Path(id): Path<GroupId>,
) -> Result<StatusCode, ApiError> {
    who.require(WRITE)?;
    uptime.delete_group(&who, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
