//! The text of a paragraph: runs, fields, tracked changes, formulas, references to notes.

use std::collections::HashSet;

use super::super::{
    ExtractError, LeftOutKind,
    formula::{lowered, raised},
    link::address_elsewhere,
    numbers::number_in,
};
use super::{
    math,
    reader::{Piece, Reader, flatten, is_properties},
    symbols,
    xml::{Element, Ns},
};

/// A line of text that is being put together.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact about the line of its own")]
pub(super) struct Line {
    pub(super) text: String,
    /// What stands after the paragraph: text boxes, notes, charts.
    pub(super) after: Vec<Piece>,
    /// The paragraph's style hides its text.
    pub(super) hidden: bool,
    /// It becomes a heading: addresses of links stand behind it.
    pub(super) heading: bool,
    /// Where struck text ended, if that is the last thing.
    pub(super) struck: Option<usize>,
    /// It shows the number of its page.
    pub(super) page_number: bool,
    /// What comes next must not touch the word before.
    pub(super) apart: bool,
}

impl Line {
    fn push(&mut self, text: &str) {
        if std::mem::take(&mut self.apart) && text.starts_with(char::is_alphanumeric) {
            self.text.push(' ');
        }
        self.text.push_str(text);
    }

    /// Marks what has come since `start` as struck out: it does not hold any more.
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

