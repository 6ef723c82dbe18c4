//! In-process embeddings of BERT-family models (candle, CPU).
//!
//! [`LocalEmbedder::load`] reads any folder with `config.json`, `tokenizer.json` and `model.safetensors`, as sentence-transformers
//! publishes them; all-MiniLM-L6-v2 is what `scripts/fetch-model` puts in place. Owns no tables and no threads: `embed` is plain CPU
//! work, which callers run on a bounded pool.

mod encoder;
mod error;
mod folder;
mod local;
mod weights;

pub use error::EmbedError;
pub use folder::Prefixes;
pub use local::{InputKind, LocalEmbedder};

#[cfg(test)]
pub(crate) mod tests;
