//! Ends answers without a limit, and those whose server ignores the limit: a model that repeats itself would write
//! until the timeout, and all of it is kept in memory.

use futures::{Stream, StreamExt as _, stream};
use serde_json::Value;

use super::{
    backend::ChatStream,
    error::LlmError,
    model::TokenEstimate,
    wire::{ChatChunk, Chunk, ChunkChoice, Original},
};

/// Most bytes of other content, mainly images.
const MOST_OTHER_BYTES: usize = 64 << 20;

/// The estimated number of tokens at which an answer is ended. With a limit in the request the server counts itself and
/// ours is only an estimate: the answer is ended far beyond it, and never before one without a limit. Some servers do
/// not count thinking.
pub(super) fn most(asked: Option<u32>, unlimited: u32) -> u64 {
    asked.map_or(0, |asked| u64::from(asked).saturating_mul(4)).max(u64::from(unlimited))
}

/// Ends the answer with `finish_reason` `length` after an estimated `most` tokens. The limit is not sent to the server:
/// one with a smaller window would refuse the request.
pub(super) fn cap(answer: ChatStream, most: u64) -> impl Stream<Item = Result<Chunk, LlmError>> + Send {
    let state = (Some(answer), TokenEstimate::default(), 0);
    stream::unfold(state, move |(answer, mut written, mut other)| async move {
        let mut answer = answer?;
        let item = answer.next().await?;
        let Ok(chunk) = &item else { return Some((item, (None, written, other))) };
        let body = chunk.body();
        for choice in &body.choices {
            written.add(choice.delta.content.as_deref().unwrap_or_default());
            for (name, value) in &choice.delta.extra {
                match value {
                    Value::String(text) => written.add(text),
                    calls if name == "tool_calls" => each_text(calls, &mut |text: &str| written.add(text)),
                    value => each_text(value, &mut |text: &str| other += text.len()),
                }
            }
        }
        let ended = body.choices.iter().any(|choice| choice.finish_reason.is_some());
        let fits = written.tokens() <= most && other <= MOST_OTHER_BYTES;
        if fits || ended || body.choices.is_empty() {
            return Some((item, (Some(answer), written, other)));
        }
        tracing::warn!(target: "holdfast::llm", most, "a runaway answer was ended: llm.max_output_tokens");
        let cut = |choice: &ChunkChoice| ChunkChoice { finish_reason: Some("length".to_owned()), ..choice.clone() };
        let last = ChatChunk { choices: body.choices.iter().map(cut).collect(), ..body.clone() };
        // Dropping the answer stops the server.
        Some((Ok(Original::made(last)), (None, written, other)))
    })
}

/// Calls `found` for every string in a value. The event parser limits its depth.
fn each_text(value: &Value, found: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => found(text),
        Value::Array(values) => values.iter().for_each(|value| each_text(value, found)),
        Value::Object(fields) => fields.values().for_each(|value| each_text(value, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use serde_json::json;

    use super::*;

    async fn pieces(delta: Value, most: u64) -> (usize, Option<String>) {
        let chunk = json!({"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{"index": 0, "delta": delta, "finish_reason": null}]});
        let chunk: ChatChunk = serde_json::from_value(chunk).unwrap();
        let endless = stream::repeat_with(move || Ok(Original::made(chunk.clone()))).take(10_000);
        let got: Vec<Chunk> = cap(ChatStream::new(endless), most).map(Result::unwrap).collect().await;
        let last = got.last().and_then(|chunk| chunk.body().choices[0].finish_reason.clone());
        (got.len(), last)
    }

    #[tokio::test]
    async fn all_that_is_written_has_an_end() {
        let text = "four letters and more"; // 21 bytes: six tokens
        for delta in [
            json!({"content": text}),
            json!({"reasoning_content": text}),
            json!({"tool_calls": [{"index": 0, "function": {"arguments": text}}]}),
        ] {
            let (pieces, end) = pieces(delta.clone(), 60).await;
            assert!((10..=13).contains(&pieces), "{delta}: {pieces}");
            assert_eq!(end.as_deref(), Some("length"), "{delta}");
        }
        let picture = json!({"images": [{"image_url": {"url": "x".repeat(1 << 20)}}]});
        assert_eq!(pieces(picture, 60).await, (65, Some("length".to_owned())));
    }

    #[test]
    fn a_limit_of_the_client_counts_when_it_is_far_exceeded() {
        assert_eq!((most(None, 200), most(Some(10), 200), most(Some(1000), 200)), (200, 200, 4000));
    }
}
