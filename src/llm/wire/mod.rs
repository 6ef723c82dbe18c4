//! OpenAI's chat format, as its many implementations use it.
//!
//! Every field that a server may omit, send as null or with a wrong type is optional or empty here, and unknown fields
//! are kept in `extra`. Messages from a server also keep their [`Original`] text, so that passing them on changes
//! nothing. Key order inside `extra` is kept (`serde_json` is built with `preserve_order`): models read the order of a
//! schema's properties.

mod delta;
mod usage;

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use utoipa::ToSchema;

pub use self::{delta::Delta, usage::Usage};
use super::{
    loose,
    parts::{self, Part},
};

/// A request to `/v1/chat/completions`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"model": "agent/handbook", "messages": [{"role": "user", "content": "How long does an on-call shift last?"}]}))]
pub struct ChatRequest {
    /// `provider/model`, an alias (`fast`, `quality`), `agent/<slug>` or `builtin/extractive`.
    pub model: String,
    pub messages: Vec<Message>,
    #[serde(default, deserialize_with = "loose::flag", skip_serializing_if = "Option::is_none")]
    pub stream: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_options: Option<StreamOptions>,
    #[serde(default, deserialize_with = "loose::float", skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Token limit of the answer; the older name.
    #[serde(default, deserialize_with = "loose::limit", skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// Token limit of the answer, reasoning included; the newer name.
    #[serde(default, deserialize_with = "loose::limit", skip_serializing_if = "Option::is_none")]
    pub max_completion_tokens: Option<u32>,
    /// Everything else (`tools`, `response_format`, `top_p`, ...), passed on unchanged.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl ChatRequest {
    /// A request with these messages and no other settings.
    pub fn new(model: impl Into<String>, messages: Vec<Message>) -> Self {
        Self { model: model.into(), messages, ..Self::default() }
    }

    /// Whether the client asked for a final chunk with usage.
    pub fn wants_usage(&self) -> bool {
        self.stream_options.as_ref().is_some_and(|o| o.include_usage == Some(true))
    }

    /// Text of the user's last message; empty if there is none.
    pub fn question(&self) -> String {
        self.messages.iter().rev().find(|m| m.role == "user").map(Message::text).unwrap_or_default()
    }
}

/// `stream_options` of a request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StreamOptions {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include_usage: Option<bool>,
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One message of a conversation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ChatMessage)]
pub struct Message {
    /// `system`, `developer`, `user`, `assistant` or `tool`.
    #[serde(default)]
    pub role: String,
    #[serde(default)]
    pub content: Option<Content>,
    /// `tool_calls`, `tool_call_id`, `name`, `annotations`, ...
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Message {
    pub fn new(role: &str, text: impl Into<String>) -> Self {
        Self { role: role.to_owned(), content: Some(Content::Text(text.into())), extra: Map::new() }
    }

    pub fn system(text: impl Into<String>) -> Self {
        Self::new("system", text)
    }

    pub fn user(text: impl Into<String>) -> Self {
        Self::new("user", text)
    }

    pub fn assistant(text: impl Into<String>) -> Self {
        Self::new("assistant", text)
    }

    /// The text of the content, its parts joined; without thinking.
    pub fn text(&self) -> String {
        self.content.as_ref().map(Content::text).unwrap_or_default()
    }

    /// Whether a part of the content cannot be read as text: an image, sound, a file.
    pub fn has_more_than_text(&self) -> bool {
        matches!(&self.content, Some(Content::Parts(parts)) if parts.iter().any(|part| parts::read(part) == Part::Other))
    }

    /// Whether it contains tool calls, or the result of one.
    pub fn is_about_tools(&self) -> bool {
        let calls = |name: &str| {
            self.extra.get(name).is_some_and(|v| !v.is_null() && v.as_array().is_none_or(|l| !l.is_empty()))
        };
        matches!(self.role.as_str(), "tool" | "function") || calls("tool_calls") || calls("function_call")
    }
}

/// A message's content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged, expecting = "the content of a message must be a text or a list of parts")]
pub enum Content {
    Text(String),
    /// `{"type": "text", "text": ...}`, `{"type": "image_url", ...}`, ...
    Parts(Vec<Value>),
}

impl Content {
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Parts(parts) => parts::text(parts),
        }
    }
}

