//! Plain text: paragraphs are what empty lines separate.

use super::{BlockKind, ExtractError, Extracted, Kind, Limits, builder::Builder, decode::decode};

pub(super) fn extract(bytes: &[u8], limits: &Limits) -> Result<Extracted, ExtractError> {
    let text = decode(bytes, None).replace("\r\n", "\n").replace('\r', "\n").replace('\u{c}', "\n\n");
    let mut builder = Builder::new(limits);
    let mut paragraph = String::new();
    for line in text.split('\n') {
        if line.trim().is_empty() {
            flush(&mut builder, &mut paragraph)?;
        } else {
            paragraph.push_str(line);
            paragraph.push('\n');
        }
    }
    flush(&mut builder, &mut paragraph)?;
    builder.finish(Kind::Text, None)
}

/// A paragraph wrapped by hand flows; one of short or indented lines (an address, a log, a poem) keeps its lines.
fn flush(builder: &mut Builder, paragraph: &mut String) -> Result<(), ExtractError> {
    let lines = paragraph.lines().count();
    let wrapped = paragraph.lines().take(lines.saturating_sub(1)).all(|line| {
        let width = line.trim_end().chars().count();
        (50..=120).contains(&width) && !line.starts_with([' ', '\t'])
    });
    if lines == 1 || wrapped {
        builder.paragraph(paragraph)?;
    } else {
        builder.lines(BlockKind::Paragraph, paragraph)?;
    }
    paragraph.clear();
    Ok(())
}
