//! Metering: one report per call, however it ends, and usage rows written off the request's path.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde::Serialize;
use tokio::{sync::mpsc, time::Instant};
use uuid::Uuid;

use super::{
    error::LlmError,
    metrics::Metrics,
    model::{BackendKind, CallContext, Operation, Outcome, TokenEstimate},
    parts,
    prices::Prices,
    spans, store,
    wire::{ChatChunk, ChatCompletion, ChatRequest, Usage},
};
use platform::{
    clock::Clock,
    db::Db,
    error::chain,
    ids::{self, OrgId},
    lifecycle::Lifecycle,
    telemetry::Span,
    trace::Context,
};

/// Rows waiting for the database; if it is down, a few minutes of heavy use.
const QUEUE: usize = 20_000;
/// Rows per statement.
const BATCH: usize = 500;

/// A row of `llm_usage`, named like its columns.
#[derive(Clone, Debug, Serialize)]
pub(super) struct UsageRow {
    pub id: Uuid,
    #[serde(skip)]
    pub org_id: OrgId,
    pub actor: String,
    pub agent_id: Option<Uuid>,
    pub operation: Operation,
    pub provider: String,
    pub model: String,
    pub alias: Option<String>,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    pub estimated: bool,
    pub duration_ms: u64,
    pub first_token_ms: Option<u64>,
    pub outcome: Outcome,
    pub streamed: bool,
    /// `None`: unknown.
    pub cost: Option<f64>,
    pub created_at: chrono::DateTime<chrono::Utc>,
}

/// Accepts rows without waiting; a separate task writes them. Lost rows are counted and logged.
#[derive(Clone, Debug)]
pub(super) struct Recorder {
    rows: mpsc::Sender<UsageRow>,
    /// Calls that will still send a row: at shutdown the writer waits for them.
    live: Arc<AtomicUsize>,
    metrics: Metrics,
    prices: Prices,
    clock: Clock,
}

impl Recorder {
    pub(super) fn start(db: Db, clock: Clock, metrics: Metrics, prices: Prices, lifecycle: &Lifecycle) -> Self {
        let (sender, rows) = mpsc::channel(QUEUE);
        let live = Arc::new(AtomicUsize::new(0));
        let writer = Writer { db, rows, live: live.clone(), metrics: metrics.clone(), stop: lifecycle.soft().clone() };
        lifecycle.spawn("llm.usage", writer.run());
        Self { rows: sender, live, metrics, prices, clock }
    }

    fn record(&self, row: UsageRow) {
        if let Err(error) = self.rows.try_send(row) {
            self.metrics.usage_rows_lost.inc();
            match error {
                mpsc::error::TrySendError::Full(_) => {
                    tracing::warn!("a usage row was lost: the database is too slow");
                }
                mpsc::error::TrySendError::Closed(_) => tracing::warn!(
                    "a usage row was lost: a call ended after the last rows were written during shutdown"
                ),
            }
        }
    }
}

struct Writer {
    db: Db,
    rows: mpsc::Receiver<UsageRow>,
    live: Arc<AtomicUsize>,
    metrics: Metrics,
    stop: tokio_util::sync::CancellationToken,
}

impl Writer {
    async fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let stopping = self.stop.is_cancelled();
            if stopping && self.live.load(Ordering::SeqCst) == 0 && self.rows.is_empty() {
                return;
            }
            // Collects rows for a moment, so that a busy second is one statement; at shutdown it does not wait.
            let first = tokio::select! {
                n = self.rows.recv_many(&mut batch, BATCH) => n,
                () = self.stop.cancelled(), if !stopping => continue,
                () = tokio::time::sleep(Duration::from_millis(50)), if stopping => continue,
            };
            if first == 0 {
                return;
            }
            if !stopping {
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_millis(500)) => {}
                    () = self.stop.cancelled() => {}
                }
                while batch.len() < BATCH
                    && let Ok(row) = self.rows.try_recv()
                {
                    batch.push(row);
                }
            }
            self.write(std::mem::take(&mut batch)).await;
        }
    }

    /// Writes a batch, organisation by organisation, retrying while the database is unreachable.
    async fn write(&self, mut batch: Vec<UsageRow>) {
        batch.sort_by_key(|row| row.org_id);
        for rows in batch.chunk_by(|a, b| a.org_id == b.org_id) {
            let mut wait = Duration::from_millis(200);
            loop {
                let error = match store::insert_usage(&self.db, rows[0].org_id, rows).await {
                    Ok(()) => {
                        self.metrics.usage_rows_written.inc_by(rows.len() as u64);
                        break;
                    }
                    Err(error) => error,
                };
                if !error.is_unavailable() || (self.stop.is_cancelled() && wait > Duration::from_secs(2)) {
                    self.metrics.usage_rows_lost.inc_by(rows.len() as u64);
                    tracing::error!(error = %anyhow::Error::from(error), rows = rows.len(), org_id = %rows[0].org_id, "usage rows were lost");
                    break;
                }
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(Duration::from_secs(5));
            }
        }
    }
}

