//! Real documents from `tests/fixtures/documents`, made by `tests/fixtures/make-documents`.

#![expect(clippy::format_push_string, clippy::format_collect, reason = "documents put together by hand read better so")]

mod charsets;
mod child;
mod chunk;
mod docx;
mod formats;
mod html;
mod made;
mod mail;
mod markdown;
mod ocr;
mod pdf;
mod pdf_damaged;
mod pdf_made;
mod pdf_marked;
mod pdf_odd;
mod plausible;
mod sniff;
mod tables;
mod texts;

use super::*;

fn fixture(name: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/fixtures/documents").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn read(name: &str) -> Extracted {
    let bytes = fixture(name);
    let kind = super::sniff(&bytes, name).unwrap();
    let document = extract(&bytes, kind, &Limits::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
    check_shape(&document);
    document
}

fn failure(name: &str) -> ExtractError {
    let bytes = fixture(name);
    match super::sniff(&bytes, name) {
        Ok(kind) => extract(&bytes, kind, &Limits::default()).expect_err(name),
        Err(unsupported) => unsupported.into(),
    }
}

/// Invariants of every document.
fn check_shape(document: &Extracted) {
    let chars: Vec<char> = document.text.chars().collect();
    let mut end = 0;
    for block in &document.blocks {
        assert!(block.start >= end && block.end > block.start && block.end <= chars.len(), "{block:?}");
        assert!(chars[end..block.start].iter().all(|c| c.is_whitespace()));
        assert_eq!(block.page.is_some(), document.pages.is_some());
        if let (Some(page), Some(pages)) = (block.page, document.pages) {
            assert!((1..=pages).contains(&page));
        }
        end = block.end;
    }
    assert_eq!(end, chars.len());
    assert!(!document.text.contains(['\0', '\u{ad}', '\u{fb01}']));
}

fn text_of(document: &Extracted, block: &Block) -> String {
    document.text.chars().skip(block.start).take(block.end - block.start).collect()
}

fn blocks(document: &Extracted, kind: BlockKind) -> Vec<String> {
    document.blocks.iter().filter(|b| b.kind == kind).map(|b| text_of(document, b)).collect()
}

/// The block that contains the whole `sentence`.
fn block_with<'a>(document: &'a Extracted, sentence: &str) -> &'a Block {
    let found = document.blocks.iter().find(|block| text_of(document, block).contains(sentence));
    found.unwrap_or_else(|| panic!("no block has {sentence:?} in:\n{}", document.text))
}

fn assert_in_order(document: &Extracted, sentences: &[&str]) {
    let mut from = 0;
    for sentence in sentences {
        let at = document.text[from..].find(sentence);
        from += at.unwrap_or_else(|| panic!("{sentence:?} is missing or misplaced in:\n{}", document.text));
        from += sentence.len();
    }
}
