//! `/api/v1/incidents`, `/api/v1/incident-maintenances`

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{Of, TAG, owner, version};
use crate::{
    IncidentChanges, IncidentDraft, IncidentFull, Incidents, MaintenanceDraft, READ, Split, UpdateChanges, UpdateDraft,
    WRITE,
    model::{ComponentId, Incident, IncidentId, IncidentKind, LogEntry, Severity, Told, Update, UpdateId},
    store::incidents::Filter,
};
use platform::{
    error::{ApiError, Problem},
    http::{Auth, Json, ListQuery, Page, Path, Query},
};

/// An incident with its `ETag`, for `If-Match`.
struct Tagged(StatusCode, IncidentFull);

impl IntoResponse for Tagged {
    fn into_response(self) -> Response {
        let tag = HeaderValue::from_str(&format!("\"{}\"", self.1.incident.version)).ok();
        let mut response = (self.0, Json(self.1)).into_response();
        if let Some(tag) = tag {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }
}

/// Filter of incidents.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(super) struct IncidentFilter {
    /// True: those that are open; false: those that are over.
    open: Option<bool>,
    kind: Option<IncidentKind>,
    severity: Option<Severity>,
    /// Those that affect this component.
    component: Option<ComponentId>,
}

/// List incidents and maintenances, newest first. Those that were merged into another are part of that one
#[utoipa::path(get, path = "/api/v1/incidents", tag = TAG,
    params(ListQuery, Of, IncidentFilter, ("q" = Option<String>, Query, description = "A part of the name.")),
    responses((status = 200, body = Page<Incident>), (status = 422, body = Problem)))]
pub(super) async fn list_incidents(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Query(query): Query<ListQuery>,
    Query(of): Query<Of>,
    Query(filter): Query<IncidentFilter>,
) -> Result<Json<Page<Incident>>, ApiError> {
    let owner = owner(&incidents, &who, READ, of.installation)?;
    let slice = query.slice()?;
    let IncidentFilter { open, kind, severity, component } = filter;
    let filter = Filter { open, kind, severity, component, search: query.search() };
    let found = incidents.list(owner, &filter, &slice).await?;
    Ok(Json(slice.page(found, |incident| incident.id.0)))
}

/// Open an incident
#[utoipa::path(post, path = "/api/v1/incidents", tag = TAG, request_body = IncidentDraft,
    responses((status = 201, body = IncidentFull), (status = 422, body = Problem)))]
pub(super) async fn open_incident(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Json(draft): Json<IncidentDraft>,
) -> Result<Response, ApiError> {
    owner(&incidents, &who, WRITE, draft.installation)?;
    Ok(Tagged(StatusCode::CREATED, incidents.open_by_hand(&who, draft).await?).into_response())
}

/// Read an incident with its causes, what it affects and its newest updates
#[utoipa::path(get, path = "/api/v1/incidents/{incident}", tag = TAG, params(("incident" = IncidentId, Path)),
    responses((status = 200, body = IncidentFull), (status = 404, body = Problem)))]
pub(super) async fn get_incident(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Path(id): Path<IncidentId>,
) -> Result<Response, ApiError> {
    who.require(READ)?;
    Ok(Tagged(StatusCode::OK, incidents.get(&who, id).await?).into_response())
}

/// Change an incident
///
/// Send the `ETag` that you read as `If-Match`, so that two editors do not overwrite each other (409 `changed_meanwhile`).
#[utoipa::path(patch, path = "/api/v1/incidents/{incident}", tag = TAG, params(("incident" = IncidentId, Path)), request_body = IncidentChanges,
    responses((status = 200, body = IncidentFull), (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn change_incident(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Path(id): Path<IncidentId>,
    headers: HeaderMap,
    Json(changes): Json<IncidentChanges>,
) -> Result<Response, ApiError> {
    who.require(WRITE)?;
    Ok(Tagged(StatusCode::OK, incidents.change(&who, id, version(&headers)?, changes).await?).into_response())
}

/// Acknowledge an incident: somebody works on it, and the escalation ends
#[utoipa::path(post, path = "/api/v1/incidents/{incident}/acknowledge", tag = TAG, params(("incident" = IncidentId, Path)),
    responses((status = 200, body = IncidentFull), (status = 404, body = Problem)))]