    /// Text that is a word of its own.
    pub(super) fn push_apart(&mut self, text: &str) {
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

/// An open field: `{ PAGE }`, `{ HYPERLINK ... }`, a field of a form.
pub(super) struct Field {
    code: String,
    in_result: bool,
    /// Where its result begins in the line.
    pub(super) start: usize,
    /// A check box, or the chosen entry of a drop-down list.
    form: Option<String>,
    is_form: bool,
}

/// Notes the beginnings of fields that have an end: the others would swallow the rest of the document.
pub(super) fn closed_fields(root: &Element, closed: &mut HashSet<usize>) {
    let mut open: Vec<usize> = Vec::new();
    let mut stack = vec![root];
    while let Some(element) = stack.pop() {
        if matches!(&*element.name, "del" | "moveFrom" | "Fallback") {
            continue;
        }
        if &*element.name == "fldChar" {
            match element.attribute("fldCharType") {
                Some("begin") => open.push(address(element)),
                Some("end") => closed.extend(open.pop()),
                _ => {}
            }
        }
        stack.extend(element.elements().rev());
    }
}

fn address(element: &Element) -> usize {
    std::ptr::from_ref(element).addr()
}

impl Reader<'_, '_> {
    pub(super) fn inline(&mut self, element: &Element, line: &mut Line) -> Result<(), ExtractError> {
        let name = &*element.name;
        match name {
            "r" if element.ns != Ns::Math => self.run(element, line),
            "oMath" | "oMathPara" => {
                if self.is_shown() {
                    line.push_apart(&math::linear(element));
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
            "fldSimple" => {
                let code = element.attribute("instr").unwrap_or_default().to_owned();
                let form = element.child("ffData").and_then(form_value);
                let is_form = element.child("ffData").is_some();
                self.fields.push(Field { code, in_result: true, start: line.text.len(), form, is_form });
                self.inlines(element, line)?;
                self.end_field(line);
                Ok(())
            }
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
                // A block where only a line is allowed.
                let mut pieces = Vec::new();
                let wrapper = element;
                self.blocks(wrapper, &mut pieces)?;
                let text = flatten(pieces, self.limits, &mut line.after);
                line.push_apart(&text);
                Ok(())
            }
            _ if is_properties(name) || name == "ffData" => Ok(()),
            _ => self.in_run(element, line),
        }
    }

    fn inlines(&mut self, parent: &Element, line: &mut Line) -> Result<(), ExtractError> {
        parent.elements().try_for_each(|element| self.inline(element, line))
    }

    fn run(&mut self, run: &Element, line: &mut Line) -> Result<(), ExtractError> {
        let properties = run.child("rPr");
        let own = properties.and_then(|p| p.toggle("vanish"));
        let by_style = properties.and_then(|p| p.child_value("rStyle")).and_then(|style| self.styles.hides_run(style));
        if own.or(by_style).unwrap_or(line.hidden) {
            // Fields that begin or end here still do.
            let mut unseen = Line::default();
            run.elements().try_for_each(|element| self.inline(element, &mut unseen))?;
            self.leave_out(LeftOutKind::Hidden, &unseen.text);
            return Ok(());
        }
        let start = line.text.len();
        self.shown_run(run, line)?;
        let struck = properties.and_then(|p| p.toggle("strike").filter(|on| *on).or_else(|| p.toggle("dstrike")));
        if struck == Some(true) {
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

    /// Where a link leads stands behind its text, once for each destination.
    fn link(&mut self, link: &Element, out: &mut Line) -> Result<(), ExtractError> {
        let start = out.text.len();
        self.inlines(link, out)?;
        let id = link.relation("id");
        let target = self.relations.iter().find(|r| r.kind == "hyperlink" && Some(r.id.as_str()) == id);
        if let Some(target) = target.map(|relation| relation.target.clone()) {
            let anchor = link.attribute("anchor").map(|anchor| format!("#{anchor}")).unwrap_or_default();
            self.leads_to(&(target + &anchor), start, out);
        }
        Ok(())
    }

    fn leads_to(&mut self, destination: &str, start: usize, line: &mut Line) {
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
            "t" => self.say(&element.own_text(), line),
            "delText" => self.leave_out(LeftOutKind::Revision, &element.own_text()),
            "instrText" => {
                if let Some(field) = self.fields.last_mut().filter(|field| !field.in_result) {
                    field.code.push_str(&element.own_text());
                }
            }
            "tab" | "ptab" => self.say("\t", line),
            "br" | "cr" => self.say("\n", line),
            "noBreakHyphen" => self.say("-", line),
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

    /// Within a field only its result is shown.
    fn is_shown(&self) -> bool {
        self.fields.iter().all(|field| field.in_result)
    }

    fn say(&self, text: &str, line: &mut Line) {
        if self.is_shown() {
            line.push(text);
        }
    }

    fn symbol(&mut self, code: Option<&str>, font: Option<&str>, line: &mut Line) {
        let Some(code) = code.and_then(|code| u32::from_str_radix(code, 16).ok()) else { return };
        match symbols::text(code, font.unwrap_or_default()) {
            Some(text) => self.say(&text, line),
            // A little picture out of a font.
            None if self.is_shown() => self.found.images_without_text += 1,
            None => {}
        }
    }

    fn field(&mut self, mark: &Element, line: &mut Line) {
        match mark.attribute("fldCharType") {
            Some("begin") if self.closed.contains(&address(mark)) => {
                let data = mark.child("ffData");
                self.fields.push(Field {
                    code: String::new(),
                    in_result: false,
                    start: line.text.len(),
                    form: data.and_then(form_value),
                    is_form: data.is_some(),
                });
            }
            Some("separate") => {
                if let Some(field) = self.fields.last_mut() {
                    field.in_result = true;
                    field.start = line.text.len();
                }
            }
            Some("end") => self.end_field(line),
            _ => {}
        }
    }

    fn end_field(&mut self, line: &mut Line) {
        let Some(field) = self.fields.pop() else { return };
        if !self.is_shown() {
            return;
        }
        let result = line.text.get(field.start..).unwrap_or_default().trim().to_owned();
        let mut words = field.code.split_whitespace();
        let kind = words.next().unwrap_or_default().to_uppercase();
        if field.is_form && (field.form.is_some() || !result.is_empty()) {
            self.found.form_fields += 1;
        }
        match kind.as_str() {
            "PAGE" | "NUMPAGES" | "SECTIONPAGES" if self.running => {
                line.text.truncate(field.start.min(line.text.len()));
                line.page_number = true;
            }
            "HYPERLINK" if !result.is_empty() => self.leads_to(&linked(&field.code), field.start, line),
            _ if !result.is_empty() => {}
            // These show what their instruction says.
            "EQ" => line.push_apart(&words.collect::<Vec<_>>().join(" ")),
            "MACROBUTTON" | "GOTOBUTTON" => line.push_apart(&words.skip(1).collect::<Vec<_>>().join(" ")),
            "SYMBOL" => {
                let code = words.next().and_then(|code| match code.strip_prefix("0x") {
                    Some(hex) => u32::from_str_radix(hex, 16).ok(),
                    None => code.parse().ok(),
                });
                let font = field.code.split_once("\\f").map(|(_, font)| font).unwrap_or_default();
                self.symbol(code.map(|code| format!("{code:x}")).as_deref(), Some(font), line);
            }
            _ => {
                if let Some(value) = &field.form {
                    line.push_apart(value);
                }
            }
        }
    }

    fn control(&mut self, control: &Element, line: &mut Line) -> Result<(), ExtractError> {
        self.count_control(control);
        let properties = control.child("sdtPr");
        if let Some(check_box) = properties.and_then(|p| p.child("checkbox")) {
            let checked = check_box.toggle("checked").unwrap_or(false);
            self.say(if checked { "[x]" } else { "[ ]" }, line);
            line.apart = true;
            return Ok(());
        }
        let start = line.text.len();
        if let Some(content) = control.child("sdtContent") {
            self.inlines(content, line)?;
        }
        if line.text[start..].trim().is_empty() {
            let list = properties.and_then(|p| p.child("dropDownList").or_else(|| p.child("comboBox")));
            if let Some((list, last)) = list.and_then(|list| Some((list, list.attribute("lastValue")?))) {
                let entry = list.elements().find(|entry| entry.attribute("value") == Some(last));
                let text = entry.and_then(|entry| entry.attribute("displayText")).unwrap_or(last);
                line.push_apart(text);
            }
        }
        Ok(())
    }

    fn note(&mut self, reference: &Element, line: &mut Line) -> Result<(), ExtractError> {
        let is_footnote = &*reference.name == "footnoteReference";
        let id = reference.attribute("id").unwrap_or_default();
        let notes = self.notes;
        let Some(note) = (if is_footnote { &notes.footnotes } else { &notes.endnotes }).get(id) else { return Ok(()) };
        let seen = if is_footnote { &mut self.seen_footnotes } else { &mut self.seen_endnotes };
        let known = seen.iter().position(|seen| seen == id);
        let number = known.unwrap_or(seen.len()) as u64 + 1;
        if known.is_none() {
            seen.push(id.to_owned());
        }
        let label = if is_footnote { number.to_string() } else { number_in(number, "lowerRoman") };
        let own_mark = matches!(reference.attribute("customMarkFollows"), Some("1" | "true" | "on"));
        if !own_mark {
            line.push(&format!("[{label}]"));
        }
        if known.is_none() {
            let pieces = self.story(note)?;
            let text = flatten(pieces, self.limits, &mut line.after);
            let label = if own_mark { String::new() } else { format!("[{label}] ") };
            line.after.push(Piece::Note(format!("{label}{text}")));
        }
        Ok(())
    }

    pub(super) fn comment(&mut self, id: &str, line: &mut Line) -> Result<(), ExtractError> {
        let notes = self.notes;
        let Some(comment) = notes.comments.iter().find(|comment| comment.attribute("id") == Some(id)) else {
            return Ok(());
        };
        if !self.seen_comments.insert(id.to_owned()) {
            return Ok(());
        }
        let pieces = self.story(comment)?;
        let text = flatten(pieces, self.limits, &mut line.after);
        if !text.trim().is_empty() {
            self.found.comments += 1;
            let author = comment.attribute("author").unwrap_or_default();
            line.after.push(Piece::Note(format!("[Comment {author}: {}]", text.trim())));
        }
        Ok(())
    }
}

/// The address in `HYPERLINK "address" \l "place in it" \o "tip"`.
fn linked(code: &str) -> String {
    let mut parts = code.split('"');
    let before = parts.next().unwrap_or_default();
    let first = parts.next().unwrap_or_default();
    // Only a place in the same document.
    if before.contains("\\l") || before.contains("\\o") {
        return String::new();
    }
    let words = || before.split_whitespace().nth(1).unwrap_or_default();
    let address = if first.is_empty() { words() } else { first };
    let place = parts.next().filter(|between| between.contains("\\l")).and_then(|_| parts.next());
    address.replace("\\\\", "\\") + &place.map(|place| format!("#{place}")).unwrap_or_default()
}

/// What a field of an old form shows without a result: a check box, or the chosen entry of a list.
fn form_value(data: &Element) -> Option<String> {
    if let Some(check_box) = data.child("checkBox") {
        let checked = check_box.toggle("checked").or_else(|| check_box.toggle("default")).unwrap_or(false);
        return Some(if checked { "[x]" } else { "[ ]" }.to_owned());
    }
    let list = data.child("ddList")?;
    let chosen = list.child_value("result").or_else(|| list.child_value("default")).unwrap_or("0");
    let entries = list.elements().filter(|e| &*e.name == "listEntry");
    entries.filter_map(Element::value).nth(chosen.parse().ok()?).map(str::to_owned)
}
