//! The delta of a stream chunk.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{Content, Message, lenient};
use crate::parts::{self, Part};

/// What a chunk adds to a message. Content that is a list of parts is sorted: text into `content`, thinking and
/// refusals into the fields that other servers use.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(from = "RawDelta")]
pub struct Delta {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// `tool_calls` fragments keyed by `index`, `reasoning_content`, `annotations`, ...
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A [`Delta`] as received.
#[derive(Deserialize)]
struct RawDelta {
    #[serde(default, deserialize_with = "lenient")]
    role: Option<String>,
    #[serde(default)]
    content: Value,
    #[serde(flatten)]
    extra: Map<String, Value>,
}

impl From<RawDelta> for Delta {
    fn from(raw: RawDelta) -> Self {
        let mut delta = Self { role: raw.role, content: None, extra: raw.extra };
        let parts = match raw.content {
            Value::String(text) => {
                delta.content = Some(text);
                return delta;
            }
            Value::Array(parts) => parts,
            Value::Object(part) => vec![Value::Object(part)],
            _ => return delta,
        };
        for part in &parts {
            // Fragments of one text, not parts of a message: joined without a separator.
            match parts::read(part) {
                Part::Text(text) => delta.content.get_or_insert_default().push_str(&text),
                Part::Thinking(text) => delta.append("reasoning_content", &text),
                Part::Refusal(text) => delta.append("refusal", &text),
                Part::Other => {}
            }
        }
        delta
    }
}

impl From<Message> for Delta {
    /// A whole message as one delta.
    fn from(message: Message) -> Self {
        let content = match message.content {
            Some(Content::Text(text)) => Value::String(text),
            Some(Content::Parts(parts)) => Value::Array(parts),
            None => Value::Null,
        };
        RawDelta { role: Some(message.role), content, extra: message.extra }.into()
    }
}

impl Delta {
    fn append(&mut self, name: &str, text: &str) {
        match self.extra.get_mut(name) {
            Some(Value::String(old)) => old.push_str(text),
            _ => drop(self.extra.insert(name.to_owned(), Value::String(text.to_owned()))),
        }
    }

    /// The added thinking, whatever field the server uses.
    pub fn thinking(&self) -> String {
        parts::thinking(&self.extra).unwrap_or_default()
    }

    /// The added refusal.
    pub fn refusal(&self) -> &str {
        self.extra.get("refusal").and_then(Value::as_str).unwrap_or_default()
    }

    /// Output beside the text: thinking, and tool calls.
    pub(crate) fn beside(&self) -> String {
        parts::beside(&self.extra)
    }

    /// Whether it contains a piece of a tool call.
    pub fn calls_tools(&self) -> bool {
        let some = |v: &Value| v.as_array().map_or(v.is_object(), |list| !list.is_empty());
        ["tool_calls", "function_call"].into_iter().any(|name| self.extra.get(name).is_some_and(some))
    }

    /// Whether it carries a token: text, reasoning, a piece of a tool call; not just the role.
    pub(crate) fn says_something(&self) -> bool {
        self.content.as_ref().is_some_and(|text| !text.is_empty()) || self.extra.values().any(|value| !value.is_null())
    }
}
