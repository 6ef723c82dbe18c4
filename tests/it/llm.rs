//! The gateway between a real client connection and an upstream that misbehaves on command.

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
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::Engine as _;
use futures::{StreamExt as _, stream};
use holdfast::{
    llm::{
        self, BackendKind, CallContext, ChatChunk, ChatRequest, ChatStream, Chunk, EXTRACTIVE_MODEL, InputKind, Llm,
        LlmError, Message, ModelBackend, ModelInfo, Original, Passage,
    },
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

use crate::support::{
    app::TestApp,
    cluster::{Cluster, cluster},
};

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

#[tokio::test]
async fn chunks_pass_through_one_for_one() {
    let f = start().await;
    let mut expected: Vec<String> = TOOL_CHUNKS.map(str::to_owned).into();
    expected.push("[DONE]".into());
    assert_eq!(f.stream("up/tools").await, expected);
    let sent = f.seen.bodies.lock().unwrap()[0].clone();
    assert_eq!(
        (&sent["model"], &sent["stream_options"]["include_usage"], sent.get("max_tokens")),
        (&json!("tools"), &json!(true), None)
    );
    let row = f.rows(1).await.remove(0);
    assert_eq!(
        (&row["prompt_tokens"], &row["completion_tokens"], &row["estimated"], &row["outcome"]),
        (&json!(11), &json!(7), &json!(false), &json!("ok"))
    );
    assert_eq!(
        (&row["provider"], &row["model"], &row["streamed"], row["first_token_ms"].is_number()),
        (&json!("up"), &json!("tools"), &json!(true), true)
    );
}

#[tokio::test]
async fn a_whole_answer_passes_through_and_aliases_and_bare_names_resolve() {
    let f = start().await;
    for model in ["up/plain", "fast", "quality", "plain", "meta/llama"] {
        let response = f.ask(model, false).await;
        assert_eq!(response.status(), 200, "{model}");
        assert_eq!(response.text().await.unwrap(), WHOLE, "{model}");
    }
    let rows = f.rows(5).await;
    let aliases: Vec<&Value> = rows.iter().map(|r| &r["alias"]).collect();
    assert_eq!(aliases, [&Value::Null, &json!("fast"), &json!("quality"), &Value::Null, &Value::Null]);
    let sent: Vec<Value> = f.seen.bodies.lock().unwrap().iter().map(|b| b["model"].clone()).collect();
    assert_eq!(sent, ["plain", "plain", "plain", "plain", "meta/llama"]);
}

#[tokio::test]
async fn usage_is_found_wherever_it_is_and_estimated_where_it_is_not() {
    let f = start().await;
    let quiet = f.stream("up/usage").await;
    assert_eq!(quiet.len(), 4, "the chunk that only carries usage was not asked for: {quiet:?}");
    let body = json!({"model": "up/usage", "stream": true, "stream_options": {"include_usage": true}, "messages": [{"role": "user", "content": "q"}]});
    let text = f.post("/v1/chat/completions", body).await.text().await.unwrap();
    assert!(text.contains("\"total_tokens\":12"), "{text}");
    f.stream("up/no-usage").await;
    let rows = f.rows(3).await;
    assert_eq!((&rows[0]["completion_tokens"], &rows[1]["completion_tokens"]), (&json!(3), &json!(3)));
    assert_eq!((&rows[2]["estimated"], rows[2]["completion_tokens"].as_u64().unwrap() > 0), (&json!(true), true));
    let mut tx = f.db.tenant(OrgId::generate(&Clock::system())).await.unwrap();
    let others: i64 = sqlx::query_scalar("SELECT count(*) FROM llm_usage").fetch_one(&mut *tx).await.unwrap();
    assert_eq!(others, 0, "another organisation sees nothing");
}

#[tokio::test]
async fn usage_comes_last_when_it_is_asked_for_whatever_the_server_sends() {
    let f = start().await;
    let ask = async |model: &str| {
        let body = json!({"model": model, "stream": true, "stream_options": {"include_usage": true}, "messages": [{"role": "user", "content": "q"}]});
        let text = f.post("/v1/chat/completions", body).await.text().await.unwrap();
        let mut events: Vec<String> =
            text.lines().filter_map(|l| l.strip_prefix("data: ")).map(str::to_owned).collect();
        assert_eq!(events.pop().unwrap(), "[DONE]");
        let last: Value = serde_json::from_str(&events.pop().unwrap()).unwrap();
        assert_eq!(last["choices"], json!([]), "{model}: {last}");
        (events.len(), last)
    };
    let (before, own) = ask("up/usage").await;
    assert_eq!((before, &own["usage"]["total_tokens"]), (3, &json!(12)), "the server's own is not doubled");
    let (before, moved) = ask("up/tools").await;
    assert_eq!(
        (before, &moved["usage"]["total_tokens"], &moved["id"]),
        (6, &json!(18), &json!("c1")),
        "it stood on the last choice"
    );
    let (before, guessed) = ask("up/no-usage").await;
    assert_eq!((before, &guessed["id"], &guessed["object"]), (3, &json!("c"), &json!("chat.completion.chunk")));
    assert!(guessed["usage"]["completion_tokens"].as_u64().unwrap() > 2, "{guessed}");
}

#[tokio::test]
async fn a_stream_that_begins_late_is_kept_open() {
    let f = start_with("heartbeat_seconds = 1").await;
    let response = f.ask("up/slow-head", true).await;
    assert_eq!((response.status().as_u16(), response.headers()["x-accel-buffering"].to_str().unwrap()), (200, "no"));
    let text = response.text().await.unwrap();
    assert!(text.starts_with(": keep-alive\n") && text.trim_end().ends_with("data: [DONE]"), "{text}");
    let error: Value = serde_json::from_str(text.lines().find_map(|l| l.strip_prefix("data: ")).unwrap()).unwrap();
    assert_eq!(error["error"]["code"], "provider_timeout", "{text}");
    assert_eq!(f.rows(1).await[0]["outcome"], "timeout");
    // An immediate failure has a status of its own.
    assert_eq!(f.ask("up/limited", true).await.status(), 429);
}

#[tokio::test]
async fn one_limit_of_tokens_under_the_name_that_servers_know() {
    let f = start().await;
    for limits in [
        json!({"max_completion_tokens": 7}),
        json!({"max_tokens": 7}),
        json!({"max_tokens": 9, "max_completion_tokens": 7}),
    ] {
        let mut body = json!({"model": "up/plain", "messages": [{"role": "user", "content": "q"}]});
        body.as_object_mut().unwrap().extend(limits.as_object().unwrap().clone());
        assert_eq!(f.post("/v1/chat/completions", body).await.status(), 200);
        let sent = f.seen.bodies.lock().unwrap().last().unwrap().clone();
        assert_eq!((&sent["max_tokens"], sent.get("max_completion_tokens")), (&json!(7), None), "{limits}");
    }
}

#[tokio::test]
async fn pictures_fit_into_a_conversation_and_what_does_not_fit_is_told_so() {
    let picture = |bytes: usize| {
        let url = format!("data:image/png;base64,{}", "A".repeat(bytes));
        json!({"model": "up/plain", "messages": [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": url}}]}]})
    };
    let f = start().await;
    // Larger than server.max_body_bytes, which applies to all other routes.
    assert_eq!(f.post("/v1/chat/completions", picture(5 << 20)).await.status(), 200);
    let sent =
        f.seen.bodies.lock().unwrap()[0]["messages"][0]["content"][1]["image_url"]["url"].as_str().unwrap().len();
    assert!(sent > 5 << 20, "{sent}");
    let large = json!({"chat_model": "x".repeat(5 << 20)}).to_string();
    let other =
        f.client.post(format!("{}/api/v1/llm/providers/up/test", f.url)).header("cookie", "holdfast_session=operator");
    assert_eq!(other.header("content-type", "application/json").body(large).send().await.unwrap().status(), 413);

    let f = start_with("max_body_bytes = 100000").await;
    assert_eq!(f.post("/v1/chat/completions", picture(90_000)).await.status(), 200);
    for path in ["/v1/chat/completions", "/v1/embeddings"] {
        let response = f.post(path, picture(100_000)).await;
        assert_eq!(response.status(), 413, "{path}");
        let error = response.json::<Value>().await.unwrap()["error"].clone();
        assert_eq!((&error["type"], &error["code"]), (&json!("invalid_request_error"), &json!("payload_too_large")));
        assert!(error["message"].as_str().unwrap().contains("100000 bytes"), "{error}");
    }
}

#[tokio::test]
async fn the_embedding_model_does_not_chat() {
    let f = start().await;
    let (status, error, _) = f.error("embed").await;
    assert_eq!(
        (status, &error["code"], &error["param"]),
        (400, &json!("model_not_supported"), &json!("model")),
        "{error}"
    );
}

#[tokio::test]
async fn old_usage_and_vectors_that_nobody_asks_for_are_removed() {
    let f = start_with("[embedding]\nmodel = 'up/e'\ndimensions = 3").await;
    let model = f.llm.embedder().await.unwrap();
    let texts = ["one".to_owned(), "two".to_owned(), "three".to_owned()];
    f.llm.embed_passages(&f.call(), &model, &texts).await.unwrap();
    f.rows(1).await;
    let mut tx = f.db.tenant(f.org).await.unwrap();
    // More than one batch, and one row that is young enough.
    sqlx::query(
        "INSERT INTO llm_usage (id, org_id, actor, operation, provider, model, prompt_tokens, completion_tokens, estimated, duration_ms, outcome, streamed, created_at) \
         SELECT gen_random_uuid(), $1, 'job:test', 'chat', 'up', 'old', 1, 1, false, 1, 'ok', false, now() - interval '1 day' * CASE WHEN n = 0 THEN 399 ELSE 401 END \
         FROM generate_series(0, 5001) AS n",
    )
    .bind(f.org.0)
    .execute(&mut *tx)
    .await
    .unwrap();
    let aged =
        sqlx::query("UPDATE embedding_cache SET last_used_at = now() - interval '91 days'").execute(&mut *tx).await;
    assert_eq!(aged.unwrap().rows_affected(), 3);
    tx.commit().await.unwrap();
    // A look-up counts as use.
    f.llm.embed_passages(&f.call(), &model, &texts[..1]).await.unwrap();
    f.llm.remove_expired(&tokio_util::sync::CancellationToken::new()).await.unwrap();
    let mut tx = f.db.tenant(f.org).await.unwrap();
    let usage: i64 = sqlx::query_scalar("SELECT count(*) FROM llm_usage").fetch_one(&mut *tx).await.unwrap();
    let vectors: i64 = sqlx::query_scalar("SELECT count(*) FROM embedding_cache").fetch_one(&mut *tx).await.unwrap();
    assert_eq!((usage, vectors), (2, 1), "what is young or in use stays");
    let text = f.telemetry.encode();
    for (kept, rows) in [("usage", 5001), ("vectors", 2)] {
        let line = format!("holdfast_llm_expired_rows_total{{kept=\"{kept}\"}} {rows}");
        assert!(text.contains(&line), "{line} is not in {text}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_before_the_answer_has_a_usage_row() {
    let f = start().await;
    let waiting = f.ask("up/slow-head", false);
    assert!(tokio::time::timeout(Duration::from_millis(500), waiting).await.is_err());
    let row = f.rows(1).await.remove(0);
    assert_eq!(
        (&row["outcome"], &row["streamed"], &row["first_token_ms"]),
        (&json!("cancelled"), &json!(false), &Value::Null)
    );
}

#[tokio::test]
async fn a_client_that_leaves_stops_the_upstream() {
    let f = start().await;
    let mut response = f.ask("up/endless", true).await;
    assert!(response.chunk().await.unwrap().is_some());
    assert_eq!(f.seen.cancelled.load(Ordering::SeqCst), 0);
    drop(response);
    for _ in 0..50 {
        if f.seen.cancelled.load(Ordering::SeqCst) == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(f.seen.cancelled.load(Ordering::SeqCst), 1, "the upstream still writes");
    let row = f.rows(1).await.remove(0);
    assert_eq!((&row["outcome"], &row["estimated"]), (&json!("cancelled"), &json!(true)));
}

#[tokio::test]
async fn upstream_errors_become_ours_and_never_show_the_key() {
    let f = start().await;
    for (model, status, code) in [
        ("up/limited", 429, "provider_rate_limited"),
        ("up/forbidden", 403, "provider_forbidden"),
        ("wrong/plain", 502, "provider_auth"),
        ("up/broken", 502, "provider_error"),
        ("up/picky", 400, "provider_rejected"),
        ("up/slow-head", 504, "provider_timeout"),
        ("dead/x", 502, "provider_unreachable"),
        ("no/such-model", 404, "model_not_found"),
        (EXTRACTIVE_MODEL, 400, "passages_required"),
        ("builtin/other", 404, "model_not_found"),
    ] {
        let (found, error, headers) = f.error(model).await;
        assert_eq!((found, error["code"].as_str().unwrap()), (status, code), "{model}: {error}");
        assert!(error["message"].is_string() && error["type"].is_string() && error.get("param").is_some(), "{error}");
        assert!(!error.to_string().contains("sk-") && !error.to_string().contains("Traceback"), "{error}");
        if status == 429 {
            assert_eq!(headers["retry-after"], "7");
        }
    }
    assert!(!f.telemetry.encode().contains("sk-"));
}

#[tokio::test]
async fn a_stream_that_fails_ends_with_an_error_event() {
    let f = start().await;
    for (model, code, outcome) in [
        ("up/cut", "provider_stream_cut", "provider_error"),
        ("up/stall", "provider_timeout", "timeout"),
        ("up/in-stream", "provider_rate_limited", "rate_limited"),
    ] {
        let events = f.stream(model).await;
        let (last, before) = (&events[events.len() - 1], &events[events.len() - 2]);
        let error: Value = serde_json::from_str(before).unwrap();
        assert_eq!((last.as_str(), error["error"]["code"].as_str()), ("[DONE]", Some(code)), "{model}: {events:?}");
        assert!(!before.contains("sk-"), "{before}");
        let count = [("up/cut", 1), ("up/stall", 2), ("up/in-stream", 3)].iter().find(|(m, _)| *m == model).unwrap().1;
        assert_eq!(f.rows(count).await[count - 1]["outcome"], outcome, "{model}");
    }
    assert_eq!(f.rows(3).await[2]["prompt_tokens"], 5, "what was used before the error is counted");
}

#[tokio::test]
async fn bytes_that_bring_nothing_do_not_keep_an_answer_waiting() {
    let f = start().await;
    for (model, stream) in [("up/comments", true), ("up/drip", false)] {
        let begin = std::time::Instant::now();
        let text = f.ask(model, stream).await.text().await.unwrap();
        assert!(text.contains("provider_timeout"), "{model}: {text}");
        assert!(begin.elapsed() < Duration::from_secs(20), "{model}: {:?}", begin.elapsed());
    }
}

#[tokio::test]
async fn requests_that_are_wrong_name_the_parameter() {
    let f = start().await;
    for (body, param) in [
        (json!({"model": "up/plain", "messages": "x"}), "messages"),
        (json!({"model": "up/plain", "messages": []}), "messages"),
        (json!({"model": "up/plain", "messages": [{"content": "x"}]}), "messages[0].role"),
        (json!({"model": "up/plain", "messages": [{"role": "user", "content": "long ".repeat(300_000)}]}), "messages"),
        (json!({"model": 5, "messages": []}), "model"),
        // These are stored in rows and log lines: a NUL would lose all rows of the batch.
        (json!({"model": "up/\u{0}", "messages": [{"role": "user", "content": "x"}]}), "model"),
        (json!({"model": format!("up/{}", "x".repeat(300)), "messages": [{"role": "user", "content": "x"}]}), "model"),
    ] {
        let response = f.post("/v1/chat/completions", body).await;
        let (status, error) = (response.status().as_u16(), response.json::<Value>().await.unwrap());
        assert_eq!((status, error["error"]["param"].as_str()), (400, Some(param)), "{error}");
        assert_eq!(error["error"]["type"], "invalid_request_error");
    }
    let deep = format!("{{\"model\":\"m\",\"messages\":{}", "[".repeat(10_000));
    let response = f
        .client
        .post(format!("{}/v1/chat/completions", f.url))
        .bearer_auth("hf_good")
        .header("content-type", "application/json")
        .body(deep)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 400);
}

#[tokio::test]
async fn authentication_fails_in_openais_shape() {
    let f = start().await;
    for (key, status, code) in
        [(None, 401, "unauthorized"), (Some("hf_wrong"), 401, "invalid_api_key"), (Some("hf_reader"), 403, "forbidden")]
    {
        let mut request = f.client.get(format!("{}/v1/models", f.url));
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status);
        let error = response.json::<Value>().await.unwrap()["error"].clone();
        assert_eq!((error["code"].as_str(), error["message"].is_string()), (Some(code), true), "{error}");
    }
}

#[tokio::test]
async fn models_are_listed_even_when_a_provider_is_away() {
    let f = start().await;
    let get = |path: &str| f.client.get(format!("{}{path}", f.url)).bearer_auth("hf_good").send();
    let list: Value = get("/v1/models").await.unwrap().json().await.unwrap();
    let ids: Vec<&str> = list["data"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap()).collect();
    for expected in ["fast", "quality", "embed", "up/tools", "up/meta/llama", "wrong/plain2", EXTRACTIVE_MODEL] {
        assert!(ids.contains(&expected), "{expected} is not in {ids:?}");
    }
    let one: Value = get("/v1/models/up/meta/llama").await.unwrap().json().await.unwrap();
    assert_eq!((one["id"].as_str(), one["object"].as_str()), (Some("up/meta/llama"), Some("model")));
    assert_eq!(get("/v1/models/nobody/x").await.unwrap().status(), 404);
}

/// A backend as `agents` registers one.
struct Parrot;

#[async_trait]
impl ModelBackend for Parrot {
    fn kind(&self) -> BackendKind {
        BackendKind::Agent
    }
    async fn models(&self, _: OrgId) -> Result<Vec<ModelInfo>, LlmError> {
        Ok(vec![ModelInfo { id: "agent/parrot".into(), owned_by: "agents".into() }])
    }
    async fn stream(&self, _: &CallContext, model: &str, request: ChatRequest) -> Result<ChatStream, LlmError> {
        if model != "parrot" {
            return Err(ApiError::not_found("agent").into());
        }
        let chunk = |text: &str| Original::made(serde_json::from_str::<ChatChunk>(&word(text)).unwrap());
        let chunks: Vec<Result<Chunk, LlmError>> = vec![Ok(chunk("You said: ")), Ok(chunk(&request.question()))];
        Ok(ChatStream::new(stream::iter(chunks)))
    }
}

#[tokio::test]
async fn agents_answer_below_their_prefix() {
    let f = start().await;
    f.llm.register("agent", Arc::new(Parrot));
    let whole: Value = f.ask("agent/parrot", false).await.json().await.unwrap();
    assert_eq!(whole["choices"][0]["message"]["content"], "You said: Hello there");
    assert_eq!(f.stream("agent/parrot").await.len(), 3);
    assert_eq!(f.error("agent/nobody").await.0, 404);
    let call = f.call().for_agent(OrgId::generate(&Clock::system()).0, "", Vec::new());
    let nested = f.llm.complete(call, ChatRequest::new("agent/parrot", vec![Message::user("x")])).await.unwrap_err();
    assert!(matches!(nested, LlmError::Invalid { code: "agent_calls_agent", .. }), "{nested:?}");
    let text = f.telemetry.encode();
    assert!(
        text.contains("holdfast_llm_requests_total{operation=\"chat\",backend=\"agent\",outcome=\"ok\"} 2"),
        "{text}"
    );
}

#[tokio::test]
async fn without_a_provider_the_passages_answer() {
    let f = start().await;
    let passages = vec![Passage {
        text: "The kettle has a warranty of 27 months. It is blue.".into(),
        title: "kettle.md".into(),
        weak: false,
    }];
    let call =
        f.call().for_agent(OrgId::generate(&Clock::system()).0, "How long is the warranty of the kettle?", passages);
    let request = ChatRequest::new(EXTRACTIVE_MODEL, vec![Message::user("How long is the warranty of the kettle?")]);
    let chunks: Vec<_> = f
        .llm
        .chat(call.clone(), request.clone())
        .await
        .unwrap()
        .collect()
        .await
        .map(|c| c.body().choices[0].message.text())
        .into_iter()
        .collect();
    assert!(chunks[0].contains("> The kettle has a warranty of 27 months. [1]"), "{chunks:?}");
    let count = f.llm.chat(call, request).await.unwrap().count().await;
    assert!(count > 5, "it streams: {count}");
}

#[tokio::test]
async fn base64_embeddings_are_the_floats() {
    let f = start().await;
    let ask = |more: Value| {
        let mut body = json!({"model": "up/e", "input": ["one", "three"]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        f.post("/v1/embeddings", body)
    };
    let floats: Value = ask(json!({"encoding_format": null})).await.json().await.unwrap();
    assert_eq!(floats["data"][0]["embedding"], json!([3.0, 0.5, -1.25]));
    assert_eq!((&floats["data"][1]["index"], &floats["data"][1]["embedding"][0]), (&json!(1), &json!(5.0)));
    assert_eq!(floats["usage"]["prompt_tokens"], 4);
    let packed: Value = ask(json!({"encoding_format": "base64", "dimensions": 3})).await.json().await.unwrap();
    for i in 0..2 {
        let bytes =
            base64::engine::general_purpose::STANDARD.decode(packed["data"][i]["embedding"].as_str().unwrap()).unwrap();
        let numbers: Vec<f32> = bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
        assert_eq!(json!(numbers), floats["data"][i]["embedding"]);
    }
    assert_eq!(f.seen.bodies.lock().unwrap()[1]["dimensions"], 3);
    for (input, code) in [
        (json!([1, "two"]), "invalid_value"),
        (json!([[1], []]), "input_empty"),
        (json!([[-1]]), "invalid_value"),
        (json!([]), "invalid_value"),
        (json!([""]), "input_empty"),
        (json!(["fine", "long ".repeat(300_000)]), "context_length_exceeded"),
    ] {
        let response = f.post("/v1/embeddings", json!({"model": "up/e", "input": input})).await;
        assert_eq!(response.status(), 400);
        assert_eq!(response.json::<Value>().await.unwrap()["error"]["code"], code);
    }
    let missing = f.post("/v1/embeddings", json!({"model": "embed", "input": "x"})).await;
    assert_eq!(missing.status(), 503, "no model folder");
    let rows = f.rows(2).await;
    assert_eq!((&rows[0]["operation"], &rows[0]["model"]), (&json!("embedding"), &json!("e")));
}

#[tokio::test]
async fn vectors_are_cached_for_one_organisation_and_forgotten_with_the_document() {
    let f = start_with("[embedding]\nmodel = 'up/e'\ndimensions = 3\nquery_prefix = 'q: '").await;
    let model = f.llm.embedder().await.unwrap();
    let asked = || f.seen.bodies.lock().unwrap().len();
    let texts: Vec<String> = (0..40).map(|i| format!("text {}", i % 39)).collect();
    let first = f.llm.embed_passages(&f.call(), &model, &texts).await.unwrap();
    assert_eq!((first.len(), asked()), (40, 2), "39 different texts in batches of 32");
    assert!((first[0].iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-5, "unit vectors");
    assert_eq!(f.llm.embed_passages(&f.call(), &model, &texts).await.unwrap(), first);
    assert_eq!(asked(), 2, "all of them known");
    let other = CallContext::job(make_org_beside(&f).await, "test");
    f.llm.embed_passages(&other, &model, &texts[..1]).await.unwrap();
    assert_eq!(asked(), 3, "not shared between organisations");
    let mut tx = f.db.tenant(f.org).await.unwrap();
    let gone = f.llm.forget_passages(&mut tx, &[llm::text_hash("text 0"), llm::text_hash("text 1")]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(gone, 2);
    f.llm.embed_passages(&f.call(), &model, &texts).await.unwrap();
    assert_eq!(f.seen.bodies.lock().unwrap()[3]["input"].as_array().unwrap().len(), 2);

    let question = ["what".to_owned()];
    let one = f.llm.embed(&f.call(), &model, InputKind::Query, &question).await.unwrap();
    assert_eq!(f.llm.embed(&f.call(), &model, InputKind::Query, &question).await.unwrap(), one);
    assert_eq!((asked(), &f.seen.bodies.lock().unwrap()[4]["input"]), (5, &json!(["q: what"])));
    let old = llm::EmbedModel { id: "another".into(), ..model };
    assert!(matches!(
        f.llm.embed(&f.call(), &old, InputKind::Query, &question).await,
        Err(LlmError::OtherEmbeddingModel { .. })
    ));
}

async fn make_org_beside(f: &Fixture) -> OrgId {
    let mut tx = f.db.system().await.unwrap();
    let org = OrgId::generate(&Clock::system());
    sqlx::query("INSERT INTO organisations (id, slug, name, created_at) VALUES ($1, 'beside', 'B', now())")
        .bind(org.0)
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    org
}

#[tokio::test]
async fn operators_see_and_test_providers_and_admins_see_usage() {
    let f = start().await;
    let get = |path: &str, session: &str| {
        f.client.get(format!("{}{path}", f.url)).header("cookie", format!("holdfast_session={session}")).send()
    };
    let providers = get("/api/v1/llm/providers", "operator").await.unwrap().text().await.unwrap();
    assert!(providers.contains("\"has_api_key\":true") && !providers.contains("sk-"), "{providers}");
    assert_eq!(get("/api/v1/llm/providers", "admin").await.unwrap().status(), 403);
    let test = |name: &str, body: Value| {
        f.client
            .post(format!("{}/api/v1/llm/providers/{name}/test", f.url))
            .header("cookie", "holdfast_session=operator")
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
    };
    // By default the alias's model is tested: a real chat of one token.
    let fine: Value = test("up", json!({})).await.unwrap().json().await.unwrap();
    assert_eq!(
        (&fine["ok"], &fine["models"][0], &fine["error"]),
        (&json!(true), &json!("tools"), &Value::Null),
        "{fine}"
    );
    assert_eq!((&fine["chat"]["ok"], &fine["chat"]["model"]), (&json!(true), &json!("plain")), "{fine}");
    assert!(fine["chat"]["first_token_ms"].is_number() && fine["chat"]["latency_ms"].is_number(), "{fine}");
    let sent = f.seen.bodies.lock().unwrap()[0].clone();
    assert_eq!((&sent["model"], &sent["max_tokens"]), (&json!("plain"), &json!(1)));
    let named: Value = test("up", json!({"chat_model": "tools"})).await.unwrap().json().await.unwrap();
    assert_eq!(named["chat"]["answered_by"], "m-2024", "{named}");
    let dead: Value = test("dead", json!({})).await.unwrap().json().await.unwrap();
    assert_eq!((&dead["ok"], &dead["error"]["code"]), (&json!(false), &json!("provider_unreachable")), "{dead}");
    assert!(dead["error"]["detail"].as_str().unwrap().contains("cannot be reached"), "{dead}");
    assert!(dead["error"]["advice"].as_str().unwrap().contains("base_url") && dead["chat"].is_null(), "{dead}");
    // The list needs no key; only the chat reveals that the key is wrong.
    let wrong: Value = test("wrong", json!({})).await.unwrap().json().await.unwrap();
    assert_eq!((&wrong["ok"], &wrong["error"]), (&json!(false), &Value::Null), "{wrong}");
    assert_eq!(wrong["chat"]["error"]["code"], "provider_auth", "{wrong}");
    assert!(wrong["chat"]["error"]["advice"].as_str().unwrap().contains("api_key_file"), "{wrong}");
    assert_eq!(test("nobody", json!({})).await.unwrap().status(), 404);
    f.rows(3).await;
    let usage: Value = get("/api/v1/llm/usage?days=7", "admin").await.unwrap().json().await.unwrap();
    let by_model = usage["by_model"].as_array().unwrap();
    assert_eq!(
        (by_model.len(), &by_model[0]["model"], &by_model[0]["prompt_tokens"]),
        (3, &json!("tools"), &json!(11))
    );
    assert_eq!((&usage["by_day"][0]["requests"], &usage["by_day"][0]["failed"]), (&json!(3), &json!(1)), "{usage}");
    assert_eq!(get("/api/v1/llm/usage?days=0", "admin").await.unwrap().status(), 422);
    let checks = llm::checks(&f.llm);
    let names: Vec<_> = checks.iter().map(|c| c.name()).collect();
    assert_eq!(names, ["llm.providers", "llm.embedding_model"]);
}

#[tokio::test]
async fn shutdown_writes_the_last_usage_rows() {
    let f = start().await;
    let stream = f.llm.chat(f.call(), ChatRequest::new("up/plain", vec![Message::user("x")])).await.unwrap();
    f.lifecycle.shutdown();
    // Long enough for whoever writes the rows to end too early.
    tokio::time::sleep(Duration::from_millis(300)).await;
    drop(stream);
    f.rows(1).await;
}

#[tokio::test]
async fn the_models_page_shows_what_there_is_and_tests_a_provider() {
    let (seen, lifecycle) = (Seen::default(), Lifecycle::new());
    let url = format!("http://{}/v1", upstream(&seen, &lifecycle).await);
    let settings = [
        ("HOLDFAST_LLM__PROVIDERS__UP__BASE_URL", url.as_str()),
        ("HOLDFAST_LLM__PROVIDERS__UP__API_KEY", KEY),
        ("HOLDFAST_LLM__ALIASES__FAST", "up/plain"),
        ("HOLDFAST_LLM__PROVIDERS__DEAD__BASE_URL", "http://127.0.0.1:9/v1"),
    ];
    let app = TestApp::start_with(&settings).await;
    let admin = app.admin().await;
    let page = admin.get("/settings/models").await;
    assert_eq!(page.status, 200, "{}", page.text);
    for expected in ["up/plain", "all-MiniLM-L6-v2", &url, "/settings/models/up/test", "No requests yet"] {
        assert!(page.text.contains(expected), "{expected} is not on the page: {}", page.text);
    }
    assert!(!page.text.contains(KEY));
    let question = json!({"model": "fast", "messages": [{"role": "user", "content": "Hi"}]});
    admin.post("/v1/chat/completions", &question).await.expect(200);
    let me = admin.get("/api/v1/auth/me").await.expect(200);
    let form = format!("csrf={}", me["user"]["csrf_token"].as_str().unwrap());
    let request = admin.request(reqwest::Method::POST, "/settings/models/up/test");
    let tested = admin.send(request.header("content-type", "application/x-www-form-urlencoded").body(form)).await;
    assert_eq!(tested.status, 200, "{}", tested.text);
    for expected in ["Test of up", "works", "lists 3 models", "up/plain", "Time to first token", " ms"] {
        assert!(tested.text.contains(expected), "{expected} is not on the page: {}", tested.text);
    }
    let request = admin.request(reqwest::Method::POST, "/settings/models/dead/test").header("accept-language", "ru");
    let form = format!("csrf={}", me["user"]["csrf_token"].as_str().unwrap());
    let failed = admin.send(request.header("content-type", "application/x-www-form-urlencoded").body(form)).await;
    for expected in ["не работает", "cannot be reached", "Проверьте base_url"] {
        assert!(failed.text.contains(expected), "{expected} is not on the page: {}", failed.text);
    }
    let back = admin.get("/settings/models/up/test").await;
    assert_eq!((back.status.as_u16(), back.headers["location"].to_str().unwrap()), (303, "/settings/models"));
    let mut used = false;
    for _ in 0..50 {
        let page =
            admin.send(admin.request(reqwest::Method::GET, "/settings/models").header("accept-language", "ru")).await;
        used = page.text.contains("Использование по моделям") && page.text.contains("<svg class=\"bars\"");
        if used {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(used, "usage is on the Russian page");
    let mut tx = app.app.db.system().await.unwrap();
    let scheduled: String = sqlx::query_scalar("SELECT cron FROM job_schedules WHERE name = 'llm.retention'")
        .fetch_one(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(scheduled, "41 3 * * *", "every night");
    // Another organisation's owner is no operator: no addresses, no test.
    let other = app.other_org("elsewhere").await;
    let page = other.get("/settings/models").await;
    assert!(page.status == 200 && !page.text.contains(&url) && !page.text.contains("/test\""), "{}", page.text);
    app.stop().await;
}
