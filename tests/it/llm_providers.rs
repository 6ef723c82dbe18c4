//! Differences between model servers, from their documentation and bug reports: what they refuse, how they report it,
//! what they answer.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use holdfast::platform::lifecycle::Lifecycle;
use reqwest::Method;
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

#[tokio::test]
async fn an_option_of_ours_that_a_server_refuses_is_left_out_and_remembered() {
    let f = start(&[]).await;
    for model in ["mistral", "fastapi", "azure", "nameless"] {
        assert_eq!(f.stream(model, json!({})).await.0, "hello", "{model}");
        let (text, last) = f.stream(model, json!({"stream_options": {"include_usage": true}})).await;
        assert_eq!((text.as_str(), &last["usage"]["estimated"]), ("hello", &json!(true)), "{model}: {last}");
        let asked = f.asked(model);
        let sent: Vec<bool> = asked.iter().map(|b| b.get("stream_options").is_some()).collect();
        assert_eq!(sent, [true, false, false], "{model}: once refused, then never sent again");
    }
    let page = f.admin.get("/settings/models").await;
    assert!(page.text.contains("mistral") && page.text.contains("without stream_options"), "{}", page.text);
    let providers = f.admin.get("/api/v1/llm/providers").await.expect(200);
    assert_eq!(providers["data"][0]["adapted"][0]["adaptations"], json!(["no_stream_options"]), "{providers}");
    let metrics = f.app.app.telemetry.encode();
    assert!(metrics.contains("holdfast_llm_adaptations_total{adaptation=\"no_stream_options\"} 4"), "{metrics}");
    f.app.stop().await;
    // Configured adaptations are applied without a refusal.
    let f = start(&[("HOLDFAST_LLM__PROVIDERS__UP__ADAPTATIONS", "no_stream_options")]).await;
    assert_eq!(f.stream("mistral", json!({})).await.0, "hello");
    assert_eq!(f.asked("mistral").len(), 1);
    f.app.stop().await;
}

#[tokio::test]
async fn a_limit_has_the_name_that_the_server_knows_and_none_is_invented() {
    let f = start(&[]).await;
    f.ask("o3", json!({})).await.expect(200);
    f.ask("o3", json!({"max_tokens": 100.0})).await.expect(200);
    f.ask("o3", json!({"max_tokens": "100"})).await.expect(200);
    let sent: Vec<(Value, Value)> =
        f.asked("o3").iter().map(|b| (b["max_tokens"].clone(), b["max_completion_tokens"].clone())).collect();
    let (none, hundred) = (Value::Null, json!(100));
    assert_eq!(
        sent,
        [
            (none.clone(), none.clone()),
            (hundred.clone(), none.clone()),
            (none.clone(), hundred.clone()),
            (none, hundred)
        ]
    );
    for nothing in [
        json!({"max_tokens": -1}),
        json!({"max_tokens": null, "top_p": null, "tools": null}),
        json!({"max_completion_tokens": -1.0}),
    ] {
        f.ask("plain", nothing).await.expect(200);
        let sent = f.asked("plain").pop().unwrap();
        assert_eq!(sent.as_object().unwrap().keys().collect::<Vec<_>>(), ["model", "messages"], "{sent}");
    }
    f.ask("plain", json!({"max_tokens": 1.5})).await.expect(400);
    f.ask("plain", json!({"seed": 18_446_744_073_709_551_615_u64, "x_own": {"b": 1, "a": 2}})).await.expect(200);
    let sent = f.asked("plain").pop().unwrap();
    assert_eq!((&sent["seed"], &sent["x_own"]), (&json!(18_446_744_073_709_551_615_u64), &json!({"b": 1, "a": 2})));
    // A Windows path.
    let request = f.admin.request(Method::POST, "/v1/chat/completions").header("content-type", "application/json");
    let bom = "\u{feff}{\"model\":\"up/plain\",\"messages\":[{\"role\":\"user\",\"content\":\"half \\ud83d\"}]}";
    f.admin.send(request.body(bom)).await.expect(200);
    assert_eq!(f.asked("plain").pop().unwrap()["messages"][0]["content"], "half \u{fffd}");
    f.app.stop().await;
}

