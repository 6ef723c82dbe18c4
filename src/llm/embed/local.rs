//! [`LocalEmbedder`]: texts in, unit vectors out.

use std::fmt::Write as _;
use std::path::Path;

use rayon::ThreadPool;
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use sha2::{Digest, Sha256};
use tokenizers::{PostProcessor, Tokenizer, TruncationDirection};

use super::encoder::Encoder;
use super::folder::{ModelFolder, Prefixes};
use super::weights::hash_file;
use super::{EmbedError, normalise};
use crate::EmbedModel;
use platform::pools::yield_processor;

/// Tokens of one forward pass (a longer text has one of its own): the layers' output stays in the processor's caches;
/// ten times as many are not faster.
const BATCH_TOKENS: usize = 512;
/// Bytes to tokenize at a time: a tokenizer holds some 70 bytes for each, and its time for a run of combining marks grows with the square of
/// their number. A single "word" of any length becomes one unknown token.
const STRETCH: usize = 8 << 10;

/// Selects the prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputKind {
    Query,
    Passage,
}

/// Priority of an embedding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// Search queries, for which somebody waits: they run on threads of their own, which the processor serves before
    /// those of [`Self::Bulk`].
    Question,
    /// Documents; slower while queries run.
    Bulk,
}

/// Result of [`LocalEmbedder::embed`].
#[derive(Debug, Clone, PartialEq)]
pub struct Embedded {
    /// Unit vectors of the model's dimensions, in the order of the texts.
    pub vectors: Vec<Vec<f32>>,
    /// Tokens of the texts with their prefixes, without truncation and without special tokens.
    pub tokens: usize,
}

/// What determines a vector apart from the weights: the tokenizer and the folder's settings.
struct Vocabulary {
    tokenizer: Tokenizer,
    prefixes: Prefixes,
    dims: usize,
    max_tokens: usize,
    special_tokens: usize,
    name: String,
    files_sha256: [u8; 32],
}

/// A loaded embedding model. `Send + Sync`; `embed` takes `&self` and uses threads of its own, one pool for each
/// [`Priority`].
pub struct LocalEmbedder {
    encoder: Encoder,
    vocabulary: Vocabulary,
    model: EmbedModel,
    questions: ThreadPool,
    bulk: ThreadPool,
}

