//! Blocks of a page before they go to the builder or are flattened into a table cell.

use super::super::{BlockKind, ExtractError, builder::Builder, table::Table};

pub(super) enum Piece {
    Heading(u8, String),
    Paragraph(String),
    Lines(BlockKind, String),
    Table(Table),
}

pub(super) fn emit(builder: &mut Builder, pieces: Vec<Piece>) -> Result<(), ExtractError> {
    for piece in pieces {
        match piece {
            Piece::Heading(level, text) => builder.heading(level, &text)?,
            Piece::Paragraph(text) => builder.paragraph(&text)?,
            Piece::Lines(kind, text) => builder.lines(kind, &text)?,
            Piece::Table(table) => builder.table(&table)?,
        }
    }
    Ok(())
}

/// The text of pieces in one line, for a cell.
pub(super) fn flatten(pieces: Vec<Piece>) -> String {
    let mut words: Vec<String> = Vec::new();
    for piece in pieces {
        words.push(match piece {
            Piece::Heading(_, text) | Piece::Paragraph(text) | Piece::Lines(_, text) => text,
            // Inner cells must not look like cells of the outer table.
            Piece::Table(table) => {
                table.lines().0.iter().map(|line| line.replace(" | ", ", ")).collect::<Vec<_>>().join("; ")
            }
        });
    }
    words.iter().flat_map(|text| text.split_whitespace()).collect::<Vec<_>>().join(" ")
}

pub(super) fn has_any_text(pieces: &[Piece]) -> bool {
    pieces.iter().any(|piece| match piece {
        Piece::Heading(_, text) | Piece::Paragraph(text) | Piece::Lines(_, text) => {
            text.chars().any(char::is_alphanumeric)
        }
        Piece::Table(table) => !table.is_empty(),
    })
}
