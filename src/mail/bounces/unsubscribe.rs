//! `/mail/unsubscribe/<token>`: the page behind the link in a notice, without sign-in. Opening it changes nothing, because mail programs and scanners
//! open links; a POST unsubscribes at once (RFC 8058), or saves what was chosen on the page.

use askama::Template;
use axum::{
    Form, RequestExt as _, Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
    routing::get,
};

use crate::{
    Kind, Mail,
    service::{Preferences, Recipient},
};
use console::{AnonymousShell, Flash, PageResult};
use platform::{error::ApiError, http::Path};

/// A form with a handful of names.
const MOST_BYTES: usize = 16 * 1024;
/// Field of our own page that says which button it was.
const ACTION: &str = "action";

pub(super) fn router() -> Router<Mail> {
    Router::new().route("/mail/unsubscribe/{token}", get(show).post(change))
}

#[derive(Template)]
#[template(path = "mail/templates/unsubscribe.html")]
struct Page<'a> {
    shell: &'a AnonymousShell,
    token: &'a str,
    /// `None`: the link is not one of ours.
    shown: Option<Shown<'a>>,
}

struct Shown<'a> {
    recipient: &'a Recipient,
    preferences: Preferences,
}

impl Page<'_> {
    fn kind(&self, kind: &Kind) -> String {
        self.shell.t(format!("mail-kind-{}", kind.name.replace('_', "-"))).to_string()
    }
}

impl Shown<'_> {
    /// Whether the kind of the link is sent.
    fn is_sent(&self) -> bool {
        self.preferences.kinds.iter().any(|(kind, sent)| *kind == self.recipient.kind && *sent)
    }
}

async fn show(shell: AnonymousShell, State(mail): State<Mail>, Path(token): Path<String>) -> PageResult {
    let recipient = mail.open_unsubscribe(&token);
    let (shown, status) = match &recipient {
        Some(recipient) => {
            let preferences = mail.preferences(recipient).await?;
            (Some(Shown { recipient, preferences }), StatusCode::OK)
        }
        None => (None, StatusCode::NOT_FOUND),
    };
    let page = Page { shell: &shell, token: &token, shown };
    Ok((status, shell.render(&page)?).into_response())
}

/// The token is what proves the wish: a form of another site would have to know it, so there is no CSRF token.
async fn change(
    shell: AnonymousShell,
    State(mail): State<Mail>,
    Path(token): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let recipient = mail.open_unsubscribe(&token).ok_or_else(|| ApiError::not_found("unsubscribe_link"))?;
    let fields = fields(request).await?;
    let get = |name: &str| fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
    let said = match get(ACTION) {
        // One click in a mail program, which wants no page.
        None => {
            mail.unsubscribe(&recipient).await?;
            return Ok("unsubscribed\n".into_response());
        }
        Some("save") => {
            let wanted: Vec<&str> = fields.iter().filter(|(f, _)| f == "wanted").map(|(_, v)| v.as_str()).collect();
            mail.set_preferences(&recipient, &wanted).await?;
            "mail-unsubscribe-saved"
        }
        Some(_) => {
            mail.unsubscribe(&recipient).await?;
            "mail-unsubscribe-done"
        }
    };
    Ok(shell.redirect(&format!("/mail/unsubscribe/{token}"), &Flash::ok(said)))
}

/// The fields of the form. Mail programs may send theirs as multipart, too; it holds nothing that matters here.
async fn fields(mut request: Request) -> Result<Vec<(String, String)>, ApiError> {
    if !is_form(request.headers()) {
        return Ok(Vec::new());
    }
    DefaultBodyLimit::max(MOST_BYTES).apply(&mut request);
    let Form(fields) = request
        .extract::<Form<Vec<(String, String)>>, _>()
        .await
        .map_err(|error| ApiError::bad_request("invalid_form", error.body_text()))?;
    Ok(fields)
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded")
}
