//! The checks of models for `holdfast doctor`.

use async_trait::async_trait;

use super::{
    embed::{InputKind, Priority},
    error::LlmError,
    service::Llm,
};
use platform::health::{Check, CheckResult};

/// The gateway's checks.
pub fn checks(llm: &Llm) -> Vec<Box<dyn Check>> {
    vec![Box::new(Providers(llm.clone())), Box::new(EmbeddingModel(llm.clone()))]
}

struct Providers(Llm);

#[async_trait]
impl Check for Providers {
    fn name(&self) -> &'static str {
        "llm.providers"
    }

    async fn run(&self) -> CheckResult {
        let providers = &self.0.inner.providers;
        if providers.is_empty() {
            return CheckResult::warn(
                "no provider is configured: agents quote their documents instead of answering",
                "add [llm.providers.<name>] with base_url and api_key_file to the configuration",
            );
        }
        let results =
            futures::future::join_all(providers.iter().map(|(name, p)| async move { (name, p.discover().await) }))
                .await;
        let (mut fine, mut broken) = (Vec::new(), Vec::new());
        for (name, result) in results {
            match result {
                Ok(models) => fine.push(format!("{name}: {} models", models.len())),
                Err(error) => broken.push(error.to_string()),
            }
        }
        if broken.is_empty() {
            return CheckResult::pass(fine.join("; "));
        }
        let remedy = "check base_url, the key and the network; `holdfast config show` prints the settings";
        let summary = broken.into_iter().chain(fine.iter().cloned()).collect::<Vec<_>>().join("; ");
        // If some providers work, the others are only a warning.
        if fine.is_empty() { CheckResult::fail(summary, remedy) } else { CheckResult::warn(summary, remedy) }
    }
}

struct EmbeddingModel(Llm);

#[async_trait]
impl Check for EmbeddingModel {
    fn name(&self) -> &'static str {
        "llm.embedding_model"
    }

    async fn run(&self) -> CheckResult {
        match self.0.probe_embedding().await {
            Ok((id, dims)) => CheckResult::pass(format!("{id}, {dims} dimensions")),
            Err(error) => {
                let dir = self.0.inner.embedding_dir.display();
                let remedy = match &error {
                    LlmError::EmbeddingModel(_) => {
                        format!("put a model folder at {dir} with scripts/fetch-model, or set llm.embedding.model_dir")
                    }
                    _ => "check llm.embedding and its provider".to_owned(),
                };
                CheckResult::fail(format!("{:#}", anyhow::Error::from(error)), remedy)
            }
        }
    }
}

impl Llm {
    /// Embeds one word, without caches and usage rows. Returns the model's id and its dimensions.
    pub(super) async fn probe_embedding(&self) -> Result<(String, usize), LlmError> {
        let model = self.embedder().await?;
        let text = ["holdfast".to_owned()];
        let vectors = if let Some(local) = self.local_embedder_if_configured().await? {
            let pool = self.inner.scheduler.pool(Priority::Question);
            pool.run(move || local.embed(Priority::Question, InputKind::Query, &text)).await??.vectors
        } else {
            self.route(&self.inner.config.embedding.model).await?.embed(&text).await?
        };
        let dims = vectors.first().map_or(0, Vec::len);
        if dims == model.dims {
            return Ok((model.id, dims));
        }
        Err(LlmError::invalid(
            "embedding.dimensions",
            "wrong_dimensions",
            format!("vectors have {dims} dimensions, but {} are configured", model.dims),
        ))
    }
}
