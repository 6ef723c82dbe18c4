//! Groups glyphs into fragments (parts of a line without a wide gap), in reading order.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use super::{
    layout::Fragment,
    right_to_left::{is_right_to_left, logical},
    scene::Glyph,
};

/// In em. LaTeX's word gaps are at least 0.22 em; kerning stays below 0.1.
const WORD_GAP: f32 = 0.16;
/// In em. Gaps before cells and after list markers are wider, those in justified text narrower.
const CELL_GAP: f32 = 0.95;

/// The vertical rules of a page, sorted by x.
#[derive(Debug, Default)]
pub(super) struct Rules {
    sorted: Vec<(f32, f32, f32)>,
}

impl Rules {
    /// `lines`: (x, bottom, top).
    pub(super) fn new(mut lines: Vec<(f32, f32, f32)>) -> Self {
        lines.sort_by(|a, b| a.0.total_cmp(&b.0));
        Rules { sorted: lines }
    }

    /// Whether there is a rule between `left` and `right` at height `y`.
    fn part(&self, left: f32, right: f32, y: f32) -> bool {
        let from = self.sorted.partition_point(|rule| rule.0 < left - 0.5);
        let mut between = self.sorted[from..].iter().take_while(|rule| rule.0 <= right + 0.5);
        between.any(|(_, bottom, top)| *bottom <= y && y <= *top)
    }
}

/// A character with its combining marks, on its line.
struct Item {
    text: String,
    left: f32,
    right: f32,
}

impl Item {
    fn is_space(&self) -> bool {
        self.text.chars().all(char::is_whitespace)
    }

    fn is_letter(&self) -> bool {
        self.is_space() || self.text.chars().all(|c| c.is_alphabetic() || is_combining_mark(c))
    }
}

struct Run {
    items: Vec<Item>,
    left: f32,
    right: f32,
    first_y: f32,
    y: f32,
    size: f32,
    bold: bool,
    angle: i16,
    artifact: bool,
    right_to_left: bool,
    weight: usize,
}

/// Groups glyphs in content stream order; unknown characters become one U+FFFD per word. Fragments do not cross the
/// vertical `rules`.
pub(super) fn fragments<'a>(glyphs: impl Iterator<Item = &'a Glyph>, rules: &Rules) -> Vec<Fragment> {
    let mut runs: Vec<Run> = Vec::new();
    for glyph in glyphs {
        let (angle, left, y) = place(glyph);
        let right = left + glyph.advance;
        let text = glyph.text.as_deref().unwrap_or("\u{fffd}");
        if text.is_empty() {
            continue;
        }
        let text = readable(text);
        if let Some(run) = runs.last_mut()
            && run.continues(angle, left, right, y, glyph.size, &text)
            && !(angle == 0 && rules.part(run.right, left, y + 0.3 * glyph.size))
        {
            run.push(text, left, right, y, glyph);
            continue;
        }
        if text.chars().all(char::is_whitespace) {
            continue;
        }
        let mut run = Run {
            items: Vec::new(),
            left,
            right,
            first_y: y,
            y,
            size: glyph.size,
            bold: true,
            angle,
            artifact: glyph.artifact,
            right_to_left: false,
            weight: 0,
        };
        run.push(text, left, right, y, glyph);
        runs.push(run);
    }
    join_right_to_left(runs).into_iter().filter_map(Run::finish).collect()
}

/// The reading angle in degrees, and the glyph's position in the frame rotated by it.
fn place(glyph: &Glyph) -> (i16, f32, f32) {
    let (dx, dy) = glyph.direction;
    let angle = dy.atan2(dx).to_degrees();
    let quarter = (angle / 90.0).round() * 90.0;
    // Scans are slightly skewed, each line by its own angle.
    let angle = if (angle - quarter).abs() < 7.0 { quarter } else { angle.round() };
    #[expect(clippy::cast_possible_truncation, reason = "whole degrees")]
    let (sin, cos) = match angle as i32 {
        0 => (0.0, 1.0),
        90 => (1.0, 0.0),
        180 | -180 => (0.0, -1.0),
        -90 => (-1.0, 0.0),
        _ => angle.to_radians().sin_cos(),
    };
    #[expect(clippy::cast_possible_truncation, reason = "degrees")]
    let whole = if angle <= -180.0 { 180 } else { angle as i16 };
    (whole, glyph.x * cos + glyph.y * sin, glyph.y * cos - glyph.x * sin)
}

/// Normalises Arabic presentation forms to letters.
fn readable(text: &str) -> String {
    if text.chars().any(|c| matches!(c, '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}')) {
        return text.nfkc().filter(|c| *c != ' ').collect();
    }
    text.to_owned()
}

