//! The trait of model backends, and the stream of an answer.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use async_trait::async_trait;
use futures::{Stream, StreamExt as _, stream::BoxStream};
use serde_json::{Map, Value, json};

use super::{
    error::LlmError,
    model::{BackendKind, CallContext, Embeddings, ModelInfo},
    usage::Meter,
    wire::{ChatCompletion, ChatRequest, Choice, Chunk, Completion, Content, Message, Original},
};
use platform::{ids::OrgId, trace};

/// Answers for the models below one prefix (`<prefix>/<model>`); registered with [`super::Llm::register`].
#[async_trait]
pub trait ModelBackend: Send + Sync + 'static {
    fn kind(&self) -> BackendKind;

    /// The models that this organisation may use, with their prefix. May omit models that cannot be listed.
    async fn models(&self, org: OrgId) -> Result<Vec<ModelInfo>, LlmError>;

    /// Streams an answer. `model` is the name without the prefix. Dropping the stream cancels the request behind it.
    async fn stream(&self, call: &CallContext, model: &str, request: ChatRequest) -> Result<ChatStream, LlmError>;

    /// Answers whole; by default collected from the stream.
    async fn complete(&self, call: &CallContext, model: &str, request: ChatRequest) -> Result<Completion, LlmError> {
        self.stream(call, model, request).await?.collect().await
    }

    /// Embeds texts; vectors as the server returned them, in the order of the texts. `more`: other fields of the
    /// request (`dimensions`, `input_type`, `user`), passed on unchanged.
    async fn embed(&self, model: &str, texts: &[String], more: &Map<String, Value>) -> Result<Embeddings, LlmError> {
        let _ = (texts, more);
        Err(LlmError::invalid("model", "model_not_supported", format!("{model} is not an embedding model")))
    }

    /// Embeds texts that the client has already tokenized: only the provider knows its model's tokens.
    async fn embed_tokens(
        &self,
        model: &str,
        tokens: &[Vec<u32>],
        more: &Map<String, Value>,
    ) -> Result<Embeddings, LlmError> {
        let _ = (tokens, more);
        Err(LlmError::invalid("model", "model_not_supported", format!("{model} is not an embedding model")))
    }
}

/// The chunks of one answer, in order. Ends after the last chunk; an `Err` is the last item. Dropping it early cancels
/// the request behind it, and the call is recorded as cancelled.
pub struct ChatStream {
    chunks: BoxStream<'static, Result<Chunk, LlmError>>,
    meter: Option<Meter>,
}

impl std::fmt::Debug for ChatStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChatStream").finish_non_exhaustive()
    }
}

impl ChatStream {
    /// For backends: wraps any stream of chunks.
    pub fn new(chunks: impl Stream<Item = Result<Chunk, LlmError>> + Send + 'static) -> Self {
        Self { chunks: chunks.boxed(), meter: None }
    }

    pub(super) fn metered(mut self, meter: Meter) -> Self {
        self.meter = Some(meter);
        self
    }

    /// Reads to the end and merges the chunks into one answer.
    pub async fn collect(mut self) -> Result<Completion, LlmError> {
        let mut fold = Fold::default();
        while let Some(chunk) = self.next().await {
            fold.add(&chunk?);
        }
        Ok(fold.finish())
    }
}

impl Stream for ChatStream {
    type Item = Result<Chunk, LlmError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let span = this.meter.as_ref().map_or_else(tracing::Span::none, |m| m.span().clone());
        let context = this.meter.as_ref().and_then(Meter::context);
        let polled = trace::within(context, || span.in_scope(|| this.chunks.poll_next_unpin(cx)));
        match &polled {
            Poll::Ready(Some(Ok(chunk))) => {
                if let Some(meter) = &mut this.meter {
                    meter.see(chunk.body());
                }
            }
            // An error ends the answer: the meter reports when it is dropped.
            Poll::Ready(Some(Err(error))) => {
                if let Some(mut meter) = this.meter.take() {
                    meter.failed(error);
                }
            }
            Poll::Ready(None) => {
                if let Some(mut meter) = this.meter.take() {
                    meter.succeeded();
                }
            }
            Poll::Pending => {}
        }
        polled
    }
}

