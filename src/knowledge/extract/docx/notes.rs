//! Footnotes, endnotes and comments: a number at their place, and their text behind the paragraph that refers to them.

use super::super::{ExtractError, numbers::number_in};
use super::{
    inline::Line,
    reader::{Piece, Reader, flatten},
    xml::Element,
};

impl Reader<'_, '_> {
    pub(super) fn note(&mut self, reference: &Element, line: &mut Line) -> Result<(), ExtractError> {
        let is_footnote = &*reference.name == "footnoteReference";
        let id = reference.attribute("id").unwrap_or_default();
        let notes = self.notes;
        let Some(note) = (if is_footnote { &notes.footnotes } else { &notes.endnotes }).get(id) else { return Ok(()) };
        let seen = if is_footnote { &mut self.seen_footnotes } else { &mut self.seen_endnotes };
        let known = seen.get(id).copied();
        let number = known.unwrap_or(seen.len() as u64 + 1);
        seen.entry(id.to_owned()).or_insert(number);
        let label = if is_footnote { number.to_string() } else { number_in(number, "lowerRoman") };
        let own_mark = matches!(reference.attribute("customMarkFollows"), Some("1" | "true" | "on"));
        if !own_mark {
            line.push(&format!("[{label}]"));
        }
        if known.is_none() {
            let pieces = self.story(note)?;
            let text = flatten(pieces, self.limits, &mut line.after);
            let label = if own_mark { String::new() } else { format!("[{label}] ") };
            line.after.push(Piece::Note(format!("{label}{text}")));
        }
        Ok(())
    }

    pub(super) fn comment(&mut self, id: &str, line: &mut Line) -> Result<(), ExtractError> {
        let notes = self.notes;
        let Some(comment) = notes.comment_places.get(id).and_then(|at| notes.comments.get(*at)) else { return Ok(()) };
        if !self.seen_comments.insert(id.to_owned()) {
            return Ok(());
        }
        let pieces = self.story(comment)?;
        let text = flatten(pieces, self.limits, &mut line.after);
        if !text.trim().is_empty() {
            self.found.comments += 1;
            let author = comment.attribute("author").unwrap_or_default();
            line.after.push(Piece::Note(format!("[Comment {author}: {}]", text.trim())));
        }
        Ok(())
    }
}
