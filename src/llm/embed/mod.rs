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

/// Scales to length 1, so that dot product, cosine and Euclidean distance rank alike. `false`, and no change, if the length is 0 or not
/// finite.
pub(super) fn normalise(vector: &mut [f32]) -> bool {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    let is_usable = length.is_finite() && length > f32::EPSILON;
    if is_usable {
        for x in vector.iter_mut() {
            *x /= length;
        }
    }
    is_usable
}

#[cfg(test)]
mod tests;
