//! Pages, through the router: every component renders, forms need their token.

use std::collections::HashMap;
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

use super::{ASSETS, Console, Flash, Form, FormErrors, LOCALE, Lang, LanguageKeeper, NavItem, Overview, OverviewPart};
use super::{Chart, ChartStep, Directory, Found, Named, Names, Series, Shape, Unit};
use super::{PageResult, Pager, Parts, Section, Shell, Step, Tile};
use platform::crypto::MasterKey;
use platform::error::ApiError;
use platform::http::{Actor, ListQuery, OrgRef, Principal, Role, SessionUser};
use platform::ids::{OrgId, UserId};

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

struct Figures;

#[async_trait::async_trait]
impl OverviewPart for Figures {
    fn label(&self) -> &'static str {
        "console-overview"
    }

    async fn overview(&self, shell: &Shell) -> Result<Overview, ApiError> {
        let step =
            |href, needs| Step { place: 1, href, title: "A step".into(), text: "of two".into(), needs, done: false };
        let tile = Tile::new("Figures", shell.number(1_205)).spark(&[1, 2, 3], "by day").badge("error", "2 failed");
        let steps = vec![step("/first", Role::Member), step("/second", Role::Owner)];
        Ok(Overview { steps, tiles: vec![tile], ..Overview::default() })
    }
}

struct Broken;

#[async_trait::async_trait]
impl OverviewPart for Broken {
    fn label(&self) -> &'static str {
        "console-search"
    }

    async fn overview(&self, _: &Shell) -> Result<Overview, ApiError> {
        Err(ApiError::internal(anyhow::anyhow!("secret reason")))
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
    chart: String,
}

fn chart(shell: &Shell) -> String {
    let series = Series { label: "<Answers>".into(), values: vec![Some(1_205.0), None], tone: "a" };
    let chart = Chart {
        id: "answers",
        title: "Answers by day".into(),
        shape: Shape::Bars,
        unit: Unit::Count,
        at: vec![DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH],
        step: ChartStep::Day,
        series: vec![series],
        before: None,
        href: None,
    };
    chart.render(shell)
}

async fn style(shell: Shell) -> PageResult {
    let errors = FormErrors::default().with("slug", "Taken");
    let pager = Pager::new("/style", &[], &ListQuery::default(), Some("next"));
    let chart = chart(&shell);
    shell.render(&Style { shell: &shell, errors, pager, now: DateTime::UNIX_EPOCH, chart })
}

async fn save(shell: Shell, Form(_): Form<Vec<(String, String)>>) -> PageResult {
    Ok(shell.redirect("/style", &Flash::ok("console-copied")))
}

/// A page that shows a secret once.
async fn secret(shell: Shell) -> PageResult {
    let text = shell.once("key").unwrap_or_else(|| "nothing".into());
    let errors = FormErrors::default().with("slug", &text);
    let pager = Pager::new("/secret", &[], &ListQuery::default(), None);
    shell.render(&Style { shell: &shell, errors, pager, now: DateTime::UNIX_EPOCH, chart: String::new() })
}

