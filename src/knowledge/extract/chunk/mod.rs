//! Cuts a document into passages for embedding and search.
//!
//! Blocks under one heading are gathered up to the limit; a block that is too long alone is split at sentences by
//! `text-splitter`, a table between its rows (`rows`), with its header carried along. Counting tokens is the dear
//! part: each character is counted a small constant number of times.
//!
//! A passage is bounded by its characters as well as by its tokens: a tokenizer takes a word that is not like one, however long, for a
//! single unknown token.

mod rows;

use std::ops::Range;

use text_splitter::{ChunkConfig, ChunkSizer, TextSplitter};

use super::{Block, BlockKind, Extracted};

/// A passage. `text` is `Extracted::text[start..end]`, by characters, exactly.
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
    /// Headings above the passage, outermost first. Not part of `text`.
    pub heading: Vec<String>,
    /// Where `text` begins below the header of a table: the header, in lines as in the document. Not part of `text`.
    pub table_header: Option<String>,
    /// As `count` has it, `table_header` included; at least one for every [`CHARS_PER_TOKEN`] characters.
    pub tokens: usize,
}

/// No language has so many characters to a token; what has is no language.
pub(super) const CHARS_PER_TOKEN: usize = 16;

/// `count` tells the tokens of a text without special tokens; `max_tokens` is at least 1. A single character of more
/// tokens than that still becomes a chunk. Headings are carried in `Chunk::heading`; one without any text of its own
/// below it becomes a chunk itself, so that nothing of a document is beyond search.
pub fn chunk(document: &Extracted, count: &dyn Fn(&str) -> usize, max_tokens: usize) -> Vec<Chunk> {
    chunk_while(document, count, max_tokens, &|| true).unwrap_or_default()
}

/// As [`chunk`]; `None` soon after `go_on` says no.
pub fn chunk_while(
    document: &Extracted,
    count: &dyn Fn(&str) -> usize,
    max_tokens: usize,
    go_on: &dyn Fn() -> bool,
) -> Option<Vec<Chunk>> {
    let max_tokens = max_tokens.max(1);
    let weigh = |text: &str| weigh(text, count, max_tokens);
    let mut chunker = Chunker {
        splitter: TextSplitter::new(ChunkConfig::new(max_tokens).with_sizer(Sizer(&weigh))),
        count: &weigh,
        go_on,
        max_tokens,
        offsets: Offsets { text: &document.text, byte: 0, char: 0 },
        pending: Vec::new(),
        chunks: Vec::new(),
    };
    for (index, block) in document.blocks.iter().enumerate() {
        if !go_on() {
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
    // What stopped within a block has left some of it out.
    go_on().then_some(chunker.chunks)
}

/// The tokens of a text, or more for one of too many characters. What is too long by its characters already is not counted: a tokenizer
/// holds some 70 bytes for each of them.
fn weigh(text: &str, count: &dyn Fn(&str) -> usize, max_tokens: usize) -> usize {
    let least = text.chars().count() / CHARS_PER_TOKEN;
    if least > max_tokens { least } else { count(text).max(least) }
}

/// A heading that is followed neither by text nor by a heading below it.
fn is_leaf(heading: &Block, next: Option<&Block>) -> bool {
    next.is_none_or(|next| next.kind == BlockKind::Heading && next.heading.len() <= heading.heading.len())
}

struct Sizer<'a>(&'a dyn Fn(&str) -> usize);

impl ChunkSizer for Sizer<'_> {
    fn size(&self, chunk: &str) -> usize {
        (self.0)(chunk)
    }
}

/// A block or a part of one that fits into a chunk.
struct Piece<'a> {
    bytes: Range<usize>,
    chars: Range<usize>,
    /// With `header`.
    tokens: usize,
    block: &'a Block,
    /// Of the table that the piece is cut from, where the piece itself does not begin with it.
    header: Option<String>,
}

struct Chunker<'a> {
    splitter: TextSplitter<Sizer<'a>>,
    count: &'a dyn Fn(&str) -> usize,
    go_on: &'a dyn Fn() -> bool,
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

    /// Splits `text`, a part of `block` that begins at these offsets, at sentences.
    fn split(&mut self, block: &'a Block, mut byte: usize, mut char: usize, text: &str) {
        // The splitter looks at the whole text it is given at every level, so a very long block goes in portions.
        for portion in portions(text) {
            if !(self.go_on)() {
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
        // A passage cites one page and one heading. Text without any heading (a scan) begins anew on each page.
        let parted = self.pending.last().is_some_and(|last| {
            let (last, next) = (last.block, piece.block);
            last.heading != next.heading || (next.heading.is_empty() && last.page != next.page)
        });
        if parted {
            self.flush();
        }
        let together: usize = self.pending.iter().map(|p| p.tokens).sum();
        // A header stands above the whole passage.
        if piece.header.is_some() || together + piece.tokens > self.max_tokens {
            self.flush();
        }
        self.pending.push(piece);
    }

    /// The pending pieces become a chunk. Their text with what lies between may count more than their sum (a token for
    /// the empty line): then the last piece starts another chunk.
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

/// Character offsets to byte offsets, in one pass: they are asked for in ascending order.
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

/// Pieces of some 8 KiB that end at the end of a line or, failing that, at a space.
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
