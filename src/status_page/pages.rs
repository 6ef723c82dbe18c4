//! Console pages: the list, one page with its settings, its logo, its domains and its subscribers; and the page itself for those who are signed in.

mod domains;
mod logo;
mod settings;
mod subscribers;

use axum::{
    Router,
    extract::{DefaultBodyLimit, State},
    http::HeaderMap,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};

use serde::Deserialize;

use super::{
    PageId, READ, StatusPages, Theme, WRITE,
    html::styles::{self, Look},
    public,
};
use console::{PageResult, Shell};
use platform::{
    error::ApiError,
    http::{Path, Query},
};

const PATH: &str = "/settings/status-pages";
/// Rows per page.
const SHOWN: u32 = 50;

/// The routes.
pub fn router() -> Router<StatusPages> {
    Router::new()
        .route(PATH, get(settings::list).post(settings::create))
        .route("/settings/status-pages/{id}", get(settings::show).post(settings::save))
        .route("/settings/status-pages/{id}/delete", post(settings::delete))
        .route("/settings/status-pages/{id}/domains", post(domains::add_domain))
        .route("/settings/status-pages/{id}/domains/{domain}/check", post(domains::check_domain))
        .route("/settings/status-pages/{id}/domains/{domain}/delete", post(domains::remove_domain))
        .route("/settings/status-pages/{id}/logo", post(logo::set).layer(DefaultBodyLimit::max(logo::LARGEST_FORM)))
        .route("/settings/status-pages/{id}/logo/delete", post(logo::remove))
        .route("/settings/status-pages/{id}/subscribers", get(subscribers::list))
        .route("/settings/status-pages/{id}/subscribers/{subscriber}/delete", post(subscribers::remove))
        .route("/settings/status-pages/{id}/preview", get(preview))
        .route("/settings/status-pages/{id}/view", get(view))
        .route("/settings/status-pages/{id}/view/{*rest}", get(view_part))
}

async fn view(
    shell: Shell,
    State(pages): State<StatusPages>,
    Path(id): Path<PageId>,
    headers: HeaderMap,
) -> PageResult {
    shown(&shell, &pages, id, "", &headers).await
}

async fn view_part(
    shell: Shell,
    State(pages): State<StatusPages>,
    Path((id, rest)): Path<(PageId, String)>,
    headers: HeaderMap,
) -> PageResult {
    shown(&shell, &pages, id, &rest, &headers).await
}

/// The page as its visitors see it, for those of its owner, also where it is private.
async fn shown(
    shell: &Shell,
    pages: &StatusPages,
    id: PageId,
    rest: &str,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    shell.principal().require(READ)?;
    pages.page(shell.principal(), id).await?;
    match pages.served(id) {
        Some(served) => Ok(public::signed_in(pages, &served, rest, headers)),
        None => Ok(not_rendered(shell)),
    }
}

fn not_rendered(shell: &Shell) -> Response {
    shell.t("status-page-not-rendered").to_string().into_response()
}

/// A colour to try.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Tried {
    accent: String,
    look: String,
}

/// The page as it would look: nothing is saved.
async fn preview(
    shell: Shell,
    State(pages): State<StatusPages>,
    Path(id): Path<PageId>,
    Query(tried): Query<Tried>,
    headers: HeaderMap,
) -> PageResult {
    shell.principal().require(WRITE)?;
    pages.page(shell.principal(), id).await?;
    let accent = Some(tried.accent.trim().to_owned()).filter(|accent| !accent.is_empty());
    if let Some(accent) = &accent {
        styles::check_accent(accent)?;
    }
    let theme = Theme { accent };
    let css = Look::named(&tried.look).map_or_else(|| styles::css(&theme), |look| styles::css_in(&theme, look));
    let shown = pages.served(id).and_then(|served| public::with_style(&served, &css, &headers));
    Ok(shown.unwrap_or_else(|| not_rendered(&shell)))
}
