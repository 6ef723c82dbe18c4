//! The gateway between a real client connection and an upstream that misbehaves on command.

mod answers;
mod failures;
mod operating;
mod vectors;

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use futures::{StreamExt as _, stream};
use holdfast::{
    llm::{self, CallContext, Llm},
    platform::{
        clock::Clock,
        db::{self, Db},
        error::ApiError,
        http::{
            self, Actor, Authenticator, KeyActor, Listener, MiddlewareStack, Principal, Role, SessionUser, Timeouts,
        },
        http_client::HttpClients,
        ids::{OrgId, UserId},
        lifecycle::Lifecycle,
        telemetry::Telemetry,
    },
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

use crate::support::cluster::{Cluster, cluster};

const KEY: &str = "sk-upstream-secret";

/// A request received by the upstream.
#[derive(Clone, Default)]
struct Seen {
    bodies: Arc<Mutex<Vec<Value>>>,
    cancelled: Arc<AtomicUsize>,
}

/// Counts when the response's body is dropped before its end.
struct CancelGuard(Arc<AtomicUsize>, bool);

impl Drop for CancelGuard {
    fn drop(&mut self) {
        if !self.1 {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Chunks of the stream `tools`: odd fields, odd spacing, parallel tool calls, usage on a chunk with choices.
const TOOL_CHUNKS: [&str; 6] = [
    r#"{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m-2024","system_fingerprint":"fp","choices":[{"index":0,"delta":{"role":"assistant","content":null},"logprobs":null,"finish_reason":null}],"usage":null}"#,
    r#"{"choices": [{"delta": {"tool_calls": [{"index":0,"id":"a","type":"function","function":{"name":"one","arguments":""}}]}, "index": 0}], "obfuscation": "xyz"}"#,
    r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"b","type":"function","function":{"name":"two","arguments":"{\"q\":"}}]}}]}"#,
    r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}}],"x_new":[1,2.5,{"z":1,"a":2}]}"#,
    r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":"\"чай\"}"}}]}}]}"#,
    r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18,"cost":0.0001}}"#,
];

fn word(text: &str) -> String {
    json!({"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": text}}]})
        .to_string()
}

const STOP: &str = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;

fn sse(events: Vec<String>, pause: Duration, seen: &Seen) -> Response {
    let mut guard = CancelGuard(seen.cancelled.clone(), false);
    let count = events.len();
    let body = stream::iter(events.into_iter().enumerate()).then(move |(at, event)| {
        // Moves the whole guard, not just its flag, into the body.
        let guard = &mut guard;
        guard.1 = at + 1 == count;
        async move {
            tokio::time::sleep(pause).await;
            Ok::<_, std::io::Error>(Bytes::from(event))
        }
    });
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(body)).into_response()
}

fn data(chunks: &[String]) -> Vec<String> {
    chunks.iter().map(|c| format!("data: {c}\n\n")).collect()
}

