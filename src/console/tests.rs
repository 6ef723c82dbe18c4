//! What a machine can check about pages: languages are complete, keys exist, files are embedded, every component renders.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::routing::{get, post};
use axum::{Extension, Router};
use chrono::{DateTime, Utc};
use serde_json::json;
use tower::ServiceExt;
use uuid::Uuid;

use super::{Console, Flash, Form, FormErrors, Lang, NavItem, Overview, OverviewSource, PageResult, Pager};
use super::{Parts, Shell, embedded, i18n};
use crate::platform::error::ApiError;
use crate::platform::http::{Actor, ListQuery, OrgRef, Principal, Role, SessionUser};
use crate::platform::ids::{OrgId, UserId};

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn walk(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() { walk(&entry.path(), out) } else { out.push(entry.path()) }
    }
}

/// Every file below `src`, by name relative to it, with one of the extensions.
fn files(extensions: &[&str]) -> Vec<(String, PathBuf)> {
    let mut all = Vec::new();
    walk(&sources(), &mut all);
    all.retain(|path| path.extension().is_some_and(|e| extensions.iter().any(|known| e == *known)));
    all.into_iter().map(|path| (path.strip_prefix(sources()).unwrap().to_str().unwrap().to_owned(), path)).collect()
}

fn keys(source: &str) -> BTreeSet<&str> {
    let starts = source.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()));
    starts.filter_map(|line| line.split_once(" =")).map(|(key, _)| key).collect()
}

#[test]
fn every_file_is_embedded() {
    for (name, _) in files(&["css", "js", "svg", "png", "woff2"]) {
        let asset = name.replace("/assets/", "/");
        assert!(embedded::ASSETS.iter().any(|(known, _)| *known == asset), "{name} is missing in console/embedded.rs");
    }
    for (name, _) in files(&["ftl"]) {
        let known = embedded::LOCALES.iter().any(|locale| name.starts_with(&format!("{}/locales/", locale.capability)));
        assert!(known, "{name} is missing in console/embedded.rs");
    }
}

#[test]
fn both_languages_have_the_same_keys_under_their_own_prefix() {
    for locale in embedded::LOCALES {
        assert_eq!(keys(locale.en), keys(locale.ru), "{}", locale.capability);
        for source in [locale.en, locale.ru] {
            let parsed = fluent_bundle::FluentResource::try_new(source.to_owned());
            assert!(parsed.is_ok(), "{}: {:?}", locale.capability, parsed.err().map(|(_, errors)| errors));
        }
        for key in keys(locale.en) {
            let own = key.starts_with(&locale.capability.replace('_', "-")) || key.starts_with("error-");
            assert!(own, "{key} does not carry the prefix {}", locale.capability);
        }
    }
}

#[test]
fn every_key_that_a_page_names_exists() {
    let calls = [".t(\"", ".tn(\"", "Flash::ok(\"", "Flash::warn(\"", "Flash::error(\""];
    // Tests may name keys that do not exist, and the how-to in mod.rs names another capability's.
    let pages =
        files(&["html", "rs"]).into_iter().filter(|(name, _)| !name.ends_with("tests.rs") && name != "console/mod.rs");
    for (name, path) in pages {
        let text = fs::read_to_string(path).unwrap();
        for call in calls {
            for rest in text.split(call).skip(1) {
                let key = rest.split('"').next().unwrap();
                // A key with a hole is filled from a closed set; the pages' own tests render those.
                let complete = key.contains("{}") || Lang::ALL.into_iter().all(|lang| i18n::has(lang, key));
                assert!(complete, "{name} names the key {key}, which no locales file has");
            }
        }
    }
}

#[test]
fn pages_have_no_inline_script_or_style() {
    for (name, path) in files(&["html"]) {
        let text = fs::read_to_string(path).unwrap();
        for banned in [" style=", "<style", " onclick=", " onsubmit=", "javascript:"] {
            assert!(!text.contains(banned), "{name} has {banned}, which the content security policy blocks");
        }
    }
}

#[test]
fn russian_counts_decline() {
    let bases = |n: i64| i18n::text(Lang::Ru, "console-overview-in-bases").with("n", n).to_string();
    assert_eq!(bases(1), "в 1 базе знаний");
    assert_eq!(bases(1_205), "в 1\u{a0}205 базах знаний");
    let keys = |n: i64| i18n::text(Lang::Ru, "console-overview-keys").with("n", n).to_string();
    assert_eq!((keys(21), keys(3), keys(11)), ("21 ключ API".into(), "3 ключа API".into(), "11 ключей API".into()));
}

