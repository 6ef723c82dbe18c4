//! Detects tables among the fragments of a page: rows of cells side by side.
//!
//! Content streams write a table cell by cell; the next cell is to the right of the last one at about its height. Two
//! columns of prose written line by line look the same, and are told apart by cell length.

use super::{
    super::table::{self, Table},
    columns,
    layout::Fragment,
};

pub(super) enum Region {
    /// With the notes that belong to its cells.
    Table(Table, Vec<String>),
    Flow(Vec<Fragment>),
}

/// Maximum row gap within a table, in font sizes.
const WIDEST_ROW_GAP: f32 = 6.0;
const LONGEST_HEADING: usize = 60;
/// Minimum gap between headings of narrow columns, in font sizes; words of one heading are closer.
const HEADING_GAP: f32 = 0.4;

/// The lines of one cell.
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) left: f32,
    pub(super) right: f32,
    /// Baselines of the first and the last line.
    top: f32,
    bottom: f32,
    fragments: Vec<Fragment>,
    /// Indices among the page's fragments.
    indices: Vec<usize>,
}

impl Cell {
    fn new(fragment: &Fragment, index: usize) -> Self {
        Cell {
            text: fragment.text.trim().to_owned(),
            left: fragment.left,
            right: fragment.right,
            top: fragment.y,
            bottom: fragment.y,
            fragments: vec![fragment.clone()],
            indices: vec![index],
        }
    }

    fn push(&mut self, fragment: &Fragment, index: usize) {
        self.text.push(' ');
        self.text.push_str(fragment.text.trim());
        self.left = self.left.min(fragment.left);
        self.right = self.right.max(fragment.right);
        self.bottom = fragment.y;
        self.fragments.push(fragment.clone());
        self.indices.push(index);
    }

    pub(super) fn size(&self) -> f32 {
        self.fragments.iter().map(|fragment| fragment.size).fold(1.0, f32::max)
    }

    /// Splits a merged fragment that spans several columns, where words start at the left edge of a column.
    fn parts(&self, columns: &[(f32, f32)], (first, last): (usize, usize)) -> Vec<(String, usize)> {
        let whole = || vec![(self.text.clone(), last + 1 - first)];
        let ([fragment], true) = (self.fragments.as_slice(), first < last) else { return whole() };
        let words: Vec<&str> = fragment.text.split_whitespace().collect();
        if words.len() != fragment.words.len() {
            return whole();
        }
        let slack = 0.4 * fragment.size;
        let mut parts: Vec<(String, usize)> = Vec::new();
        for (word, (left, _)) in words.iter().zip(&fragment.words) {
            let next = columns[first..=last].get(parts.len());
            let begins = parts.is_empty() || next.is_some_and(|column| (column.0 - left).abs() < slack);
            match parts.last_mut().filter(|_| !begins) {
                Some((text, _)) => {
                    text.push(' ');
                    text.push_str(word);
                }
                None => parts.push(((*word).to_owned(), 1)),
            }
        }
        if parts.len() == last + 1 - first { parts } else { whole() }
    }

    /// Splits a fragment into the headings of `columns`, at gaps wider than between words.
    fn headings(&self, columns: &[(f32, f32)]) -> Option<Vec<Cell>> {
        let ([fragment], [index]) = (self.fragments.as_slice(), self.indices.as_slice()) else { return None };
        let words: Vec<&str> = fragment.text.split_whitespace().collect();
        if columns.len() < 3 || words.len() != fragment.words.len() || fragment.angle != 0 {
            return None;
        }
        let mut parts: Vec<Fragment> = Vec::new();
        for (word, (left, right)) in words.iter().zip(&fragment.words) {
            match parts.last_mut().filter(|part| left - part.right < HEADING_GAP * fragment.size) {
                Some(part) => {
                    part.text = format!("{} {word}", part.text);
                    part.right = *right;
                    part.words.push((*left, *right));
                }
                None => parts.push(Fragment {
                    text: (*word).to_owned(),
                    left: *left,
                    right: *right,
                    words: vec![(*left, *right)],
                    notes: if parts.is_empty() { fragment.notes.clone() } else { Vec::new() },
                    ..fragment.clone()
                }),
            }
        }
        let above = |(at, part): (usize, &Fragment)| {
            let before = at.checked_sub(1).is_none_or(|before| part.left >= columns[before].1 - part.size);
            let after = columns.get(at + 1).is_none_or(|next| part.right <= next.0 + part.size);
            before && after
        };
        let fits = parts.len() == columns.len() && parts.iter().enumerate().all(above);
        fits.then(|| parts.iter().map(|part| Cell::new(part, *index)).collect())
    }

    fn is_bold(&self) -> bool {
        self.fragments.iter().all(|fragment| fragment.bold)
    }

    /// Whether the fragment is below the last line of this cell and overlaps it.
    fn takes(&self, fragment: &Fragment) -> bool {
        let down = self.bottom - fragment.y;
        self.fragments[0].angle == fragment.angle
            && down > 0.5 * fragment.size
            && down < 1.7 * fragment.size
            && fragment.left < self.right
            && fragment.right > self.left
    }
}