pub(super) async fn acknowledge_incident(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Path(id): Path<IncidentId>,
) -> Result<Response, ApiError> {
    who.require(WRITE)?;
    Ok(Tagged(StatusCode::OK, incidents.acknowledge(&who, id).await?).into_response())
}

/// The end of an incident or a maintenance.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ResolveIncident {
    /// An update that says it; empty: none.
    body: String,
    /// Subscribers of pages get the update by mail.
    notify: bool,
}

/// Resolve an incident, or complete a maintenance
#[utoipa::path(post, path = "/api/v1/incidents/{incident}/resolve", tag = TAG, params(("incident" = IncidentId, Path)), request_body = ResolveIncident,
    responses((status = 200, body = IncidentFull), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn resolve_incident(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Path(id): Path<IncidentId>,
    headers: HeaderMap,
    Json(body): Json<ResolveIncident>,
) -> Result<Response, ApiError> {
    who.require(WRITE)?;
    let done = incidents.resolve(&who, id, version(&headers)?, &body.body, body.notify).await?;
    Ok(Tagged(StatusCode::OK, done).into_response())
}

/// Publish an incident: pages that show what it affects show it from now on
#[utoipa::path(post, path = "/api/v1/incidents/{incident}/publish", tag = TAG, params(("incident" = IncidentId, Path)),
    responses((status = 200, body = IncidentFull), (status = 404, body = Problem)))]
pub(super) async fn publish_incident(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Path(id): Path<IncidentId>,
) -> Result<Response, ApiError> {
    who.require(WRITE)?;
    Ok(Tagged(StatusCode::OK, incidents.publish(&who, id).await?).into_response())
}

/// The incident that another becomes a part of.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"into": "0190b5a0-0000-7000-8000-000000000000"}))]
pub(super) struct MergeIncident {
    into: IncidentId,
}

/// Merge an incident into another, which gets its causes, its log and what it affects. Returns the other
#[utoipa::path(post, path = "/api/v1/incidents/{incident}/merge", tag = TAG, params(("incident" = IncidentId, Path)), request_body = MergeIncident,
    responses((status = 200, body = IncidentFull), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn merge_incident(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Path(id): Path<IncidentId>,
    Json(body): Json<MergeIncident>,
) -> Result<Response, ApiError> {
    who.require(WRITE)?;
    Ok(Tagged(StatusCode::OK, incidents.merge(&who, id, body.into).await?).into_response())
}

/// Split causes off into a new incident, which is returned
#[utoipa::path(post, path = "/api/v1/incidents/{incident}/split", tag = TAG, params(("incident" = IncidentId, Path)), request_body = Split,
    responses((status = 201, body = IncidentFull), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn split_incident(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Path(id): Path<IncidentId>,
    Json(split): Json<Split>,
) -> Result<Response, ApiError> {
    who.require(WRITE)?;
    Ok(Tagged(StatusCode::CREATED, incidents.split(&who, id, split).await?).into_response())
}

/// List the updates of an incident, newest first
#[utoipa::path(get, path = "/api/v1/incidents/{incident}/updates", tag = TAG, params(("incident" = IncidentId, Path), ListQuery),
    responses((status = 200, body = Page<Update>), (status = 404, body = Problem)))]
