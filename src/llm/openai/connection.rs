//! Sends a request and waits for the head of a successful answer. Handles kept-alive connections that have just been
//! closed, servers that still load their model, and bodies compressed without being asked.

use std::{io, time::Duration};

use async_compression::tokio::bufread::BrotliDecoder;
use bytes::Bytes;
use futures::TryStreamExt as _;
use reqwest::{
    Method, RequestBuilder, Response,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE},
};
use secrecy::ExposeSecret as _;
use tokio::time::Instant;
use tokio_util::io::{ReaderStream, StreamReader};

use super::{
    super::error::{Failure, LlmError},
    Provider, failure,
};
use platform::{gzip::Members, http_client::Traced as _};

/// Retry interval while a server loads its model: first, and maximum.
const LOADING_WAIT: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));
/// A connection that breaks later than this after sending was not stale: the request itself broke it.
const STALE: Duration = Duration::from_secs(1);

impl Provider {
    /// Sends a request and waits for the head of a successful answer; retries while the server loads its model.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
        timeout: Duration,
    ) -> Result<Response, LlmError> {
        let (until, mut wait) = (Instant::now() + timeout, LOADING_WAIT.0);
        loop {
            let error = match self.send_once(method.clone(), path, body.clone(), until, timeout).await {
                Err(error) if error.failure() == Some(Failure::Loading) => error,
                done => return done,
            };
            let asked = if let LlmError::Refused(refusal) = &error { refusal.retry_after } else { None };
            let pause = asked.unwrap_or(wait).min(LOADING_WAIT.1);
            if Instant::now() + pause >= until {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
            wait = (wait * 2).min(LOADING_WAIT.1);
        }
    }

    async fn send_once(
        &self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
        until: Instant,
        timeout: Duration,
    ) -> Result<Response, LlmError> {
        let mut again = true;
        let response = loop {
            let (request, sent) = (self.request(method.clone(), path, body.clone()), Instant::now());
            match tokio::time::timeout_at(until, request.send()).await {
                Ok(Ok(response)) => break self.plain(response)?,
                Ok(Err(error)) if again && sent.elapsed() < STALE && ended_before_an_answer(&error) => {
                    tracing::info!(target: "holdfast::llm", provider = self.name, "a kept-alive connection was closed: retrying on another");
                    again = false;
                }
                Ok(Err(error)) => return Err(self.broken(&error)),
                Err(_) => {
                    let text = format!("it did not answer within {} s", timeout.as_secs());
                    return Err(self.fail(Failure::Timeout, text));
                }
            }
        };
        if response.status().is_success() {
            return Ok(response);
        }
        let (status, headers) = (response.status(), response.headers().clone());
        let body = self.read(response, Duration::from_secs(10)).await.unwrap_or_default();
        Err(failure::refused(&self.name, &self.secrets, status, &headers, &body).into())
    }

    fn request(&self, method: Method, path: &str, body: Option<Bytes>) -> RequestBuilder {
        let mut request = self.http.request(method, format!("{}{path}", self.base_url)).traced();
        if let Some(key) = &self.config.api_key {
            request = request.bearer_auth(key.expose_secret());
        }
        if self.is_host("openrouter.ai") {
            request = request.header("X-OpenRouter-Title", "Holdfast");
        }
        // Events arrive one by one only uncompressed; without the header a server may choose.
        request = request.header(ACCEPT_ENCODING, "identity");
        match body {
            Some(body) => request.header(CONTENT_TYPE, "application/json").body(body),
            None => request,
        }
    }

    /// Decompresses the answer: some servers and proxies compress whatever the request says.
    fn plain(&self, response: Response) -> Result<Response, LlmError> {
        let coding = response.headers().get(CONTENT_ENCODING).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let coding = coding.trim().to_ascii_lowercase();
        if matches!(coding.as_str(), "" | "identity") {
            return Ok(response);
        }
        let mut head = axum::http::Response::new(());
        (*head.status_mut(), *head.headers_mut()) = (response.status(), response.headers().clone());
        head.headers_mut().remove(CONTENT_ENCODING);
        head.headers_mut().remove(CONTENT_LENGTH);
        let packed = StreamReader::new(response.bytes_stream().map_err(io::Error::other));
        let body = match coding.as_str() {
            "gzip" | "x-gzip" => {
                let plain = ReaderStream::new(Members::new(packed));
                reqwest::Body::wrap_stream(plain.map_err(|e| Packed::or_broken("gzip", e)))
            }
            "br" => {
                let plain = ReaderStream::new(BrotliDecoder::new(packed));
                reqwest::Body::wrap_stream(plain.map_err(|e| Packed::or_broken("brotli", e)))
            }
            _ => {
                let coding: String = coding.chars().take(20).collect();
                let text = format!("its answer is compressed ({coding}), although that was not requested");
                return Err(self.fail(Failure::BadResponse, text));
            }
        };
        Ok(head.map(|()| body).into())
    }
}

/// An answer that is not compressed as declared.
#[derive(Debug, thiserror::Error)]
#[error("its answer is compressed ({coding}) and cannot be unpacked")]
pub(super) struct Packed {
    coding: &'static str,
    source: io::Error,
}

impl Packed {
    /// Passes connection errors through.
    fn or_broken(coding: &'static str, source: io::Error) -> Box<dyn std::error::Error + Send + Sync> {
        if source.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<reqwest::Error>) {
            return source.into();
        }
        Self { coding, source }.into()
    }

    /// Finds it among the causes of an error.
    pub(super) fn within<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Self> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(found) = error.downcast_ref() {
                return Some(found);
            }
            cause = error.source();
        }
        None
    }
}

/// Whether the server closed the connection before it started to answer. Servers close idle connections without
/// checking for a request arriving at that moment (uvicorn, and so vLLM, after five seconds).
fn ended_before_an_answer(error: &reqwest::Error) -> bool {
    if error.is_connect() || error.is_timeout() {
        return false;
    }
    let reset = |error: &io::Error| {
        matches!(
            error.kind(),
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe
        )
    };
    let mut cause: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(error);
    while let Some(error) = cause {
        if error.downcast_ref::<hyper::Error>().is_some_and(|e| e.is_incomplete_message() || e.is_closed())
            || error.downcast_ref::<io::Error>().is_some_and(reset)
        {
            return true;
        }
        cause = error.source();
    }
    false
}
