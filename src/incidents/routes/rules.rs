//! `/api/v1/incident-rules`

use axum::{extract::State, http::StatusCode};

use super::{Of, TAG, owner};
use crate::{
    ADMIN, Incidents, Preview, PreviewRequest, RuleDraft,
    model::{Rule, RuleId},
};
use platform::{
    error::{ApiError, Problem},
    http::{Auth, Json, ListQuery, Page, Path, Query},
};

/// List rules, newest first
#[utoipa::path(get, path = "/api/v1/incident-rules", tag = TAG,
    params(ListQuery, Of, ("q" = Option<String>, Query, description = "A part of the name or the key.")),
    responses((status = 200, body = Page<Rule>), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn list_incident_rules(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Query(query): Query<ListQuery>,
    Query(of): Query<Of>,
) -> Result<Json<Page<Rule>>, ApiError> {
    let owner = owner(&incidents, &who, ADMIN, of.installation)?;
    let slice = query.slice()?;
    let found = incidents.list_rules(owner, query.search(), &slice).await?;
    Ok(Json(slice.page(found, |found| found.id.0)))
}

/// Create a rule
#[utoipa::path(post, path = "/api/v1/incident-rules", tag = TAG, request_body = RuleDraft,
    responses((status = 201, body = Rule), (status = 403, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn create_incident_rule(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Json(draft): Json<RuleDraft>,
) -> Result<(StatusCode, Json<Rule>), ApiError> {
    owner(&incidents, &who, ADMIN, draft.installation)?;
    Ok((StatusCode::CREATED, Json(incidents.create_rule(&who, draft).await?)))
}

/// Read a rule
#[utoipa::path(get, path = "/api/v1/incident-rules/{rule}", tag = TAG, params(("rule" = RuleId, Path)),
    responses((status = 200, body = Rule), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn get_incident_rule(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Path(id): Path<RuleId>,
) -> Result<Json<Rule>, ApiError> {
    who.require(ADMIN)?;
    Ok(Json(incidents.get_rule(&who, id).await?))
}

/// Change a rule; absent fields stay
#[utoipa::path(patch, path = "/api/v1/incident-rules/{rule}", tag = TAG, params(("rule" = RuleId, Path)), request_body = RuleDraft,
    responses((status = 200, body = Rule), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn update_incident_rule(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Path(id): Path<RuleId>,
    Json(draft): Json<RuleDraft>,
) -> Result<Json<Rule>, ApiError> {
    who.require(ADMIN)?;
    Ok(Json(incidents.update_rule(&who, id, draft).await?))
}

/// Delete a rule
#[utoipa::path(delete, path = "/api/v1/incident-rules/{rule}", tag = TAG, params(("rule" = RuleId, Path)),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn delete_incident_rule(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Path(id): Path<RuleId>,
) -> Result<StatusCode, ApiError> {
    who.require(ADMIN)?;
    incidents.delete_rule(&who, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Try a rule, saved or not, against the past: what it would have told
#[utoipa::path(post, path = "/api/v1/incident-rules/preview", tag = TAG, request_body = PreviewRequest,
    responses((status = 200, body = Preview), (status = 403, body = Problem), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn preview_incident_rule(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Json(request): Json<PreviewRequest>,
) -> Result<Json<Preview>, ApiError> {
    owner(&incidents, &who, ADMIN, request.installation)?;
    Ok(Json(incidents.preview(&who, request).await?))
}
