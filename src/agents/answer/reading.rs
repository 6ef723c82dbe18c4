//! Reading the model's stream: text, thinking, a refusal; at its end, whether it is a valid answer.

use std::{collections::VecDeque, time::Duration};

use axum::http::StatusCode;
use futures::StreamExt as _;

use super::{ModelInput, Permit, Unopened};
use crate::{
    citations::marks,
    metrics::Answering,
    model::{Citation, Shortfall},
};
use llm::{ChatStream, Chunk, Ending, LlmError, Piece, Splitter, Usage};
use platform::error::ApiError;

/// A piece of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerPiece {
    Text(String),
    Thinking(String),
    /// Text turned out to be thinking, or the reverse: both are replaced from the beginning.
    Rewritten {
        text: String,
        thinking: String,
    },
}

/// An answer being streamed.
#[derive(Debug)]
pub struct Answer {
    /// The sources given to the model, by mark.
    pub sources: Vec<Citation>,
    pub shortfall: Shortfall,
    pub model: String,
    pub usage: Option<Usage>,
    /// The text shown so far.
    pub text: String,
    pub thinking: String,
    /// The model's refusal, if any.
    pub refusal: String,
    reason: Option<String>,
    called_tools: bool,
    /// Continues an earlier text: an empty continuation is no failure.
    goes_on: bool,
    stream: ChatStream,
    splitter: Option<Splitter>,
    unopened: Unopened,
    queue: VecDeque<Result<AnswerPiece, LlmError>>,
    ended: bool,
    report: Answering,
    _permit: Permit,
}

impl Answer {
    pub(super) fn new(
        given: ModelInput,
        stream: ChatStream,
        unopened: Unopened,
        report: Answering,
        permit: Permit,
    ) -> Self {
        let ModelInput { sources, shortfall, model } = given;
        Self {
            sources,
            shortfall,
            model,
            usage: None,
            text: String::new(),
            thinking: String::new(),
            refusal: String::new(),
            reason: None,
            called_tools: false,
            goes_on: false,
            stream,
            splitter: None,
            unopened,
            queue: VecDeque::new(),
            ended: false,
            report,
            _permit: permit,
        }
    }

    pub(super) fn going_on(mut self) -> Self {
        self.goes_on = true;
        self
    }

    /// The next piece; `None` at the end. An answer that is not valid ends with an error.
    pub async fn next(&mut self) -> Option<Result<AnswerPiece, LlmError>> {
        loop {
            if let Some(said) = self.queue.pop_front() {
                return Some(said);
            }
            if self.ended {
                return None;
            }
            match self.stream.next().await {
                Some(Ok(chunk)) => self.hear(&chunk),
                Some(Err(error)) => {
                    self.flush(true);
                    self.fail(error);
                }
                None => {
                    self.flush(self.ending() == Ending::Length);
                    match self.judge() {
                        Ok(()) => self.report.completed(self.citations().len(), self.ending() == Ending::Length),
                        Err(error) => self.fail(error),
                    }
                    self.ended = true;
                }
            }
        }
    }

    /// Flushes held-back text when the stream is not read to its end.
    pub fn close(&mut self) {
        if !self.ended {
            self.flush(true);
        }
    }

    fn fail(&mut self, error: LlmError) {
        self.ended = true;
        self.report.failed(&error);
        self.queue.push_back(Err(error));
    }

    fn hear(&mut self, chunk: &Chunk) {
        let chunk = chunk.body();
        if chunk.usage.is_some() {
            self.usage.clone_from(&chunk.usage);
        }
        if let Some(reason) = chunk.finish_reason() {
            self.reason = Some(reason.to_owned());
        }
        let Some(choice) = chunk.choices.first() else { return };
        let thinking = choice.delta.thinking();
        if !thinking.is_empty() {
            // The server separates the thinking itself.
            self.splitter.get_or_insert_with(|| Splitter::new(false));
            self.think(&thinking);
        }
        self.refusal.push_str(&without_nul(choice.delta.refusal()));
        self.called_tools |= choice.delta.calls_tools();
        if !chunk.text().is_empty() {
            let assumed = self.unopened.has(&self.model);
            let pieces = self.splitter.get_or_insert_with(|| Splitter::new(assumed)).push(&without_nul(chunk.text()));
            self.take(pieces);
        }
    }

    fn flush(&mut self, cut: bool) {
        if let Some(mut splitter) = self.splitter.take() {
            let pieces = splitter.finish(cut);
            self.take(pieces);
        }
    }