#[tokio::test]
async fn an_answer_without_a_limit_ends_all_the_same() {
    let f = start(&[("HOLDFAST_LLM__MAX_OUTPUT_TOKENS", "200")]).await;
    let (text, last) = f.stream("endless", json!({})).await;
    assert_eq!(last["choices"][0]["finish_reason"], "length", "{last}");
    assert!((800..1200).contains(&text.len()), "{} characters", text.len());
    // A server that ignores what was requested.
    let (text, last) = f.stream("endless", json!({"max_tokens": 10})).await;
    assert_eq!(last["choices"][0]["finish_reason"], "length", "{last}");
    assert!((800..1200).contains(&text.len()), "{} characters", text.len());
    f.app.stop().await;
}

#[tokio::test]
async fn conversations_are_written_as_a_template_takes_them() {
    let f = start(&[]).await;
    let say = |role: &str, content: Value| json!({"role": role, "content": content});
    f.ask("qwen", json!({"messages": [say("developer", json!("Be brief.")), say("user", json!("Hi"))]}))
        .await
        .expect(200);
    assert_eq!(f.asked("qwen").pop().unwrap()["messages"][0]["role"], "system");
    let messages = json!([
        say("system", json!("Be brief.")),
        say("user", json!("One")),
        say("user", json!("Two")),
        say("assistant", json!("A")),
        say("user", json!("Three"))
    ]);
    f.ask("gemma", json!({"messages": messages})).await.expect(200);
    let turns = spoken(&f.asked("gemma").pop().unwrap());
    let expected = [("user", "Be brief.\n\nOne\n\nTwo"), ("assistant", "A"), ("user", "Three")];
    assert_eq!(turns, expected.map(|(role, text)| (role.to_owned(), json!(text))));
    f.ask("gemma", json!({"messages": [say("assistant", json!("Welcome")), say("user", json!("Hi"))]}))
        .await
        .expect(200);
    assert_eq!(f.asked("gemma").pop().unwrap()["messages"].as_array().unwrap().len(), 3);
    let part = |text: &str| json!({"type": "text", "text": text});
    f.ask("text-only", json!({"messages": [say("user", json!([part("One"), part("Two")]))]})).await.expect(200);
    assert_eq!(f.asked("text-only").pop().unwrap()["messages"][0]["content"], "One\nTwo");
    // An image cannot be expressed in words.
    let picture = json!({"type": "image_url", "image_url": {"url": "data:,x"}});
    let refused = f.ask("text-only", json!({"messages": [say("user", json!([part("One"), picture]))]})).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    f.app.stop().await;
}

#[tokio::test]
async fn a_parameter_of_the_clients_own_is_not_dropped() {
    let f = start(&[]).await;
    for stream in [false, true] {
        let refused = f.ask("picky", json!({"top_p": 0.5, "stream": stream})).await;
        assert_eq!(refused.status, 400, "{}", refused.text);
        let error = &refused.json()["error"];
        assert_eq!(
            (&error["code"], &error["param"], &error["type"]),
            (&json!("unsupported_parameter"), &json!("top_p"), &json!("invalid_request_error"))
        );
        assert!(error["message"].as_str().unwrap().contains("'top_p' is not supported"), "{error}");
    }
    assert_eq!(f.asked("picky").len(), 2, "nothing was tried");
    f.app.stop().await;
}

