//! Markdown (`CommonMark` with GitHub's tables, task lists, footnotes, alerts and math) to blocks.
//!
//! Keeps all visible text, and the destinations of links and images after their text. Comments are left out and
//! reported.

mod front_matter;
mod inline;
mod lines;
mod tags;

use std::ops::Range;

use pulldown_cmark::{BlockQuoteKind, CodeBlockKind, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd};

use self::tags::Tags;
use super::{
    BlockKind, ExtractError, Extracted, Kind, LeftOutKind, Limits,
    builder::Builder,
    decode::{decode_or_guess, tidy},
    html,
    table::{Cell, Table},
};

pub(super) fn extract(bytes: &[u8], limits: &Limits) -> Result<Extracted, ExtractError> {
    let decoded = decode_or_guess(bytes, None);
    let mut builder = Builder::new(limits);
    append(&mut builder, &tidy(&decoded.text), limits)?;
    builder.report().guessed_encoding = decoded.guessed;
    Ok(builder.finish(Kind::Markdown, None))
}

pub(super) fn append(builder: &mut Builder, text: &str, limits: &Limits) -> Result<(), ExtractError> {
    let mut text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Some(found) = front_matter::find(text) {
        if let Some(title) = &found.title {
            builder.title(title);
        }
        // Front matter is searchable: authors, dates, tags, versions.
        builder.lines(BlockKind::Paragraph, found.lines)?;
        text = &text[found.end..];
    }
    // The parser's metadata blocks stay off: it accepts them anywhere, so text between two rules would be lost.
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_MATH
        | Options::ENABLE_GFM;
    let parser = Parser::new_ext(text, options);
    let definitions: Vec<Definition> = parser
        .reference_definitions()
        .iter()
        .map(|(label, link)| Definition {
            label: label.to_owned(),
            destination: link.dest.to_string(),
            title: link.title.as_deref().unwrap_or_default().to_owned(),
            start: link.span.start,
        })
        .collect();
    let mut state = State::new(builder, limits, text);
    for (event, range) in parser.into_offset_iter() {
        state.event(event, range)?;
    }
    state.finish(definitions)
}

/// `[label]: destination "title"`
struct Definition {
    label: String,
    destination: String,
    title: String,
    start: usize,
}

/// The context of the following characters.
#[derive(Clone, Copy, PartialEq)]
enum Within {
    Text,
    Heading,
    Code,
    Cell,
}

/// A link, image or element with text to write after it.
struct Link {
    /// Start of its text in the buffer.
    start: usize,
    destination: String,
    title: String,
    /// Element name, `""` for a Markdown link, `"!"` for a Markdown image.
    element: String,
}

struct State<'a> {
    builder: &'a mut Builder,
    limits: &'a Limits,
    source: &'a str,
    tags: Tags,
    buffer: String,
    /// One entry per open list: the next number, or `None` for bullets. While there are any, all text is one block.
    lists: Vec<Option<u64>>,
    within: Within,
    /// The current paragraph, heading or cell.
    span: Range<usize>,
    /// The buffer's length after a marker that has no text yet.
    marker: Option<usize>,
    /// The next list content starts on a new line.
    new_line: bool,
    links: Vec<Link>,
    destinations: std::collections::HashSet<String>,
    /// Destinations of links in a heading. Written below it, since a heading is repeated with each chunk.
    aside: Vec<String>,
    table: Table,
    row: Vec<Cell>,
    /// End of the last cell: parsers drop cells beyond the last column, we keep them.
    cell_end: usize,
    /// The current HTML block, and an HTML table that continues after an empty line, with Markdown in it.
    html: String,
    open_table: String,
    in_table: Vec<Event<'a>>,
    open_tables: usize,
}

impl<'a> State<'a> {
    fn new(builder: &'a mut Builder, limits: &'a Limits, source: &'a str) -> Self {
        State {
            builder,
            limits,
            source,
            tags: Tags::of(source),
            buffer: String::new(),
            lists: Vec::new(),
            within: Within::Text,
            span: 0..0,
            marker: None,
            new_line: false,
            links: Vec::new(),
            destinations: std::collections::HashSet::new(),
            aside: Vec::new(),
            table: Table::default(),
            row: Vec::new(),
            cell_end: 0,
            html: String::new(),
            open_table: String::new(),
            in_table: Vec::new(),
            open_tables: 0,
        }
    }

