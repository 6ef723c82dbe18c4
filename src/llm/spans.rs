//! The span of a call, named by OpenTelemetry's conventions for generative AI.

use std::time::Duration;

use super::{
    model::{BackendKind, CallContext, Operation, Outcome},
    usage::{Target, UsageRow},
};
use platform::telemetry::{Span, otlp::wire::Kind};

/// Starts it.
pub(super) fn begin(call: &CallContext, target: &Target, streamed: bool) -> Span {
    let operation = match target.operation {
        Operation::Chat => "chat",
        Operation::Embedding => "embeddings",
    };
    let kind = if target.kind == BackendKind::Openai { Kind::Client } else { Kind::Internal };
    let mut span = Span::part(kind, || format!("{operation} {}", target.model));
    if span.is_recorded() {
        span.set("gen_ai.operation.name", operation);
        span.set("gen_ai.provider.name", &*target.provider);
        span.set("gen_ai.request.model", &*target.model);
        span.set("gen_ai.request.stream", streamed);
        span.set("holdfast.org_id", &*call.org_id.to_string());
        if let Some(agent) = call.agent_id {
            span.set("gen_ai.agent.id", &*agent.to_string());
        }
    }
    span
}

/// Records the outcome, without the provider's message, which may contain user data.
pub(super) fn end(span: &mut Span, row: &UsageRow, first_token: Option<Duration>) {
    span.set("gen_ai.usage.input_tokens", row.prompt_tokens);
    span.set("gen_ai.usage.output_tokens", row.completion_tokens);
    span.set("holdfast.tokens_estimated", row.estimated);
    span.set("holdfast.outcome", row.outcome.as_str());
    if let Some(first) = first_token {
        span.set("gen_ai.response.time_to_first_chunk", first.as_secs_f64());
    }
    if !matches!(row.outcome, Outcome::Ok | Outcome::Cancelled) {
        span.failed(row.outcome.as_str());
    }
}
