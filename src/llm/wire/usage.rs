//! Token counts of providers.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Tokens of one request, as counted by the provider.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Usage {
    /// Including cached ones (OpenAI's meaning).
    #[serde(default, deserialize_with = "count")]
    pub prompt_tokens: u64,
    /// Including reasoning.
    #[serde(default, deserialize_with = "count")]
    pub completion_tokens: u64,
    #[serde(default, deserialize_with = "count")]
    pub total_tokens: u64,
    /// Details by kind, `cost`, ...
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Usage {
    /// The counts under OpenAI's names, also from those of Anthropic and OpenAI's newer API; `None` if nothing was
    /// counted: some servers send empty or zero usage on every chunk, or always.
    pub(crate) fn counted(&self) -> Option<Self> {
        let either = |ours: u64, theirs: &str| match ours {
            0 => self.extra.get(theirs).and_then(Value::as_u64).unwrap_or_default(),
            ours => ours,
        };
        let prompt_tokens = either(self.prompt_tokens, "input_tokens");
        let completion_tokens = either(self.completion_tokens, "output_tokens");
        let total_tokens = self.total_tokens.max(prompt_tokens + completion_tokens);
        (prompt_tokens + completion_tokens > 0).then(|| Self {
            prompt_tokens,
            completion_tokens,
            total_tokens,
            extra: self.extra.clone(),
        })
    }

    pub fn new(prompt_tokens: u64, completion_tokens: u64) -> Self {
        Self { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens, extra: Map::new() }
    }
}

/// A count that may be null or have a fraction.
fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let value = Value::deserialize(deserializer)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float-to-integer cast saturates, and a negative count is none"
    )]
    let number = value.as_u64().or_else(|| value.as_f64().map(|f| f as u64));
    Ok(number.unwrap_or_default())
}