pub(super) struct Row {
    pub(super) cells: Vec<Cell>,
}

impl Row {
    /// Whether the fragment is to the right of the last cell, at the row's height.
    fn takes(&self, fragment: &Fragment) -> bool {
        let Some(last) = self.cells.last() else { return false };
        let top = self.cells.iter().map(|cell| cell.top).fold(f32::MIN, f32::max);
        let bottom = self.cells.iter().map(|cell| cell.bottom).fold(f32::MAX, f32::min);
        let slack = 1.2 * fragment.size;
        let level = last.fragments[0].angle == fragment.angle;
        level && fragment.left >= last.right && fragment.y < top + slack && fragment.y > bottom - slack
    }

    fn is_list_item(&self) -> bool {
        self.cells.len() == 2 && self.cells[0].text.chars().count() <= 3 && is_marker(&self.cells[0].text)
    }

    /// Columns of body text, each of several long lines.
    fn is_columns(&self) -> bool {
        let chars = |cell: &Cell| cell.text.chars().count();
        self.cells.iter().all(|cell| cell.fragments.len() >= 4 && chars(cell) > 20 * cell.fragments.len())
    }

    fn top(&self) -> f32 {
        self.cells.iter().map(|cell| cell.top).fold(f32::MIN, f32::max)
    }

    fn bottom(&self) -> f32 {
        self.cells.iter().map(|cell| cell.bottom).fold(f32::MAX, f32::min)
    }

    /// Whether at least two cells of each row are aligned with cells of the other, within a tolerance.
    fn shares_columns(&self, other: &Row) -> bool {
        let slack = 2.0 * self.cells[0].size();
        let meets = |a: &Cell, b: &Cell| a.left < b.right + slack && a.right > b.left - slack;
        let met =
            |these: &Row, those: &Row| these.cells.iter().filter(|a| those.cells.iter().any(|b| meets(a, b))).count();
        met(self, other) >= 2 && met(other, self) >= 2
    }

    /// Whether this row is right above `next`.
    fn leads_to(&self, next: &Row) -> bool {
        let size = self.cells.iter().chain(&next.cells).map(Cell::size).fold(1.0, f32::max);
        let gap = self.bottom() - next.top();
        let level = self.cells[0].fragments[0].angle == next.cells[0].fragments[0].angle;
        level && gap > -0.5 * size && gap < WIDEST_ROW_GAP * size
    }
}

/// A bullet or number: the text after it is a list item, not a second column.
fn is_marker(text: &str) -> bool {
    let number = text.strip_suffix(['.', ')']).is_some_and(|number| number.chars().all(char::is_alphanumeric));
    number || !text.contains(char::is_alphanumeric)
}

/// The rows of a table, or fragments outside of tables.
enum Block {
    Table(Vec<Row>),
    Flow(Row),
}

fn blocks(fragments: &[Fragment]) -> Vec<Block> {
    let mut out = Vec::new();
    let mut table: Vec<Row> = Vec::new();
    let mut rows = read_rows(fragments);
    part_headings(&mut rows);
    let mut rows = rows.into_iter().peekable();
    while let Some(row) = rows.next() {
        let full = table.iter().rfind(|last| last.cells.len() > 1);
        let joins = table.last().is_none_or(|last| last.leads_to(&row))
            && full.is_none_or(|full| row.cells.len() == 1 || full.shares_columns(&row));
        if !joins {
            close(&mut out, &mut table);
        }
        let multiple = |row: &Row| row.cells.len() > 1 && !row.is_list_item() && !row.is_columns();
        // A row with a single value, in a column of its neighbours, between rows with several.
        let lone = !table.is_empty()
            && joins
            && row.cells.len() == 1
            && rows.peek().is_some_and(|next| multiple(next) && row.leads_to(next))
            && columns::fits_one(&table, &row);
        if multiple(&row) || lone {
            table.push(row);
        } else {
            close(&mut out, &mut table);
            out.push(Block::Flow(row));
        }
    }
    close(&mut out, &mut table);
    out
}

/// A line above a table with as many parts as the table has columns becomes its first row.
fn part_headings(rows: &mut [Row]) {
    for index in 1..rows.len() {
        let (above, below) = rows.split_at_mut(index);
        let Some(line) = above.last_mut().filter(|line| line.cells.len() == 1 && line.leads_to(&below[0])) else {
            continue;
        };
        let count = below.iter().take(10).take_while(|row| row.cells.len() > 1).count();
        if count > 1
            && let Some(cells) = line.cells[0].headings(&columns::of(&below[..count]))
        {
            line.cells = cells;
        }
    }
}

