//! Everything that strangers can ask for, without signing in: from memory, never from the database, but for subscribing.

mod forms;
mod gatus;
mod serve;

use axum::{
    Extension, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{Html, IntoResponse as _, Response},
    routing::get,
};
use serde::Deserialize;
use tokio::time::Instant;

use super::{
    StatusPages,
    holder::Served,
    html::styles,
    metrics::{Answered, What},
    model::{Set, Visibility},
    restrict::{Brought, Verdict, cookie_name},
};
use console::Lang;
use platform::http::{ClaimedHost, ClientAddress, Path};
use std::sync::Arc;

pub use serve::Asker;

/// Largest form of a stranger.
const MOST_BYTES: usize = 16 * 1024;

/// Paths below which nobody signs in.
pub const PUBLIC: &[&str] = &["/status", "/status-domain", "/api/v2", "/api/v1/endpoints", "/api/v1/config"];

pub fn router() -> Router<StatusPages> {
    Router::new()
        .route("/status", get(default_page))
        .route("/status/", get(default_page))
        .route("/status/domains/ask", get(ask_domain))
        .route("/status/{slug}", get(page))
        .route("/status/{slug}/", get(page))
        .route("/status/{slug}/{*rest}", get(part).post(post_part))
        .route("/api/v2/{*file}", get(default_file))
        .route("/status-domain", get(of_domain))
        .route("/status-domain/", get(of_domain))
        .route("/status-domain/{*rest}", get(part_of_domain).post(post_of_domain))
        .merge(gatus::router())
        .layer(DefaultBodyLimit::max(MOST_BYTES))
}

/// What is asked for below a page's address.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted<'a> {
    /// `index`, `history`, `incident/<code>`, `group/<code>`; `None`: in the language that the browser prefers.
    Page(String, Option<Lang>),
    /// An answer for machines, by its path.
    File(What, &'a str),
    Form(forms::Step<'a>),
    Nothing,
}

impl<'a> Wanted<'a> {
    fn of(rest: &'a str) -> Self {
        let rest = rest.trim_matches('/');
        if let Some(file) = rest.strip_prefix("api/v2/") {
            return if is_json(file) { Self::File(What::Json, file) } else { Self::Nothing };
        }
        match rest {
            "up" => return Self::File(What::Up, rest),
            "logo" => return Self::File(What::Logo, rest),
            "history.atom" | "history.rss" | "maintenance.ics" => return Self::File(What::Feed, rest),
            "badge.svg" | "badge.json" => return Self::File(What::Badge, rest),
            _ => {}
        }
        if let Some(step) = forms::Step::of(rest) {
            return Self::Form(step);
        }
        let (first, below) = rest.split_once('/').unwrap_or((rest, ""));
        let (lang, path) = match Lang::from_code(first) {
            Some(lang) => (Some(lang), below),
            None => (None, rest),
        };
        match path {
            "" => Self::Page("index".to_owned(), lang),
            "history" => Self::Page(path.to_owned(), lang),
            _ if path.starts_with("incident/") || path.starts_with("group/") => Self::Page(path.to_owned(), lang),
            _ => Self::Nothing,
        }
    }
}

fn is_json(file: &str) -> bool {
    const FILES: [&str; 8] = [
        "summary.json",
        "status.json",
        "components.json",
        "incidents.json",
        "incidents/unresolved.json",
        "scheduled-maintenances.json",
        "scheduled-maintenances/upcoming.json",
        "scheduled-maintenances/active.json",
    ];
    FILES.contains(&file)
}

/// What programs may send with the address.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct KeyQuery {
    key: Option<String>,
}

async fn default_page(
    state: State<StatusPages>,
    client: Extension<ClientAddress>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let served = state.inner.holder.held().default_page().cloned();
    answer(&state, served, "", client.0, &headers, &uri).await
}

async fn default_file(
    state: State<StatusPages>,
    client: Extension<ClientAddress>,
    Path(file): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let served = state.inner.holder.held().default_page().cloned();
    answer(&state, served, &format!("api/v2/{file}"), client.0, &headers, &uri).await
}

