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
use crate::{
    label_enum,
    llm::{Failure, LlmError},
    platform::{error, telemetry::Latency},
};

label_enum! {
    /// How an answer ended.
    pub enum Outcome { Complete = "complete", Stopped = "stopped", Failed = "failed" }
}

label_enum! {
    /// Why there is no answer.
    pub enum Reason {
        /// The provider refused or failed before it answered.
        Provider = "provider",
        /// The stream ended, stalled or was broken off before the answer did.
        BrokeOff = "broke_off",
        Empty = "empty",
        OnlyThinking = "only_thinking",
        Filtered = "filtered",
        Refused = "refused",
        NeedsTools = "needs_tools",
        /// Retrieval, the database, a limit of our own.
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
    /// Which way a question came.
    pub enum Surface {
        /// A conversation that is kept.
        Conversation = "conversation",
        /// `model = "agent/<slug>"` on `/v1/chat/completions`.
        Model = "model",
    }
}

label_enum! {
    /// What was found for a question.
    pub enum Found {
        Matches = "matches",
        /// Nothing but weak matches.
        Weak = "weak",
        Nothing = "nothing",
        /// The agent has no knowledge bases.
        NotAsked = "not_asked",
    }
}

label_enum! {
    /// What of a search the model did not see.
    pub enum LeftOut {
        /// Passages that did not fit into the agent's `retrieval.max_tokens`.
        Passages = "passages",
        /// Questions of which only the beginning was searched for.
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
        registry.register(
            "answers",
            "Answers of agents, by the way they were asked for and how they ended",
            metrics.answers.clone(),
        );
        for &found in Found::ALL {
            let _ = metrics.questions.get_or_create(&FoundLabels { found });
        }
        registry.register(
            "questions",
            "Questions that went to a model, by what was found for them in the agent's knowledge bases",
            metrics.questions.clone(),
        );
        for &what in LeftOut::ALL {
            let _ = metrics.left_out.get_or_create(&LeftOutLabels { what });
        }
        registry.register(
            "left_out",
            "What of a search the model did not see: passages that did not fit into retrieval.max_tokens, the ends of questions that are too long to search for",
            metrics.left_out.clone(),
        );
        for &reason in Reason::ALL {
            let _ = metrics.failed.get_or_create(&FailureLabels { reason });
        }
        registry.register("answers_failed", "Answers that failed, by why there is none", metrics.failed.clone());
        registry.register(
            "answers_cut_off",
            "Answers that were cut off at the limit on their length",
            metrics.cut_off.clone(),
        );
        registry.register_with_unit(
            "first_token",
            "From the question to the first piece of the answer",
            Unit::Seconds,
            metrics.first_token.clone(),
        );
        registry.register_with_unit(
            "answer_duration",
            "From the question to the end of the answer",
            Unit::Seconds,
            metrics.duration.clone(),
        );
        registry.register(
            "answers_uncited",
            "Complete answers that were given sources that match, and cite none",
            metrics.uncited.clone(),
        );
        registry.register(
            "answers_refused",
            "Questions that were refused because agents.max_concurrent_answers were being answered",
            metrics.refused.clone(),
        );
        registry.register("answers_in_progress", "Answers being written now", metrics.in_progress.clone());
        metrics
    }

    /// There was no place to write an answer.
    pub(super) fn refused(&self) {
        self.refused.inc();
        tracing::warn!(
            "a question was refused: as many answers as agents.max_concurrent_answers allows are being written"
        );
    }

    /// An answer begins; its end is reported when what is returned is dropped.
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

/// Follows one answer and reports it once, when dropped: one log line and the metrics. Without [`Answering::completed`]
/// or [`Answering::failed`] its reader stopped it or went away.
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
    /// How it ended, and for a failure the chain of its causes.
    end: Option<(Outcome, String)>,
}

impl Answering {
    /// What the answer is made from.
    pub(super) fn given(&mut self, model: &str, sources: usize, found: Found) {
        self.metrics.questions.get_or_create(&FoundLabels { found }).inc();
        self.found = Some(found);
        model.clone_into(&mut self.model);
        self.sources = sources;
    }

    /// What was found and is not given to the model.
    pub(super) fn fell_short(&mut self, shortfall: Shortfall) {
        let count = |what, n| {
            self.metrics.left_out.get_or_create(&LeftOutLabels { what }).inc_by(n);
        };
        count(LeftOut::Passages, u64::from(shortfall.passages_left_out));
        count(LeftOut::QuestionEnds, u64::from(shortfall.question_cut_to.is_some()));
        self.shortfall = shortfall;
    }

    /// A piece of text came.
    pub(super) fn wrote(&mut self) {
        self.first.get_or_insert_with(|| self.began.elapsed());
    }

    /// `cited`: sources that it cites; `cut_off`: at the limit on its length.
    pub(super) fn completed(&mut self, cited: usize, cut_off: bool) {
        self.cited = cited;
        self.metrics.cut_off.inc_by(u64::from(cut_off));
        self.end = Some((Outcome::Complete, String::new()));
    }

    /// The answer failed on its way.
    pub(super) fn failed(&mut self, why: &LlmError) {
        self.fail(Reason::of(why), why);
    }

    /// The answer could not begin.
    pub(super) fn refused(&mut self, why: &AgentError) {
        let reason = if let AgentError::Llm(why) = why { Reason::of(why) } else { Reason::Other };
        self.fail(reason, why);
    }

    fn fail(&mut self, reason: Reason, why: &dyn std::error::Error) {
        self.metrics.failed.get_or_create(&FailureLabels { reason }).inc();
        self.end = Some((Outcome::Failed, error::chain(why)));
    }

    /// From the question to the first piece of the answer, where one came.
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
        // Of weak matches none need be cited: "the documents do not say" is then the right answer.
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
