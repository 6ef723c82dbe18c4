//! Answers being written: one at a time in a conversation, each in a task of its own, so that what was written is kept
//! whatever happens to the reader's connection.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::http::StatusCode;
use serde::Serialize;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use utoipa::ToSchema;

use super::Agents;
use crate::{
    agents::{
        answer::{Answer, Question},
        error::AgentError,
        metrics::{AnswerEnd, Outcome},
        model::{Agent, Citation, ConversationId, Message, MessageStatus},
        store::conversations as store,
    },
    platform::{error::ApiError, ids::OrgId},
};

/// What a reader sees of an answer, in order: `sources` once, any number of `delta`, one `end`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AnswerEvent {
    /// What the model was given to answer from.
    Sources { citations: Vec<Citation> },
    /// The next piece of text.
    Delta { text: String },
    /// The message as it is kept: complete, stopped or failed.
    End {
        message: Box<Message>,
        /// For people, where it failed.
        error: Option<String>,
        /// How the failure is answered where the answer is not a stream.
        #[serde(skip)]
        failure: Option<Failure>,
    },
}

/// Status of a failed answer, and when to try again.
#[derive(Clone, Copy, Debug)]
pub struct Failure {
    pub status: StatusCode,
    pub retry_after: Option<Duration>,
}

/// A question that was taken down, and the answer on its way.
#[derive(Debug)]
pub struct Asked {
    pub question: Message,
    /// The empty answer, as it stands in the conversation now.
    pub answer: Message,
    pub events: mpsc::Receiver<AnswerEvent>,
}

/// Who is writing where.
#[derive(Clone, Debug)]
pub struct Writers {
    places: Arc<Semaphore>,
    running: Arc<Mutex<HashMap<ConversationId, CancellationToken>>>,
}

/// A place to write in one conversation; gives it up when dropped.
#[derive(Debug)]
pub struct Place {
    conversation: ConversationId,
    stop: CancellationToken,
    writers: Writers,
    _permit: OwnedSemaphorePermit,
}

impl Writers {
    pub fn new(most: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(most)), running: Arc::default() }
    }

    /// Err `Busy` while the conversation is being answered, `Overloaded` when too many are.
    pub fn enter(&self, conversation: ConversationId) -> Result<Place, AgentError> {
        let permit = self.places.clone().try_acquire_owned().map_err(|_| AgentError::Overloaded)?;
        let stop = CancellationToken::new();
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.contains_key(&conversation) {
            return Err(AgentError::Busy);
        }
        running.insert(conversation, stop.clone());
        Ok(Place { conversation, stop, writers: self.clone(), _permit: permit })
    }

    /// Whether there was something to stop.
    pub fn stop(&self, conversation: ConversationId) -> bool {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.get(&conversation).inspect(|stop| stop.cancel()).is_some()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.writers.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.conversation);
    }
}

/// Everything that writing one answer needs.
#[derive(Debug)]
pub struct Job {
    pub org: OrgId,
    pub actor: String,
    pub agent: Agent,
    pub conversation: ConversationId,
    pub history: Vec<Message>,
    pub question: Message,
    pub answer: Message,
    pub place: Place,
}

/// How writing ended.
enum Ended {
    Complete,
    Stopped,
    Failed(ApiError),
}

impl Agents {
    /// Starts the task that writes the answer.
    pub(super) fn write(&self, job: Job) -> Asked {
        // Small: a reader that does not keep up slows the model down instead of filling the memory.
        let (events, receiver) = mpsc::channel(64);
        let (question, answer) = (job.question.clone(), job.answer.clone());
        let (agents, span) = (self.clone(), tracing::info_span!("agents.answer", agent_id = %job.agent.id));
        self.0.lifecycle.spawn("agents.answer", async move { agents.run(job, events).await }.instrument(span));
        Asked { question, answer, events: receiver }
    }

