//! `holdfast_agents_*`

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};
use tokio::time::Instant;

use super::{
    error::AgentError,
    model::{Agent, AgentId, Citation, ConversationId, Shortfall},
};
use llm::{Failure, LlmError};
use platform::{error, label_enum, telemetry::Latency};

label_enum! {
    /// How an answer ended.
    pub enum Outcome { Complete = "complete", Stopped = "stopped", Failed = "failed" }
}

label_enum! {
    /// Why an answer failed.
    pub enum Reason {
        /// The provider refused or failed before answering.
        Provider = "provider",
        /// The stream ended, stalled or broke off before the answer was complete.
        BrokeOff = "broke_off",
        Empty = "empty",
        OnlyThinking = "only_thinking",
        Filtered = "filtered",
        Refused = "refused",
        NeedsTools = "needs_tools",
        /// Retrieval, the database, a limit of ours.
        Other = "other",
    }
}

impl Reason {
    fn of(error: &LlmError) -> Self {
        match error {
            error if error.failure() == Some(Failure::Cut) => Self::BrokeOff,
            error if error.failure().is_some() => Self::Provider,
            LlmError::Api(error) => match error.code.as_ref() {
                "answer_broke_off" => Self::BrokeOff,
                "answer_empty" => Self::Empty,
                "answer_only_thinking" => Self::OnlyThinking,
                "answer_filtered" => Self::Filtered,
                "answer_refused" => Self::Refused,
                "answer_needs_tools" => Self::NeedsTools,
                _ => Self::Other,
            },
            _ => Self::Other,
        }
    }
}

label_enum! {
    /// The API through which a question came.
    pub enum Surface {
        /// A stored conversation.
        Conversation = "conversation",
        /// `model = "agent/<slug>"` on `/v1/chat/completions`.
        Model = "model",
    }
}

label_enum! {
    /// What retrieval found for a question.
    pub enum Found {
        Matches = "matches",
        /// Only weak matches.
        Weak = "weak",
        Nothing = "nothing",
        /// The agent has no knowledge bases.
        NotAsked = "not_asked",
    }
}

label_enum! {
    /// Parts of a search that the model did not see.
    pub enum LeftOut {
        /// Chunks that did not fit into the agent's `retrieval.max_tokens`.
        Passages = "passages",
        /// Questions that were cut for the search.
        QuestionEnds = "question_ends",
    }
}

