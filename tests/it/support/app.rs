//! A whole appliance in the test's process: the real router and worker on a database of its own.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use holdfast::{
    app::{App, Config, Runtime},
    platform::{
        clock::Clock,
        config::Raw,
        http::{Listener, Role, Timeouts, serve},
        lifecycle::Lifecycle,
        telemetry::Logger,
    },
};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use super::{cluster::cluster, process::program};

/// An appliance that serves on a port of its own; ends with [`TestApp::stop`].
pub struct TestApp {
    pub app: App,
    pub base_url: String,
    pub clock: Clock,
    pub data_dir: PathBuf,
    database: String,
    /// Of the first one; those beside it use its folder and its database.
    dir: Option<tempfile::TempDir>,
}

pub const ADMIN_EMAIL: &str = "admin@example.com";
pub const ADMIN_PASSWORD: &str = "correct horse battery";

impl TestApp {
    /// Router and worker on a fresh database, with an administrator.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// As [`Self::start`] with settings as in the environment: `("HOLDFAST_JOBS__...", "...")`.
    pub async fn start_with(settings: &[(&str, &str)]) -> Self {
        Self::start_on(settings, &[], true).await
    }

    /// The router alone, without a worker, without anything that runs on a clock and without limits, so that a request is all that happens. `sql` is run in
    /// the database before anybody connects to it, as the administrator; `{name}` is the database's name.
    pub async fn start_quiet(sql: &[&str]) -> Self {
        let unlimited =
            [("HOLDFAST_SERVER__REQUEST_BURST", "1000000"), ("HOLDFAST_SERVER__PRINCIPAL_REQUEST_BURST", "1000000")];
        Self::start_on(&unlimited, sql, false).await
    }

