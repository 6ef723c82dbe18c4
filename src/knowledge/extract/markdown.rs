//! Markdown (`CommonMark` with GitHub's tables and YAML front matter) to blocks.

use pulldown_cmark::{Event, HeadingLevel, MetadataBlockKind, Options, Parser, Tag, TagEnd};

use super::{
    BlockKind, ExtractError, Extracted, Kind, Limits,
    builder::{Builder, start_item},
    decode::decode,
    html,
};

pub(super) fn extract(bytes: &[u8], limits: &Limits) -> Result<Extracted, ExtractError> {
    let text = decode(bytes, None);
    let mut builder = Builder::new(limits);
    append(&mut builder, &text, limits)?;
    builder.finish(Kind::Markdown, None)
}

fn append(builder: &mut Builder, text: &str, limits: &Limits) -> Result<(), ExtractError> {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
    let mut state = State { builder, limits, buffer: String::new(), lists: Vec::new(), within: Within::Text };
    for event in Parser::new_ext(text, options) {
        state.event(event)?;
    }
    state.flush_paragraph()
}

/// What the characters that come now belong to.
#[derive(PartialEq)]
enum Within {
    Text,
    Code,
    Table,
    Metadata,
    Html,
}

struct State<'a> {
    builder: &'a mut Builder,
    limits: &'a Limits,
    buffer: String,
    /// One entry for each open list: the next number, or `None` for bullets. While any is open, all text is one block.
    lists: Vec<Option<u64>>,
    within: Within,
}

impl State<'_> {
    fn event(&mut self, event: Event<'_>) -> Result<(), ExtractError> {
        match event {
            Event::Start(tag) => self.start(&tag)?,
            Event::End(tag) => self.end(tag)?,
            Event::Text(text)
            | Event::Code(text)
            | Event::Html(text)
            | Event::InlineMath(text)
            | Event::DisplayMath(text) => self.buffer.push_str(&text),
            Event::InlineHtml(tag) if is_line_break(&tag) => self.buffer.push(' '),
            Event::InlineHtml(_) | Event::Rule => {}
            // A space even for a hard break: within a list or a table a line is an item or a row.
            Event::SoftBreak | Event::HardBreak => self.buffer.push(' '),
            Event::FootnoteReference(label) => self.buffer.extend(["[", &label, "]"]),
            Event::TaskListMarker(done) => self.buffer.push_str(if done { "[x] " } else { "[ ] " }),
        }
        Ok(())
    }

    fn start(&mut self, tag: &Tag<'_>) -> Result<(), ExtractError> {
        match tag {
            Tag::Heading { .. } | Tag::Paragraph if self.lists.is_empty() => self.flush_paragraph()?,
            Tag::CodeBlock(_) if self.lists.is_empty() => {
                self.flush_paragraph()?;
                self.within = Within::Code;
            }
            // The second paragraph of a list item, or the code in it.
            Tag::Paragraph | Tag::CodeBlock(_) if !self.buffer.ends_with([' ', '\n']) => self.buffer.push(' '),
            Tag::Table(_) if self.lists.is_empty() => {
                self.flush_paragraph()?;
                self.within = Within::Table;
            }
            Tag::MetadataBlock(_) => self.within = Within::Metadata,
            Tag::HtmlBlock if self.lists.is_empty() => {
                self.flush_paragraph()?;
                self.within = Within::Html;
            }
            Tag::List(first) => {
                if self.lists.is_empty() {
                    self.flush_paragraph()?;
                }
                self.lists.push(*first);
            }
            Tag::Item => start_item(&mut self.buffer, &mut self.lists),
            Tag::FootnoteDefinition(label) => {
                self.flush_paragraph()?;
                self.buffer.extend(["[", label, "] "]);
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, tag: TagEnd) -> Result<(), ExtractError> {
        match tag {
            TagEnd::Heading(level) if self.lists.is_empty() => {
                let text = std::mem::take(&mut self.buffer);
                self.builder.heading(number(level), &text)?;
            }
            TagEnd::Paragraph if self.lists.is_empty() => self.flush_paragraph()?,
            TagEnd::CodeBlock if self.within == Within::Code => self.flush_lines(BlockKind::Code)?,
            TagEnd::TableCell => self.buffer.push_str(" | "),
            TagEnd::TableRow | TagEnd::TableHead => {
                let row = self.buffer.trim_end_matches([' ', '|']).len();
                self.buffer.truncate(row);
                self.buffer.push('\n');
            }
            TagEnd::Table if self.within == Within::Table => self.flush_lines(BlockKind::Table)?,
            TagEnd::List(_) => {
                self.lists.pop();
                if self.lists.is_empty() {
                    self.flush_lines(BlockKind::List)?;
                }
            }
            TagEnd::MetadataBlock(kind) => {
                let text = std::mem::take(&mut self.buffer);
                self.within = Within::Text;
                if kind == MetadataBlockKind::YamlStyle {
                    self.front_matter(&text);
                }
            }
            TagEnd::HtmlBlock if self.within == Within::Html => {
                let text = std::mem::take(&mut self.buffer);
                self.within = Within::Text;
                html::append(self.builder, &text, self.limits)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Only the title matters, and for that a YAML parser would be too much.
    fn front_matter(&mut self, text: &str) {
        if let Some(title) = text.lines().find_map(|line| line.strip_prefix("title:")) {
            self.builder.title(title.trim().trim_matches(['"', '\'']));
        }
    }

    fn flush_paragraph(&mut self) -> Result<(), ExtractError> {
        let text = std::mem::take(&mut self.buffer);
        self.builder.paragraph(&text)
    }

    fn flush_lines(&mut self, kind: BlockKind) -> Result<(), ExtractError> {
        let text = std::mem::take(&mut self.buffer);
        self.within = Within::Text;
        self.builder.lines(kind, &text)
    }
}

fn is_line_break(tag: &str) -> bool {
    tag.trim_start_matches('<').to_ascii_lowercase().starts_with("br")
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
