//! Answers that deviate from OpenAI's format, collected from bug reports: what reaches the client, and what is counted.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_compression::tokio::write::GzipEncoder;
use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use futures::stream;
use holdfast::platform::lifecycle::Lifecycle;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::app::{Answer, Client, TestApp};

/// Requests as received.
type Seen = Arc<Mutex<Vec<Value>>>;

fn answer(status: u16, kind: &str, body: impl Into<Body>) -> Response {
    (StatusCode::from_u16(status).unwrap(), [(header::CONTENT_TYPE, kind.to_owned())], body.into()).into_response()
}

fn json_answer(body: &Value) -> Response {
    answer(200, "application/json", body.to_string())
}

/// Events, `[DONE]` included.
fn events(chunks: &[Value]) -> String {
    chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).chain(["data: [DONE]\n\n".to_owned()]).collect()
}

fn delta(delta: &Value) -> Value {
    json!({"id": "c", "object": "chat.completion.chunk", "created": 5, "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
}

fn ended(reason: &Value) -> Value {
    json!({"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
}

fn streamed(chunks: &[Value]) -> Response {
    answer(200, "text/event-stream", events(chunks))
}

fn call(index: Option<u64>, id: &str, name: &str, arguments: &str) -> Value {
    let mut call = json!({"type": "function", "function": {"name": name, "arguments": arguments}});
    if let Some(index) = index {
        call["index"] = json!(index);
    }
    if !id.is_empty() {
        call["id"] = json!(id);
    }
    delta(&json!({"tool_calls": [call]}))
}

async fn packed(text: &str) -> Vec<u8> {
    let mut encoder = GzipEncoder::new(Vec::new());
    encoder.write_all(text.as_bytes()).await.unwrap();
    encoder.shutdown().await.unwrap();
    // Padded, as some servers do.
    [encoder.into_inner().as_slice(), &[0; 5]].concat()
}

/// In pieces, as a network delivers them.
fn coded(status: u16, kind: &str, coding: &str, bytes: &[u8]) -> Response {
    let pieces: Vec<Result<Bytes, std::io::Error>> = bytes.chunks(9).map(|c| Ok(Bytes::copy_from_slice(c))).collect();
    let mut response = answer(status, kind, Body::from_stream(stream::iter(pieces)));
    response.headers_mut().insert(header::CONTENT_ENCODING, coding.parse().unwrap());
    response
}

async fn chat(State(seen): State<Seen>, Json(body): Json<Value>) -> Response {
    seen.lock().unwrap().push(body.clone());
    let hello = json!({"id": "w", "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}]});
    let said = [
        delta(&json!({"role": "assistant", "content": "hel"})),
        delta(&json!({"content": "lo"})),
        ended(&json!("stop")),
    ];
    let broken_off =
        |last: &str| answer(200, "text/event-stream", format!("data: {}\n\n{last}\n\ndata: [DONE]\n\n", said[0]));
    let (zero, streams) = (Some(0), body["stream"] == true);
    match body["model"].as_str().unwrap() {
        "text" if streams => {
            let piece = |text: &str, reason: Value| json!({"id": "t", "object": "text_completion", "choices": [{"index": 0, "text": text, "logprobs": null, "finish_reason": reason}]});
            streamed(&[piece("hel", json!("")), piece("lo", json!("")), piece("", json!("eos_token"))])
        }
        "text" => json_answer(
            &json!({"id": "t", "object": "text_completion", "choices": [{"index": 0, "text": "hello", "logprobs": null, "finish_reason": "length"}]}),
        ),
        "delta" => json_answer(
            &json!({"id": "d", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}]}),
        ),
        "twice" => answer(
            200,
            "text/event-stream",
            format!(
                "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"role\":\"x\",\"content\":\"hello\",\"role\":\"assistant\"}}}}]}}\n\ndata: {}\n\ndata: [DONE]\n\n",
                ended(&json!("stop"))
            ),
        ),
        "gemini" => streamed(&[
            call(zero, "a", "one", "{\"q\":1}"),
            call(zero, "b", "one", "{\"q\":2}"),
            call(zero, "c", "two", "{}"),
            ended(&json!("tool_calls")),
        ]),
        "numberless" => streamed(&[
            call(None, "a", "one", "{\"q\":1}"),
            call(None, "b", "one", "{\"q\":2}"),
            call(None, "c", "two", "{}"),
            ended(&json!("tool_calls")),
        ]),
        "blank-ids" => streamed(&[
            call(zero, "a", "one", ""),
            delta(
                &json!({"tool_calls": [{"index": 0, "id": "", "type": "function", "function": {"name": "", "arguments": "{\"q\""}}]}),
            ),
            delta(
                &json!({"tool_calls": [{"index": 0, "id": null, "type": null, "function": {"name": null, "arguments": ":1}"}}]}),
            ),
            ended(&json!("tool_calls")),
        ]),
        "no-reason" => streamed(&said[..2]),
        "no-reason-tools" => streamed(&[call(zero, "a", "one", "{}")]),
        "max-tokens" if streams => streamed(&[said[0].clone(), ended(&json!("MAX_TOKENS"))]),
        "max-tokens" => json_answer(
            &json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": "hel"}, "finish_reason": "max_tokens"}]}),
        ),
        // llama.cpp of 2025, before the first text and after it.
        "beside-first" => answer(
            200,
            "text/event-stream",
            "error: {\"code\":400,\"message\":\"the request exceeds the available context size\",\"type\":\"invalid_request_error\"}\n\ndata: [DONE]\n\n",
        ),
        "beside-later" => broken_off("error: {\"code\":500,\"message\":\"out of memory\",\"type\":\"server_error\"}"),
        "error-event" => broken_off("event: error\ndata: {\"type\":\"capacity\",\"info\":\"out of memory\"}"),
        "limited-first" => streamed(&[json!({"error": {"message": "slow down", "code": 429}})]),
        // OpenRouter.
        "choice-error" if streams => {
            let failed = json!({"id": "c", "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error", "error": {"code": 502, "message": "out of memory"}}]});
            streamed(&[said[0].clone(), failed])
        }
        "choice-error" => json_answer(
            &json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": ""}, "finish_reason": "error", "error": {"code": 502, "message": "out of memory"}}]}),
        ),
        "usage-empty" => streamed(&[said[0].clone(), json!({"choices": [], "usage": {}}), ended(&json!("stop"))]),
        "usage-zero" => streamed(&[
            said[0].clone(),
            json!({"choices": [{"index": 0, "delta": {"content": "lo"}}], "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}}),
            ended(&json!("stop")),
        ]),
        "usage-last-zero" => streamed(&[
            json!({"choices": [{"index": 0, "delta": {"content": "hello"}}], "usage": {"prompt_tokens": 40, "completion_tokens": 7}}),
            json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 0, "completion_tokens": 0}}),
        ]),
        "usage-other-names" => streamed(&[
            said[0].clone(),
            ended(&json!("stop")),
            json!({"choices": [], "usage": {"input_tokens": 40, "output_tokens": 7}}),
        ]),
        "usage-half" => streamed(&[
            said[0].clone(),
            ended(&json!("stop")),
            json!({"choices": [], "usage": {"prompt_tokens": 0, "completion_tokens": 7}}),
        ]),
        "packed" if streams => coded(200, "text/event-stream", "gzip", &packed(&events(&said)).await),
        "packed" => coded(200, "application/json", "gzip", &packed(&hello.to_string()).await),
        "packed-error" => coded(
            400,
            "application/json",
            "x-gzip",
            &packed(r#"{"error":{"message":"top_p is wrong","code":"bad_top_p"}}"#).await,
        ),
        "packed-otherwise" => coded(200, "application/json", "zstd", b"x"),
        "packed-badly" => coded(200, "application/json", "gzip", b"no gzip at all"),
        "empty" => answer(200, "application/json", ""),
        _ if streams => streamed(&said),
        _ => json_answer(&hello),
    }
}

async fn models(Path(shape): Path<String>) -> Response {
    let model = |id: &str| json!({"id": id, "object": "model"});
    match shape.as_str() {
        "llamacpp" => json_answer(
            &json!({"models": [{"name": "qwen", "model": "qwen", "details": {}}], "object": "list", "data": [model("qwen")]}),
        ),
        "together" => json_answer(&json!([model("meta/llama"), model("qwen")])),
        "refused" => json_answer(&json!({"error": "unauthorized client"})),
        "packed" => {
            coded(200, "application/json", "gzip", &packed(&json!({"data": [model("qwen")]}).to_string()).await)
        }
        _ => json_answer(&json!({"object": "list", "data": [model("plain")]})),
    }
}

struct Fixture {
    app: TestApp,
    admin: Client,
    seen: Seen,
}

async fn start() -> Fixture {
    let seen = Seen::default();
    let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let url = |shape: &str| format!("http://{}/{shape}/v1", listener.local_addr().unwrap());
    let urls: Vec<(String, String)> = ["UP", "LLAMACPP", "TOGETHER", "REFUSED", "PACKED"]
        .map(|name| (format!("HOLDFAST_LLM__PROVIDERS__{name}__BASE_URL"), url(&name.to_lowercase())))
        .into();
    let router = Router::new()
        .route("/{shape}/v1/chat/completions", post(chat))
        .route("/{shape}/v1/models", get(models))
        .with_state(seen.clone());
    Lifecycle::new().spawn("upstream", async move { axum::serve(listener, router).await.unwrap() });
    let settings: Vec<(&str, &str)> = urls.iter().map(|(name, url)| (name.as_str(), url.as_str())).collect();
    let app = TestApp::start_with(&settings).await;
    let admin = app.admin().await;
    Fixture { app, admin, seen }
}

impl Fixture {
    async fn ask(&self, model: &str, more: Value) -> Answer {
        let mut body = json!({"model": format!("up/{model}"), "messages": [{"role": "user", "content": "Hello there, how are you today?"}]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.admin.post("/v1/chat/completions", &body).await
    }

    /// The events of a streamed answer; the last is `[DONE]`.
    async fn stream(&self, model: &str) -> Vec<Value> {
        let answer = self.ask(model, json!({"stream": true})).await;
        assert_eq!(answer.status, 200, "{model}: {}", answer.text);
        let data: Vec<&str> = answer.text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
        assert_eq!(data.last(), Some(&"[DONE]"), "{model}: {}", answer.text);
        data[..data.len() - 1].iter().map(|d| serde_json::from_str(d).unwrap()).collect()
    }

    /// Input tokens, output tokens, and whether they are estimated, of the latest call, once its row is written.
    async fn counted(&self, model: &str) -> (i64, i64, bool) {
        for _ in 0..100 {
            let usage = self.admin.get("/api/v1/llm/usage").await.expect(200);
            let rows = usage["by_model"].as_array().unwrap().clone();
            if let Some(row) = rows.iter().find(|row| row["model"] == model) {
                let number = |key: &str| row[key].as_i64().unwrap_or_else(|| panic!("{key}: {row}"));
                return (number("prompt_tokens"), number("completion_tokens"), number("estimated") > 0);
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("no usage of {model}");
    }
}

fn text(chunks: &[Value]) -> String {
    chunks.iter().filter_map(|c| c["choices"][0]["delta"]["content"].as_str()).collect()
}

fn reasons(chunks: &[Value]) -> Vec<&str> {
    chunks.iter().filter_map(|c| c["choices"][0]["finish_reason"].as_str()).collect()
}

#[tokio::test]
async fn a_text_arrives_wherever_the_server_put_it() {
    let f = start().await;
    for (model, reason) in [("text", "length"), ("delta", "stop"), ("packed", "stop")] {
        let whole = f.ask(model, json!({})).await.expect(200);
        let choice = &whole["choices"][0];
        assert_eq!(
            (&choice["message"]["content"], &choice["finish_reason"]),
            (&json!("hello"), &json!(reason)),
            "{whole}"
        );
    }
    for model in ["text", "packed", "twice"] {
        let chunks = f.stream(model).await;
        assert_eq!(
            (text(&chunks).as_str(), reasons(&chunks).as_slice()),
            ("hello", ["stop"].as_slice()),
            "{model}: {chunks:?}"
        );
        assert!(
            chunks.iter().all(|c| c["object"] != "text_completion" && c["choices"][0].get("text").is_none()),
            "{chunks:?}"
        );
    }
    let refused = f.ask("packed-error", json!({})).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json()["error"]["code"]),
        (400, &json!("bad_top_p")),
        "{}",
        refused.text
    );
    for (model, words) in [
        ("packed-otherwise", "compressed (zstd)"),
        ("packed-badly", "compressed (gzip) and cannot be unpacked"),
        ("empty", "its answer is empty"),
    ] {
        let refused = f.ask(model, json!({})).await;
        assert_eq!(refused.status, 502, "{model}: {}", refused.text);
        assert!(refused.text.contains(words), "{model}: {}", refused.text);
    }
    f.app.stop().await;
}

#[tokio::test]
async fn each_tool_call_stays_whole() {
    let f = start().await;
    let arguments = [("one", "{\"q\":1}"), ("one", "{\"q\":2}"), ("two", "{}")];
    for model in ["gemini", "numberless"] {
        let chunks = f.stream(model).await;
        let numbers: Vec<u64> =
            chunks.iter().filter_map(|c| c["choices"][0]["delta"]["tool_calls"][0]["index"].as_u64()).collect();
        assert_eq!(numbers, [0, 1, 2], "{model}: {chunks:?}");
        let whole = f.ask(model, json!({})).await.expect(200);
        let calls = whole["choices"][0]["message"]["tool_calls"].as_array().unwrap();
        let found: Vec<(&str, &str)> = calls
            .iter()
            .map(|c| (c["function"]["name"].as_str().unwrap(), c["function"]["arguments"].as_str().unwrap()))
            .collect();
        assert_eq!(found, arguments, "{model}: {whole}");
    }
    let whole = f.ask("blank-ids", json!({})).await.expect(200);
    let expected = json!([{"id": "a", "type": "function", "function": {"name": "one", "arguments": "{\"q\":1}"}}]);
    assert_eq!(whole["choices"][0]["message"]["tool_calls"], expected, "{whole}");
    f.app.stop().await;
}

#[tokio::test]
async fn an_answer_says_why_it_ended() {
    let f = start().await;
    for (model, said, reason) in
        [("no-reason", "hello", "stop"), ("no-reason-tools", "", "tool_calls"), ("max-tokens", "hel", "length")]
    {
        let chunks = f.stream(model).await;
        assert_eq!(
            (text(&chunks).as_str(), reasons(&chunks).as_slice()),
            (said, [reason].as_slice()),
            "{model}: {chunks:?}"
        );
        let whole = f.ask(model, json!({})).await.expect(200);
        assert_eq!(whole["choices"][0]["finish_reason"], reason, "{model}: {whole}");
    }
    let last = f.stream("max-tokens").await.pop().unwrap();
    assert_eq!(last["choices"][0]["native_finish_reason"], "MAX_TOKENS", "{last}");
    let made = f.stream("no-reason").await.pop().unwrap();
    assert_eq!(
        (&made["id"], &made["object"], &made["created"]),
        (&json!("c"), &json!("chat.completion.chunk"), &json!(5)),
        "{made}"
    );
    f.app.stop().await;
}

#[tokio::test]
async fn an_error_in_a_good_answer_is_an_error() {
    let f = start().await;
    // Before the first text: with a status.
    for (model, status, code, words) in [
        ("beside-first", 400, "context_length_exceeded", "exceeds the available context size"),
        ("limited-first", 429, "provider_rate_limited", "slow down"),
    ] {
        for stream in [true, false] {
            let refused = f.ask(model, json!({"stream": stream})).await;
            let error = refused.json()["error"].clone();
            assert_eq!((refused.status.as_u16(), &error["code"]), (status, &json!(code)), "{model} {stream}: {error}");
            assert!(error["message"].as_str().unwrap().contains(words), "{error}");
        }
    }
    // After it: as a later event, and in place of a whole answer.
    for model in ["beside-later", "error-event", "choice-error"] {
        let chunks = f.stream(model).await;
        assert_eq!(text(&chunks), "hel", "{model}: {chunks:?}");
        let error = &chunks.last().unwrap()["error"];
        let words = if model == "error-event" { "it failed" } else { "out of memory" };
        assert!(error["message"].as_str().is_some_and(|m| m.contains(words)), "{model}: {chunks:?}");
        let whole = f.ask(model, json!({})).await;
        assert_eq!(
            (whole.status.as_u16(), &whole.json()["error"]["code"]),
            (502, &json!("provider_error")),
            "{model}: {}",
            whole.text
        );
    }
    let metrics = f.app.app.telemetry.encode();
    for (failure, count) in [("too_long", 2), ("rate_limited", 2), ("server", 6), ("auth", 0)] {
        let sample = format!("holdfast_llm_provider_failures_total{{provider=\"up\",failure=\"{failure}\"}} {count}\n");
        assert!(metrics.contains(&sample), "{sample} in {metrics}");
    }
    f.app.stop().await;
}

#[tokio::test]
async fn usage_is_what_was_counted_and_a_guess_where_nothing_was() {
    let f = start().await;
    for (model, expected) in [
        ("usage-empty", None),
        ("usage-zero", None),
        ("usage-last-zero", Some((40, 7, false))),
        ("usage-other-names", Some((40, 7, false))),
        ("usage-half", Some((8, 7, true))),
    ] {
        f.stream(model).await;
        let (input, output, guessed) = f.counted(model).await;
        match expected {
            Some(expected) => assert_eq!((input, output, guessed), expected, "{model}"),
            None => assert!(input > 0 && output > 0 && guessed, "{model}: {input} {output} {guessed}"),
        }
    }
    // A client that asks for usage gets it.
    let answer = f.ask("usage-empty", json!({"stream": true, "stream_options": {"include_usage": true}})).await;
    let last = answer.text.lines().filter_map(|l| l.strip_prefix("data: ")).rev().nth(1).unwrap().to_owned();
    let usage = serde_json::from_str::<Value>(&last).unwrap()["usage"].clone();
    assert!(usage["prompt_tokens"].as_u64() > Some(0) && usage["estimated"] == true, "{}", answer.text);
    f.app.stop().await;
}

#[tokio::test]
async fn models_are_listed_in_whatever_shape() {
    let f = start().await;
    let listed = f.admin.get("/v1/models").await.expect(200);
    let ids: Vec<&str> = listed["data"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap()).collect();
    for expected in ["llamacpp/qwen", "together/meta/llama", "together/qwen", "packed/qwen", "up/plain"] {
        assert!(ids.contains(&expected), "{expected} is not in {ids:?}");
    }
    assert_eq!(ids.iter().filter(|id| id.starts_with("llamacpp/")).count(), 1, "{ids:?}");
    for path in ["/v1/models/together/meta/llama", "/v1/models/together%2Fmeta%2Fllama"] {
        assert_eq!(f.admin.get(path).await.expect(200)["id"], "together/meta/llama", "{path}");
    }
    let test = f.admin.post("/api/v1/llm/providers/refused/test", &json!({})).await.expect(200);
    assert!(test["error"]["detail"].as_str().unwrap().contains("unauthorized client"), "{test}");
    f.app.stop().await;
}

/// A server that closes its kept-alive connections at the moment a request arrives on one, as uvicorn does after five
/// seconds. Counts the requests it reads.
async fn closing_server(asked: Arc<AtomicUsize>) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let address = listener.local_addr().unwrap();
    Lifecycle::new().spawn("closing", async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let asked = asked.clone();
            Lifecycle::new().spawn("connection", async move {
                let mut bytes = vec![0; 1 << 16];
                for turn in 0.. {
                    if matches!(socket.read(&mut bytes).await, Ok(0) | Err(_)) {
                        return;
                    }
                    asked.fetch_add(1, Ordering::SeqCst);
                    if turn == 1 || bytes.windows(8).any(|w| w == b"hopeless") {
                        return;
                    }
                    let body = r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}]}"#;
                    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
                    socket.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn a_kept_connection_that_just_ended_is_no_failure() {
    let asked = Arc::new(AtomicUsize::new(0));
    let url = format!("http://{}/v1", closing_server(asked.clone()).await);
    let app = TestApp::start_with(&[
        ("HOLDFAST_LLM__PROVIDERS__UP__BASE_URL", &url),
        ("HOLDFAST_LLM__PROVIDERS__UP__MODELS", "m,hopeless"),
    ])
    .await;
    let admin = app.admin().await;
    let ask = |model: &str| {
        let (admin, body) =
            (admin.clone(), json!({"model": format!("up/{model}"), "messages": [{"role": "user", "content": "x"}]}));
        async move { admin.post("/v1/chat/completions", &body).await }
    };
    for turn in 0..4 {
        assert_eq!(ask("m").await.expect(200)["choices"][0]["message"]["content"], "hello", "{turn}");
    }
    let before = asked.load(Ordering::SeqCst);
    let broken = ask("hopeless").await;
    assert_eq!(
        (broken.status.as_u16(), &broken.json()["error"]["code"]),
        (502, &json!("provider_unreachable")),
        "{}",
        broken.text
    );
    assert!(asked.load(Ordering::SeqCst) - before <= 3, "once more, not for ever");
    app.stop().await;
}

#[tokio::test]
async fn what_a_library_sends_back_of_an_answer_is_taken() {
    let f = start().await;
    let messages = json!([
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b", "refusal": null, "tool_calls": [], "function_call": null, "audio": null},
        {"role": "user", "content": "c"}
    ]);
    f.ask("plain", json!({"messages": messages})).await.expect(200);
    let sent = f.seen.lock().unwrap().last().unwrap()["messages"][1].clone();
    assert_eq!(sent, json!({"role": "assistant", "content": "b"}));
    f.app.stop().await;
}
