//! The S3 API against the real router: requests are signed here, by other code than the program's.

mod another;
mod keys;
mod objects;
mod rights;
mod signatures;

use chrono::{DateTime, TimeDelta, Utc};
use holdfast::platform::crypto::{hex, hmac_sha256, sha256_hex};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::support::app::{Answer, Client, TestApp};

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// Somebody with an access key.
#[derive(Clone)]
pub struct Signer {
    client: Client,
    host: String,
    now: DateTime<Utc>,
    pub key_id: String,
    pub secret: String,
}

/// A request to sign.
#[derive(Clone)]
pub struct Ask {
    method: Method,
    /// Below `/s3`, as it is sent.
    path: String,
    /// Encoded, in order.
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    payload: Option<String>,
}

pub fn ask(method: Method, path: &str) -> Ask {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let (path, query) = (path.to_owned(), query.to_owned());
    Ask { method, path, query, headers: Vec::new(), body: Vec::new(), payload: None }
}

impl Ask {
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// What is signed in the place of the body's hash.
    pub fn payload(mut self, text: &str) -> Self {
        self.payload = Some(text.to_owned());
        self
    }
}

/// An access key of the administrator's organisation.
pub async fn access_key(admin: &Client, body: &Value) -> Value {
    admin.post("/api/v1/access-keys", body).await.expect(201)
}

impl Signer {
    pub async fn new(app: &TestApp, admin: &Client, verbs: &[&str]) -> Self {
        let made = access_key(admin, &json!({"name": "test", "verbs": verbs})).await;
        Self::of(app, &made)
    }

    pub fn of(app: &TestApp, made: &Value) -> Self {
        Self {
            client: app.anonymous(),
            host: app.base_url.strip_prefix("http://").unwrap().to_owned(),
            now: app.clock.now(),
            key_id: made["access_key_id"].as_str().unwrap().to_owned(),
            secret: made["secret_access_key"].as_str().unwrap().to_owned(),
        }
    }

    pub fn at(&self, by: TimeDelta) -> Self {
        Self { now: self.now + by, ..self.clone() }
    }

    pub fn with_secret(&self, secret: &str) -> Self {
        Self { secret: secret.to_owned(), ..self.clone() }
    }

    fn scope(&self) -> String {
        format!("{}/us-east-1/s3/aws4_request", self.now.format("%Y%m%d"))
    }

    fn key(&self) -> [u8; 32] {
        let key = format!("AWS4{}", self.secret);
        self.scope()
            .split('/')
            .fold(None, |key_so_far: Option<[u8; 32]>, part| {
                Some(hmac_sha256(key_so_far.as_ref().map_or(key.as_bytes(), |key| key.as_slice()), part.as_bytes()))
            })
            .unwrap()
    }

    fn stamp(&self) -> String {
        self.now.format("%Y%m%dT%H%M%SZ").to_string()
    }

    fn signature(&self, canonical: &str) -> String {
        let text = format!("AWS4-HMAC-SHA256\n{}\n{}\n{}", self.stamp(), self.scope(), sha256_hex(canonical));
        hex(&hmac_sha256(&self.key(), text.as_bytes()))
    }

    /// The headers of a signed request.
    pub fn signed(&self, ask: &Ask) -> Vec<(String, String)> {
        let payload = ask.payload.clone().unwrap_or_else(|| sha256_hex(&ask.body));
        let mut headers = ask.headers.clone();
        headers.push(("host".to_owned(), self.host.clone()));
        headers.push(("x-amz-date".to_owned(), self.stamp()));
        headers.push(("x-amz-content-sha256".to_owned(), payload.clone()));
        headers.sort();
        let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let query = canonical_query(&ask.query);
        let path = format!("/s3{}", ask.path);
        let canonical = format!("{}\n{path}\n{query}\n{lines}\n{}\n{payload}", ask.method, names.join(";"));
        let text = format!(
            "AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={}",
            self.key_id,
            self.scope(),
            names.join(";"),
            self.signature(&canonical)
        );
        headers.push(("authorization".to_owned(), text));
        headers
    }

    /// Sends a signed request; `unsigned`: headers that are added behind the signer's back.
    pub async fn send_with(&self, ask: Ask, unsigned: &[(&str, &str)]) -> Answer {
        let query = if ask.query.is_empty() { String::new() } else { format!("?{}", ask.query) };
        let mut request = self.client.request(ask.method.clone(), &format!("/s3{}{query}", ask.path));
        for (name, value) in self.signed(&ask) {
            if name != "host" {
                request = request.header(name, value);
            }
        }
        for (name, value) in unsigned {
            request = request.header(*name, *value);
        }
        if !ask.body.is_empty() || ask.method == Method::PUT {
            request = request.body(ask.body);
        }
        self.client.send(request).await
    }

    pub async fn send(&self, ask: Ask) -> Answer {
        self.send_with(ask, &[]).await
    }

    /// Path and query of a presigned address below the program's own.
    pub fn presigned(&self, ask: &Ask, seconds: u64) -> String {
        let mut names: Vec<&str> = ask.headers.iter().map(|(name, _)| name.as_str()).collect();
        names.push("host");
        names.sort_unstable();
        let encoded = |text: &str| utf8_percent_encode(text, UNRESERVED).to_string();
        let credential = encoded(&format!("{}/{}", self.key_id, self.scope()));
        let own = format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}&X-Amz-Date={}&X-Amz-Expires={seconds}&X-Amz-SignedHeaders={}",
            self.stamp(),
            encoded(&names.join(";"))
        );
        let query = if ask.query.is_empty() { own } else { format!("{own}&{}", ask.query) };
        let mut headers = ask.headers.clone();
        headers.push(("host".to_owned(), self.host.clone()));
        headers.sort();
        let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let path = format!("/s3{}", ask.path);
        let canonical =
            format!("{}\n{path}\n{}\n{lines}\n{}\n{UNSIGNED}", ask.method, canonical_query(&query), names.join(";"));
        format!("{path}?{query}&X-Amz-Signature={}", self.signature(&canonical))
    }
}

/// Parameters in order, each with its `=`.
fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<String> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| if pair.contains('=') { pair.to_owned() } else { format!("{pair}=") })
        .collect();
    pairs.sort();
    pairs.join("&")
}

/// The status and the code of an answer; the code is empty where there is none.
#[track_caller]
pub fn code(answer: &Answer) -> (u16, String) {
    (answer.status.as_u16(), inner(&answer.text, "Code").first().cloned().unwrap_or_default())
}

/// Texts of all elements of this name.
pub fn inner(text: &str, name: &str) -> Vec<String> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    text.split(&open).skip(1).filter_map(|rest| Some(rest.split_once(&close)?.0.to_owned())).collect()
}

pub fn etag(answer: &Answer) -> String {
    answer.headers[header::ETAG].to_str().unwrap().to_owned()
}
