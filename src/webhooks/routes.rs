//! `/api/v1/webhooks`, `/api/v1/webhook-deliveries`

use axum::{extract::State, http::StatusCode};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Webhooks,
    model::{
        Delivery, DeliveryDetail, DeliveryId, DeliveryState, Endpoint, EndpointChanges, EndpointId, EndpointWithSecret,
        Owner,
    },
    store::deliveries::Filter,
};
use platform::{
    error::ApiError,
    http::{Auth, Json, ListQuery, Page, Path, Principal, Query, Scope, idempotent},
};

/// The routes of this capability.
pub fn router() -> OpenApiRouter<Webhooks> {
    OpenApiRouter::new()
        .routes(idempotent(routes!(list_webhooks, create_webhook)))
        .routes(routes!(get_webhook, update_webhook, delete_webhook))
        .routes(routes!(rotate_webhook_secret))
        .routes(idempotent(routes!(test_webhook)))
        .routes(routes!(list_webhook_deliveries))
        .routes(routes!(get_webhook_delivery))
        .routes(idempotent(routes!(replay_webhook_delivery)))
        .routes(routes!(give_up_webhook_delivery))
}

/// The owner that the caller means.
pub(super) fn owner(who: &Principal, installation: bool) -> Result<Owner, ApiError> {
    who.require(Scope::ADMIN)?;
    if installation {
        who.require_operator("see and change its webhooks")?;
        return Ok(Owner::Installation);
    }
    Ok(Owner::Org(who.org_id))
}

/// Filter of endpoints.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
struct EndpointFilter {
    /// Endpoints of the installation; operators only.
    installation: bool,
}

/// Webhook endpoints, newest first
#[utoipa::path(get, path = "/api/v1/webhooks", tag = "Webhooks",
    params(ListQuery, EndpointFilter, ("q" = Option<String>, Query, description = "Substring of the URL or the description.")),
    responses((status = 200, body = Page<Endpoint>), (status = 403), (status = 422)))]
async fn list_webhooks(
    State(webhooks): State<Webhooks>,
    Auth(who): Auth,
    Query(query): Query<ListQuery>,
    Query(filter): Query<EndpointFilter>,
) -> Result<Json<Page<Endpoint>>, ApiError> {
    let owner = owner(&who, filter.installation)?;
    let slice = query.slice()?;
    let rows = webhooks.list_endpoints(owner, query.search(), &slice).await?;
    Ok(Json(slice.page(rows, |endpoint| endpoint.id.0)))
}

/// A new webhook endpoint.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateWebhook {
    /// An http or https address on the public internet, or in a network that an operator allows.
    #[schema(example = "https://example.com/hooks/holdfast", max_length = 2000)]
    url: String,
    #[serde(default)]
    #[schema(max_length = 200)]
    description: String,
    /// Topics of docs/events.md; empty for all of them.
    #[serde(default)]
    topics: Vec<String>,
    /// An endpoint of the installation instead of the organisation; operators only.
    #[serde(default)]
    installation: bool,
}

/// Create a webhook endpoint. The response contains its secret, which is shown only once
#[utoipa::path(post, path = "/api/v1/webhooks", tag = "Webhooks", request_body = CreateWebhook,
    responses((status = 201, body = EndpointWithSecret), (status = 403), (status = 409), (status = 422)))]
async fn create_webhook(
    State(webhooks): State<Webhooks>,
    Auth(who): Auth,
    Json(body): Json<CreateWebhook>,
) -> Result<(StatusCode, Json<EndpointWithSecret>), ApiError> {
    let owner = owner(&who, body.installation)?;
    let new = EndpointChanges {
        url: Some(body.url),
        description: Some(body.description),
        topics: Some(body.topics),
        enabled: None,
    };
    Ok((StatusCode::CREATED, Json(webhooks.create_endpoint(&who, owner, new).await?)))
}

/// A webhook endpoint
#[utoipa::path(get, path = "/api/v1/webhooks/{id}", tag = "Webhooks", params(("id" = EndpointId, Path)), responses((status = 200, body = Endpoint), (status = 403), (status = 404)))]
async fn get_webhook(
    State(webhooks): State<Webhooks>,
    Auth(who): Auth,
    Path(id): Path<EndpointId>,
) -> Result<Json<Endpoint>, ApiError> {
    who.require(Scope::ADMIN)?;
    Ok(Json(webhooks.get_endpoint(&who, id).await?))
}

/// Changes; absent fields stay unchanged.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UpdateWebhook {
    #[schema(max_length = 2000)]
    url: Option<String>,
    #[schema(max_length = 200)]
    description: Option<String>,
    topics: Option<Vec<String>>,
    /// False gives up queued messages; true resets the failures.
    enabled: Option<bool>,
}

/// Change, enable or disable a webhook endpoint
#[utoipa::path(patch, path = "/api/v1/webhooks/{id}", tag = "Webhooks", params(("id" = EndpointId, Path)), request_body = UpdateWebhook,
    responses((status = 200, body = Endpoint), (status = 403), (status = 404), (status = 422)))]