impl Found {
    pub(super) fn of(agent: &Agent, sources: &[Citation]) -> Self {
        match sources {
            _ if agent.settings.knowledge_bases.is_empty() => Self::NotAsked,
            [] => Self::Nothing,
            sources if sources.iter().all(|s| s.weak) => Self::Weak,
            _ => Self::Matches,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FoundLabels {
    found: Found,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LeftOutLabels {
    what: LeftOut,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AnswerLabels {
    surface: Surface,
    outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FailureLabels {
    reason: Reason,
}

/// 50 ms to 2 minutes: extractive answers at one end, long answers of large models at the other.
const BUCKETS: [f64; 11] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0];

#[derive(Clone, Debug)]
pub struct Metrics {
    answers: Family<AnswerLabels, Counter>,
    questions: Family<FoundLabels, Counter>,
    left_out: Family<LeftOutLabels, Counter>,
    first_token: Latency,
    duration: Latency,
    failed: Family<FailureLabels, Counter>,
    cut_off: Counter,
    uncited: Counter,
    refused: Counter,
    in_progress: Gauge,
}

impl Metrics {
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            answers: Family::default(),
            questions: Family::default(),
            left_out: Family::default(),
            first_token: Latency::new(BUCKETS),
            duration: Latency::new(BUCKETS),
            failed: Family::default(),
            cut_off: Counter::default(),
            uncited: Counter::default(),
            refused: Counter::default(),
            in_progress: Gauge::default(),
        };
        for &surface in Surface::ALL {
            for &outcome in Outcome::ALL {
                let _ = metrics.answers.get_or_create(&AnswerLabels { surface, outcome });
            }
        }
        registry.register("answers", "Answers of agents by API and outcome", metrics.answers.clone());
        for &found in Found::ALL {
            let _ = metrics.questions.get_or_create(&FoundLabels { found });
        }
        registry.register(
            "questions",
            "Questions sent to a model, by what retrieval found in the agent's knowledge bases",
            metrics.questions.clone(),
        );
        for &what in LeftOut::ALL {
            let _ = metrics.left_out.get_or_create(&LeftOutLabels { what });
        }
        registry.register(
            "left_out",
            "Parts of a search that the model did not see: chunks that did not fit into retrieval.max_tokens, ends of questions too long to search for",
            metrics.left_out.clone(),
        );
        for &reason in Reason::ALL {
            let _ = metrics.failed.get_or_create(&FailureLabels { reason });
        }
        registry.register("answers_failed", "Failed answers by reason", metrics.failed.clone());
        registry.register("answers_cut_off", "Answers cut off at their length limit", metrics.cut_off.clone());
        registry.register_with_unit(
            "first_token",
            "Time from the question to the first piece of the answer",
            Unit::Seconds,
            metrics.first_token.clone(),
        );
        registry.register_with_unit(
            "answer_duration",
            "Time from the question to the end of the answer",
            Unit::Seconds,
            metrics.duration.clone(),
        );
        registry.register(
            "answers_uncited",
            "Complete answers that cite none of their matching sources",
            metrics.uncited.clone(),
        );
        registry.register(
            "answers_refused",
            "Questions refused because agents.max_concurrent_answers was reached",
            metrics.refused.clone(),
        );
        registry.register("answers_in_progress", "Answers in progress", metrics.in_progress.clone());
        metrics
    }

    /// Counts a question refused for lack of a permit.
    pub(super) fn refused(&self) {
        self.refused.inc();
        tracing::warn!("question refused: agents.max_concurrent_answers is reached");
    }

    /// Starts tracking an answer; reported when the returned value is dropped.
    pub(super) fn began(&self, agent: AgentId, conversation: Option<ConversationId>) -> Answering {
        self.in_progress.inc();
        Answering {
            metrics: self.clone(),
            agent,
            conversation,
            model: String::new(),
            sources: 0,
            found: None,
            shortfall: Shortfall::default(),
            cited: 0,
            began: Instant::now(),
            first: None,
            end: None,
        }
    }
}

/// Tracks one answer and reports it once, when dropped: one log line and the metrics. Without [`Answering::completed`]
/// or [`Answering::failed`] its reader stopped it or disconnected.
#[derive(Debug)]
pub(super) struct Answering {
    metrics: Metrics,
    agent: AgentId,
    conversation: Option<ConversationId>,
    model: String,
    sources: usize,
    found: Option<Found>,
    shortfall: Shortfall,
    cited: usize,
    began: Instant,
    first: Option<Duration>,
    /// Outcome, and the error chain of a failure.
    end: Option<(Outcome, String)>,
}

impl Answering {
    /// Records the model's input.
    pub(super) fn given(&mut self, model: &str, sources: usize, found: Found) {
        self.metrics.questions.get_or_create(&FoundLabels { found }).inc();
        self.found = Some(found);
        model.clone_into(&mut self.model);
        self.sources = sources;
    }

    /// Records what was found but not given to the model.
    pub(super) fn fell_short(&mut self, shortfall: Shortfall) {
        let count = |what, n| {
            self.metrics.left_out.get_or_create(&LeftOutLabels { what }).inc_by(n);
        };
        count(LeftOut::Passages, u64::from(shortfall.passages_left_out));
        count(LeftOut::QuestionEnds, u64::from(shortfall.question_cut_to.is_some()));
        self.shortfall = shortfall;
    }

    /// Records a piece of text.
    pub(super) fn wrote(&mut self) {
        self.first.get_or_insert_with(|| self.began.elapsed());
    }

    /// `cited`: number of cited sources; `cut_off`: at the length limit.
    pub(super) fn completed(&mut self, cited: usize, cut_off: bool) {
        self.cited = cited;
        self.metrics.cut_off.inc_by(u64::from(cut_off));
        self.end = Some((Outcome::Complete, String::new()));
    }

    /// The answer failed while streaming.
    pub(super) fn failed(&mut self, why: &LlmError) {
        self.fail(Reason::of(why), why);
    }

    /// The answer could not start.
    pub(super) fn refused(&mut self, why: &AgentError) {
        let reason = if let AgentError::Llm(why) = why { Reason::of(why) } else { Reason::Other };
        self.fail(reason, why);
    }

    fn fail(&mut self, reason: Reason, why: &dyn std::error::Error) {
        self.metrics.failed.get_or_create(&FailureLabels { reason }).inc();
        self.end = Some((Outcome::Failed, error::chain(why)));
    }

    /// Time from the question to the first piece, if one came.
    pub(super) fn first_token(&self) -> Option<Duration> {
        self.first
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let (outcome, error) = self.end.take().unwrap_or((Outcome::Stopped, String::new()));
        let surface = if self.conversation.is_some() { Surface::Conversation } else { Surface::Model };
        let (metrics, took) = (&self.metrics, self.began.elapsed());
        metrics.in_progress.dec();
        metrics.answers.get_or_create(&AnswerLabels { surface, outcome }).inc();
        metrics.duration.observe(took.as_secs_f64());
        if let Some(first) = self.first {
            metrics.first_token.observe(first.as_secs_f64());
        }
        // Weak matches need not be cited: then "the documents do not say" is the right answer.
        if outcome == Outcome::Complete && self.found == Some(Found::Matches) && self.cited == 0 {
            metrics.uncited.inc();
        }
        let conversation_id = self.conversation.map(|id| id.to_string());
        let found = self.found.map(Found::as_str);
        let (left_out, words_only) = (self.shortfall.passages_left_out, self.shortfall.words_only);
        let question_cut = self.shortfall.question_cut_to.is_some();
        let first_token_ms = self.first.map(|first| first.as_secs_f64() * 1e3);
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    target: "holdfast::agents", agent_id = %self.agent, conversation_id, surface = surface.as_str(), model = self.model,
                    outcome = outcome.as_str(), duration_ms = took.as_secs_f64() * 1e3, first_token_ms, sources = self.sources, found,
                    left_out, question_cut, words_only, cited = self.cited, error, "answer"
                )
            };
        }
        match outcome {
            Outcome::Failed => line!(warn),
            Outcome::Complete | Outcome::Stopped => line!(info),
        }
    }
}
