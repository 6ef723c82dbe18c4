//! Drawings: text boxes, alternative texts, charts and diagrams. Pure images are only counted.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{
    ExtractError, UnreadWhat,
    table::{Cell, Table},
};
use super::{
    figures::shown,
    inline::Line,
    reader::{Piece, Reader},
    xml::{Element, Ns},
};

/// Chart values by position: the file omits positions without a value.
type Points = BTreeMap<u32, String>;

fn points(element: Option<&Element>, since_1904: bool) -> Points {
    let Some(element) = element else { return Points::new() };
    // With several category levels, the outermost comes last; its value holds until the next one.
    let levels: Vec<&Element> = element.descendants().filter(|e| &*e.name == "lvl").collect();
    let Some((first, outer)) = levels.split_first() else { return level(element, since_1904) };
    let outer: Vec<Points> = outer.iter().rev().map(|one| level(one, since_1904)).collect();
    let mut out = level(first, since_1904);
    for (at, text) in &mut out {
        let above = outer.iter().filter_map(|one| one.range(..=*at).next_back()).map(|(_, text)| text.as_str());
        *text = above.chain([text.as_str()]).collect::<Vec<_>>().join(" ");
    }
    out
}

fn level(element: &Element, since_1904: bool) -> Points {
    let code = element.descendants().find(|e| &*e.name == "formatCode").map(Element::own_text).unwrap_or_default();
    let points = element.descendants().filter(|e| &*e.name == "pt").enumerate();
    let place = |at: usize, point: &Element| {
        point.attribute("idx").and_then(|idx| idx.parse().ok()).unwrap_or(u32::try_from(at).unwrap_or(u32::MAX))
    };
    let value = |point: &Element| {
        let code = point.attribute("formatCode").unwrap_or(&code);
        Some(shown(&point.child("v")?.own_text(), code, since_1904))
    };
    points.filter_map(|(at, point)| Some((place(at, point), value(point)?))).collect()
}

#[derive(Default)]
struct Seen {
    pictures: u32,
    described: Vec<String>,
    has_text: bool,
    decorative: bool,
}

impl Reader<'_, '_> {
    pub(super) fn drawing(&mut self, element: &Element, line: &mut Line) -> Result<(), ExtractError> {
        let mut seen = Seen::default();
        let before = line.after.len();
        self.shape(element, line, &mut seen)?;
        seen.has_text |= line.after.len() > before;
        for text in &seen.described {
            line.push_word(text);
        }
        if seen.described.is_empty() && !seen.has_text && !seen.decorative {
            self.found.images_without_text += seen.pictures;
        }
        Ok(())
    }

    fn shape(&mut self, element: &Element, line: &mut Line, seen: &mut Seen) -> Result<(), ExtractError> {
        let mut describe = |names: &[&str]| {
            let text = names.iter().filter_map(|name| element.attribute(name)).find(|text| !text.trim().is_empty());
            if let Some(text) = text.filter(|text| !seen.described.iter().any(|known| known == text)) {
                seen.described.push(text.to_owned());
            }
        };
        match &*element.name {
            "txbxContent" => {
                // Text on a shape's own background.
                let ground = std::mem::replace(&mut self.plain_ground, false);
                let read = self.blocks(element, &mut line.after);
                self.plain_ground = ground;
                return read;
            }
            "docPr" | "cNvPr" => describe(&["descr", "title"]),
            "shape" | "rect" | "oval" | "roundrect" | "line" | "group" if element.ns == Ns::Vml => describe(&["alt"]),
            "textpath" => describe(&["string"]),
            "imagedata" => {
                describe(&["title"]);
                seen.pictures += 1;
            }
            "pic" => seen.pictures += 1,
            "decorative" => seen.decorative |= element.value() == Some("1"),
            "OLEObject" => {
                let program = element.attribute("ProgID").unwrap_or("unknown program");
                self.found.unread.push(UnreadWhat::EmbeddedObject.with(program));
            }
            "chart" if element.relation("id").is_some() => {
                return self.linked(element.relation("id"), line, Self::chart);
            }
            "relIds" => return self.linked(element.relation("dm"), line, Self::diagram),
            "AlternateContent" => {
                return match self.alternative(element) {
                    Some(branch) => self.shape(branch, line, seen),
                    None => Ok(()),
                };
            }
            "p" if element.ns == Ns::Drawing => {
                line.after.push(Piece::Paragraph(element.plain_text()));
                return Ok(());
            }
            "control" => self.found.unread.push(UnreadWhat::ActiveX.into()),
            _ => {}
        }
        element.elements().try_for_each(|child| self.shape(child, line, seen))
    }

    /// A part that the drawing refers to.
    fn linked(
        &mut self,
        id: Option<&str>,
        line: &mut Line,
        read: fn(&Element) -> Vec<Piece>,
    ) -> Result<(), ExtractError> {
        let target = self.relations.iter().find(|relation| Some(relation.id.as_str()) == id).map(|r| r.target.clone());
        let Some(target) = target else { return Ok(()) };
        match self.package.optional(&target)? {
            Some(root) => line.after.extend(read(&root)),
            None => self.found.unread.push(UnreadWhat::Chart.named(&target)),
        }
        Ok(())
    }

    /// The title, and the values as a table: a row per category, a column per series.
    fn chart(root: &Element) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let titles = root.descendants().filter(|e| &*e.name == "title");
        for title in titles {
            pieces.push(Piece::Paragraph(title.plain_text()));
        }
        let series: Vec<&Element> = root.descendants().filter(|e| &*e.name == "ser").collect();
        let since_1904 = root.toggle("date1904") == Some(true);
        let either =
            |one: &Element, names: [&str; 2]| points(names.iter().find_map(|name| one.child(name)), since_1904);
        let Some(first) = series.first() else { return pieces };
        let categories = either(first, ["cat", "xVal"]);
        let columns: Vec<Points> = series.iter().map(|one| either(one, ["val", "yVal"])).collect();
        let name = |one: &&Element| -> String {
            let names = points(one.child("tx"), since_1904).into_values().collect::<Vec<_>>().join(" ");
            if names.is_empty() { one.path(&["tx", "v"]).map(Element::own_text).unwrap_or_default() } else { names }
        };
        let mut table = Table::with_header(1);
        table.row(std::iter::once(Cell::new("")).chain(series.iter().map(|one| Cell::new(name(one)))));
        let rows: BTreeSet<u32> =
            columns.iter().chain([&categories]).flat_map(|column| column.keys().copied()).collect();
        for row in rows {
            let at = |column: &Points| Cell::new(column.get(&row).cloned().unwrap_or_default());
            table.row(std::iter::once(at(&categories)).chain(columns.iter().map(at)));
        }
        pieces.push(Piece::Table(table));
        pieces
    }

    /// The text of a diagram, one line per shape.
    fn diagram(root: &Element) -> Vec<Piece> {
        let points = root.descendants().filter(|e| &*e.name == "pt");
        let texts = points.map(|point| point.plain_text().split_whitespace().collect::<Vec<_>>().join(" "));
        texts.filter(|text| !text.is_empty()).map(|text| Piece::Item(0, format!("- {text}"))).collect()
    }
}
