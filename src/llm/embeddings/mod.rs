//! Texts to unit vectors: in this process or through a provider, with a cache for queries and one for chunks.

mod remote;

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::Map;

use super::{
    embed::{Embedded, InputKind, LocalEmbedder, Prefixes, Priority, normalise},
    error::{Failure, LlmError},
    metrics::{self, BackendLabels},
    model::{BackendKind, CallContext, EmbedModel, Embeddings, Operation},
    scheduler::{self, priority_of},
    service::Llm,
    store,
    usage::{Meter, Target},
    wire::Usage,
};
use platform::{
    crypto::{sha256, sha256_hex},
    db::DbError,
    ids::OrgId,
    trace,
};

/// Texts per call of the local model: enough for all its threads, and half a second with two.
const PIECE: usize = 16;
/// The alias for the configured embedding model.
pub(super) const ALIAS: &str = "embed";

/// Vectors of recent queries, by (organisation, model, text): shared between organisations, response times would reveal
/// what others ask.
#[derive(Clone)]
pub(super) struct QueryCache(moka::sync::Cache<[u8; 32], Arc<Vec<f32>>>);

impl Default for QueryCache {
    fn default() -> Self {
        // 10 000 vectors of 384 dimensions: 16 MB.
        Self(moka::sync::Cache::builder().max_capacity(10_000).build())
    }
}

impl QueryCache {
    fn key(org: OrgId, model: &EmbedModel, text: &str) -> [u8; 32] {
        sha256([org.0.as_bytes().as_slice(), &sha256(&model.id), text.as_bytes()].concat())
    }
}

/// Key of a text in `embedding_cache`.
pub fn text_hash(text: &str) -> [u8; 32] {
    sha256(text)
}

impl Llm {
    /// The configured embedding model. A local one is described; its weights are loaded on first use.
    pub async fn embedder(&self) -> Result<EmbedModel, LlmError> {
        let config = &self.inner.config.embedding;
        if config.is_local() {
            let described = self.inner.local_model.get_or_try_init(|| async {
                let (dir, prefixes) = self.local_files();
                let pool = self.inner.scheduler.pool(Priority::Question);
                Ok::<_, LlmError>(pool.run(move || LocalEmbedder::describe(&dir, prefixes)).await??)
            });
            return described.await.cloned();
        }
        let mut id = format!("{}@{}", config.model, config.dimensions);
        let [query, passage] = [&config.query_prefix, &config.passage_prefix].map(|p| p.as_deref().unwrap_or_default());
        if !query.is_empty() || !passage.is_empty() {
            id = format!("{id}-{}", &sha256_hex(format!("{query}\n{passage}"))[..8]);
        }
        Ok(EmbedModel { id, dims: config.dimensions, max_tokens: config.max_tokens })
    }

    /// Embeds texts: unit vectors of `model.dims` dimensions, in the order of the texts. The local model embeds texts
    /// longer than `model.max_tokens` in pieces; providers do as they like. Errors when the configured model is no
    /// longer `model`: vectors of two models must not be mixed. Chunks in `embedding_cache` are read from it; none is
    /// added.
    pub async fn embed(
        &self,
        call: &CallContext,
        model: &EmbedModel,
        kind: InputKind,
        texts: &[String],
    ) -> Result<Vec<Vec<f32>>, LlmError> {
        self.expect_configured(model).await?;
        if kind == InputKind::Passage {
            return self.passages(call, model, texts, false).await;
        }
        let keys: Vec<_> = texts.iter().map(|text| QueryCache::key(call.org_id, model, text)).collect();
        let cache = &self.inner.query_cache.0;
        let mut vectors: Vec<Option<Vec<f32>>> =
            keys.iter().map(|key| cache.get(key).map(|v| v.as_ref().clone())).collect();
        let missing: Vec<usize> = (0..texts.len()).filter(|&i| vectors[i].is_none()).collect();
        self.inner.metrics.looked_up(metrics::Cache::Query, texts.len() - missing.len(), missing.len());
        if !missing.is_empty() {
            let wanted: Vec<String> = missing.iter().map(|&i| texts[i].clone()).collect();
            let made = self.embed_now(call, model, priority_of(wanted.len()), kind, &wanted).await?.vectors;
            for (i, vector) in missing.into_iter().zip(made) {
                cache.insert(keys[i], Arc::new(vector.clone()));
                vectors[i] = Some(vector);
            }
        }
        Ok(vectors.into_iter().flatten().collect())
    }