    fn event(&mut self, event: Event<'a>, range: Range<usize>) -> Result<(), ExtractError> {
        let is_block = matches!(event, Event::Html(_) | Event::Start(Tag::HtmlBlock) | Event::End(TagEnd::HtmlBlock));
        if !self.open_table.is_empty() && !is_block {
            let event = self.literal(event, &range);
            self.in_table.push(event);
            return Ok(());
        }
        match event {
            Event::Start(tag) => self.start(tag, range)?,
            Event::End(tag) => self.end(tag, &range)?,
            Event::Text(text) if self.within == Within::Code => self.code(&text),
            Event::Text(text) | Event::Code(text) => self.push(&text),
            Event::InlineMath(text) => self.push(&format!("${text}$")),
            Event::DisplayMath(text) => self.push(&format!("$${text}$$")),
            Event::Html(text) => self.html.push_str(&text),
            Event::InlineHtml(text) => self.inline_html(&text, range.start),
            // Rows of an unsupported table syntax keep their lines.
            Event::SoftBreak if self.source[range.end..].trim_start_matches([' ', '>']).starts_with(['|', '+']) => {
                self.line_break();
            }
            Event::SoftBreak => self.push(" "),
            Event::HardBreak => self.line_break(),
            Event::FootnoteReference(label) => self.push(&format!("[{label}]")),
            Event::TaskListMarker(done) => self.push(if done { "[x] " } else { "[ ] " }),
            Event::Rule => {}
        }
        Ok(())
    }

