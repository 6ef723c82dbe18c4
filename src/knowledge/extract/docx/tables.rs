//! Word's tables: spans across columns and rows, header rows, tables within cells.

use super::super::{
    ExtractError, LeftOutKind,
    table::{Cell, Table, repeated},
};
use super::{
    look::is_shaded,
    reader::{Piece, Reader, flatten},
    xml::Element,
};

/// Column limit: a file may claim any span.
const WIDEST: usize = 1000;

/// A merged cell shows the text of the cell it is merged into.
#[derive(Clone, Copy, PartialEq)]
enum Merge {
    None,
    Start,
    Continue,
}

impl Reader<'_, '_> {
    pub(super) fn table(&mut self, element: &Element, out: &mut Vec<Piece>) -> Result<(), ExtractError> {
        let mut rows = Vec::new();
        self.gather(element, "tr", &mut rows);
        let mut cells: Vec<(&Element, Vec<&Element>)> = Vec::new();
        for row in rows {
            if self.is_row_left_out(row) {
                continue;
            }
            let mut in_row = Vec::new();
            self.gather(row, "tc", &mut in_row);
            cells.push((row, in_row));
        }
        // A single-column table is a box around text.
        if cells.iter().all(|(_, cells)| cells.len() <= 1) {
            let ground = std::mem::replace(&mut self.plain_ground, false);
            for cell in cells.iter().flat_map(|(_, cells)| cells) {
                self.blocks(cell, out)?;
            }
            self.plain_ground = ground;
            return Ok(());
        }
        let ground = self.plain_ground;
        // A table style may colour any row.
        let has_style = element.child("tblPr").is_some_and(|p| p.child("tblStyle").is_some() || is_shaded(p));
        let mut table = Table::with_header(header_rows(element, &cells));
        let mut notes = Vec::new();
        // Texts of the row above, by column.
        let mut above: Vec<String> = Vec::new();
        for (row, cells) in &cells {
            let before = skipped(row, "gridBefore");
            let mut texts: Vec<String> = vec![String::new(); before];
            let mut line: Vec<Cell> = Vec::new();
            if before > 0 {
                line.push(Cell { text: String::new(), columns: before, rows: 1 });
            }
            for cell in cells {
                let is_shaded = cell.child("tcPr").is_some_and(is_shaded);
                self.plain_ground = ground && !has_style && !is_shaded;
                line.push(self.cell(cell, &above, &mut texts, &mut notes)?);
                self.plain_ground = ground;
            }
            table.row(line);
            above = texts;
        }
        if let Some(caption) = element.child("tblPr").and_then(|p| p.child_value("tblCaption")) {
            table.caption = Some(caption.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        out.push(Piece::Table(table));
        out.append(&mut notes);
        Ok(())
    }

    fn cell(
        &mut self,
        cell: &Element,
        above: &[String],
        texts: &mut Vec<String>,
        notes: &mut Vec<Piece>,
    ) -> Result<Cell, ExtractError> {
        let properties = cell.child("tcPr");
        let span = properties.and_then(|p| p.child_value("gridSpan")).and_then(|span| span.parse::<usize>().ok());
        let span = span.unwrap_or(1).clamp(1, WIDEST);
        let merge = |name: &str| match properties.and_then(|p| p.child(name)) {
            None => Merge::None,
            Some(merge) if merge.value() == Some("restart") => Merge::Start,
            Some(_) => Merge::Continue,
        };
        let mut pieces = Vec::new();
        self.blocks(cell, &mut pieces)?;
        let own = flatten(pieces, self.limits, notes);
        let own = own.split_whitespace().collect::<Vec<_>>().join(" ");
        let covering = match (merge("vMerge"), merge("hMerge")) {
            (Merge::Continue, _) => above.get(texts.len()).cloned(),
            (_, Merge::Continue) => texts.last().cloned(),
            _ => None,
        };
        let text = match covering {
            Some(covering) => {
                // Word keeps, but does not show, a cell's content from before the merge.
                if own != covering {
                    self.leave_out(LeftOutKind::Hidden, &own);
                }
                covering
            }
            None if properties.is_some_and(|p| p.child("cellDel").is_some()) => {
                self.leave_out(LeftOutKind::Revision, &own);
                String::new()
            }
            None => own,
        };
        let room = WIDEST.saturating_sub(texts.len());
        texts.extend(std::iter::repeat_n(repeated(&text).to_owned(), span.min(room)));
        Ok(Cell { text, columns: span, rows: 1 })
    }

    /// The rows of a table or the cells of a row, including those inside wrapper elements.
    fn gather<'e>(&mut self, parent: &'e Element, wanted: &str, out: &mut Vec<&'e Element>) {
        for element in parent.elements() {
            match &*element.name {
                name if name == wanted => out.push(element),
                "del" | "moveFrom" => self.leave_out(LeftOutKind::Revision, &element.plain_text()),
                "AlternateContent" => {
                    if let Some(branch) = self.alternative(element) {
                        self.gather(branch, wanted, out);
                    }
                }
                "sdt" => {
                    self.count_control(element);
                    if let Some(content) = element.child("sdtContent") {
                        self.gather(content, wanted, out);
                    }
                }
                "ins" | "moveTo" | "customXml" | "smartTag" => self.gather(element, wanted, out),
                _ => {}
            }
        }
    }

    fn is_row_left_out(&mut self, row: &Element) -> bool {
        let Some(properties) = row.child("trPr") else { return false };
        if properties.child("del").or_else(|| properties.child("moveFrom")).is_some() {
            self.leave_out(LeftOutKind::Revision, &row.plain_text());
            return true;
        }
        if properties.toggle("hidden") == Some(true) {
            self.leave_out(LeftOutKind::Hidden, &row.plain_text());
            return true;
        }
        false
    }
}

fn skipped(row: &Element, name: &str) -> usize {
    let count = row.child("trPr").and_then(|p| p.child_value(name)).and_then(|count| count.parse::<usize>().ok());
    count.unwrap_or(0).min(WIDEST)
}

/// Rows marked to repeat on each page, or else the first row if the table's look defines a header row.
fn header_rows(table: &Element, cells: &[(&Element, Vec<&Element>)]) -> usize {
    let is_header = |row: &Element| row.child("trPr").and_then(|p| p.toggle("tblHeader")) == Some(true);
    let marked = cells.iter().take_while(|(row, _)| is_header(row)).count();
    if marked > 0 {
        return if marked == cells.len() { 1 } else { marked };
    }
    let Some(look) = table.path(&["tblPr", "tblLook"]) else { return 0 };
    let first = match look.attribute("firstRow") {
        Some(first) => matches!(first, "1" | "true" | "on"),
        None => look.value().and_then(|v| u32::from_str_radix(v, 16).ok()).is_some_and(|bits| bits & 0x20 != 0),
    };
    usize::from(first && cells.len() > 1)
}
