//! Converts a request to a server's form.

use serde_json::Value;

use super::{
    super::{
        adaptation::Adaptation,
        wire::{ChatRequest, Content, Message, StreamOptions},
    },
    adapt::{Adaptations, OUTPUT_FIELDS},
};

/// Known differences between servers, before any refusal.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Habits {
    /// Reports usage without being asked.
    pub always_reports_usage: bool,
    /// Uses the newer name of the token limit. OpenAI's reasoning models refuse the older one, which every other server
    /// knows: Ollama ignores the newer and writes on, Mistral refuses it.
    pub newer_limit: bool,
}

/// Converts the request.
pub(super) fn prepare(request: &mut ChatRequest, habits: Habits, known: &Adaptations) {
    let needs = |adaptation| known.contains(&adaptation);
    // Null means unset, which not every server understands.
    request.extra.retain(|_, value| !value.is_null());
    request.messages.iter_mut().for_each(said);
    if needs(Adaptation::NoStream) {
        request.stream = None;
    }
    if request.stream != Some(true) || habits.always_reports_usage || needs(Adaptation::NoStreamOptions) {
        request.stream_options = None;
    } else {
        request.stream_options.get_or_insert_with(StreamOptions::default).include_usage = Some(true);
    }
    // One limit under one name; the newer takes precedence.
    let most = request.max_completion_tokens.take().or(request.max_tokens.take());
    let newer = needs(Adaptation::MaxCompletionTokens) || (habits.newer_limit && !needs(Adaptation::MaxTokens));
    if newer {
        request.max_completion_tokens = most;
    } else {
        request.max_tokens = most;
    }
    if needs(Adaptation::SystemForDeveloper) || needs(Adaptation::NoSystem) || needs(Adaptation::AlternateTurns) {
        request.messages.iter_mut().filter(|m| m.role == "developer").for_each(|m| "system".clone_into(&mut m.role));
    }
    if needs(Adaptation::InputFieldsOnly) {
        request.messages.iter_mut().for_each(only_input);
    }
    if needs(Adaptation::PlainContent) {
        request.messages.iter_mut().for_each(plain);
    }
    if needs(Adaptation::NoSystem) {
        without_system(&mut request.messages);
    }
    if needs(Adaptation::AlternateTurns) {
        alternate(&mut request.messages);
    }
}

/// Removes empty fields that client libraries send back in an answer: `"refusal": null`, and `"tool_calls": []`, which
/// vLLM returns and OpenAI refuses.
fn said(message: &mut Message) {
    let is_none = |name: &str, value: &Value| {
        value.is_null() || (name == "tool_calls" && value.as_array().is_some_and(Vec::is_empty))
    };
    message.extra.retain(|name, value| !is_none(name, value));
}

fn only_input(message: &mut Message) {
    let is_empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
    // A call of the older kind is input.
    message
        .extra
        .retain(|name, value| !is_empty(value) && (name == "function_call" || !OUTPUT_FIELDS.contains(&name.as_str())));
}

/// One text: from parts, or empty where there is no content (a tool call).
fn plain(message: &mut Message) {
    let parts = match &message.content {
        Some(Content::Text(_)) => return,
        Some(Content::Parts(parts)) => parts.as_slice(),
        None => &[],
    };
    if message.has_more_than_text() {
        return;
    }
    let texts: Vec<&str> = parts.iter().filter_map(|part| part.get("text")?.as_str()).collect();
    message.content = Some(Content::Text(texts.join("\n")));
}

/// Moves system messages to the user's first message.
fn without_system(messages: &mut Vec<Message>) {
    let (system, mut others): (Vec<Message>, Vec<Message>) =
        std::mem::take(messages).into_iter().partition(|m| m.role == "system");
    if !system.is_empty() {
        let mut first = Message { role: "user".into(), ..Message::default() };
        for message in system {
            append(&mut first, message.content);
        }
        match others.iter_mut().find(|m| m.role == "user") {
            Some(user) => {
                append(&mut first, user.content.take());
                user.content = first.content;
            }
            None => others.insert(0, first),
        }
    }
    *messages = others;
}

