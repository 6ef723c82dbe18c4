//! Agents and their versions.

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    READ, WRITE,
    model::{Agent, AgentId, Draft, Version},
    service::{Agents, NewVersion},
};
use platform::{
    error::{ApiError, Problem},
    http::{Auth, Json, ListQuery, Page, Path, Query},
};

const TAG: &str = "Agents";

/// An agent with its `ETag`, for `If-Match`.
struct Tagged(StatusCode, Agent);

impl IntoResponse for Tagged {
    fn into_response(self) -> Response {
        let tag = HeaderValue::from_str(&self.1.etag()).ok();
        let mut response = (self.0, Json(self.1)).into_response();
        if let Some(tag) = tag {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }
}

/// Create an agent
#[utoipa::path(post, path = "/api/v1/agents", tag = TAG, request_body = Draft,
    responses((status = 201, body = Agent), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn create_agent(
    State(agents): State<Agents>,
    Auth(who): Auth,
    Json(draft): Json<Draft>,
) -> Result<Response, ApiError> {
    who.require(WRITE)?;
    Ok(Tagged(StatusCode::CREATED, agents.create(&who, draft).await?).into_response())
}

/// List agents, newest first
#[utoipa::path(get, path = "/api/v1/agents", tag = TAG,
    params(ListQuery, ("q" = Option<String>, Query, description = "A part of the name, the slug or the description.")),
    responses((status = 200, body = Page<Agent>)))]
pub(super) async fn list_agents(
    State(agents): State<Agents>,
    Auth(who): Auth,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Agent>>, ApiError> {
    who.require(READ)?;
    let slice = query.slice()?;
    let found = agents.list(who.org_id, query.search(), &slice).await?;
    Ok(Json(slice.page(found, |a| a.id.0)))
}

/// Read an agent
#[utoipa::path(get, path = "/api/v1/agents/{agent}", tag = TAG, params(("agent" = AgentId, Path)),
    responses((status = 200, body = Agent), (status = 404, body = Problem)))]
pub(super) async fn get_agent(
    State(agents): State<Agents>,
    Auth(who): Auth,
    Path(id): Path<AgentId>,
) -> Result<Response, ApiError> {
    who.require(READ)?;
    Ok(Tagged(StatusCode::OK, agents.get(who.org_id, id).await?).into_response())
}

/// Change an agent: creates a new version, which becomes current
///
/// Send the `ETag` that you read as `If-Match`, so that two editors do not overwrite each other (412).
#[utoipa::path(put, path = "/api/v1/agents/{agent}", tag = TAG, params(("agent" = AgentId, Path)), request_body = Draft,
    responses((status = 200, body = Agent), (status = 404, body = Problem), (status = 412, body = Problem)))]
pub(super) async fn update_agent(
    State(agents): State<Agents>,
    Auth(who): Auth,
    Path(id): Path<AgentId>,
    headers: HeaderMap,
    Json(draft): Json<Draft>,
) -> Result<Response, ApiError> {
    who.require(WRITE)?;
    let if_match = headers.get(header::IF_MATCH).and_then(|v| v.to_str().ok()).map(str::to_owned);
    Ok(Tagged(StatusCode::OK, agents.update(&who, id, NewVersion { draft, if_match }).await?).into_response())
}

/// Delete an agent with its conversations
#[utoipa::path(delete, path = "/api/v1/agents/{agent}", tag = TAG, params(("agent" = AgentId, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub(super) async fn delete_agent(
    State(agents): State<Agents>,
    Auth(who): Auth,
    Path(id): Path<AgentId>,
) -> Result<StatusCode, ApiError> {
    who.require(WRITE)?;
    agents.delete(&who, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List an agent's versions, newest first
#[utoipa::path(get, path = "/api/v1/agents/{agent}/versions", tag = TAG, 
    params(("agent" = AgentId, Path), ListQuery,
        ("q" = Option<String>, Query, description = "A part of the note or of the instructions.")),
    responses((status = 200, body = Page<Version>), (status = 404, body = Problem)))]
pub(super) async fn list_versions(
    State(agents): State<Agents>,
    Auth(who): Auth,
    Path(id): Path<AgentId>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Version>>, ApiError> {
    who.require(READ)?;
    let slice = query.slice()?;
    let found = agents.versions(who.org_id, id, query.search(), &slice).await?;
    Ok(Json(slice.page(found, |v| v.version.into())))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RollBack {
    /// The version to make current.
    version: i32,
}

/// Make an older version current again
#[utoipa::path(post, path = "/api/v1/agents/{agent}/rollback", tag = TAG, params(("agent" = AgentId, Path)), request_body = RollBack,
    responses((status = 200, body = Agent), (status = 404, body = Problem)))]
pub(super) async fn roll_back_agent(
    State(agents): State<Agents>,
    Auth(who): Auth,
    Path(id): Path<AgentId>,
    Json(body): Json<RollBack>,
) -> Result<Response, ApiError> {
    who.require(WRITE)?;
    Ok(Tagged(StatusCode::OK, agents.roll_back(&who, id, body.version).await?).into_response())
}
