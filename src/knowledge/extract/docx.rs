//! Word documents, read by `undoc`. The archive is checked first: unpacked size and depth of XML.

use std::io::{BufReader, Cursor, Read};

use undoc::model::{self, Paragraph, RevisionType, Table};

use super::{BlockKind, ExtractError, Extracted, Kind, Limits, builder::Builder};

/// A document with more parts than this is made to hurt.
const MOST_PARTS: usize = 10_000;

pub(super) fn extract(bytes: &[u8], limits: &Limits) -> Result<Extracted, ExtractError> {
    check_archive(bytes, limits)?;
    let document = undoc::parse_bytes(bytes).map_err(|error| match error {
        undoc::Error::Encrypted => ExtractError::Encrypted,
        other => ExtractError::malformed(other),
    })?;
    let mut builder = Builder::new(limits);
    if let Some(title) = &document.metadata.title {
        builder.title(title);
    }
    let blocks = || document.sections.iter().flat_map(|section| &section.content);
    let is_title = |block: &model::Block| matches!(block, model::Block::Paragraph(p) if has_title_style(p));
    let mut reader = Reader { builder, list: String::new(), titled: blocks().any(is_title) };
    for block in blocks() {
        reader.append(block)?;
    }
    reader.flush_list()?;
    reader.builder.finish(Kind::Docx, None)
}

/// Inflates every part once, counting: sizes in the archive's directory are only claims.
fn check_archive(bytes: &[u8], limits: &Limits) -> Result<(), ExtractError> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(ExtractError::malformed)?;
    if archive.len() > MOST_PARTS {
        return Err(ExtractError::malformed(format!("more than {MOST_PARTS} parts")));
    }
    let mut left = limits.unpacked_bytes;
    for index in 0..archive.len() {
        let part = archive.by_index(index).map_err(|error| match error {
            zip::result::ZipError::UnsupportedArchive(zip::result::ZipError::PASSWORD_REQUIRED) => {
                ExtractError::Encrypted
            }
            other => ExtractError::malformed(other),
        })?;
        let is_xml = part.name().is_ok_and(|name| name.ends_with(".xml") || name.ends_with(".rels"));
        let mut counted = part.take(left + 1);
        if is_xml {
            check_depth(&mut counted, limits.depth)?;
        }
        std::io::copy(&mut counted, &mut std::io::sink()).map_err(ExtractError::malformed)?;
        if counted.limit() == 0 {
            return Err(ExtractError::TooLargeOutput { limit: limits.unpacked_bytes });
        }
        left = counted.limit() - 1;
    }
    Ok(())
}

fn check_depth(part: &mut impl Read, most: usize) -> Result<(), ExtractError> {
    use quick_xml::events::Event;
    let mut reader = quick_xml::Reader::from_reader(BufReader::new(part));
    reader.config_mut().check_end_names = false;
    let (mut depth, mut buffer) = (0usize, Vec::new());
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer) {
            Ok(Event::Start(_)) => depth += 1,
            Ok(Event::End(_)) => depth = depth.saturating_sub(1),
            // Whether broken XML matters is for the real parser to say: it may be a part that nobody reads.
            Ok(Event::Eof) | Err(_) => return Ok(()),
            Ok(_) => {}
        }
        if depth > most {
            return Err(ExtractError::malformed(format!("elements are nested more than {most} deep")));
        }
    }
}

struct Reader {
    builder: Builder,
    /// Neighbouring items, which Word keeps as separate paragraphs.
    list: String,
    /// The document has a paragraph of the style "Title", which stands above "Heading 1".
    titled: bool,
}

impl Reader {
    fn append(&mut self, block: &model::Block) -> Result<(), ExtractError> {
        if let model::Block::Paragraph(paragraph) = block
            && let Some(item) = list_item(paragraph)
        {
            self.list.push_str(&item);
            self.list.push('\n');
            return Ok(());
        }
        self.flush_list()?;
        match block {
            model::Block::Paragraph(paragraph) => {
                let text = text_of(paragraph);
                match paragraph.heading.level() {
                    _ if has_title_style(paragraph) => self.builder.heading(1, &text),
                    0 => self.builder.paragraph(&text),
                    level => self.builder.heading((level + u8::from(self.titled)).min(6), &text),
                }
            }
            model::Block::Table(table) => self.builder.lines(BlockKind::Table, &rows(table)),
            model::Block::Note { label, content } => {
                let text: Vec<String> = content.iter().map(text_of).collect();
                self.builder.paragraph(&format!("[{label}] {}", text.join(" ")))
            }
            model::Block::PageBreak | model::Block::SectionBreak | model::Block::Image { .. } => Ok(()),
        }
    }

    fn flush_list(&mut self) -> Result<(), ExtractError> {
        self.builder.lines(BlockKind::List, &std::mem::take(&mut self.list))
    }
}

fn has_title_style(paragraph: &Paragraph) -> bool {
    paragraph.style_name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case("title"))
}

fn list_item(paragraph: &Paragraph) -> Option<String> {
    let text = text_of(paragraph);
    let Some(info) = &paragraph.list_info else {
        // Word's own list styles carry the numbering in the style, which undoc does not look up.
        let style = paragraph.style_name.as_deref().unwrap_or_default().to_ascii_lowercase();
        let is_list = style.starts_with("list bullet") || style.starts_with("list number");
        return (is_list && !text.trim().is_empty())
            .then(|| format!("- {}", text.split_whitespace().collect::<Vec<_>>().join(" ")));
    };
    if paragraph.is_heading() || text.trim().is_empty() {
        return None;
    }
    let marker = info.number.map_or_else(|| "-".to_owned(), |number| format!("{number}."));
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    Some(format!("{}{marker} {text}", "  ".repeat(usize::from(info.level))))
}

/// Without what tracked changes have deleted.
fn text_of(paragraph: &Paragraph) -> String {
    let mut out = String::new();
    for run in paragraph.runs.iter().filter(|run| run.revision != RevisionType::Deleted) {
        out.push_str(&run.text);
        if let Some(label) = &run.note {
            out.extend(["[", label, "]"]);
        }
        if run.line_break || run.page_break {
            out.push('\n');
        }
    }
    out
}

fn rows(table: &Table) -> String {
    let mut out = String::new();
    for row in &table.rows {
        let cells: Vec<String> = row.cells.iter().map(cell_text).collect();
        out.push_str(cells.join(" | ").trim());
        out.push('\n');
    }
    out
}

/// A table within a cell becomes part of the cell's line. The depth is bounded by `check_depth`.
fn cell_text(cell: &model::Cell) -> String {
    let mut words: Vec<String> = cell.content.iter().map(text_of).collect();
    words.extend(cell.nested_tables.iter().map(rows));
    words.iter().flat_map(|text| text.split_whitespace()).collect::<Vec<_>>().join(" ")
}
