//! Delimited text tables (CSV, TSV): cells separated by comma, semicolon, tab or bar, optionally quoted (RFC 4180).

use super::{
    ExtractError, Extracted, Kind, Limits,
    builder::Builder,
    decode::{decode_or_guess, tidy},
    plain::append_code,
    table::{Cell, Table},
};

/// Number of rows used to detect the separator.
const SAMPLE_ROWS: usize = 50;
/// After this many unclosed quotes, quotes are treated as text in the rest of the file.
const MAX_STRAY: usize = 100;

pub(super) fn extract(bytes: &[u8], limits: &Limits) -> Result<Extracted, ExtractError> {
    let decoded = decode_or_guess(bytes, None);
    let text = tidy(&decoded.text);
    let mut builder = Builder::new(limits);
    append(&mut builder, &text)?;
    builder.report().guessed_encoding = decoded.guessed;
    Ok(builder.finish(Kind::Csv, None))
}

pub(super) fn append(builder: &mut Builder, text: &str) -> Result<(), ExtractError> {
    match read(text) {
        Some(rows) => append_rows(builder, rows),
        None => append_code(builder, text),
    }
}

/// The rows, split at the separator that gives the most consistent number of cells; `None` if all rows have one cell.
fn read(text: &str) -> Option<Vec<Vec<String>>> {
    // Excel's way to declare the separator.
    let (declared, text) = match text.strip_prefix("sep=").and_then(|rest| rest.split_once('\n')) {
        Some((mark, rest)) if mark.len() == 1 => (mark.bytes().next(), rest),
        _ => (None, text),
    };
    let separator = declared.or_else(|| best_separator(text))?;
    // Some programs write a space before a quote, which the standard does not allow.
    let (spaced, tight) = (format!("{} \"", char::from(separator)), format!("{}\"", char::from(separator)));
    if text.contains(&spaced) && !text.contains(&tight) {
        return Some(rows(&text.replace(&spaced, &tight), separator).collect());
    }
    Some(rows(text, separator).collect())
}

fn best_separator(text: &str) -> Option<u8> {
    let score = |separator: u8| {
        let sample: Vec<usize> = rows(text, separator).take(SAMPLE_ROWS).map(|row| row.len()).collect();
        let width = sample.iter().copied().max_by_key(|n| sample.iter().filter(|m| **m == *n).count() * n.min(&2))?;
        let alike = sample.iter().filter(|n| **n == width).count();
        (width > 1).then_some((alike * 100 / sample.len(), width))
    };
    // With decimal commas a semicolon table can look like a comma table, so the comma comes last.
    [b'\t', b';', b'|', b',']
        .into_iter()
        .filter_map(|s| Some((score(s)?, s)))
        .max_by_key(|((alike, width), s)| (*alike >= 60, *s != b',' && *alike >= 90, *alike, *width))
        .map(|(_, separator)| separator)
}

fn rows(text: &str, separator: u8) -> impl Iterator<Item = Vec<String>> {
    // The number of cells in the first row, and the number of stray quotes found.
    let (mut width, mut stray) = (None, 0);
    let mut records = records(text, separator, true);
    let mut start = 0;
    std::iter::from_fn(move || {
        let record = records.next()?;
        let at = start + record.position().map_or(0, |position| usize::try_from(position.byte()).unwrap_or(0));
        let width = *width.get_or_insert(record.len());
        if stray > MAX_STRAY || !swallows_rows(&record, width, separator, text) {
            return Some(record.iter().map(str::to_owned).collect());
        }
        stray += 1;
        let rest = text.get(at..)?.trim_start_matches(['\n', '\r']);
        let (line, behind) = rest.split_once('\n').unwrap_or((rest, ""));
        start = text.len() - behind.len();
        // After so many, the rest of the file does not use quoting.
        records = self::records(behind, separator, stray <= MAX_STRAY);
        self::records(line, separator, false).next().map(|record| record.iter().map(str::to_owned).collect())
    })
}

/// Whether a quote at the start of a cell is unclosed, or only closed many rows below: then it is text.
fn swallows_rows(record: &csv::StringRecord, width: usize, separator: u8, text: &str) -> bool {
    let is_row = |line: &&str| width > 1 && line.matches(char::from(separator)).count() + 1 >= width;
    record.iter().any(|cell| cell.contains('\n') && cell.lines().skip(1).filter(is_row).count() > 1)
        || record.iter().next_back().is_some_and(|cell| {
            // Runs to the end of the file without a closing quote.
            cell.contains('\n') && text.trim_end().ends_with(cell.trim_end()) && !cell.trim_end().ends_with('"')
        })
}

fn records(text: &str, separator: u8, quoting: bool) -> impl Iterator<Item = csv::StringRecord> + use<'_> {
    let reader = csv::ReaderBuilder::new()
        .delimiter(separator)
        .has_headers(false)
        .flexible(true)
        .quoting(quoting)
        .from_reader(text.as_bytes());
    // UTF-8 in memory: no errors can occur.
    reader.into_records().map_while(Result::ok)
}

/// A line above the table with a single cell is its caption.
fn append_rows(builder: &mut Builder, rows: Vec<Vec<String>>) -> Result<(), ExtractError> {
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