impl Vocabulary {
    fn read(folder: &ModelFolder, prefixes: Option<Prefixes>) -> Result<Self, EmbedError> {
        let path = folder.dir.join("tokenizer.json");
        let bytes = std::fs::read(&path).map_err(|source| EmbedError::Read { path: path.clone(), source })?;
        let mut tokenizer = Tokenizer::from_bytes(&bytes).map_err(|error| EmbedError::malformed(&path, &error))?;
        // Published tokenizer files carry their exporter's padding and truncation (MiniLM's: always 128 tokens); we do
        // both ourselves.
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|error| EmbedError::malformed(&path, &error))?;
        let special_tokens = tokenizer.get_post_processor().map_or(0, |processor| processor.added_tokens(false));
        let mut digest = Sha256::new();
        hash_file(&folder.dir.join("model.safetensors"), &mut digest)?;
        digest.update(&bytes);
        digest.update(format!("{:?} {}", folder.pooling, folder.max_tokens));
        Ok(Self {
            tokenizer,
            prefixes: prefixes.unwrap_or_else(|| folder.prefixes.clone()),
            dims: folder.dims,
            max_tokens: folder.max_tokens,
            special_tokens,
            name: folder.dir.file_name().map_or_else(|| "model".into(), |name| name.to_string_lossy().into_owned()),
            files_sha256: digest.finalize().into(),
        })
    }

    fn count_tokens(&self, text: &str) -> Result<usize, EmbedError> {
        let count = |text: &str| self.tokenizer.encode_fast(text, false).map(|encoding| encoding.len());
        let counts = stretches(text).map(|stretch| count(stretch).map_err(|e| EmbedError::Tokenize(e.to_string())));
        counts.sum()
    }

    fn model(&self) -> EmbedModel {
        let prefix = |text: &str| self.count_tokens(text).unwrap_or_default();
        let reserved = self.special_tokens + prefix(&self.prefixes.query).max(prefix(&self.prefixes.passage));
        EmbedModel { id: self.id(), dims: self.dims, max_tokens: self.max_tokens.saturating_sub(reserved) }
    }

    fn id(&self) -> String {
        let mut digest = Sha256::new();
        digest.update(self.files_sha256);
        digest.update(format!("{:?}", self.prefixes));
        let hash: [u8; 32] = digest.finalize().into();
        let mut id = format!("{}-", self.name);
        for byte in &hash[..6] {
            // Writing to a String cannot fail.
            let _ = write!(id, "{byte:02x}");
        }
        id
    }

    /// Splits a text into pieces of at most `most` tokens each, which the model reads whole.
    fn pieces<'a>(&self, text: &'a str, most: usize) -> Result<Vec<&'a str>, EmbedError> {
        let encoding = self.tokenizer.encode(text, false).map_err(|error| EmbedError::Tokenize(error.to_string()))?;
        let (offsets, words) = (encoding.get_offsets(), encoding.get_word_ids());
        let (mut pieces, mut rest, mut from) = (Vec::new(), text, 0);
        // A piece on its own may have one token more than within the text.
        let most = (most - most / 16).max(4);
        while from + most < offsets.len() {
            // A cut inside a word gives other tokens, perhaps more of them.
            let (least, most) = (from + most * 3 / 4, from + most);
            let to = (least..=most).rev().find(|&at| words[at] != words[at - 1]).unwrap_or(most);
            let end = offsets[to - 1].1.saturating_sub(text.len() - rest.len()).min(rest.len());
            let (piece, left) = rest.split_at(rest.ceil_char_boundary(end));
            pieces.push(piece);
            (rest, from) = (left, to);
        }
        pieces.push(rest);
        Ok(pieces)
    }

    /// The token ids of a text, special ones included, with the number of tokens of text and prefix. More than one
    /// entry if the text exceeds the window.
    fn token_ids(&self, prefix: &str, text: &str, most: usize) -> Result<Vec<(Vec<u32>, usize)>, EmbedError> {
        let mut read = Vec::new();
        for stretch in stretches(text) {
            let whole = self.token_ids_of_piece(&format!("{prefix}{stretch}"))?;
            if whole.1 + self.special_tokens <= self.max_tokens {
                read.push(whole);
                continue;
            }
            for piece in self.pieces(stretch, most)? {
                read.push(self.token_ids_of_piece(&format!("{prefix}{piece}"))?);
            }
        }
        Ok(read)
    }

    fn token_ids_of_piece(&self, text: &str) -> Result<(Vec<u32>, usize), EmbedError> {
        let tokenize = |error: tokenizers::Error| EmbedError::Tokenize(error.to_string());
        let mut encoding = self.tokenizer.encode_fast(text, false).map_err(tokenize)?;
        let tokens = encoding.len();
        // Truncate before the special tokens are added, so that the closing one is never lost.
        encoding.truncate(self.max_tokens - self.special_tokens, 0, TruncationDirection::Right);
        let encoding = self.tokenizer.post_process(encoding, None, true).map_err(tokenize)?;
        Ok((encoding.get_ids().to_vec(), tokens))
    }
}

