//! What every page needs, signed in or not: language, theme, flash messages, CSRF token, and the way to a response.

use std::sync::Arc;

use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use chrono::{DateTime, Utc};

use super::flash::{self, Flash};
use super::form::FormErrors;
use super::i18n::{self, Lang, Text, TextArg};
use super::{Console, assets, csrf, format};
use crate::platform::error::ApiError;

/// What handlers of pages return: an [`ApiError`] becomes an HTML error page (see `error_pages`).
pub type PageResult = Result<Response, ApiError>;

/// Nothing but our own files: no inline script or style, no plugin, no frame around us. Images may also be made by the
/// page (`data:`, `blob:`).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
    font-src 'self'; connect-src 'self'; form-action 'self'; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The page of somebody who may not be signed in; [`super::Shell`] derefs to it. In templates it is the field `shell`.
#[derive(Clone)]
pub struct AnonymousShell(Arc<Inner>);

struct Inner {
    console: Console,
    lang: Lang,
    theme: Theme,
    /// Path and query of this request.
    path: String,
    csrf: csrf::Token,
    flash: Option<Flash>,
    insecure: bool,
}

/// Light, dark, or what the system says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    System,
    Light,
    Dark,
}

impl Theme {
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    pub fn code(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.code() == code)
    }
}

impl AnonymousShell {
    /// Reads cookies and headers.
    pub(super) fn new(console: Console, parts: &Parts) -> Self {
        let jar = CookieJar::from_headers(&parts.headers);
        let cookie = |name: &str| jar.get(name).map(Cookie::value);
        let lang = cookie("hf_lang").and_then(Lang::from_code).unwrap_or_else(|| Lang::from_headers(&parts.headers));
        let theme = cookie("hf_theme").and_then(Theme::from_code).unwrap_or(Theme::System);
        let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let insecure = !console.https() && !is_loopback(host);
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let csrf = csrf::Token::new(parts, &jar, console.https());
        Self(Arc::new(Inner { lang, theme, path, csrf, flash: Flash::read(&jar), insecure, console }))
    }

    // --- text -----------------------------------------------------------------------------------------------------

    /// The message `key`; add arguments with `.with("name", value)`.
    pub fn t(&self, key: impl AsRef<str>) -> Text {
        i18n::text(self.0.lang, key.as_ref())
    }

    /// The message `key` with `$n`, which chooses the plural form.
    pub fn tn(&self, key: impl AsRef<str>, n: impl TextArg) -> Text {
        self.t(key).with("n", n)
    }

    /// Digits in groups.
    pub fn number(&self, value: impl format::Whole) -> String {
        format::integer(value.whole(), self.0.lang)
    }

    /// A size with its unit.
    pub fn bytes(&self, value: i64) -> String {
        format::bytes(value, self.0.lang)
    }

    /// A duration in the unit that suits it; a dash for none.
    pub fn duration(&self, seconds: Option<f64>) -> String {
        let Some(seconds) = seconds else { return "–".to_owned() };
        // Minutes below two hours, seconds below two minutes.
        let (value, unit) = match seconds {
            s if s < 120.0 => (s, "console-seconds"),
            s if s < 7200.0 => (s / 60.0, "console-minutes"),
            s => (s / 3600.0, "console-hours"),
        };
        let digits = usize::from(value < 10.0);
        self.t(unit).with("n", format!("{value:.digits$}")).to_string()
    }

    /// A `<time>` element: print with `|safe`.
    pub fn time(&self, at: impl std::borrow::Borrow<DateTime<Utc>>) -> format::Html {
        format::time(*at.borrow())
    }

    pub fn lang(&self) -> Lang {
        self.0.lang
    }

    pub fn langs(&self) -> [Lang; 2] {
        Lang::ALL
    }

    pub fn theme(&self) -> Theme {
        self.0.theme
    }

    pub fn themes(&self) -> [Theme; 3] {
        Theme::ALL
    }

    // --- what the layout asks ------------------------------------------------------------------------------------

    /// Path and query of this page.
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// The address of an asset, `<capability>/<file>`.
    pub fn asset(&self, file: &str) -> String {
        assets::url(file)
    }

    /// The message from before the redirect, translated: (tone, text).
    pub fn flash(&self) -> Option<(&'static str, String)> {
        self.0.flash.as_ref().map(|flash| (flash.tone(), flash.message(self.0.lang)))
    }