    async fn start_on(settings: &[(&str, &str)], sql: &[&str], busy: bool) -> Self {
        let database = cluster().await.database().await;
        let dir = tempfile::tempdir().unwrap();
        for statement in sql {
            cluster().await.execute(&statement.replace("{name}", &database)).await;
        }
        let target = cluster().await.target(&database);
        let mut vars = vec![
            ("HOLDFAST_DATA_DIR".to_owned(), dir.path().display().to_string()),
            ("HOLDFAST_ADMIN__EMAIL".to_owned(), ADMIN_EMAIL.to_owned()),
            ("HOLDFAST_ADMIN__PASSWORD".to_owned(), ADMIN_PASSWORD.to_owned()),
            ("HOLDFAST_LLM__EMBEDDING__MODEL_DIR".to_owned(), model_dir().display().to_string()),
            // Most tests send mail from no domain of their organisation's.
            ("HOLDFAST_MAIL__SHARED_SENDER".to_owned(), "true".to_owned()),
        ];
        vars.extend(settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        let config = Config::load(Raw::read(None, vars.into_iter()).unwrap()).unwrap_or_else(|e| panic!("{e}"));
        let runtime = Runtime {
            target,
            data_dir: dir.path().to_owned(),
            master_key: cluster().await.key.clone(),
            clock: Clock::movable(),
            lifecycle: Lifecycle::new(),
            logger: Logger::detached(&config.telemetry),
            executable: program(),
            config: Arc::new(config),
        };
        let app = App::build(runtime).unwrap();
        app.bootstrap().await.unwrap();
        Self::serve(app, database, Some(dir), busy).await
    }

    /// Another process of the same installation: a router and, if `works`, a worker and loops of its own, on the same database, folder and clock.
    /// End it with [`Self::kill`] before the first one.
    pub async fn beside(&self, works: bool) -> Self {
        let runtime = Runtime { lifecycle: Lifecycle::new(), ..self.app.runtime.clone() };
        let app = App::build(runtime).unwrap();
        Self::serve(app, self.database.clone(), None, works).await
    }

    async fn serve(app: App, database: String, dir: Option<tempfile::TempDir>, busy: bool) -> Self {
        let Runtime { lifecycle, clock, data_dir, .. } = app.runtime.clone();
        if busy {
            app.start_worker().unwrap();
            app.start_background();
        }
        let listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let base_url = format!("http://{}", listener.address);
        let timeouts = Timeouts { grace: Duration::from_secs(5), ..Timeouts::default() };
        lifecycle.spawn("http", serve(listener, app.router(), timeouts, app.families.http.clone(), lifecycle.clone()));
        Self { base_url, clock, data_dir, database, app, dir }
    }

    /// Stops everything; fails the test when work is left behind that nobody will do.
    pub async fn stop(self) {
        self.wait_for_jobs().await;
        self.check_counts().await;
        Box::pin(self.kill()).await;
    }

    /// The counts that triggers keep are what counting gives.
    async fn check_counts(&self) {
        let mut admin = PgConnection::connect_with(&self.target().admin).await.unwrap();
        let wrong: Vec<String> = sqlx::query_scalar(
            "SELECT format('%s instead of %s', kept, counted) FROM (
               SELECT to_jsonb(c) - 'org_id' AS kept, (SELECT jsonb_build_object(
                   'knowledge_base_id', c.knowledge_base_id, 'documents', count(*), 'ready', count(*) FILTER (WHERE status = 'ready'),
                   'failed', count(*) FILTER (WHERE status = 'failed'),
                   'doubted', count(*) FILTER (WHERE status = 'ready' AND doubts <> '{}'),
                   'words_only', count(*) FILTER (WHERE status = 'ready' AND words_only),
                   'chunks', coalesce(sum(chunks), 0), 'size', coalesce(sum(size), 0))
                 FROM knowledge_documents d WHERE d.knowledge_base_id = c.knowledge_base_id) AS counted
               FROM knowledge_base_counts c) AS compared WHERE kept <> counted
             UNION ALL
             SELECT format('nothing instead of document %s', d.id) FROM knowledge_documents d
             WHERE NOT EXISTS (SELECT FROM knowledge_base_counts c WHERE c.knowledge_base_id = d.knowledge_base_id)",
        )
        .fetch_all(&mut admin)
        .await
        .unwrap();
        let of_files: Vec<String> = sqlx::query_scalar(
            "SELECT format('%s instead of %s in bucket %s', kept, counted, id) FROM (
               SELECT b.id,
                 (SELECT jsonb_build_array(coalesce(sum(objects), 0), coalesce(sum(bytes), 0), coalesce(sum(versions), 0),
                    coalesce(sum(version_bytes), 0), coalesce(sum(trashed), 0), coalesce(sum(trashed_bytes), 0))
                  FROM files_usage u WHERE u.bucket_id = b.id) AS kept,
                 (SELECT jsonb_build_array(count(*) FILTER (WHERE current), coalesce(sum(size) FILTER (WHERE current), 0),
                    count(*) FILTER (WHERE NOT current AND trashed_at IS NULL),
                    coalesce(sum(size) FILTER (WHERE NOT current AND trashed_at IS NULL), 0),
                    count(trashed_at), coalesce(sum(size) FILTER (WHERE trashed_at IS NOT NULL), 0))
                  FROM files_objects o WHERE o.bucket_id = b.id) AS counted
               FROM files_buckets b) AS compared WHERE kept <> counted",
        )
        .fetch_all(&mut admin)
        .await
        .unwrap();
        admin.close().await.unwrap();
        assert!(wrong.is_empty(), "counts of documents: {wrong:?}");
        assert!(of_files.is_empty(), "counts of files: {of_files:?}");
    }

    /// Stops everything without looking at what is left.
    pub async fn kill(self) {
        self.app.runtime.lifecycle.drain(Duration::from_secs(5)).await;
        self.app.close().await;
        if self.dir.is_some() {
            cluster().await.drop_database(&self.database).await;
        }
    }

    /// Waits until no job is due or running.
    pub async fn wait_for_jobs(&self) {
        let deadline = tokio::time::Instant::now() + super::cluster::PATIENCE;
        loop {
            let left = self.app.jobs.unfinished().await.unwrap();
            if left == 0 {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "{left} jobs are left behind");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The value of a series: `name` or `name{label="value"}`. Fails if there is none, or no figure: an absent series is not zero.
    pub fn metric(&self, series: &str) -> f64 {
        let text = self.app.telemetry.encode();
        let found = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        let value = found.unwrap_or_else(|| panic!("no {series} in {text}")).split(' ').next().unwrap();
        let value: f64 = value.parse().unwrap();
        assert!(value.is_finite(), "{series} is {value}");
        value
    }

    pub fn target(&self) -> &holdfast::platform::db::Target {
        &self.app.runtime.target
    }

    /// A client without credentials.
    pub fn anonymous(&self) -> Client {
        Client::new(&self.base_url)
    }

    /// A client signed in as the administrator of the first organisation.
    pub async fn admin(&self) -> Client {
        self.anonymous().sign_in(ADMIN_EMAIL, ADMIN_PASSWORD).await
    }

    /// A client signed in as the owner of another organisation, made for it.
    pub async fn other_org(&self, slug: &str) -> Client {
        self.app.auth.create_organisation(slug, Some(slug), None).await.unwrap();
        self.person(slug, Role::Owner).await
    }

    /// A client signed in as somebody new with this role in the organisation.
    pub async fn person(&self, slug: &str, role: Role) -> Client {
        let email = format!("{}@{slug}.example.com", format!("{role:?}").to_lowercase());
        let (_, once) = self.app.auth.create_user(&email, "Somebody", slug, role, false).await.unwrap();
        let client = self.anonymous().sign_in(&email, &once).await;
        let change = json!({"current_password": once, "new_password": ADMIN_PASSWORD});
        let changed = client.post("/api/v1/auth/password", &change).await;
        assert!(changed.status.is_success(), "{}", changed.text);
        self.anonymous().sign_in(&email, ADMIN_PASSWORD).await
    }
}

/// The embedding model's folder: `HOLDFAST_TEST_MODEL_DIR`, or where scripts/fetch-model puts it.
#[expect(clippy::disallowed_methods, reason = "tests are told by the environment where the model is")]
pub fn model_dir() -> PathBuf {
    if let Ok(dir) = std::env::var("HOLDFAST_TEST_MODEL_DIR") {
        return dir.into();
    }
    let home = std::env::var("HOME").unwrap();
    PathBuf::from(home).join(".cache/holdfast/models/all-MiniLM-L6-v2")
}

/// A client with its cookies and CSRF token, or an API key.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base_url: String,
    cookie: Option<String>,
    csrf: Option<String>,
    key: Option<String>,
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: header::HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }

    /// The JSON, of an answer that must have this status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        if self.text.is_empty() { Value::Null } else { self.json() }
    }

    /// Fails unless the answer is this problem.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) {
        let body = self.expect(status);
        assert_eq!(body["code"], code, "{}", self.text);
    }
}

