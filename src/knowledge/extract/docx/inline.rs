//! The text of a paragraph: runs, links, tracked changes, formulas.

use super::super::{
    ExtractError, LeftOutKind,
    formula::{lowered, raised},
    link::address_elsewhere,
};
use super::{
    math,
    reader::{Piece, Reader, flatten, is_properties},
    styles::Look,
    symbols,
    xml::{Element, Ns},
};

/// A line of text under construction.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent flags")]
pub(super) struct Line {
    pub(super) text: String,
    /// Content to place after the paragraph: text boxes, notes, charts.
    pub(super) after: Vec<Piece>,
    /// The look from the paragraph's style.
    pub(super) look: Look,
    /// Has a background other than the page's.
    pub(super) shaded: bool,
    /// Becomes a heading: link addresses are placed after it.
    pub(super) heading: bool,
    /// End position of struck text, if that was written last.
    pub(super) struck: Option<usize>,
    /// Contains a page number field.
    pub(super) page_number: bool,
    /// Insert a space before the next text.
    pub(super) apart: bool,
}

impl Line {
    pub(super) fn push(&mut self, text: &str) {
        if std::mem::take(&mut self.apart) && text.starts_with(char::is_alphanumeric) {
            self.text.push(' ');
        }
        self.text.push_str(text);
    }

    /// Marks the text since `start` as struck out, because it is no longer valid.
    fn strike(&mut self, start: usize) {
        let Some(text) = self.text.get(start..).filter(|text| !text.trim().is_empty()) else { return };
        let (text, after) = text.split_at(text.trim_end().len());
        let (text, after) = (text.to_owned(), after.to_owned());
        self.text.truncate(start);
        if self.struck == Some(start) && self.text.ends_with("~~") {
            self.text.truncate(start - 2);
            self.text.push_str(&text);
        } else {
            let trimmed = text.trim_start();
            self.text.push_str(&text[..text.len() - trimmed.len()]);
            self.text.extend(["~~", trimmed]);
        }
        self.text.push_str("~~");
        self.struck = after.is_empty().then_some(self.text.len());
        self.text.push_str(&after);
    }

    pub(super) fn push_word(&mut self, text: &str) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        if self.text.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '=' | ':' | ',' | ';')) {
            self.text.push(' ');
        }
        self.text.push_str(text);
        self.apart = true;
    }
}

impl Reader<'_, '_> {
    pub(super) fn inline(&mut self, element: &Element, line: &mut Line) -> Result<(), ExtractError> {
        let name = &*element.name;
        match name {
            "r" if element.ns != Ns::Math => self.run(element, line),
            "oMath" | "oMathPara" => {
                if self.is_shown() {
                    line.push_word(&math::linear(element));
                }
                Ok(())
            }
            "del" | "moveFrom" => {
                self.leave_out(LeftOutKind::Revision, &element.plain_text());
                Ok(())
            }
            "sdt" => self.control(element, line),
            "hyperlink" => self.link(element, line),
            "AlternateContent" => match self.alternative(element) {
                Some(branch) => self.inlines(branch, line),
                None => Ok(()),
            },
            "fldSimple" => self.simple_field(element, line),
            "ruby" => {
                let mut above = Line::default();
                if let Some(base) = element.child("rubyBase") {
                    self.inlines(base, line)?;
                }
                if let Some(text) = element.child("rt") {
                    self.inlines(text, &mut above)?;
                }
                if !above.text.trim().is_empty() {
                    line.push(&format!("({})", above.text.trim()));
                }
                Ok(())
            }
            "p" | "tbl" | "txbxContent" => {
                // A block element where only inline content is allowed.
                let mut pieces = Vec::new();
                let wrapper = element;
                self.blocks(wrapper, &mut pieces)?;
                let text = flatten(pieces, self.limits, &mut line.after);
                line.push_word(&text);
                Ok(())
            }
            _ if is_properties(name) || name == "ffData" => Ok(()),
            _ => self.in_run(element, line),
        }
    }

    pub(super) fn inlines(&mut self, parent: &Element, line: &mut Line) -> Result<(), ExtractError> {
        parent.elements().try_for_each(|element| self.inline(element, line))
    }

