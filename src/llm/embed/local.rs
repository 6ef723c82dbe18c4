//! [`LocalEmbedder`]: texts in, unit vectors out.

use std::fmt::Write as _;
use std::path::Path;

use rayon::ThreadPool;
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use sha2::{Digest, Sha256};
use tokenizers::{PostProcessor, Tokenizer, TruncationDirection};

use super::EmbedError;
use super::encoder::Encoder;
use super::folder::{ModelFolder, Prefixes};
use super::weights::hash_file;
use crate::llm::EmbedModel;
use crate::platform::pools::yield_processor;

/// Tokens that one forward pass holds, where one text does not have more: what its layers write stays in the processor's caches, and
/// ten times as many are not faster.
const BATCH_TOKENS: usize = 512;
/// Bytes that are tokenized at a time, since a tokenizer holds some 70 bytes for each of them. What it takes for one word it takes for
/// one unknown token, however long it is.
const STRETCH: usize = 64 << 10;

/// Which prefix a text gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputKind {
    Query,
    Passage,
}

/// Who waits for the vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Somebody at a screen: threads of their own, which the processor serves before those of [`Self::Bulk`].
    Question,
    /// A document: both lanes at once slow this one down.
    Bulk,
}

/// What [`LocalEmbedder::embed`] made.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedded {
    /// Unit vectors of the model's `dims` numbers, in the order of the texts.
    pub vectors: Vec<Vec<f32>>,
    /// Tokens of the texts with their prefixes, nothing cut, special tokens left out.
    pub tokens: usize,
}

/// What decides a vector apart from the arithmetic: the tokenizer and the facts of the folder.
struct Vocabulary {
    tokenizer: Tokenizer,
    prefixes: Prefixes,
    dims: usize,
    max_tokens: usize,
    special_tokens: usize,
    name: String,
    files_sha256: [u8; 32],
}

/// A loaded embedding model. `Send + Sync`; `embed` takes `&self` and works on threads of its own, one pool for each [`Lane`].
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
        // Published files carry the padding and the cut of whoever exported them (MiniLM's: always 128 tokens); both are done here.
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

    /// The text in pieces that the model reads whole, each of at most so many tokens.
    fn pieces<'a>(&self, text: &'a str, most: usize) -> Result<Vec<&'a str>, EmbedError> {
        let encoding = self.tokenizer.encode(text, false).map_err(|error| EmbedError::Tokenize(error.to_string()))?;
        let (offsets, words) = (encoding.get_offsets(), encoding.get_word_ids());
        let (mut pieces, mut rest, mut from) = (Vec::new(), text, 0);
        // A piece by itself may have a token more than it had within the text.
        let most = (most - most / 16).max(4);
        while from + most < offsets.len() {
            // Half a word is read as other tokens, which may be more of them.
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

    /// What the model reads of a text: its token ids, special ones included, and how many of them are the text's and the prefix's. More
    /// than one of these where the text is longer than the window.
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
        // Cut before the special tokens are added, so that the closing one is never cut off.
        encoding.truncate(self.max_tokens - self.special_tokens, 0, TruncationDirection::Right);
        let encoding = self.tokenizer.post_process(encoding, None, true).map_err(tokenize)?;
        Ok((encoding.get_ids().to_vec(), tokens))
    }
}

impl LocalEmbedder {
    /// Loads a model folder, with other prefixes than it names where some are given; `threads` for each lane. Blocking: reads the
    /// weights twice (once for the hash in the model's id); 0.3 s for `MiniLM`.
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

    /// What [`Self::load`] would load, without keeping anything in memory. Blocking: reads the whole folder.
    pub fn describe(dir: &Path, prefixes: Option<Prefixes>) -> Result<EmbedModel, EmbedError> {
        Ok(Vocabulary::read(&ModelFolder::read(dir)?, prefixes)?.model())
    }

    /// Id, length of a vector, and the longest text that is embedded whole, in tokens as [`Self::count_tokens`] counts them:
    /// special tokens and the longer of the two prefixes are taken off. The id is the folder's name and a short hash of
    /// everything that decides a vector (weights, tokenizer, pooling, length limit, prefixes): vectors of two models with the
    /// same id are interchangeable, others must never meet in one index.
    pub fn model(&self) -> &EmbedModel {
        &self.model
    }

    /// Embeds texts. Of one beyond the model's `max_tokens` nothing is left out: it is read in pieces, and its vector is their mean,
    /// weighted by their tokens.
    pub fn embed(&self, lane: Lane, kind: InputKind, texts: &[String]) -> Result<Embedded, EmbedError> {
        let prefix = match kind {
            InputKind::Query => &self.vocabulary.prefixes.query,
            InputKind::Passage => &self.vocabulary.prefixes.passage,
        };
        let pool = if lane == Lane::Question { &self.questions } else { &self.bulk };
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

    /// Tokens of a text as the model counts them, special tokens and prefix left out, nothing cut.
    pub fn count_tokens(&self, text: &str) -> Result<usize, EmbedError> {
        self.vocabulary.count_tokens(text)
    }
}

/// The text, all of it, in parts that are tokenized one after the other; at least one, and one only where it is not long.
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

/// The mean of a text's vectors, weighted by tokens, of length 1. A single one stays as it is.
fn mean(mut pieces: impl Iterator<Item = (usize, Vec<f32>)>) -> Vec<f32> {
    let Some((tokens, first)) = pieces.next() else { return Vec::new() };
    let Some(second) = pieces.next() else { return first };
    let mut sum = vec![0.0; first.len()];
    for (tokens, vector) in [(tokens, first), second].into_iter().chain(pieces) {
        #[expect(clippy::cast_precision_loss, reason = "a window has a few thousand tokens")]
        let weight = tokens as f32;
        sum.iter_mut().zip(vector).for_each(|(sum, number)| *sum += weight * number);
    }
    let length = sum.iter().map(|number| number * number).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    sum.into_iter().map(|number| number / length).collect()
}

/// Texts in their order, cut where a batch has its tokens.
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
