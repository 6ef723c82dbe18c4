//! A table on its way to text: which cell stands in which row and column, and which rows are its header.
//!
//! As text it has a line for each row with its cells between " | ", an empty cell included, so that each value keeps
//! its column. A cell that spans several columns or rows is repeated in each: what stands below a heading over
//! three columns belongs to it in all three.

/// Rows of cells, top to bottom.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) caption: Option<String>,
    /// Rows at the top that are headings of columns.
    pub(super) header_rows: usize,
    rows: Vec<Vec<String>>,
    /// For each column, the text of a cell that reaches down into it and the rows that it still covers.
    reaching: Vec<(usize, String)>,
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
        let take = |row: &mut Vec<String>, reaching: &mut Vec<(usize, String)>| {
            while let Some((left, text)) = reaching.get_mut(row.len()).filter(|(left, _)| *left > 0) {
                *left -= 1;
                row.push(text.clone());
            }
        };
        for cell in cells {
            take(&mut row, &mut reaching);
            let text = cell.text.split_whitespace().collect::<Vec<_>>().join(" ");
            for _ in 0..cell.columns.max(1) {
                if row.len() >= MOST_COLUMNS {
                    break;
                }
                if cell.rows > 1 {
                    reaching.resize(reaching.len().max(row.len() + 1), (0, String::new()));
                    reaching[row.len()] = (cell.rows - 1, text.clone());
                }
                row.push(text.clone());
            }
        }
        take(&mut row, &mut reaching);
        self.reaching = reaching;
        self.rows.push(row);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.iter().flatten().all(String::is_empty)
    }

    /// The lines, and how many of them are caption and header.
    pub(super) fn lines(&self) -> (Vec<String>, usize) {
        let mut lines: Vec<String> = self.caption.iter().cloned().collect();
        let mut header = lines.len();
        for (index, row) in self.rows.iter().enumerate() {
            if row.iter().all(String::is_empty) {
                continue;
            }
            header += usize::from(index < self.header_rows);
            lines.push(row.join(" | ").trim_end_matches([' ', '|']).to_owned());
        }
        (lines, header)
    }
}
