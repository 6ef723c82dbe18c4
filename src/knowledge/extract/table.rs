//! Table to text: assigns cells to rows and columns, and detects header rows.
//!
//! Each row becomes a line with its cells between " | ", including empty cells, so that values keep their column; a bar
//! within a cell is written `\|`. The text of a cell that spans several columns or rows is repeated in each, because a
//! heading over three columns applies to all of them; long text is not a heading and is written once. Columns in which
//! no cell begins are dropped: programs use a span of 100 for "the whole row", and split rows at positions that no
//! other row has.

use std::{collections::BTreeSet, rc::Rc};

/// Rows of cells, top to bottom.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) caption: Option<String>,
    /// Number of header rows at the top.
    pub(super) header_rows: usize,
    rows: Vec<Vec<Placed>>,
    /// For each column, the text of a cell that spans down into it and the number of rows that it still covers.
    spanned: Vec<(usize, Rc<str>)>,
}

/// A text in a row, over one or more columns.
#[derive(Debug)]
struct Placed {
    column: usize,
    columns: usize,
    text: Rc<str>,
    /// The cell begins in this row rather than spanning into it from above.
    begins: bool,
}

/// A cell; both spans are at least 1.
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) columns: usize,
    pub(super) rows: usize,
}

/// Limit of column and row spans: a file may claim any span.
const LAST_SPANNED: usize = 1000;
/// Longer text spanning several cells is not a heading and is written once.
const LONGEST_REPEATED: usize = 300;
/// Maximum bytes of repeated text per table; beyond it, text is written once.
const MAX_REPEATED: usize = 4 << 20;

impl Cell {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Cell { text: text.into(), columns: 1, rows: 1 }
    }
}

/// The text of a spanning cell in the further cells that it covers.
pub(super) fn repeated(text: &str) -> &str {
    if text.len() > LONGEST_REPEATED { "" } else { text }
}

impl Table {
    pub(super) fn with_header(header_rows: usize) -> Self {
        Table { header_rows, ..Table::default() }
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        let mut row: Vec<Placed> = Vec::new();
        let mut column = 0;
        for cell in cells {
            self.insert_spanning(&mut row, &mut column);
            let text: Rc<str> = cell.text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|").into();
            let columns = cell.columns.min(LAST_SPANNED.saturating_sub(column)).max(1);
            if cell.rows > 1 && column < LAST_SPANNED {
                self.spanned.resize(self.spanned.len().max(column + columns), (0, "".into()));
                self.spanned[column..column + columns].fill((cell.rows - 1, repeated(&text).into()));
            }
            row.push(Placed { column, columns, text, begins: true });
            column += columns;
        }
        self.insert_spanning(&mut row, &mut column);
        self.rows.push(row);
    }

    /// Inserts cells that span down from above, up to the first free column.
    fn insert_spanning(&mut self, row: &mut Vec<Placed>, column: &mut usize) {
        while let Some((left, text)) = self.spanned.get_mut(*column).filter(|(left, _)| *left > 0) {
            *left -= 1;
            match row.last_mut() {
                Some(last) if !last.begins && Rc::ptr_eq(&last.text, text) => last.columns += 1,
                _ => row.push(Placed { column: *column, columns: 1, text: Rc::clone(text), begins: false }),
            }
            *column += 1;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.iter().flatten().all(|placed| placed.text.is_empty())
    }

    /// For formats that cannot mark header rows.
    pub(super) fn first_row_has_only_words(&self) -> bool {
        self.rows.len() > 1 && self.rows[0].iter().all(|placed| !is_number(&placed.text) || is_year(&placed.text))
    }

    /// The texts of each row, in the columns in which any cell begins.
    fn texts(&self) -> Vec<Vec<&str>> {
        let begins = self.rows.iter().flatten().filter(|placed| placed.begins).map(|placed| placed.column);
        let columns: Vec<usize> = begins.collect::<BTreeSet<_>>().into_iter().collect();
        let mut left = MAX_REPEATED;
        let mut repeat = |text| {
            let text = repeated(text);
            left = left.saturating_sub(text.len() + 3);
            if left > 0 { text } else { "" }
        };
        let mut rows = Vec::new();
        for row in &self.rows {
            let mut texts = Vec::new();
            for placed in row {
                let from = columns.partition_point(|column| *column < placed.column);
                let covered = columns[from..].iter().take_while(|column| **column < placed.column + placed.columns);
                for (at, _) in covered.enumerate() {
                    texts.push(if at == 0 && placed.begins { &*placed.text } else { repeat(&placed.text) });
                }
            }
            rows.push(texts);
        }
        rows
    }

    /// The lines, and how many of them are caption and header. If the file does not mark header rows, the first row
    /// counts if it looks like one.
    pub(super) fn lines(&self) -> (Vec<String>, usize) {
        let rows = self.texts();
        let header_rows =
            if self.header_rows == 0 { usize::from(starts_with_headings(&rows)) } else { self.header_rows };
        let mut lines: Vec<String> = self.caption.iter().map(|caption| caption.trim().to_owned()).collect();
        lines.retain(|caption| !caption.is_empty());
        let mut header = lines.len();
        for (index, row) in rows.iter().enumerate() {
            if row.iter().all(|cell| cell.is_empty()) {
                continue;
            }
            header += usize::from(index < header_rows);
            lines.push(row_line(row));
        }
        (lines, header)
    }
}

/// Whether the first row has distinct words, or years, above at least one column of numbers.
fn starts_with_headings(rows: &[Vec<&str>]) -> bool {
    let mut rows = rows.iter().filter(|row| row.iter().any(|cell| !cell.is_empty()));
    let Some(first) = rows.next() else { return false };
    let words = |cell: &str| !cell.is_empty() && (!is_number(cell) || is_year(cell));
    let different = first.iter().collect::<std::collections::HashSet<_>>().len() == first.len();
    if first.len() < 2 || !different || !first.iter().skip(1).all(|cell| words(cell)) || is_number(first[0]) {
        return false;
    }
    let mut numbers = vec![0usize; first.len()];
    let mut count = 0;
    for row in rows.take(50) {
        count += 1;
        for (column, cell) in row.iter().enumerate().take(first.len()) {
            numbers[column] += usize::from(is_number(cell));
        }
    }
    count > 0 && numbers.iter().any(|n| n * 10 >= count * 6)
}

/// The cells of a row, without trailing empty ones.
fn row_line(row: &[&str]) -> String {
    let end = row.iter().rposition(|cell| !cell.is_empty()).map_or(0, |at| at + 1);
    row[..end].join(" | ")
}

/// A number with its unit or sign: `10.5`, `-3,92`, `28 %`, `$1 200`.
fn is_number(cell: &str) -> bool {
    let digits = cell.chars().filter(char::is_ascii_digit).count();
    let letters = cell.chars().filter(|c| c.is_alphabetic()).count();
    cell.chars().find(|c| c.is_alphanumeric()).is_some_and(|first| first.is_ascii_digit()) && letters <= digits
}

fn is_year(cell: &str) -> bool {
    cell.parse::<u32>().is_ok_and(|year| (1800..2200).contains(&year))
}