    fn take(&mut self, pieces: Vec<Piece>) {
        for piece in pieces {
            match piece {
                Piece::Text(text) => {
                    self.report.wrote();
                    self.text.push_str(&text);
                    self.queue.push_back(Ok(AnswerPiece::Text(text)));
                }
                Piece::Thinking(text) => self.think(&text),
                Piece::WasThinking(bytes) => {
                    self.unopened.note(&self.model, true);
                    let text = self.text.split_off(self.text.len().saturating_sub(bytes));
                    self.thinking.push_str(&text);
                    self.rewritten();
                }
                Piece::WasText(bytes, tag) => {
                    self.unopened.note(&self.model, false);
                    let text = self.thinking.split_off(self.thinking.len().saturating_sub(bytes));
                    self.text.push_str(&tag);
                    self.text.push_str(&text);
                    self.rewritten();
                }
            }
        }
    }

    fn think(&mut self, text: &str) {
        let text = without_nul(text);
        self.thinking.push_str(&text);
        self.queue.push_back(Ok(AnswerPiece::Thinking(text)));
    }

    fn rewritten(&mut self) {
        self.queue.push_back(Ok(AnswerPiece::Rewritten { text: self.text.clone(), thinking: self.thinking.clone() }));
    }

    /// Whether the stream was a valid answer, else the failure.
    fn judge(&self) -> Result<(), LlmError> {
        let fail =
            |status, code: &'static str, text: &str| Err(LlmError::Api(ApiError::new(status, code, text.to_owned())));
        let empty = self.text.trim().is_empty() && !self.goes_on;
        let refused = !self.refusal.trim().is_empty();
        match self.ending() {
            Ending::Refusal => fail(StatusCode::UNPROCESSABLE_ENTITY, "answer_refused", "the model refused to answer"),
            _ if refused => {
                let said = format!("the model refused to answer: {}", self.refusal.trim());
                fail(StatusCode::UNPROCESSABLE_ENTITY, "answer_refused", &said)
            }
            Ending::ContentFilter => fail(
                StatusCode::UNPROCESSABLE_ENTITY,
                "answer_filtered",
                "the provider's content filter blocked the answer; rephrase the question",
            ),
            Ending::Failed => fail(StatusCode::BAD_GATEWAY, "answer_broke_off", "the provider broke the answer off"),
            _ if self.called_tools => fail(
                StatusCode::BAD_GATEWAY,
                "answer_needs_tools",
                "the model asked for a tool that it was not given; another model may answer",
            ),
            Ending::Length if empty && !self.thinking.trim().is_empty() => fail(
                StatusCode::UNPROCESSABLE_ENTITY,
                "answer_only_thinking",
                "the model used its whole token limit for thinking; raise the agent's limit on the answer's length, or let the model think less",
            ),
            _ if empty && !self.thinking.trim().is_empty() => fail(
                StatusCode::BAD_GATEWAY,
                "answer_only_thinking",
                "the model sent thinking but no answer; ask again",
            ),
            _ if empty => fail(StatusCode::BAD_GATEWAY, "answer_empty", "the model answered nothing; ask again"),
            _ => Ok(()),
        }
    }

    fn ending(&self) -> Ending {
        self.reason.as_deref().map_or(Ending::Other, Ending::of)
    }

    /// Why the model stopped: OpenAI's word, else the provider's; `None` if it did not say.
    pub fn finish_reason(&self) -> Option<String> {
        let reason = self.reason.as_deref()?;
        Some(Ending::of(reason).openai().unwrap_or(reason).chars().filter(|c| !c.is_control()).take(60).collect())
    }

    /// Time from the question to the first piece, if one came.
    pub fn first_token(&self) -> Option<Duration> {
        self.report.first_token()
    }

    /// The sources cited so far.
    pub fn citations(&self) -> Vec<Citation> {
        cited(&self.text, &self.sources)
    }
}

/// The sources that a text cites.
pub fn cited(text: &str, sources: &[Citation]) -> Vec<Citation> {
    if sources.is_empty() {
        return Vec::new();
    }
    let found = marks(text, |n| sources.iter().any(|s| s.mark == n));
    sources.iter().filter(|s| found.iter().any(|mark| mark.numbers.contains(&s.mark))).cloned().collect()
}

/// PostgreSQL stores no NUL: an answer with one would be lost.
fn without_nul(text: &str) -> String {
    text.replace('\0', "")
}
