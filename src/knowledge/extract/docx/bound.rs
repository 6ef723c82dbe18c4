//! Content controls bound to XML data (`w:dataBinding`): Word shows the data, whatever text was saved in the control.
//! Programs that fill in templates often write only the data.

use super::super::{ExtractError, LeftOutKind};
use super::{
    inline::Line,
    package::Package,
    reader::{Piece, Reader},
    xml::Element,
};

/// Document properties have a fixed id instead of that of their part.
const CORE: &str = "{6C3C8BC8-F283-45AE-878A-BAB7291924A1}";
const EXTENDED: &str = "{6668398D-A668-4E3E-A5EB-62B293D839F1}";

/// The data of a document, with the ids that controls refer to.
#[derive(Default)]
pub(super) struct Data {
    parts: Vec<(String, Element)>,
}

impl Data {
    fn read(package: &mut Package<'_>) -> Result<Self, ExtractError> {
        let mut data = Data::default();
        for relation in package.relations("")? {
            let id = match relation.kind.as_str() {
                "core-properties" => CORE,
                "extended-properties" => EXTENDED,
                _ => continue,
            };
            data.parts.extend(package.optional(&relation.target)?.map(|root| (id.to_owned(), root)));
        }
        for name in package.custom_parts() {
            let relations = package.relations(&name)?;
            let properties = relations.iter().find(|relation| relation.kind == "customXmlProps");
            let usual = name.replace("/item", "/itemprops");
            let properties = package.optional(properties.map_or(usual.as_str(), |properties| &properties.target))?;
            let id = properties.as_ref().and_then(|root| root.attribute("itemID")).unwrap_or_default().to_uppercase();
            data.parts.extend(package.optional(&name)?.map(|root| (id, root)));
        }
        Ok(data)
    }

    fn find(&self, id: &str, path: &str) -> Option<String> {
        let of = |wanted: bool| self.parts.iter().filter(move |(part, _)| (*part == id) == wanted);
        let text = of(true).chain(of(false)).find_map(|(_, root)| value(root, path))?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }
}

/// The value at a path such as `/ns0:order[1]/ns0:customer[1]/@name`. Prefixes are arbitrary, so they are ignored.
fn value(root: &Element, path: &str) -> Option<String> {
    let mut steps = path.strip_prefix('/')?.split('/').map(Step::read);
    let mut element = steps.next()?.filter(|step| step.name == *root.name).map(|_| root)?;
    for step in steps {
        let step = step?;
        if let Some(name) = step.name.strip_prefix('@') {
            return element.attribute(name).map(str::to_owned);
        }
        if step.name == "text()" {
            return Some(element.own_text());
        }
        element = element.elements().filter(|child| *child.name == *step.name).nth(step.place - 1)?;
    }
    Some(element.descendants().map(Element::own_text).collect::<Vec<_>>().concat())
}

struct Step<'a> {
    name: std::borrow::Cow<'a, str>,
    /// From 1.
    place: usize,
}

impl<'a> Step<'a> {
    fn read(step: &'a str) -> Option<Self> {
        let (name, rest) = step.split_at(step.find('[').unwrap_or(step.len()));
        let tests = || rest.split(['[', ']']).map(str::trim).filter(|test| !test.is_empty());
        let place = tests().find_map(|test| test.parse().ok()).unwrap_or(1).max(1);
        let named = tests().find_map(|test| test.strip_prefix("local-name()")?.trim().strip_prefix('='));
        let name = named.map_or(name, |name| name.trim().trim_matches(['\'', '"'])).trim();
        let (at, name) = name.strip_prefix('@').map_or(("", name), |name| ("@", name));
        let name = name.rsplit(':').next().filter(|name| !name.is_empty())?;
        let name = if at.is_empty() { name.into() } else { format!("@{name}").into() };
        Some(Step { name, place })
    }
}

impl Reader<'_, '_> {
    /// The data value that a control shows.
    fn bound(&mut self, control: &Element) -> Result<Option<String>, ExtractError> {
        let Some(properties) = control.child("sdtPr") else { return Ok(None) };
        let Some(binding) = properties.child("dataBinding") else { return Ok(None) };
        let id = binding.attribute("storeItemID").unwrap_or_default().to_uppercase();
        let path = binding.attribute("xpath").unwrap_or_default();
        if self.data.is_none() {
            self.data = Some(Data::read(self.package)?);
        }
        let Some(value) = self.data.as_ref().and_then(|data| data.find(&id, path)) else { return Ok(None) };
        // A list stores an entry's value and shows its display text.
        let list = properties.child("dropDownList").or_else(|| properties.child("comboBox"));
        let entry =
            list.and_then(|list| list.elements().find(|entry| entry.attribute("value") == Some(value.as_str())));
        Ok(Some(entry.and_then(|entry| entry.attribute("displayText")).map_or(value, str::to_owned)))
    }

    /// Replaces the text of a control since `start` by its data, as Word does when it opens the document.
    pub(super) fn show_bound(&mut self, control: &Element, start: usize, line: &mut Line) -> Result<(), ExtractError> {
        let Some(value) = self.bound(control)?.filter(|_| self.is_shown()) else { return Ok(()) };
        let said = line.text.get(start..).unwrap_or_default().to_owned();
        if is_outdated(control, &said, &value) {
            line.text.truncate(start);
            line.push_word(&value);
            self.leave_out(LeftOutKind::Duplicate, &said);
        }
        Ok(())
    }

    /// Like `show_bound`, for a control around paragraphs.
    pub(super) fn show_bound_block(&mut self, control: &Element, out: &mut Vec<Piece>) -> Result<(), ExtractError> {
        let Some(value) = self.bound(control)? else { return Ok(()) };
        match out.as_mut_slice() {
            [] => out.push(Piece::Paragraph(value)),
            [Piece::Paragraph(said) | Piece::Heading(_, said)] if is_outdated(control, said, &value) => {
                let said = std::mem::replace(said, value);
                self.leave_out(LeftOutKind::Duplicate, &said);
            }
            _ => {}
        }
        Ok(())
    }
}

/// Dates are displayed in another format than they are stored in, so any existing text of a date control is kept.
fn is_outdated(control: &Element, said: &str, value: &str) -> bool {
    let properties = control.child("sdtPr");
    let has = |name: &str| properties.is_some_and(|properties| properties.child(name).is_some());
    let is_placeholder = properties.is_some_and(|properties| properties.toggle("showingPlcHdr") == Some(true));
    let squeezed = |text: &str| text.split_whitespace().collect::<String>();
    if said.trim().is_empty() || is_placeholder {
        return true;
    }
    !has("date") && !has("picture") && !has("checkbox") && squeezed(said) != squeezed(value)
}