impl Client {
    #[expect(clippy::disallowed_methods, reason = "the other side of the appliance's port")]
    pub fn new(base_url: &str) -> Self {
        let builder = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        // Plain HTTP only: parsing the host's certificates takes a dev build longer than most requests.
        let http = builder.tls_certs_only([]).build().unwrap();
        Self { http, base_url: base_url.into(), cookie: None, csrf: None, key: None }
    }

    pub async fn sign_in(mut self, email: &str, password: &str) -> Self {
        let answer = self.post("/api/v1/auth/login", &json!({"email": email, "password": password})).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let cookie = answer.headers[header::SET_COOKIE].to_str().unwrap();
        self.cookie = Some(cookie.split(';').next().unwrap().to_owned());
        let me = self.get("/api/v1/auth/me").await.expect(200);
        self.csrf = me["user"]["csrf_token"].as_str().map(str::to_owned);
        self
    }

    /// The same address with an API key instead of a session.
    pub fn with_key(&self, key: &str) -> Self {
        Self { cookie: None, csrf: None, key: Some(key.into()), ..self.clone() }
    }

    /// A request with this client's credentials.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let mut request = self.http.request(method, format!("{}{path}", self.base_url));
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        if let Some(csrf) = &self.csrf {
            request = request.header("x-csrf-token", csrf);
        }
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        request
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        Answer { status: response.status(), headers: response.headers().clone(), text: response.text().await.unwrap() }
    }

    /// Whether `/readyz` says so; false while nobody listens.
    pub async fn is_ready(&self) -> bool {
        self.request(Method::GET, "/readyz").send().await.is_ok_and(|answer| answer.status().is_success())
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::PUT, path).json(body)).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::PATCH, path).json(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }
}
