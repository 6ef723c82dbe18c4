//! Answers in progress: one at a time in a conversation, each in a task of its own, so that the text so far is stored
//! even when the reader's connection breaks.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::http::StatusCode;
use serde::Serialize;
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use utoipa::ToSchema;

use super::{ALIVE_EVERY, Agents, Joined, Reader, sight::keep_trace};
use crate::{
    answer::{
        Answer, AnswerPiece, Begun, Finished, LONGEST_REPEATED, Overrides, Permit, Question, Trace, TraceRow, Via,
        cited, joined,
    },
    error::AgentError,
    model::{Agent, Citation, ConversationId, Message, MessageId, MessageStatus, Shortfall, TraceId},
    store::conversations as store,
};
use platform::{
    error::ApiError,
    ids::OrgId,
    telemetry::{Span, otlp::wire::Kind},
    trace,
};

/// Events of an answer, in order: `sources` once, any number of `thinking`, `delta` and `rewrite`, one `end`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AnswerEvent {
    /// The model's sources, and parts of the search that it did not see.
    Sources { citations: Vec<Citation>, shortfall: Shortfall },
    /// The next piece of text.
    Delta { text: String },
    /// The next piece of the model's thinking, which is not part of the answer.
    Thinking { text: String },
    /// Text turned out to be thinking, or the reverse: both are replaced from the beginning.
    Rewrite { text: String, thinking: String },
    /// The message as stored: complete, stopped or failed.
    End {
        message: Box<Message>,
        /// Error text, if it failed.
        error: Option<String>,
        /// HTTP status of the failure when the answer is not streamed.
        #[serde(skip)]
        failure: Option<Failure>,
    },
}

impl AnswerEvent {
    /// The last one.
    pub(super) fn end(message: Message, error: Option<ApiError>) -> Self {
        let failure = error.as_ref().map(|e| Failure { status: e.status, retry_after: e.retry_after });
        Self::End { message: Box::new(message), error: error.map(|e| e.detail), failure }
    }
}

/// Status of a failed answer, and when to retry.
#[derive(Clone, Copy, Debug)]
pub struct Failure {
    pub status: StatusCode,
    pub retry_after: Option<Duration>,
}

/// Events that wait for a slow reader: it should slow the model down instead of filling memory.
pub(super) const EVENTS: usize = 64;

/// Conversations with an answer in progress.
#[derive(Clone, Debug, Default)]
pub struct Writers(Arc<Mutex<HashMap<ConversationId, CancellationToken>>>);

/// The right to answer in one conversation; released when dropped.
#[derive(Debug)]
pub struct Turn {
    conversation: ConversationId,
    stop: CancellationToken,
    writers: Writers,
}

impl Writers {
    /// `Err(Busy)` while an answer is in progress.
    pub fn enter(&self, conversation: ConversationId) -> Result<Turn, AgentError> {
        let stop = CancellationToken::new();
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if running.contains_key(&conversation) {
            return Err(AgentError::Busy);
        }
        running.insert(conversation, stop.clone());
        Ok(Turn { conversation, stop, writers: self.clone() })
    }

    /// Whether there was an answer to stop.
    pub fn stop(&self, conversation: ConversationId) -> bool {
        let running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        running.get(&conversation).inspect(|stop| stop.cancel()).is_some()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.writers.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.conversation);
    }
}

/// Everything needed to write one answer.
#[derive(Debug)]
pub struct Job {
    pub org: OrgId,
    pub actor: String,
    pub agent: Agent,
    pub conversation: ConversationId,
    pub history: Vec<Message>,
    pub question: Message,
    pub answer: Message,
    /// The text to continue, if any.
    pub begun: Option<Begun>,
    /// Answers to hide once this one has text.
    pub replaces: Vec<MessageId>,
    pub overrides: Overrides,
    pub via: Via,
    pub turn: Turn,
    pub permit: Permit,
}

/// How writing ended.
pub(super) enum Ended {
    Complete,
    Stopped,
    Failed(ApiError),
}

impl Ended {
    fn status(&self) -> MessageStatus {
        match self {
            Self::Complete => MessageStatus::Complete,
            Self::Stopped => MessageStatus::Stopped,
            Self::Failed(_) => MessageStatus::Failed,
        }
    }
}

/// What an answer became: its message, how it came about, and why it failed.
pub(super) struct Outcome {
    pub message: Message,
    pub row: TraceRow,
    pub error: Option<ApiError>,
}

impl Agents {
    /// Starts the task that writes the answer.
    pub(super) fn write(&self, job: Job) -> Joined {
        let (events, receiver) = mpsc::channel(EVENTS);
        let (question, answer) = (job.question.clone(), job.answer.clone());
        let (agents, span) = (self.clone(), tracing::info_span!("agents.answer", agent_id = %job.agent.id));
        let mut recorded = Span::part(Kind::Internal, || "agents.answer".to_owned());
        if recorded.is_recorded() {
            recorded.set("holdfast.org_id", &*job.org.to_string());
            recorded.set("gen_ai.agent.id", &*job.agent.id.to_string());
            recorded.set("gen_ai.conversation.id", &*job.conversation.to_string());
        }
        // The span ends with the answer, perhaps long after the request.
        let work = trace::inside(recorded.context(), async move {
            Box::pin(agents.run(job, events, recorded)).await;
        });
        self.0.lifecycle.spawn("agents.answer", work.instrument(span));
        Joined { question, answer, events: Reader::new(receiver) }
    }

