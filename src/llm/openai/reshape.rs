//! Turns a whole answer into a stream.

use serde_json::{Value, json};

use super::super::wire::{ChatChunk, ChatCompletion, Choice, Chunk, ChunkChoice, Delta, Original};

/// The chunks equivalent to a whole answer.
pub(super) fn unroll(whole: ChatCompletion) -> Vec<Chunk> {
    let ChatCompletion { id, created, model, choices, usage, extra, .. } = whole;
    let head = ChatChunk { id, object: "chat.completion.chunk".into(), created, model, ..ChatChunk::default() };
    let ends: Vec<ChunkChoice> = choices
        .iter()
        .map(|choice| ChunkChoice {
            index: choice.index,
            finish_reason: Some(choice.finish_reason.clone().unwrap_or_else(|| "stop".to_owned())),
            ..ChunkChoice::default()
        })
        .collect();
    let texts: Vec<ChunkChoice> = choices.into_iter().map(said).collect();
    let mut chunks = vec![
        Original::made(ChatChunk { choices: texts, extra, ..head.clone() }),
        Original::made(ChatChunk { choices: ends, ..head.clone() }),
    ];
    if usage.is_some() {
        chunks.push(Original::made(ChatChunk { usage, ..head }));
    }
    chunks
}

/// A whole choice as one delta.
fn said(choice: Choice) -> ChunkChoice {
    let mut delta = Delta { role: Some("assistant".into()), ..Delta::from(choice.message) };
    for (at, call) in delta.extra.get_mut("tool_calls").and_then(Value::as_array_mut).into_iter().flatten().enumerate()
    {
        if let Some(call) = call.as_object_mut() {
            call.entry("index").or_insert(json!(at));
        }
    }
    ChunkChoice { index: choice.index, delta, finish_reason: None, extra: choice.extra }
}