pub(super) async fn list_incident_updates(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Path(id): Path<IncidentId>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Update>>, ApiError> {
    who.require(READ)?;
    let slice = query.slice()?;
    let found = incidents.list_updates(&who, id, &slice).await?;
    Ok(Json(slice.page(found, |update| update.id.0)))
}

/// Add an update, and move the incident with it
#[utoipa::path(post, path = "/api/v1/incidents/{incident}/updates", tag = TAG, params(("incident" = IncidentId, Path)), request_body = UpdateDraft,
    responses((status = 201, body = IncidentFull), (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn add_incident_update(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Path(id): Path<IncidentId>,
    headers: HeaderMap,
    Json(draft): Json<UpdateDraft>,
) -> Result<Response, ApiError> {
    who.require(WRITE)?;
    let done = incidents.add_update(&who, id, version(&headers)?, draft).await?;
    Ok(Tagged(StatusCode::CREATED, done).into_response())
}

/// Change the text of an update, or whether pages show it
#[utoipa::path(patch, path = "/api/v1/incidents/{incident}/updates/{update}", tag = TAG,
    params(("incident" = IncidentId, Path), ("update" = UpdateId, Path)), request_body = UpdateChanges,
    responses((status = 200, body = Update), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn change_incident_update(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Path((id, update)): Path<(IncidentId, UpdateId)>,
    Json(changes): Json<UpdateChanges>,
) -> Result<Json<Update>, ApiError> {
    who.require(WRITE)?;
    Ok(Json(incidents.change_update(&who, id, update, changes).await?))
}

/// What people and programs did about an incident, newest first
#[utoipa::path(get, path = "/api/v1/incidents/{incident}/log", tag = TAG, params(("incident" = IncidentId, Path), ListQuery),
    responses((status = 200, body = Page<LogEntry>), (status = 404, body = Problem)))]
pub(super) async fn list_incident_log(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Path(id): Path<IncidentId>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<LogEntry>>, ApiError> {
    who.require(READ)?;
    let slice = query.slice()?;
    let found = incidents.log_of(&who, id, &slice).await?;
    Ok(Json(slice.page(found, |entry| entry.id.0)))
}

/// Messages about an incident that were decided on, newest first: those that were held back, too
#[utoipa::path(get, path = "/api/v1/incidents/{incident}/messages", tag = TAG, params(("incident" = IncidentId, Path), ListQuery),
    responses((status = 200, body = Page<Told>), (status = 404, body = Problem)))]
pub(super) async fn list_incident_messages(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Path(id): Path<IncidentId>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Told>>, ApiError> {
    who.require(READ)?;
    let slice = query.slice()?;
    let found = incidents.told_of(&who, id, &slice).await?;
    Ok(Json(slice.page(found, |told| told.id.0)))
}

/// What was learned.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetPostmortem {
    /// Markdown.
    text: String,
    /// Pages show it.
    #[serde(default)]
    publish: bool,
}

/// Write the post-mortem of an incident that is resolved
#[utoipa::path(put, path = "/api/v1/incidents/{incident}/postmortem", tag = TAG, params(("incident" = IncidentId, Path)), request_body = SetPostmortem,
    responses((status = 200, body = IncidentFull), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn set_incident_postmortem(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Path(id): Path<IncidentId>,
    Json(body): Json<SetPostmortem>,
) -> Result<Response, ApiError> {
    who.require(WRITE)?;
    let done = incidents.set_postmortem(&who, id, &body.text, body.publish).await?;
    Ok(Tagged(StatusCode::OK, done).into_response())
}

/// Announce a maintenance: the window of the monitors and its announcement
#[utoipa::path(post, path = "/api/v1/incident-maintenances", tag = TAG, request_body = MaintenanceDraft,
    responses((status = 201, body = IncidentFull), (status = 422, body = Problem)))]
pub(super) async fn announce_maintenance(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Json(draft): Json<MaintenanceDraft>,
) -> Result<Response, ApiError> {
    owner(&incidents, &who, WRITE, draft.installation)?;
    Ok(Tagged(StatusCode::CREATED, incidents.announce_maintenance(&who, draft).await?).into_response())
}
