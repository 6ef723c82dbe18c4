//! Differences between model servers, from their documentation and bug reports: what they refuse, how they report it,
//! what they answer.

mod requests;
mod responses;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use holdfast::platform::lifecycle::Lifecycle;
use serde_json::{Value, json};

use crate::support::app::{Answer, Client, TestApp};

/// Requests as received.
type Seen = Arc<Mutex<Vec<Value>>>;

fn answer(status: u16, kind: &str, body: impl Into<String>) -> Response {
    (StatusCode::from_u16(status).unwrap(), [(header::CONTENT_TYPE, kind.to_owned())], body.into()).into_response()
}

fn refuse(status: u16, body: &Value) -> Response {
    answer(status, "application/json", body.to_string())
}

#[expect(clippy::needless_pass_by_value, reason = "json! reads better without &")]
fn openai_error(status: u16, message: &str, param: Value, code: Value) -> Response {
    refuse(
        status,
        &json!({"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}),
    )
}

const WHOLE: &str = r#"{"id":"w","object":"chat.completion","created":3,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hello","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"stop"}],"usage":{"prompt_tokens":2,"completion_tokens":1,"total_tokens":3}}"#;

const EVENTS: &str = "data: {\"id\":\"s\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"hel\"}}]}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"lo\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

fn well(body: &Value) -> Response {
    if body["stream"] == true {
        answer(200, "text/event-stream", EVENTS)
    } else {
        answer(200, "application/json", WHOLE)
    }
}

/// Roles and contents of the messages in short form.
fn spoken(body: &Value) -> Vec<(String, Value)> {
    let messages = body["messages"].as_array().unwrap().iter();
    messages.map(|m| (m["role"].as_str().unwrap().to_owned(), m["content"].clone())).collect()
}

/// A stream with part of an answer, then this.
fn broken_off(last: &str) -> String {
    format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"half\"}}}}]}}\n\n{last}\n\n")
}

async fn chat(State(seen): State<Seen>, Json(body): Json<Value>) -> Response {
    let times = {
        let mut seen = seen.lock().unwrap();
        seen.push(body.clone());
        seen.iter().filter(|b| b["model"] == body["model"]).count()
    };
    let has = |key: &str| body.get(key).is_some();
    let roles: Vec<String> = spoken(&body).into_iter().map(|(role, _)| role).collect();
    match body["model"].as_str().unwrap() {
        // Mistral, and others behind pydantic.
        "mistral" if has("stream_options") => refuse(
            422,
            &json!({"object": "error", "message": {"detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted", "input": {"include_usage": true}}]}, "type": "invalid_request_error", "param": null, "code": null}),
        ),
        "fastapi" if has("stream_options") => refuse(
            422,
            &json!({"detail": [{"loc": ["body", "stream_options"], "msg": "extra fields not permitted", "type": "value_error.extra"}]}),
        ),
        "azure" if has("stream_options") => {
            openai_error(400, "Unrecognized request argument supplied: stream_options", json!(""), Value::Null)
        }
        "nameless" if has("stream_options") => refuse(400, &json!({"error": "extra fields not permitted"})),
        "o3" if has("max_tokens") => openai_error(
            400,
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
            json!("max_tokens"),
            json!("unsupported_parameter"),
        ),
        "picky" if has("top_p") => openai_error(
            400,
            "Unsupported parameter: 'top_p' is not supported with this model.",
            json!("top_p"),
            json!("unsupported_parameter"),
        ),
        "qwen" if roles.contains(&"developer".to_owned()) => openai_error(
            400,
            "developer is not one of ['system', 'assistant', 'user', 'tool', 'function'] - 'messages.[0].role'",
            Value::Null,
            Value::Null,
        ),
        "gemma" if roles.contains(&"system".to_owned()) => refuse(
            400,
            &json!({"object": "error", "message": "System role not supported", "type": "BadRequestError", "code": 400}),
        ),
        "gemma" if roles.windows(2).any(|two| two[0] == two[1]) || roles[0] == "assistant" => refuse(
            500,
            &json!({"error": {"code": 500, "message": "Jinja Exception: Conversation roles must alternate user/assistant/user/assistant/...", "type": "server_error"}}),
        ),
        "text-only" if spoken(&body).iter().any(|(_, content)| content.is_array()) => refuse(
            422,
            &json!({"detail": [{"type": "string_type", "loc": ["body", "messages", 0, "user", "content"], "msg": "Input should be a valid string"}]}),
        ),
        "no-stream" if body["stream"] == true => openai_error(
            400,
            "Unsupported value: 'stream' does not support true with this model.",
            json!("stream"),
            json!("unsupported_value"),
        ),
        "json-for-stream" => answer(200, "application/json", WHOLE),
        "stream-for-json" => answer(200, "text/event-stream", EVENTS),
        "stream-as-text" => answer(200, "text/plain", format!("\u{feff}: hi\n\n{EVENTS}")),
        "halves" => answer(
            200,
            "text/event-stream",
            EVENTS.replace("\"hel\"", "\"a\\ud83d\"").replace("\"lo\"", "\"\\ude00b\\ud83d\""),
        ),
        "json-called-events" => answer(200, "text/event-stream", WHOLE),
        "error-called-events" => {
            answer(200, "text/event-stream", "{\n \"error\": {\"message\": \"none left\", \"code\": \"insufficient_quota\"}\n}")
        }
        "sign-in" => answer(200, "text/event-stream", "<html><head><title>Sign in to the proxy</title></head></html>"),
        "words" => answer(200, "text/plain", "asleep"),
        "packed" => {
            let mut response = answer(200, "text/event-stream", "\u{1f}\u{8b}");
            response.headers_mut().insert(header::CONTENT_ENCODING, "gzip".parse().unwrap());
            response
        }
        "moved" => {
            let mut response = answer(307, "text/plain", "");
            response.headers_mut().insert(header::LOCATION, "http://10.0.0.9/v1".parse().unwrap());
            response
        }
        "nothing" => answer(200, "text/event-stream", "data: [DONE]\n\n"),
        "no-choice" => answer(200, "application/json", r#"{"id":"c","choices":[]}"#),
        "lines" => answer(200, "text/event-stream", EVENTS.replace("\n\n", "\n")),
        "said-bare" => answer(200, "text/event-stream", broken_off(r#"data: {"message":"out of memory","code":500}"#)),
        "said-in-list" => answer(200, "text/event-stream", broken_off(r#"data: {"errors":[{"message":"out of memory"}]}"#)),
        "said-in-words" => answer(200, "text/event-stream", broken_off("data: out of memory")),
        "said-unframed" => answer(200, "text/event-stream", broken_off(r#"{"error":{"message":"out of memory"}}"#)),
        "beside" => answer(200, "text/event-stream", [
            r#"data: {"choices":[{"index":0,"delta":{"content":"a"},"logprobs":{"content":[{"token":"a"}]},"stop_reason":"x"}]}"#,
            r#"data: {"choices":[{"index":0,"delta":{"content":"b"},"logprobs":{"content":[{"token":"b"}]},"stop_reason":"x","finish_reason":"stop"}]}"#,
            "data: [DONE]", ""].join("\n\n")),
        "loading" if times < 3 => {
            refuse(503, &json!({"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}))
        }
        "endless" => {
            let chunk = json!({"choices": [{"index": 0, "delta": {"content": "word ".repeat(20)}}]});
            answer(200, "text/event-stream", format!("data: {chunk}\n\n").repeat(50))
        }
        "context" => openai_error(
            400,
            "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
            json!("messages"),
            json!("context_length_exceeded"),
        ),
        "vllm-context" => refuse(
            400,
            &json!({"object": "error", "message": "This model's maximum context length is 2048 tokens. However, you requested 4122 tokens (26 in the messages, 4096 in the completion).", "type": "BadRequestError", "param": null, "code": 400}),
        ),
        "quota" => {
            let mut response = openai_error(
                429,
                "You exceeded your current quota, please check your plan and billing details.",
                Value::Null,
                json!("insufficient_quota"),
            );
            response.headers_mut().insert(HeaderName::from_static("x-request-id"), "r".parse().unwrap());
            response
        }
        "region" => openai_error(
            403,
            "Country, region, or territory not supported",
            Value::Null,
            json!("unsupported_country_region_territory"),
        ),
        "moderated" => refuse(
            403,
            &json!({"error": {"code": 403, "message": "Your chosen model requires moderation and your input was flagged", "metadata": {"reasons": ["violence"]}}}),
        ),
        "credit" => refuse(
            402,
            &json!({"error": {"code": 402, "message": "This request requires more credits, or fewer max_tokens."}}),
        ),
        "overloaded" => {
            refuse(529, &json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}))
        }
        "openrouter" => refuse(
            400,
            &json!({"error": {"code": 400, "message": "Provider returned error", "metadata": {"provider_name": "X", "raw": "{\"error\":{\"message\":\"image is too small\",\"code\":\"invalid_image\"}}"}}}),
        ),
        "soon" => {
            let mut response = openai_error(429, "slow down", Value::Null, json!("rate_limit_exceeded"));
            response.headers_mut().insert(HeaderName::from_static("retry-after-ms"), "1500".parse().unwrap());
            response
        }
        "inside" => refuse(
            400,
            &json!({"error": {"message": "cannot reach http://10.1.2.3:8000/v1 nor vllm-box.internal:9 with sk-upstream-secret-1"}}),
        ),
        "page" => answer(404, "text/html", "<html><head><title>Not Found</title></head><body>nginx</body></html>"),
        _ => well(&body),
    }
}

async fn embed(State(seen): State<Seen>, Json(body): Json<Value>) -> Response {
    seen.lock().unwrap().push(body.clone());
    if body["model"] == "strict" && body.get("encoding_format").is_some() {
        return refuse(
            422,
            &json!({"detail": [{"type": "extra_forbidden", "loc": ["body", "encoding_format"], "msg": "Extra inputs are not permitted"}]}),
        );
    }
    let data: Vec<Value> = body["input"]
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
        .map(|(i, _)| json!({"index": i, "embedding": [1.0, 0.0]}))
        .collect();
    Json(json!({"object": "list", "data": data, "usage": {"prompt_tokens": 1, "total_tokens": 1}})).into_response()
}

struct Fixture {
    app: TestApp,
    admin: Client,
    seen: Seen,
}

async fn start(settings: &[(&str, &str)]) -> Fixture {
    let seen = Seen::default();
    let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let models = || async { Json(json!({"object": "list", "data": [{"id": "plain"}]})) };
    let router = Router::new()
        .route("/v1/chat/completions", post(chat))
        .route("/v1/embeddings", post(embed))
        .route("/v1/models", get(models))
        .with_state(seen.clone());
    Lifecycle::new().spawn("upstream", async move { axum::serve(listener, router).await.unwrap() });
    let mut all = vec![
        ("HOLDFAST_LLM__PROVIDERS__UP__BASE_URL", url.as_str()),
        ("HOLDFAST_LLM__PROVIDERS__UP__API_KEY", "sk-upstream-secret-1"),
    ];
    all.extend_from_slice(settings);
    let app = TestApp::start_with(&all).await;
    let admin = app.admin().await;
    Fixture { app, admin, seen }
}

impl Fixture {
    async fn ask(&self, model: &str, more: Value) -> Answer {
        let mut body = json!({"model": format!("up/{model}"), "messages": [{"role": "user", "content": "Hello"}]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.admin.post("/v1/chat/completions", &body).await
    }

    /// The text of a streamed answer, and its last chunk.
    async fn stream(&self, model: &str, more: Value) -> (String, Value) {
        let mut all = json!({"stream": true});
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = self.ask(model, all).await;
        assert_eq!(answer.status, 200, "{model}: {}", answer.text);
        let events: Vec<Value> = answer
            .text
            .lines()
            .filter_map(|l| l.strip_prefix("data: "))
            .filter(|d| *d != "[DONE]")
            .map(|d| serde_json::from_str(d).unwrap())
            .collect();
        assert!(events.iter().all(|e| e.get("error").is_none()), "{model}: {}", answer.text);
        let text = events.iter().filter_map(|e| e["choices"][0]["delta"]["content"].as_str()).collect();
        (text, events.last().unwrap().clone())
    }

    /// Requests the server received for a model.
    fn asked(&self, model: &str) -> Vec<Value> {
        self.seen.lock().unwrap().iter().filter(|b| b["model"] == model).cloned().collect()
    }
}
