//! PDF, read by `pdf_oxide`: its spans in the order of the content stream, put together by `layout`.
//!
//! Measured on what Chromium, LibreOffice and LaTeX write: the library's own page texts lose or misplace the ends of
//! lines in tagged files, mix up lines of two-column pages and tear table cells apart, while its spans are right, and
//! these programs write them in reading order. Where a page's stream has no such order, the library's text is taken.

mod layout;
mod table;
mod words;

use std::collections::HashSet;

use pdf_oxide::{
    Error, PdfDocument,
    object::{Object, ObjectRef},
};

use super::{BlockKind, ExtractError, Extracted, Kind, Limits, builder::Builder};
use layout::{Page, Part};

pub(super) fn extract(bytes: &[u8], limits: &Limits) -> Result<Extracted, ExtractError> {
    // Without its end, where the index of objects is, fonts get lost and the text comes out as gibberish.
    let tail = &bytes[bytes.len().saturating_sub(4096)..];
    if !tail.windows(9).any(|window| window == b"startxref") {
        return Err(ExtractError::malformed("the end of the file is missing"));
    }
    let document = PdfDocument::from_bytes(bytes.to_vec()).map_err(error)?;
    if document.is_encrypted() && !document.is_authenticated() {
        return Err(ExtractError::Encrypted);
    }
    let leaves = leaves(&document)?;
    // `/Count` is only a claim, and the library walks the whole tree for each page that it promises.
    let count = document.page_count().map_err(error)?;
    let count = if leaves > 0 { count.min(leaves) } else { count };
    let mut pages = Vec::with_capacity(count.min(10_000));
    for index in 0..count {
        pages.push(read_page(&document, index).map_err(error)?);
    }
    layout::strip_running_lines(&mut pages);
    let mut builder = Builder::new(limits);
    let sizes = layout::HeadingSizes::of(&pages);
    let words = words::Words::of(&pages);
    for (index, page) in pages.iter().enumerate() {
        builder.page(u32::try_from(index + 1).unwrap_or(u32::MAX));
        for part in layout::parts(page, &sizes, &words) {
            match part {
                Part::Heading(level, text) => builder.heading(level, &text)?,
                Part::Paragraph(text) => builder.paragraph(&text)?,
                Part::List(text) => builder.lines(BlockKind::List, &text)?,
                Part::Table(text) => builder.lines(BlockKind::Table, &text)?,
            }
        }
    }
    builder.finish(Kind::Pdf, u32::try_from(count).ok())
}

/// Pages that can be reached from the root of the page tree, 0 where the tree is so odd that only the library can tell.
/// A tree that comes back to itself is refused here: the library would walk it for minutes.
fn leaves(document: &PdfDocument) -> Result<usize, ExtractError> {
    let root = document.catalog().ok().and_then(|catalog| catalog.as_dict()?.get("Pages")?.as_reference());
    let mut seen = HashSet::new();
    let mut open: Vec<ObjectRef> = root.into_iter().collect();
    let mut leaves = 0;
    while let Some(node) = open.pop() {
        let Ok(object) = document.load_object(node) else { continue };
        let Some(kids) = object.as_dict().and_then(|dict| dict.get("Kids")) else {
            leaves += 1;
            continue;
        };
        if !seen.insert(node) {
            return Err(ExtractError::malformed("its page tree contains itself"));
        }
        let kids = document.resolve_object(kids).unwrap_or(Object::Null);
        open.extend(kids.as_array().into_iter().flatten().filter_map(Object::as_reference));
    }
    Ok(leaves)
}

fn read_page(document: &PdfDocument, index: usize) -> Result<Page, Error> {
    let mut spans = document.extract_spans(index)?;
    spans.retain(|span| span.artifact_type.is_none());
    spans.sort_by_key(|span| span.sequence);
    let media = document.get_page_media_box(index).unwrap_or((0.0, 0.0, 595.0, 842.0));
    let page = Page::new(&spans, document.get_page_rotation(index).unwrap_or(0), media.1, media.3);
    if page.is_disordered() {
        return Ok(Page::unordered(document.extract_text(index)?));
    }
    Ok(page)
}

fn error(error: Error) -> ExtractError {
    match error {
        Error::EncryptedPdf => ExtractError::Encrypted,
        other => ExtractError::malformed(other),
    }
}
