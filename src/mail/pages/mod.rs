//! Pages of mail: the log, one message, suppressed addresses, templates, branding, domains, bounce reports.

mod bulk;
mod domains;
mod messages;
mod own_templates;
mod said;
mod sources;
mod suppressions;
mod templates;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderValue, header},
    response::{Html, IntoResponse as _, Response},
    routing::{get, post},
};
use serde::Deserialize;

use super::{Kind, Mail, routes::LARGEST_IMPORT};
use console::{Lang, Shell};

/// Rows per page.
const SHOWN: u32 = 50;

/// A mail's HTML is somebody else's: no script, no form, no plugin, nothing from elsewhere, and no access to this origin. It stands in a frame
/// of our own pages.
const POLICY: &str = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'; \
    frame-ancestors 'self'";
/// As [`POLICY`], with remote images: their servers learn that the mail is looked at.
const WITH_IMAGES: &str = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data: https: http:; form-action 'none'; \
    base-uri 'none'; frame-ancestors 'self'";

/// The routes.
pub fn router() -> Router<Mail> {
    Router::new()
        .route("/settings/mail", get(messages::list))
        .route("/settings/mail/test", post(messages::test))
        .route("/settings/mail/messages/{id}", get(messages::show))
        .route("/settings/mail/messages/{id}/html", get(messages::html))
        .route("/settings/mail/messages/{id}/retry", post(messages::retry))
        .route("/settings/mail/messages/{id}/cancel", post(messages::cancel))
        .route("/settings/mail/messages/{id}/attachments/{number}", get(messages::attachment))
        .route("/settings/mail/many", get(bulk::ask).post(bulk::change))
        .route("/settings/mail/export", get(bulk::export))
        .route("/settings/mail/suppressions/export", get(suppressions::export))
        .route(
            "/settings/mail/suppressions/import",
            post(suppressions::import).layer(DefaultBodyLimit::max(LARGEST_IMPORT)),
        )
        .route("/settings/mail/suppressions", get(suppressions::list).post(suppressions::add))
        .route("/settings/mail/suppressions/{id}/delete", post(suppressions::remove))
        .route("/settings/mail/templates", get(templates::list))
        .route("/settings/mail/templates/{name}", get(templates::show))
        .route("/settings/mail/templates/{name}/{language}", post(templates::save))
        .route("/settings/mail/templates/{name}/{language}/html", get(templates::saved_html).post(templates::html))
        .route("/settings/mail/templates/{name}/{language}/text", get(templates::saved_text).post(templates::text))
        .route("/settings/mail/templates/{name}/{language}/reset", post(templates::reset))
        .route("/settings/mail/templates/{name}/{language}/test", post(templates::test))
        .route("/settings/mail/own-templates", get(own_templates::new).post(own_templates::add))
        .route("/settings/mail/own-templates/html", post(own_templates::new_html))
        .route("/settings/mail/own-templates/{id}", get(own_templates::show).post(own_templates::save))
        .route("/settings/mail/own-templates/{id}/html", get(own_templates::saved_html).post(own_templates::html))
        .route("/settings/mail/own-templates/{id}/delete", post(own_templates::delete))
        .route("/settings/mail/own-templates/{id}/test", post(own_templates::test))
        .route("/settings/mail/branding", get(templates::branding).post(templates::save_branding))
        .route("/settings/mail/domains", get(domains::list).post(domains::add))
        .route("/settings/mail/domains/{id}", get(domains::show))
        .route("/settings/mail/domains/{id}/check", post(domains::check))
        .route("/settings/mail/domains/{id}/delete", post(domains::delete))
        .route("/settings/mail/sources", get(sources::list).post(sources::add))
        .route("/settings/mail/sources/{id}/delete", post(sources::delete))
}

/// Whose mail a page is about: the organisation's or, for operators, the installation's.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Whose {
    whose: String,
}

impl Whose {
    const INSTALLATION: &str = "installation";

    fn of(installation: bool) -> Self {
        Self { whose: if installation { Self::INSTALLATION.to_owned() } else { String::new() } }
    }

    fn is_installation(&self) -> bool {
        self.whose == Self::INSTALLATION
    }

    /// For an address without a query.
    fn query(&self) -> &'static str {
        if self.is_installation() { "?whose=installation" } else { "" }
    }

    /// For an address with a query.
    fn more(&self) -> &'static str {
        if self.is_installation() { "&whose=installation" } else { "" }
    }
}

/// Whether a document may load remote images.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Images {
    images: bool,
}

/// Words that several pages show.
trait Words {
    fn shell(&self) -> &Shell;

    /// A kind of mail, or a template, which is called like the kind that it is for.
    fn kind(&self, name: impl AsRef<str>) -> String {
        let name = name.as_ref();
        match Kind::named(name) {
            Some(kind) => self.shell().t(format!("mail-kind-{}", kind.name.replace('_', "-"))).to_string(),
            // Of another version of this program.
            None => name.to_owned(),
        }
    }

    /// The language's own name.
    fn language(&self, code: &str) -> &'static str {
        Lang::from_code(code).map_or("", Lang::name)
    }
}

macro_rules! words {
    ($($page:ident)*) => {$(impl $crate::pages::Words for $page<'_> {
        fn shell(&self) -> &console::Shell {
            self.shell
        }
    })*};
}
use words;

/// A mail's HTML as a document for a frame.
fn document(html: String, Images { images }: Images) -> Response {
    let mut response = Html(html).into_response();
    let headers = response.headers_mut();
    let policy = if images { WITH_IMAGES } else { POLICY };
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
