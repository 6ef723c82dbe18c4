//! Converts the XML of a part into pieces: paragraphs, headings, list items, tables, and notes.

use std::collections::{HashMap, HashSet};

use super::super::{ExtractError, LeftOutKind, Limits, UnreadPart, UnreadWhat, table::Table};
use super::{
    bound::Data,
    fields::{Field, closed_fields},
    inline::Line,
    look::is_shaded,
    numbering::Numbering,
    package::{Package, Relation},
    styles::{self, Styles},
    xml::{Element, Ns},
};

/// A block before it goes to the builder.
pub(super) enum Piece {
    Heading(u8, String),
    Paragraph(String),
    Item(usize, String),
    Table(Table),
    /// A footnote or comment; placed after the list or table that refers to it.
    Note(String),
    /// An embedded HTML page.
    Html(String),
}

/// The notes of a document by id.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) footnotes: HashMap<String, Element>,
    pub(super) endnotes: HashMap<String, Element>,
    /// In file order, and their positions by id.
    pub(super) comments: Vec<Element>,
    pub(super) comment_places: HashMap<String, usize>,
}

/// Findings besides the text.
#[derive(Default)]
pub(super) struct Found {
    pub(super) images_without_text: u32,
    pub(super) form_fields: u32,
    pub(super) comments: u32,
    pub(super) left_out: Vec<(LeftOutKind, String)>,
    pub(super) unread: Vec<UnreadPart>,
}

pub(super) struct Reader<'a, 'p> {
    pub(super) package: &'a mut Package<'p>,
    pub(super) limits: &'a Limits,
    pub(super) styles: &'a Styles,
    pub(super) numbering: Numbering,
    pub(super) notes: &'a Notes,
    /// Relationships of the current part.
    pub(super) relations: Vec<Relation>,
    pub(super) found: Found,
    /// The document has a "Title" paragraph, which ranks above "Heading 1".
    pub(super) titled: bool,
    /// In a header or footer, where page numbers are dropped.
    pub(super) running: bool,
    /// The text is on the white page: not on a coloured cell, box, image or page background.
    pub(super) plain_ground: bool,
    pub(super) fields: Vec<Field>,
    /// Addresses of start marks of fields that are closed.
    pub(super) closed: HashSet<usize>,
    /// Text of a paragraph whose paragraph mark was deleted by a tracked change: it continues in the next one.
    carried: Option<String>,
    /// Numbers of footnotes and endnotes by id, in the order of their references.
    pub(super) seen_footnotes: HashMap<String, u64>,
    pub(super) seen_endnotes: HashMap<String, u64>,
    pub(super) seen_comments: HashSet<String>,
    /// Link destinations already written.
    pub(super) seen_links: HashSet<String>,
    /// Nesting depth of embedded documents.
    pub(super) depth: usize,
    /// Number formats of footnotes and endnotes.
    pub(super) note_formats: (String, String),
    /// Data for bound controls; loaded on first use.
    pub(super) data: Option<Data>,
}

impl<'a, 'p> Reader<'a, 'p> {
    pub(super) fn new(package: &'a mut Package<'p>, limits: &'a Limits, styles: &'a Styles, notes: &'a Notes) -> Self {
        Self {
            package,
            limits,
            styles,
            numbering: Numbering::default(),
            notes,
            relations: Vec::new(),
            found: Found::default(),
            titled: false,
            running: false,
            plain_ground: true,
            fields: Vec::new(),
            closed: HashSet::new(),
            carried: None,
            seen_footnotes: HashMap::new(),
            seen_endnotes: HashMap::new(),
            seen_comments: HashSet::new(),
            seen_links: HashSet::new(),
            depth: 0,
            note_formats: ("decimal".to_owned(), "lowerRoman".to_owned()),
            data: None,
        }
    }

    /// The pieces of a part or note, which has its own field state.
    pub(super) fn story(&mut self, root: &Element) -> Result<Vec<Piece>, ExtractError> {
        let fields = std::mem::take(&mut self.fields);
        let carried = self.carried.take();
        closed_fields(root, &mut self.closed);
        let mut out = Vec::new();
        self.blocks(root, &mut out)?;
        self.end_carried(&mut out);
        (self.fields, self.carried) = (fields, carried);
        Ok(out)
    }

