//! Splits a document into chunks for embedding and search.
//!
//! Blocks under one heading are collected up to the limit. A block that is too long on its own is split at sentences by
//! `text-splitter`, a table between its rows (`rows`), with its header repeated. Token counting is the expensive part:
//! each character is counted a small constant number of times.
//!
//! Chunks are limited in characters as well as tokens: a tokenizer turns a non-word of any length into a single unknown
//! token.

mod rows;

use std::ops::Range;

use text_splitter::{ChunkConfig, ChunkSizer, TextSplitter};

use super::{Block, BlockKind, Extracted};

/// A chunk. `text` is exactly `Extracted::text[start..end]`, in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Position in the document, from 0.
    pub ordinal: i32,
    pub text: String,
    /// First character in `Extracted::text`.
    pub start: usize,
    /// One past the last character.
    pub end: usize,
    /// Page of the first character.
    pub page: Option<u32>,
    /// Headings above the chunk, outermost first. Not part of `text`.
    pub heading: Vec<String>,
    /// If `text` starts below the header of a table: that header, in lines as in the document. Not part of `text`.
    pub table_header: Option<String>,
    /// Tokens as returned by `count`, including `table_header`; at least one per [`CHARS_PER_TOKEN`] characters.
    pub tokens: usize,
}

/// No language has this many characters per token.
pub(super) const CHARS_PER_TOKEN: usize = 16;

/// `count` returns the tokens of a text without special tokens; `max_tokens` is at least 1. A single character with
/// more tokens still becomes a chunk. Headings are stored in `Chunk::heading`; one without text below it becomes a
/// chunk itself, so that the whole document is searchable.
pub fn chunk(document: &Extracted, count: &dyn Fn(&str) -> usize, max_tokens: usize) -> Vec<Chunk> {
    chunk_while(document, count, max_tokens, &|| true).unwrap_or_default()
}

/// Like [`chunk`]; `None` soon after `keep_going` returns false.
pub fn chunk_while(
    document: &Extracted,
    count: &dyn Fn(&str) -> usize,
    max_tokens: usize,
    keep_going: &dyn Fn() -> bool,
) -> Option<Vec<Chunk>> {
    let max_tokens = max_tokens.max(1);
    let bounded_tokens = |text: &str| bounded_tokens(text, count, max_tokens);
    let mut chunker = Chunker {
        splitter: TextSplitter::new(ChunkConfig::new(max_tokens).with_sizer(Sizer(&bounded_tokens))),
        count: &bounded_tokens,
        keep_going,
        max_tokens,
        offsets: Offsets { text: &document.text, byte: 0, char: 0 },
        pending: Vec::new(),
        chunks: Vec::new(),
    };
    for (index, block) in document.blocks.iter().enumerate() {
        if !keep_going() {
            return None;
        }
        if block.kind != BlockKind::Heading {
            chunker.block(block);
            continue;
        }
        chunker.flush();
        if is_leaf(block, document.blocks.get(index + 1)) {
            chunker.block(block);
            chunker.flush();
        }
    }
    chunker.flush();
    // When stopped inside a block, part of it is missing.
    keep_going().then_some(chunker.chunks)
}

/// The tokens of a text, or more if it has too many characters. A text over the character limit is not counted: a
/// tokenizer needs some 70 bytes per character.
fn bounded_tokens(text: &str, count: &dyn Fn(&str) -> usize, max_tokens: usize) -> usize {
    let least = text.chars().count() / CHARS_PER_TOKEN;
    if least > max_tokens { least } else { count(text).max(least) }
}

/// A heading followed by neither text nor a subheading.
fn is_leaf(heading: &Block, next: Option<&Block>) -> bool {
    next.is_none_or(|next| next.kind == BlockKind::Heading && next.heading.len() <= heading.heading.len())
}

struct Sizer<'a>(&'a dyn Fn(&str) -> usize);

impl ChunkSizer for Sizer<'_> {
    fn size(&self, chunk: &str) -> usize {
        (self.0)(chunk)
    }
}

/// A block, or part of one, that fits into a chunk.
struct Piece<'a> {
    bytes: Range<usize>,
    chars: Range<usize>,
    /// Including `header`.
    tokens: usize,
    block: &'a Block,
    /// The header of the table that the piece was cut from, unless the piece starts with it.
    header: Option<String>,
}

struct Chunker<'a> {
    splitter: TextSplitter<Sizer<'a>>,
    count: &'a dyn Fn(&str) -> usize,
    keep_going: &'a dyn Fn() -> bool,
    max_tokens: usize,
    offsets: Offsets<'a>,
    pending: Vec<Piece<'a>>,
    chunks: Vec<Chunk>,
}

