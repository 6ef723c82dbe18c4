//! Converts answers of servers that deviate from OpenAI's documented format. Conforming answers pass unchanged.

use serde_json::{Map, Value};

use super::super::{
    ending::Ending,
    wire::{ChatChunk, Choice, Chunk, ChunkChoice, Completion, Delta, Message, Original},
};

/// A whole answer: moves its text to `message`, and maps its finish reason to OpenAI's word.
pub(super) fn whole(answer: Completion) -> Completion {
    let mut body = answer.body().clone();
    let mut changed = false;
    let is_empty = |choice: &Choice| choice.message.content.is_none() && choice.message.extra.is_empty();
    let raw: Value = if body.choices.iter().any(is_empty) {
        serde_json::from_str(answer.raw()).unwrap_or_default()
    } else {
        Value::Null
    };
    for (at, choice) in body.choices.iter_mut().enumerate() {
        changed |= find_message(choice, &raw["choices"][at]);
        changed |= word(&mut choice.finish_reason, &mut choice.extra);
        changed |= without_empty_calls(&mut choice.message.extra);
    }
    changed |= has_empty_reason(answer.raw());
    if !changed {
        return answer;
    }
    if body.object != "chat.completion" {
        "chat.completion".clone_into(&mut body.object);
    }
    Original::made(body)
}

/// Moves `text` (as in `/v1/completions`), `delta` (as in streams), `content` or a plain string to `message`.
fn find_message(choice: &mut Choice, raw: &Value) -> bool {
    if choice.message.content.is_some() || !choice.message.extra.is_empty() {
        return false;
    }
    let delta = choice.extra.get("delta").filter(|delta| delta.is_object()).cloned();
    let text = ["message", "text", "content"].into_iter().find_map(|key| raw.get(key)?.as_str());
    let found = match (delta.and_then(|delta| serde_json::from_value::<Message>(delta).ok()), text) {
        (Some(message), _) => message,
        (None, Some(text)) => Message::assistant(text),
        (None, None) => return false,
    };
    choice.message = found;
    for key in ["delta", "text", "content"] {
        choice.extra.shift_remove(key);
    }
    if choice.message.role.is_empty() {
        "assistant".clone_into(&mut choice.message.role);
    }
    true
}

/// The same for a stream chunk.
pub(super) fn chunk(chunk: Chunk) -> Chunk {
    let odd = |choice: &ChunkChoice| {
        let elsewhere = choice.extra.contains_key("text") || choice.extra.contains_key("message");
        elsewhere
            || has_empty_calls(&choice.delta.extra)
            || choice.finish_reason.as_deref().is_some_and(|reason| openai_word(reason).is_some())
    };
    if !chunk.body().choices.iter().any(odd) && !has_empty_reason(chunk.raw()) {
        return chunk;
    }
    let mut body: ChatChunk = chunk.body().clone();
    // Beside a delta, `message` is the text so far, and `text` repeats the piece.
    let raw: Value = serde_json::from_str(chunk.raw()).unwrap_or_default();
    for (at, choice) in body.choices.iter_mut().enumerate() {
        if raw["choices"][at].get("delta").is_none_or(Value::is_null) {
            find_delta(choice);
        }
        word(&mut choice.finish_reason, &mut choice.extra);
        without_empty_calls(&mut choice.delta.extra);
    }
    if body.object == "text_completion" {
        "chat.completion.chunk".clone_into(&mut body.object);
    }
    Original::made(body)
}

fn find_delta(choice: &mut ChunkChoice) {
    let message = choice.extra.shift_remove("message").and_then(|m| serde_json::from_value::<Message>(m).ok());
    let text = choice.extra.shift_remove("text");
    if let Some(message) = message {
        choice.delta = Delta::from(message);
    } else if let Some(Value::String(text)) = text {
        choice.delta.content = Some(text);
    }
}

fn has_empty_calls(message: &Map<String, Value>) -> bool {
    message.get("tool_calls").and_then(Value::as_array).is_some_and(Vec::is_empty)
}

/// Removes an empty list of calls (vLLM): clients that see the field start calling, and OpenAI refuses it when it is
/// sent back.
fn without_empty_calls(message: &mut Map<String, Value>) -> bool {
    has_empty_calls(message) && message.shift_remove("tool_calls").is_some()
}

/// OpenAI's word for another provider's finish reason.
fn openai_word(reason: &str) -> Option<&'static str> {
    match reason {
        "stop" | "length" | "content_filter" | "tool_calls" | "function_call" => None,
        other => Ending::of(other).openai(),
    }
}

/// Maps the reason to OpenAI's word; the server's own is kept beside it, where `OpenRouter` has it too.
fn word(reason: &mut Option<String>, beside: &mut Map<String, Value>) -> bool {
    let Some(word) = reason.as_deref().and_then(openai_word) else { return false };
    if let Some(own) = reason.replace(word.to_owned()) {
        beside.entry("native_finish_reason").or_insert(Value::String(own));
    }
    true
}

