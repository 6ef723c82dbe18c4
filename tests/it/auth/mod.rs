//! Sign-in, sessions, API keys, members and links, over the real router and database.

mod keys;
mod links;
mod members;
mod pages;
mod sign_in;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode, header},
    middleware::from_fn_with_state,
};
use holdfast::{
    app::{assets, locales, scopes},
    auth::{self, AdminConfig, Auth, Config, Origins},
    console::{Console, Parts},
    platform::{
        clock::Clock,
        crypto::MasterKey,
        db::{self, Db, Target},
        http::{self, MiddlewareStack, Role},
        lifecycle::Lifecycle,
        telemetry::Telemetry,
    },
};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};
use tower::ServiceExt as _;

use crate::support::cluster::cluster;

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
        let key = MasterKey::parse(&"5e".repeat(32)).unwrap();
        let parts = Parts { locales: locales(), assets: assets(), openapi: json!({}), ..Parts::new(key) };
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