async fn chat(State(seen): State<Seen>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    seen.bodies.lock().unwrap().push(body.clone());
    let error = |status: u16, message: &str| {
        (StatusCode::from_u16(status).unwrap(), Json(json!({"error": {"message": message, "type": "t"}})))
            .into_response()
    };
    if headers.get(header::AUTHORIZATION).is_none_or(|v| v != &format!("Bearer {KEY}")) {
        return error(401, &format!("Incorrect API key provided: {KEY}"));
    }
    let model = body["model"].as_str().unwrap_or_default().to_owned();
    let quick = Duration::ZERO;
    match model.as_str() {
        "limited" => {
            let mut response = error(429, "slow down");
            response.headers_mut().insert(header::RETRY_AFTER, "7".parse().unwrap());
            response
        }
        "forbidden" => error(403, &format!("{KEY} may not")),
        "broken" => error(500, "Traceback (most recent call last)"),
        "picky" => error(400, &format!("temperature is wrong, says {KEY}")),
        "slow-head" => {
            tokio::time::sleep(Duration::from_secs(30)).await;
            error(500, "late")
        }
        "tools" if body["stream"] == true => {
            let mut events = vec![": OPENROUTER PROCESSING\n\n".to_owned()];
            events.extend(data(&TOOL_CHUNKS.map(str::to_owned)));
            events.push("data: [DONE]\n\n".into());
            // Cut at difficult places: inside characters, and between CR and LF.
            let bytes = events.concat().replace("\n\n", "\r\n\r\n").into_bytes();
            let pieces: Vec<Result<Bytes, std::io::Error>> = bytes.chunks(7).map(|c| Ok(Bytes::copy_from_slice(c))).collect();
            ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(stream::iter(pieces))).into_response()
        }
        "endless" => sse(data(&(0..600).map(|i| word(&format!("w{i} "))).collect::<Vec<_>>()), Duration::from_millis(50), &seen),
        "cut" => sse(data(&[word("half "), word("way")]), quick, &seen),
        "stall" => sse(data(&[word("a"), word("b")]), Duration::from_millis(1500), &seen),
        "comments" => {
            let pings = std::iter::repeat_n(": still here\n\n".to_owned(), 60);
            sse(data(&[word("a")]).into_iter().chain(pings).chain(data(&[STOP.into()])).collect(), Duration::from_millis(500), &seen)
        }
        "drip" => {
            let bytes = stream::iter(WHOLE.bytes()).then(|byte| async move {
                tokio::time::sleep(Duration::from_millis(100)).await;
                Ok::<_, std::io::Error>(Bytes::from(vec![byte]))
            });
            ([(header::CONTENT_TYPE, "application/json")], Body::from_stream(bytes)).into_response()
        }
        "in-stream" => sse(
            data(&[word("so "), json!({"error": {"message": format!("boom {KEY}"), "code": 429}, "usage": {"prompt_tokens": 5, "completion_tokens": 1}, "choices": []}).to_string()]),
            quick,
            &seen,
        ),
        "no-usage" => sse([data(&[word("four more "), word("words here"), STOP.into()]), vec!["data: [DONE]\n\n".into()]].concat(), quick, &seen),
        "usage" => {
            let usage = |n: u32| json!({"choices": [{"index": 0, "delta": {"content": "x"}}], "usage": {"prompt_tokens": 9, "completion_tokens": n}}).to_string();
            let last = json!({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}}).to_string();
            sse([data(&[usage(1), usage(2), STOP.into(), last]), vec!["data: [DONE]\n\n".into()]].concat(), quick, &seen)
        }
        _ if body["stream"] == true => sse([data(&[word("hi"), STOP.into()]), vec!["data: [DONE]\n\n".into()]].concat(), quick, &seen),
        _ => ([(header::CONTENT_TYPE, "application/json")], WHOLE).into_response(),
    }
}

const WHOLE: &str = r#"{"id":"w","object":"chat.completion","created":3,"model":"m-2024","choices":[{"index":0,"message":{"role":"assistant","content":"hello","refusal":null},"finish_reason":"stop"}],"usage":{"prompt_tokens":2,"completion_tokens":1,"total_tokens":3},"x_unknown":{"b":1,"a":[1.50]}}"#;

async fn embed(State(seen): State<Seen>, Json(body): Json<Value>) -> Response {
    seen.bodies.lock().unwrap().push(body.clone());
    let texts = body["input"].as_array().unwrap();
    // In reverse order: `index` gives each one's position.
    let data: Vec<Value> = texts.iter().enumerate().rev().map(|(i, t)| json!({"object": "embedding", "index": i, "embedding": [t.as_str().unwrap().len() as f32, 0.5, -1.25]})).collect();
    Json(json!({"object": "list", "data": data, "usage": {"prompt_tokens": texts.len() * 2, "total_tokens": texts.len() * 2}})).into_response()
}

async fn upstream(seen: &Seen, lifecycle: &Lifecycle) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let models =
        || async { Json(json!({"object": "list", "data": [{"id": "tools"}, {"id": "plain"}, {"id": "meta/llama"}]})) };
    let router = Router::new()
        .route("/v1/chat/completions", post(chat))
        .route("/v1/embeddings", post(embed))
        .route("/v1/models", get(models))
        .layer(DefaultBodyLimit::disable())
        .with_state(seen.clone());
    lifecycle.spawn("upstream", async move { axum::serve(listener, router).await.unwrap() });
    address
}

/// An authenticator with three callers.
struct Callers(OrgId);

#[async_trait]
impl Authenticator for Callers {
    async fn session(&self, token: &str) -> Result<Option<Principal>, ApiError> {
        let user = SessionUser {
            user_id: UserId::generate(&Clock::system()),
            email: "o@example.com".into(),
            name: "O".into(),
            session_id: UserId::generate(&Clock::system()).0,
            csrf: "c".into(),
            orgs: Arc::from([]),
            is_operator: token == "operator",
            must_change_password: false,
        };
        Ok(Some(Principal { org_id: self.0, role: Role::Admin, actor: Actor::User(user) }))
    }
    async fn api_key(&self, key: &str) -> Result<Option<Principal>, ApiError> {
        let scopes = match key {
            "hf_good" => ["inference".to_owned()].into(),
            "hf_reader" => ["agents_read".to_owned()].into(),
            _ => return Ok(None),
        };
        let actor = Actor::ApiKey(KeyActor { key_id: UserId::generate(&Clock::system()).0, name: key.into(), scopes });
        Ok(Some(Principal { org_id: self.0, role: Role::Member, actor }))
    }
}

