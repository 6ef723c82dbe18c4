//! Tables as text (CSV, TSV): comma, semicolon, tab or bar between the cells, which quotes may hold together (RFC 4180).

use super::{
    ExtractError, Extracted, Kind, Limits,
    builder::Builder,
    decode::{decode_or_guess, tidy},
    plain::append_code,
    table::{Cell, Table},
};

/// Rows that the separator is judged by.
const SAMPLE_ROWS: usize = 50;

pub(super) fn extract(bytes: &[u8], limits: &Limits) -> Result<Extracted, ExtractError> {
    let decoded = decode_or_guess(bytes, None);
    let text = tidy(&decoded.text);
    let mut builder = Builder::new(limits);
    match read(&text) {
        Some(rows) => append(&mut builder, rows)?,
        None => append_code(&mut builder, &text)?,
    }
    builder.report().guessed_encoding = decoded.guessed.map(str::to_owned);
    Ok(builder.finish(Kind::Csv, None))
}

/// The rows with the separator that gives most of them the same number of cells; `None` where they have one each.
fn read(text: &str) -> Option<Vec<Vec<String>>> {
    // Excel's own way to say which separator follows.
    let (declared, text) = match text.strip_prefix("sep=").and_then(|rest| rest.split_once('\n')) {
        Some((mark, rest)) if mark.len() == 1 => (mark.bytes().next(), rest),
        _ => (None, text),
    };
    let separator = declared.or_else(|| best_separator(text))?;
    Some(rows(text, separator).collect())
}

fn best_separator(text: &str) -> Option<u8> {
    let score = |separator: u8| {
        let sample: Vec<usize> = rows(text, separator).take(SAMPLE_ROWS).map(|row| row.len()).collect();
        let width = sample.iter().copied().max_by_key(|n| sample.iter().filter(|m| **m == *n).count() * n.min(&2))?;
        let alike = sample.iter().filter(|n| **n == width).count();
        (width > 1).then_some((alike * 100 / sample.len(), width))
    };
    // With a comma in the figures a table of semicolons can look like one of commas: the others come first.
    [b'\t', b';', b'|', b',']
        .into_iter()
        .filter_map(|s| Some((score(s)?, s)))
        .max_by_key(|((alike, width), s)| (*alike >= 60, *s != b',' && *alike >= 90, *alike, *width))
        .map(|(_, separator)| separator)
}

fn rows(text: &str, separator: u8) -> impl Iterator<Item = Vec<String>> {
    let reader =
        csv::ReaderBuilder::new().delimiter(separator).has_headers(false).flexible(true).from_reader(text.as_bytes());
    // Reads from memory what is UTF-8: no error is left to come.
    reader.into_records().map_while(Result::ok).map(|record| record.iter().map(str::to_owned).collect())
}

/// A line alone above the table is its caption.
fn append(builder: &mut Builder, rows: Vec<Vec<String>>) -> Result<(), ExtractError> {
    let filled = |row: &[String]| row.iter().filter(|cell| !cell.trim().is_empty()).count();
    let preamble = rows.iter().take_while(|row| filled(row) < 2).count();
    let preamble = if preamble < rows.len() { preamble.min(10) } else { 0 };
    for row in &rows[..preamble] {
        builder.paragraph(&row.join(" "))?;
    }
    let mut table = Table::default();
    for row in rows.into_iter().skip(preamble) {
        table.row(row.into_iter().map(Cell::new));
    }
    table.header_rows = usize::from(table.first_row_has_only_words());
    builder.table(&table)
}
