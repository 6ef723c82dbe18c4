//! `holdfast_agents_*`

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use crate::label_enum;

label_enum! {
    /// How an answer ended.
    pub enum Outcome { Complete = "complete", Stopped = "stopped", Failed = "failed" }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: Outcome,
}

/// 50 ms to 2 minutes: extractive answers at one end, long answers of large models at the other.
const BUCKETS: [f64; 11] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0];

#[derive(Clone, Debug)]
pub struct Metrics {
    answers: Family<OutcomeLabels, Counter>,
    first_token: Histogram,
    duration: Histogram,
    uncited: Counter,
    pub in_progress: Gauge,
}

impl Metrics {
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            answers: Family::default(),
            first_token: Histogram::new(BUCKETS),
            duration: Histogram::new(BUCKETS),
            uncited: Counter::default(),
            in_progress: Gauge::default(),
        };
        for &outcome in Outcome::ALL {
            let _ = metrics.answers.get_or_create(&OutcomeLabels { outcome });
        }
        registry.register("answers", "Answers of agents, by how they ended", metrics.answers.clone());
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
            "Complete answers that were given sources and cite none",
            metrics.uncited.clone(),
        );
        registry.register("answers_in_progress", "Answers being written now", metrics.in_progress.clone());
        metrics
    }

    /// An answer ended: counts it and logs one line.
    pub fn answered(&self, end: &AnswerEnd<'_>) {
        self.answers.get_or_create(&OutcomeLabels { outcome: end.outcome }).inc();
        self.duration.observe(end.seconds);
        if let Some(seconds) = end.first_token_seconds {
            self.first_token.observe(seconds);
        }
        if end.outcome == Outcome::Complete && end.sources > 0 && end.cited == 0 {
            self.uncited.inc();
        }
        tracing::info!(
            target: "holdfast::agents", agent_id = end.agent_id, conversation_id = end.conversation_id, model = end.model,
            outcome = end.outcome.as_str(), error_code = end.error_code, seconds = end.seconds, first_token_seconds = end.first_token_seconds,
            sources = end.sources, cited = end.cited, "answer"
        );
    }
}

/// What the log line of an answer says.
#[derive(Debug)]
pub struct AnswerEnd<'a> {
    pub agent_id: String,
    pub conversation_id: String,
    pub model: &'a str,
    pub outcome: Outcome,
    pub error_code: Option<&'a str>,
    pub seconds: f64,
    pub first_token_seconds: Option<f64>,
    pub sources: usize,
    pub cited: usize,
}