/// Some servers send an empty reason on every chunk until there is one.
fn has_empty_reason(raw: &str) -> bool {
    raw.contains(r#""finish_reason":"""#) || raw.contains(r#""finish_reason": """#)
}

/// The error of a failed choice: inside it (`OpenRouter`), or only as its reason.
pub(super) fn error_of(beside: &Map<String, Value>, reason: Option<&str>) -> Option<Value> {
    let said = beside.get("error").filter(|error| match error {
        Value::Object(error) => !error.is_empty(),
        Value::String(error) => !error.is_empty(),
        _ => false,
    });
    let ended = reason == Some("error");
    said.cloned().or_else(|| ended.then(|| Value::String("it gave up in the middle of its answer".to_owned())))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_text_is_found_wherever_it_is() {
        let mended = |choice: Value| {
            let raw = json!({"id": "w", "object": "text_completion", "choices": [choice]}).to_string();
            let answer = whole(Completion::parse(raw).unwrap());
            serde_json::from_str::<Value>(answer.raw()).unwrap()
        };
        let answer =
            mended(json!({"index": 0, "text": "a", "logprobs": {"tokens": ["a"]}, "finish_reason": "eos_token"}));
        let expected = json!({"id": "w", "object": "chat.completion", "created": 0, "model": "", "choices": [{"index": 0,
            "message": {"role": "assistant", "content": "a"}, "finish_reason": "stop", "logprobs": {"tokens": ["a"]},
            "native_finish_reason": "eos_token"}]});
        assert_eq!(answer, expected);
        let answer =
            mended(json!({"delta": {"content": "a", "tool_calls": [{"id": "1"}]}, "finish_reason": "tool_calls"}));
        let message = json!({"role": "assistant", "content": "a", "tool_calls": [{"id": "1"}]});
        assert_eq!((&answer["choices"][0]["message"], answer["choices"][0].get("delta")), (&message, None));
        for odd in [json!({"message": "a"}), json!({"content": "a"}), json!({"message": null, "text": "a"})] {
            assert_eq!(mended(odd.clone())["choices"][0]["message"]["content"], "a", "{odd}");
        }
        // Existing values are not replaced.
        let own =
            json!({"index": 0, "message": {"role": "assistant", "content": ""}, "text": "b", "finish_reason": "stop"});
        assert_eq!(mended(own.clone())["choices"][0], own);
    }

    #[test]
    fn what_is_in_openais_form_passes_as_it_came() {
        let raw = r#"{ "choices":[{"index":0,"message":{"content":"a"},"finish_reason":"length"}] ,"x":1.50}"#;
        assert_eq!(whole(Completion::parse(raw).unwrap()).raw(), raw);
        let raw = r#"{"choices": [{"delta": {"content":"a"}, "finish_reason":null}]}"#;
        assert_eq!(chunk(Chunk::parse(raw).unwrap()).raw(), raw);
    }

    #[test]
    fn an_empty_list_of_calls_is_none() {
        let raw = r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"a","tool_calls":[]},"finish_reason":"stop"}]}"#;
        assert!(!whole(Completion::parse(raw).unwrap()).raw().contains("tool_calls"));
        let raw = r#"{"choices":[{"index":0,"delta":{"content":"a","tool_calls":[]}}]}"#;
        let sent = chunk(Chunk::parse(raw).unwrap());
        assert!(!sent.raw().contains("tool_calls") && sent.body().text() == "a", "{}", sent.raw());
    }

    #[test]
    fn a_piece_is_found_wherever_it_is_and_once() {
        let mended = |choice: Value| {
            let raw = json!({"object": "text_completion", "choices": [choice]}).to_string();
            chunk(Chunk::parse(raw).unwrap()).body().clone()
        };
        let body = mended(json!({"index": 0, "text": "a", "finish_reason": ""}));
        assert_eq!((body.text(), body.finish_reason(), body.object.as_str()), ("a", None, "chat.completion.chunk"));
        assert_eq!(mended(json!({"message": {"role": "assistant", "content": "a"}})).text(), "a");
        let last = mended(
            json!({"delta": {"content": ""}, "message": {"content": "all of it"}, "finish_reason": "MAX_TOKENS"}),
        );
        assert_eq!((last.text(), last.finish_reason()), ("", Some("length")));
        assert_eq!(mended(json!({"delta": {"content": "a"}, "text": "a"})).text(), "a");
        let raw = r#"{"choices":[{"delta":{"content":"a"},"finish_reason":""}]}"#;
        let sent: Value = serde_json::from_str(chunk(Chunk::parse(raw).unwrap()).raw()).unwrap();
        assert_eq!(sent["choices"][0]["finish_reason"], Value::Null);
    }
}