    /// Reads all block elements in `container`, including those inside wrapper elements.
    pub(super) fn blocks(&mut self, container: &Element, out: &mut Vec<Piece>) -> Result<(), ExtractError> {
        for element in container.elements() {
            self.block(element, out)?;
        }
        Ok(())
    }

    fn block(&mut self, element: &Element, out: &mut Vec<Piece>) -> Result<(), ExtractError> {
        let name = &*element.name;
        match name {
            "p" if element.ns != Ns::Drawing => self.paragraph(element, out),
            "tbl" => self.table(element, out),
            "del" | "moveFrom" => {
                self.leave_out(LeftOutKind::Revision, &element.plain_text());
                Ok(())
            }
            "AlternateContent" => match self.alternative(element) {
                Some(branch) => self.blocks(branch, out),
                None => Ok(()),
            },
            "altChunk" => self.inserted(element, out),
            "subDoc" => {
                self.found.unread.push(UnreadWhat::SubDocument.into());
                Ok(())
            }
            _ if is_properties(name) => Ok(()),
            "sdt" => {
                self.count_control(element);
                let mut pieces = Vec::new();
                if let Some(content) = element.child("sdtContent") {
                    self.blocks(content, &mut pieces)?;
                }
                self.show_bound_block(element, &mut pieces)?;
                out.append(&mut pieces);
                Ok(())
            }
            // Formulas or runs outside of a paragraph are still text.
            "oMathPara" | "oMath" | "r" | "hyperlink" => {
                let mut line = Line::default();
                self.inline(element, &mut line)?;
                out.push(Piece::Paragraph(line.text));
                out.append(&mut line.after);
                Ok(())
            }
            _ => self.blocks(element, out),
        }
    }

    fn paragraph(&mut self, paragraph: &Element, out: &mut Vec<Piece>) -> Result<(), ExtractError> {
        let properties = paragraph.child("pPr");
        let style = properties.and_then(|p| p.child_value("pStyle"));
        let mut line = Line { text: self.carried.take().unwrap_or_default(), ..Line::default() };
        line.look = self.styles.look(style);
        line.shaded = properties.is_some_and(is_shaded) || self.styles.is_shaded(style);
        let outline = properties.and_then(|p| p.child_value("outlineLvl")).and_then(|level| level.parse::<u8>().ok());
        let heading = match outline {
            Some(level) => (level < 9).then_some(level + 1),
            None => self.styles.heading(style),
        };
        line.heading = heading.is_some() || self.styles.is_title(style);
        for field in &mut self.fields {
            field.start = 0;
        }
        for element in paragraph.elements() {
            self.inline(element, &mut line)?;
        }
        let mark = properties.and_then(|p| p.child("rPr"));
        if mark.is_some_and(|mark| mark.child("del").or_else(|| mark.child("moveFrom")).is_some()) {
            self.carried = Some(line.text);
            out.append(&mut line.after);
            return Ok(());
        }
        if self.running && line.page_number && !has_own_words(&line.text) {
            self.leave_out(LeftOutKind::PageNumber, &line.text);
            line.text.clear();
        }
        let item = self.item(properties, style);
        let is_blank = line.text.trim().is_empty();
        match (heading, item) {
            _ if is_blank => {}
            _ if self.styles.is_title(style) => out.push(Piece::Heading(1, line.text)),
            (Some(level), item) => {
                let label = item.map(|(_, label)| label).filter(|label| label != "-").unwrap_or_default();
                out.push(Piece::Heading((level + u8::from(self.titled)).min(6), format!("{label} {}", line.text)));
            }
            (None, Some((level, label))) => out.push(Piece::Item(level, format!("{label} {}", line.text))),
            (None, None) => out.push(Piece::Paragraph(line.text)),
        }
        out.append(&mut line.after);
        Ok(())
    }