async fn update_webhook(
    State(webhooks): State<Webhooks>,
    Auth(who): Auth,
    Path(id): Path<EndpointId>,
    Json(body): Json<UpdateWebhook>,
) -> Result<Json<Endpoint>, ApiError> {
    who.require(Scope::ADMIN)?;
    let UpdateWebhook { url, description, topics, enabled } = body;
    Ok(Json(webhooks.update_endpoint(&who, id, EndpointChanges { url, description, topics, enabled }).await?))
}

/// Delete a webhook endpoint with its deliveries
#[utoipa::path(delete, path = "/api/v1/webhooks/{id}", tag = "Webhooks", params(("id" = EndpointId, Path)), responses((status = 204), (status = 403), (status = 404)))]
async fn delete_webhook(
    State(webhooks): State<Webhooks>,
    Auth(who): Auth,
    Path(id): Path<EndpointId>,
) -> Result<StatusCode, ApiError> {
    who.require(Scope::ADMIN)?;
    webhooks.delete_endpoint(&who, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Rotate the secret. For 24 hours messages are also signed with the former one
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/secret", tag = "Webhooks", params(("id" = EndpointId, Path)), responses((status = 200, body = EndpointWithSecret), (status = 403), (status = 404)))]
async fn rotate_webhook_secret(
    State(webhooks): State<Webhooks>,
    Auth(who): Auth,
    Path(id): Path<EndpointId>,
) -> Result<Json<EndpointWithSecret>, ApiError> {
    who.require(Scope::ADMIN)?;
    Ok(Json(webhooks.rotate_secret(&who, id).await?))
}

/// Send a test message, of the type `webhooks.test`
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/test", tag = "Webhooks", params(("id" = EndpointId, Path)), responses((status = 202, body = Delivery), (status = 403), (status = 404), (status = 409)))]
async fn test_webhook(
    State(webhooks): State<Webhooks>,
    Auth(who): Auth,
    Path(id): Path<EndpointId>,
) -> Result<(StatusCode, Json<Delivery>), ApiError> {
    who.require(Scope::ADMIN)?;
    Ok((StatusCode::ACCEPTED, Json(webhooks.test_endpoint(&who, id).await?)))
}

/// Filter of deliveries.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
struct DeliveryFilter {
    /// Only deliveries in this state.
    state: Option<DeliveryState>,
}

/// What was sent to an endpoint, newest first
#[utoipa::path(get, path = "/api/v1/webhooks/{id}/deliveries", tag = "Webhooks", 
    params(("id" = EndpointId, Path), ListQuery, DeliveryFilter, ("q" = Option<String>, Query, description = "Substring of the topic, the subject, the error or the message.")),
    responses((status = 200, body = Page<Delivery>), (status = 403), (status = 404), (status = 422)))]
async fn list_webhook_deliveries(
    State(webhooks): State<Webhooks>,
    Auth(who): Auth,
    Path(id): Path<EndpointId>,
    Query(query): Query<ListQuery>,
    Query(filter): Query<DeliveryFilter>,
) -> Result<Json<Page<Delivery>>, ApiError> {
    who.require(Scope::ADMIN)?;
    let (slice, receiver) = (query.slice()?, id.to_string());
    let filter = Filter { receiver: &receiver, state: filter.state, search: query.search() };
    let rows = webhooks.list_deliveries(&who, &filter, &slice).await?;
    Ok(Json(slice.page(rows, |delivery| delivery.id.0)))
}

/// A delivery with the message that was sent
#[utoipa::path(get, path = "/api/v1/webhook-deliveries/{id}", tag = "Webhooks", params(("id" = DeliveryId, Path)), responses((status = 200, body = DeliveryDetail), (status = 403), (status = 404)))]
async fn get_webhook_delivery(
    State(webhooks): State<Webhooks>,
    Auth(who): Auth,
    Path(id): Path<DeliveryId>,
) -> Result<Json<DeliveryDetail>, ApiError> {
    who.require(Scope::ADMIN)?;
    Ok(Json(webhooks.get_delivery(&who, id).await?))
}

/// Send a message again with the same `webhook-id`; a queued one is tried immediately
#[utoipa::path(post, path = "/api/v1/webhook-deliveries/{id}/replay", tag = "Webhooks", params(("id" = DeliveryId, Path)), responses((status = 202, body = Delivery), (status = 403), (status = 404), (status = 409)))]
async fn replay_webhook_delivery(
    State(webhooks): State<Webhooks>,
    Auth(who): Auth,
    Path(id): Path<DeliveryId>,
) -> Result<(StatusCode, Json<Delivery>), ApiError> {
    who.require(Scope::ADMIN)?;
    Ok((StatusCode::ACCEPTED, Json(webhooks.replay(&who, id).await?)))
}

/// Give up a queued message, so that the next one to its receiver is tried
#[utoipa::path(post, path = "/api/v1/webhook-deliveries/{id}/give-up", tag = "Webhooks", params(("id" = DeliveryId, Path)), responses((status = 200, body = Delivery), (status = 403), (status = 404), (status = 409)))]
async fn give_up_webhook_delivery(
    State(webhooks): State<Webhooks>,
    Auth(who): Auth,
    Path(id): Path<DeliveryId>,
) -> Result<Json<Delivery>, ApiError> {
    who.require(Scope::ADMIN)?;
    Ok(Json(webhooks.give_up(&who, id).await?))
}