#[tokio::test]
async fn errors_keep_their_code_parameter_and_words() {
    let f = start(&[]).await;
    for (model, status, code, words, retry) in [
        ("context", 400, "context_length_exceeded", "8192 tokens", None),
        ("vllm-context", 400, "context_length_exceeded", "2048 tokens", None),
        ("quota", 429, "insufficient_quota", "waiting does not help", Some("false")),
        ("region", 403, "unsupported_country_region_territory", "territory not supported", None),
        ("moderated", 403, "provider_moderation", "flagged; violence", None),
        ("credit", 402, "provider_billing", "fewer max_tokens", Some("false")),
        ("overloaded", 503, "provider_overloaded", "overloaded", None),
        ("openrouter", 400, "invalid_image", "image is too small", None),
        ("soon", 429, "rate_limit_exceeded", "slow down", None),
        ("inside", 400, "provider_rejected", "cannot reach", None),
        ("page", 502, "provider_bad_response", "Not Found", Some("false")),
    ] {
        let refused = f.ask(model, json!({})).await;
        let error = refused.json()["error"].clone();
        assert_eq!((refused.status.as_u16(), error["code"].as_str()), (status, Some(code)), "{model}: {error}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(words), "{model}: {message}");
        assert!(
            !message.contains("sk-") && !message.contains("10.1.2.3") && !message.contains("internal"),
            "{message}"
        );
        assert_eq!(refused.headers.get("x-should-retry").map(|v| v.to_str().unwrap()), retry, "{model}");
        if model == "soon" {
            assert_eq!(
                (&refused.headers["retry-after-ms"], &refused.headers["retry-after"]),
                (&"1500".parse().unwrap(), &"2".parse().unwrap())
            );
        }
        if model.ends_with("context") {
            assert_eq!(error["param"], "messages");
        }
    }
    let unknown = f
        .admin
        .post("/v1/chat/completions", &json!({"model": "gpt-5", "messages": [{"role": "user", "content": "x"}]}))
        .await;
    assert_eq!(unknown.status, 404);
    assert!(unknown.text.contains("up/plain") && unknown.text.contains("builtin/extractive"), "{}", unknown.text);
    f.app.stop().await;
}

#[tokio::test]
async fn what_comes_in_another_shape_than_asked_for_is_turned_into_it() {
    let f = start(&[]).await;
    for model in ["json-for-stream", "no-stream"] {
        let (text, last) = f.stream(model, json!({"stream_options": {"include_usage": true}})).await;
        assert_eq!((text.as_str(), &last["usage"]["total_tokens"]), ("hello", &json!(3)), "{model}: {last}");
    }
    let streamed = f.ask("json-for-stream", json!({"stream": true})).await.text;
    assert!(streamed.contains("\"index\":0") && streamed.contains("\"arguments\":\"{}\""), "{streamed}");
    for model in ["stream-for-json", "stream-as-text"] {
        let whole = f.ask(model, json!({})).await.expect(200);
        assert_eq!(
            (&whole["object"], &whole["choices"][0]["message"]["content"]),
            (&json!("chat.completion"), &json!("hello")),
            "{model}"
        );
        assert_eq!(f.stream(model, json!({})).await.0, "hello", "{model}");
    }
    assert_eq!(f.stream("halves", json!({})).await.0, "a😀b\u{fffd}");
    f.app.stop().await;
}

#[tokio::test]
async fn what_is_no_answer_is_told_by_what_it_is() {
    let f = start(&[]).await;
    let whole = f.ask("json-called-events", json!({})).await.expect(200);
    assert_eq!(whole["choices"][0]["message"]["content"], "hello");
    assert_eq!(f.stream("json-called-events", json!({})).await.0, "hello");
    assert_eq!(f.stream("lines", json!({})).await.0, "hello", "no empty lines between the events");
    for (model, status, code, words) in [
        ("error-called-events", 429, "insufficient_quota", "none left"),
        ("sign-in", 502, "provider_bad_response", "a page instead of JSON: Sign in to the proxy"),
        ("packed", 502, "provider_bad_response", "compressed (gzip) and cannot be unpacked"),
        ("moved", 502, "provider_bad_response", "redirects to another address (307)"),
        ("no-choice", 502, "provider_bad_response", "has no choices"),
    ] {
        for stream in [false, true] {
            let answer = f.ask(model, json!({"stream": stream})).await;
            let error = answer.json()["error"].clone();
            assert_eq!((answer.status.as_u16(), &error["code"]), (status, &json!(code)), "{model}: {error}");
            assert!(error["message"].as_str().unwrap().contains(words), "{model}: {error}");
            assert!(!error.to_string().contains("10.0.0.9"), "{error}");
        }
    }
    // Before the first text the error has a status.
    for (model, code, words) in [
        ("nothing", "provider_bad_response", "has no choices"),
        ("words", "provider_stream_cut", "before its answer began"),
    ] {
        for stream in [false, true] {
            let answer = f.ask(model, json!({"stream": stream})).await;
            let error = answer.json()["error"].clone();
            assert_eq!((answer.status.as_u16(), &error["code"]), (502, &json!(code)), "{model}: {error}");
            assert!(error["message"].as_str().unwrap().contains(words), "{model}: {error}");
        }
    }
    for (model, code, words) in [
        ("said-bare", "provider_error", "out of memory"),
        ("said-in-list", "provider_error", "out of memory"),
        ("said-in-words", "provider_error", "out of memory"),
        ("said-unframed", "provider_error", "out of memory"),
    ] {
        let streamed = f.ask(model, json!({"stream": true})).await;
        let events: Vec<&str> = streamed.text.lines().filter_map(|l| l.strip_prefix("data: ")).collect();
        let error: Value = serde_json::from_str(events[events.len() - 2]).unwrap();
        assert_eq!(
            (&error["error"]["code"], events.last()),
            (&json!(code), Some(&"[DONE]")),
            "{model}: {}",
            streamed.text
        );
        assert!(error["error"]["message"].as_str().unwrap().contains(words), "{model}: {error}");
        let whole = f.ask(model, json!({})).await;
        assert_eq!((whole.status.as_u16(), &whole.json()["error"]["code"]), (502, &json!(code)), "{model}");
    }
    f.app.stop().await;
}

#[tokio::test]
async fn what_stands_beside_the_text_of_a_stream_is_in_the_whole_answer_too() {
    let f = start(&[]).await;
    let whole = f.ask("beside", json!({})).await.expect(200);
    let choice = &whole["choices"][0];
    assert_eq!((&choice["message"]["content"], &choice["stop_reason"]), (&json!("ab"), &json!("x")), "{whole}");
    assert_eq!(choice["logprobs"]["content"], json!([{"token": "a"}, {"token": "b"}]), "{whole}");
    f.app.stop().await;
}

#[tokio::test]
async fn what_else_is_asked_of_an_embedding_model_reaches_it() {
    let f = start(&[]).await;
    let more = json!({"input_type": "classification", "user": "u", "truncate": "END", "dimensions": 2, "none": null});
    for (model, input) in [("texts", json!(["a"])), ("ids", json!([[1, 2]]))] {
        let mut body = json!({"model": format!("up/{model}"), "input": input});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        f.admin.post("/v1/embeddings", &body).await.expect(200);
        let asked = f.asked(model).pop().unwrap();
        for name in ["input_type", "user", "truncate", "dimensions"] {
            assert_eq!(asked[name], more[name], "{asked}");
        }
        assert!(asked.get("none").is_none() && asked["encoding_format"] == "float", "{asked}");
    }
    let ours = json!({"model": "embed", "input": "a", "input_type": "classification"});
    assert_eq!(f.admin.post("/v1/embeddings", &ours).await.json()["error"]["param"], "input_type");
    f.app.stop().await;
}

#[tokio::test]
async fn a_server_that_loads_its_model_is_waited_for() {
    let f = start(&[]).await;
    assert_eq!(f.stream("loading", json!({})).await.0, "hello");
    assert_eq!(f.asked("loading").len(), 3);
    f.app.stop().await;
    let f = start(&[("HOLDFAST_LLM__PROVIDERS__UP__TIMEOUT_SECONDS", "1")]).await;
    let refused = f.ask("loading", json!({})).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["error"]["code"]), (503, &json!("provider_loading")));
    f.app.stop().await;
}

