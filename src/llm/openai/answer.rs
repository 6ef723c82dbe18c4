//! A server's answer: a stream, a whole answer, or neither.

use bytes::{Bytes, BytesMut};
use reqwest::Response;
use std::time::Duration;

use super::{
    super::{
        backend::ChatStream,
        error::{Failure, LlmError},
        wire::{Completion, Original},
    },
    Provider, failure, mend, stream, surrogates, words,
};

/// Largest whole answer; 2 048 vectors of 3 072 dimensions as text are 70 MB, but our batches are smaller.
const MAX_BODY_BYTES: usize = 32 * 1024 * 1024;

/// Actual form of an answer, whatever was requested or declared.
pub(super) enum Shape {
    Events(Response),
    Document(Bytes),
}

impl Provider {
    /// Reads a whole body within `timeout` in total: occasional bytes do not count as progress.
    pub(super) async fn read(&self, mut response: Response, timeout: Duration) -> Result<Bytes, LlmError> {
        let (mut body, until) = (BytesMut::new(), tokio::time::Instant::now() + timeout);
        loop {
            match tokio::time::timeout_at(until, response.chunk()).await {
                Err(_) => {
                    let text = format!("its answer was not complete after {} s", timeout.as_secs());
                    return Err(self.fail(Failure::Timeout, text));
                }
                Ok(Err(error)) => return Err(self.broken(&error)),
                Ok(Ok(None)) => return Ok(body.freeze()),
                Ok(Ok(Some(part))) if body.len() + part.len() > MAX_BODY_BYTES => {
                    return Err(
                        self.fail(Failure::BadResponse, format!("its answer is larger than {MAX_BODY_BYTES} bytes"))
                    );
                }
                Ok(Ok(Some(part))) => body.extend_from_slice(&part),
            }
        }
    }

    pub(super) fn events(&self, response: Response) -> ChatStream {
        let reader = stream::Reader::new(
            self.name.clone(),
            self.secrets.clone(),
            self.config.timeout(),
            self.config.idle_timeout(),
            response,
        );
        ChatStream::new(reader.chunks())
    }

    pub(super) fn completion(&self, body: &Bytes) -> Result<Completion, LlmError> {
        let text = String::from_utf8_lossy(body);
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.is_empty() {
            return Err(self.fail(Failure::BadResponse, "its answer is empty"));
        }
        failure::in_body(&self.name, &self.secrets, text)?;
        let parsed = if surrogates::has_lone_surrogate(text) {
            Original::parse(surrogates::without_lone_surrogates(text))
        } else {
            Original::parse(text)
        };
        let whole: Completion =
            parsed.map_err(|e| self.fail(Failure::BadResponse, format!("its answer is not a chat completion: {e}")))?;
        if whole.body().choices.is_empty() {
            return Err(self.fail(Failure::BadResponse, "its answer has no choices"));
        }
        match whole.body().choices.iter().find_map(|c| mend::error_of(&c.extra, c.finish_reason.as_deref())) {
            Some(error) => Err(failure::in_place(&self.name, &self.secrets, &error)),
            None => Ok(mend::whole(whole)),
        }
    }

    /// Reads as much as needed to recognise the form: some servers answer whole although a stream was requested, others
    /// stream, the content type is unreliable, and a proxy in front may answer with a page of its own.
    pub(super) async fn look(&self, mut response: Response) -> Result<Shape, LlmError> {
        let mut begin = BytesMut::new();
        let first = loop {
            match tokio::time::timeout(self.config.timeout(), response.chunk()).await {
                Err(_) => {
                    let text = format!("it did not answer within {} s", self.config.timeout_seconds);
                    return Err(self.fail(Failure::Timeout, text));
                }
                Ok(Err(error)) => return Err(self.broken(&error)),
                Ok(Ok(None)) => break None,
                Ok(Ok(Some(part))) => begin.extend_from_slice(&part),
            }
            let text = begin.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&begin);
            if let Some(byte) = text.iter().find(|b| !b.is_ascii_whitespace()) {
                break Some(*byte);
            }
        };
        if matches!(first, None | Some(b'{' | b'[' | b'<')) {
            let rest = self.read(response, self.config.timeout()).await?;
            begin.extend_from_slice(&rest);
            if first == Some(b'<') {
                let page = words::read(&String::from_utf8_lossy(&begin));
                let words = self.secrets.scrub(&page.words);
                return Err(
                    self.fail(Failure::BadResponse, format!("it answered with a page instead of JSON: {words}"))
                );
            }
            return Ok(Shape::Document(begin.freeze()));
        }
        let rest = futures::stream::unfold(response, |mut response| async move {
            response.chunk().await.transpose().map(|part| (part, response))
        });
        let whole = futures::StreamExt::chain(futures::stream::iter([Ok(begin.freeze())]), rest);
        Ok(Shape::Events(axum::http::Response::new(reqwest::Body::wrap_stream(whole)).into()))
    }
}