impl Run {
    fn same_line(&self, y: f32, size: f32) -> bool {
        (self.y - y).abs() < 0.5 * self.size.max(size) && (self.first_y - y).abs() < 4.0 * self.size
    }

    fn continues(&self, angle: i16, left: f32, right: f32, y: f32, size: f32, text: &str) -> bool {
        if self.angle != angle || !self.same_line(y, size) {
            return false;
        }
        let near = |gap: f32| gap > -0.5 * self.size && gap < CELL_GAP * self.size;
        let trailing = self.items.last().is_some_and(Item::is_space);
        let reach = if trailing { self.right - 0.25 * self.size } else { self.right };
        let backwards = self.right_to_left || text.chars().any(is_right_to_left);
        let mark = text.chars().all(is_combining_mark);
        near(left - reach)
            || (backwards && near(self.left - right))
            || (mark && left > self.left && right < self.right + size)
    }

    fn push(&mut self, text: String, left: f32, right: f32, y: f32, glyph: &Glyph) {
        let narrow = glyph.advance.abs() < 0.02 * glyph.size;
        let space = text.chars().all(char::is_whitespace);
        self.left = self.left.min(left);
        self.right = self.right.max(right);
        if !space {
            self.right_to_left |= text.chars().any(is_right_to_left);
            self.bold &= glyph.bold;
            self.weight += 1;
            // Superscripts and subscripts do not move the baseline.
            if glyph.size >= 0.8 * self.size {
                self.y = y;
            }
            self.size = self.size.max(glyph.size);
        }
        if let Some(last) = self.items.last_mut().filter(|last| !last.is_space()) {
            if text.chars().all(is_combining_mark) || (narrow && !space) {
                last.text.push_str(&text);
                return;
            }
            // TeX draws an accent before the letter below it.
            if let Some(mark) = accent(&last.text).filter(|_| left < last.right - 0.3 * (last.right - last.left)) {
                last.text = format!("{text}{mark}");
                last.right = right.max(last.right);
                return;
            }
            if last.text == "\u{fffd}" && text == "\u{fffd}" && left - last.right < WORD_GAP * self.size {
                last.right = right;
                return;
            }
        }
        self.items.push(Item { text, left, right });
    }

    fn finish(mut self) -> Option<Fragment> {
        let visible = |item: &&Item| !item.is_space();
        let (first, last) = (self.items.iter().find(visible)?, self.items.iter().rfind(visible)?);
        let (left, right) = (first.left.min(last.left), first.right.max(last.right));
        // A soft hyphen painted within a line is a real hyphen.
        if let Some((_, inner)) = self.items.split_last_mut() {
            for item in inner.iter_mut().filter(|item| item.text == "\u{ad}") {
                "-".clone_into(&mut item.text);
            }
        }
        if self.right_to_left {
            self.items.sort_by(|a, b| a.left.total_cmp(&b.left));
        }
        let (mut text, mut words) = self.spell();
        if self.right_to_left {
            text = logical(&self.pieces());
            words.clear();
        }
        if !text.contains(|c: char| !c.is_whitespace() && c != '\u{fffd}') && text.trim() != "\u{fffd}" {
            "\u{fffd}".clone_into(&mut text);
        }
        Some(Fragment {
            text,
            left,
            right,
            y: self.first_y,
            size: self.size.max(1.0),
            bold: self.bold,
            angle: self.angle,
            artifact: self.artifact,
            words,
            notes: Vec::new(),
        })
    }

    /// The items in visual order, with spaces at gaps.
    fn pieces(&self) -> Vec<String> {
        let gaps: Vec<f32> = self.items.windows(2).map(|pair| pair[1].left - pair[0].right).collect();
        let least = self.word_gap(&gaps);
        let mut pieces: Vec<String> = Vec::new();
        for (index, item) in self.items.iter().enumerate() {
            let before = index.checked_sub(1).map(|before| (&self.items[before], gaps[before]));
            if before.is_some_and(|(before, gap)| gap > least && !before.is_space()) && !item.is_space() {
                pieces.push(" ".to_owned());
            }
            pieces.push(item.text.clone());
        }
        pieces
    }

