//! Links: the address is written after the link text, as for Markdown, once per destination. Menus are left out as a
//! whole, with their links.

use super::{
    super::link::address_elsewhere,
    dom::{Handle, attribute},
    pieces::Piece,
    walk::Walk,
};

impl Walk<'_> {
    pub(super) fn open_link(&mut self) {
        if self.apart {
            self.separate_words();
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
        // A bare image or icon that links within the site is navigation.
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
            self.write_after(&address);
        }
    }

    pub(super) fn write_after(&mut self, address: &str) {
        let space = if self.inline.is_empty() || self.inline.ends_with([' ', '\n']) { "" } else { " " };
        self.inline.extend([space, "(", address, ")"]);
        self.apart = true;
    }

    /// Writes the addresses of links in a heading after it: in the heading they would be repeated with every block.
    pub(super) fn write_aside(&mut self) {
        let aside = std::mem::take(&mut self.aside);
        self.pieces.extend(aside.into_iter().map(Piece::Paragraph));
    }
}
