//! Errors as pages: what a browser would see as JSON (or as nothing, for an unknown path) becomes a page in the
//! console's style. Programs keep their `application/problem+json`.

use askama::Template;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use serde::Deserialize;

use super::{Bare, Console, form};

const MAX_PROBLEM_BYTES: usize = 64 * 1024;

#[derive(Template)]
#[template(path = "console/templates/error.html")]
struct ErrorPage<'a> {
    shell: &'a Bare,
    status: u16,
    title: String,
    detail: String,
    request_id: Option<String>,
    retry: bool,
}

/// The part of a problem document that a page shows.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    code: String,
    detail: String,
    request_id: Option<String>,
}

pub(super) async fn layer(State(console): State<Console>, request: Request, next: Next) -> Response {
    if !wants_page(request.uri().path(), request.headers()) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let page = Bare::new(console, &parts);
    let response = next.run(Request::from_parts(parts, body)).await;
    let status = response.status();
    if status.is_client_error() || status.is_server_error() { replace(&page, response).await } else { response }
}

async fn replace(page: &Bare, response: Response) -> Response {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.starts_with("text/html") {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, MAX_PROBLEM_BYTES).await.unwrap_or_default();
    let problem: Problem = serde_json::from_slice(&bytes).unwrap_or_default();
    match page.respond(head.status, &view(page, head.status, problem)) {
        Ok(rendered) => {
            let (own, body) = rendered.into_parts();
            head.headers.remove(header::CONTENT_LENGTH);
            // Retry-After, Allow and the request id stay.
            for (name, value) in &own.headers {
                head.headers.append(name, value.clone());
            }
            head.headers.insert(header::CONTENT_TYPE, own.headers[header::CONTENT_TYPE].clone());
            Response::from_parts(head, body)
        }
        Err(_) => Response::from_parts(head, bytes.into()),
    }
}

fn view(page: &Bare, status: StatusCode, problem: Problem) -> ErrorPage<'_> {
    let kind = match status.as_u16() {
        401 | 403 => "forbidden",
        404 => "not-found",
        405 | 400..=499 => "refused",
        503 => "unavailable",
        _ => "internal",
    };
    let general = page.t(format!("console-error-{kind}-detail")).to_string();
    let detail = match kind {
        "refused" if !problem.detail.is_empty() => form::message(page.lang(), &problem.code, &problem.detail),
        // The reason of a refusal helps; "not found" and the inside of a failure do not.
        "forbidden" if !problem.code.is_empty() => form::message(page.lang(), &problem.code, &general),
        _ => general,
    };
    ErrorPage {
        shell: page,
        status: status.as_u16(),
        title: page.t(format!("console-error-{kind}")).to_string(),
        detail,
        request_id: problem.request_id,
        retry: status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS,
    }
}

/// A browser that opens a page or posts a form, not a script and not one of the APIs.
fn wants_page(path: &str, headers: &HeaderMap) -> bool {
    let accepts = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let api = path.starts_with("/api/v") || path.starts_with("/v1/") || path.starts_with("/assets/");
    accepts.contains("text/html") && !api
}
