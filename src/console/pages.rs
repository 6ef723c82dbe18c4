//! The console's own pages: preferences (language and theme), API reference. The first page is [`super::overview`].

use askama::Template;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Router};
use axum_extra::extract::cookie::Cookie;
use serde::Deserialize;

use super::api_docs::Tag;
use super::{AnonymousShell, Form, Lang, PageResult, Theme, i18n, see_other};
use platform::http::Principal;

const A_YEAR_IN_SECONDS: i64 = 365 * 24 * 3600;

pub(super) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/api/docs", get(reference)).route("/console/preferences", post(set_preferences))
}

#[derive(Template)]
#[template(path = "console/templates/api_docs.html")]
struct ReferencePage<'a> {
    shell: &'a AnonymousShell,
    tags: &'a [Tag],
    api_version: &'a str,
}

/// Public, like the document itself: it describes the software, not the data.
async fn reference(shell: AnonymousShell) -> PageResult {
    let reference = shell.console().reference();
    shell.render(&ReferencePage { shell: &shell, tags: &reference.tags, api_version: &reference.version })
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Preferences {
    lang: String,
    theme: String,
    back: String,
}

async fn set_preferences(
    page: AnonymousShell,
    who: Option<Extension<Principal>>,
    Form(form): Form<Preferences>,
) -> Response {
    let mut response = see_other(&form.back);
    if let Some(lang) = Lang::from_code(&form.lang) {
        page.set_cookie(&mut response, Cookie::new(i18n::COOKIE, lang.code()), Some(A_YEAR_IN_SECONDS));
        // The console changes its language, whatever comes of that.
        if let (Some(keeper), Some(who)) = (page.console().language_keeper(), who)
            && let Err(error) = keeper.chosen(&who, lang).await
        {
            tracing::warn!(code = &*error.code, detail = error.detail, "a chosen language is not kept for mails");
        }
    }
    if let Some(theme) = Theme::from_code(&form.theme) {
        page.set_cookie(&mut response, Cookie::new("hf_theme", theme.code()), Some(A_YEAR_IN_SECONDS));
    }
    response
}
