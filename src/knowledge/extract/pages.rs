//! Detects pages without usable text, and merges the text recognised from their images.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet},
};

use super::{
    Block, BlockKind, Doubt, Extracted,
    builder::{clean, flow},
    plausible,
    report::PLAUSIBLE,
};

/// A page is garbled if more than one in this many characters is odd.
const ODD: usize = 5;
/// Shorter lines are not running text but a table, form or address.
const SHORT_LINE: usize = 25;

/// How a page's text was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Ocr,
    Model,
}

/// The recognised text of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recognised {
    pub way: Way,
    pub text: String,
}

/// Pages, from 1, without text, with implausible text, or with words that exist only as an image. Empty for formats
/// without pages.
pub fn unusable(document: &Extracted) -> Vec<u32> {
    let Some(count) = document.pages else { return Vec::new() };
    let mut texts: BTreeMap<u32, String> = BTreeMap::new();
    for (block, text) in document.blocks.iter().zip(block_texts(document)) {
        let page = texts.entry(block.page.unwrap_or(1)).or_default();
        page.push_str(text);
        page.push('\n');
    }
    // If the reader reported some pages without text, it checked all of them: the others are blank.
    let named = &document.report.pages_without_text;
    let partly = &document.report.pages_partly_unreadable;
    let is_unusable = |page: &u32| match texts.get(page).filter(|text| text.chars().any(char::is_alphanumeric)) {
        None => named.is_empty() || named.contains(page),
        Some(text) => partly.contains(page) || is_implausible(text),
    };
    (1..=count).filter(is_unusable).collect()
}

/// Whether a text looks like glyph numbers or undecodable characters.
pub fn is_implausible(text: &str) -> bool {
    let all = text.chars().filter(|c| !c.is_whitespace()).count();
    let odd = text.chars().filter(|c| matches!(c, '\u{fffd}' | '\u{e000}'..='\u{f8ff}')).count();
    odd * ODD > all || plausible::share(text).is_some_and(|share| share < PLAUSIBLE)
}

/// Returns the document with the recognised text replacing these pages' own, and an updated report. A page that was
/// readable in part keeps its text, followed by what else was recognised on it.
pub fn with_recognised(document: Extracted, recognised: &BTreeMap<u32, Recognised>) -> Extracted {
    if recognised.is_empty() {
        return document;
    }
    let mut out = Rebuilt { text: String::new(), chars: 0, blocks: Vec::new() };
    let mut waiting = recognised.iter().peekable();
    let partly = |page: u32| document.report.pages_partly_unreadable.contains(&page);
    // The words of a page whose text is kept.
    let mut own = HashSet::new();
    for (block, text) in document.blocks.iter().zip(block_texts(&document)) {
        let page = block.page.unwrap_or(1);
        let is_due = |number: u32| number < page || number == page && !partly(page);
        while let Some((number, found)) = waiting.next_if(|(number, _)| is_due(**number)) {
            out.page(*number, &found.text, &std::mem::take(&mut own));
        }
        if !recognised.contains_key(&page) {
            out.push(block, text);
        } else if partly(page) {
            out.push(block, text);
            own.extend(words(text));
        }
    }
    for (number, found) in waiting {
        out.page(*number, &found.text, &std::mem::take(&mut own));
    }
    let mut report = document.report;
    let by = |way: Way| recognised.iter().filter(move |(_, found)| found.way == way).map(|(page, _)| *page);
    report.pages_by_ocr = by(Way::Ocr).collect();
    report.pages_by_model = by(Way::Model).collect();
    report.pages_without_text.retain(|page| !recognised.contains_key(page));
    report.pages_partly_unreadable.retain(|page| !recognised.contains_key(page));
    if report.pages_without_text.is_empty() && report.pages_partly_unreadable.is_empty() {
        // All text in these fonts has been recognised.
        report.unreadable_fonts.clear();
    }
    // Judged again on the new text.
    report.doubts.retain(|doubt| {
        !matches!(
            doubt,
            Doubt::PagesWithoutText | Doubt::ImplausibleText | Doubt::UndecodableCharacters | Doubt::UnreadableFonts
        )
    });
    report.conclude(document.kind, &out.text);
    Extracted { text: out.text, blocks: out.blocks, report, ..document }
}

