//! A collector of traces that counts: decodes what it is sent, answers as it is told, goes away and comes back.

use std::{
    collections::{BTreeMap, VecDeque},
    io::Read as _,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::post,
};
use holdfast::platform::{
    crypto::hex,
    telemetry::otlp::wire::{self, KeyValue, Kind, Value as Attribute},
};
use prost::Message;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::stand_in::StandIn;

/// `ExportTraceServiceRequest`, as a receiver reads it.
#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(message, repeated, tag = "1")]
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeSpans {
    #[prost(message, repeated, tag = "2")]
    spans: Vec<wire::Span>,
}

/// A span as it came.
#[derive(Clone, Debug)]
pub struct Received {
    pub trace: String,
    pub id: String,
    /// Empty where there is none.
    pub parent: String,
    pub name: String,
    pub kind: Kind,
    pub begin: u64,
    pub end: u64,
    pub attributes: BTreeMap<String, Value>,
    pub failed: bool,
    pub flags: u32,
    /// `service.*` and the like.
    pub resource: BTreeMap<String, Value>,
}

/// How a push is answered.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Taken after this long.
    Take(Duration),
    /// All but so many are taken.
    Partly(i64),
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
    /// Spans of each push.
    sizes: Mutex<Vec<usize>>,
    /// When pushes came.
    times: Mutex<Vec<Instant>>,
    headers: Mutex<HeaderMap>,
    /// What came, unpacked.
    raw: Mutex<Vec<u8>>,
}

/// The server.
pub struct Collector {
    server: StandIn,
    inner: Arc<Inner>,
}

impl Collector {
    /// Listens on a port of its own.
    pub fn start() -> Self {
        let mut collector = Self::absent();
        collector.come_back();
        collector
    }

    /// An address where nobody listens yet.
    pub fn absent() -> Self {
        Self { server: StandIn::absent(), inner: Arc::default() }
    }

    pub fn url(&self) -> String {
        self.server.url()
    }

    pub fn come_back(&mut self) {
        let router = Router::new().route("/v1/traces", post(take)).with_state(self.inner.clone());
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

    /// Spans of each push that was taken.
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

    /// Every byte that came, unpacked, as text.
    pub fn raw(&self) -> String {
        String::from_utf8_lossy(&self.inner.raw.lock().unwrap()).into_owned()
    }

    /// Waits for a span.
    pub async fn find(&self, what: &str, is_it: impl Fn(&Received) -> bool) -> Received {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(found) = self.received().into_iter().find(&is_it) {
                return found;
            }
            let seen: Vec<_> = self.received().into_iter().map(|span| (span.trace, span.name)).collect();
            assert!(Instant::now() < deadline, "no span is {what}: {seen:?}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until so many spans are there.
    pub async fn wait_for(&self, spans: usize) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.count() < spans {
            assert!(Instant::now() < deadline, "{} of {spans} spans came", self.count());
            sleep(Duration::from_millis(20)).await;
        }
    }
}

fn plain(attributes: Vec<KeyValue>) -> BTreeMap<String, Value> {
    let value = |pair: KeyValue| match pair.value.unwrap().value.unwrap() {
        Attribute::Text(text) => json!(text),
        Attribute::Bool(truth) => json!(truth),
        Attribute::Int(number) => json!(number),
        Attribute::Double(number) => json!(number),
    };
    let count = attributes.len();
    let map: BTreeMap<_, _> = attributes.into_iter().map(|pair| (pair.key.clone(), value(pair))).collect();
    assert_eq!(map.len(), count, "a name twice: {map:?}");
    map
}

async fn take(State(collector): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> Response {
    collector.times.lock().unwrap().push(Instant::now());
    let is_zipped = headers.get(header::CONTENT_ENCODING).is_some_and(|how| how == "gzip");
    // As servers do that are strict.
    assert!(headers.contains_key(header::CONTENT_LENGTH), "{headers:?}");
    *collector.headers.lock().unwrap() = headers;
    // What `doctor` sends is empty; of the answers only a page is for it too.
    let answer = {
        let mut answers = collector.answers.lock().unwrap();
        let is_for_it = !body.is_empty() || matches!(answers.front(), Some(Answer::Page));
        if is_for_it { answers.pop_front() } else { None }
    };
    let mut rejected = 0;
    match answer.unwrap_or(Answer::Take(Duration::ZERO)) {
        Answer::Take(after) => sleep(after).await,
        Answer::Partly(but) => rejected = but,
        Answer::Page => return axum::response::Html("<form>sign in</form>").into_response(),
        Answer::Refuse(status, retry_after) => {
            let mut response = (StatusCode::from_u16(status).unwrap(), "no room").into_response();
            if let Some(seconds) = retry_after {
                response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
            }
            return response;
        }
    }
    let mut unpacked = Vec::new();
    if is_zipped {
        flate2::read::GzDecoder::new(&body[..]).read_to_end(&mut unpacked).unwrap();
    } else {
        unpacked = body.to_vec();
    }
    collector.raw.lock().unwrap().extend_from_slice(&unpacked);
    let request = Request::decode(&unpacked[..]).unwrap();
    let mut count = 0;
    for of_resource in request.resource_spans {
        let resource = plain(of_resource.resource.unwrap().attributes);
        for span in of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            count += 1;
            assert_eq!((span.trace_id.len(), span.span_id.len()), (16, 8));
            collector.received.lock().unwrap().push(Received {
                trace: hex(&span.trace_id),
                id: hex(&span.span_id),
                parent: hex(&span.parent_span_id),
                kind: Kind::try_from(span.kind).unwrap(),
                name: span.name,
                begin: span.start_time_unix_nano,
                end: span.end_time_unix_nano,
                attributes: plain(span.attributes),
                failed: span.status.is_some_and(|status| status.code == 2),
                flags: span.flags,
                resource: resource.clone(),
            });
        }
    }
    if !body.is_empty() {
        collector.sizes.lock().unwrap().push(count);
    }
    // `partial_success { rejected_spans }`
    let said = if rejected > 0 { vec![0x0a, 2, 8, u8::try_from(rejected).unwrap()] } else { vec![] };
    ([(header::CONTENT_TYPE, "application/x-protobuf")], said).into_response()
}
