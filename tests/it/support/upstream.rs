//! A model server that speaks OpenAI's format and answers as its model's name says.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use futures::{StreamExt as _, stream};
use holdfast::platform::lifecycle::Lifecycle;
use serde_json::{Value, json};

/// The server; provider `mock` of the appliance's configuration.
#[derive(Clone, Default)]
pub struct Upstream {
    pub base_url: String,
    seen: Arc<Mutex<Vec<Value>>>,
    traces: Arc<Mutex<Vec<String>>>,
    cancelled: Arc<AtomicUsize>,
    written: Arc<AtomicUsize>,
}

/// Counts when an answer is given up before its end.
struct Cancelled(Arc<AtomicUsize>);

impl Drop for Cancelled {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Upstream {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let upstream = Self { base_url, ..Self::default() };
        let names = ["cites", "slow", "silent", "broken", "limited", "cut"].into_iter().chain(ODD);
        let models = json!({"object": "list", "data": names.map(|id| json!({"id": id})).collect::<Vec<_>>()});
        let router = Router::new()
            .route("/v1/models", get(|| async { Json(models) }))
            .route("/v1/chat/completions", post(chat))
            .with_state(upstream.clone());
        Lifecycle::new().spawn("upstream", async move { axum::serve(listener, router).await.unwrap() });
        upstream
    }

    /// The setting that makes it the provider `mock`.
    pub fn setting(&self) -> (&'static str, &str) {
        ("HOLDFAST_LLM__PROVIDERS__MOCK__BASE_URL", &self.base_url)
    }

    /// The last request that it got.
    pub fn last_request(&self) -> Value {
        self.seen.lock().unwrap().last().cloned().unwrap_or_default()
    }

    /// `traceparent` of the last request; empty where it had none.
    pub fn last_trace(&self) -> String {
        self.traces.lock().unwrap().last().cloned().unwrap_or_default()
    }

    /// Answers that were given up before their end.
    pub fn cancelled(&self) -> usize {
        self.cancelled.load(Ordering::SeqCst)
    }

    /// Pieces of all answers so far.
    pub fn written(&self) -> usize {
        self.written.load(Ordering::SeqCst)
    }
}

fn word(text: &str) -> String {
    delta(&json!({"content": text}))
}

fn delta(delta: &Value) -> String {
    let chunk = json!({"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta}]});
    format!("data: {chunk}\n\n")
}

fn ended(reason: &str) -> String {
    format!("data: {}\n\ndata: [DONE]\n\n", json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}))
}

/// Models whose answers are none, or hold more than an answer.
const ODD: [&str; 18] = [
    "turns",
    "tagged",
    "unopened",
    "reasons",
    "only-thinking",
    "thinks-to-the-limit",
    "filtered",
    "half-filtered",
    "refuses",
    "refuses-in-parts",
    "tools",
    "parts",
    "empty",
    "long",
    "lists",
    "fails-inside",
    "empty-reasons",
    "aborts",
];