/// An answer that is not streamed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChatCompletion {
    #[serde(default, deserialize_with = "lenient")]
    pub id: String,
    #[serde(default, deserialize_with = "lenient")]
    pub object: String,
    /// Unix time, seconds.
    #[serde(default, deserialize_with = "lenient")]
    pub created: i64,
    #[serde(default, deserialize_with = "lenient")]
    pub model: String,
    #[serde(default, deserialize_with = "lenient")]
    pub choices: Vec<Choice>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Choice {
    #[serde(default, deserialize_with = "lenient")]
    pub index: u32,
    #[serde(default, deserialize_with = "lenient")]
    pub message: Message,
    #[serde(default, deserialize_with = "reason")]
    pub finish_reason: Option<String>,
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One event of a streamed answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChatChunk {
    #[serde(default, deserialize_with = "lenient")]
    pub id: String,
    #[serde(default, deserialize_with = "lenient")]
    pub object: String,
    /// Unix time, seconds.
    #[serde(default, deserialize_with = "lenient")]
    pub created: i64,
    #[serde(default, deserialize_with = "lenient")]
    pub model: String,
    #[serde(default, deserialize_with = "lenient")]
    pub choices: Vec<ChunkChoice>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl ChatChunk {
    /// Text added to the first choice.
    pub fn text(&self) -> &str {
        self.choices.first().and_then(|c| c.delta.content.as_deref()).unwrap_or_default()
    }

    /// Why the first choice ended, on its last chunk.
    pub fn finish_reason(&self) -> Option<&str> {
        self.choices.first()?.finish_reason.as_deref()
    }

    /// Whether the chunk carries only usage: sent only because of `include_usage`.
    pub fn is_usage_only(&self) -> bool {
        self.choices.is_empty() && self.usage.is_some()
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChunkChoice {
    #[serde(default, deserialize_with = "lenient")]
    pub index: u32,
    #[serde(default, deserialize_with = "lenient")]
    pub delta: Delta,
    #[serde(default, deserialize_with = "reason")]
    pub finish_reason: Option<String>,
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A message from a model server: its JSON text as received, and our parsed view of it. Immutable, so that the two
/// cannot disagree.
#[derive(Clone, Debug, PartialEq)]
pub struct Original<T> {
    raw: Arc<str>,
    body: T,
}

/// One event of a streamed answer with its original text.
pub type Chunk = Original<ChatChunk>;
/// A whole answer with its original text.
pub type Completion = Original<ChatCompletion>;

impl<T: Serialize + DeserializeOwned> Original<T> {
    /// Parses a server's message. Of duplicate fields the last counts, as with other JSON parsers.
    pub fn parse(raw: impl Into<Arc<str>>) -> Result<Self, serde_json::Error> {
        let raw = raw.into();
        let body = serde_json::from_str(&raw).or_else(|error| {
            serde_json::from_str::<Value>(&raw).ok().and_then(|v| T::deserialize(v).ok()).ok_or(error)
        })?;
        Ok(Self { raw, body })
    }

    /// A message created here.
    pub fn made(body: T) -> Self {
        // These types hold strings, numbers and JSON values: serialising them cannot fail.
        Self { raw: serde_json::to_string(&body).unwrap_or_default().into(), body }
    }
}

impl<T> Original<T> {
    /// The JSON text, exactly as received.
    pub fn raw(&self) -> &str {
        &self.raw
    }

    pub fn body(&self) -> &T {
        &self.body
    }
}

/// A value of the wrong type, or null, counts as absent: one odd field must not lose a chunk.
pub(super) fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

/// Why an answer ended: an empty reason is `None`. Some servers send one on every chunk.
fn reason<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    lenient::<D, Option<String>>(deserializer).map(|reason| reason.filter(|reason| !reason.trim().is_empty()))
}
