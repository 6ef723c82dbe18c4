//! An end for answers that nobody has limited: a model that repeats itself would write until its time is up.

use futures::{Stream, StreamExt as _, stream};

use super::{
    backend::ChatStream,
    error::LlmError,
    model::TokenEstimate,
    wire::{ChatChunk, Chunk, ChunkChoice, Original},
};

/// Counts what comes and ends the answer after `most` tokens, as estimated, with `finish_reason` `length`. The server is not told
/// a limit: one whose window is smaller would refuse the request.
pub(super) fn cap(answer: ChatStream, most: u64) -> impl Stream<Item = Result<Chunk, LlmError>> + Send {
    let state = (Some(answer), TokenEstimate::default());
    stream::unfold(state, move |(answer, mut written)| async move {
        let mut answer = answer?;
        let item = answer.next().await?;
        let Ok(chunk) = &item else { return Some((item, (None, written))) };
        let body = chunk.body();
        for choice in &body.choices {
            written.add(choice.delta.content.as_deref().unwrap_or_default());
            choice.delta.extra.values().filter_map(|value| value.as_str()).for_each(|text| written.add(text));
        }
        let ended = body.choices.iter().any(|choice| choice.finish_reason.is_some());
        if written.tokens() <= most || ended || body.choices.is_empty() {
            return Some((item, (Some(answer), written)));
        }
        tracing::warn!(target: "holdfast::llm", most, "an answer without a limit is ended: llm.max_output_tokens");
        let cut = |choice: &ChunkChoice| ChunkChoice { finish_reason: Some("length".to_owned()), ..choice.clone() };
        let last = ChatChunk { choices: body.choices.iter().map(cut).collect(), ..body.clone() };
        // Dropping the answer stops the server.
        Some((Ok(Original::made(last)), (None, written)))
    })
}