/// What such a model says; `None` for the others.
fn odd(model: &str, body: &Value) -> Option<Vec<String>> {
    let words = |text: &str| text.split_inclusive(' ').map(word).collect::<Vec<_>>();
    let with = |mut events: Vec<String>, reason: &str| {
        events.push(ended(reason));
        events
    };
    let said = body["messages"].as_array().unwrap().last().unwrap()["content"].as_str().unwrap_or_default();
    Some(match model {
        "tagged" => {
            with(["<th", "ink>I read [1] an", "d [1, 1].</thi", "nk>\n\nIt is ", "so."].map(word).to_vec(), "stop")
        }
        "unopened" => with(words("I should read [1]. So it is.\n</think>\n\nIt is so."), "stop"),
        "reasons" => with(vec![delta(&json!({"reasoning_content": "I read [1]."})), word("It is so.")], "stop"),
        "only-thinking" => {
            with(vec![delta(&json!({"reasoning_content": "Hm."})), delta(&json!({"content": ""}))], "stop")
        }
        "thinks-to-the-limit" => with(words("<think>and on and on"), "length"),
        "filtered" => with(vec![], "content_filter"),
        "half-filtered" => with(words("Half of it"), "content_filter"),
        "refuses" => with(
            vec![delta(&json!({"content": null, "refusal": "I will "})), delta(&json!({"refusal": "not."}))],
            "stop",
        ),
        "refuses-in-parts" => {
            with(vec![delta(&json!({"content": [{"type": "refusal", "refusal": "I will not."}]}))], "stop")
        }
        "tools" => {
            let call = json!({"tool_calls": [{"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]});
            with(vec![delta(&call)], "tool_calls")
        }
        "parts" => {
            let thinking =
                json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm [1]."}]}]});
            let text = |text: &str| delta(&json!({"content": [{"type": "text", "text": text}]}));
            with(vec![delta(&thinking), text("It is "), text("so.")], "stop")
        }
        "turns" => with(vec![word("Open `in\u{202e}fdp.exe` [a\u{2066}b](https://example.org \"t\u{202e}\")")], "stop"),
        "empty" => with(vec![word(" \n")], "stop"),
        "long" if said.starts_with("Your answer was cut off") => with(words("after this it ends."), "stop"),
        "long" => with(words("It begins and "), "length"),
        "lists" => with(words("Set `ports = [8080, 9090]`, read `arr[1]`, see [2019] and [1]."), "stop"),
        "fails-inside" => {
            let error = json!({"error": {"message": "out of memory", "code": 500}});
            vec![word("half "), word("an answer ["), format!("data: {error}\n\n")]
        }
        "aborts" => with(words("Half of it"), "abort"),
        // An empty reason on every chunk, and no end.
        "empty-reasons" => {
            vec![format!("data: {}\n\n", json!({"choices": [{"delta": {"content": "half"}, "finish_reason": ""}]}))]
        }
        _ => return None,
    })
}

fn end() -> String {
    let stop = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
    let usage = json!({"choices": [], "usage": {"prompt_tokens": 40, "completion_tokens": 9, "total_tokens": 49}});
    format!("data: {stop}\n\ndata: {usage}\n\ndata: [DONE]\n\n")
}

async fn chat(State(upstream): State<Upstream>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    let trace = headers.get("traceparent").map(|value| value.to_str().unwrap().to_owned());
    upstream.traces.lock().unwrap().push(trace.unwrap_or_default());
    upstream.seen.lock().unwrap().push(body.clone());
    let refuse = |status: StatusCode| (status, Json(json!({"error": {"message": "no", "type": "t"}}))).into_response();
    let model = body["model"].as_str().unwrap();
    let (pause, events) = match model {
        _ if ODD.contains(&model) => (Duration::ZERO, odd(model, &body).unwrap()),
        "broken" => return refuse(StatusCode::INTERNAL_SERVER_ERROR),
        "limited" => {
            let mut response = refuse(StatusCode::TOO_MANY_REQUESTS);
            response.headers_mut().insert(header::RETRY_AFTER, "7".parse().unwrap());
            return response;
        }
        "cut" => (Duration::from_millis(20), vec![word("half "), word("an answer")]),
        "slow" => (Duration::from_millis(40), (0..2000).map(|n| word(&format!("w{n} "))).chain([end()]).collect()),
        "silent" => (Duration::from_millis(2500), vec![word("At last."), end()]),
        _ => {
            let words = ["The answer ", "stands in [1", "] and not ", "in [7", "].", " Both: [1", ", 9]"];
            (Duration::ZERO, words.map(word).into_iter().chain([end()]).collect())
        }
    };
    let mut guard = Some(Cancelled(upstream.cancelled.clone()));
    let last = events.len() - 1;
    let body = stream::iter(events.into_iter().enumerate()).then(move |(at, event)| {
        if at == last {
            // It was heard to the end.
            std::mem::forget(guard.take());
        }
        let written = upstream.written.clone();
        async move {
            tokio::time::sleep(pause).await;
            written.fetch_add(1, Ordering::SeqCst);
            Ok::<_, std::io::Error>(Bytes::from(event))
        }
    });
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(body)).into_response()
}