/// Target of a request; names for the row, the span and the log line.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub operation: Operation,
    pub kind: BackendKind,
    pub provider: String,
    pub model: String,
    pub alias: Option<String>,
}

/// Tracks one call and reports it once, when dropped: a metric observation, a log line and, unless an inner call has
/// its own, a usage row. Without [`Meter::succeeded`] or [`Meter::failed`] the caller disconnected.
#[derive(Debug)]
pub(super) struct Meter {
    recorder: Recorder,
    org_id: OrgId,
    actor: String,
    agent_id: Option<Uuid>,
    target: Target,
    streamed: bool,
    started: Instant,
    first_token: Option<Duration>,
    usage: Option<Usage>,
    prompt: TokenEstimate,
    output: TokenEstimate,
    outcome: Option<Outcome>,
    error: Option<String>,
    span: tracing::Span,
    recorded: Span,
}

impl Meter {
    pub(super) fn new(recorder: &Recorder, call: &CallContext, target: Target, streamed: bool) -> Self {
        recorder.live.fetch_add(1, Ordering::SeqCst);
        let span = match target.operation {
            Operation::Chat => {
                tracing::info_span!("llm.chat", provider = target.provider, model = target.model, streamed)
            }
            Operation::Embedding => tracing::info_span!("llm.embed", provider = target.provider, model = target.model),
        };
        let part = spans::begin(call, &target, streamed);
        Self {
            recorder: recorder.clone(),
            org_id: call.org_id,
            actor: call.actor.clone(),
            agent_id: call.agent_id,
            target,
            streamed,
            started: Instant::now(),
            first_token: None,
            usage: None,
            prompt: TokenEstimate::default(),
            output: TokenEstimate::default(),
            outcome: None,
            error: None,
            span,
            recorded: part,
        }
    }

    /// The span's context, to pass on to the backend.
    pub(super) fn context(&self) -> Option<Context> {
        self.recorded.context()
    }

    pub(super) fn span(&self) -> &tracing::Span {
        &self.span
    }

    /// Estimates the prompt's tokens, in case the server does not count them.
    pub(super) fn prompt(&mut self, request: &ChatRequest) {
        for message in &request.messages {
            self.prompt.add(&message.text());
            self.prompt.add(&parts::beside(&message.extra));
        }
        if let Some(tools) = request.extra.get("tools").filter(|tools| !tools.is_null()) {
            self.prompt.add(&tools.to_string());
        }
    }

    pub(super) fn prompt_text(&mut self, text: &str) {
        self.prompt.add(text);
    }

    pub(super) fn see(&mut self, chunk: &ChatChunk) {
        for choice in &chunk.choices {
            let delta = &choice.delta;
            if self.first_token.is_none() && delta.says_something() {
                self.first_token = Some(self.started.elapsed());
            }
            self.output.add(delta.content.as_deref().unwrap_or_default());
            // Billed like any other output.
            self.output.add(&delta.beside());
        }
        // The last report counts: some servers repeat it cumulatively, others send it with the last choice.
        if let Some(usage) = chunk.usage.as_ref().and_then(Usage::counted) {
            self.usage = Some(usage);
        }
    }

