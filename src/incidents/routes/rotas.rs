//! `/api/v1/incident-rotas`

use axum::{extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Of, TAG, owner};
use crate::{
    ADMIN, Incidents, OnCall, OverrideDraft, PersonDraft, PersonSettings, READ, RotaDraft, WRITE,
    model::{Override, OverrideId, Rota, RotaId},
};
use platform::{
    error::{ApiError, Problem},
    http::{Auth, Json, ListQuery, Page, Path, Query},
};

/// List rotas, newest first
#[utoipa::path(get, path = "/api/v1/incident-rotas", tag = TAG,
    params(ListQuery, Of, ("q" = Option<String>, Query, description = "A part of the name or the key.")),
    responses((status = 200, body = Page<Rota>), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn list_incident_rotas(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Query(query): Query<ListQuery>,
    Query(of): Query<Of>,
) -> Result<Json<Page<Rota>>, ApiError> {
    let owner = owner(&incidents, &who, READ, of.installation)?;
    let slice = query.slice()?;
    let found = incidents.list_rotas(owner, query.search(), &slice).await?;
    Ok(Json(slice.page(found, |found| found.id.0)))
}

/// Create a rota
#[utoipa::path(post, path = "/api/v1/incident-rotas", tag = TAG, request_body = RotaDraft,
    responses((status = 201, body = Rota), (status = 403, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn create_incident_rota(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Json(draft): Json<RotaDraft>,
) -> Result<(StatusCode, Json<Rota>), ApiError> {
    owner(&incidents, &who, ADMIN, draft.installation)?;
    Ok((StatusCode::CREATED, Json(incidents.create_rota(&who, draft).await?)))
}

/// Read a rota
#[utoipa::path(get, path = "/api/v1/incident-rotas/{rota}", tag = TAG, params(("rota" = RotaId, Path)),
    responses((status = 200, body = Rota), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn get_incident_rota(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Path(id): Path<RotaId>,
) -> Result<Json<Rota>, ApiError> {
    who.require(READ)?;
    Ok(Json(incidents.get_rota(&who, id).await?))
}

/// Change a rota; absent fields stay
#[utoipa::path(patch, path = "/api/v1/incident-rotas/{rota}", tag = TAG, params(("rota" = RotaId, Path)), request_body = RotaDraft,
    responses((status = 200, body = Rota), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn update_incident_rota(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Path(id): Path<RotaId>,
    Json(draft): Json<RotaDraft>,
) -> Result<Json<Rota>, ApiError> {
    who.require(ADMIN)?;
    Ok(Json(incidents.update_rota(&who, id, draft).await?))
}

/// Delete a rota
#[utoipa::path(delete, path = "/api/v1/incident-rotas/{rota}", tag = TAG, params(("rota" = RotaId, Path)),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn delete_incident_rota(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Path(id): Path<RotaId>,
) -> Result<StatusCode, ApiError> {
    who.require(ADMIN)?;
    incidents.delete_rota(&who, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The moment that is asked for.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(super) struct At {
    /// Absent: now.
    at: Option<DateTime<Utc>>,
}

/// Who is on call, and the turns of the fourteen days after that
#[utoipa::path(get, path = "/api/v1/incident-rotas/{rota}/on-call", tag = TAG, params(("rota" = RotaId, Path), At),
    responses((status = 200, body = OnCall), (status = 404, body = Problem)))]
pub(super) async fn get_on_call(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Path(id): Path<RotaId>,
    Query(at): Query<At>,
) -> Result<Json<OnCall>, ApiError> {
    who.require(READ)?;
    Ok(Json(incidents.on_call(&who, id, at.at).await?))
}

/// List who stands in, newest first; those that are over are left out
#[utoipa::path(get, path = "/api/v1/incident-rotas/{rota}/overrides", tag = TAG, params(("rota" = RotaId, Path), ListQuery),
    responses((status = 200, body = Page<Override>), (status = 404, body = Problem)))]
pub(super) async fn list_rota_overrides(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Path(id): Path<RotaId>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Override>>, ApiError> {
    who.require(READ)?;
    let slice = query.slice()?;
    let found = incidents.list_overrides(&who, id, &slice).await?;
    Ok(Json(slice.page(found, |found| found.id.0)))
}

/// Let somebody stand in
#[utoipa::path(post, path = "/api/v1/incident-rotas/{rota}/overrides", tag = TAG, params(("rota" = RotaId, Path)), request_body = OverrideDraft,
    responses((status = 201, body = Override), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn create_rota_override(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Path(id): Path<RotaId>,
    Json(draft): Json<OverrideDraft>,
) -> Result<(StatusCode, Json<Override>), ApiError> {
    // People swap their turns without an administrator.
    who.require(WRITE)?;
    Ok((StatusCode::CREATED, Json(incidents.add_override(&who, id, draft).await?)))
}

/// Let nobody stand in
#[utoipa::path(delete, path = "/api/v1/incident-rotas/{rota}/overrides/{override}", tag = TAG,
    params(("rota" = RotaId, Path), ("override" = OverrideId, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub(super) async fn delete_rota_override(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Path((id, which)): Path<(RotaId, OverrideId)>,
) -> Result<StatusCode, ApiError> {
    who.require(WRITE)?;
    incidents.delete_override(&who, id, which).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Where you are told when you are on call
#[utoipa::path(get, path = "/api/v1/incident-people/me", tag = TAG,
    responses((status = 200, body = PersonSettings), (status = 404, body = Problem)))]
pub(super) async fn get_my_incident_settings(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
) -> Result<Json<PersonSettings>, ApiError> {
    who.require(READ)?;
    Ok(Json(incidents.my_settings(&who).await?))
}

/// Say where you are told when you are on call
#[utoipa::path(put, path = "/api/v1/incident-people/me", tag = TAG, request_body = PersonDraft,
    responses((status = 200, body = PersonSettings), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn set_my_incident_settings(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Json(draft): Json<PersonDraft>,
) -> Result<Json<PersonSettings>, ApiError> {
    who.require(READ)?;
    Ok(Json(incidents.set_my_settings(&who, draft).await?))
}
