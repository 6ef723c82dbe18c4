//! Right-to-left scripts (Hebrew, Arabic): from visual to logical order.

use unicode_normalization::char::is_combining_mark;

use super::layout::Fragment;

pub(super) fn is_right_to_left(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}')
        && !c.is_numeric()
        && !is_combining_mark(c)
}

/// Whether most letters of a page are right-to-left.
pub(super) fn is_mostly_right_to_left(fragments: &[Fragment]) -> bool {
    let (mut left, mut all) = (0usize, 0usize);
    for c in fragments.iter().flat_map(|fragment| fragment.text.chars()).filter(|c| c.is_alphabetic()) {
        all += 1;
        left += usize::from(is_right_to_left(c));
    }
    left * 2 > all
}

/// Mirrors a right-to-left page horizontally, so that its first column is on the left and later steps need no special
/// case. The words themselves are already in logical order.
pub(super) fn mirror(fragments: &mut [Fragment]) {
    for fragment in fragments {
        (fragment.left, fragment.right) = (-fragment.right, -fragment.left);
        fragment.words.clear();
    }
}

/// Converts visual order (left to right) to logical order.
///
/// The text of a single glyph is kept: the letters of a ligature are already in logical order.
pub(super) fn logical(visual: &[String]) -> String {
    #[derive(Clone, Copy, PartialEq)]
    enum Side {
        Left,
        Right,
        Number,
        None,
    }
    let mut clusters = visual.to_vec();
    let side = |cluster: &String| match cluster.chars().next() {
        Some(c) if is_right_to_left(c) => Side::Right,
        Some(c) if c.is_numeric() => Side::Number,
        Some(c) if c.is_alphabetic() => Side::Left,
        _ => Side::None,
    };
    let mut sides: Vec<Side> = clusters.iter().map(side).collect();
    // "3.5", "12:30", "50%": punctuation within or next to a number belongs to it.
    for index in 0..sides.len() {
        let number = |at: Option<usize>| at.and_then(|at| sides.get(at)).is_some_and(|side| *side == Side::Number);
        let (before, after) = (number(index.checked_sub(1)), number(Some(index + 1)));
        let joint = matches!(clusters[index].as_str(), "." | "," | ":" | "/" | "-" | "−" | "+") && before && after;
        let sign = matches!(clusters[index].as_str(), "%" | "$" | "€" | "°") && (before || after);
        if sides[index] == Side::None && (joint || sign) {
            sides[index] = Side::Number;
        }
    }
    let count = |wanted: Side| sides.iter().filter(|side| **side == wanted).count();
    let base_right = count(Side::Right) >= count(Side::Left);
    // Neutral characters follow their neighbours if both agree, else the line.
    let mut levels = Vec::with_capacity(sides.len());
    for index in 0..sides.len() {
        let strong = |side: &&Side| **side != Side::None;
        let before = sides[..index].iter().rev().find(strong).copied();
        let after = sides[index..].iter().find(strong).copied();
        let right = |side: Option<Side>| {
            side.map_or(base_right, |side| side == Side::Right || (side == Side::Number && base_right))
        };
        let is_right = match sides[index] {
            Side::Right => true,
            Side::Left | Side::Number => false,
            Side::None if right(before) == right(after) && before.is_some() && after.is_some() => {
                right(before) && !(before == Some(Side::Number) && after == Some(Side::Number) && !base_right)
            }
            Side::None => base_right,
        };
        levels.push(is_right);
    }
    let mut pieces: Vec<(bool, Vec<String>)> = Vec::new();
    for (cluster, right) in clusters.drain(..).zip(levels) {
        match pieces.last_mut() {
            Some((last, piece)) if *last == right => piece.push(cluster),
            _ => pieces.push((right, vec![cluster])),
        }
    }
    for (right, piece) in &mut pieces {
        if *right {
            piece.reverse();
        }
    }
    if base_right {
        pieces.reverse();
    }
    // Most programs encode the logical bracket, some the visual one; fix the latter.
    if !is_balanced(pieces.iter().flat_map(|(_, piece)| piece)) {
        for cluster in pieces.iter_mut().filter(|(right, _)| *right).flat_map(|(_, piece)| piece) {
            *cluster = mirrored(cluster).to_owned();
        }
    }
    pieces.into_iter().flat_map(|(_, piece)| piece).collect()
}

/// Whether no bracket closes before it opens.
fn is_balanced<'a>(clusters: impl Iterator<Item = &'a String>) -> bool {
    let mut depth = 0;
    for cluster in clusters {
        match cluster.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            return false;
        }
    }
    true
}

fn mirrored(text: &str) -> &str {
    match text {
        "(" => ")",
        ")" => "(",
        "[" => "]",
        "]" => "[",
        "{" => "}",
        "}" => "{",
        "«" => "»",
        "»" => "«",
        "<" => ">",
        ">" => "<",
        other => other,
    }
}