    pub(super) fn see_whole(&mut self, whole: &ChatCompletion) {
        for choice in &whole.choices {
            self.output.add(&choice.message.text());
            self.output.add(&parts::beside(&choice.message.extra));
        }
        self.usage = whole.usage.as_ref().and_then(Usage::counted);
    }

    pub(super) fn set_usage(&mut self, usage: Option<Usage>) {
        self.usage = usage;
    }

    /// Usage so far: as counted by the server, or estimated here (`true`). A count of zero despite text does not count.
    pub(super) fn usage(&self) -> (Usage, bool) {
        let (prompt, output) = (self.prompt.tokens(), self.output.tokens());
        let Some(mut usage) = self.usage.clone() else { return (Usage::new(prompt, output), true) };
        let mut estimated = false;
        for (count, guess) in [(&mut usage.prompt_tokens, prompt), (&mut usage.completion_tokens, output)] {
            if *count == 0 && guess > 0 {
                (*count, estimated) = (guess, true);
            }
        }
        usage.total_tokens = usage.total_tokens.max(usage.prompt_tokens + usage.completion_tokens);
        (usage, estimated)
    }

    pub(super) fn succeeded(&mut self) {
        self.outcome = Some(Outcome::Ok);
    }

    pub(super) fn failed(&mut self, error: &LlmError) {
        self.outcome = Some(error.outcome());
        self.error = Some(chain(error));
        // An agent's model has a call of its own, which failed in the same way.
        if self.target.kind == BackendKind::Openai
            && let Some(failure) = error.failure()
        {
            self.recorder.metrics.provider_failed(&self.target.provider, failure);
        }
    }

    fn row(&self, took: Duration, outcome: Outcome) -> UsageRow {
        let (usage, estimated) = self.usage();
        let millis = |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
        UsageRow {
            id: ids::new_uuid(&self.recorder.clock),
            org_id: self.org_id,
            actor: self.actor.clone(),
            agent_id: self.agent_id,
            operation: self.target.operation,
            provider: self.target.provider.clone(),
            model: self.target.model.clone(),
            alias: self.target.alias.clone(),
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
            estimated,
            duration_ms: millis(took),
            first_token_ms: self.first_token.map(millis),
            outcome,
            streamed: self.streamed,
            cost: None,
            created_at: self.recorder.clock.now(),
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        let (took, outcome) = (self.started.elapsed(), self.outcome.unwrap_or(Outcome::Cancelled));
        // A request that did not reach the model used nothing.
        if matches!(outcome, Outcome::ClientError | Outcome::RateLimited)
            && self.usage.is_none()
            && self.first_token.is_none()
        {
            self.usage = Some(Usage::default());
            (self.prompt, self.output) = (TokenEstimate::default(), TokenEstimate::default());
        }
        let mut row = self.row(took, outcome);
        let tokens = (row.prompt_tokens, row.completion_tokens);
        row.cost = self.recorder.prices.known(&row.provider, &row.model, tokens, self.usage.as_ref());
        let cost = row.cost.unwrap_or_default();
        self.recorder.metrics.called(&self.target, outcome, took, self.first_token, (&row, cost));
        spans::end(&mut self.recorded, &row, self.first_token);
        let _entered = self.span.enter();
        let error = self.error.as_deref().unwrap_or_default();
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    target: "holdfast::llm", operation = self.target.operation.as_str(), provider = row.provider, model = row.model,
                    alias = row.alias.as_deref().unwrap_or_default(), org_id = %self.org_id, actor = row.actor,
                    agent_id = self.agent_id.map(|id| id.to_string()), outcome = outcome.as_str(), streamed = self.streamed,
                    duration_ms = took.as_secs_f64() * 1e3, first_token_ms = self.first_token.map(|d| d.as_secs_f64() * 1e3),
                    prompt_tokens = row.prompt_tokens, completion_tokens = row.completion_tokens, estimated = row.estimated, error, "llm call"
                )
            };
        }
        match outcome {
            Outcome::ProviderError | Outcome::Timeout | Outcome::InternalError => line!(warn),
            _ => line!(info),
        }
        // An agent's answer is a call of its own, which has the row.
        if self.target.kind != BackendKind::Agent {
            self.recorder.record(row);
        }
        self.recorder.live.fetch_sub(1, Ordering::SeqCst);
    }
}
