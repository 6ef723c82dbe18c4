//! Table columns: horizontal ranges that cells share.

use super::table::Row;

type Stretch = (f32, f32);

/// In a row with empty cells, a cell belongs to a neighbouring column up to this distance, in font sizes.
const REACH: f32 = 2.5;

/// Columns from left to right. The fullest rows define them; cells of other rows that match no column add their own.
pub(super) fn of(rows: &[Row]) -> Vec<Stretch> {
    let mut order: Vec<&Row> = rows.iter().collect();
    order.sort_by_key(|row| std::cmp::Reverse(row.cells.len()));
    let most = order.first().map_or(0, |row| row.cells.len());
    let full: Vec<&Row> = rows.iter().filter(|row| row.cells.len() == most).collect();
    // LaTeX may set the header of a long table with other column widths than its rows.
    let without_heading = || full.get(1..).filter(|rest| rest.len() > 1).and_then(|rest| by_count(rest, most));
    let mut columns = by_count(&full, most).or_else(without_heading).unwrap_or_default();
    if !columns.is_empty() {
        order.retain(|row| row.cells.len() < most);
    }
    for row in order {
        for (index, cell) in row.cells.iter().enumerate() {
            let touched: Vec<usize> = touching(&columns, (cell.left, cell.right)).collect();
            match touched.as_slice() {
                [] => match beside(&columns, row, index) {
                    Some(near) => widen(&mut columns, near, (cell.left, cell.right)),
                    None => {
                        let at = columns.partition_point(|column| column.0 < cell.left);
                        columns.insert(at, (cell.left, cell.right));
                    }
                },
                // A cell in a row with more than half of the columns may widen its column; a heading over several
                // columns may not.
                [only] if row.cells.len() == most || row.cells.len() * 2 > columns.len() => {
                    widen(&mut columns, *only, (cell.left, cell.right));
                }
                _ => {}
            }
        }
    }
    columns
}

/// If the full rows agree, cells are assigned by position, whatever their alignment: a heading is centred over
/// left-aligned names and right-aligned numbers.
fn by_count(rows: &[&Row], most: usize) -> Option<Vec<Stretch>> {
    let mut columns = vec![(f32::MAX, f32::MIN); most];
    for row in rows {
        for (column, cell) in columns.iter_mut().zip(&row.cells) {
            *column = (column.0.min(cell.left), column.1.max(cell.right));
        }
    }
    columns.windows(2).all(|pair| pair[0].1 <= pair[1].0).then_some(columns)
}

/// The nearest column to a cell that matches none, unless another cell of its row is there.
fn beside(columns: &[Stretch], row: &Row, index: usize) -> Option<usize> {
    let cell = &row.cells[index];
    let gap = |column: &Stretch| (column.0 - cell.right).max(cell.left - column.1);
    let (near, column) = columns.iter().enumerate().min_by(|a, b| gap(a.1).total_cmp(&gap(b.1)))?;
    let taken = row.cells.iter().any(|other| other.left < column.1 && other.right > column.0);
    (!taken && gap(column) < REACH * cell.size()).then_some(near)
}

fn widen(columns: &mut [Stretch], at: usize, (left, right): Stretch) {
    let most = columns.get(at + 1).map_or(f32::MAX, |next| next.0 - 0.5);
    let least = at.checked_sub(1).map_or(f32::MIN, |before| columns[before].1 + 0.5);
    let column = &mut columns[at];
    *column = (column.0.min(left.max(least)), column.1.max(right.min(most)));
}

fn touching(columns: &[Stretch], (left, right): Stretch) -> impl Iterator<Item = usize> {
    columns.iter().enumerate().filter(move |(_, column)| column.0 < right && column.1 > left).map(|(index, _)| index)
}

/// The first and last column of each cell in `row`; no two cells share a column.
pub(super) fn taken(columns: &[Stretch], row: &Row) -> Vec<(usize, usize)> {
    if row.cells.len() == columns.len() {
        return (0..columns.len()).map(|index| (index, index)).collect();
    }
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

/// Whether the only cell of `row` lies in a single column of the rows above it.
pub(super) fn fits_one(rows: &[Row], row: &Row) -> bool {
    let columns = of(rows);
    let [cell] = row.cells.as_slice() else { return false };
    touching(&columns, (cell.left, cell.right)).count() == 1 && cell.text.chars().count() <= 60
}
