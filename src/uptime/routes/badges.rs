//! `/api/v1/uptime/badges/{id}`: a picture, and the same for shields.io. For strangers, in forms of others, so they are in no description of the API.

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse as _, Response},
    routing::get,
};

use crate::{
    MonitorId, Uptime,
    badge::{Badge, FRESH},
};
use platform::{error::ApiError, http::Path};

/// Where they are; below it nobody signs in.
pub const PATH: &str = "/api/v1/uptime/badges";

pub fn router() -> Router<Uptime> {
    Router::new()
        .route("/api/v1/uptime/badges/{id}", get(picture))
        .route("/api/v1/uptime/badges/{id}/shields", get(shields))
}

async fn picture(State(uptime): State<Uptime>, Path(id): Path<MonitorId>) -> Result<Response, ApiError> {
    let badge = find(&uptime, id).await?;
    let kind = HeaderValue::from_static("image/svg+xml; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, kind), fresh()], badge.svg()).into_response())
}

async fn shields(State(uptime): State<Uptime>, Path(id): Path<MonitorId>) -> Result<Response, ApiError> {
    let badge = find(&uptime, id).await?;
    let any = (header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    Ok(([fresh(), any], Json(badge.shields())).into_response())
}

async fn find(uptime: &Uptime, id: MonitorId) -> Result<Badge, ApiError> {
    uptime.badge(id).await?.ok_or_else(|| ApiError::not_found("monitor"))
}

fn fresh() -> (HeaderName, HeaderValue) {
    let value = format!("public, max-age={FRESH}");
    (header::CACHE_CONTROL, HeaderValue::from_str(&value).unwrap_or(HeaderValue::from_static("no-store")))
}