#[tokio::test]
async fn tokens_are_texts_to_whoever_knows_them() {
    let f = start(&[]).await;
    let ask = |model: &str, input: Value| {
        let body = json!({"model": model, "input": input});
        let admin = f.admin.clone();
        async move { admin.post("/v1/embeddings", &body).await }
    };
    // "hello world" in cl100k_base.
    let ids = json!([15339, 1917]);
    let text = ask("embed", json!("hello world")).await.expect(200);
    for input in [ids.clone(), json!([ids.clone()])] {
        let tokens = ask("embed", input).await.expect(200);
        assert_eq!(tokens["data"][0]["embedding"], text["data"][0]["embedding"]);
    }
    assert_eq!(ask("embed", json!([[15339, 1917], [15339]])).await.expect(200)["data"].as_array().unwrap().len(), 2);
    let unknown = ask("embed", json!([[15339], [4_000_000]])).await;
    let error = unknown.json()["error"].clone();
    assert_eq!(
        (unknown.status.as_u16(), &error["code"], &error["param"]),
        (400, &json!("invalid_token"), &json!("input[1]"))
    );
    ask("up/e", json!([[15339, 1917]])).await.expect(200);
    assert_eq!(f.asked("e").pop().unwrap()["input"], json!([[15339, 1917]]), "a provider gets them as they are");
    ask("up/strict", json!(["a"])).await.expect(200);
    ask("up/strict", json!(["a"])).await.expect(200);
    assert_eq!(f.asked("strict").len(), 3, "refused once, then remembered");
    f.app.stop().await;
}