    async fn run(&self, mut job: Job, events: mpsc::Sender<AnswerEvent>) {
        let began = Instant::now();
        self.0.metrics.in_progress.inc();
        let mut first = None;
        let (answer, ended) = self
            .stream(&job, &events, || {
                first.get_or_insert_with(|| began.elapsed());
            })
            .await;
        let message = &mut job.answer;
        message.duration_ms = Some(millis(began.elapsed()));
        message.first_token_ms = first.map(millis);
        let mut sources = 0;
        if let Some(answer) = answer {
            sources = answer.sources.len();
            message.citations = answer.citations();
            message.prompt_tokens = answer.usage.as_ref().map(|u| i64::try_from(u.prompt_tokens).unwrap_or(i64::MAX));
            message.completion_tokens =
                answer.usage.as_ref().map(|u| i64::try_from(u.completion_tokens).unwrap_or(i64::MAX));
            message.model = Some(answer.model);
            message.content = answer.text;
        }
        let (outcome, error) = match ended {
            Ended::Complete => (Outcome::Complete, None),
            Ended::Stopped => (Outcome::Stopped, None),
            Ended::Failed(error) => (Outcome::Failed, Some(error)),
        };
        message.status = match outcome {
            Outcome::Complete => MessageStatus::Complete,
            Outcome::Stopped => MessageStatus::Stopped,
            Outcome::Failed => MessageStatus::Failed,
        };
        message.error_code = error.as_ref().map(|e| e.code.clone().into_owned());
        self.keep(job.org, &job.answer).await;
        self.0.metrics.in_progress.dec();
        self.0.metrics.answered(&AnswerEnd {
            agent_id: job.agent.id.to_string(),
            conversation_id: job.conversation.to_string(),
            model: job.answer.model.as_deref().unwrap_or_default(),
            outcome,
            error_code: job.answer.error_code.as_deref(),
            seconds: began.elapsed().as_secs_f64(),
            first_token_seconds: first.map(|f| f.as_secs_f64()),
            sources,
            cited: job.answer.citations.len(),
        });
        if let Some(chain) = error.as_ref().and_then(|e| e.source.as_ref()) {
            tracing::warn!(error = format!("{chain:#}"), "an answer failed");
        }
        // The conversation is free before the reader learns of the end: the next question may follow at once.
        drop(job.place);
        let failure = error.as_ref().map(|e| Failure { status: e.status, retry_after: e.retry_after });
        let _ = events
            .send(AnswerEvent::End { message: Box::new(job.answer), error: error.map(|e| e.detail), failure })
            .await;
    }

    async fn stream(
        &self,
        job: &Job,
        events: &mpsc::Sender<AnswerEvent>,
        mut on_text: impl FnMut(),
    ) -> (Option<Answer>, Ended) {
        let question = Question {
            org: job.org,
            actor: job.actor.clone(),
            agent: &job.agent,
            history: &job.history,
            text: &job.question.content,
            temperature: None,
            max_output_tokens: None,
        };
        let started = tokio::select! {
            started = self.0.engine.start(&question) => started,
            () = job.place.stop.cancelled() => return (None, Ended::Stopped),
            () = events.closed() => return (None, Ended::Stopped),
        };
        let mut answer = match started {
            Ok(answer) => answer,
            Err(error) => return (None, Ended::Failed(error.into())),
        };
        let stop = &job.place.stop;
        if !deliver(events, stop, AnswerEvent::Sources { citations: answer.sources.clone() }).await {
            return (Some(answer), Ended::Stopped);
        }
        loop {
            let next = tokio::select! {
                next = answer.next() => next,
                () = stop.cancelled() => return (Some(answer), Ended::Stopped),
                () = events.closed() => return (Some(answer), Ended::Stopped),
            };
            match next {
                None => return (Some(answer), Ended::Complete),
                Some(Err(error)) => return (Some(answer), Ended::Failed(ApiError::from(error))),
                Some(Ok(text)) => {
                    on_text();
                    if !deliver(events, stop, AnswerEvent::Delta { text }).await {
                        return (Some(answer), Ended::Stopped);
                    }
                }
            }
        }
    }

    /// Writes the end down; a database that restarts meanwhile is waited for.
    async fn keep(&self, org: OrgId, message: &Message) {
        for patience in [1, 2, 4, 8, 0] {
            let result: Result<(), AgentError> = async {
                let mut tx = self.0.db.tenant(org).await?;
                store::finish_message(&mut tx, message).await?;
                tx.commit().await?;
                Ok(())
            }
            .await;
            match result {
                Ok(()) => return,
                Err(error) if patience == 0 => {
                    tracing::error!(message_id = %message.id, error = %error, "an answer could not be kept");
                }
                Err(_) => tokio::time::sleep(Duration::from_secs(patience)).await,
            }
        }
    }
}

/// Hands an event to the reader. False when nobody reads any more, or when it was stopped while a reader did not keep up.
async fn deliver(events: &mpsc::Sender<AnswerEvent>, stop: &CancellationToken, event: AnswerEvent) -> bool {
    tokio::select! {
        sent = events.send(event) => sent.is_ok(),
        () = stop.cancelled() => false,
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
