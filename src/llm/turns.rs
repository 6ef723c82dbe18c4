//! Alternating roles. The templates of Gemma, Mistral and others refuse two consecutive messages of one role, a system
//! message in the middle, and a conversation that the assistant starts.

use serde_json::Value;

use super::wire::{Content, Message};

/// The same conversation with one system message at the beginning and alternating roles: consecutive messages of one
/// role are joined with an empty line, and assistant messages before the first question are quoted in the system
/// message. Tool calls, their results and messages with a name stay unchanged. Nothing is left out.
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

/// Only text or parts: a message that can be joined with another without loss.
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