/// Merges chunks into a whole answer.
#[derive(Default)]
struct Fold {
    whole: ChatCompletion,
}

impl Fold {
    fn add(&mut self, chunk: &Chunk) {
        let chunk = chunk.body();
        let whole = &mut self.whole;
        if whole.id.is_empty() {
            whole.id.clone_from(&chunk.id);
            whole.created = chunk.created;
            whole.model.clone_from(&chunk.model);
        }
        if chunk.usage.is_some() {
            whole.usage.clone_from(&chunk.usage);
        }
        whole.extra.extend(chunk.extra.clone());
        for part in &chunk.choices {
            let choice = choice_at(&mut whole.choices, part.index);
            if let Some(text) = &part.delta.content {
                match &mut choice.message.content {
                    Some(Content::Text(so_far)) => so_far.push_str(text),
                    content => *content = Some(Content::Text(text.clone())),
                }
            }
            if part.finish_reason.is_some() {
                choice.finish_reason.clone_from(&part.finish_reason);
            }
            merge(&mut choice.message.extra, &part.delta.extra);
            beside(&mut choice.extra, &part.extra);
        }
    }

    fn finish(mut self) -> Completion {
        "chat.completion".clone_into(&mut self.whole.object);
        self.whole.choices.sort_by_key(|c| c.index);
        for call in self
            .whole
            .choices
            .iter_mut()
            .filter_map(|c| c.message.extra.get_mut("tool_calls")?.as_array_mut())
            .flatten()
        {
            // `index` belongs to stream fragments only.
            if let Some(call) = call.as_object_mut() {
                call.remove("index");
            }
        }
        Original::made(self.whole)
    }
}

fn choice_at(choices: &mut Vec<Choice>, index: u32) -> &mut Choice {
    let at = choices.iter().position(|c| c.index == index).unwrap_or_else(|| {
        choices.push(Choice {
            index,
            message: Message { role: "assistant".into(), ..Message::default() },
            ..Choice::default()
        });
        choices.len() - 1
    });
    &mut choices[at]
}

/// Merges the fields beside a choice's delta (`logprobs`, `error`, a provider's own reason): lists grow, other values
/// are replaced.
fn beside(into: &mut Map<String, Value>, part: &Map<String, Value>) {
    for (key, value) in part {
        match (into.get_mut(key), value) {
            (_, Value::Null) => {}
            (Some(Value::Object(old)), Value::Object(new)) => beside(old, new),
            (Some(Value::Array(old)), Value::Array(new)) => old.extend(new.iter().cloned()),
            (_, value) => drop(into.insert(key.clone(), value.clone())),
        }
    }
}

/// Merges a fragment: texts are concatenated, lists are matched by `index` or appended, other values are replaced.
fn merge(into: &mut Map<String, Value>, part: &Map<String, Value>) {
    for (key, value) in part {
        match (into.get_mut(key), value) {
            (_, Value::Null) => {}
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            (Some(Value::Array(old)), Value::Array(new)) => new.iter().for_each(|item| merge_item(old, item)),
            // Identifiers come whole, and empty when they have come before; only text such as `arguments` grows.
            (Some(Value::String(old)), Value::String(new)) if matches!(key.as_str(), "id" | "type" | "name") => {
                if !new.is_empty() {
                    old.clone_from(new);
                }
            }
            (Some(Value::String(old)), Value::String(new)) => old.push_str(new),
            (Some(old), new) => *old = new.clone(),
            (None, Value::Array(new)) => {
                let mut list = Vec::new();
                for item in new {
                    merge_item(&mut list, item);
                }
                into.insert(key.clone(), Value::Array(list));
            }
            (None, new) => {
                into.insert(key.clone(), new.clone());
            }
        }
    }
}

fn merge_item(list: &mut Vec<Value>, item: &Value) {
    let same = |old: &&mut Value| item.get("index").is_some() && old.get("index") == item.get("index");
    match (list.iter_mut().find(same), item) {
        (Some(Value::Object(old)), Value::Object(new)) => {
            let index = old.get("index").cloned().unwrap_or(json!(0));
            merge(old, new);
            old.insert("index".into(), index);
        }
        _ => list.push(item.clone()),
    }
}
