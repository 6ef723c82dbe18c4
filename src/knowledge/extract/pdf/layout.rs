//! From fragments (parts of a line) to headings, paragraphs, lists and tables.
//!
//! Lengths are in points; y grows upwards; an em is the font size.

use std::collections::HashMap;

use super::{super::table::Table, table, words::Words};

/// A part of a line: characters on one baseline without a wide gap.
#[derive(Debug, Clone, Default)]
pub(super) struct Fragment {
    pub(super) text: String,
    pub(super) left: f32,
    pub(super) right: f32,
    /// Baseline.
    pub(super) y: f32,
    pub(super) size: f32,
    pub(super) bold: bool,
    /// Rotation of its line in degrees; `left` and `y` are in the rotated frame.
    pub(super) angle: i16,
    /// Marked as an artifact (14.8.2.2), which is not reliable.
    pub(super) artifact: bool,
    /// Left and right end of each word, if known.
    pub(super) words: Vec<(f32, f32)>,
    /// Texts of annotations at this place.
    pub(super) notes: Vec<String>,
}

impl Fragment {
    pub(super) fn same_line(&self, y: f32) -> bool {
        (self.y - y).abs() < 0.5 * self.size
    }
}

#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) fragments: Vec<Fragment>,
    pub(super) bottom: f32,
    pub(super) top: f32,
}

impl Page {
    /// Text flows down, or back up to the right (a column, a cell). A stream that often goes up without going right has
    /// its own order.
    pub(super) fn is_disordered(&self) -> bool {
        let back = |pair: &[Fragment]| {
            let (before, after) = (&pair[0], &pair[1]);
            let up = after.y > before.y + 1.5 * before.size && after.left < before.right;
            let backwards = before.same_line(after.y) && after.right < before.left;
            before.angle == after.angle && (up || backwards)
        };
        let bad = self.fragments.windows(2).filter(|pair| back(pair)).count();
        self.fragments.len() >= 6 && bad * 5 > self.fragments.len()
    }
}

pub(super) enum Part {
    Heading(u8, String),
    Paragraph(String),
    List(String),
    Table(Table),
}

/// Font size of body text, and heading sizes, largest first.
pub(super) struct HeadingSizes {
    body: f32,
    larger: Vec<f32>,
}

impl HeadingSizes {
    pub(super) fn of(pages: &[Page]) -> Self {
        let mut weight: HashMap<i32, usize> = HashMap::new();
        let fragments = || pages.iter().flat_map(|page| &page.fragments);
        #[expect(clippy::cast_possible_truncation, reason = "font sizes in half points")]
        let half_points = |size: f32| (size * 2.0).round() as i32;
        for fragment in fragments() {
            *weight.entry(half_points(fragment.size)).or_default() += fragment.text.len();
        }
        let body = weight.iter().max_by_key(|(_, chars)| **chars).map_or(20, |(size, _)| *size) as f32 / 2.0;
        let mut larger: Vec<i32> = fragments().filter(|f| is_large(f, body)).map(|f| half_points(f.size)).collect();
        larger.sort_unstable_by(|a, b| b.cmp(a));
        larger.dedup();
        HeadingSizes { body, larger: larger.into_iter().map(|size| size as f32 / 2.0).collect() }
    }

    /// Heading level 1 to 6, or `None` for body text.
    fn level(&self, line: &Fragment, text: &str) -> Option<u8> {
        let letters = text.chars().filter(|c| c.is_alphabetic()).count();
        let set_off = is_large(line, self.body)
            || (line.bold && line.size >= 0.95 * self.body && !text.ends_with(['.', ',', ';', ':']) && letters < 100);
        if !set_off || letters < 2 || text.len() > 400 {
            return None;
        }
        let rank = self.larger.iter().position(|size| (size - line.size).abs() < 0.3).unwrap_or(self.larger.len());
        Some(u8::try_from(rank + 1).unwrap_or(6).min(6))
    }
}

/// Authors and dates are often slightly larger than body text; headings of that size are bold.
fn is_large(fragment: &Fragment, body: f32) -> bool {
    fragment.size >= 1.25 * body || (fragment.bold && fragment.size >= 1.08 * body)
}

pub(super) fn parts(page: &Page, sizes: &HeadingSizes, words: &Words) -> Vec<Part> {
    let mut parts = Vec::new();
    for region in table::regions(&page.fragments) {
        match region {
            table::Region::Table(table, notes) => {
                parts.push(Part::Table(table));
                parts.extend(notes.into_iter().map(Part::Paragraph));
            }
            table::Region::Flow(fragments) => flow(&fragments, sizes, words, &mut parts),
        }
    }
    parts
}

