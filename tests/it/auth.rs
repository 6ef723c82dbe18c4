//! Sign-in, sessions, API keys, members and links, over the real router and database.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode, header},
    middleware::from_fn_with_state,
};
use chrono::{DateTime, TimeDelta, Utc};
use holdfast::{
    app::{assets, locales, scopes},
    auth::{self, AdminConfig, Auth, Config, Origins},
    console::{Console, Parts},
    platform::{
        clock::Clock,
        db::{self, Db, Target},
        http::{self, MiddlewareStack, Role},
        lifecycle::Lifecycle,
        telemetry::Telemetry,
    },
};
use http_body_util::BodyExt as _;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};
use tower::ServiceExt as _;

use crate::support::cluster::{PATIENCE, cluster};

const EMAIL: &str = "ada@example.com";
const PASSWORD: &str = "correct horse battery";

struct World {
    name: String,
    target: Target,
    clock: Clock,
    auth: Auth,
    router: Router,
    lifecycle: Lifecycle,
    telemetry: Telemetry,
}

/// A response.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
    text: String,
}

impl Answer {
    fn location(&self) -> &str {
        self.headers.get(header::LOCATION).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }

    /// Cookies to send back, as one header.
    fn cookies(&self) -> String {
        let cookies =
            self.headers.get_all(header::SET_COOKIE).iter().map(|v| v.to_str().unwrap().split(';').next().unwrap());
        cookies.collect::<Vec<_>>().join("; ")
    }

    fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    fn expect(self, status: StatusCode) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }
}

/// A client with a cookie, or with an API key.
#[derive(Clone, Default)]
struct Caller {
    cookie: String,
    csrf: String,
    key: String,
    /// Client address as reported by the proxy in front.
    from: String,
}

impl World {
    /// A fresh database with an administrator whose password is [`PASSWORD`].
    async fn start(config: Config) -> Self {
        let world = Self::empty(config).await;
        let admin = AdminConfig { email: EMAIL.into(), password: Some(PASSWORD.into()), password_file: None };
        let first = world.auth.bootstrap(&admin).await.unwrap().unwrap();
        assert!(first.one_time_password.is_none());
        world
    }

    async fn empty(config: Config) -> Self {
        let name = cluster().await.database().await;
        let target = cluster().await.target(&name);
        let database = Db::new(&target, &db::Config::default());
        let clock = Clock::movable();
        let telemetry = Telemetry::new();
        let server = http::Config { trusted_proxies: vec!["127.0.0.1/32".parse().unwrap()], ..http::Config::default() };
        let auth = Auth::new(
            database,
            clock.clone(),
            &config,
            &server,
            scopes(),
            telemetry.register("auth", auth::Metrics::register),
        )
        .unwrap();
        let lifecycle = Lifecycle::new();
        auth.spawn_upkeep(&lifecycle);
        let (routes, _) = auth::routes::router().with_state(auth.clone()).split_for_parts();
        let parts = Parts {
            nav: Vec::new(),
            locales: locales(),
            assets: assets(),
            overview: Vec::new(),
            openapi: json!({}),
            https: false,
        };
        let console = Console::new(parts);
        let routes = console.wrap(routes.merge(auth::pages::router().with_state(auth.clone())).merge(console.router()));
        let routes = routes.layer(from_fn_with_state(Origins::new(&server), auth::csrf_guard));
        let metrics = telemetry.register("http", http::Metrics::register);
        let stack = MiddlewareStack::new(&server, clock.clone(), metrics, Arc::new(auth.clone()), lifecycle.clone());
        let router = http::wrap(routes, stack, std::convert::identity);
        Self { name, target, clock, auth, router, lifecycle, telemetry }
    }

