//! The answers of Gatus's API: below a public page's address of its monitors; without one of those of the installation's pages, and by its key of each
//! monitor that a public page shows or that has a badge.

use axum::{
    Router,
    extract::{Query, State},
    http::{HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    StatusPages,
    gatus::{BAD_WINDOW, Endpoint, Window, paging},
    holder::Served,
    metrics::{Answered, What},
    render::{JSON, SVG, TEXT},
};
use platform::http::Path;

pub(super) fn router() -> Router<StatusPages> {
    Router::new()
        .route("/api/v1/endpoints/statuses", get(list))
        .route("/api/v1/endpoints/{key}/{*what}", get(one))
        .route("/api/v1/config", get(config))
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Paging {
    page: Option<String>,
    #[serde(rename = "pageSize")]
    page_size: Option<String>,
}

async fn list(state: State<StatusPages>, uri: Uri) -> Response {
    let began = Instant::now();
    let held = state.inner.holder.held();
    let response = statuses(&held.endpoints(), &uri);
    state.inner.metrics.answered(What::Gatus, Answered::Current, began.elapsed());
    response
}

async fn one(state: State<StatusPages>, Path((key, what)): Path<(String, String)>, uri: Uri) -> Response {
    let held = state.inner.holder.held();
    counted(&state, held.endpoint(&key), &what, &uri)
}

/// The same for the monitors of one page, below its address or under its own name.
pub(super) fn of_page(pages: &StatusPages, served: Option<&Served>, rest: &str, uri: &Uri) -> Response {
    let Some(served) = served.filter(|served| served.access.is_public()) else { return super::nothing() };
    if rest == "statuses" {
        return statuses(&served.endpoints.iter().collect::<Vec<_>>(), uri);
    }
    let (key, what) = rest.split_once('/').unwrap_or((rest, ""));
    counted(pages, served.endpoints.iter().find(|endpoint| endpoint.key == key), what, uri)
}

/// Gatus's page asks it whether somebody is to sign in.
async fn config() -> Response {
    reply(JSON, json!({ "oidc": false, "authenticated": true }).to_string())
}

fn counted(pages: &StatusPages, endpoint: Option<&Endpoint>, what: &str, uri: &Uri) -> Response {
    let began = Instant::now();
    let (response, result) = match endpoint {
        Some(endpoint) => (about(endpoint, what, uri), Answered::Current),
        None => (missing(), Answered::NotFound),
    };
    pages.inner.metrics.answered(What::Gatus, result, began.elapsed());
    response
}

fn query(uri: &Uri) -> (usize, usize) {
    let query = Query::<Paging>::try_from_uri(uri).map(|query| query.0).unwrap_or_default();
    paging(query.page.as_deref(), query.page_size.as_deref())
}

fn statuses(endpoints: &[&Endpoint], uri: &Uri) -> Response {
    let (page, size) = query(uri);
    let all: Vec<Value> = endpoints.iter().map(|endpoint| endpoint.status(page, size, false)).collect();
    reply(JSON, Value::Array(all).to_string())
}

fn about(endpoint: &Endpoint, what: &str, uri: &Uri) -> Response {
    let parts: Vec<&str> = what.split('/').collect();
    match parts.as_slice() {
        ["statuses"] => {
            let (page, size) = query(uri);
            reply(JSON, endpoint.status(page, size, true).to_string())
        }
        ["health", "badge.svg"] => reply(SVG, endpoint.health_badge()),
        ["health", "badge.shields"] => reply(JSON, endpoint.health_shields().to_string()),
        ["uptimes", name] => window(name, |window| reply(TEXT, endpoint.uptime(window))),
        ["uptimes", name, "badge.svg"] => window(name, |window| reply(SVG, endpoint.uptime_badge(window))),
        ["response-times", name] => window(name, |window| reply(TEXT, endpoint.response(window))),
        ["response-times", name, "badge.svg"] => window(name, |window| reply(SVG, endpoint.response_badge(window))),
        ["response-times", name, "chart.svg"] => window(name, |window| match window {
            Window::Hour => (StatusCode::BAD_REQUEST, "Durations supported: 30d, 7d, 24h").into_response(),
            Window::Day | Window::Week | Window::Month => reply(SVG, endpoint.chart(window)),
        }),
        ["response-times", name, "history"] => window(name, |window| reply(JSON, endpoint.history(window).to_string())),
        _ => missing(),
    }
}

/// An answer for a window of this name.
fn window(name: &str, make: impl Fn(Window) -> Response) -> Response {
    match Window::named(name) {
        Some(window) => make(window),
        None => (StatusCode::BAD_REQUEST, BAD_WINDOW).into_response(),
    }
}

fn missing() -> Response {
    (StatusCode::NOT_FOUND, "not found").into_response()
}

/// With the headers that Gatus sends.
fn reply(content_type: &'static str, body: String) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store, must-revalidate"));
    headers.insert(header::EXPIRES, HeaderValue::from_static("0"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}