    /// Whether this page travels over plain http to another machine.
    pub fn insecure(&self) -> bool {
        self.0.insecure
    }

    pub(super) fn console(&self) -> &Console {
        &self.0.console
    }

    pub fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    // --- forms ---------------------------------------------------------------------------------------------------

    /// The token that forms of this page send back.
    pub fn csrf(&self) -> &str {
        self.0.csrf.as_str()
    }

    /// The hidden input: print with `|safe` in every form that posts.
    pub fn csrf_field(&self) -> format::Html {
        format!(r#"<input type="hidden" name="csrf" value="{}">"#, self.csrf())
    }

    /// For multipart forms and `fetch`, which `Form<T>` does not see: 403 `csrf` unless `token` is this page's.
    pub fn check_csrf(&self, token: &str) -> Result<(), ApiError> {
        self.0.csrf.check(token)
    }

    /// The field messages of a refused form, in this page's language; `Err` for what no form can mend (5xx, 401, 403,
    /// 404), which then becomes an error page.
    pub fn form_errors(&self, error: ApiError) -> Result<FormErrors, ApiError> {
        FormErrors::from_api(self.0.lang, error)
    }

    // --- responses -----------------------------------------------------------------------------------------------

    /// 200 with the page.
    pub fn render(&self, page: &impl Template) -> PageResult {
        self.respond(StatusCode::OK, page)
    }

    /// 422 with the page: a form that was refused, with its values and messages.
    pub fn render_invalid(&self, page: &impl Template) -> PageResult {
        self.respond(StatusCode::UNPROCESSABLE_ENTITY, page)
    }

    pub(super) fn respond(&self, status: StatusCode, page: &impl Template) -> PageResult {
        let html = page.render().map_err(ApiError::internal)?;
        let mut response = (status, Html(html)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        // Pages show one organisation's data to one person.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.0.flash.is_some() {
            self.set_cookie(&mut response, Cookie::new(flash::COOKIE, ""), Some(0));
        }
        if let Some(cookie) = self.0.csrf.new_cookie() {
            self.set_cookie(&mut response, cookie, None);
        }
        Ok(response)
    }

    /// 303 to `to` (a local path), where `flash` is shown.
    pub fn redirect(&self, to: &str, flash: &Flash) -> Response {
        let mut response = see_other(to);
        self.set_cookie(&mut response, flash.cookie(), Some(60));
        response
    }

    /// Adds `cookie` (`HttpOnly`, Lax, for all paths, Secure on https) to `response`, for `seconds` or for the browser's
    /// session.
    pub fn set_cookie(&self, response: &mut Response, mut cookie: Cookie<'static>, seconds: Option<i64>) {
        cookie.set_path("/");
        cookie.set_http_only(true);
        cookie.set_same_site(SameSite::Lax);
        cookie.set_secure(self.0.console.https());
        let mut text = cookie.to_string();
        if let Some(seconds) = seconds {
            text.push_str("; Max-Age=");
            text.push_str(&seconds.to_string());
        }
        if let Ok(value) = HeaderValue::try_from(text) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
}

/// 303 to a local path.
pub fn see_other(to: &str) -> Response {
    let to = HeaderValue::try_from(local_path(to)).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response()
}

/// `to` if it is a path on this server, else `/`: for `next` and `back` parameters, which anybody can write.
pub fn local_path(to: &str) -> &str {
    let elsewhere = !to.starts_with('/') || to.starts_with("//") || to.contains('\\') || to.contains(char::is_control);
    if elsewhere { "/" } else { to }
}

fn is_loopback(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, port)| if port.contains(']') { host } else { name });
    name == "localhost" || name == "[::1]" || name.starts_with("127.")
}

impl<S: Send + Sync> FromRequestParts<S> for AnonymousShell {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(Self::new(Console::of(parts)?, parts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_stay_here() {
        assert_eq!(local_path("/agents?q=1"), "/agents?q=1");
        for elsewhere in ["//evil", "https://evil", "/\\evil", "", "/a\nb"] {
            assert_eq!(local_path(elsewhere), "/", "{elsewhere:?}");
        }
    }

    #[test]
    fn loopback_needs_no_banner() {
        for host in ["localhost:8080", "127.0.0.1:8080", "[::1]:8080", "[::1]", "localhost"] {
            assert!(is_loopback(host), "{host}");
        }
        assert!(!is_loopback("10.0.0.5:8080") && !is_loopback("localhost.evil:80"));
    }
}
