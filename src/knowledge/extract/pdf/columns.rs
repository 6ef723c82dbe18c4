//! The columns of a table: stretches of its width that its cells share.

use super::table::Row;

type Stretch = (f32, f32);

/// Left to right. The fullest rows make the columns; cells of other rows that stand in none of them add theirs.
pub(super) fn of(rows: &[Row]) -> Vec<Stretch> {
    let mut order: Vec<&Row> = rows.iter().collect();
    order.sort_by_key(|row| std::cmp::Reverse(row.cells.len()));
    let most = order.first().map_or(0, |row| row.cells.len());
    let mut columns: Vec<Stretch> = Vec::new();
    for row in order {
        for cell in &row.cells {
            let touched: Vec<usize> = touching(&columns, (cell.left, cell.right)).collect();
            match touched.as_slice() {
                [] => {
                    let at = columns.partition_point(|column| column.0 < cell.left);
                    columns.insert(at, (cell.left, cell.right));
                }
                // A cell of a fuller row may widen its column, a heading over several may not.
                [only] if row.cells.len() == most || row.cells.len() * 2 > columns.len() => {
                    let right = columns.get(only + 1).map_or(f32::MAX, |next| next.0 - 0.5);
                    let left = only.checked_sub(1).map_or(f32::MIN, |before| columns[before].1 + 0.5);
                    let column = &mut columns[*only];
                    *column = (column.0.min(cell.left.max(left)), column.1.max(cell.right.min(right)));
                }
                _ => {}
            }
        }
    }
    columns
}

fn touching(columns: &[Stretch], (left, right): Stretch) -> impl Iterator<Item = usize> {
    columns.iter().enumerate().filter(move |(_, column)| column.0 < right && column.1 > left).map(|(index, _)| index)
}

/// For each cell of `row`, the first and the last of its columns; no two cells share one.
pub(super) fn taken(columns: &[Stretch], row: &Row) -> Vec<(usize, usize)> {
    let last = columns.len().saturating_sub(1);
    let mut out: Vec<(usize, usize)> = Vec::new();
    let mut free = 0;
    for (index, cell) in row.cells.iter().enumerate() {
        let left_over = row.cells.len() - index - 1;
        let touched: Vec<usize> = touching(columns, (cell.left, cell.right)).collect();
        let nearest = || columns.partition_point(|column| column.1 < cell.left);
        let first = touched.first().copied().unwrap_or_else(nearest).max(free);
        let end = touched.last().copied().unwrap_or(first).max(first).min(last.saturating_sub(left_over).max(first));
        out.push((first, end));
        free = end + 1;
    }
    out
}

/// Whether the only cell of `row` stands in just one column of the rows above it.
pub(super) fn fits_one(rows: &[Row], row: &Row) -> bool {
    let columns = of(rows);
    let [cell] = row.cells.as_slice() else { return false };
    touching(&columns, (cell.left, cell.right)).count() == 1 && cell.text.chars().count() <= 60
}
