//! `/api/v1/incident-channels`

use axum::{extract::State, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Of, TAG, owner};
use crate::{
    ADMIN, ChannelDraft, Incidents, Tried,
    model::{Channel, ChannelId},
};
use platform::{
    error::{ApiError, Problem},
    http::{Auth, Json, ListQuery, Page, Path, Query},
};
use webhooks::{Delivery, DeliveryId};

/// List channels, newest first
#[utoipa::path(get, path = "/api/v1/incident-channels", tag = TAG,
    params(ListQuery, Of, ("q" = Option<String>, Query, description = "A part of the name, the key or the kind.")),
    responses((status = 200, body = Page<Channel>), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn list_incident_channels(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Query(query): Query<ListQuery>,
    Query(of): Query<Of>,
) -> Result<Json<Page<Channel>>, ApiError> {
    let owner = owner(&incidents, &who, ADMIN, of.installation)?;
    let slice = query.slice()?;
    let found = incidents.list_channels(owner, query.search(), &slice).await?;
    Ok(Json(slice.page(found, |found| found.id.0)))
}

/// A channel with the secret that was made for it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IncidentChannelMade)]
pub(super) struct ChannelMade {
    #[serde(flatten)]
    channel: Channel,
    /// Of `webhook`: `whsec_...`, with which messages are signed (Standard Webhooks 1.0.0). Shown only once; null: you gave it.
    secret: Option<String>,
}

/// Create a channel
#[utoipa::path(post, path = "/api/v1/incident-channels", tag = TAG, request_body = ChannelDraft,
    responses((status = 201, body = ChannelMade), (status = 403, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn create_incident_channel(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Json(draft): Json<ChannelDraft>,
) -> Result<(StatusCode, Json<ChannelMade>), ApiError> {
    owner(&incidents, &who, ADMIN, draft.installation)?;
    let (channel, secret) = incidents.create_channel(&who, draft).await?;
    Ok((StatusCode::CREATED, Json(ChannelMade { channel, secret })))
}

/// Read a channel
#[utoipa::path(get, path = "/api/v1/incident-channels/{channel}", tag = TAG, params(("channel" = ChannelId, Path)),
    responses((status = 200, body = Channel), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn get_incident_channel(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Path(id): Path<ChannelId>,
) -> Result<Json<Channel>, ApiError> {
    who.require(ADMIN)?;
    Ok(Json(incidents.get_channel(&who, id).await?))
}

/// Change a channel; absent fields stay
#[utoipa::path(patch, path = "/api/v1/incident-channels/{channel}", tag = TAG, params(("channel" = ChannelId, Path)), request_body = ChannelDraft,
    responses((status = 200, body = Channel), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn update_incident_channel(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Path(id): Path<ChannelId>,
    Json(draft): Json<ChannelDraft>,
) -> Result<Json<Channel>, ApiError> {
    who.require(ADMIN)?;
    Ok(Json(incidents.update_channel(&who, id, draft).await?))
}

/// Delete a channel
#[utoipa::path(delete, path = "/api/v1/incident-channels/{channel}", tag = TAG, params(("channel" = ChannelId, Path)),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn delete_incident_channel(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Path(id): Path<ChannelId>,
) -> Result<StatusCode, ApiError> {
    who.require(ADMIN)?;
    incidents.delete_channel(&who, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Send a test message, and wait up to ten seconds for the answer
#[utoipa::path(post, path = "/api/v1/incident-channels/{channel}/test", tag = TAG, params(("channel" = ChannelId, Path)),
    responses((status = 200, body = Tried), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn test_incident_channel(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Path(id): Path<ChannelId>,
) -> Result<Json<Tried>, ApiError> {
    who.require(ADMIN)?;
    Ok(Json(incidents.try_channel(&who, id).await?))
}

/// What was posted to a channel, newest first. Mail is in the log of mail
#[utoipa::path(get, path = "/api/v1/incident-channels/{channel}/deliveries", tag = TAG, params(("channel" = ChannelId, Path), ListQuery),
    responses((status = 200, body = Page<Delivery>), (status = 404, body = Problem)))]
pub(super) async fn list_incident_channel_deliveries(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Path(id): Path<ChannelId>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Delivery>>, ApiError> {
    who.require(ADMIN)?;
    let slice = query.slice()?;
    let found = incidents.deliveries_of(&who, id, &slice).await?;
    Ok(Json(slice.page(found, |delivery| delivery.id.0)))
}

/// Send a message again, with the same id and body; a queued one is tried immediately
#[utoipa::path(post, path = "/api/v1/incident-channels/{channel}/deliveries/{delivery}/replay", tag = TAG,
    params(("channel" = ChannelId, Path), ("delivery" = DeliveryId, Path)),
    responses((status = 202, body = Delivery), (status = 404, body = Problem)))]
pub(super) async fn replay_incident_channel_delivery(
    State(incidents): State<Incidents>,
    Auth(who): Auth,
    Path((id, delivery)): Path<(ChannelId, DeliveryId)>,
) -> Result<(StatusCode, Json<Delivery>), ApiError> {
    who.require(ADMIN)?;
    Ok((StatusCode::ACCEPTED, Json(incidents.replay(&who, id, delivery).await?)))
}