    fn run(&mut self, run: &Element, line: &mut Line) -> Result<(), ExtractError> {
        let properties = run.child("rPr");
        if self.is_unseen(properties, line) {
            // Still process the fields that begin or end here.
            let mut unseen = Line::default();
            run.elements().try_for_each(|element| self.inline(element, &mut unseen))?;
            self.leave_out(LeftOutKind::Hidden, &unseen.text);
            return Ok(());
        }
        let start = line.text.len();
        self.shown_run(run, line)?;
        if self.is_struck(properties, line) {
            line.strike(start);
        }
        Ok(())
    }

    fn shown_run(&mut self, run: &Element, line: &mut Line) -> Result<(), ExtractError> {
        let script = run.child("rPr").and_then(|p| p.child_value("vertAlign"));
        let Some(script) = script.filter(|script| matches!(*script, "superscript" | "subscript")) else {
            return self.inlines(run, line);
        };
        let mut inner = Line { page_number: line.page_number, ..Line::default() };
        for field in &mut self.fields {
            field.start = field.start.min(line.text.len());
        }
        self.inlines(run, &mut inner)?;
        let before = line.text.chars().next_back();
        let text = if script == "superscript" { raised(before, &inner.text) } else { lowered(before, &inner.text) };
        line.push(&text);
        line.page_number = inner.page_number;
        line.after.append(&mut inner.after);
        Ok(())
    }

    /// Writes a link's address after its text, once per destination.
    fn link(&mut self, link: &Element, out: &mut Line) -> Result<(), ExtractError> {
        let start = out.text.len();
        self.inlines(link, out)?;
        let id = link.relation("id");
        let target = self.relations.iter().find(|r| r.kind == "hyperlink" && Some(r.id.as_str()) == id);
        if let Some(target) = target.map(|relation| relation.target.clone()) {
            let anchor = link.attribute("anchor").map(|anchor| format!("#{anchor}")).unwrap_or_default();
            self.write_link(&(target + &anchor), start, out);
        }
        Ok(())
    }

    pub(super) fn write_link(&mut self, destination: &str, start: usize, line: &mut Line) {
        if !self.is_shown() {
            return;
        }
        let text = line.text.get(start..).unwrap_or_default().trim().to_owned();
        let address = address_elsewhere(destination, &text);
        if address.is_empty() || !self.seen_links.insert(address.clone()) {
            return;
        }
        if line.heading {
            line.after.push(Piece::Paragraph(format!("{text} ({address})")));
        } else {
            let trailing = line.text.len() - line.text.trim_end().len();
            let end = line.text.split_off(line.text.len() - trailing);
            line.text.extend([" (", &address, ")", &end]);
            line.apart = end.is_empty();
        }
    }

    fn in_run(&mut self, element: &Element, line: &mut Line) -> Result<(), ExtractError> {
        match &*element.name {
            "t" => self.write_text(&element.own_text(), line),
            "delText" => self.leave_out(LeftOutKind::Revision, &element.own_text()),
            "instrText" => self.instruction(&element.own_text()),
            "tab" | "ptab" => self.write_text("\t", line),
            "br" | "cr" => self.write_text("\n", line),
            "noBreakHyphen" => self.write_text("-", line),
            "sym" => self.symbol(element.attribute("char"), element.attribute("font"), line),
            "fldChar" => self.field(element, line),
            "footnoteReference" | "endnoteReference" => self.note(element, line)?,
            "commentReference" => self.comment(element.attribute("id").unwrap_or_default(), line)?,
            "drawing" | "pict" | "object" => self.drawing(element, line)?,
            "softHyphen"
            | "delInstrText"
            | "footnoteRef"
            | "endnoteRef"
            | "annotationRef"
            | "pgNum"
            | "separator"
            | "continuationSeparator" => {}
            _ => self.inlines(element, line)?,
        }
        Ok(())
    }

    pub(super) fn write_text(&self, text: &str, line: &mut Line) {
        if self.is_shown() {
            line.push(text);
        }
    }

    pub(super) fn symbol(&mut self, code: Option<&str>, font: Option<&str>, line: &mut Line) {
        let Some(code) = code.and_then(|code| u32::from_str_radix(code, 16).ok()) else { return };
        match symbols::text(code, font.unwrap_or_default()) {
            Some(text) => self.write_text(&text, line),
            // A pictogram of a symbol font.
            None if self.is_shown() => self.found.images_without_text += 1,
            None => {}
        }
    }
}
