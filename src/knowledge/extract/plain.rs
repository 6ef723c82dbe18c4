//! Plain text: paragraphs are separated by empty lines. Source code, settings and logs keep every line.

use super::{
    BlockKind, ExtractError, Extracted, Kind, Limits,
    builder::Builder,
    decode::{decode_or_guess, tidy},
    escapes, mail, notebook,
};

/// Maximum lines of code per block without an empty line.
const LONGEST_CODE: usize = 200;

pub(super) fn extract(bytes: &[u8], limits: &Limits) -> Result<Extracted, ExtractError> {
    if mail::is_mail(bytes) {
        return mail::extract(bytes, limits);
    }
    let decoded = decode_or_guess(bytes, None);
    let mut builder = Builder::new(limits);
    append_text(&mut builder, &tidy(&decoded.text))?;
    builder.report().guessed_encoding = decoded.guessed;
    Ok(builder.finish(Kind::Text, None))
}

pub(super) fn append_text(builder: &mut Builder, text: &str) -> Result<(), ExtractError> {
    let mut paragraph = String::new();
    for line in text.split('\n') {
        if line.trim().is_empty() {
            flush(builder, &mut paragraph)?;
        } else {
            paragraph.push_str(line);
            paragraph.push('\n');
        }
    }
    flush(builder, &mut paragraph)
}

/// Joins the lines of a hard-wrapped paragraph; short or indented lines (an address, a log, a poem) are kept.
fn flush(builder: &mut Builder, paragraph: &mut String) -> Result<(), ExtractError> {
    if is_wrapped(paragraph) {
        builder.paragraph(paragraph)?;
    } else {
        builder.lines(BlockKind::Paragraph, paragraph)?;
    }
    paragraph.clear();
    Ok(())
}

/// Whether each line ends where its next word would not have fitted. Not the case in lists, tables, quotes and logs.
fn is_wrapped(paragraph: &str) -> bool {
    let lines: Vec<&str> = paragraph.lines().map(str::trim_end).collect();
    let width = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    if lines.len() < 2 || !(40..=120).contains(&width) {
        return false;
    }
    let is_prose = |line: &str| {
        let mut words = line.split(' ');
        let first = words.next().unwrap_or_default();
        // An item number or a timestamp.
        let marks = (first.ends_with(['.', ')', ':']) && first.len() <= 4)
            || first.bytes().filter(u8::is_ascii_digit).count() >= 6;
        !line.starts_with([' ', '\t', '>', '-', '*', '+', '|', '•', '–', '—', '#', '='])
            && !marks
            && !line.contains(['\t', '|'])
            && !line.trim_start().contains("   ")
    };
    let full = |pair: &[&str]| {
        let next = pair[1].split(' ').next().unwrap_or_default();
        let with_next = pair[0].chars().count() + 1 + next.chars().count();
        // Some programs wrap a little before the edge.
        with_next + 4 > width && pair[0].chars().count() >= 30
    };
    lines.iter().all(|line| is_prose(line)) && lines.windows(2).all(full)
}

/// Code, settings, logs, and unsupported markup: lines are kept as they are.
pub(super) fn extract_code(bytes: &[u8], limits: &Limits) -> Result<Extracted, ExtractError> {
    let unfolded = escapes::unfold(bytes);
    let decoded = decode_or_guess(&unfolded, None);
    let mut builder = Builder::new(limits);
    let text = tidy(&decoded.text);
    match notebook::cells(&text) {
        Some(cells) => notebook::append(&mut builder, cells, limits)?,
        None => append_code(&mut builder, &escapes::unescape(&text))?,
    }
    builder.report().guessed_encoding = decoded.guessed;
    Ok(builder.finish(Kind::Code, None))
}

/// A new block after each empty line that is followed by an unindented line.
pub(super) fn append_code(builder: &mut Builder, text: &str) -> Result<(), ExtractError> {
    let mut part = String::new();
    let (mut empty, mut count) = (false, 0);
    for line in text.split('\n') {
        let is_empty = line.trim().is_empty();
        if (empty && !is_empty && !line.starts_with([' ', '\t'])) || count >= LONGEST_CODE {
            builder.lines(BlockKind::Code, &part)?;
            part.clear();
            count = 0;
        }
        part.push_str(line);
        part.push('\n');
        count += 1;
        empty = is_empty;
    }
    builder.lines(BlockKind::Code, &part)
}
