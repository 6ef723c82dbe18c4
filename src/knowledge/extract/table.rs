//! A table on its way to text: which cell stands in which row and column, and which rows are its header.
//!
//! As text it has a line for each row with its cells between " | ", an empty cell included, so that each value keeps
//! its column. A cell that spans several columns or rows is repeated in each: what stands below a heading over
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
            let text: Rc<str> = cell.text.split_whitespace().collect::<Vec<_>>().join(" ").into();
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

    /// The lines, and how many of them are caption and header.
    pub(super) fn lines(&self) -> (Vec<String>, usize) {
        let mut lines: Vec<String> = self.caption.iter().cloned().collect();
        let mut header = lines.len();
        let width = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let begins = |column: usize| self.rows.iter().any(|row| row.get(column).is_some_and(|(_, begins)| *begins));
        let columns: Vec<usize> = (0..width).filter(|column| begins(*column)).collect();
        for (index, row) in self.rows.iter().enumerate() {
            if row.iter().all(|(text, _)| text.is_empty()) {
                continue;
            }
            header += usize::from(index < self.header_rows);
            let cells: Vec<&str> = columns.iter().filter_map(|at| row.get(*at)).map(|(text, _)| &**text).collect();
            lines.push(cells.join(" | ").trim_end_matches([' ', '|']).to_owned());
        }
        (lines, header)
    }
}
