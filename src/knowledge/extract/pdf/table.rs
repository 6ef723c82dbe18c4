//! Finds tables among the fragments of a page: rows of cells that stand beside each other.
//!
//! A stream writes a table cell by cell; the next cell stands to the right of the last one at about its height. Two
//! columns of prose that a program has written line by line look the same and are told apart by the length of cells.

use super::layout::Fragment;

pub(super) enum Region {
    /// A line for each row, cells separated by " | ".
    Table(String),
    Flow(Vec<Fragment>),
}

/// Lines below each other, from the same cell.
struct Cell {
    text: String,
    left: f32,
    right: f32,
    /// Baselines of the first and the last line.
    top: f32,
    bottom: f32,
    fragments: Vec<Fragment>,
}

impl Cell {
    fn new(fragment: &Fragment) -> Self {
        Cell {
            text: fragment.text.trim().to_owned(),
            left: fragment.left,
            right: fragment.right,
            top: fragment.y,
            bottom: fragment.y,
            fragments: vec![fragment.clone()],
        }
    }

    fn push(&mut self, fragment: &Fragment) {
        self.text.push(' ');
        self.text.push_str(fragment.text.trim());
        self.left = self.left.min(fragment.left);
        self.right = self.right.max(fragment.right);
        self.bottom = fragment.y;
        self.fragments.push(fragment.clone());
    }

    /// Below the last line of this cell, overlapping it.
    fn takes(&self, fragment: &Fragment) -> bool {
        let down = self.bottom - fragment.y;
        down > 0.5 * fragment.size
            && down < 1.7 * fragment.size
            && fragment.left < self.right
            && fragment.right > self.left
    }
}

struct Row {
    cells: Vec<Cell>,
}

impl Row {
    /// To the right of the last cell, at the height of the row.
    fn takes(&self, fragment: &Fragment) -> bool {
        let Some(last) = self.cells.last() else { return false };
        let top = self.cells.iter().map(|cell| cell.top).fold(f32::MIN, f32::max);
        let bottom = self.cells.iter().map(|cell| cell.bottom).fold(f32::MAX, f32::min);
        let slack = 1.2 * fragment.size;
        fragment.left >= last.right && fragment.y < top + slack && fragment.y > bottom - slack
    }

    fn is_list_item(&self) -> bool {
        self.cells.len() == 2 && self.cells[0].text.chars().count() <= 3
    }
}

pub(super) fn regions(fragments: &[Fragment]) -> Vec<Region> {
    let mut regions = Vec::new();
    let mut rows: Vec<Row> = Vec::new();
    for row in read_rows(fragments) {
        if row.cells.len() > 1 && !row.is_list_item() {
            rows.push(row);
            continue;
        }
        close(&mut regions, &mut rows);
        flow(&mut regions, row);
    }
    close(&mut regions, &mut rows);
    regions
}

fn read_rows(fragments: &[Fragment]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for (index, fragment) in fragments.iter().enumerate() {
        if let Some(row) = rows.last_mut() {
            let multiple = row.cells.len() > 1;
            if let Some(cell) = row.cells.last_mut()
                && cell.takes(fragment)
                // The first column's next line is the next row, unless another cell of this row follows.
                && (multiple || leads_to_a_cell(&fragments[index..], cell))
            {
                cell.push(fragment);
                continue;
            }
            if row.takes(fragment) {
                row.cells.push(Cell::new(fragment));
                continue;
            }
        }
        rows.push(Row { cells: vec![Cell::new(fragment)] });
    }
    rows
}

/// Whether after at most three lines of this first cell something stands beside it.
fn leads_to_a_cell(fragments: &[Fragment], cell: &Cell) -> bool {
    let mut bottom = cell.bottom;
    for fragment in fragments.iter().take(4) {
        if fragment.left >= cell.right
            && fragment.y <= cell.top + fragment.size
            && fragment.y >= bottom - 0.5 * fragment.size
        {
            return fragment.y > bottom + 0.5 * fragment.size;
        }
        if fragment.left > cell.left + 1.0 {
            return false;
        }
        bottom = fragment.y;
    }
    false
}

fn flow(regions: &mut Vec<Region>, row: Row) {
    let fragments = row.cells.into_iter().flat_map(|cell| cell.fragments);
    match regions.last_mut() {
        Some(Region::Flow(flow)) => flow.extend(fragments),
        _ => regions.push(Region::Flow(fragments.collect())),
    }
}

/// One row alone is no table: a heading with its number, two authors, a header.
fn close(regions: &mut Vec<Region>, rows: &mut Vec<Row>) {
    let rows = std::mem::take(rows);
    if rows.len() < 2 {
        for row in rows {
            flow(regions, row);
        }
    } else if is_prose(&rows) {
        let columns = rows.iter().map(|row| row.cells.len()).max().unwrap_or(0);
        let mut columns: Vec<Vec<Cell>> = (0..columns).map(|_| Vec::new()).collect();
        for row in rows {
            for (column, cell) in columns.iter_mut().zip(row.cells) {
                column.push(cell);
            }
        }
        for cells in columns {
            flow(regions, Row { cells });
        }
    } else {
        let line = |row: &Row| row.cells.iter().map(|cell| cell.text.as_str()).collect::<Vec<_>>().join(" | ");
        regions.push(Region::Table(rows.iter().map(line).collect::<Vec<_>>().join("\n")));
    }
}

/// Columns of running text: many rows of long single-line cells.
fn is_prose(rows: &[Row]) -> bool {
    let cells = || rows.iter().flat_map(|row| &row.cells);
    let (count, chars) = cells().fold((0, 0), |(n, c), cell| (n + 1, c + cell.text.chars().count()));
    rows.len() >= 6 && chars > 28 * count && cells().all(|cell| cell.fragments.len() == 1)
}
