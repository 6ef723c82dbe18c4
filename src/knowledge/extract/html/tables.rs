//! Tables: data tables and layout tables.

use super::{
    super::{
        ExtractError,
        table::{Cell, Table},
    },
    dom::{Handle, attribute, descendants, elements, is_html, name, plain_text, role},
    judge::{has_below, has_elements, is_gutter, is_row, left_out},
    pieces::{Piece, flatten},
    walk::Walk,
};

/// Column limit: a file may claim any span.
const WIDEST: usize = 1000;
/// A longer cell that is alone in its column is a text box.
const LONG_CELL: usize = 200;

pub(super) fn is_table(node: &Handle) -> bool {
    name(node) == "table" && is_html(node) || name(node) != "table" && is_aria_table(node)
}

fn is_aria_table(node: &Handle) -> bool {
    matches!(role(node).as_str(), "table" | "grid" | "treegrid")
}

/// A row and its table section: cells do not span into the next section.
struct Row {
    row: Handle,
    part: usize,
    in_head: bool,
}

/// Rows in the order a browser shows them: head, bodies, foot.
fn rows(table: &Handle) -> Vec<Row> {
    let mut out = Vec::new();
    let mut foot = Vec::new();
    for (part, element) in elements(table).into_iter().enumerate() {
        let within = |in_head| {
            // ARIA row groups may have other elements around their rows.
            let is_plain = matches!(name(&element), "thead" | "tbody" | "tfoot");
            let rows = if is_plain { elements(&element) } else { descendants(&element).skip(1).collect() };
            rows.into_iter().filter(is_row).map(move |row| Row { row, part: part + 1, in_head })
        };
        match name(&element) {
            "caption" | "colgroup" | "col" => {}
            "thead" => out.extend(within(true)),
            "tfoot" => foot.extend(within(false)),
            _ if is_row(&element) => out.push(Row { row: element, part: 0, in_head: false }),
            _ => out.extend(within(false)),
        }
    }
    // A head that comes later in the file is still shown first.
    out.sort_by_key(|row| !row.in_head);
    out.extend(foot);
    out
}

fn cells(row: &Handle) -> Vec<Handle> {
    let is_cell = |cell: &Handle| {
        matches!(name(cell), "td" | "th")
            || matches!(role(cell).as_str(), "cell" | "gridcell" | "columnheader" | "rowheader")
    };
    elements(row).into_iter().filter(is_cell).collect()
}

fn is_header_cell(cell: &Handle) -> bool {
    name(cell) == "th" || role(cell) == "columnheader"
}

/// Whether it is a data table; old pages use tables for layout, which are only boxes around blocks.
pub(super) fn is_data(table: &Handle) -> bool {
    if matches!(role(table).as_str(), "presentation" | "none") {
        return false;
    }
    if is_aria_table(table) {
        return true;
    }
    let rows = rows(table);
    let all: Vec<Vec<Handle>> = rows.iter().map(|row| cells(&row.row)).collect();
    let has_heading = all.iter().flatten().any(|cell| has_below(cell, &["h1", "h2", "h3"]));
    if has_heading {
        return false;
    }
    let labelled = rows.iter().any(|row| row.in_head)
        || all.iter().flatten().any(is_header_cell)
        || elements(table).iter().any(|part| name(part) == "caption");
    let blocks = ["p", "ul", "ol", "dl", "pre", "table", "blockquote", "h4", "h5", "h6", "article", "form"];
    if all.iter().all(|row| row.len() <= 1) && !labelled {
        let long = |cell: &Handle| has_below(cell, &blocks) || plain_text(cell).trim().chars().count() > LONG_CELL;
        return !all.iter().flatten().any(long);
    }
    if labelled {
        return true;
    }
    if all.iter().flatten().any(|cell| has_below(cell, &["table"])) {
        return false;
    }
    // Page columns.
    let is_box = |cell: &Handle| {
        has_below(cell, &["ul", "ol", "pre", "dl"]) || descendants(cell).filter(|node| name(node) == "p").count() > 1
    };
    rows.len() > 1 || !all.iter().flatten().any(is_box)
}

impl Walk<'_> {
    pub(super) fn table(&mut self, node: &Handle) -> Result<(), ExtractError> {
        let rows = rows(node);
        let header = header_rows(&rows);
        let mut table = Table::with_header(header);
        for part in elements(node) {
            if left_out(&part, self.opened).is_some() {
                self.reject(&part);
            } else if name(&part) == "caption" {
                let caption = flatten(self.within(&part)?);
                table.caption = Some(caption).filter(|caption| !caption.is_empty());
            }
        }
        for (at, Row { row, part, .. }) in rows.iter().enumerate() {
            let left = rows[at..].iter().take_while(|row| row.part == *part).count();
            if left_out(row, self.opened).is_some() || super::dom::parent(row).is_some_and(|p| self.is_out(&p)) {
                self.reject(row);
                continue;
            }
            let mut line = Vec::new();
            for cell in cells(row) {
                if is_gutter(&cell) || left_out(&cell, self.opened).is_some() {
                    self.reject(&cell);
                    continue;
                }
                let span = |key: &str| attribute(&cell, key).and_then(|v| v.trim().parse::<usize>().ok());
                let columns = span("colspan").or_else(|| span("aria-colspan")).unwrap_or(1).clamp(1, WIDEST);
                let rows = match span("rowspan").or_else(|| span("aria-rowspan")) {
                    Some(0) => left,
                    rows => rows.unwrap_or(1).clamp(1, left),
                };
                line.push(Cell { text: flatten(self.within(&cell)?), columns, rows });
            }
            // Some ARIA rows contain only text.
            if line.is_empty() && has_elements(row) {
                line.push(Cell::new(flatten(self.within(row)?)));
            }
            table.row(line);
        }
        self.flush();
        self.pieces.push(Piece::Table(table));
        Ok(())
    }

    fn is_out(&self, part: &Handle) -> bool {
        matches!(name(part), "thead" | "tbody" | "tfoot") && left_out(part, self.opened).is_some()
    }
}

/// Rows in the head, or leading rows with only header cells.
fn header_rows(rows: &[Row]) -> usize {
    let head = rows.iter().take_while(|row| row.in_head).count();
    let only_headings = |row: &&Row| {
        let cells = cells(&row.row);
        let mut spoken = cells.iter().filter(|cell| !plain_text(cell).trim().is_empty());
        !cells.is_empty() && spoken.all(is_header_cell)
    };
    let count = if head > 0 { head } else { rows.iter().take_while(only_headings).count() };
    if count >= rows.len() { usize::from(rows.len() > 1) } else { count }
}