    /// Embeds chunks like [`Self::embed`], but through `embedding_cache`: uploading a document again or re-indexing a
    /// base costs nothing.
    pub async fn embed_passages(
        &self,
        call: &CallContext,
        model: &EmbedModel,
        texts: &[String],
    ) -> Result<Vec<Vec<f32>>, LlmError> {
        self.expect_configured(model).await?;
        self.passages(call, model, texts, true).await
    }

    async fn passages(
        &self,
        call: &CallContext,
        model: &EmbedModel,
        texts: &[String],
        keep: bool,
    ) -> Result<Vec<Vec<f32>>, LlmError> {
        let hashes: Vec<Vec<u8>> = texts.iter().map(|text| text_hash(text).to_vec()).collect();
        let mut tx = self.inner.db.tenant(call.org_id).await?;
        let now = self.inner.clock.now();
        let found = store::cached_vectors(&mut tx, &model.id, &hashes, now).await.map_err(DbError::from)?;
        // Not held while the model works, which takes seconds.
        tx.commit().await.map_err(DbError::from)?;
        let mut known: HashMap<Vec<u8>, Vec<f32>> = found
            .into_iter()
            .map(|(hash, bytes)| (hash, from_bytes(&bytes)))
            .filter(|(_, v)| v.len() == model.dims)
            .collect();
        let mut missing: Vec<usize> = (0..texts.len()).filter(|&i| !known.contains_key(&hashes[i])).collect();
        self.inner.metrics.looked_up(metrics::Cache::Passage, texts.len() - missing.len(), missing.len());
        missing.sort_by(|&a, &b| hashes[a].cmp(&hashes[b]));
        missing.dedup_by(|a, b| hashes[*a] == hashes[*b]);
        if !missing.is_empty() {
            let wanted: Vec<String> = missing.iter().map(|&i| texts[i].clone()).collect();
            let made = self.embed_now(call, model, Priority::Bulk, InputKind::Passage, &wanted).await?.vectors;
            let new: Vec<Vec<u8>> = missing.iter().map(|&i| hashes[i].clone()).collect();
            if keep {
                let bytes: Vec<Vec<u8>> = made.iter().map(|v| to_bytes(v)).collect();
                let mut tx = self.inner.db.tenant(call.org_id).await?;
                store::keep_vectors(&mut tx, call.org_id, &model.id, &new, &bytes, now).await.map_err(DbError::from)?;
                tx.commit().await.map_err(DbError::from)?;
            }
            known.extend(new.into_iter().zip(made));
        }
        hashes
            .iter()
            .map(|hash| known.get(hash).cloned().ok_or_else(|| bad_response("embedding", "a vector is missing")))
            .collect()
    }

    /// Drops the cached vectors of texts whose document is deleted, in the caller's transaction. Another document with
    /// the same text is embedded again when needed.
    pub async fn forget_passages(&self, conn: &mut sqlx::PgConnection, hashes: &[[u8; 32]]) -> Result<u64, DbError> {
        let hashes: Vec<Vec<u8>> = hashes.iter().map(|h| h.to_vec()).collect();
        Ok(store::forget_vectors(conn, &hashes).await?)
    }

    /// The in-process model, for counting tokens in a loop; `None` when a provider embeds.
    pub async fn local_embedder_if_configured(&self) -> Result<Option<Arc<LocalEmbedder>>, LlmError> {
        if self.inner.config.embedding.is_local() { Ok(Some(self.local_embedder().await?)) } else { Ok(None) }
    }

    async fn local_embedder(&self) -> Result<Arc<LocalEmbedder>, LlmError> {
        let loaded = self.inner.local.get_or_try_init(|| async {
            let described = self.embedder().await?;
            let (dir, prefixes) = self.local_files();
            let threads = self.inner.config.embedding.threads();
            let pool = self.inner.scheduler.pool(Priority::Question);
            let embedder = pool.run(move || LocalEmbedder::load(&dir, prefixes, threads)).await??;
            let EmbedModel { id, dims, .. } = embedder.model();
            // The folder has changed under the running process, whose indexes belong to the model at its start.
            if *id != described.id {
                return Err(LlmError::OtherEmbeddingModel { wanted: described.id, configured: id.clone() });
            }
            tracing::info!(model = id, dims, "embedding model loaded");
            Ok::<_, LlmError>(Arc::new(embedder))
        });
        loaded.await.cloned()
    }

