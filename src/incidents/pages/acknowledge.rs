//! `/acknowledge/<token>`: the page behind the link in a mail, without sign-in. Opening it changes nothing: mail programs and scanners open links.

use askama::Template;
use axum::{Router, extract::State, http::StatusCode, response::IntoResponse as _, routing::get};

use crate::{Acknowledgement, Incidents, IncidentsError};
use console::{AnonymousShell, Flash, PageResult};
use platform::http::Path;

pub(super) fn router() -> Router<Incidents> {
    Router::new().route("/acknowledge/{token}", get(show).post(acknowledge))
}

#[derive(Template)]
#[template(path = "incidents/templates/acknowledge.html")]
struct Page<'a> {
    shell: &'a AnonymousShell,
    token: &'a str,
    /// `None`: the link is none of ours, or too old.
    found: Option<&'a Acknowledgement>,
}

async fn show(shell: AnonymousShell, State(incidents): State<Incidents>, Path(token): Path<String>) -> PageResult {
    let found = match incidents.open_acknowledgement(&token).await {
        Ok(found) => Some(found),
        Err(IncidentsError::NotFound(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let status = if found.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
    let page = Page { shell: &shell, token: &token, found: found.as_ref() };
    Ok((status, shell.render(&page)?).into_response())
}

/// The token is what proves the wish: a form of another site would have to know it, so there is no CSRF token.
async fn acknowledge(
    shell: AnonymousShell,
    State(incidents): State<Incidents>,
    Path(token): Path<String>,
) -> PageResult {
    incidents.acknowledge_by_link(&token).await?;
    Ok(shell.redirect(&format!("/acknowledge/{token}"), &Flash::ok("incidents-acknowledged")))
}
