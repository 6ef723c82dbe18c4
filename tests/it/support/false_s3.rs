//! A way to an S3 service that may be told to misbehave.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{Method, StatusCode},
    response::{IntoResponse as _, Response},
};
use holdfast::platform::lifecycle::Lifecycle;
use object_store::{ObjectStoreExt as _, path::Path};

use super::s3::{Account, S3};

/// What it does with what it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    Honest,
    /// 503 to everything.
    Refuses,
    /// Answers after a minute.
    Slow,
    /// Stores the first half of a file, and answers that it has stored it.
    Truncates,
    /// Answers that it has stored a file, and has not.
    Forgets,
}

/// The way; ends with the runtime.
#[derive(Clone)]
pub struct FalseS3 {
    pub endpoint: String,
    account: Account,
    manner: Arc<Mutex<Manner>>,
    /// Bytes of the parts of uploads in parts, as they came.
    parts: Arc<Mutex<Vec<usize>>>,
    client: reqwest::Client,
}

impl FalseS3 {
    #[expect(clippy::disallowed_methods, reason = "a test's own client")]
    pub async fn before(s3: &S3) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let way = Self {
            endpoint: format!("http://{}", listener.local_addr().unwrap()),
            account: s3.account(),
            manner: Arc::new(Mutex::new(Manner::Honest)),
            parts: Arc::default(),
            client: reqwest::Client::new(),
        };
        let router = Router::new().fallback(pass).with_state(way.clone());
        Lifecycle::new().spawn("false_s3", async move { axum::serve(listener, router).await.unwrap() });
        way
    }

    pub fn set(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    pub fn parts(&self) -> Vec<usize> {
        self.parts.lock().unwrap().clone()
    }

    /// A prefix behind it.
    pub fn place(&self) -> holdfast::storage::Config {
        holdfast::storage::Config {
            url: "s3://holdfast/parts".into(),
            s3_endpoint: self.endpoint.clone(),
            s3_access_key_id: self.account.access_key_id.clone(),
            s3_secret_access_key: Some(self.account.secret_access_key.clone().into()),
            ..holdfast::storage::Config::default()
        }
    }

    /// Settings of a backup's destination `far` behind it.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("HOLDFAST_BACKUP__DESTINATIONS__FAR__URL", "s3://holdfast/backups".into()),
            ("HOLDFAST_BACKUP__DESTINATIONS__FAR__S3_ENDPOINT", self.endpoint.clone()),
            ("HOLDFAST_BACKUP__DESTINATIONS__FAR__S3_ACCESS_KEY_ID", self.account.access_key_id.clone()),
            ("HOLDFAST_BACKUP__DESTINATIONS__FAR__S3_SECRET_ACCESS_KEY", self.account.secret_access_key.clone()),
        ]
    }
}

async fn pass(State(way): State<FalseS3>, request: Request) -> Response {
    let manner = *way.manner.lock().unwrap();
    match manner {
        Manner::Refuses => return (StatusCode::SERVICE_UNAVAILABLE, "no").into_response(),
        Manner::Slow => tokio::time::sleep(Duration::from_secs(60)).await,
        Manner::Honest | Manner::Truncates | Manner::Forgets => {}
    }
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 64 << 20).await.unwrap();
    if head.uri.query().is_some_and(|query| query.contains("partNumber=")) {
        way.parts.lock().unwrap().push(body.len());
    }
    let stores = head.method == Method::PUT && !body.is_empty();
    let address = format!("{}{}", way.account.endpoint, head.uri.path_and_query().unwrap());
    // Headers as they came: the signature is of the host's name, too.
    let mut headers = head.headers;
    headers.remove("content-length");
    let answer = way.client.request(head.method, address).headers(headers).body(body.clone()).send().await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    let answer = answer.bytes().await.unwrap();
    if stores && status.is_success() {
        let key = head.uri.path().trim_start_matches("/holdfast/").to_owned();
        let (bucket, key) = (way.account.bucket(), Path::parse(key).unwrap());
        match manner {
            Manner::Forgets => bucket.delete(&key).await.unwrap(),
            Manner::Truncates => drop(bucket.put(&key, body.slice(..body.len() / 2).into()).await.unwrap()),
            Manner::Honest | Manner::Refuses | Manner::Slow => {}
        }
    }
    let mut response = Response::new(Body::from(answer));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response.headers_mut().remove("transfer-encoding");
    response
}