fn block_texts(document: &Extracted) -> impl Iterator<Item = &str> {
    let (mut byte, mut char) = (0, 0);
    let mut at = move |wanted: usize| {
        let rest = &document.text[byte..];
        byte += rest.char_indices().nth(wanted.saturating_sub(char)).map_or(rest.len(), |(at, _)| at);
        char = char.max(wanted);
        byte
    };
    document.blocks.iter().map(move |block| {
        let start = at(block.start);
        &document.text[start..at(block.end)]
    })
}

/// A document's text being rebuilt.
struct Rebuilt {
    text: String,
    chars: usize,
    blocks: Vec<Block>,
}

impl Rebuilt {
    fn push(&mut self, block: &Block, text: &str) {
        if !self.text.is_empty() {
            self.text.push_str("\n\n");
            self.chars += 2;
        }
        let start = self.chars;
        self.text.push_str(text);
        self.chars += text.chars().count();
        let header_end = block.header_end.map(|end| end - block.start + start);
        self.blocks.push(Block { start, end: self.chars, header_end, ..block.clone() });
    }

    /// `own`: the words that the page has besides the recognised ones.
    fn page(&mut self, number: u32, found: &str, own: &HashSet<String>) {
        for (kind, text) in paragraphs(&lines_not_in(found, own)) {
            let block = Block { start: 0, end: 0, page: Some(number), heading: Vec::new(), kind, header_end: None };
            self.push(&block, &text);
        }
    }
}

/// Words in lower case, without surrounding punctuation.
fn words(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase)
}

/// The recognised lines that are not already in `own`. Recognition makes mistakes, so half of its words suffice to
/// identify a line.
fn lines_not_in<'a>(text: &'a str, own: &HashSet<String>) -> Cow<'a, str> {
    if own.is_empty() {
        return Cow::Borrowed(text);
    }
    let is_new = |line: &&str| {
        let (mut all, mut known) = (0, 0);
        for word in words(line) {
            all += 1;
            known += usize::from(own.contains(&word));
        }
        all == 0 || known * 2 < all
    };
    Cow::Owned(text.split('\n').filter(is_new).collect::<Vec<_>>().join("\n"))
}

/// Splits recognised text into blocks at empty lines; running text is joined, short lines are kept.
fn paragraphs(text: &str) -> Vec<(BlockKind, String)> {
    let text = clean(&text.replace('\u{c}', "\n\n").replace("\r\n", "\n"));
    let mut found = Vec::new();
    for part in text.split("\n\n") {
        let lines: Vec<&str> = part.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let (kind, text) = if lines.len() < 2 || is_running_text(&lines) {
            (BlockKind::Paragraph, flow(&joined(&lines)))
        } else {
            (BlockKind::List, lines.iter().map(|line| flow(line)).collect::<Vec<_>>().join("\n"))
        };
        if text.chars().any(|c| !c.is_whitespace()) {
            found.push((kind, text));
        }
    }
    found
}

/// Whether lines are about equally long up to the last, with few numbers: rows of a table must stay rows.
fn is_running_text(lines: &[&str]) -> bool {
    let length = |line: &&str| line.chars().count();
    let longest = lines.iter().map(length).max().unwrap_or(0);
    let full = &lines[..lines.len() - 1];
    let digits: usize = lines.iter().map(|line| line.chars().filter(char::is_ascii_digit).count()).sum();
    let all: usize = lines.iter().map(length).sum();
    longest >= SHORT_LINE && full.iter().all(|line| length(line) * 10 >= longest * 6) && digits * 5 <= all
}

/// Joins lines, and words hyphenated across line ends.
fn joined(lines: &[&str]) -> String {
    let mut out = String::new();
    for line in lines {
        let parted = out.strip_suffix(['-', '‐']).filter(|before| {
            before.chars().next_back().is_some_and(char::is_alphabetic) && line.starts_with(char::is_lowercase)
        });
        if let Some(length) = parted.map(str::len) {
            out.truncate(length);
        } else if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(line);
    }
    out
}
