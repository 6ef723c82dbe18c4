//! Finish reasons, in the words of different providers.

/// Meaning of a `finish_reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The answer is complete.
    Stop,
    /// The token limit or the end of the context was reached.
    Length,
    /// A content filter of the provider blocked the rest, or all of it.
    ContentFilter,
    /// The model waits for tool results.
    ToolCalls,
    /// The model refused.
    Refusal,
    /// The provider failed or gave up in the middle.
    Failed,
    /// Unknown reason.
    Other,
}

impl Ending {
    /// Classifies any provider's reason.
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

    /// OpenAI's word, if it has one.
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