impl<'a> Chunker<'a> {
    fn block(&mut self, block: &'a Block) {
        let bytes = self.offsets.byte_of(block.start)..self.offsets.byte_of(block.end);
        let text = &self.offsets.text[bytes.clone()];
        let tokens = (self.count)(text);
        if tokens <= self.max_tokens {
            self.add(Piece { bytes, chars: block.start..block.end, tokens, block, header: None });
        } else if block.kind == BlockKind::Table {
            self.table(block, bytes.start, text);
        } else {
            self.split(block, bytes.start, block.start, text);
        }
    }

    /// Splits `text`, a part of `block` that starts at these offsets, at sentences.
    fn split(&mut self, block: &'a Block, mut byte: usize, mut char: usize, text: &str) {
        // The splitter scans its whole input at every level, so a very long block is passed in portions.
        for portion in portions(text) {
            if !(self.keep_going)() {
                return;
            }
            let base = byte;
            let parts: Vec<(usize, &str)> = self.splitter.chunk_indices(portion).collect();
            for (at, part) in parts {
                char += self.offsets.text[byte..base + at].chars().count();
                let end = char + part.chars().count();
                byte = base + at + part.len();
                let tokens = (self.count)(part);
                self.add(Piece { bytes: base + at..byte, chars: char..end, tokens, block, header: None });
                char = end;
            }
            let end = base + portion.len();
            char += self.offsets.text[byte..end].chars().count();
            byte = end;
        }
    }

    fn add(&mut self, piece: Piece<'a>) {
        // A chunk cites one page and one heading. Text without headings (a scan) starts a new chunk on each page.
        let parted = self.pending.last().is_some_and(|last| {
            let (last, next) = (last.block, piece.block);
            last.heading != next.heading || (next.heading.is_empty() && last.page != next.page)
        });
        if parted {
            self.flush();
        }
        let together: usize = self.pending.iter().map(|p| p.tokens).sum();
        // A table header applies to the whole chunk.
        if piece.header.is_some() || together + piece.tokens > self.max_tokens {
            self.flush();
        }
        self.pending.push(piece);
    }

    /// Turns the pending pieces into a chunk. Joined, they may have more tokens than their sum (one for the empty
    /// line); then the last piece starts another chunk.
    fn flush(&mut self) {
        let mut pieces = std::mem::take(&mut self.pending);
        while !pieces.is_empty() {
            let mut taken = pieces.len();
            let tokens = loop {
                let text = &self.offsets.text[pieces[0].bytes.start..pieces[taken - 1].bytes.end];
                let tokens =
                    if taken == 1 { pieces[0].tokens } else { self.count_with(pieces[0].header.as_deref(), text) };
                if tokens <= self.max_tokens || taken == 1 {
                    break tokens;
                }
                taken -= 1;
            };
            let rest = pieces.split_off(taken);
            self.push(&pieces, tokens);
            pieces = rest;
        }
    }

    fn count_with(&self, header: Option<&str>, text: &str) -> usize {
        match header {
            Some(header) => (self.count)(&format!("{header}\n{text}")),
            None => (self.count)(text),
        }
    }

    fn push(&mut self, pieces: &[Piece<'a>], tokens: usize) {
        let (Some(first), Some(last)) = (pieces.first(), pieces.last()) else { return };
        self.chunks.push(Chunk {
            ordinal: i32::try_from(self.chunks.len()).unwrap_or(i32::MAX),
            text: self.offsets.text[first.bytes.start..last.bytes.end].to_owned(),
            start: first.chars.start,
            end: last.chars.end,
            page: first.block.page,
            heading: first.block.heading.clone(),
            table_header: first.header.clone(),
            tokens,
        });
    }
}

/// Converts ascending character offsets to byte offsets in one pass.
struct Offsets<'a> {
    text: &'a str,
    byte: usize,
    char: usize,
}

impl Offsets<'_> {
    fn byte_of(&mut self, char: usize) -> usize {
        let ahead = char.saturating_sub(self.char);
        let rest = &self.text[self.byte..];
        self.byte += rest.char_indices().nth(ahead).map_or(rest.len(), |(at, _)| at);
        self.char = self.char.max(char);
        self.byte
    }
}

/// Portions of about 8 KiB that end at a line end, or else at a space.
fn portions(text: &str) -> impl Iterator<Item = &str> {
    const PORTION: usize = 8 << 10;
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let limit = rest.floor_char_boundary(PORTION);
        let end = if limit == rest.len() {
            limit
        } else {
            let head = &rest[..limit];
            head.rfind('\n').or_else(|| head.rfind(". ")).or_else(|| head.rfind(' ')).map_or(limit, |at| at + 1)
        };
        let (portion, after) = rest.split_at(end);
        rest = after;
        Some(portion)
    })
}
