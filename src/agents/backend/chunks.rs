//! An answer in OpenAI's format, streamed or whole. Thinking goes into `reasoning_content`, where clients expect it.

use futures::stream;
use serde_json::{Map, Value, json};

use crate::{
    answer::{Answer, AnswerPiece},
    citations::marks,
    model::{Citation, Shortfall},
};
use llm::{
    ChatChunk, ChatCompletion, ChatStream, Choice, Chunk, ChunkChoice, Completion, Content, Delta, LlmError, Original,
};

struct State {
    answer: Answer,
    /// Id, time and model, shared by all stream chunks.
    head: ChatChunk,
    phase: Phase,
    /// The text sent to the client so far.
    sent: String,
}

enum Phase {
    Role,
    Text,
    Usage,
    Over,
}

pub(super) fn stream(answer: Answer, head: ChatChunk) -> ChatStream {
    ChatStream::new(stream::unfold(State { answer, head, phase: Phase::Role, sent: String::new() }, step))
}

/// Reads the answer to its end.
pub(super) async fn whole(mut answer: Answer, head: ChatChunk) -> Result<Completion, LlmError> {
    let mut reason = None;
    while let Some(said) = answer.next().await {
        if let Err(error) = said {
            reason = Some(openai_ending(&answer, error)?);
        }
    }
    let mut extra = notes(&answer);
    if !answer.thinking.is_empty() {
        extra.insert("reasoning_content".into(), json!(answer.thinking));
    }
    let refused = !answer.refusal.is_empty();
    extra.insert("refusal".into(), if refused { json!(answer.refusal) } else { Value::Null });
    let content = (!refused || !answer.text.is_empty()).then(|| Content::Text(answer.text.clone()));
    let message = llm::Message { role: "assistant".into(), content, extra };
    let reason = reason.or_else(|| answer.finish_reason()).unwrap_or_else(|| "stop".into());
    let choice = Choice { index: 0, message, finish_reason: Some(reason), extra: Map::new() };
    Ok(Original::made(ChatCompletion {
        id: head.id,
        object: "chat.completion".into(),
        created: head.created,
        model: head.model,
        choices: vec![choice],
        usage: answer.usage,
        extra: Map::new(),
    }))
}

/// The finish reason for failures that OpenAI's format can express: a refusal in the model's words, and a text cut by a
/// filter. Otherwise the error.
fn openai_ending(answer: &Answer, error: LlmError) -> Result<String, LlmError> {
    let code = if let LlmError::Api(error) = &error { error.code.clone() } else { "".into() };
    match code.as_ref() {
        "answer_refused" if !answer.refusal.trim().is_empty() => Ok("stop".into()),
        "answer_refused" | "answer_filtered" if !answer.text.trim().is_empty() => Ok("content_filter".into()),
        _ => Err(error),
    }
}

/// One stream chunk: first the role, then text and thinking, then annotations with the finish reason, then usage.
async fn step(mut state: State) -> Option<(Result<Chunk, LlmError>, State)> {
    loop {
        let chunk = match state.phase {
            Phase::Role => {
                state.phase = Phase::Text;
                let role = Some("assistant".into());
                state.chunk(Delta { role, content: Some(String::new()), extra: Map::new() }, None)
            }
            Phase::Text => match state.answer.next().await {
                Some(Ok(said)) => match state.delta(said) {
                    Some(delta) => state.chunk(delta, None),
                    None => continue,
                },
                Some(Err(error)) => match openai_ending(&state.answer, error) {
                    Ok(reason) => state.end(reason),
                    Err(error) => {
                        state.phase = Phase::Over;
                        return Some((Err(error), state));
                    }
                },
                None => {
                    let reason = state.answer.finish_reason().unwrap_or_else(|| "stop".into());
                    state.end(reason)
                }
            },
            Phase::Usage => {
                state.phase = Phase::Over;
                let usage = state.answer.usage.clone()?;
                ChatChunk { usage: Some(usage), ..state.head.clone() }
            }
            Phase::Over => return None,
        };
        return Some((Ok(Chunk::made(chunk)), state));
    }
}

impl State {
    fn chunk(&self, delta: Delta, finish_reason: Option<String>) -> ChatChunk {
        let choice = ChunkChoice { index: 0, delta, finish_reason, extra: Map::new() };
        ChatChunk { choices: vec![choice], ..self.head.clone() }
    }

    fn delta(&mut self, said: AnswerPiece) -> Option<Delta> {
        let text = match said {
            AnswerPiece::Text(text) => text,
            AnswerPiece::Thinking(text) => {
                let extra = Map::from_iter([("reasoning_content".to_owned(), json!(text))]);
                return Some(Delta { extra, ..Delta::default() });
            }
            // Text already sent cannot be taken back; held-back text can still be sent.
            AnswerPiece::Rewritten { text, .. } => text.strip_prefix(self.sent.as_str())?.to_owned(),
        };
        self.sent.push_str(&text);
        (!text.is_empty()).then(|| Delta { content: Some(text), ..Delta::default() })
    }

    fn end(&mut self, reason: String) -> ChatChunk {
        self.phase = Phase::Usage;
        let mut extra = notes(&self.answer);
        if !self.answer.refusal.is_empty() {
            extra.insert("refusal".into(), json!(self.answer.refusal));
        }
        self.chunk(Delta { extra, ..Delta::default() }, Some(reason))
    }
}

/// Metadata beside the text: its citations, and the parts of the search that the model did not see.
fn notes(answer: &Answer) -> Map<String, Value> {
    let mut notes = Map::from_iter([("annotations".to_owned(), annotations(answer))]);
    if answer.shortfall != Shortfall::default() {
        notes.insert("shortfall".into(), json!(answer.shortfall));
    }
    notes
}

/// `file_citation` annotations: one for each source of each mark in the text; `index` is the mark's position, in
/// characters.
fn annotations(answer: &Answer) -> Value {
    let sources = &answer.sources;
    let source = |n: u32| sources.iter().find(|s| s.mark == n);
    if sources.is_empty() {
        return json!([]);
    }
    let (mut found, mut index, mut from) = (Vec::new(), 0, 0);
    for mark in marks(&answer.text, |n| source(n).is_some()) {
        index += answer.text[from..mark.range.start].chars().count();
        from = mark.range.start;
        found.extend(mark.numbers.iter().filter_map(|n| source(*n)).map(|c| annotation(c, index)));
    }
    Value::Array(found)
}

fn annotation(c: &Citation, index: usize) -> Value {
    json!({
        "type": "file_citation", "index": index, "file_id": c.document_id, "filename": c.filename, "title": c.title, "mark": c.mark,
        "knowledge_base_id": c.knowledge_base_id, "chunk_id": c.chunk_id, "page": c.page, "heading": c.heading, "table_header": c.table_header,
        "start": c.start,
        "end": c.end, "weak": c.weak, "quote": c.text, "url": c.path(),
    })
}
