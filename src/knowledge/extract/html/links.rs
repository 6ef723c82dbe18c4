//! Links of a page: where they lead stands behind their text, as a reader of Markdown's has it, and once for each
//! destination. Menus are left out as a whole and say none. And text that is struck out, which is shown and holds no more.

use super::{
    super::link::address_elsewhere,
    dom::{Handle, attribute, name},
    pieces::Piece,
    walk::Walk,
};

impl Walk<'_> {
    pub(super) fn open_link(&mut self) {
        if self.apart {
            self.part_words();
        }
        self.links.push((self.inline.len(), self.pieces.len()));
    }

    pub(super) fn close_link(&mut self, node: &Handle) {
        self.apart = true;
        let Some((start, pieces)) = self.links.pop() else { return };
        let is_line = pieces == self.pieces.len();
        let text = if is_line { self.inline.get(start..).unwrap_or_default().trim() } else { "" };
        let destination = attribute(node, "href").unwrap_or_default();
        let address = address_elsewhere(&destination, text);
        // A bare picture or icon that leads to another page of the site is a part of its menus.
        let says_nothing = is_line && text.is_empty() && !address.contains(':');
        if address.is_empty() || says_nothing || self.pre > 0 || self.keep_furniture {
            return;
        }
        let said = if self.headings > 0 && !text.is_empty() { format!("{text} ({address})") } else { address.clone() };
        if !self.explained.insert(address.clone()) {
            return;
        }
        if self.headings > 0 || !self.scripts.is_empty() {
            self.aside.push(said);
        } else {
            self.say_behind(&address);
        }
    }

    pub(super) fn say_behind(&mut self, address: &str) {
        let space = if self.inline.is_empty() || self.inline.ends_with([' ', '\n']) { "" } else { " " };
        self.inline.extend([space, "(", address, ")"]);
        self.apart = true;
    }

    /// Behind a heading, whose path stands above each block: addresses would be in the way there.
    pub(super) fn say_aside(&mut self) {
        let aside = std::mem::take(&mut self.aside);
        self.pieces.extend(aside.into_iter().map(Piece::Paragraph));
    }

    pub(super) fn part_struck(&mut self) {
        if self.apart {
            self.part_words();
        }
    }

    /// Struck text is shown beside what stands for it now, and marked as Markdown does it.
    pub(super) fn end_struck(&mut self) {
        let Some((start, pieces)) = self.struck.pop() else { return };
        self.apart = true;
        if pieces != self.pieces.len() || self.pre > 0 || !self.struck.is_empty() {
            return;
        }
        let Some(text) = self.inline.get(start..).filter(|text| !text.trim().is_empty() && !text.contains('\n')) else {
            return;
        };
        let marked = format!("~~{}~~", text.trim());
        let (before, after) = (text.starts_with(' '), text.ends_with(' '));
        self.inline.truncate(start);
        self.inline.push_str(if before { " " } else { "" });
        self.inline.push_str(&marked);
        self.inline.push_str(if after { " " } else { "" });
    }
}

pub(super) fn is_struck(node: &Handle) -> bool {
    let style = || attribute(node, "style").unwrap_or_default().to_ascii_lowercase();
    match name(node) {
        "s" | "strike" | "del" => true,
        "span" | "font" | "b" | "i" | "em" | "strong" => style().contains("line-through"),
        _ => false,
    }
}
