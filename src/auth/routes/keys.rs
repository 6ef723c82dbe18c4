//! `/api/v1/api-keys`

use axum::{extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{ApiKey, ApiKeyId, Auth, NewApiKey};
use platform::{
    error::ApiError,
    http::{self, Json, ListQuery, Page, Path, Query, Scope},
};

/// API keys of the organisation, newest first, revoked ones included.
#[utoipa::path(get, path = "/api/v1/api-keys", tag = "API keys",
    params(ListQuery, ("q" = Option<String>, Query, description = "A part of the name or of the key's first eight characters.")),
    responses((status = 200, body = Page<ApiKey>), (status = 403)))]
pub(super) async fn list_api_keys(
    State(auth): State<Auth>,
    http::Auth(who): http::Auth,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<ApiKey>>, ApiError> {
    who.require(Scope::ADMIN)?;
    let slice = query.slice()?;
    let rows = auth.list_api_keys(&who, query.search(), &slice).await?;
    Ok(Json(slice.page(rows, |k| k.id.0)))
}

/// A new API key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateApiKey {
    /// What it is for.
    #[schema(example = "website", min_length = 1, max_length = 100, pattern = r"\S")]
    name: String,
    /// What it may be used for.
    #[schema(min_items = 1, value_type = Vec<Scope>)]
    scopes: Vec<String>,
    /// When it expires; absent means never.
    expires_at: Option<DateTime<Utc>>,
}

/// Create an API key. The answer shows its secret, only this once.
#[utoipa::path(post, path = "/api/v1/api-keys", tag = "API keys", request_body = CreateApiKey,
    responses((status = 201, body = NewApiKey), (status = 403), (status = 422)))]
pub(super) async fn create_api_key(
    State(auth): State<Auth>,
    http::Auth(who): http::Auth,
    Json(body): Json<CreateApiKey>,
) -> Result<(StatusCode, Json<NewApiKey>), ApiError> {
    who.require(Scope::ADMIN)?;
    let key = auth.create_api_key(&who, &body.name, &body.scopes, body.expires_at).await?;
    Ok((StatusCode::CREATED, Json(key)))
}

/// Revoke an API key: it stops working at once.
#[utoipa::path(delete, path = "/api/v1/api-keys/{id}", tag = "API keys", params(("id" = ApiKeyId, Path)), responses((status = 204), (status = 404)))]
pub(super) async fn revoke_api_key(
    State(auth): State<Auth>,
    http::Auth(who): http::Auth,
    Path(id): Path<ApiKeyId>,
) -> Result<StatusCode, ApiError> {
    who.require(Scope::ADMIN)?;
    auth.revoke_api_key(&who, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
