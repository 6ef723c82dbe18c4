//! Assembles blocks into the canonical text: cleaning, offsets, heading paths and the output limit in one place.

use unicode_normalization::UnicodeNormalization;

use super::{Block, BlockKind, ExtractError, Extracted, Kind, LeftOutKind, Limits, Report, table::Table};

/// A longer "heading" is a paragraph in large type; as a heading it would be repeated with every chunk.
const LONGEST_HEADING: usize = 200;
const LONGEST_TITLE: usize = 300;

pub(super) struct Builder {
    output_bytes: u64,
    text: String,
    /// Characters in `text`, kept incrementally: `chars().count()` per block would be quadratic.
    chars: usize,
    blocks: Vec<Block>,
    /// Open headings with their levels, strictly increasing.
    headings: Vec<(u8, String)>,
    page: Option<u32>,
    title: Option<String>,
    report: Report,
}

impl Builder {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            output_bytes: limits.output_bytes,
            text: String::new(),
            chars: 0,
            blocks: Vec::new(),
            headings: Vec::new(),
            page: None,
            title: None,
            report: Report::default(),
        }
    }

    /// Sets the page, from 1, of the following blocks.
    pub(super) fn page(&mut self, number: u32) {
        self.page = Some(number);
    }

    /// Sets the title, unless an earlier, better source has set it.
    pub(super) fn title(&mut self, title: &str) {
        let title: String = flow(title).chars().take(LONGEST_TITLE).collect();
        if self.title.is_none() && !title.is_empty() {
            self.title = Some(title);
        }
    }

    /// `level` 1 to 6, as in HTML.
    pub(super) fn heading(&mut self, level: u8, text: &str) -> Result<(), ExtractError> {
        let text = flow(text);
        if text.chars().count() > LONGEST_HEADING {
            return self.append(BlockKind::Paragraph, &text);
        }
        if !text.chars().any(char::is_alphanumeric) {
            return Ok(());
        }
        if level == 1 && self.headings.is_empty() {
            self.title(&text);
        }
        self.headings.retain(|(open, _)| *open < level);
        self.headings.push((level, text.clone()));
        self.append(BlockKind::Heading, &text)
    }

    /// Running text: white space, including line ends, collapses to single spaces.
    pub(super) fn paragraph(&mut self, text: &str) -> Result<(), ExtractError> {
        self.append(BlockKind::Paragraph, &flow(text))
    }

    /// Lists and tables (one line per item or row), and code, where leading white space counts too.
    pub(super) fn lines(&mut self, kind: BlockKind, text: &str) -> Result<(), ExtractError> {
        let clean = clean(text);
        let mut lines: Vec<&str> = clean.lines().map(str::trim_end).collect();
        if kind != BlockKind::Code {
            lines.retain(|line| !line.is_empty());
        }
        self.append(kind, lines.join("\n").trim_matches('\n'))
    }

    pub(super) fn table(&mut self, table: &Table) -> Result<(), ExtractError> {
        if table.is_empty() {
            return Ok(());
        }
        let (lines, header) = table.lines();
        let lines: Vec<String> = lines.iter().map(|line| flow(line)).collect();
        let header_chars = lines[..header].iter().map(|line| line.chars().count() + 1).sum::<usize>().saturating_sub(1);
        self.append(BlockKind::Table, &lines.join("\n"))?;
        self.report.tables += 1;
        if let Some(block) = self.blocks.last_mut().filter(|_| header > 0 && header < lines.len()) {
            block.header_end = Some(block.start + header_chars);
        }
        Ok(())
    }

    pub(super) fn left_out(&mut self, kind: LeftOutKind, text: &str) {
        self.report.leave_out(kind, text);
    }

    /// For statistics and doubts that only the format's reader knows.
    pub(super) fn report(&mut self) -> &mut Report {
        &mut self.report
    }

    fn append(&mut self, kind: BlockKind, text: &str) -> Result<(), ExtractError> {
        if text.trim().is_empty() {
            return Ok(());
        }
        if (self.text.len() + text.len()) as u64 > self.output_bytes {
            return Err(ExtractError::TooLargeOutput { limit: self.output_bytes });
        }
        if !self.text.is_empty() {
            self.text.push_str("\n\n");
            self.chars += 2;
        }
        let start = self.chars;
        self.text.push_str(text);
        self.chars += text.chars().count();
        let heading = self.headings.iter().map(|(_, text)| text.clone()).collect();
        self.blocks.push(Block { start, end: self.chars, page: self.page, heading, kind, header_end: None });
        Ok(())
    }

    /// Also returns a text without any letter or digit, with its report: its pages may still be read by OCR.
    pub(super) fn finish(mut self, kind: Kind, pages: Option<u32>) -> Extracted {
        self.report.conclude(kind, &self.text);
        Extracted { kind, title: self.title, text: self.text, blocks: self.blocks, pages, report: self.report }
    }
}

/// `clean`, then single spaces between words.
pub(super) fn flow(text: &str) -> String {
    let clean = clean(text);
    let mut out = String::with_capacity(clean.len());
    for word in clean.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// NFC; ligatures decomposed; soft hyphens, zero-width characters, direction marks and control characters removed
/// (PostgreSQL cannot store U+0000); every kind of space becomes a plain one, so that word searches match.
pub(super) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.nfc() {
        match c {
            '\u{fb00}' => out.push_str("ff"),
            '\u{fb01}' => out.push_str("fi"),
            '\u{fb02}' => out.push_str("fl"),
            '\u{fb03}' => out.push_str("ffi"),
            '\u{fb04}' => out.push_str("ffl"),
            '\u{fb05}' | '\u{fb06}' => out.push_str("st"),
            '\n' | '\u{2028}' | '\u{2029}' => out.push('\n'),
            '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => out.push(' '),
            '\t' => out.push('\t'),
            // The bullet of the Symbol font, a private-use character in office files.
            '\u{f0b7}' => out.push('•'),
            '\u{ad}'
            | '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}' => {}
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}