    /// The local model's folder, and the configured prefixes if they override its own.
    fn local_files(&self) -> (PathBuf, Option<Prefixes>) {
        let config = &self.inner.config.embedding;
        let prefixes = match (&config.query_prefix, &config.passage_prefix) {
            (None, None) => None,
            (query, passage) => Some(Prefixes {
                query: query.clone().unwrap_or_default(),
                passage: passage.clone().unwrap_or_default(),
            }),
        };
        (self.inner.embedding_dir.clone(), prefixes)
    }

    async fn expect_configured(&self, model: &EmbedModel) -> Result<(), LlmError> {
        let configured = self.embedder().await?;
        if configured.id == model.id {
            return Ok(());
        }
        Err(LlmError::OtherEmbeddingModel { wanted: model.id.clone(), configured: configured.id })
    }

    /// Embeds with the configured model, without caches. Metered.
    pub(super) async fn embed_now(
        &self,
        call: &CallContext,
        model: &EmbedModel,
        priority: Priority,
        kind: InputKind,
        texts: &[String],
    ) -> Result<Embeddings, LlmError> {
        let config = &self.inner.config.embedding;
        if config.is_local() {
            return self.embed_local(call, priority, kind, texts).await;
        }
        let prefix = match kind {
            InputKind::Query => config.query_prefix.as_deref(),
            InputKind::Passage => config.passage_prefix.as_deref(),
        };
        let texts: Vec<String> = texts.iter().map(|text| format!("{}{text}", prefix.unwrap_or_default())).collect();
        let mut made = self.embed_with_provider(call, priority, &config.model, Some(ALIAS), &texts, Map::new()).await?;
        for vector in &mut made.vectors {
            if vector.len() != model.dims {
                let text = format!(
                    "it returned vectors of {} dimensions, llm.embedding.dimensions is {}",
                    vector.len(),
                    model.dims
                );
                return Err(bad_response(&config.model, &text));
            }
            normalise(vector);
        }
        Ok(made)
    }

    async fn embed_local(
        &self,
        call: &CallContext,
        priority: Priority,
        kind: InputKind,
        texts: &[String],
    ) -> Result<Embeddings, LlmError> {
        let embedder = self.local_embedder().await?;
        let target = Target {
            operation: Operation::Embedding,
            kind: BackendKind::Local,
            provider: "local".into(),
            model: embedder.model().id.clone(),
            alias: None,
        };
        let mut meter = Meter::new(&self.inner.recorder, call, target, false);
        let pool = self.inner.scheduler.pool(priority).clone();
        let owned: Vec<Vec<String>> = texts.chunks(PIECE).map(<[String]>::to_vec).collect();
        let pieces = futures::stream::iter(owned)
            .map(move |piece| {
                let (embedder, pool) = (embedder.clone(), pool.clone());
                async move { Ok::<_, LlmError>(pool.run(move || embedder.embed(priority, kind, &piece)).await??) }
            })
            .buffered(scheduler::PIECES);
        let made: Vec<Embedded> = match trace::inside(meter.context(), pieces.try_collect()).await {
            Ok(made) => made,
            Err(error) => {
                meter.failed(&error);
                return Err(error);
            }
        };
        let usage = Usage::new(made.iter().map(|piece| piece.tokens as u64).sum(), 0);
        meter.set_usage(Some(usage.clone()));
        meter.succeeded();
        self.count_texts(BackendKind::Local, texts.len());
        Ok(Embeddings { vectors: made.into_iter().flat_map(|piece| piece.vectors).collect(), usage: Some(usage) })
    }

    fn count_texts(&self, backend: BackendKind, texts: usize) {
        let labels = BackendLabels { operation: Operation::Embedding, backend };
        self.inner.metrics.embedded_texts.get_or_create(&labels).inc_by(texts as u64);
    }
}

fn bad_response(provider: &str, message: &str) -> LlmError {
    LlmError::Provider {
        provider: provider.to_owned(),
        failure: Failure::BadResponse,
        message: message.to_owned(),
        retry_after: None,
    }
}

/// Little-endian 32-bit floats.
pub(super) fn to_bytes(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|x| x.to_le_bytes()).collect()
}

pub(super) fn from_bytes(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}
