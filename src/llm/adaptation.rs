//! Named differences between model servers.

use prometheus_client::encoding::EncodeLabelSet;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use platform::label_enum;

label_enum! {
    /// A change of requests to a server that refuses them otherwise. None changes what the client asked for.
    #[derive(PartialOrd, Ord, Deserialize, Serialize, ToSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum Adaptation {
        /// Omits `stream_options`; usage is estimated when the server then reports none.
        NoStreamOptions = "no_stream_options",
        /// Sends the answer's token limit as `max_tokens`.
        MaxTokens = "max_tokens",
        /// Sends the answer's token limit as `max_completion_tokens`.
        MaxCompletionTokens = "max_completion_tokens",
        /// Sends messages of role `developer` as `system`.
        SystemForDeveloper = "system_for_developer",
        /// Moves system messages to the beginning of the user's first message.
        NoSystem = "no_system",
        /// Joins consecutive messages of one role; the user begins.
        AlternateTurns = "alternate_turns",
        /// Sends content that is a list of texts as one text.
        PlainContent = "plain_content",
        /// Removes fields that only answers have (`reasoning_content`, `annotations`, ...) from messages.
        InputFieldsOnly = "input_fields_only",
        /// Requests the answer whole and streams it to the client.
        NoStream = "no_stream",
        /// Omits `encoding_format` in requests for embeddings.
        NoEncodingFormat = "no_encoding_format",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AdaptationLabels {
    pub adaptation: Adaptation,
}

impl Adaptation {
    /// Translation key.
    pub fn key(self) -> String {
        format!("llm-adaptation-{}", self.as_str().replace('_', "-"))
    }

    /// The adaptation that this one replaces: the limit is sent under one name only.
    pub fn opposite(self) -> Option<Self> {
        match self {
            Self::MaxTokens => Some(Self::MaxCompletionTokens),
            Self::MaxCompletionTokens => Some(Self::MaxTokens),
            _ => None,
        }
    }
}

/// A model and its adaptations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct AdaptedModel {
    /// Without the provider's prefix.
    pub model: String,
    pub adaptations: Vec<Adaptation>,
}