    async fn send(&self, caller: &Caller, method: Method, path: &str, body: Value) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in [
            ("cookie", &caller.cookie),
            ("x-csrf-token", &caller.csrf),
            ("authorization", &caller.key),
            ("x-forwarded-for", &caller.from),
        ] {
            if !value.is_empty() {
                request = request.header(name, value);
            }
        }
        let body = if body.is_null() {
            Body::empty()
        } else {
            request = request.header(header::CONTENT_TYPE, "application/json");
            Body::from(body.to_string())
        };
        self.answer(request.body(body).unwrap()).await
    }

    async fn answer(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Answer { status, headers, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null), text }
    }

    /// Gets a page as a browser with this language.
    async fn page(&self, caller: &Caller, path: &str, lang: &str) -> Answer {
        let request = Request::get(path)
            .header("cookie", &caller.cookie)
            .header("accept", "text/html")
            .header("accept-language", lang);
        self.answer(request.body(Body::empty()).unwrap()).await
    }

    /// Sends a form of one of our pages as a browser over plain http.
    async fn form(&self, caller: &Caller, path: &str, fields: &str) -> Answer {
        let request = Request::post(path)
            .header("cookie", &caller.cookie)
            .header("accept", "text/html")
            .header("origin", "http://127.0.0.1:8080")
            .header("content-type", "application/x-www-form-urlencoded");
        self.answer(request.body(Body::from(format!("csrf={}&{fields}", caller.csrf))).unwrap()).await
    }

    async fn get(&self, caller: &Caller, path: &str) -> Answer {
        self.send(caller, Method::GET, path, Value::Null).await
    }

    async fn post(&self, caller: &Caller, path: &str, body: Value) -> Answer {
        self.send(caller, Method::POST, path, body).await
    }

    async fn delete(&self, caller: &Caller, path: &str) -> Answer {
        self.send(caller, Method::DELETE, path, Value::Null).await
    }

    async fn login(&self, email: &str, password: &str) -> Answer {
        self.post(&Caller::default(), "/api/v1/auth/login", json!({ "email": email, "password": password })).await
    }

    async fn signed_in(&self, email: &str, password: &str) -> Caller {
        caller_of(&self.login(email, password).await.expect(StatusCode::OK))
    }

    /// Creates a person with a password of their own in the organisation with this slug.
    async fn person(&self, email: &str, org: &str, role: Role) -> Caller {
        let (_, one_time) = self.auth.create_user(email, "", org, role, false).await.unwrap();
        let caller = self.signed_in(email, &one_time).await;
        let body = json!({ "current_password": one_time, "new_password": PASSWORD });
        self.post(&caller, "/api/v1/auth/password", body).await.expect(StatusCode::NO_CONTENT);
        caller
    }

    async fn id_of(&self, caller: &Caller) -> String {
        self.get(caller, "/api/v1/auth/me").await.body["user"]["id"].as_str().unwrap().to_owned()
    }

    /// One value from the database, read as the server's administrator.
    async fn value(&self, sql: &str) -> Option<String> {
        let mut conn = PgConnection::connect_with(&self.target.admin).await.unwrap();
        let row = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_one(&mut conn).await.unwrap();
        conn.close().await.unwrap();
        row.get(0)
    }

    async fn end(self) {
        self.lifecycle.drain(Duration::from_secs(2)).await;
        cluster().await.drop_database(&self.name).await;
    }
}

fn caller_of(answer: &Answer) -> Caller {
    let cookie = answer.headers[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    let csrf = answer.body["user"]["csrf_token"].as_str().unwrap().to_owned();
    Caller { cookie, csrf, ..Caller::default() }
}

/// The `token` of an accept link.
fn token_of(answer: &Answer) -> String {
    answer.body["url"].as_str().unwrap().split_once("token=").unwrap().1.to_owned()
}

#[tokio::test]
async fn the_first_start_makes_an_administrator_with_a_one_time_password() {
    let world = World::empty(Config::default()).await;
    let first = world.auth.bootstrap(&AdminConfig::default()).await.unwrap().unwrap();
    assert_eq!(first.email, "admin@localhost");
    let one_time = first.one_time_password.unwrap().expose_secret().to_owned();
    assert!(world.auth.bootstrap(&AdminConfig::default()).await.unwrap().is_none(), "only once");

    let caller = world.signed_in(" Admin@LOCALHOST ", &one_time).await;
    let me = world.get(&caller, "/api/v1/auth/me").await.expect(StatusCode::OK);
    assert_eq!((&me.body["user"]["must_change_password"], &me.body["role"]), (&json!(true), &json!("owner")));
    for path in ["/api/v1/api-keys", "/api/v1/members", "/api/v1/sessions", "/api/v1/organisations"] {
        let refused = world.get(&caller, path).await.expect(StatusCode::FORBIDDEN);
        assert_eq!(refused.code(), "password_change_required", "{path}");
    }
    let change = |current: &str, new: &str| json!({ "current_password": current, "new_password": new });
    for (body, code) in [
        (change("something else", PASSWORD), "wrong_password"),
        (change(&one_time, "short"), "password_too_short"),
        (change(&one_time, "Password123"), "password_common"),
        (change(&one_time, &one_time), "password_unchanged"),
    ] {
        let refused = world.post(&caller, "/api/v1/auth/password", body).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.body["errors"][0]["code"], code);
    }
    world.post(&caller, "/api/v1/auth/password", change(&one_time, PASSWORD)).await.expect(StatusCode::NO_CONTENT);
    world.get(&caller, "/api/v1/api-keys").await.expect(StatusCode::OK);
    world.login("admin@localhost", &one_time).await.expect(StatusCode::UNAUTHORIZED);
    world.end().await;
}

