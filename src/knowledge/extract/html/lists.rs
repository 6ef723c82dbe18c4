//! Lists, with item markers as a browser shows them.

use super::{
    super::{BlockKind, numbers::number_in},
    dom::{Handle, attribute, elements, name},
    judge::has_below,
    walk::Walk,
};

/// Marker style of an open list.
pub(super) enum Marks {
    Bullets,
    Numbers { next: i64, step: i64, format: &'static str },
}

impl Walk<'_> {
    pub(super) fn open_list(&mut self, node: &Handle) {
        // A list that contains headings is page structure, not a list.
        if self.lists.is_empty() && has_below(node, &["h1", "h2", "h3", "h4", "h5", "h6"]) {
            return self.boundary();
        }
        if self.lists.is_empty() {
            self.flush();
        }
        let marks = self.marks(node);
        self.lists.push(marks);
    }

    fn marks(&self, node: &Handle) -> Marks {
        let is_ordered = name(node) == "ol";
        let style = self.opened.styles.list_marks(node).unwrap_or_default();
        let by_style = style.split_whitespace().find_map(|word| match word {
            "none" | "disc" | "circle" | "square" => Some(""),
            "decimal" => Some("decimal"),
            "decimal-leading-zero" => Some("decimalZero"),
            "lower-alpha" | "lower-latin" => Some("lowerAlphabet"),
            "upper-alpha" | "upper-latin" => Some("upperAlphabet"),
            "lower-roman" => Some("lowerRoman"),
            "upper-roman" => Some("upperRoman"),
            _ => None,
        });
        let kind = attribute(node, "type").unwrap_or_default();
        let by_type = is_ordered.then(|| match kind.trim() {
            "a" => "lowerAlphabet",
            "A" => "upperAlphabet",
            "i" => "lowerRoman",
            "I" => "upperRoman",
            _ => "decimal",
        });
        let Some(format) = by_style.or(by_type).filter(|format| !format.is_empty()) else { return Marks::Bullets };
        let is_reversed = attribute(node, "reversed").is_some();
        let items = || elements(node).iter().filter(|item| name(item) == "li").map(|_| 1).sum::<i64>();
        let start = attribute(node, "start").and_then(|start| start.trim().parse().ok());
        let next = start.unwrap_or_else(|| if is_reversed { items() } else { 1 });
        Marks::Numbers { next, step: if is_reversed { -1 } else { 1 }, format }
    }

    pub(super) fn open_item(&mut self, item: &Handle) {
        let depth = self.lists.len().saturating_sub(1);
        let own = attribute(item, "value").and_then(|value| value.trim().parse::<i64>().ok());
        self.inline.truncate(self.inline.trim_end().len());
        if !self.inline.is_empty() {
            self.inline.push('\n');
        }
        self.inline.push_str(&"  ".repeat(depth));
        match self.lists.last_mut() {
            Some(Marks::Numbers { next, step, format }) => {
                let number = own.unwrap_or(*next);
                *next = number.saturating_add(*step);
                let label = u64::try_from(number).map_or_else(|_| number.to_string(), |n| number_in(n, format));
                self.inline.extend([&label, ". "].map(|part: &str| part));
            }
            _ => self.inline.push_str("- "),
        }
        self.apart = false;
    }

    pub(super) fn close_list(&mut self) {
        if self.lists.pop().is_none() {
            return self.boundary();
        }
        if self.lists.is_empty() {
            self.end_lines(BlockKind::List);
        }
    }
}