    async fn run(&self, job: Job, events: mpsc::Sender<AnswerEvent>, mut span: Span) {
        let began = Instant::now();
        let Job {
            org,
            actor,
            agent,
            conversation,
            history,
            question,
            answer: message,
            begun,
            replaces,
            overrides,
            via,
            turn,
            permit,
        } = job;
        let question = Question {
            org,
            actor,
            agent: &agent,
            history: &history,
            text: &question.content,
            conversation: Some(conversation),
            overrides,
            begun: begun.as_ref(),
        };
        let mut trace = Trace::new(&question, via, self.0.clock.now());
        let (answer, ended) = tokio::select! {
            ended = self.stream(&question, permit, &turn.stop, &events, &mut trace) => ended,
            never = self.stay_alive(org, message.id) => match never {},
        };
        let Outcome { message, row, error } = self.outcome(message, answer, ended, begun, (trace, began));
        self.keep(org, &message, &replaces, &row).await;
        span.set("holdfast.answer.status", message.status.word());
        if let Some(code) = &message.error_code {
            span.failed(code);
        }
        drop(span);
        // Free the conversation before the reader learns of the end: the next question may follow at once.
        drop(turn);
        let _ = events.send(AnswerEvent::end(message, error)).await;
    }

    /// The message as it ended, and how it came about since it `began`.
    pub(super) fn outcome(
        &self,
        mut message: Message,
        answer: Option<Answer>,
        ended: Ended,
        begun: Option<Begun>,
        (trace, began): (Trace, Instant),
    ) -> Outcome {
        let took = began.elapsed();
        message.duration_ms = Some(message.duration_ms.unwrap_or_default() + millis(took));
        let (mut usage, mut first_token, mut model) = (None, None, String::new());
        if let Some(answer) = answer {
            (usage, first_token) = (answer.usage.clone(), answer.first_token());
            model.clone_from(&answer.model);
            take_over(&mut message, answer, begun);
        }
        message.status = ended.status();
        let error = if let Ended::Failed(error) = ended { Some(error) } else { None };
        message.error_code = error.as_ref().map(|e| e.code.clone().into_owned());
        let finished = Finished {
            message: Some(message.id),
            status: message.status,
            error_code: message.error_code.clone(),
            cost: usage.as_ref().and_then(|usage| self.0.engine.llm.cost(&model, usage)),
            model,
            text: message.content.clone(),
            cited: message.citations.clone(),
            usage,
            first_token,
            took,
        };
        Outcome { message, row: trace.finish(TraceId::generate(&self.0.clock), finished), error }
    }

    /// Records periodically that the answer is being written, so that no other process takes it for abandoned.
    async fn stay_alive(&self, org: OrgId, answer: MessageId) -> Infallible {
        loop {
            tokio::time::sleep(ALIVE_EVERY).await;
            let said: Result<(), AgentError> = async {
                let mut tx = self.0.db.tenant(org).await?;
                store::touch_answer(&mut tx, answer, self.0.clock.now()).await?;
                tx.commit().await?;
                Ok(())
            }
            .await;
            if let Err(error) = said {
                tracing::debug!(%error, message_id = %answer, "cannot record that an answer is being written");
            }
        }
    }

    /// Passes the answer to its reader piece by piece.
    pub(super) async fn stream(
        &self,
        question: &Question<'_>,
        permit: Permit,
        stop: &CancellationToken,
        events: &mpsc::Sender<AnswerEvent>,
        trace: &mut Trace,
    ) -> (Option<Answer>, Ended) {
        let started = tokio::select! {
            started = self.0.engine.start(question, permit, trace) => started,
            () = stop.cancelled() => return (None, Ended::Stopped),
            () = events.closed() => return (None, Ended::Stopped),
        };
        let answer = match started {
            Ok(answer) => answer,
            Err(error) => return (None, Ended::Failed(error.into())),
        };
        let begun = question.begun.map_or("", |begun| begun.text.as_str());
        let (mut answer, ended) = hand_over(answer, begun, stop, events).await;
        answer.close();
        (Some(answer), ended)
    }

    /// Stores the end. Waits up to four minutes for an unreachable database: the reader has seen the answer.
    async fn keep(&self, org: OrgId, message: &Message, replaces: &[MessageId], row: &TraceRow) {
        let mut with_trace = true;
        let replaces = if message.content.trim().is_empty() { &[] } else { replaces };
        for patience in [1, 2, 4, 8, 15, 15, 30, 30, 30, 30, 30, 0] {
            let result: Result<(), AgentError> = async {
                let mut tx = self.0.db.tenant(org).await?;
                if store::finish_message(&mut tx, message).await? && with_trace {
                    keep_trace(&mut tx, row).await?;
                }
                for old in replaces {
                    store::supersede(&mut tx, *old).await?;
                }
                tx.commit().await?;
                Ok(())
            }
            .await;
            match result {
                Ok(()) => return,
                Err(error) if patience == 0 => {
                    tracing::error!(message_id = %message.id, error = %error, "an answer could not be stored");
                }
                Err(error) => {
                    // The answer matters more than how it came about.
                    with_trace &= matches!(&error, AgentError::Db(error) if error.is_unavailable());
                    tokio::time::sleep(Duration::from_secs(patience)).await;
                }
            }
        }
    }
}