    fn start(&mut self, tag: Tag<'a>, range: Range<usize>) -> Result<(), ExtractError> {
        match tag {
            Tag::Paragraph => {
                self.span = range;
                self.begin()?;
            }
            Tag::Heading { .. } => {
                self.span = range;
                self.begin()?;
                self.within = Within::Heading;
            }
            Tag::BlockQuote(kind) => {
                self.begin()?;
                if let Some(kind) = kind {
                    self.mark(alert(kind));
                }
            }
            Tag::FootnoteDefinition(label) => {
                self.begin()?;
                self.mark(&format!("[{label}] "));
            }
            Tag::CodeBlock(kind) => {
                self.begin()?;
                self.within = Within::Code;
                // A bare language name is only for highlighting; anything more names a file or a code chunk.
                if let CodeBlockKind::Fenced(info) = kind
                    && info.contains(|c: char| !c.is_alphanumeric() && !"+#-_".contains(c))
                {
                    self.code(&format!("{info}\n"));
                }
            }
            Tag::Table(_) => {
                self.flush()?;
                self.table = Table::default();
            }
            Tag::TableHead | Tag::TableRow => {
                self.row.clear();
                self.cell_end = range.start;
            }
            Tag::TableCell => {
                self.span = range;
                self.within = Within::Cell;
            }
            Tag::HtmlBlock => self.flush()?,
            Tag::List(first) => {
                if self.lists.is_empty() {
                    self.flush()?;
                }
                self.lists.push(first);
            }
            Tag::Item => {
                self.span = range.clone();
                self.item(range.start);
            }
            Tag::Emphasis | Tag::Strong | Tag::Strikethrough => self.emphasis(&range, true),
            Tag::Link { link_type: LinkType::Autolink | LinkType::Email, .. } => {
                self.open(String::new(), String::new(), "");
            }
            Tag::Link { dest_url, title, .. } => self.open(dest_url.to_string(), title.to_string(), ""),
            Tag::Image { dest_url, title, .. } => self.open(dest_url.to_string(), title.to_string(), "!"),
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, tag: TagEnd, range: &Range<usize>) -> Result<(), ExtractError> {
        match tag {
            TagEnd::Heading(level) => self.end_heading(number(level))?,
            TagEnd::Paragraph if self.lists.is_empty() => self.flush()?,
            TagEnd::Paragraph | TagEnd::BlockQuote(_) | TagEnd::FootnoteDefinition | TagEnd::Item => {
                self.new_line = true;
            }
            TagEnd::CodeBlock => {
                self.within = Within::Text;
                if self.lists.is_empty() {
                    let text = std::mem::take(&mut self.buffer);
                    self.marker = None;
                    self.builder.lines(BlockKind::Code, &text)?;
                } else {
                    self.new_line = true;
                }
            }
            TagEnd::TableCell => {
                self.within = Within::Text;
                self.row.push(Cell::new(std::mem::take(&mut self.buffer)));
                self.cell_end = range.end;
            }
            TagEnd::TableHead | TagEnd::TableRow => {
                self.row_behind_last_column(range.end);
                self.table.header_rows += usize::from(tag == TagEnd::TableHead);
                self.table.row(self.row.drain(..));
            }
            TagEnd::Table => self.builder.table(&std::mem::take(&mut self.table))?,
            TagEnd::List(_) => {
                self.lists.pop();
                self.new_line = true;
                if self.lists.is_empty() {
                    self.flush_list()?;
                }
            }
            TagEnd::HtmlBlock => self.end_html(range.start)?,
            TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough => self.emphasis(range, false),
            TagEnd::Link => self.close(""),
            TagEnd::Image => self.close("!"),
            _ => {}
        }
        Ok(())
    }

    fn end_heading(&mut self, level: u8) -> Result<(), ExtractError> {
        self.within = Within::Text;
        if !self.lists.is_empty() {
            self.new_line = true;
            return Ok(());
        }
        let text = std::mem::take(&mut self.buffer);
        self.marker = None;
        // The builder ignores a heading of symbols only, so it is kept as text.
        if text.chars().any(char::is_alphanumeric) {
            self.builder.heading(level, &text)?;
        } else {
            self.builder.paragraph(&text)?;
        }
        let aside = std::mem::take(&mut self.aside);
        self.builder.paragraph(&aside.join(", "))
    }

    /// Cells of a row beyond the table's columns, such as those of a bar in code.
    fn row_behind_last_column(&mut self, end: usize) {
        let rest = self.source.get(self.cell_end..end).unwrap_or_default().trim();
        let rest = rest.strip_prefix('|').unwrap_or(rest);
        let rest = rest.strip_suffix('|').unwrap_or(rest);
        if !rest.trim().is_empty() {
            self.row.extend(rest.split('|').map(|cell| Cell::new(cell.trim())));
        }
    }

    fn end_html(&mut self, at: usize) -> Result<(), ExtractError> {
        let block = std::mem::take(&mut self.html);
        let report = self.builder.report();
        let html =
            tags::only_elements(&block, at, &self.tags, |comment| report.leave_out(LeftOutKind::Comment, comment));
        let mut whole = std::mem::take(&mut self.open_table);
        pulldown_cmark::html::push_html(&mut whole, self.in_table.drain(..));
        whole.push_str(&html);
        let lower = html.to_ascii_lowercase();
        self.open_tables =
            (self.open_tables + lower.matches("<table").count()).saturating_sub(lower.matches("</table").count());
        if self.open_tables > 0 {
            self.open_table = whole;
            return Ok(());
        }
        html::append(self.builder, &whole, self.limits)
    }

    fn finish(mut self, mut definitions: Vec<Definition>) -> Result<(), ExtractError> {
        self.flush()?;
        if !self.open_table.is_empty() {
            // The table was never closed.
            let mut whole = std::mem::take(&mut self.open_table);
            pulldown_cmark::html::push_html(&mut whole, self.in_table.drain(..));
            html::append(self.builder, &whole, self.limits)?;
        }
        definitions.sort_by_key(|definition| definition.start);
        let mut unused = String::new();
        for Definition { label, destination, title, .. } in definitions {
            if matches!(destination.as_str(), "" | "#") {
                // `[//]: # (a comment)`
                self.builder.left_out(LeftOutKind::Comment, &title);
            } else if !self.destinations.contains(&destination) {
                let title = if title.is_empty() { title } else { format!(" ({title})") };
                unused.extend([&label, ": ", &destination, &title, "\n"].map(|part: &str| part));
            }
        }
        self.builder.lines(BlockKind::Paragraph, &unused)
    }
}

fn alert(kind: BlockQuoteKind) -> &'static str {
    match kind {
        BlockQuoteKind::Note => "Note: ",
        BlockQuoteKind::Tip => "Tip: ",
        BlockQuoteKind::Important => "Important: ",
        BlockQuoteKind::Warning => "Warning: ",
        BlockQuoteKind::Caution => "Caution: ",
    }
}

fn number(level: HeadingLevel) -> u8 {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        HeadingLevel::H3 => 3,
        HeadingLevel::H4 => 4,
        HeadingLevel::H5 => 5,
        HeadingLevel::H6 => 6,
    }
}
