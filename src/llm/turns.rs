//! Turns that alternate. The templates of Gemma, Mistral and others refuse two messages of one role in a row, a system
//! message in the middle, and a conversation that the assistant begins.

use serde_json::Value;

use super::wire::{Content, Message};

/// The same conversation with one system message at its beginning and roles that alternate: neighbours of one role are
/// joined with an empty line, and what the assistant said before anybody asked is told in the system message. Tool calls,
/// their results and messages with a name stay as they are. Nothing is left out.
pub fn alternate(messages: Vec<Message>) -> Vec<Message> {
    let mut system: Option<Message> = None;
    let mut turns: Vec<Message> = Vec::new();
    for message in messages {
        let ruling = matches!(message.role.as_str(), "system" | "developer");
        let greeting = turns.is_empty() && message.role == "assistant" && !message.is_about_tools();
        if ruling {
            join_or_set(&mut system, message);
        } else if greeting {
            let text = message.text();
            if !text.trim().is_empty() {
                join_or_set(&mut system, Message::system(format!("You began the conversation with:\n{text}")));
            }
        } else {
            match turns.last_mut() {
                Some(last) if last.role == message.role && is_plain(last) && is_plain(&message) => join(last, message),
                _ => turns.push(message),
            }
        }
    }
    system.into_iter().chain(turns).collect()
}

fn join_or_set(into: &mut Option<Message>, message: Message) {
    match into {
        Some(old) => join(old, message),
        None => *into = Some(message),
    }
}

/// Nothing beside text or parts: a message that can be joined with another without losing something.
fn is_plain(message: &Message) -> bool {
    matches!(message.role.as_str(), "user" | "assistant") && message.extra.values().all(Value::is_null)
}

fn join(into: &mut Message, message: Message) {
    into.content = match (into.content.take(), message.content) {
        (None, other) | (other, None) => other,
        (Some(Content::Text(old)), Some(Content::Text(new))) => {
            let gap = if old.trim().is_empty() || new.trim().is_empty() { "" } else { "\n\n" };
            Some(Content::Text(format!("{old}{gap}{new}")))
        }
        (Some(old), Some(new)) => Some(Content::Parts([parts(old), parts(new)].concat())),
    };
}

fn parts(content: Content) -> Vec<Value> {
    match content {
        Content::Text(text) => vec![serde_json::json!({"type": "text", "text": text})],
        Content::Parts(parts) => parts,
    }
}
