//! Citations in an answer, recognised by their context alone.
//!
//! A model writes `[1]` for a source, but also for a list element, a year, an interval or a footnote of its own. A mark
//! is a citation if it stands in running text, names only sources that the model was given, and nothing around it
//! indicates otherwise. Everything else stays as the model wrote it: no character of an answer is changed or left out.

mod context;
mod numbers;
#[cfg(test)]
mod tests;

use std::{collections::HashSet, ops::Range};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// A citation in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Byte range in the text.
    pub range: Range<usize>,
    /// Source numbers in the order in which they are named.
    pub numbers: Vec<u32>,
}

/// Longest mark, bytes between its brackets: `Источники 1, 2, 3`.
const LONGEST: usize = 80;

/// The citations in `text`; `known` tells whether a source exists.
pub fn marks(text: &str, known: impl Fn(u32) -> bool) -> Vec<Mark> {
    let mut found: Vec<Mark> = Vec::new();
    if !text.contains(['[', '(', '【', '［', '〔']) {
        return found;
    }
    let plain = running_text(text);
    let mut from = 0;
    while let Some(at) = text[from..].find(['[', '(', '【', '［', '〔']).map(|at| from + at) {
        let open = text[at..].chars().next().unwrap_or('[');
        from = at + open.len_utf8();
        let close = numbers::closing(open);
        let Some(length) = text[from..].find([close, open, '\n']).filter(|n| *n <= LONGEST) else {
            continue;
        };
        let end = from + length + close.len_utf8();
        if !text[from + length..].starts_with(close)
            || !plain.get(at..end).is_some_and(|bytes| bytes.iter().all(|p| *p))
        {
            continue;
        }
        let Some(named) = numbers::read(&text[from..from + length], open) else { continue };
        if !named.numbers.iter().all(|n| known(*n)) {
            continue;
        }
        let range = context::whole(text, at..end);
        let after_mark = found.last().is_some_and(|mark| mark.range.end == range.start);
        if context::allows(text, &range, &named, after_mark) {
            from = range.end;
            found.push(Mark { range, numbers: named.numbers });
        }
    }
    found
}

/// The text without its citations: they number the sources of another question.
pub fn without_marks(text: &str, known: impl Fn(u32) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for mark in marks(text, known) {
        let before = &text[from..mark.range.start];
        // "28 days [1]." -> "28 days."
        out.push_str(before.strip_suffix(' ').unwrap_or(before));
        from = mark.range.end;
    }
    out.push_str(&text[from..]);
    out
}

/// For each byte whether it is running text: not code, math, link, footnote or HTML.
fn running_text(text: &str) -> Vec<bool> {
    let mut plain = vec![false; text.len()];
    let shown = hide_definitions(text);
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_FOOTNOTES | Options::ENABLE_MATH;
    let mut inside = 0_usize;
    for (event, range) in Parser::new_ext(&shown, options).into_offset_iter() {
        match event {
            Event::Start(
                Tag::CodeBlock(_) | Tag::Link { .. } | Tag::Image { .. } | Tag::FootnoteDefinition(_) | Tag::HtmlBlock,
            ) => inside += 1,
            Event::End(
                TagEnd::CodeBlock | TagEnd::Link | TagEnd::Image | TagEnd::FootnoteDefinition | TagEnd::HtmlBlock,
            ) => {
                inside = inside.saturating_sub(1);
            }
            Event::Text(_) if inside == 0 => plain[range].fill(true),
            _ => {}
        }
    }
    for (open, close) in [("\\[", "\\]"), ("\\(", "\\)")] {
        let mut from = 0;
        while let Some(start) = text[from..].find(open).map(|at| from + at) {
            let Some(length) = text[start..].find(close).filter(|n| !text[start..start + n].contains("\n\n")) else {
                break;
            };
            from = start + length + close.len();
            plain[start..from].fill(false);
        }
    }
    plain
}

/// Positions of lines such as `[1]: handbook.md`, which Markdown takes for link definitions and does not show. If the
/// text uses such a link and an address follows the colon, it is a link definition; otherwise it is the answer's list
/// of sources, which would be lost.
pub fn false_definitions(text: &str) -> Vec<usize> {
    let parser = Parser::new(text);
    let numbered = |label: &str| label.trim_start_matches('^').starts_with(|c: char| c.is_ascii_digit());
    let defined: Vec<(String, bool, usize)> = parser
        .reference_definitions()
        .iter()
        .map(|(label, definition)| {
            let address =
                ["http://", "https://", "mailto:", "/", "#"].iter().any(|start| definition.dest.starts_with(start));
            (label.to_lowercase(), address || !numbered(label), definition.span.start)
        })
        .filter(|(.., at)| text[*at..].starts_with('['))
        .collect();
    if defined.is_empty() {
        return Vec::new();
    }
    let used: HashSet<String> = parser
        .filter_map(|event| match event {
            Event::Start(Tag::Link { id, .. } | Tag::Image { id, .. }) => Some(id.to_lowercase()),
            _ => None,
        })
        .collect();
    let is_false = |(label, meant, _): &(String, bool, usize)| !meant || !used.contains(label);
    let mut found: Vec<usize> = defined.into_iter().filter(is_false).map(|(.., at)| at).collect();
    found.sort_unstable();
    found
}

/// The same text with equal byte positions, in which false definitions are no longer definitions.
fn hide_definitions(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for at in false_definitions(text) {
        bytes[at] = b'(';
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}
