//! Struck-out text: kept beside its replacement, but marked as in Markdown, because it is no longer valid.

use super::{
    dom::{Handle, attribute, name},
    walk::Walk,
};

impl Walk<'_> {
    pub(super) fn start_struck(&mut self) {
        if self.apart {
            self.separate_words();
        }
        self.struck.push((self.inline.len(), self.pieces.len()));
    }

    pub(super) fn end_struck(&mut self) {
        self.apart = true;
        // Nested struck text is marked only once.
        if self.struck.len() == 1 && self.pre == 0 {
            self.mark_struck(!self.lists.is_empty());
        }
        self.struck.pop();
    }

    /// Takes the current text, struck out from its start; it may span paragraphs and whole lists.
    pub(super) fn take_line(&mut self, is_list: bool) -> String {
        if !self.struck.is_empty() && self.pre == 0 {
            self.mark_struck(is_list);
        }
        for start in &mut self.struck {
            *start = (0, self.pieces.len());
        }
        std::mem::take(&mut self.inline)
    }

    fn mark_struck(&mut self, is_list: bool) {
        let Some((start, pieces)) = self.struck.first().copied() else { return };
        let start = if pieces == self.pieces.len() { start.min(self.inline.len()) } else { 0 };
        let text = self.inline.split_off(start);
        for (at, line) in text.split_inclusive('\n').enumerate() {
            let is_whole = at > 0 || self.inline.is_empty() || self.inline.ends_with('\n');
            let mark = if is_whole && is_list { mark_length(line) } else { 0 };
            let (mark, line) = line.split_at(mark);
            let words = line.trim();
            let before = &line[..line.len() - line.trim_start().len()];
            let after = &line[before.len() + words.len()..];
            let sign = if words.is_empty() { "" } else { "~~" };
            self.inline.extend([mark, before, sign, words, sign, after]);
        }
    }
}

/// Bytes of an item's indentation and marker.
fn mark_length(line: &str) -> usize {
    let indent = line.len() - line.trim_start().len();
    line[indent..].find(' ').map_or(0, |at| indent + at + 1)
}

pub(super) fn is_struck(node: &Handle) -> bool {
    let style = || attribute(node, "style").unwrap_or_default().to_ascii_lowercase();
    match name(node) {
        "s" | "strike" | "del" => true,
        "span" | "font" | "b" | "i" | "em" | "strong" => style().contains("line-through"),
        _ => false,
    }
}