    /// The list level and label of a paragraph; empty paragraphs are counted too.
    fn item(&mut self, properties: Option<&Element>, style: Option<&str>) -> Option<(usize, String)> {
        let own = properties.and_then(|p| p.child("numPr")).map(styles::numbering);
        let inherited = self.styles.numbering(style);
        let (list, level) = match own {
            Some((Some(list), level)) => (Some(list), level),
            Some((None, level)) => (inherited.as_ref().map(|(list, _)| list.clone()), level),
            None => {
                (inherited.as_ref().map(|(list, _)| list.clone()), inherited.as_ref().and_then(|(_, level)| *level))
            }
        };
        let list = list.filter(|list| list != "0");
        if let Some(list) = &list {
            let level = level.or_else(|| self.numbering.level_of_style(list, self.styles.ids(style))).unwrap_or(0);
            if let Some(item) = self.numbering.next(list, level) {
                return Some((item.level, item.label));
            }
        }
        // The list's definition is missing.
        let own_list = properties.and_then(|p| p.child("numPr")).is_some() && list.is_some();
        (own_list || own_is_none(properties) && self.styles.is_list(style))
            .then(|| (level.unwrap_or(0).min(8), "-".to_owned()))
    }

    fn end_carried(&mut self, out: &mut Vec<Piece>) {
        if let Some(text) = self.carried.take().filter(|text| !text.trim().is_empty()) {
            out.push(Piece::Paragraph(text));
        }
    }

    /// The first non-empty branch of an alternative.
    pub(super) fn alternative<'e>(&mut self, element: &'e Element) -> Option<&'e Element> {
        let says = |branch: &&Element| !branch.plain_text().trim().is_empty();
        let mut branches = element.elements().filter(|e| matches!(&*e.name, "Choice" | "Fallback"));
        let all: Vec<&Element> = branches.by_ref().collect();
        let chosen = all.iter().copied().find(says).or_else(|| all.first().copied())?;
        let text = chosen.plain_text();
        for other in all.iter().filter(|other| !std::ptr::eq(**other, chosen)) {
            let other = other.plain_text();
            if squeeze(&other) != squeeze(&text) {
                self.leave_out(LeftOutKind::Duplicate, &other);
            }
        }
        Some(chosen)
    }

    pub(super) fn leave_out(&mut self, kind: LeftOutKind, text: &str) {
        if !text.trim().is_empty() {
            self.found.left_out.push((kind, text.to_owned()));
        }
    }

    /// Counts filled form fields.
    pub(super) fn count_control(&mut self, control: &Element) {
        let Some(properties) = control.child("sdtPr") else { return };
        let is_field = ["text", "dropDownList", "comboBox", "date", "checkbox"];
        let is_field = is_field.iter().any(|name| properties.child(name).is_some());
        if is_field && properties.toggle("showingPlcHdr") != Some(true) {
            self.found.form_fields += 1;
        }
    }
}

fn own_is_none(properties: Option<&Element>) -> bool {
    properties.and_then(|p| p.child("numPr")).is_none()
}

/// Formatting elements.
pub(super) fn is_properties(name: &str) -> bool {
    (name.ends_with("Pr") && !matches!(name, "sdtContentPr")) || matches!(name, "sdtEndPr" | "tblGrid" | "fldData")
}

fn squeeze(text: &str) -> String {
    text.split_whitespace().collect()
}

/// Words that mean nothing without the page number; any other word may be worth searching for.
const PAGE_WORDS: [&str; 24] = [
    "page",
    "pages",
    "pg",
    "p",
    "of",
    "seite",
    "s",
    "von",
    "страница",
    "стр",
    "с",
    "из",
    "лист",
    "листов",
    "página",
    "pagina",
    "de",
    "di",
    "van",
    "strona",
    "str",
    "z",
    "sivu",
    "sida",
];

fn has_own_words(text: &str) -> bool {
    let mut words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.any(|word| !PAGE_WORDS.contains(&word.to_lowercase().as_str()))
}

/// The text of pieces for a cell, in one line; notes go to `notes`, to be placed after the table.
pub(super) fn flatten(pieces: Vec<Piece>, limits: &Limits, notes: &mut Vec<Piece>) -> String {
    let mut words: Vec<String> = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Heading(_, text) | Piece::Paragraph(text) | Piece::Item(_, text) => words.push(text),
            Piece::Table(table) => words.push(one_line(&table)),
            Piece::Note(_) => notes.push(piece),
            Piece::Html(html) => words.push(super::html_text(&html, limits)),
        }
    }
    words.retain(|text| !text.trim().is_empty());
    words.join(" ")
}

/// A nested table in one line: its cells must not look like cells of the outer table.
fn one_line(table: &Table) -> String {
    table.lines().0.iter().map(|line| line.replace(" | ", ", ")).collect::<Vec<_>>().join("; ")
}