async fn page(
    state: State<StatusPages>,
    client: Extension<ClientAddress>,
    Path(slug): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let served = state.inner.holder.held().by_slug(&slug).cloned();
    answer(&state, served, "", client.0, &headers, &uri).await
}

async fn part(
    state: State<StatusPages>,
    client: Extension<ClientAddress>,
    Path((slug, rest)): Path<(String, String)>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let served = state.inner.holder.held().by_slug(&slug).cloned();
    if let Some(rest) = rest.strip_prefix("api/v1/endpoints/") {
        return gatus::of_page(&state, served.as_deref(), rest, &uri);
    }
    answer(&state, served, &rest, client.0, &headers, &uri).await
}

async fn post_part(
    state: State<StatusPages>,
    client: Extension<ClientAddress>,
    Path((slug, rest)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let served = state.inner.holder.held().by_slug(&slug).cloned();
    forms::post(&state, served, &rest, client.0, &headers, &body).await
}

/// The page of the request's host. Without a host that is claimed there is nothing.
fn domain_page(state: &StatusPages, host: Option<Extension<ClaimedHost>>) -> Option<Arc<Served>> {
    let Extension(ClaimedHost(host)) = host?;
    state.inner.holder.held().by_domain(&host).cloned()
}

async fn of_domain(
    state: State<StatusPages>,
    host: Option<Extension<ClaimedHost>>,
    client: Extension<ClientAddress>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    answer(&state, domain_page(&state, host), "", client.0, &headers, &uri).await
}

async fn part_of_domain(
    state: State<StatusPages>,
    host: Option<Extension<ClaimedHost>>,
    client: Extension<ClientAddress>,
    Path(rest): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let served = domain_page(&state, host);
    if let Some(rest) = rest.strip_prefix("api/v1/endpoints/") {
        return gatus::of_page(&state, served.as_deref(), rest, &uri);
    }
    answer(&state, served, &rest, client.0, &headers, &uri).await
}

async fn post_of_domain(
    state: State<StatusPages>,
    host: Option<Extension<ClaimedHost>>,
    client: Extension<ClientAddress>,
    Path(rest): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    forms::post(&state, domain_page(&state, host), &rest, client.0, &headers, &body).await
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct DomainQuery {
    domain: String,
}

/// For proxies that fetch certificates on demand: whether a page is served under a name.
async fn ask_domain(state: State<StatusPages>, Query(query): Query<DomainQuery>) -> StatusCode {
    let domain = query.domain.to_ascii_lowercase();
    let is_known = state.inner.holder.held().by_domain(&domain).is_some();
    if is_known { StatusCode::OK } else { StatusCode::NOT_FOUND }
}

/// As whoever may not know that there is something, and as whoever asks for what there is not.
fn nothing() -> Response {
    (StatusCode::NOT_FOUND, "not found\n").into_response()
}

/// Whether somebody may see a page.
fn judge(
    pages: &StatusPages,
    served: &Served,
    client: ClientAddress,
    headers: &HeaderMap,
    key: Option<&str>,
) -> Verdict {
    let access = &served.access;
    if access.page.visibility != Visibility::Public {
        return Verdict::Refused;
    }
    if access.restriction.is_open() {
        return Verdict::Welcome;
    }
    let name = cookie_name(&access.page.code, pages.is_https());
    let cookie = serve::cookie(headers, &name);
    let brought = Brought { address: client.0, cookie: cookie.as_deref(), key, now: pages.inner.clock.now() };
    access.restriction.judge(&brought, &pages.inner.signing, &access.page.code)
}

/// Answers a GET: from memory, but for a link in a mail whose page is no longer open to its reader.
async fn answer(
    pages: &StatusPages,
    served: Option<Arc<Served>>,
    rest: &str,
    client: ClientAddress,
    headers: &HeaderMap,
    uri: &Uri,
) -> Response {
    let began = Instant::now();
    let wanted = Wanted::of(rest);
    let what = match &wanted {
        Wanted::Page(..) | Wanted::Nothing => What::Page,
        Wanted::File(what, _) => *what,
        Wanted::Form(_) => What::Form,
    };
    let (response, result) = match served {
        None => (nothing(), Answered::NotFound),
        Some(served) => {
            let key = Query::<KeyQuery>::try_from_uri(uri).ok().and_then(|query| query.0.key);
            let verdict = judge(pages, &served, client, headers, key.as_deref());
            let is_their_link = match &wanted {
                Wanted::Form(step) if verdict != Verdict::Welcome => forms::is_their_link(pages, &served, step).await,
                _ => false,
            };
            match (verdict, wanted) {
                (Verdict::Welcome, wanted) => welcome(pages, &served, wanted, headers),
                (Verdict::AskPassword, Wanted::Page(..)) => {
                    (forms::ask_password(pages, &served, headers, false), Answered::Refused)
                }
                (_, Wanted::Form(step)) if is_their_link => {
                    (forms::show(pages, &served, &step, headers), Answered::Current)
                }
                (Verdict::Refused | Verdict::AskPassword, _) => (nothing(), Answered::Refused),
            }
        }
    };
    pages.inner.metrics.answered(what, result, began.elapsed());
    response
}

fn welcome(pages: &StatusPages, served: &Served, wanted: Wanted<'_>, headers: &HeaderMap) -> (Response, Answered) {
    let set = pages.inner.holder.set_of(served, pages.inner.clock.now());
    let asker = Asker { headers, is_named: matches!(wanted, Wanted::Page(_, Some(_))) };
    let path = match wanted {
        Wanted::Page(path, lang) => {
            let lang = serve::language(&served.access.page.languages, lang, headers);
            format!("{path}.{lang}")
        }
        Wanted::File(_, path) => path.to_owned(),
        Wanted::Form(step) => return (forms::show(pages, served, &step, headers), Answered::Current),
        Wanted::Nothing => return (nothing(), Answered::NotFound),
    };
    match served.get(set, &path) {
        Some(render) => serve::respond(served, render, set, &asker),
        None => (nothing(), Answered::NotFound),
    }
}

/// A page for those of its owner who are signed in: whatever its restriction.
pub fn signed_in(pages: &StatusPages, served: &Served, rest: &str, headers: &HeaderMap) -> Response {
    match Wanted::of(rest) {
        wanted @ (Wanted::Page(..) | Wanted::File(..)) => welcome(pages, served, wanted, headers).0,
        Wanted::Form(_) | Wanted::Nothing => nothing(),
    }
}

/// The first page with another style, for those of its owner who try one. As it is served, so that they see their own components.
pub fn with_style(served: &Served, css: &str, headers: &HeaderMap) -> Option<Response> {
    let lang = serve::language(&served.access.page.languages, None, headers);
    let render = served.get(Set::Current, &format!("index.{lang}"))?;
    let html = String::from_utf8_lossy(&render.body);
    let (before, rest) = html.split_once("<style>")?;
    let (_, after) = rest.split_once("</style>")?;
    let policy = HeaderValue::try_from(styles::policy(css, &served.access.root)).ok()?;
    let mut response = Html(format!("{before}<style>{css}</style>{after}")).into_response();
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    Some(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let page = |path: &str, lang| Wanted::Page(path.to_owned(), lang);
        for (rest, wanted) in [
            ("", page("index", None)),
            ("/", page("index", None)),
            ("ru", page("index", Some(Lang::Ru))),
            ("ru/history", page("history", Some(Lang::Ru))),
            ("incident/abc", page("incident/abc", None)),
            ("api/v2/summary.json", Wanted::File(What::Json, "summary.json")),
            ("api/v2/incidents/unresolved.json", Wanted::File(What::Json, "incidents/unresolved.json")),
            ("api/v2/gatus.json", Wanted::Nothing),
            ("gatus.json", Wanted::Nothing),
            ("up", Wanted::File(What::Up, "up")),
            ("index.en", Wanted::Nothing),
            ("stale/index", Wanted::Nothing),
        ] {
            assert_eq!(Wanted::of(rest), wanted, "{rest}");
        }
    }
}
