//! Indexes of tool calls in a stream. Clients assemble a call's pieces by its `index`; servers that send calls whole
//! (Gemini, Ollama, Groq) give all of them the same index, or none, and the arguments of several calls would be
//! concatenated.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::super::wire::ChatChunk;

/// The calls so far, by choice index.
#[derive(Debug, Default)]
pub(super) struct Calls(BTreeMap<u32, CallNumbers>);

#[derive(Debug, Default)]
struct CallNumbers {
    used: BTreeSet<u64>,
    /// The call that the server's index (or none) currently refers to.
    open: BTreeMap<Option<u64>, Call>,
}

#[derive(Debug, Default)]
struct Call {
    number: u64,
    id: String,
    /// The arguments so far, if the server gives no id.
    arguments: String,
}

impl Calls {
    /// Gives each call its own index. Returns whether the chunk changed.
    pub(super) fn number(&mut self, chunk: &mut ChatChunk) -> bool {
        let mut changed = false;
        for choice in &mut chunk.choices {
            let Some(Value::Array(pieces)) = choice.delta.extra.get_mut("tool_calls") else { continue };
            let numbers = self.0.entry(choice.index).or_default();
            for piece in pieces {
                let number = numbers.of(piece);
                if piece.get("index").and_then(Value::as_u64) != Some(number)
                    && let Some(piece) = piece.as_object_mut()
                {
                    piece.insert("index".to_owned(), json!(number));
                    changed = true;
                }
            }
        }
        changed
    }
}

impl CallNumbers {
    fn of(&mut self, piece: &Value) -> u64 {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        let (theirs, id) = (piece.get("index").and_then(Value::as_u64), text(piece.get("id")));
        let function = piece.get("function");
        let (name, arguments) =
            (text(function.and_then(|f| f.get("name"))), text(function.and_then(|f| f.get("arguments"))));
        let goes_on = self.open.get(&theirs).is_some_and(|call| {
            // Some servers repeat the name on every piece, others invent an id for every piece: only both together
            // start a new call.
            let another = if id.is_empty() || call.id.is_empty() { call.is_complete() } else { id != call.id };
            name.is_empty() || !another
        });
        if !goes_on {
            let next = self.used.last().map_or(0, |last| last + 1);
            let number = theirs.filter(|number| !self.used.contains(number)).unwrap_or(next);
            self.used.insert(number);
            self.open.insert(theirs, Call { number, ..Call::default() });
        }
        let call = self.open.entry(theirs).or_default();
        if call.id.is_empty() {
            call.id = id;
            call.arguments.push_str(&arguments);
        }
        call.number
    }
}

impl Call {
    /// Whether nothing can follow: the JSON object is closed.
    fn is_complete(&self) -> bool {
        self.id.is_empty() && serde_json::from_str::<Value>(&self.arguments).is_ok_and(|v| v.is_object())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The indexes assigned to pieces, one chunk each.
    fn numbered(pieces: &Value) -> Vec<u64> {
        let mut calls = Calls::default();
        let number = |piece: Value| {
            let raw = json!({"choices": [{"index": 0, "delta": {"tool_calls": [piece]}}]});
            let mut chunk: ChatChunk = serde_json::from_value(raw).unwrap();
            calls.number(&mut chunk);
            chunk.choices[0].delta.extra["tool_calls"][0]["index"].as_u64().unwrap()
        };
        pieces.as_array().unwrap().clone().into_iter().map(number).collect()
    }

    fn piece(index: Option<u64>, id: &str, name: &str, arguments: &str) -> Value {
        let mut piece = json!({"function": {"name": name, "arguments": arguments}});
        if let Some(index) = index {
            piece["index"] = json!(index);
        }
        if !id.is_empty() {
            piece["id"] = json!(id);
        }
        piece
    }

    #[test]
    fn each_call_has_a_number_of_its_own() {
        let (zero, one, none) = (Some(0), Some(1), None);
        for (pieces, expected) in [
            // Like OpenAI, in parallel.
            (
                json!([
                    piece(zero, "a", "f", ""),
                    piece(one, "b", "f", ""),
                    piece(zero, "", "", "{}"),
                    piece(one, "", "", "{}")
                ]),
                vec![0, 1, 0, 1],
            ),
            // Whole calls under one index, whole calls without any.
            (
                json!([piece(zero, "a", "f", "{}"), piece(zero, "b", "f", "{}"), piece(zero, "c", "g", "{}")]),
                vec![0, 1, 2],
            ),
            (json!([piece(none, "a", "f", "{}"), piece(none, "b", "f", "{}")]), vec![0, 1]),
            (
                json!([
                    piece(none, "a", "f", ""),
                    piece(none, "", "", "{}"),
                    piece(none, "b", "g", ""),
                    piece(none, "", "", "{}")
                ]),
                vec![0, 0, 1, 1],
            ),
            // Neither index nor id.
            (
                json!([piece(zero, "", "f", "{\"q\":"), piece(zero, "", "f", "1}"), piece(zero, "", "f", "{}")]),
                vec![0, 0, 1],
            ),
            // The name on every piece; an invented id on every piece; the name later.
            (json!([piece(zero, "a", "f", "{"), piece(zero, "a", "f", "}")]), vec![0, 0]),
            (json!([piece(zero, "a", "f", "{"), piece(zero, "b", "", "}")]), vec![0, 0]),
            (json!([piece(zero, "a", "", "{"), piece(zero, "a", "f", "}")]), vec![0, 0]),
            // An index that is already taken.
            (
                json!([piece(zero, "a", "f", "{}"), piece(zero, "b", "f", "{}"), piece(one, "c", "f", "{}")]),
                vec![0, 1, 2],
            ),
        ] {
            assert_eq!(numbered(&pieces), expected, "{pieces}");
        }
    }

    #[test]
    fn several_in_one_chunk_and_choices_apart() {
        let call = |id: &str| piece(None, id, "f", "{}");
        let raw = json!({"choices": [{"index": 0, "delta": {"tool_calls": [call("a"), call("b")]}}, {"index": 1, "delta": {"tool_calls": [call("c")]}}]});
        let mut chunk: ChatChunk = serde_json::from_value(raw).unwrap();
        assert!(Calls::default().number(&mut chunk));
        let numbers = |choice: usize| {
            chunk.choices[choice].delta.extra["tool_calls"]
                .as_array()
                .unwrap()
                .iter()
                .map(|c| c["index"].as_u64())
                .collect::<Vec<_>>()
        };
        assert_eq!((numbers(0), numbers(1)), (vec![Some(0), Some(1)], vec![Some(0)]));
        let raw = json!({"choices": [{"index": 0, "delta": {"tool_calls": [piece(Some(0), "a", "f", "{}")]}}]});
        assert!(!Calls::default().number(&mut serde_json::from_value(raw).unwrap()), "nothing to do");
    }
}