/// A single row is not a table, but a numbered heading, two authors, a header.
fn close(blocks: &mut Vec<Block>, table: &mut Vec<Row>) {
    let rows = std::mem::take(table);
    if rows.len() < 2 {
        blocks.extend(rows.into_iter().map(Block::Flow));
    } else if is_prose(&rows) {
        let columns = rows.iter().map(|row| row.cells.len()).max().unwrap_or(0);
        let mut columns: Vec<Vec<Cell>> = (0..columns).map(|_| Vec::new()).collect();
        for row in rows {
            for (column, cell) in columns.iter_mut().zip(row.cells) {
                column.push(cell);
            }
        }
        blocks.extend(columns.into_iter().map(|cells| Block::Flow(Row { cells })));
    } else {
        blocks.push(Block::Table(rows));
    }
}

/// The fragment indices of each table.
pub(super) fn tables(fragments: &[Fragment]) -> Vec<Vec<usize>> {
    let indices = |rows: Vec<Row>| rows.into_iter().flat_map(|row| row.cells).flat_map(|cell| cell.indices).collect();
    let blocks = blocks(fragments).into_iter();
    blocks.filter_map(|block| if let Block::Table(rows) = block { Some(indices(rows)) } else { None }).collect()
}

pub(super) fn regions(fragments: &[Fragment]) -> Vec<Region> {
    let mut regions = Vec::new();
    for block in blocks(fragments) {
        match block {
            Block::Table(rows) => {
                let cells = rows.iter().flat_map(|row| &row.cells).flat_map(|cell| &cell.fragments);
                let notes = cells.flat_map(|fragment| fragment.notes.iter().cloned()).collect();
                regions.push(Region::Table(build(&rows), notes));
            }
            Block::Flow(row) => {
                for fragment in row.cells.into_iter().flat_map(|cell| cell.fragments) {
                    match regions.last_mut() {
                        Some(Region::Flow(flow))
                            if flow.last().is_none_or(|last: &Fragment| last.angle == fragment.angle) =>
                        {
                            flow.push(fragment);
                        }
                        _ => regions.push(Region::Flow(vec![fragment])),
                    }
                }
            }
        }
    }
    regions
}

/// Assigns each value to its column.
fn build(rows: &[Row]) -> Table {
    let columns = columns::of(rows);
    let mut table = Table::default();
    table.header_rows = usize::from(has_header(rows));
    let most = rows.iter().map(|row| row.cells.len()).max().unwrap_or(0);
    let heading = rows.iter().take_while(|row| row.cells.len() < most).count();
    for (index, row) in rows.iter().enumerate() {
        let mut cells = Vec::new();
        let mut next = 0;
        for (cell, (first, last)) in row.cells.iter().zip(columns::taken(&columns, row)) {
            cells.extend((next..first).map(|_| table::Cell::new("")));
            let parts = cell.parts(&columns, (first, last)).into_iter();
            for (text, columns) in parts {
                // A heading above the full rows is repeated in all columns it spans; other wide cells and long text are
                // not.
                let long = index >= heading || text.chars().count() > LONGEST_HEADING;
                cells.push(table::Cell { text, columns: if long { 1 } else { columns }, rows: 1 });
                cells.extend((1..columns).filter(|_| long).map(|_| table::Cell::new("")));
            }
            next = last + 1;
        }
        table.row(cells);
    }
    table
}

/// Whether the first row is a header: different type, or words above numbers.
fn has_header(rows: &[Row]) -> bool {
    let [first, rest @ ..] = rows else { return false };
    let number = |text: &str| {
        let digits = text.chars().filter(char::is_ascii_digit).count();
        2 * digits > text.chars().filter(|c| c.is_alphanumeric()).count()
    };
    let all_bold = first.cells.iter().all(Cell::is_bold);
    let set_off = all_bold && rest.iter().any(|row| !row.cells.iter().all(Cell::is_bold));
    let words = first.cells.iter().all(|cell| !number(&cell.text));
    let values = rest.iter().filter(|row| row.cells.iter().skip(1).any(|cell| number(&cell.text))).count();
    let full = rest.iter().all(|row| row.cells.len() <= first.cells.len() + 1);
    set_off || (words && full && first.cells.len() > 1 && 2 * values > rest.len())
}

fn read_rows(fragments: &[Fragment]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for (index, fragment) in fragments.iter().enumerate() {
        if let Some(row) = rows.last_mut() {
            let multiple = row.cells.len() > 1;
            if let Some(cell) = row.cells.last_mut()
                && cell.takes(fragment)
                // The first column's next line is a new row, unless another cell of this row follows.
                && (multiple || leads_to_a_cell(&fragments[index..], cell))
            {
                cell.push(fragment, index);
                continue;
            }
            if row.takes(fragment) {
                row.cells.push(Cell::new(fragment, index));
                continue;
            }
        }
        rows.push(Row { cells: vec![Cell::new(fragment, index)] });
    }
    rows
}

/// Whether there is a cell beside this first cell within three lines.
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

/// Columns of body text: many rows of long single-line cells.
fn is_prose(rows: &[Row]) -> bool {
    let cells = || rows.iter().flat_map(|row| &row.cells);
    let (count, chars) = cells().fold((0, 0), |(n, c), cell| (n + 1, c + cell.text.chars().count()));
    rows.len() >= 6 && chars > 28 * count && cells().all(|cell| cell.fragments.len() == 1)
}
