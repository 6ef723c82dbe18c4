//! Footnotes, endnotes and comments: a number at the reference, and their text after the paragraph.

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
        let format = if is_footnote { &self.note_formats.0 } else { &self.note_formats.1 };
        let label = number_in(number, format);
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

/// Number formats of footnotes and endnotes: from the last section that sets them, else from the document settings.
pub(super) fn formats(settings: Option<&Element>, body: &Element) -> (String, String) {
    let find = |name: &str, usual: &str| {
        let roots = [Some(body), settings].into_iter().flatten();
        let mut formats = roots.filter_map(|root| {
            let all = root.descendants().filter(|element| *element.name == *name);
            all.filter_map(|properties| properties.child_value("numFmt")).last()
        });
        formats.next().unwrap_or(usual).to_owned()
    };
    (find("footnotePr", "decimal"), find("endnotePr", "lowerRoman"))
}