#[test]
fn the_browser_chooses_the_language() {
    let accept = |value: &str| {
        let mut headers = axum::http::HeaderMap::new();
        headers.insert(axum::http::header::ACCEPT_LANGUAGE, value.parse().unwrap());
        Lang::from_headers(&headers)
    };
    assert_eq!(accept("ru-RU,ru;q=0.9,en;q=0.8"), Lang::Ru);
    assert_eq!(accept("en;q=0.5, ru;q=0.7"), Lang::Ru);
    assert_eq!(accept("de, fr;q=0.9"), Lang::En);
}

// --- pages, through the router -------------------------------------------------------------------------------------------

struct Numbers;

#[async_trait::async_trait]
impl OverviewSource for Numbers {
    async fn overview(&self, _: &Principal) -> Result<Overview, ApiError> {
        Ok(Overview {
            documents_ready: 1_205,
            documents_failed: 2,
            tokens_by_day: vec![1, 2, 3],
            ..Overview::default()
        })
    }
}

/// Every component on one page.
#[derive(Template)]
#[template(path = "console/templates/style.html")]
struct Style<'a> {
    shell: &'a Shell,
    errors: FormErrors,
    pager: Pager,
    now: DateTime<Utc>,
}

async fn style(shell: Shell) -> PageResult {
    let errors = FormErrors::default().with("slug", "Taken");
    let pager = Pager::new("/style", &[], &ListQuery::default(), Some("next"));
    shell.render(&Style { shell: &shell, errors, pager, now: DateTime::UNIX_EPOCH })
}

async fn save(shell: Shell, Form(_): Form<Vec<(String, String)>>) -> PageResult {
    Ok(shell.redirect("/style", &Flash::ok("console-copied")))
}

fn person(must_change_password: bool) -> Principal {
    let org_id = OrgId(Uuid::from_u128(1));
    let org = |n, name: &str| OrgRef {
        id: OrgId(Uuid::from_u128(n)),
        name: name.into(),
        slug: name.into(),
        role: Role::Owner,
    };
    let user = SessionUser {
        user_id: UserId(Uuid::from_u128(7)),
        email: "admin@example.com".into(),
        name: "Admin".into(),
        session_id: Uuid::from_u128(8),
        csrf: "the-token".into(),
        orgs: vec![org(1, "<Northwind>"), org(2, "Second")].into(),
        is_operator: false,
        must_change_password,
    };
    Principal { org_id, role: Role::Member, actor: Actor::User(user) }
}

fn site(who: Option<Principal>) -> Router {
    let item = |href, key, role, operator| NavItem { href, key, icon: "overview", section: "", role, operator };
    let nav = vec![
        item("/style", "console-nav-agents", Role::Viewer, false),
        item("/style/more", "console-nav-knowledge", Role::Viewer, false),
        item("/members", "console-nav-members", Role::Admin, false),
        item("/jobs", "console-nav-jobs", Role::Viewer, true),
    ];
    let openapi =
        json!({"paths": {"/api/v1/agents": {"get": {"summary": "List", "tags": ["agents"], "responses": {}}}}});
    let console = Console::new(Parts { nav, overview: Arc::new(Numbers), openapi, https: false });
    let down = || async { Err::<(), _>(ApiError::internal(anyhow::anyhow!("secret reason"))) };
    let routes = Router::new()
        .route("/style", get(style))
        .route("/style/{*rest}", get(style))
        .route("/save", post(save))
        .route("/down", get(down));
    let routes = console.wrap(routes.merge(console.router()));
    match who {
        Some(who) => routes.layer(Extension(who)),
        None => routes,
    }
}

async fn send(who: Option<Principal>, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
    let response = site(who).oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    (head.status, head.headers, String::from_utf8(bytes.to_vec()).unwrap())
}

fn open(path: &str, lang: &str) -> Request<Body> {
    let request =
        Request::get(path).header(header::ACCEPT, "text/html").header(header::COOKIE, format!("hf_lang={lang}"));
    request.body(Body::empty()).unwrap()
}

fn submit(path: &str, body: &'static str) -> Request<Body> {
    let request = Request::post(path).header(header::ACCEPT, "text/html");
    request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(body.into()).unwrap()
}

