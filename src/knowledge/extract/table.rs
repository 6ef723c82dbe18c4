//! A table on its way to text: which cell stands in which row and column, and which rows are its header.
//!
//! As text it has a line for each row with its cells between " | ", an empty cell included, so that each value keeps
//! its column; a bar within a cell is written `\|`. A cell that spans several columns or rows is repeated in each: what stands below a heading over
//! three columns belongs to it in all three. A column in which no cell begins is none: programs give a cell a span of
//! 100 to say "the whole row", and cut rows at places that no other row knows.

use std::rc::Rc;

/// Rows of cells, top to bottom.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) caption: Option<String>,
    /// Rows at the top that are headings of columns.
    pub(super) header_rows: usize,
    /// Texts by column, and whether a cell begins there.
    rows: Vec<Vec<(Rc<str>, bool)>>,
    /// For each column, the text of a cell that reaches down into it and the rows that it still covers.
    reaching: Vec<(usize, Rc<str>)>,
}

/// A cell; both spans are at least 1.
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) columns: usize,
    pub(super) rows: usize,
}

/// A file may claim any span; no table is wider.
const MOST_COLUMNS: usize = 1000;

impl Cell {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Cell { text: text.into(), columns: 1, rows: 1 }
    }
}

impl Table {
    pub(super) fn with_header(header_rows: usize) -> Self {
        Table { header_rows, ..Table::default() }
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        let mut row = Vec::new();
        let mut reaching = std::mem::take(&mut self.reaching);
        let take = |row: &mut Vec<(Rc<str>, bool)>, reaching: &mut Vec<(usize, Rc<str>)>| {
            while let Some((left, text)) = reaching.get_mut(row.len()).filter(|(left, _)| *left > 0) {
                *left -= 1;
                row.push((Rc::clone(text), false));
            }
        };
        for cell in cells {
            take(&mut row, &mut reaching);
            let text: Rc<str> = cell.text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|").into();
            for column in 0..cell.columns.max(1) {
                if row.len() >= MOST_COLUMNS {
                    break;
                }
                if cell.rows > 1 {
                    reaching.resize(reaching.len().max(row.len() + 1), (0, "".into()));
                    reaching[row.len()] = (cell.rows - 1, Rc::clone(&text));
                }
                row.push((Rc::clone(&text), column == 0));
            }
        }
        take(&mut row, &mut reaching);
        self.reaching = reaching;
        self.rows.push(row);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.iter().flatten().all(|(text, _)| text.is_empty())
    }

    /// For a format that has no way to mark its header.
    pub(super) fn first_row_has_only_words(&self) -> bool {
        self.rows.len() > 1 && self.rows[0].iter().all(|(cell, _)| !is_number(cell) || is_year(cell))
    }

    /// The lines, and how many of them are caption and header. Where the file does not say which rows are the header,
    /// the first one is if it looks like that.
    pub(super) fn lines(&self) -> (Vec<String>, usize) {
        let width = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let begins = |column: usize| self.rows.iter().any(|row| row.get(column).is_some_and(|(_, begins)| *begins));
        let columns: Vec<usize> = (0..width).filter(|column| begins(*column)).collect();
        let rows: Vec<Vec<&str>> = self
            .rows
            .iter()
            .map(|row| columns.iter().filter_map(|at| row.get(*at)).map(|(text, _)| &**text).collect())
            .collect();
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

/// A first row of different words, or years, above at least one column of numbers.
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

/// The cells of a row, without the empty ones at its end.
fn row_line(row: &[&str]) -> String {
    let end = row.iter().rposition(|cell| !cell.is_empty()).map_or(0, |at| at + 1);
    row[..end].join(" | ")
}

/// A figure with its unit or sign: `10.5`, `-3,92`, `28 %`, `$1 200`.
fn is_number(cell: &str) -> bool {
    let digits = cell.chars().filter(char::is_ascii_digit).count();
    let letters = cell.chars().filter(|c| c.is_alphabetic()).count();
    cell.chars().find(|c| c.is_alphanumeric()).is_some_and(|first| first.is_ascii_digit()) && letters <= digits
}

fn is_year(cell: &str) -> bool {
    cell.parse::<u32>().is_ok_and(|year| (1800..2200).contains(&year))
}
