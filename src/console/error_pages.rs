//! Error pages: a response that a browser would show as JSON (or as nothing, for an unknown path) becomes a page in the console's style.
//! Programs keep their `application/problem+json`.

use askama::Template;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use super::{AnonymousShell, Console, form};
use platform::error::ResponseError;
use platform::http::metrics::Surface;
use platform::trace::current_request_id;

#[derive(Template)]
#[template(path = "console/templates/error.html")]
struct ErrorPage<'a> {
    shell: &'a AnonymousShell,
    status: u16,
    title: String,
    detail: String,
    request_id: Option<String>,
    retry: bool,
}

pub(super) async fn layer(State(console): State<Console>, request: Request, next: Next) -> Response {
    if !wants_page(request.uri().path(), request.headers()) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let page = AnonymousShell::new(console, &parts);
    let response = next.run(Request::from_parts(parts, body)).await;
    let status = response.status();
    if status.is_client_error() || status.is_server_error() { replace(&page, response) } else { response }
}

fn replace(page: &AnonymousShell, response: Response) -> Response {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.starts_with("text/html") {
        return response;
    }
    let error = response.extensions().get::<ResponseError>();
    match page.respond(response.status(), &view(page, response.status(), error)) {
        Ok(rendered) => {
            let (own, body) = rendered.into_parts();
            // Keeps Retry-After, Allow and the extensions for the log.
            let (mut head, _) = response.into_parts();
            head.headers.remove(header::CONTENT_LENGTH);
            head.headers.remove(header::CONTENT_TYPE);
            for (name, value) in &own.headers {
                head.headers.append(name, value.clone());
            }
            Response::from_parts(head, body)
        }
        Err(_) => response,
    }
}

fn view<'a>(page: &'a AnonymousShell, status: StatusCode, error: Option<&ResponseError>) -> ErrorPage<'a> {
    let kind = match status.as_u16() {
        401 | 403 => "forbidden",
        404 => "not-found",
        400..=499 => "refused",
        503 => "unavailable",
        _ => "internal",
    };
    let general = page.t(format!("console-error-{kind}-detail")).to_string();
    let detail = match (kind, error) {
        ("refused", Some(error)) => form::message(page.console().texts(), page.lang(), &error.code, &error.detail),
        // A translated reason of a refusal helps; "not found" and the inside of a failure do not.
        ("forbidden", Some(error)) => form::message(page.console().texts(), page.lang(), &error.code, &general),
        _ => general,
    };
    ErrorPage {
        shell: page,
        status: status.as_u16(),
        title: page.t(format!("console-error-{kind}")).to_string(),
        detail,
        request_id: current_request_id(),
        retry: status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS,
    }
}

/// Whether the client is a browser that opens a page or posts a form, not a script or an API client.
fn wants_page(path: &str, headers: &HeaderMap) -> bool {
    let accepts = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let openai = Surface::of(path) == Surface::Openai;
    let api = path.starts_with("/api/v") || openai || path.starts_with("/assets/");
    accepts.contains("text/html") && !api
}
