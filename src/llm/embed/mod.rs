//! In-process embeddings of BERT-family models (CPU).
//!
//! [`LocalEmbedder::load`] reads any folder with `config.json`, `tokenizer.json` and `model.safetensors`, as
//! sentence-transformers publishes them; `scripts/fetch-model` installs all-MiniLM-L6-v2. Owns no tables; `embed`
//! blocks its caller while the model's own threads work, so call it on a bounded pool.

mod encoder;
mod error;
mod folder;
mod local;
mod weights;

pub use error::EmbedError;
pub use folder::Prefixes;
pub use local::{Embedded, InputKind, LocalEmbedder, Priority};

#[cfg(test)]
mod tests;