#[tokio::test]
async fn pages_of_named_origins_may_call_v1_and_no_others() {
    let f = start(&[("HOLDFAST_SERVER__CORS_ORIGINS", "https://app.example.com")]).await;
    let client = f.app.anonymous();
    let preflight = |origin: &str, path: &str| {
        let request = client
            .request(Method::OPTIONS, path)
            .header("origin", origin)
            .header("access-control-request-method", "POST");
        client.send(request.header("access-control-request-headers", "authorization,content-type,x-stainless-lang"))
    };
    let allowed =
        |headers: &HeaderMap| headers.get("access-control-allow-origin").map(|v| v.to_str().unwrap().to_owned());
    let fine = preflight("https://app.example.com", "/v1/chat/completions").await;
    assert_eq!(
        (fine.status.as_u16(), allowed(&fine.headers).as_deref()),
        (204, Some("https://app.example.com")),
        "{}",
        fine.text
    );
    assert!(fine.headers["access-control-allow-headers"].to_str().unwrap().contains("x-stainless-lang"));
    assert!(fine.headers.get("access-control-allow-credentials").is_none());
    for (origin, path) in [
        ("https://evil.example.com", "/v1/models"),
        ("https://app.example.com.evil.com", "/v1/models"),
        ("null", "/v1/models"),
        ("https://app.example.com", "/api/v1/agents"),
    ] {
        assert_eq!(allowed(&preflight(origin, path).await.headers), None, "{origin} {path}");
    }
    // Errors are readable too: a page must see the reason.
    let refused = client
        .send(
            client
                .request(Method::GET, "/v1/models")
                .header("origin", "https://app.example.com")
                .bearer_auth("hf_wrong"),
        )
        .await;
    assert_eq!((refused.status.as_u16(), allowed(&refused.headers).is_some()), (401, true));
    assert!(refused.headers.get_all("vary").iter().any(|v| v == "origin"));
    f.app.stop().await;
    let f = start(&[]).await;
    let off = f.app.anonymous();
    let answer = off
        .send(
            off.request(Method::OPTIONS, "/v1/models")
                .header("origin", "https://app.example.com")
                .header("access-control-request-method", "GET"),
        )
        .await;
    assert_eq!(allowed(&answer.headers), None, "off by default");
    f.app.stop().await;
}