/// Passes an answer to its reader until it ends or nobody reads it any more.
async fn hand_over(
    mut answer: Answer,
    begun: &str,
    stop: &CancellationToken,
    events: &mpsc::Sender<AnswerEvent>,
) -> (Answer, Ended) {
    if !deliver(events, stop, AnswerEvent::Sources { citations: answer.sources.clone(), shortfall: answer.shortfall })
        .await
    {
        return (answer, Ended::Stopped);
    }
    let mut seam = Seam::new(begun);
    loop {
        let next = tokio::select! {
            next = answer.next() => next,
            () = stop.cancelled() => return (answer, Ended::Stopped),
            () = events.closed() => return (answer, Ended::Stopped),
        };
        let (event, ended) = match next {
            None => (seam.end(), Some(Ended::Complete)),
            Some(Err(error)) => (seam.end(), Some(Ended::Failed(ApiError::from(error)))),
            Some(Ok(said)) => (seam.event(said), None),
        };
        if let Some(event) = event
            && !deliver(events, stop, event).await
            && ended.is_none()
        {
            return (answer, Ended::Stopped);
        }
        if let Some(ended) = ended {
            return (answer, ended);
        }
    }
}

/// Joins a continuation to its beginning: holds back the first text until it is known whether it repeats the end of the
/// earlier one. Without an earlier text everything passes.
struct Seam<'a> {
    begun: &'a str,
    held: Option<String>,
}

impl<'a> Seam<'a> {
    fn new(begun: &'a str) -> Self {
        Self { begun, held: (!begun.is_empty()).then(String::new) }
    }

    fn event(&mut self, said: AnswerPiece) -> Option<AnswerEvent> {
        match (said, &mut self.held) {
            (AnswerPiece::Thinking(text), _) => Some(AnswerEvent::Thinking { text }),
            (AnswerPiece::Text(text), None) => Some(AnswerEvent::Delta { text }),
            (AnswerPiece::Text(text), Some(held)) => {
                held.push_str(&text);
                if held.trim_start().len() > LONGEST_REPEATED { self.end() } else { None }
            }
            (AnswerPiece::Rewritten { text, thinking }, _) => {
                self.held = None;
                Some(AnswerEvent::Rewrite { text: joined(self.begun, &text), thinking })
            }
        }
    }

    /// The text still held back.
    fn end(&mut self) -> Option<AnswerEvent> {
        let held = self.held.take().filter(|held| !held.is_empty())?;
        let text = joined(self.begun, &held).split_off(self.begun.len());
        Some(AnswerEvent::Delta { text })
    }
}

/// Appends the answer to the message.
fn take_over(message: &mut Message, mut answer: Answer, begun: Option<Begun>) {
    let plus = |old: Option<i64>, new: Option<u64>| {
        let new = new.map(|n| i64::try_from(n).unwrap_or(i64::MAX));
        if old.is_none() && new.is_none() {
            None
        } else {
            Some(old.unwrap_or_default().saturating_add(new.unwrap_or_default()))
        }
    };
    if message.first_token_ms.is_none() {
        message.first_token_ms = answer.first_token().map(millis);
    }
    message.prompt_tokens = plus(message.prompt_tokens, answer.usage.as_ref().map(|u| u.prompt_tokens));
    message.completion_tokens = plus(message.completion_tokens, answer.usage.as_ref().map(|u| u.completion_tokens));
    message.finish_reason = answer.finish_reason();
    if !message.thinking.is_empty() && !answer.thinking.is_empty() {
        message.thinking.push_str("\n\n");
    }
    message.thinking.push_str(answer.thinking.trim());
    let begun = begun.unwrap_or_default();
    message.content = joined(&begun.text, &answer.text);
    if message.content.trim().is_empty() {
        // A refusal becomes the text.
        message.content = std::mem::take(&mut answer.refusal);
    }
    // Citations of the earlier text whose documents are deleted: no longer among the sources, but still in the text.
    let gone = begun.citations.into_iter().filter(|c| !answer.sources.iter().any(|s| s.mark == c.mark));
    let sources: Vec<Citation> = answer.sources.iter().cloned().chain(gone).collect();
    message.citations = cited(&message.content, &sources);
    message.shortfall = answer.shortfall;
    message.model = Some(answer.model);
}

/// Sends an event to the reader. False when the reader is gone, or the answer was stopped while the reader was slow.
async fn deliver(events: &mpsc::Sender<AnswerEvent>, stop: &CancellationToken, event: AnswerEvent) -> bool {
    tokio::select! {
        sent = events.send(event) => sent.is_ok(),
        () = stop.cancelled() => false,
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
