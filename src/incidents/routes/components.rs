//! `/api/v1/incident-components`

use axum::{extract::State, http::StatusCode};

use super::{Of, TAG, owner};
use crate::{
    ComponentDraft, Incidents, READ, WRITE,
    model::{Component, ComponentId},
};
use platform::{
    error::{ApiError, Problem},
    http::{Auth, Json, ListQuery, Page, Path, Query},
};

/// List components, newest first
#[utoipa::path(get, path = "/api/v1/incident-components", tag = TAG,
    params(ListQuery, Of, ("q" = Option<String>, Query, description = "A part of the name or the key.")),
    responses((status = 200, body = Page<Component>), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn list_incident_components(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Query(query): Query<ListQuery>,
    Query(of): Query<Of>,
) -> Result<Json<Page<Component>>, ApiError> {
    let owner = owner(&incidents, &who, READ, of.installation)?;
    let slice = query.slice()?;
    let found = incidents.list_components(owner, query.search(), &slice).await?;
    Ok(Json(slice.page(found, |found| found.id.0)))
}

/// Create a component
#[utoipa::path(post, path = "/api/v1/incident-components", tag = TAG, request_body = ComponentDraft,
    responses((status = 201, body = Component), (status = 403, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn create_incident_component(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Json(draft): Json<ComponentDraft>,
) -> Result<(StatusCode, Json<Component>), ApiError> {
    owner(&incidents, &who, WRITE, draft.installation)?;
    Ok((StatusCode::CREATED, Json(incidents.create_component(&who, draft).await?)))
}

/// Read a component
#[utoipa::path(get, path = "/api/v1/incident-components/{component}", tag = TAG, params(("component" = ComponentId, Path)),
    responses((status = 200, body = Component), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn get_incident_component(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Path(id): Path<ComponentId>,
) -> Result<Json<Component>, ApiError> {
    who.require(READ)?;
    Ok(Json(incidents.get_component(&who, id).await?))
}

/// Change a component; absent fields stay
#[utoipa::path(patch, path = "/api/v1/incident-components/{component}", tag = TAG, params(("component" = ComponentId, Path)), request_body = ComponentDraft,
    responses((status = 200, body = Component), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn update_incident_component(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Path(id): Path<ComponentId>,
    Json(draft): Json<ComponentDraft>,
) -> Result<Json<Component>, ApiError> {
    who.require(WRITE)?;
    Ok(Json(incidents.update_component(&who, id, draft).await?))
}

/// Delete a component
#[utoipa::path(delete, path = "/api/v1/incident-components/{component}", tag = TAG, params(("component" = ComponentId, Path)),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn delete_incident_component(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Path(id): Path<ComponentId>,
) -> Result<StatusCode, ApiError> {
    who.require(WRITE)?;
    incidents.delete_component(&who, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