/// Merges the fragments of each line.
fn lines(fragments: &[Fragment]) -> Vec<Fragment> {
    let mut lines: Vec<Fragment> = Vec::new();
    for fragment in fragments {
        match lines.last_mut() {
            Some(last)
                if last.angle == fragment.angle
                    && last.same_line(fragment.y)
                    && fragment.left >= last.right - 0.5 * last.size =>
            {
                last.text.push(' ');
                last.text.push_str(&fragment.text);
                last.right = fragment.right;
                last.bold &= fragment.bold;
                last.notes.extend(fragment.notes.iter().cloned());
            }
            _ => lines.push(fragment.clone()),
        }
    }
    lines
}

fn flow(fragments: &[Fragment], sizes: &HeadingSizes, words: &Words, parts: &mut Vec<Part>) {
    let lines = lines(fragments);
    let edge = lines.iter().map(|line| line.right).fold(0.0, f32::max);
    let mut start = 0;
    for end in 1..=lines.len() {
        if end < lines.len() && !breaks(&lines[start..end], &lines[end], edge, sizes) {
            continue;
        }
        let paragraph = &lines[start..end];
        let text = words.join(paragraph.iter().map(|line| line.text.as_str()));
        start = end;
        let notes: Vec<String> = paragraph.iter().flat_map(|line| line.notes.iter().cloned()).collect();
        let level = sizes.level(&paragraph[0], &text).filter(|_| paragraph.len() <= 3);
        // A large "1. Introduction" is a heading, a bold "1. First" may be a list item.
        let item = list_item(&text).filter(|_| level.is_none() || !is_large(&paragraph[0], sizes.body));
        if let Some(item) = item {
            match parts.last_mut() {
                Some(Part::List(list)) => {
                    list.push('\n');
                    list.push_str(&item);
                }
                _ => parts.push(Part::List(item)),
            }
        } else if let Some(level) = level {
            parts.push(Part::Heading(level, text));
        } else {
            parts.push(Part::Paragraph(text));
        }
        parts.extend(notes.into_iter().map(Part::Paragraph));
    }
}

/// Whether `next` starts a new paragraph after the lines `paragraph`.
fn breaks(paragraph: &[Fragment], next: &Fragment, edge: f32, sizes: &HeadingSizes) -> bool {
    let Some(last) = paragraph.last() else { return false };
    let big = |line: &Fragment| is_large(line, sizes.body);
    if (last.size - next.size).abs() > 0.1 * last.size || (last.bold != next.bold && (big(last) || last.bold)) {
        return true;
    }
    if marker(&next.text).is_some() {
        return true;
    }
    let down = last.y - next.y;
    let begins_sentence = next.text.trim_start().chars().next().is_none_or(|c| !c.is_lowercase());
    if down < 0.0 {
        // Back up means the next column, in which a sentence may continue.
        return begins_sentence || ends_sentence(&last.text);
    }
    // Text after a list marker is indented, and lines of a paragraph are evenly spaced.
    let leading = if paragraph.len() > 1 { paragraph[paragraph.len() - 2].y - last.y } else { 1.6 * last.size };
    if down > 1.3 * leading.max(1.1 * last.size) {
        return true;
    }
    let hangs = marker(&paragraph[0].text).is_some();
    let indented = next.left > last.left + 0.8 * last.size && !hangs;
    let column = (edge.min(last.right.max(next.right).max(paragraph[0].right)) - last.left).max(1.0);
    let short = last.right < last.left + 0.75 * column && begins_sentence && ends_sentence(&last.text);
    (indented && begins_sentence) || short
}

fn ends_sentence(text: &str) -> bool {
    text.trim_end_matches([' ', '"', '»', '”', ')']).ends_with(['.', '!', '?', ':', '…'])
}

/// Byte length of a bullet or number at the start of a list item, with the space after it.
fn marker(text: &str) -> Option<usize> {
    let text_start = text.len() - text.trim_start().len();
    let rest = &text[text_start..];
    let (head, tail) = rest.split_once(' ')?;
    let bullet = matches!(
        head,
        "•" | "◦" | "▪" | "‣" | "–" | "—" | "-" | "*" | "\u{f0b7}" | "\u{f0a7}" | "\u{2212}" | "●" | "○" | "■"
    );
    let number = head.strip_suffix(['.', ')']).is_some_and(|n| {
        let n = n.trim_start_matches('(');
        (!n.is_empty() && n.len() <= 3 && n.bytes().all(|b| b.is_ascii_digit()))
            || (head.ends_with(')') && n.chars().count() == 1)
    });
    (bullet || number).then(|| text.len() - tail.len())
}

fn list_item(text: &str) -> Option<String> {
    let at = marker(text)?;
    let head = text[..at].trim();
    let head = if head.ends_with(['.', ')']) { head } else { "-" };
    Some(format!("{head} {}", text[at..].trim()))
}
