//! Parts of a message's content when it is a list: text, thinking, a refusal, and others.
//!
//! Providers differ in how they wrap thinking: `{"type": "thinking", "thinking": "..."}` (Anthropic),
//! `{"type": "thinking", "thinking": [{"type": "text", ...}]}` (Mistral), `{"type": "reasoning", "text": "..."}`, or a field
//! of its own beside the content (`reasoning_content`, `reasoning`).

use serde_json::{Map, Value};

/// One part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    Thinking(String),
    Refusal(String),
    /// An image, sound or file, which cannot be read as text.
    Other,
}

pub(super) fn read(part: &Value) -> Part {
    let field = |name: &str| part.get(name).and_then(Value::as_str);
    if let Some(text) = part.as_str() {
        return Part::Text(text.to_owned());
    }
    let kind = field("type").unwrap_or_default();
    if kind.contains("thinking") || kind.contains("reasoning") {
        let names = ["thinking", "reasoning", "text", "content", "summary"];
        return Part::Thinking(names.into_iter().find_map(|name| words(part.get(name)?)).unwrap_or_default());
    }
    if let Some(refusal) = field("refusal") {
        return Part::Refusal(refusal.to_owned());
    }
    field("text").map_or(Part::Other, |text| Part::Text(text.to_owned()))
}

/// All text inside a string, a list of parts or a part.
fn words(value: &Value) -> Option<String> {
    let found = match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().filter_map(words).collect(),
        Value::Object(fields) => {
            ["text", "thinking", "summary", "content"].into_iter().find_map(|name| words(fields.get(name)?))?
        }
        _ => return None,
    };
    (!found.is_empty()).then_some(found)
}

/// The text of a whole message's parts, separated by a line feed unless they already are.
pub(super) fn text(parts: &[Value]) -> String {
    let mut out = String::new();
    for part in parts {
        let (Part::Text(text) | Part::Refusal(text)) = read(part) else { continue };
        let apart = out.is_empty() || text.is_empty() || out.ends_with(char::is_whitespace);
        if !apart && !text.starts_with(char::is_whitespace) {
            out.push('\n');
        }
        out.push_str(&text);
    }
    out
}

/// The thinking in a message's fields. Servers that use several names repeat it under each: the first counts.
pub(super) fn thinking(fields: &Map<String, Value>) -> Option<String> {
    let names =
        ["reasoning_content", "reasoning", "thinking", "reasoning_text", "thinking_blocks", "reasoning_details"];
    names.into_iter().find_map(|name| words(fields.get(name)?))
}

/// A model's output beside its text: thinking, and the names and arguments of tool calls. For counting.
pub(super) fn beside(fields: &Map<String, Value>) -> String {
    let mut out = thinking(fields).unwrap_or_default();
    let calls = fields.get("tool_calls").and_then(Value::as_array).into_iter().flatten();
    for function in calls.filter_map(|call| call.get("function")).chain(fields.get("function_call")) {
        ["name", "arguments"]
            .into_iter()
            .filter_map(|key| function.get(key)?.as_str())
            .for_each(|text| out.push_str(text));
    }
    out
}