    /// The text with spaces at gaps, and the ends of each word.
    fn spell(&self) -> (String, Vec<(f32, f32)>) {
        let gaps: Vec<f32> = self.items.windows(2).map(|pair| pair[1].left - pair[0].right).collect();
        let least = self.word_gap(&gaps);
        let (mut text, mut words) = (String::new(), Vec::<(f32, f32)>::new());
        for (index, item) in self.items.iter().enumerate() {
            let before = index.checked_sub(1).map(|before| (&self.items[before], gaps[before]));
            if before.is_some_and(|(before, gap)| gap > least && !before.is_space()) && !item.is_space() {
                text.push(' ');
            }
            if !item.is_space() && (text.is_empty() || text.ends_with(char::is_whitespace)) {
                words.push((item.left, item.right));
            } else if let Some(word) = words.last_mut().filter(|_| !item.is_space()) {
                word.1 = word.1.max(item.right);
            }
            text.push_str(&item.text);
        }
        match close_spaced_letters(&text) {
            Some(closed) => (closed, Vec::new()),
            None => (text, words),
        }
    }

    fn is_row_of_numbers(&self) -> bool {
        let mut items = self.items.iter().filter(|item| !item.is_space());
        items.all(|item| item.text.bytes().all(|b| b.is_ascii_digit()))
    }

    /// The minimum word gap. If nearly all letters are apart, the line is letter-spaced.
    fn word_gap(&self, gaps: &[f32]) -> f32 {
        let usual = WORD_GAP * self.size;
        let inner: Vec<f32> = (gaps.iter().zip(self.items.windows(2)))
            .filter(|(_, pair)| !pair[0].is_space() && !pair[1].is_space())
            .map(|(gap, _)| *gap)
            .collect();
        if self.is_row_of_numbers() {
            // Axis labels are as close as letters, but the digits of one number are closer.
            let (close, apart) = (0.02 * self.size, 0.05 * self.size);
            if inner.iter().any(|gap| *gap < close) && inner.iter().all(|gap| *gap < close || *gap > apart) {
                return apart.min(usual);
            }
        }
        let wide = inner.iter().filter(|gap| **gap > usual).count();
        if inner.len() < 4 || wide * 10 < inner.len() * 7 {
            return usual;
        }
        let mut sorted = inner;
        sorted.sort_unstable_by(f32::total_cmp);
        let (median, widest) = (sorted[sorted.len() / 2], sorted[sorted.len() - 1]);
        let least = median + (0.12 * self.size).max(0.3 * median);
        let two_kinds = widest > least;
        // Spaces separate the words, or the whole line is one word: at least five evenly spaced letters.
        let spaced = self.items.iter().any(Item::is_space);
        let alike = sorted[0] > 0.8 * median && self.items.iter().all(Item::is_letter);
        if median < 0.3 * self.size || two_kinds || spaced || alike { least } else { usual }
    }
}

/// `H e l l o   w o r l d`: single spaces between letters, more between words.
fn close_spaced_letters(text: &str) -> Option<String> {
    let words: Vec<&str> = text.trim().split("  ").map(str::trim).filter(|word| !word.is_empty()).collect();
    let letters = |word: &&&str| word.split(' ').count() > 1 && word.split(' ').all(|part| part.chars().count() == 1);
    let spaced = words.iter().filter(letters).count();
    (words.len() > 1 && spaced * 2 > words.len() && text.len() >= 8).then(|| {
        let close = |word: &&str| if letters(&word) { word.replace(' ', "") } else { (*word).to_owned() };
        words.iter().map(close).collect::<Vec<_>>().join(" ")
    })
}

fn accent(text: &str) -> Option<char> {
    Some(match text {
        "´" => '\u{301}',
        "`" => '\u{300}',
        "¨" => '\u{308}',
        "ˆ" => '\u{302}',
        "˜" => '\u{303}',
        "¯" => '\u{304}',
        "˘" => '\u{306}',
        "˙" => '\u{307}',
        "˚" => '\u{30a}',
        "¸" => '\u{327}',
        "ˇ" => '\u{30c}',
        "˝" => '\u{30b}',
        _ => return None,
    })
}

/// Joins right-to-left runs: words, and numbers within them, are separate runs.
fn join_right_to_left(runs: Vec<Run>) -> Vec<Run> {
    let mut out: Vec<Run> = Vec::new();
    for next in runs {
        if let Some(last) = out.last_mut()
            && (last.right_to_left || next.right_to_left)
            && last.angle == next.angle
            && last.same_line(next.first_y, next.size)
        {
            let gap = (next.left - last.right).max(last.left - next.right);
            let inside = next.left >= last.left && next.right <= last.right;
            if gap < CELL_GAP * last.size && (gap > -0.5 * last.size || inside) {
                last.left = last.left.min(next.left);
                last.right = last.right.max(next.right);
                last.size = last.size.max(next.size);
                last.bold &= next.bold;
                last.right_to_left = true;
                last.weight += next.weight;
                last.items.extend(next.items);
                continue;
            }
        }
        out.push(next);
    }
    out
}
