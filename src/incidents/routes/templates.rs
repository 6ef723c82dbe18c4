//! `/api/v1/incident-templates`

use axum::{extract::State, http::StatusCode};

use super::{Of, TAG, owner};
use crate::{
    Incidents, READ, TemplateDraft, WRITE,
    model::{IncidentTemplateId, Template},
};
use platform::{
    error::{ApiError, Problem},
    http::{Auth, Json, ListQuery, Page, Path, Query},
};

/// List prepared texts, newest first
#[utoipa::path(get, path = "/api/v1/incident-templates", tag = TAG,
    params(ListQuery, Of, ("q" = Option<String>, Query, description = "A part of the name or the title.")),
    responses((status = 200, body = Page<Template>), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn list_incident_templates(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Query(query): Query<ListQuery>,
    Query(of): Query<Of>,
) -> Result<Json<Page<Template>>, ApiError> {
    let owner = owner(&incidents, &who, READ, of.installation)?;
    let slice = query.slice()?;
    let found = incidents.list_templates(owner, query.search(), &slice).await?;
    Ok(Json(slice.page(found, |found| found.id.0)))
}

/// Create a prepared text
#[utoipa::path(post, path = "/api/v1/incident-templates", tag = TAG, request_body = TemplateDraft,
    responses((status = 201, body = Template), (status = 403, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn create_incident_template(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Json(draft): Json<TemplateDraft>,
) -> Result<(StatusCode, Json<Template>), ApiError> {
    owner(&incidents, &who, WRITE, draft.installation)?;
    Ok((StatusCode::CREATED, Json(incidents.create_template(&who, draft).await?)))
}

/// Read a prepared text
#[utoipa::path(get, path = "/api/v1/incident-templates/{template}", tag = TAG, params(("template" = IncidentTemplateId, Path)),
    responses((status = 200, body = Template), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn get_incident_template(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Path(id): Path<IncidentTemplateId>,
) -> Result<Json<Template>, ApiError> {
    who.require(READ)?;
    Ok(Json(incidents.get_template(&who, id).await?))
}

/// Change a prepared text
#[utoipa::path(put, path = "/api/v1/incident-templates/{template}", tag = TAG, params(("template" = IncidentTemplateId, Path)), request_body = TemplateDraft,
    responses((status = 200, body = Template), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn update_incident_template(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Path(id): Path<IncidentTemplateId>,
    Json(draft): Json<TemplateDraft>,
) -> Result<Json<Template>, ApiError> {
    who.require(WRITE)?;
    Ok(Json(incidents.update_template(&who, id, draft).await?))
}

/// Delete a prepared text
#[utoipa::path(delete, path = "/api/v1/incident-templates/{template}", tag = TAG, params(("template" = IncidentTemplateId, Path)),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn delete_incident_template(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Path(id): Path<IncidentTemplateId>,
) -> Result<StatusCode, ApiError> {
    who.require(WRITE)?;
    incidents.delete_template(&who, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
