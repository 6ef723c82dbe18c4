//! The ways in which model servers differ, by name.

use prometheus_client::encoding::EncodeLabelSet;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::label_enum;

label_enum! {
    /// How a request is changed for a server that refuses it as it is. None changes what was asked for.
    #[derive(PartialOrd, Ord, Deserialize, Serialize, ToSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum Adaptation {
        /// `stream_options` is left out; usage is estimated where the server then reports none.
        NoStreamOptions = "no_stream_options",
        /// The limit of an answer is called `max_tokens`.
        MaxTokens = "max_tokens",
        /// The limit of an answer is called `max_completion_tokens`.
        MaxCompletionTokens = "max_completion_tokens",
        /// Messages of role `developer` are sent as `system`.
        SystemForDeveloper = "system_for_developer",
        /// What was said as system stands at the begin of the user's first message.
        NoSystem = "no_system",
        /// Messages of one role in a row are joined, and the user begins.
        AlternateTurns = "alternate_turns",
        /// Content that is a list of texts is sent as one text.
        PlainContent = "plain_content",
        /// Fields that only answers have (`reasoning_content`, `annotations`, ...) are left out of messages.
        InputFieldsOnly = "input_fields_only",
        /// The answer is asked for whole, and given to the client as a stream.
        NoStream = "no_stream",
        /// `encoding_format` is left out of requests for embeddings.
        NoEncodingFormat = "no_encoding_format",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AdaptationLabels {
    pub adaptation: Adaptation,
}

impl Adaptation {
    /// Names it in the reader's language.
    pub fn key(self) -> String {
        format!("llm-adaptation-{}", self.as_str().replace('_', "-"))
    }

    /// What it replaces: a limit has one name.
    pub fn opposite(self) -> Option<Self> {
        match self {
            Self::MaxTokens => Some(Self::MaxCompletionTokens),
            Self::MaxCompletionTokens => Some(Self::MaxTokens),
            _ => None,
        }
    }
}

/// What a model of a provider needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct AdaptedModel {
    /// Without the provider's name.
    pub model: String,
    pub adaptations: Vec<Adaptation>,
}