struct Fixture {
    llm: Llm,
    db: Db,
    org: OrgId,
    seen: Seen,
    url: String,
    telemetry: Telemetry,
    lifecycle: Lifecycle,
    client: reqwest::Client,
    _data: tempfile::TempDir,
}

async fn make_org(cluster: &Cluster, database: &str) -> OrgId {
    let org = OrgId::generate(&Clock::system());
    let mut conn = sqlx::PgConnection::connect_with(&cluster.target(database).admin).await.unwrap();
    let sql = format!(
        "INSERT INTO organisations (id, slug, name, created_at) VALUES ('{org}', 'o-{}', 'O', now())",
        &org.to_string()[24..]
    );
    conn.execute(AssertSqlSafe(sql)).await.unwrap();
    org
}

async fn start() -> Fixture {
    start_with("").await
}

/// `more` is appended to `[llm]`.
async fn start_with(more: &str) -> Fixture {
    let (cluster, lifecycle, seen, telemetry, clock) =
        (cluster().await, Lifecycle::new(), Seen::default(), Telemetry::new(), Clock::system());
    let database = cluster.database().await;
    let db = Db::new(
        &cluster.target(&database),
        &db::Config { max_connections: 4, max_system_connections: 2, ..db::Config::default() },
    );
    let org = make_org(cluster, &database).await;
    let up = upstream(&seen, &lifecycle).await;
    let config: llm::Config = toml::from_str(&format!(
        "{more}\n[aliases]\nquality = 'up/plain'\n[providers.up]\nbase_url = 'http://{up}/v1'\napi_key = '{KEY}'\ntimeout_seconds = 3\nidle_timeout_seconds = 1\n\
         [providers.wrong]\nbase_url = 'http://{up}/v1/'\napi_key = 'sk-other'\nmodels = ['plain2']\n[providers.dead]\nbase_url = 'http://127.0.0.1:9/v1'\n"
    ))
    .unwrap();
    let data = tempfile::tempdir().unwrap();
    let http = HttpClients::new().unwrap();
    let metrics = telemetry.register("llm", llm::Metrics::register);
    let llm = Llm::new(llm::Deps {
        config,
        data_dir: data.path().into(),
        clock: clock.clone(),
        db: db.clone(),
        http: http.clone(),
        metrics,
        lifecycle: lifecycle.clone(),
    });
    let (router, _) = llm::openai_router().merge(llm::router()).split_for_parts();
    let server = http::Config::default();
    let http_metrics = telemetry.register("http", http::Metrics::register);
    let stack = MiddlewareStack::new(&server, clock, http_metrics.clone(), Arc::new(Callers(org)), lifecycle.clone());
    let listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let url = format!("http://{}", listener.address);
    let timeouts = Timeouts { grace: Duration::from_secs(5), ..Timeouts::default() };
    lifecycle.spawn(
        "server",
        http::serve(
            listener,
            http::wrap(router.with_state(llm.clone()), stack, |r| {
                r.layer(axum::middleware::from_fn(llm::map_openai_errors))
            }),
            timeouts,
            http_metrics,
            lifecycle.clone(),
        ),
    );
    Fixture { llm, db, org, seen, url, telemetry, lifecycle, client: http.operator().clone(), _data: data }
}

impl Fixture {
    async fn post(&self, path: &str, body: Value) -> reqwest::Response {
        self.client
            .post(format!("{}{path}", self.url))
            .bearer_auth("hf_good")
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await
            .unwrap()
    }

    async fn ask(&self, model: &str, stream: bool) -> reqwest::Response {
        self.post(
            "/v1/chat/completions",
            json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": "Hello there"}]}),
        )
        .await
    }

    /// The `data:` lines of a streamed answer.
    async fn stream(&self, model: &str) -> Vec<String> {
        let response = self.ask(model, true).await;
        assert_eq!(response.status(), 200);
        assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/event-stream"));
        let text = response.text().await.unwrap();
        text.lines().filter_map(|l| l.strip_prefix("data: ")).map(str::to_owned).collect()
    }

    async fn error(&self, model: &str) -> (u16, Value, HeaderMap) {
        let response = self.ask(model, false).await;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        (status, response.json::<Value>().await.unwrap()["error"].clone(), headers)
    }

    /// The usage rows, once there are `count`.
    async fn rows(&self, count: usize) -> Vec<Value> {
        for _ in 0..100 {
            let mut tx = self.db.tenant(self.org).await.unwrap();
            let rows: Vec<Value> = sqlx::query_scalar("SELECT to_jsonb(llm_usage) FROM llm_usage ORDER BY id")
                .fetch_all(&mut *tx)
                .await
                .unwrap();
            if rows.len() >= count {
                assert_eq!(rows.len(), count, "{rows:#?}");
                return rows;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("no {count} usage rows");
    }

    fn call(&self) -> CallContext {
        CallContext::job(self.org, "test")
    }
}
