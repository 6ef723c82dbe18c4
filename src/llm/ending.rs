//! Why a model stopped, in the words that its provider uses for it.

/// What a `finish_reason` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It had said what it wanted to say.
    Stop,
    /// It reached the limit on the length of its answer, or the end of its context.
    Length,
    /// A filter of the provider held the rest, or all of it, back.
    ContentFilter,
    /// It waits for the results of tools.
    ToolCalls,
    /// It refused.
    Refusal,
    /// The provider failed or gave up in the middle.
    Failed,
    /// A word that we do not know.
    Other,
}

impl Ending {
    /// From the reason that any provider gives, whatever its word for it.
    pub fn of(reason: &str) -> Self {
        match reason.trim().to_ascii_lowercase().as_str() {
            "stop" | "end_turn" | "stop_sequence" | "eos" | "eos_token" | "complete" | "completed" | "pause_turn" => {
                Self::Stop
            }
            "length"
            | "max_tokens"
            | "max_output_tokens"
            | "max_length"
            | "model_length"
            | "model_context_window_exceeded" => Self::Length,
            "content_filter"
            | "content_filtered"
            | "safety"
            | "recitation"
            | "blocklist"
            | "prohibited_content"
            | "spii"
            | "sensitive"
            | "guardrail_intervened" => Self::ContentFilter,
            "tool_calls" | "tool_use" | "function_call" | "tool_call" => Self::ToolCalls,
            "refusal" => Self::Refusal,
            "error"
            | "abort"
            | "aborted"
            | "network_error"
            | "insufficient_system_resource"
            | "malformed_function_call" => Self::Failed,
            _ => Self::Other,
        }
    }

    /// OpenAI's word, where it has one.
    pub fn openai(self) -> Option<&'static str> {
        match self {
            Self::Stop => Some("stop"),
            Self::Length => Some("length"),
            Self::ContentFilter => Some("content_filter"),
            Self::ToolCalls => Some("tool_calls"),
            Self::Refusal | Self::Failed | Self::Other => None,
        }
    }
}