#[tokio::test]
async fn pages_render_in_both_languages_without_a_missing_key() {
    for lang in Lang::ALL {
        for path in ["/", "/style", "/api/docs", "/nowhere", "/down"] {
            let (_, headers, body) = send(Some(person(false)), open(path, lang.code())).await;
            assert!(body.contains(&format!("<html lang=\"{}\"", lang.code())), "{path}: {body}");
            assert!(!body.contains("console-"), "{path} shows a key: {body}");
            assert!(!body.contains("<Northwind>") && !body.contains("secret reason"), "{path}");
            let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
            assert!(policy.contains("script-src 'self';"), "{policy}");
        }
    }
}

#[tokio::test]
async fn errors_are_pages_for_browsers_only() {
    let (status, headers, _) = send(None, open("/nowhere", "en")).await;
    assert_eq!(
        (status, &headers[header::CONTENT_TYPE]),
        (StatusCode::NOT_FOUND, &"text/html; charset=utf-8".parse().unwrap())
    );
    let program = Request::get("/down").body(Body::empty()).unwrap();
    let (status, headers, _) = send(None, program).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(headers[header::CONTENT_TYPE], "application/problem+json");
}

#[tokio::test]
async fn a_page_needs_a_session() {
    let (status, headers, _) = send(None, open("/style?a=1", "en")).await;
    assert_eq!(
        (status, headers[header::LOCATION].to_str().unwrap()),
        (StatusCode::SEE_OTHER, "/login?next=%2Fstyle%3Fa%3D1")
    );
    let (_, headers, _) = send(Some(person(true)), open("/style", "en")).await;
    assert_eq!(headers[header::LOCATION], super::PASSWORD_PAGE);
}

#[tokio::test]
async fn the_navigation_follows_the_role() {
    let (_, _, body) = send(Some(person(false)), open("/style", "en")).await;
    assert!(body.contains("href=\"/style\" aria-current=\"page\""));
    assert!(!body.contains("href=\"/members\"") && !body.contains("href=\"/jobs\""));
}

#[tokio::test]
async fn only_the_closest_link_of_the_navigation_is_current() {
    for (path, current) in [("/style", "/style"), ("/style/more", "/style/more"), ("/style/more/1", "/style/more")] {
        let (_, _, body) = send(Some(person(false)), open(path, "en")).await;
        let nav = body.split("<nav").nth(1).unwrap().split("</nav>").next().unwrap();
        assert_eq!(nav.matches("aria-current").count(), 1, "{path}: {nav}");
        assert!(nav.contains(&format!("href=\"{current}\" aria-current=\"page\"")), "{path}: {nav}");
    }
}

#[tokio::test]
async fn forms_need_the_token_and_their_message_is_shown_once() {
    for forged in ["csrf=", "csrf=the-tokem", "name=x"] {
        assert_eq!(send(Some(person(false)), submit("/save", forged)).await.0, StatusCode::FORBIDDEN, "{forged}");
    }
    let (status, headers, _) = send(Some(person(false)), submit("/save", "csrf=the-token")).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let cookie = headers[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    let next = Request::get("/style").header(header::COOKIE, cookie).body(Body::empty()).unwrap();
    let (_, headers, body) = send(Some(person(false)), next).await;
    assert!(body.contains("<p>Copied</p>"));
    assert!(headers[header::SET_COOKIE].to_str().unwrap().contains("hf_flash=; "), "the message is taken back");
}

#[tokio::test]
async fn before_sign_in_the_token_is_the_browsers_own() {
    let (_, headers, body) = send(None, open("/api/docs", "en")).await;
    let cookie = headers[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    let token = cookie.strip_prefix("hf_csrf=").unwrap();
    assert!(body.contains(token));
    let mut preferences = submit("/console/preferences", "");
    *preferences.body_mut() = format!("csrf={token}&theme=dark&back=//evil").into();
    assert_eq!(send(None, preferences).await.0, StatusCode::FORBIDDEN);
    let mut preferences = submit("/console/preferences", "");
    *preferences.body_mut() = format!("csrf={token}&theme=dark&back=//evil").into();
    preferences.headers_mut().insert(header::COOKIE, cookie.parse().unwrap());
    let (status, headers, _) = send(None, preferences).await;
    assert_eq!((status, headers[header::LOCATION].to_str().unwrap()), (StatusCode::SEE_OTHER, "/"));
    assert!(headers[header::SET_COOKIE].to_str().unwrap().starts_with("hf_theme=dark; "));
}
