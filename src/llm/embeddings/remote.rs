//! Embeddings through a provider: of texts in batches, and of tokens unchanged.

use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::{Map, Value};

use super::{
    super::{
        embed::Priority,
        error::LlmError,
        model::{BackendKind, CallContext, Embeddings},
        scheduler,
        service::Llm,
        wire::Usage,
    },
    bad_response,
};
use platform::trace;

/// Texts per request to a provider.
const BATCH: usize = 32;

impl Llm {
    /// Embeds through a provider, in batches. Vectors as the provider returned them. Metered.
    pub(crate) async fn embed_with_provider(
        &self,
        call: &CallContext,
        priority: Priority,
        model: &str,
        alias: Option<&str>,
        texts: &[String],
        more: Map<String, Value>,
    ) -> Result<Embeddings, LlmError> {
        let (backend, name, mut meter) = self.begin_embedding(call, model, alias).await?;
        for text in texts {
            meter.prompt_text(text);
        }
        // Owned, because a closure over borrowed batches is not general enough for a handler's future.
        let owned: Vec<Vec<String>> = texts.chunks(BATCH).map(<[String]>::to_vec).collect();
        let asked = model.to_owned();
        let limit = self.inner.scheduler.of_provider(model.split('/').next().unwrap_or_default());
        let batches = futures::stream::iter(owned)
            .map(move |batch| {
                let (backend, name, asked, limit) = (backend.clone(), name.clone(), asked.clone(), limit.clone());
                let more = more.clone();
                async move {
                    let _permit = limit.take(priority).await;
                    let made = backend.embed(&name, &batch, &more).await?;
                    if made.vectors.len() == batch.len() {
                        return Ok(made);
                    }
                    Err(bad_response(
                        &asked,
                        &format!("it returned {} vectors for {} texts", made.vectors.len(), batch.len()),
                    ))
                }
            })
            .buffered(scheduler::CONCURRENCY);
        let made: Vec<Embeddings> = match trace::inside(meter.context(), batches.try_collect()).await {
            Ok(made) => made,
            Err(error) => {
                meter.failed(&error);
                return Err(error);
            }
        };
        let usage =
            made.iter().map(|e| e.usage.as_ref()).try_fold(0, |sum, usage| usage.map(|u| sum + u.prompt_tokens));
        meter.set_usage(usage.map(|tokens| Usage::new(tokens, 0)));
        meter.succeeded();
        self.count_texts(BackendKind::Openai, texts.len());
        let usage = Some(meter.usage().0);
        Ok(Embeddings { vectors: made.into_iter().flat_map(|e| e.vectors).collect(), usage })
    }

    /// Embeds texts that the client has already tokenized; tokens are passed on unchanged. Metered.
    pub(crate) async fn embed_tokens_with_provider(
        &self,
        call: &CallContext,
        priority: Priority,
        model: &str,
        tokens: &[Vec<u32>],
        more: &Map<String, Value>,
    ) -> Result<Embeddings, LlmError> {
        let (sum, most) = (tokens.iter().map(|t| t.len() as u64).sum::<u64>(), self.inner.config.max_request_tokens);
        if sum > most {
            let text = format!("the request has {sum} tokens; the limit is {most}");
            return Err(LlmError::invalid("input", "context_length_exceeded", text));
        }
        let (backend, name, mut meter) = self.begin_embedding(call, model, None).await?;
        let limit = self.inner.scheduler.of_provider(model.split('/').next().unwrap_or_default());
        let permit = limit.take(priority).await;
        let made = trace::inside(meter.context(), backend.embed_tokens(&name, tokens, more)).await;
        drop(permit);
        match made {
            Ok(made) if made.vectors.len() == tokens.len() => {
                meter.set_usage(Some(made.usage.clone().unwrap_or_else(|| Usage::new(sum, 0))));
                meter.succeeded();
                self.count_texts(BackendKind::Openai, tokens.len());
                Ok(Embeddings { usage: Some(meter.usage().0), ..made })
            }
            Ok(made) => {
                let text = format!("it returned {} vectors for {} texts", made.vectors.len(), tokens.len());
                let error = bad_response(model, &text);
                meter.failed(&error);
                Err(error)
            }
            Err(error) => {
                meter.failed(&error);
                Err(error)
            }
        }
    }
}
