//! Fields and form controls: a field's result is shown, or if there is none, the text of its instruction.

use std::collections::HashSet;

use super::super::ExtractError;
use super::{inline::Line, reader::Reader, xml::Element};

/// An open field: `{ PAGE }`, `{ HYPERLINK ... }`, a form field.
pub(super) struct Field {
    code: String,
    in_result: bool,
    /// Start of its result in the line.
    pub(super) start: usize,
    /// A check box, or the selected entry of a drop-down list.
    form: Option<String>,
    is_form: bool,
}

/// Collects the start marks of fields that are closed; unclosed ones would swallow the rest of the document.
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
    /// A field whose instruction is an attribute.
    pub(super) fn simple_field(&mut self, element: &Element, line: &mut Line) -> Result<(), ExtractError> {
        let data = element.child("ffData");
        self.fields.push(Field {
            code: element.attribute("instr").unwrap_or_default().to_owned(),
            in_result: true,
            start: line.text.len(),
            form: data.and_then(form_value),
            is_form: data.is_some(),
        });
        self.inlines(element, line)?;
        self.end_field(line);
        Ok(())
    }

    pub(super) fn instruction(&mut self, text: &str) {
        if let Some(field) = self.fields.last_mut().filter(|field| !field.in_result) {
            field.code.push_str(text);
        }
    }

    pub(super) fn field(&mut self, mark: &Element, line: &mut Line) {
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

    pub(super) fn end_field(&mut self, line: &mut Line) {
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
            "HYPERLINK" if !result.is_empty() => self.write_link(&linked(&field.code), field.start, line),
            _ if !result.is_empty() => {}
            // These fields show text from their instruction.
            "EQ" => line.push_word(&words.collect::<Vec<_>>().join(" ")),
            "MACROBUTTON" | "GOTOBUTTON" => line.push_word(&words.skip(1).collect::<Vec<_>>().join(" ")),
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
                    line.push_word(value);
                }
            }
        }
    }

    pub(super) fn control(&mut self, control: &Element, line: &mut Line) -> Result<(), ExtractError> {
        self.count_control(control);
        let properties = control.child("sdtPr");
        if let Some(check_box) = properties.and_then(|p| p.child("checkbox")) {
            let checked = check_box.toggle("checked").unwrap_or(false);
            self.write_text(if checked { "[x]" } else { "[ ]" }, line);
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
                line.push_word(text);
            }
        }
        self.show_bound(control, start, line)
    }

    /// Within a field only its result is visible.
    pub(super) fn is_shown(&self) -> bool {
        self.fields.iter().all(|field| field.in_result)
    }
}

/// The address in `HYPERLINK "address" \l "bookmark" \o "tooltip"`.
fn linked(code: &str) -> String {
    let mut parts = code.split('"');
    let before = parts.next().unwrap_or_default();
    let first = parts.next().unwrap_or_default();
    // Only a bookmark in the same document.
    if before.contains("\\l") || before.contains("\\o") {
        return String::new();
    }
    let words = || before.split_whitespace().nth(1).unwrap_or_default();
    let address = if first.is_empty() { words() } else { first };
    let place = parts.next().filter(|between| between.contains("\\l")).and_then(|_| parts.next());
    address.replace("\\\\", "\\") + &place.map(|place| format!("#{place}")).unwrap_or_default()
}

/// The value of a legacy form field without a result: a check box, or the selected entry of a list.
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