/// Joins consecutive messages of one role; the user begins.
fn alternate(messages: &mut Vec<Message>) {
    let mut turns: Vec<Message> = Vec::with_capacity(messages.len());
    for mut message in std::mem::take(messages) {
        // Templates that accept a system message only at the beginning get later instructions as user text.
        if message.role == "system" && turns.iter().any(|m| m.role != "system") {
            "user".clone_into(&mut message.role);
        }
        if message.role == "assistant" && turns.iter().all(|m| m.role == "system") {
            // The assistant spoke first: a template needs a question before.
            turns.push(Message::user("..."));
        }
        let speaks = |m: &Message| m.role != "tool" && !m.extra.contains_key("tool_calls");
        match turns.last_mut().filter(|last| last.role == message.role && speaks(last) && speaks(&message)) {
            Some(last) => append(last, message.content),
            None => turns.push(message),
        }
    }
    *messages = turns;
}

/// Appends content as a paragraph of its own.
fn append(message: &mut Message, more: Option<Content>) {
    let text = |text: String| serde_json::json!({"type": "text", "text": text});
    let parts = |content: Content| match content {
        Content::Text(words) => vec![text(words)],
        Content::Parts(parts) => parts,
    };
    message.content = match (message.content.take(), more) {
        (Some(Content::Text(a)), Some(Content::Text(b))) if a.is_empty() || b.is_empty() => Some(Content::Text(a + &b)),
        (Some(Content::Text(a)), Some(Content::Text(b))) => Some(Content::Text(format!("{a}\n\n{b}"))),
        (Some(a), Some(b)) => Some(Content::Parts(parts(a).into_iter().chain(parts(b)).collect())),
        (a, b) => a.or(b),
    };
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_is_written_as_the_server_takes_it() {
        let request = json!({"model": "m", "max_tokens": "7", "stop": null, "messages": [
            {"role": "system", "content": "S"},
            {"role": "assistant", "content": "W"},
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "user", "content": "c"},
            {"role": "system", "content": "later"}
        ]});
        let mut request: ChatRequest = serde_json::from_value(request).unwrap();
        let known = [Adaptation::AlternateTurns, Adaptation::NoSystem, Adaptation::PlainContent].into();
        prepare(&mut request, Habits { newer_limit: true, ..Habits::default() }, &known);
        let expected = json!({"model": "m", "messages": [
            {"role": "user", "content": "..."},
            {"role": "assistant", "content": "W"},
            {"role": "user", "content": "S\n\nlater\n\na\nb\n\nc"}
        ], "max_completion_tokens": 7});
        assert_eq!(serde_json::to_value(&request).unwrap(), expected);
    }

    #[test]
    fn an_answer_that_is_sent_back_has_nothing_that_says_nothing() {
        let messages = json!([
            {"role": "assistant", "content": "a", "refusal": null, "tool_calls": [], "audio": null, "annotations": []},
            {"role": "assistant", "content": null, "tool_calls": [{"id": "a"}], "function_call": null}
        ]);
        let mut request: ChatRequest = serde_json::from_value(json!({"model": "m", "messages": messages})).unwrap();
        prepare(&mut request, Habits::default(), &Adaptations::new());
        let expected = json!([
            {"role": "assistant", "content": "a", "annotations": []},
            {"role": "assistant", "content": null, "tool_calls": [{"id": "a"}]}
        ]);
        assert_eq!(serde_json::to_value(&request.messages).unwrap(), expected);
        prepare(&mut request, Habits::default(), &[Adaptation::PlainContent].into());
        assert_eq!(serde_json::to_value(&request.messages[1]).unwrap()["content"], "");
    }

    #[test]
    fn fields_of_answers_and_nothing_else_leave_a_message() {
        let message = json!({"role": "assistant", "content": null, "refusal": null, "annotations": [], "reasoning_content": "r", "name": "n", "tool_calls": [{"id": "a"}]});
        let mut message: Message = serde_json::from_value(message).unwrap();
        said(&mut message);
        only_input(&mut message);
        let left = json!({"role": "assistant", "content": null, "name": "n", "tool_calls": [{"id": "a"}]});
        assert_eq!(serde_json::to_value(&message).unwrap(), left);
    }
}
