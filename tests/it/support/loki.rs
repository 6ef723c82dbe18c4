//! A Loki that counts: decodes what it is sent, answers as it is told, goes away and comes back.

use std::{
    collections::{BTreeMap, VecDeque},
    io::Read as _,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::stand_in::StandIn;

/// A line as it came.
#[derive(Clone, Debug)]
pub struct Received {
    pub labels: String,
    pub nanos: i64,
    pub line: String,
    /// Structured metadata.
    pub metadata: BTreeMap<String, String>,
}

/// How a push is answered.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Taken after this long.
    Take(Duration),
    /// With this status, and `Retry-After` in seconds.
    Refuse(u16, Option<u64>),
    /// 200 and a page, as whoever wants a person to sign in first.
    Page,
}

#[derive(Default)]
struct Inner {
    received: Mutex<Vec<Received>>,
    /// Answers to the next pushes; then each is taken at once.
    answers: Mutex<VecDeque<Answer>>,
    /// Bytes of the lines of each push.
    sizes: Mutex<Vec<usize>>,
    /// When pushes came.
    times: Mutex<Vec<Instant>>,
    headers: Mutex<HeaderMap>,
    queries: Mutex<Vec<BTreeMap<String, String>>>,
    pushes: AtomicUsize,
}

/// The server.
pub struct Loki {
    server: StandIn,
    inner: Arc<Inner>,
}

impl Loki {
    /// Listens on a port of its own.
    pub fn start() -> Self {
        let mut loki = Self::absent();
        loki.come_back();
        loki
    }

    /// An address where nobody listens yet.
    pub fn absent() -> Self {
        Self { server: StandIn::absent(), inner: Arc::default() }
    }

    pub fn url(&self) -> String {
        self.server.url()
    }

    pub fn come_back(&mut self) {
        let router = Router::new()
            .route("/loki/api/v1/push", post(push))
            .route("/loki/api/v1/query_range", get(query))
            .route("/loki/api/v1/labels", get(|| async { Json(json!({"status": "success", "data": []})) }))
            .layer(axum::extract::DefaultBodyLimit::max(64 << 20))
            .with_state(self.inner.clone());
        self.server.come_back(router);
    }

    /// As kill -9 does.
    pub fn go_away(&mut self) {
        self.server.go_away();
    }

    /// How the next pushes are answered.
    pub fn answer(&self, answers: impl IntoIterator<Item = Answer>) {
        *self.inner.answers.lock().unwrap() = answers.into_iter().collect();
    }

    pub fn received(&self) -> Vec<Received> {
        self.inner.received.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.inner.received.lock().unwrap().len()
    }

    pub fn sizes(&self) -> Vec<usize> {
        self.inner.sizes.lock().unwrap().clone()
    }

    pub fn times(&self) -> Vec<Instant> {
        self.inner.times.lock().unwrap().clone()
    }

    /// Of the last push.
    pub fn headers(&self) -> HeaderMap {
        self.inner.headers.lock().unwrap().clone()
    }

    /// Pushes so far, refused ones included.
    pub fn pushes(&self) -> usize {
        self.inner.pushes.load(Ordering::SeqCst)
    }

    /// The parameters of the last search.
    pub fn last_query(&self) -> BTreeMap<String, String> {
        self.inner.queries.lock().unwrap().last().cloned().unwrap_or_default()
    }

    /// Waits until so many lines are there.
    pub async fn wait_for(&self, lines: usize) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.count() < lines {
            assert!(Instant::now() < deadline, "{} of {lines} lines came", self.count());
            sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn push(State(loki): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> Response {
    loki.pushes.fetch_add(1, Ordering::SeqCst);
    loki.times.lock().unwrap().push(Instant::now());
    *loki.headers.lock().unwrap() = headers;
    let answer = loki.answers.lock().unwrap().pop_front();
    match answer.unwrap_or(Answer::Take(Duration::ZERO)) {
        Answer::Take(after) => sleep(after).await,
        Answer::Page => return axum::response::Html("<form>sign in</form>").into_response(),
        Answer::Refuse(status, retry_after) => {
            let mut response = (StatusCode::from_u16(status).unwrap(), "entry too far behind").into_response();
            if let Some(seconds) = retry_after {
                response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
            }
            return response;
        }
    }
    let mut plain = String::new();
    flate2::read::GzDecoder::new(&body[..]).read_to_string(&mut plain).unwrap();
    let request: Value = serde_json::from_str(&plain).unwrap();
    let (mut received, mut bytes) = (loki.received.lock().unwrap(), 0);
    for stream in request["streams"].as_array().unwrap() {
        // As Loki writes a stream's name.
        let labels: BTreeMap<String, String> = serde_json::from_value(stream["stream"].clone()).unwrap();
        let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={}", json!(value))).collect();
        for value in stream["values"].as_array().unwrap() {
            let line = value[1].as_str().unwrap().to_owned();
            let metadata = value.get(2).cloned().unwrap_or_else(|| json!({}));
            bytes += line.len();
            received.push(Received {
                labels: format!("{{{}}}", labels.join(", ")),
                nanos: value[0].as_str().unwrap().parse().unwrap(),
                line,
                metadata: serde_json::from_value(metadata).unwrap(),
            });
        }
    }
    loki.sizes.lock().unwrap().push(bytes);
    StatusCode::NO_CONTENT.into_response()
}

/// The newest lines, whatever is asked: what is asked is kept.
async fn query(State(loki): State<Arc<Inner>>, Query(asked): Query<BTreeMap<String, String>>) -> Json<Value> {
    let limit: usize = asked["limit"].parse().unwrap();
    let end: i64 = asked["end"].parse().unwrap();
    loki.queries.lock().unwrap().push(asked);
    let mut lines = loki.received.lock().unwrap().clone();
    lines.retain(|line| line.nanos < end);
    lines.sort_by_key(|line| -line.nanos);
    lines.truncate(limit);
    let values: Vec<_> = lines.iter().map(|line| json!([line.nanos.to_string(), line.line])).collect();
    let stream = json!({"stream": {"service": "holdfast", "level": "info"}, "values": values});
    Json(json!({"status": "success", "data": {"resultType": "streams", "result": [stream]}}))
}