async fn make_secret(shell: Shell, Form(_): Form<Vec<(String, String)>>) -> PageResult {
    shell.redirect_once("/secret", &Flash::ok("console-copied"), "key", "hf_first")
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

fn parts() -> Parts {
    Parts::new(MasterKey::parse(&"5e".repeat(32)).unwrap())
}

fn site(who: Option<Principal>) -> Router {
    site_of(who, vec![Arc::new(Figures)])
}

fn site_of(who: Option<Principal>, overview: Vec<Arc<dyn OverviewPart>>) -> Router {
    let item = |href, key| NavItem::new(Section::Top, href, key, "overview");
    let nav = vec![
        item("/style", "console-save"),
        item("/style/more", "console-edit"),
        item("/members", "console-delete").role(Role::Admin),
        item("/jobs", "console-search").operator(),
    ];
    let openapi =
        json!({"paths": {"/api/v1/agents": {"get": {"summary": "List", "tags": ["agents"], "responses": {}}}}});
    let console =
        Console::new(Parts { nav, locales: vec![LOCALE], assets: ASSETS.to_vec(), overview, openapi, ..parts() });
    let down = || async { Err::<(), _>(ApiError::internal(anyhow::anyhow!("secret reason"))) };
    let routes = Router::new()
        .route("/style", get(style))
        .route("/style/{*rest}", get(style))
        .route("/save", post(save))
        .route("/secret", get(secret).post(make_secret))
        .route("/down", get(down));
    let routes = console.wrap(routes.merge(console.router()));
    match who {
        Some(who) => routes.layer(Extension(who)),
        None => routes,
    }
}

async fn send(who: Option<Principal>, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
    send_to(site(who), request).await
}

async fn send_to(site: Router, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
    let response = site.oneshot(request).await.unwrap();
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

/// What was chosen is told to whoever keeps it, of people who are signed in.
#[tokio::test]
async fn a_chosen_language_is_kept_for_mails() {
    #[derive(Default)]
    struct Kept(std::sync::Mutex<Vec<Lang>>);
    #[async_trait::async_trait]
    impl LanguageKeeper for Kept {
        async fn chosen(&self, _: &Principal, lang: Lang) -> Result<(), ApiError> {
            self.0.lock().unwrap().push(lang);
            if lang == Lang::Ru { Ok(()) } else { Err(ApiError::internal(anyhow::anyhow!("the database is away"))) }
        }
    }
    let kept = Arc::new(Kept::default());
    let parts = Parts { locales: vec![LOCALE], assets: ASSETS.to_vec(), openapi: json!({}), ..parts() };
    let console = Console::new(parts);
    console.keeps_languages_by(kept.clone());
    let routes: Router = console.wrap(console.router());
    for body in [
        "csrf=the-token&lang=ru&back=/style",
        "csrf=the-token&theme=dark",
        "csrf=the-token&lang=de",
        "csrf=the-token&lang=en",
    ] {
        let routes = routes.clone().layer(Extension(person(false)));
        let response = routes.oneshot(submit("/console/preferences", body)).await.unwrap();
        // Also if it cannot be kept: the console itself needs only the cookie.
        assert_eq!(response.status(), StatusCode::SEE_OTHER, "{body}");
        let cookies =
            response.headers().get_all(header::SET_COOKIE).iter().filter(|c| c.as_bytes().starts_with(b"hf_lang="));
        assert_eq!(cookies.count(), usize::from(body.contains("lang=ru") || body.contains("lang=en")), "{body}");
    }
    assert_eq!(*kept.0.lock().unwrap(), [Lang::Ru, Lang::En]);
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
async fn the_first_page_shows_what_the_rooms_say_to_those_who_may_act_on_it() {
    let (_, _, body) = send(Some(person(false)), open("/", "en")).await;
    assert!(body.contains("1,205") && body.contains("2 failed") && body.contains("<svg"), "{body}");
    assert!(body.contains("href=\"/first\"") && !body.contains("href=\"/second\""), "{body}");
}

#[tokio::test]
async fn a_room_that_fails_says_so_on_its_tile_and_takes_nothing_from_the_others() {
    let rooms: Vec<Arc<dyn OverviewPart>> = vec![Arc::new(Broken), Arc::new(Figures)];
    let (status, _, body) = send_to(site_of(Some(person(false)), rooms), open("/", "en")).await;
    assert_eq!(status, StatusCode::OK);
    assert!(body.contains("could not be read") && body.contains("1,205"), "{body}");
    assert!(!body.contains("secret reason"), "{body}");
}

#[tokio::test]
async fn a_live_part_is_sent_alone_to_the_page_that_it_belongs_to() {
    let (_, _, page) = send(Some(person(false)), open("/", "en")).await;
    let stamp = page.split("data-live-page=\"").nth(1).unwrap().split('"').next().unwrap();
    let ask = |stamp: &str, lang: &str, etag: &str| {
        let request = Request::get("/").header("x-live", stamp).header(header::COOKIE, format!("hf_lang={lang}"));
        request.header(header::IF_NONE_MATCH, etag).body(Body::empty()).unwrap()
    };
    let (status, headers, part) = send(Some(person(false)), ask(stamp, "en", "")).await;
    assert_eq!(status, StatusCode::OK);
    assert!(part.starts_with("\n<div id=\"overview\"") && part.ends_with("</div>\n"), "{part}");
    let etag = headers[header::ETAG].to_str().unwrap();
    let (status, headers, part) = send(Some(person(false)), ask(stamp, "en", etag)).await;
    assert_eq!((status, part.as_str()), (StatusCode::NOT_MODIFIED, ""));
    assert_eq!(headers[header::CACHE_CONTROL], "no-store");
    // Of another session or version; in another language; signed out.
    for (who, stamp, lang, expected) in [
        (Some(person(false)), "0000", "en", StatusCode::CONFLICT),
        (Some(person(false)), stamp, "ru", StatusCode::CONFLICT),
        (Some(person(true)), stamp, "en", StatusCode::UNAUTHORIZED),
        (None, stamp, "en", StatusCode::UNAUTHORIZED),
    ] {
        assert_eq!(send(who, ask(stamp, lang, etag)).await.0, expected, "{stamp} {lang}");
    }
}

#[tokio::test]
async fn a_live_part_leaves_the_message_to_the_page() {
    let (_, headers, page) = send(Some(person(false)), open("/", "en")).await;
    assert!(!headers.contains_key(header::SET_COOKIE));
    let stamp = page.split("data-live-page=\"").nth(1).unwrap().split('"').next().unwrap();
    let (_, headers, _) = send(Some(person(false)), submit("/save", "csrf=the-token")).await;
    let message = headers[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    let part = Request::get("/").header("x-live", stamp).header(header::COOKIE, message);
    let (status, headers, _) = send(Some(person(false)), part.body(Body::empty()).unwrap()).await;
    assert!(status == StatusCode::OK && !headers.contains_key(header::SET_COOKIE), "{status} {headers:?}");
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

/// A secret goes with a redirect, is shown once, and to nobody else.
#[tokio::test]
async fn a_secret_is_shown_once_and_in_its_session_alone() {
    let look = |cookie: &str| Request::get("/secret").header(header::COOKIE, cookie).body(Body::empty()).unwrap();
    let (status, headers, _) = send(Some(person(false)), submit("/secret", "csrf=the-token")).await;
    assert_eq!((status, &headers[header::LOCATION]), (StatusCode::SEE_OTHER, &"/secret".parse().unwrap()));
    let mut cookies = headers.get_all(header::SET_COOKIE).iter().map(|cookie| cookie.to_str().unwrap());
    let cookie = cookies.find(|cookie| cookie.starts_with("hf_once=")).unwrap().split(';').next().unwrap();
    assert!(!cookie.contains("hf_first"));
    let (_, headers, body) = send(Some(person(false)), look(cookie)).await;
    assert!(body.contains("hf_first"), "{body}");
    assert!(headers.get_all(header::SET_COOKIE).iter().any(|c| c.as_bytes().starts_with(b"hf_once=; ")), "taken back");
    let (_, _, again) = send(Some(person(false)), look("hf_lang=en")).await;
    assert!(again.contains("nothing") && !again.contains("hf_first"));
    let mut other = person(false);
    if let Actor::User(user) = &mut other.actor {
        user.session_id = Uuid::from_u128(9);
    }
    let (_, _, stolen) = send(Some(other), look(cookie)).await;
    assert!(!stolen.contains("hf_first"), "{stolen}");
}

#[tokio::test]
async fn a_chart_has_its_values_in_a_table() {
    let (_, _, body) = send(Some(person(false)), open("/style", "en")).await;
    let chart = body.split("<figure").nth(1).unwrap().split("</figure>").next().unwrap();
    assert!(chart.contains("1,205") && chart.contains("&lt;Answers&gt;") && chart.contains("<svg"), "{chart}");
}

struct People;

#[async_trait::async_trait]
impl Directory for People {
    fn kinds(&self) -> &'static [&'static str] {
        &["user"]
    }

    async fn names(&self, _: OrgId, _: &str, ids: &[Uuid]) -> Result<HashMap<Uuid, Named>, ApiError> {
        assert_eq!(ids, [Uuid::from_u128(7)], "each id once");
        Ok(HashMap::from([(ids[0], Named { label: "Ada".into(), ..Named::default() })]))
    }

    async fn find(&self, _: &Shell, _: &str, _: usize) -> Result<Vec<Found>, ApiError> {
        Ok(Vec::new())
    }

    async fn newest(&self, _: OrgId, _: &str) -> Result<Option<Uuid>, ApiError> {
        Ok(None)
    }
}

#[tokio::test]
async fn pages_name_what_other_rooms_have() {
    async fn named(shell: Shell) -> String {
        let id = Uuid::from_u128(7);
        let names: Names = shell.names(&[("user", id), ("user", id), ("document", id)]).await;
        let label = |kind| names.get(kind, id).map_or("-", |named| &named.label).to_owned();
        format!("{} {}", label("user"), label("document"))
    }
    let console = Console::new(Parts { directories: vec![Arc::new(People)], ..parts() });
    let site: Router = console.wrap(Router::new().route("/named", get(named)));
    let (status, _, body) = send_to(site.layer(Extension(person(false))), open("/named", "en")).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "Ada -"));
}