impl LocalEmbedder {
    /// Loads a model folder, with `prefixes` instead of its own if given; `threads` for each priority. Blocking: reads
    /// the weights twice (once for the hash in the model's id); 0.3 s for `MiniLM`.
    pub fn load(dir: &Path, prefixes: Option<Prefixes>, threads: usize) -> Result<Self, EmbedError> {
        let folder = ModelFolder::read(dir)?;
        let encoder = Encoder::load(&folder)?;
        let vocabulary = Vocabulary::read(&folder, prefixes)?;
        let pool = |name: &'static str| {
            rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(move |at| format!("{name}-{at}"))
        };
        let questions = pool("embed-question").build()?;
        let bulk = pool("embed-bulk").start_handler(|_| yield_processor(None)).build()?;
        Ok(Self { encoder, model: vocabulary.model(), vocabulary, questions, bulk })
    }

    /// Describes what [`Self::load`] would load, without keeping it in memory. Blocking: reads the whole folder.
    pub fn describe(dir: &Path, prefixes: Option<Prefixes>) -> Result<EmbedModel, EmbedError> {
        Ok(Vocabulary::read(&ModelFolder::read(dir)?, prefixes)?.model())
    }

    /// Id, dimensions, and the longest text embedded in one piece, in tokens of [`Self::count_tokens`], after
    /// subtracting special tokens and the longer prefix. The id consists of the folder's name and a short hash of
    /// everything that determines a vector (weights, tokenizer, pooling, length limit, prefixes): vectors of models
    /// with the same id are interchangeable, others must never be in one index.
    pub fn model(&self) -> &EmbedModel {
        &self.model
    }

    /// Embeds texts. A text beyond the model's `max_tokens` is embedded in pieces, and its vector is their mean,
    /// weighted by tokens.
    pub fn embed(&self, priority: Priority, kind: InputKind, texts: &[String]) -> Result<Embedded, EmbedError> {
        let prefix = match kind {
            InputKind::Query => &self.vocabulary.prefixes.query,
            InputKind::Passage => &self.vocabulary.prefixes.passage,
        };
        let pool = if priority == Priority::Question { &self.questions } else { &self.bulk };
        pool.install(|| {
            let read: Vec<Vec<(Vec<u32>, usize)>> = texts
                .par_iter()
                .map(|text| self.vocabulary.token_ids(prefix, text, self.model.max_tokens))
                .collect::<Result<_, _>>()?;
            let pieces: Vec<&(Vec<u32>, usize)> = read.iter().flatten().collect();
            let ids: Vec<&[u32]> = pieces.iter().map(|(ids, _)| ids.as_slice()).collect();
            let made =
                batches(&ids).par_iter().map(|batch| self.encoder.encode(batch)).collect::<Result<Vec<_>, _>>()?;
            let mut made = made.into_iter().flatten();
            let vectors = read.iter().map(|pieces| mean(pieces.iter().map(|(_, tokens)| *tokens).zip(&mut made)));
            Ok(Embedded { vectors: vectors.collect(), tokens: pieces.iter().map(|(_, tokens)| tokens).sum() })
        })
    }

    /// Tokens of a text for the model, without special tokens, prefix and truncation.
    pub fn count_tokens(&self, text: &str) -> Result<usize, EmbedError> {
        self.vocabulary.count_tokens(text)
    }
}

/// Splits a text into parts that are tokenized one after the other; at least one, and only one for short texts.
fn stretches(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        if text.len() <= STRETCH {
            return Some(text);
        }
        let most = text.floor_char_boundary(STRETCH);
        let end = text[..most].rfind(char::is_whitespace).map_or(most, |at| text.ceil_char_boundary(at + 1));
        let (stretch, after) = text.split_at(end);
        rest = Some(after).filter(|after| !after.is_empty());
        Some(stretch)
    })
}

/// The mean of a text's vectors, weighted by tokens and normalised. A single one is returned unchanged.
fn mean(mut pieces: impl Iterator<Item = (usize, Vec<f32>)>) -> Vec<f32> {
    let Some((tokens, first)) = pieces.next() else { return Vec::new() };
    let Some(second) = pieces.next() else { return first };
    let mut sum = vec![0.0; first.len()];
    for (tokens, vector) in [(tokens, first), second].into_iter().chain(pieces) {
        #[expect(clippy::cast_precision_loss, reason = "a window has a few thousand tokens")]
        let weight = tokens as f32;
        sum.iter_mut().zip(vector).for_each(|(sum, number)| *sum += weight * number);
    }
    normalise(&mut sum);
    sum
}

/// Splits texts in their order into batches of [`BATCH_TOKENS`].
fn batches<'a, 'b>(texts: &'a [&'b [u32]]) -> Vec<&'a [&'b [u32]]> {
    let mut batches = Vec::new();
    let (mut begin, mut tokens) = (0, 0);
    for (at, text) in texts.iter().enumerate() {
        if at > begin && tokens + text.len() > BATCH_TOKENS {
            batches.push(&texts[begin..at]);
            (begin, tokens) = (at, 0);
        }
        tokens += text.len();
    }
    if begin < texts.len() {
        batches.push(&texts[begin..]);
    }
    batches
}
