//! From an uploaded file to blocks of text with page, heading path and character offsets, and from blocks to chunks.
//!
//! `sniff` detects the kind by content, `extract` reads one kind, `child` runs both in a child process under limits
//! (parsers never handle untrusted files inside the server), `chunk` splits the result for embedding. Every format goes
//! through one `Builder`, so that cleaning, offsets and limits are the same for all. No tables, no network, no jobs:
//! knowledge's jobs call this.

mod builder;
pub mod child;
mod chunk;
mod csv;
mod decode;
mod docx;
mod error;
mod escapes;
mod formula;
mod html;
mod link;
mod mail;
mod markdown;
mod model;
mod notebook;
mod numbers;
pub mod ocr;
pub mod pages;
mod pdf;
mod plain;
mod plausible;
mod report;
mod sniff;
mod table;
#[cfg(test)]
mod tests;
mod unread;

pub use chunk::{Chunk, chunk, chunk_while};
pub use error::{ExtractError, Unsupported};
pub use model::{Block, BlockKind, Extracted, Kind, Limits};
pub use report::{Doubt, LeftOut, LeftOutKind, Report, UnreadPages, UnreadReason};
pub use sniff::sniff;
pub use unread::{UnreadDetail, UnreadPart, UnreadValue, UnreadWhat};

/// Reads `bytes` as `kind`, in this process: except in `child` and tests, use `child::extract_in_child`. `Err(NoText)`
/// if no block has a letter or a digit.
pub fn extract(bytes: &[u8], kind: Kind, limits: &Limits) -> Result<Extracted, ExtractError> {
    read(bytes, kind, limits)?.or_no_text()
}

/// Like [`extract`], but returns a document without text too, with its report.
fn read(bytes: &[u8], kind: Kind, limits: &Limits) -> Result<Extracted, ExtractError> {
    if bytes.len() as u64 > limits.input_bytes {
        return Err(ExtractError::TooLargeInput { limit: limits.input_bytes });
    }
    match kind {
        Kind::Pdf => pdf::extract(bytes, limits),
        Kind::Docx => docx::extract(bytes, limits),
        Kind::Html => html::extract(bytes, limits),
        Kind::Markdown => markdown::extract(bytes, limits),
        Kind::Csv => csv::extract(bytes, limits),
        Kind::Code => plain::extract_code(bytes, limits),
        Kind::Text => plain::extract(bytes, limits),
    }
}
