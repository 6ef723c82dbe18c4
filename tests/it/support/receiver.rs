//! Somebody else's server, which webhooks are posted to.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, header::RETRY_AFTER},
};
use holdfast::platform::lifecycle::Lifecycle;

/// What it was sent.
#[derive(Clone, Debug)]
pub struct Received {
    pub method: Method,
    pub path: String,
    pub headers: HeaderMap,
    pub body: String,
}

impl Received {
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }
}

/// Notes what it gets, and answers with a status that a test can change.
#[derive(Clone)]
pub struct Receiver {
    pub url: String,
    status: Arc<AtomicU16>,
    /// Seconds; 0: it does not say.
    retry_after: Arc<AtomicU64>,
    /// Milliseconds before each answer.
    hesitation: Arc<AtomicU64>,
    seen: Arc<Mutex<Vec<Received>>>,
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let receiver = Self {
            url,
            status: Arc::new(AtomicU16::new(200)),
            retry_after: Arc::default(),
            hesitation: Arc::default(),
            seen: Arc::default(),
        };
        let router = Router::new().fallback(note).with_state(receiver.clone());
        Lifecycle::new().spawn("receiver", async move { axum::serve(listener, router).await.unwrap() });
        receiver
    }

    pub fn answer_with(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    /// Seconds, said with every answer.
    pub fn ask_to_wait(&self, seconds: u64) {
        self.retry_after.store(seconds, Ordering::SeqCst);
    }

    /// Answers so much later.
    pub fn hesitate(&self, time: Duration) {
        self.hesitation.store(u64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }

    pub fn seen(&self) -> Vec<Received> {
        self.seen.lock().unwrap().clone()
    }
}

async fn note(
    State(receiver): State<Receiver>,
    method: Method,
    uri: axum::http::Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, HeaderMap) {
    let body = String::from_utf8(body.to_vec()).unwrap();
    receiver.seen.lock().unwrap().push(Received { method, path: uri.path().to_owned(), headers, body });
    tokio::time::sleep(Duration::from_millis(receiver.hesitation.load(Ordering::SeqCst))).await;
    let mut said = HeaderMap::new();
    if let seconds @ 1.. = receiver.retry_after.load(Ordering::SeqCst) {
        said.insert(RETRY_AFTER, seconds.into());
    }
    (StatusCode::from_u16(receiver.status.load(Ordering::SeqCst)).unwrap(), said)
}