#[tokio::test]
async fn unknown_and_wrong_are_one_answer_and_attempts_are_limited() {
    let world = World::start(Config {
        attempts_per_minute_per_address: 100,
        attempts_per_minute_per_account: 3,
        ..Config::default()
    })
    .await;
    let mut bodies = Vec::new();
    for (email, password) in
        [(EMAIL, "not the password"), ("nobody@example.com", PASSWORD), ("not an e-mail\u{0}", PASSWORD)]
    {
        let refused = world.login(email, password).await.expect(StatusCode::UNAUTHORIZED);
        assert!(refused.headers.get(header::SET_COOKIE).is_none());
        let mut body = refused.body;
        body["request_id"] = Value::Null;
        bodies.push(body);
    }
    assert_eq!(bodies[0], bodies[1]);
    assert_eq!(bodies[0], bodies[2]);
    assert_eq!(bodies[0]["code"], "invalid_credentials");

    // A stranger uses up the account's allowance; the owner's known address has its own.
    let at = |from: &str| Caller { from: from.into(), ..Caller::default() };
    let body = |password: &str| json!({ "email": EMAIL, "password": password });
    world.post(&at("203.0.113.1"), "/api/v1/auth/login", body(PASSWORD)).await.expect(StatusCode::OK);
    let mut limited = None;
    for _ in 0..5 {
        let answer = world.post(&at("198.51.100.9"), "/api/v1/auth/login", body("guess guess")).await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            limited = Some(answer);
        }
    }
    let limited = limited.expect("the account's limit");
    let wait: u64 = limited.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    world.post(&at("203.0.113.1"), "/api/v1/auth/login", body(PASSWORD)).await.expect(StatusCode::OK);
    let metrics = world.telemetry.encode();
    assert!(metrics.contains("holdfast_auth_logins_total{outcome=\"limited_by_account\"}"), "{metrics}");
    world.end().await;
}

#[tokio::test]
async fn one_address_cannot_try_for_ever_and_too_many_at_once_are_told_to_wait() {
    let world = World::start(Config { attempts_per_minute_per_address: 4, ..Config::default() }).await;
    let mut last = StatusCode::OK;
    for i in 0..5 {
        last = world.login(&format!("user{i}@example.com"), PASSWORD).await.status;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    world.end().await;

    let busy = Config { hash_threads: 1, hash_queue: 1, attempts_per_minute_per_account: 100, ..Config::default() };
    let world = World::start(busy).await;
    let answers = futures::future::join_all((0..12).map(|_| world.login(EMAIL, PASSWORD))).await;
    let busy: Vec<_> = answers.iter().filter(|a| a.status == StatusCode::SERVICE_UNAVAILABLE).collect();
    assert!(!busy.is_empty() && answers.iter().any(|a| a.status == StatusCode::OK), "{answers:?}");
    assert!(busy[0].headers.contains_key(header::RETRY_AFTER));
    world.end().await;
}

#[tokio::test]
async fn hashes_follow_the_parameters_at_sign_in() {
    let world = World::start(Config::default()).await;
    let stronger = Config { hash_iterations: 3, ..Config::default() };
    let database = Db::new(&world.target, &db::Config::default());
    let metrics = Telemetry::new().register("auth", auth::Metrics::register);
    let auth =
        Auth::new(database, world.clock.clone(), &stronger, &http::Config::default(), scopes(), metrics).unwrap();
    let client = auth::Client { address: [127, 0, 0, 1].into(), user_agent: String::new() };
    auth.sign_in(EMAIL, &PASSWORD.into(), &client).await.unwrap();
    let hash = world.value("SELECT password_hash FROM users").await.unwrap();
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=3,p=1$"), "{hash}");
    // Back to the lower parameters with the same password; and a hash that asks for gigabytes is refused uncomputed.
    world.login(EMAIL, PASSWORD).await.expect(StatusCode::OK);
    world
        .value("UPDATE users SET password_hash = replace(password_hash, 'm=19456', 'm=4000000') RETURNING email")
        .await;
    world.login(EMAIL, PASSWORD).await.expect(StatusCode::INTERNAL_SERVER_ERROR);
    world.end().await;
}

#[tokio::test]
async fn sessions_end_when_idle_when_old_and_when_told() {
    let world = World::start(Config::default()).await;
    let idle = world.signed_in(EMAIL, PASSWORD).await;
    let busy = world.signed_in(EMAIL, PASSWORD).await;
    for day in (5..30).step_by(5) {
        world.clock.advance(TimeDelta::days(5));
        world.get(&busy, "/api/v1/auth/me").await.expect(StatusCode::OK);
        let recent = (world.clock.now() - TimeDelta::minutes(5)).to_rfc3339();
        let noted = tokio::time::timeout(PATIENCE, async {
            let seen = format!("SELECT (max(last_seen_at) > '{recent}')::text FROM sessions");
            while world.value(&seen).await.as_deref() != Some("true") {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        noted.await.expect("the use is noted");
        // The cached entry has the old time and lives for ten seconds of real time: any change invalidates it.
        world.auth.rename_self(&principal(&world, &busy).await, "Ada").await.unwrap();
        if day >= 7 {
            world.get(&idle, "/api/v1/auth/me").await.expect(StatusCode::UNAUTHORIZED);
        }
    }
    world.clock.advance(TimeDelta::days(5));
    world.get(&busy, "/api/v1/auth/me").await.expect(StatusCode::UNAUTHORIZED);

    let (one, two) = (world.signed_in(EMAIL, PASSWORD).await, world.signed_in(EMAIL, PASSWORD).await);
    let list = world.get(&one, "/api/v1/sessions").await.expect(StatusCode::OK);
    assert_eq!(list.body["data"].as_array().unwrap().len(), 2, "{list:?}");
    world.delete(&one, "/api/v1/sessions").await.expect(StatusCode::NO_CONTENT);
    world.get(&two, "/api/v1/auth/me").await.expect(StatusCode::UNAUTHORIZED);
    world.post(&one, "/api/v1/auth/logout", Value::Null).await.expect(StatusCode::NO_CONTENT);
    world.get(&one, "/api/v1/auth/me").await.expect(StatusCode::UNAUTHORIZED);
    world.end().await;
}

async fn principal(world: &World, caller: &Caller) -> http::Principal {
    use http::Authenticator as _;
    let token = caller.cookie.split_once('=').unwrap().1;
    world.auth.session(token).await.unwrap().unwrap()
}

#[tokio::test]
async fn api_keys_have_scopes_and_end() {
    let world = World::start(Config::default()).await;
    let admin = world.signed_in(EMAIL, PASSWORD).await;
    let create = async |who: &Caller, scopes: Value, expires_at: Option<DateTime<Utc>>| {
        world
            .post(who, "/api/v1/api-keys", json!({ "name": "website", "scopes": scopes, "expires_at": expires_at }))
            .await
    };
    let with_key = |answer: &Answer| Caller {
        key: format!("Bearer {}", answer.body["secret"].as_str().unwrap()),
        ..Caller::default()
    };
    let made = create(&admin, json!(["inference", "inference"]), None).await.expect(StatusCode::CREATED);
    let (reader, id) = (with_key(&made), made.body["id"].as_str().unwrap().to_owned());
    let secret = made.body["secret"].as_str().unwrap();
    assert!(secret.starts_with(made.body["prefix"].as_str().unwrap()));
    let me = world.get(&reader, "/api/v1/auth/me").await.expect(StatusCode::OK);
    assert_eq!(me.body["api_key"]["scopes"], json!(["inference"]));

    let list = world.get(&admin, "/api/v1/api-keys").await.expect(StatusCode::OK);
    assert!(!list.body.to_string().contains(&secret[12..]), "the secret is shown once");
    world.get(&reader, "/api/v1/api-keys").await.expect(StatusCode::FORBIDDEN);
    let refused = world.get(&reader, "/api/v1/sessions").await.expect(StatusCode::FORBIDDEN);
    assert_eq!(refused.code(), "session_required");
    create(&admin, json!([]), None).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    create(&admin, json!(["inference"]), Some(world.clock.now())).await.expect(StatusCode::UNPROCESSABLE_ENTITY);

    // A key cannot grant scopes that it lacks.
    let manager = with_key(&create(&admin, json!(["admin"]), None).await.expect(StatusCode::CREATED));
    create(&manager, json!(["knowledge_write"]), None).await.expect(StatusCode::FORBIDDEN);
    create(&manager, json!(["admin"]), None).await.expect(StatusCode::CREATED);

    let short = with_key(&create(&admin, json!(["inference"]), Some(world.clock.now() + TimeDelta::hours(1))).await);
    world.get(&short, "/api/v1/auth/me").await.expect(StatusCode::OK);
    world.clock.advance(TimeDelta::hours(1));
    world.get(&short, "/api/v1/auth/me").await.expect(StatusCode::UNAUTHORIZED);

    let mut guess = reader.clone();
    let last = if guess.key.ends_with('A') { 'B' } else { 'A' };
    guess.key.pop();
    guess.key.push(last);
    let refused = world.get(&guess, "/api/v1/auth/me").await.expect(StatusCode::UNAUTHORIZED);
    assert_eq!(refused.code(), "invalid_api_key");

    let used = tokio::time::timeout(PATIENCE, async {
        while world.value(&format!("SELECT last_used_at::text FROM api_keys WHERE id = '{id}'")).await.is_none() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    used.await.expect("its use is noted");
    world.delete(&admin, &format!("/api/v1/api-keys/{id}")).await.expect(StatusCode::NO_CONTENT);
    world.get(&reader, "/api/v1/auth/me").await.expect(StatusCode::UNAUTHORIZED);
    world.end().await;
}

#[tokio::test]
async fn links_work_once_for_whom_they_are_made() {
    let world = World::start(Config::default()).await;
    let admin = world.signed_in(EMAIL, PASSWORD).await;
    let nobody = Caller::default();
    let link = async |email: &str, role: &str| {
        world.post(&admin, "/api/v1/members/links", json!({ "email": email, "role": role })).await
    };
    let accept = async |who: &Caller, body: Value| world.post(who, "/api/v1/auth/links/accept", body).await;

    let token = token_of(&link("Bob@Example.com", "member").await.expect(StatusCode::CREATED));
    let weak = json!({ "token": token, "name": "Bob", "password": "short" });
    accept(&nobody, weak).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    let fine = json!({ "token": token, "name": "Bob", "password": PASSWORD });
    let joined = accept(&nobody, fine.clone()).await.expect(StatusCode::OK);
    assert_eq!((&joined.body["role"], &joined.body["user"]["email"]), (&json!("member"), &json!("bob@example.com")));
    assert_eq!(accept(&nobody, fine).await.expect(StatusCode::GONE).code(), "link_invalid");
    assert_eq!(link("bob@example.com", "member").await.expect(StatusCode::CONFLICT).code(), "already_member");

    let late = token_of(&link("eve@example.com", "viewer").await);
    world.clock.advance(TimeDelta::hours(72));
    accept(&nobody, json!({ "token": late, "name": "Eve", "password": PASSWORD })).await.expect(StatusCode::GONE);
    let first = token_of(&link("eve@example.com", "viewer").await);
    link("eve@example.com", "viewer").await.expect(StatusCode::CREATED);
    accept(&nobody, json!({ "token": first, "name": "Eve", "password": PASSWORD })).await.expect(StatusCode::GONE);

    // Someone with an account in another organisation signs in and joins.
    world.auth.create_organisation("Acme", None, None).await.unwrap();
    let carol = world.person("carol@example.com", "acme", Role::Owner).await;
    let token = token_of(&link("carol@example.com", "admin").await);
    assert_eq!(
        accept(&nobody, json!({ "token": token })).await.expect(StatusCode::UNAUTHORIZED).code(),
        "sign_in_first"
    );
    assert_eq!(
        accept(&admin, json!({ "token": token })).await.expect(StatusCode::FORBIDDEN).code(),
        "link_for_another_account"
    );
    accept(&carol, json!({ "token": token })).await.expect(StatusCode::NO_CONTENT);
    let me = world.get(&carol, "/api/v1/auth/me").await;
    assert_eq!((&me.body["role"], me.body["user"]["organisations"].as_array().unwrap().len()), (&json!("admin"), 2));

    // An administrator can reset a member's password, but not that of someone who also belongs elsewhere.
    world.person("adele@example.com", "default", Role::Admin).await;
    let adele = world.signed_in("adele@example.com", PASSWORD).await;
    let (carol_id, bob_id) = (world.id_of(&carol).await, joined.body["user"]["id"].as_str().unwrap());
    world
        .post(&adele, &format!("/api/v1/members/{carol_id}/reset-link"), Value::Null)
        .await
        .expect(StatusCode::FORBIDDEN);
    let reset = world
        .post(&adele, &format!("/api/v1/members/{bob_id}/reset-link"), Value::Null)
        .await
        .expect(StatusCode::CREATED);
    let body = json!({ "token": token_of(&reset), "password": "another fine password" });
    accept(&nobody, body).await.expect(StatusCode::OK);
    world.get(&caller_of(&joined), "/api/v1/auth/me").await.expect(StatusCode::UNAUTHORIZED);
    world.login("bob@example.com", PASSWORD).await.expect(StatusCode::UNAUTHORIZED);
    world.login("bob@example.com", "another fine password").await.expect(StatusCode::OK);

    // Choosing a new password revokes unused reset links.
    let path = format!("/api/v1/members/{bob_id}/reset-link");
    let open = world.post(&adele, &path, Value::Null).await.expect(StatusCode::CREATED);
    let bob = world.signed_in("bob@example.com", "another fine password").await;
    let change = json!({ "current_password": "another fine password", "new_password": "the third fine password" });
    world.post(&bob, "/api/v1/auth/password", change).await.expect(StatusCode::NO_CONTENT);
    let body = json!({ "token": token_of(&open), "password": "not by a finder" });
    assert_eq!(accept(&nobody, body).await.expect(StatusCode::GONE).code(), "link_invalid");

    // A link created for a member does not open the account once it is an administrator's.
    let open = world.post(&adele, &path, Value::Null).await.expect(StatusCode::CREATED);
    let promote = json!({ "role": "admin" });
    world.send(&admin, Method::PATCH, &format!("/api/v1/members/{bob_id}"), promote).await.expect(StatusCode::OK);
    let body = json!({ "token": token_of(&open), "password": "taken over by adele" });
    assert_eq!(accept(&nobody, body).await.expect(StatusCode::GONE).code(), "link_invalid");
    world.end().await;
}

/// A link is valid only while its creator may create it: otherwise it would outlive an admin who made one for a
/// stranger.
#[tokio::test]
async fn links_end_with_the_right_of_who_made_them() {
    let world = World::start(Config::default()).await;
    let owner = world.signed_in(EMAIL, PASSWORD).await;
    let nobody = Caller::default();
    world.person("bob@example.com", "default", Role::Member).await;
    let bob = world.value("SELECT id::text FROM users WHERE email = 'bob@example.com'").await.unwrap();
    for (n, end) in ["removed", "lowered", "lowered in the database", "disabled"].into_iter().enumerate() {
        let email = format!("admin{n}@example.com");
        let admin = world.person(&email, "default", Role::Admin).await;
        let id = world.id_of(&admin).await;
        let path = format!("/api/v1/members/{id}");
        let invite = json!({ "email": format!("backdoor{n}@example.com"), "role": "admin" });
        let join = world.post(&admin, "/api/v1/members/links", invite).await.expect(StatusCode::CREATED);
        let reset = world.post(&admin, &format!("/api/v1/members/{bob}/reset-link"), Value::Null).await;
        let (join, reset) = (token_of(&join), token_of(&reset.expect(StatusCode::CREATED)));
        match end {
            "removed" => drop(world.delete(&owner, &path).await.expect(StatusCode::NO_CONTENT)),
            "lowered" => {
                let role = json!({ "role": "member" });
                world.send(&owner, Method::PATCH, &path, role).await.expect(StatusCode::OK);
            }
            "disabled" => {
                world.value(&format!("UPDATE users SET disabled_at = now() WHERE id = '{id}' RETURNING email")).await;
            }
            _ => {
                let sql = format!("UPDATE memberships SET role = 'viewer' WHERE user_id = '{id}' RETURNING role");
                world.value(&sql).await;
            }
        }
        for body in [
            json!({ "token": join, "name": "Mallory", "password": PASSWORD }),
            json!({ "token": reset, "password": "chosen by mallory" }),
        ] {
            let refused = world.post(&nobody, "/api/v1/auth/links/accept", body).await.expect(StatusCode::GONE);
            assert_eq!(refused.code(), "link_invalid", "{end}");
        }
    }
    world.login("bob@example.com", PASSWORD).await.expect(StatusCode::OK);
    world.end().await;
}

/// A key cannot give anyone more than its own scopes: with the role a person could do what the key may not.
#[tokio::test]
async fn a_key_does_not_become_a_person() {
    let world = World::start(Config::default()).await;
    let owner = world.signed_in(EMAIL, PASSWORD).await;
    let admin = world.person("admin@example.com", "default", Role::Admin).await;
    let viewer = world.person("viewer@example.com", "default", Role::Viewer).await;
    let viewer_path = format!("/api/v1/members/{}", world.id_of(&viewer).await);
    let key = async |who: &Caller, scopes: Value| {
        let made = world.post(who, "/api/v1/api-keys", json!({ "name": "k", "scopes": scopes })).await;
        let secret = made.expect(StatusCode::CREATED).body["secret"].as_str().unwrap().to_owned();
        Caller { key: format!("Bearer {secret}"), ..Caller::default() }
    };
    let all = json!([
        "inference",
        "agents_read",
        "agents_write",
        "knowledge_read",
        "knowledge_write",
        "jobs_read",
        "jobs_write",
        "admin"
    ]);
    let manager = key(&admin, json!(["admin"])).await;
    for caller in [&manager, &key(&admin, all.clone()).await] {
        let invite = json!({ "email": "new@example.com", "role": "viewer" });
        let refused = world.post(caller, "/api/v1/members/links", invite).await.expect(StatusCode::FORBIDDEN);
        assert_eq!(refused.code(), "session_required");
        let refused = world.post(caller, &format!("{viewer_path}/reset-link"), Value::Null).await;
        assert_eq!(refused.expect(StatusCode::FORBIDDEN).code(), "session_required");
    }
    let promote = json!({ "role": "admin" });
    world.send(&manager, Method::PATCH, &viewer_path, promote.clone()).await.expect(StatusCode::FORBIDDEN);
    world.send(&key(&admin, all).await, Method::PATCH, &viewer_path, promote).await.expect(StatusCode::OK);
    world.send(&owner, Method::PATCH, &viewer_path, json!({ "role": "viewer" })).await.expect(StatusCode::OK);

    // A removed member leaves keys behind, and keys created with those; they are revoked only on request.
    let second = key(&manager, json!(["admin"])).await;
    let admin_path = format!("/api/v1/members/{}", world.id_of(&admin).await);
    world.delete(&viewer, &format!("{viewer_path}?revoke_keys=true")).await.expect(StatusCode::FORBIDDEN);
    world.delete(&owner, &format!("{admin_path}?revoke_keys=true")).await.expect(StatusCode::NO_CONTENT);
    for caller in [&manager, &second] {
        world.get(caller, "/api/v1/auth/me").await.expect(StatusCode::UNAUTHORIZED);
    }
    world.end().await;
}

#[tokio::test]
async fn an_organisation_keeps_an_owner_and_roles_keep_their_place() {
    let world = World::start(Config::default()).await;
    let owner = world.signed_in(EMAIL, PASSWORD).await;
    let owner_path = format!("/api/v1/members/{}", world.id_of(&owner).await);
    let demote = json!({ "role": "member" });
    let refused = world.send(&owner, Method::PATCH, &owner_path, demote.clone()).await.expect(StatusCode::CONFLICT);
    assert_eq!(refused.code(), "last_owner");
    assert_eq!(world.delete(&owner, &owner_path).await.expect(StatusCode::CONFLICT).code(), "last_owner");

    let admin = world.person("admin@example.com", "default", Role::Admin).await;
    let viewer = world.person("viewer@example.com", "default", Role::Viewer).await;
    let admin_path = format!("/api/v1/members/{}", world.id_of(&admin).await);
    let viewer_path = format!("/api/v1/members/{}", world.id_of(&viewer).await);
    world.send(&admin, Method::PATCH, &viewer_path, json!({ "role": "owner" })).await.expect(StatusCode::FORBIDDEN);
    world.send(&admin, Method::PATCH, &owner_path, demote.clone()).await.expect(StatusCode::FORBIDDEN);
    world.send(&admin, Method::PATCH, &admin_path, json!({ "role": "owner" })).await.expect(StatusCode::FORBIDDEN);
    world.get(&viewer, "/api/v1/members").await.expect(StatusCode::FORBIDDEN);
    let list = world.get(&owner, "/api/v1/members?q=VIEWER").await.expect(StatusCode::OK);
    assert_eq!(list.body["data"].as_array().unwrap().len(), 1);
    world.send(&admin, Method::PATCH, &viewer_path, json!({ "role": "admin" })).await.expect(StatusCode::OK);
    world.get(&viewer, "/api/v1/members").await.expect(StatusCode::OK);

    // Two owners demote each other at the same moment: one of them stays.
    world.send(&owner, Method::PATCH, &admin_path, json!({ "role": "owner" })).await.expect(StatusCode::OK);
    let (one, two) = tokio::join!(
        world.send(&owner, Method::PATCH, &admin_path, demote.clone()),
        world.send(&admin, Method::PATCH, &owner_path, demote.clone())
    );
    let owners = world.value("SELECT count(*)::text FROM memberships WHERE role = 'owner'").await.unwrap();
    assert_eq!(owners, "1", "{one:?} {two:?}");

    // A removed member is signed out at once.
    world.delete(&viewer, &viewer_path).await.expect(StatusCode::NO_CONTENT);
    world.get(&viewer, "/api/v1/auth/me").await.expect(StatusCode::UNAUTHORIZED);
    assert_eq!(
        world.login("viewer@example.com", PASSWORD).await.expect(StatusCode::FORBIDDEN).code(),
        "no_organisation"
    );
    world.end().await;
}

#[tokio::test]
async fn ids_of_another_organisation_are_not_found() {
    let world = World::start(Config::default()).await;
    let ours = world.signed_in(EMAIL, PASSWORD).await;
    world.auth.create_organisation("Acme", None, None).await.unwrap();
    let theirs = world.person("carol@example.com", "acme", Role::Owner).await;
    let key = world.post(&ours, "/api/v1/api-keys", json!({ "name": "k", "scopes": ["inference"] })).await;
    let link = world.post(&ours, "/api/v1/members/links", json!({ "email": "x@example.com", "role": "viewer" })).await;
    let sessions = world.get(&ours, "/api/v1/sessions").await;
    let me = world.get(&ours, "/api/v1/auth/me").await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (user, org) = (text(&me.body["user"]["id"]), text(&me.body["organisation_id"]));
    for (method, path, body) in [
        (Method::DELETE, format!("/api/v1/api-keys/{}", text(&key.body["id"])), Value::Null),
        (Method::DELETE, format!("/api/v1/members/links/{}", text(&link.body["id"])), Value::Null),
        (Method::DELETE, format!("/api/v1/sessions/{}", text(&sessions.body["data"][0]["id"])), Value::Null),
        (Method::PATCH, format!("/api/v1/members/{user}"), json!({ "role": "viewer" })),
        (Method::DELETE, format!("/api/v1/members/{user}"), Value::Null),
        (Method::POST, format!("/api/v1/members/{user}/reset-link"), Value::Null),
        (Method::PATCH, format!("/api/v1/organisations/{org}"), json!({ "name": "Mine" })),
        (Method::POST, "/api/v1/auth/switch-organisation".to_owned(), json!({ "organisation_id": org })),
        (Method::DELETE, "/api/v1/api-keys/not-an-id".to_owned(), Value::Null),
    ] {
        let answer = world.send(&theirs, method.clone(), &path, body).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}: {answer:?}");
    }
    let list = world.get(&theirs, "/api/v1/api-keys").await.expect(StatusCode::OK);
    assert_eq!(list.body["data"], json!([]));
    let refused =
        world.post(&theirs, "/api/v1/organisations", json!({ "name": "More" })).await.expect(StatusCode::FORBIDDEN);
    assert_eq!(refused.code(), "forbidden");

    // An operator creates one and switches to it.
    let made =
        world.post(&ours, "/api/v1/organisations", json!({ "name": "More & more" })).await.expect(StatusCode::CREATED);
    assert_eq!(made.body["slug"], "more-more");
    let again =
        world.post(&ours, "/api/v1/organisations", json!({ "name": "More more" })).await.expect(StatusCode::CONFLICT);
    assert_eq!(again.code(), "slug_taken");
    let switch = json!({ "organisation_id": made.body["id"] });
    world.post(&ours, "/api/v1/auth/switch-organisation", switch).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(world.get(&ours, "/api/v1/auth/me").await.body["organisation_id"], made.body["id"]);
    assert_eq!(world.get(&ours, "/api/v1/api-keys").await.body["data"], json!([]));
    world.end().await;
}

#[tokio::test]
async fn a_cookie_alone_changes_nothing() {
    let world = World::start(Config::default()).await;
    let caller = world.signed_in(EMAIL, PASSWORD).await;
    let forged = Caller { csrf: String::new(), ..caller.clone() };
    let body = json!({ "name": "k", "scopes": ["inference"] });
    let refused = world.post(&forged, "/api/v1/api-keys", body.clone()).await.expect(StatusCode::FORBIDDEN);
    assert_eq!(refused.code(), "csrf_refused");
    let wrong = Caller { csrf: "guess".into(), ..caller.clone() };
    world.post(&wrong, "/api/v1/api-keys", body.clone()).await.expect(StatusCode::FORBIDDEN);
    world.post(&forged, "/api/v1/auth/logout", Value::Null).await.expect(StatusCode::FORBIDDEN);
    world.get(&forged, "/api/v1/api-keys").await.expect(StatusCode::OK);
    world.post(&caller, "/api/v1/api-keys", body).await.expect(StatusCode::CREATED);
    world.end().await;
}

#[tokio::test]
async fn pages_lead_from_the_sign_in_to_a_key() {
    let world = World::empty(Config::default()).await;
    let first = world.auth.bootstrap(&AdminConfig::default()).await.unwrap().unwrap();
    let one_time = first.one_time_password.unwrap().expose_secret().to_owned();
    let nobody = Caller::default();
    let away = world.page(&nobody, "/settings/members?q=a", "en").await.expect(StatusCode::SEE_OTHER);
    assert_eq!(away.location(), "/login?next=%2Fsettings%2Fmembers%3Fq%3Da");
    let login = world.page(&nobody, "/login?next=/settings/members", "ru").await.expect(StatusCode::OK);
    assert!(login.text.contains("Войти") && login.text.contains("name=\"password\""), "{}", login.text);
    let csrf = login.text.split_once("name=\"csrf\" value=\"").unwrap().1.split('"').next().unwrap().to_owned();
    let visitor = Caller { cookie: login.cookies(), csrf, ..Caller::default() };
    let refused =
        world.form(&visitor, "/login", "email=admin%40localhost&password=wrong").await.expect(StatusCode::UNAUTHORIZED);
    assert!(refused.text.contains("Wrong e-mail or password") && refused.text.contains("admin@localhost"));
    let fields = format!("email=admin%40localhost&password={one_time}&next=/settings/members");
    let forged = Caller { csrf: "other".into(), ..visitor.clone() };
    world.form(&forged, "/login", &fields).await.expect(StatusCode::FORBIDDEN);
    let signed_in = world.form(&visitor, "/login", &fields).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(signed_in.location(), "/settings/members");

    let mut caller = Caller { cookie: signed_in.cookies(), ..Caller::default() };
    caller.csrf = world.get(&caller, "/api/v1/auth/me").await.body["user"]["csrf_token"].as_str().unwrap().to_owned();
    assert_eq!(
        world.page(&caller, "/settings/members", "en").await.expect(StatusCode::SEE_OTHER).location(),
        "/account/password"
    );
    world.page(&caller, "/account/password", "ru").await.expect(StatusCode::OK);
    let weak = format!("current_password={one_time}&new_password=short");
    let refused = world.form(&caller, "/account/password", &weak).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text.contains("At least 10 characters."), "{}", refused.text);
    let fine = format!("current_password={one_time}&new_password=correct+horse+battery");
    assert_eq!(world.form(&caller, "/account/password", &fine).await.expect(StatusCode::SEE_OTHER).location(), "/");

    for lang in ["en", "ru"] {
        for path in ["/account", "/account/password", "/settings", "/settings/members", "/settings/api-keys"] {
            let page = world.page(&caller, path, lang).await.expect(StatusCode::OK);
            assert!(page.text.contains("csrf") && !page.text.contains("auth-"), "{path} in {lang}: {}", page.text);
        }
    }
    let made = world
        .form(&caller, "/settings/api-keys", "name=Website&scopes=inference&scopes=agents_read&last_day=")
        .await
        .expect(StatusCode::OK);
    assert!(made.text.contains(">hf_") && made.text.contains("Website"));
    world
        .form(&caller, "/settings/api-keys", "name=&last_day=yesterday")
        .await
        .expect(StatusCode::UNPROCESSABLE_ENTITY);
    let link = world
        .form(&caller, "/settings/members/links", "email=bob%40example.com&role=member")
        .await
        .expect(StatusCode::OK);
    let token = link.text.split_once("/accept?token=").unwrap().1.split('<').next().unwrap().to_owned();
    let accept = world.page(&nobody, &format!("/accept?token={token}"), "en").await.expect(StatusCode::OK);
    assert!(accept.text.contains("Join Default"), "{}", accept.text);
    let joined = world
        .form(&visitor, "/accept", &format!("token={token}&name=Bob&password=correct+horse+battery"))
        .await
        .expect(StatusCode::SEE_OTHER);
    assert!(joined.cookies().contains("holdfast_session="));
    world.page(&nobody, &format!("/accept?token={token}"), "ru").await.expect(StatusCode::GONE);
    let list = world.page(&caller, "/settings/members?q=bob", "en").await.expect(StatusCode::OK);
    assert!(list.text.contains("Bob") && !list.text.contains("admin@localhost</th>"));
    world.form(&caller, "/settings", "name=Acme").await.expect(StatusCode::SEE_OTHER);
    assert!(world.page(&caller, "/settings", "en").await.text.contains("Acme"));
    assert_eq!(world.form(&caller, "/logout", "").await.expect(StatusCode::SEE_OTHER).location(), "/login");
    world.page(&caller, "/account", "en").await.expect(StatusCode::SEE_OTHER);
    world.end().await;
}
