//! Joins lines into running text, and removes hyphenation at line breaks.

use std::collections::HashSet;

use super::layout::Page;

/// Words that occur in the document with a hyphen within a line, where it belongs to the word.
pub(super) struct Words {
    hyphenated: HashSet<String>,
}

impl Words {
    pub(super) fn of(pages: &[Page]) -> Self {
        let fragments = pages.iter().flat_map(|page| &page.fragments);
        let words = fragments.flat_map(|fragment| fragment.text.split_whitespace());
        let inner = |word: &&str| word.trim_end_matches('-').contains('-');
        Words { hyphenated: words.filter(inner).map(core).collect() }
    }

    pub(super) fn join<'a>(&self, lines: impl Iterator<Item = &'a str>) -> String {
        let mut out = String::new();
        for line in lines.map(str::trim).filter(|line| !line.is_empty()) {
            if let Some(head) = broken_word(&out, line) {
                let tail = line.split_whitespace().next().unwrap_or_default();
                if !self.keeps_hyphen(head, tail) {
                    out.pop();
                }
            } else if !out.is_empty() {
                out.push(' ');
            }
            out.push_str(line);
        }
        out
    }

    fn keeps_hyphen(&self, head: &str, tail: &str) -> bool {
        let (head, tail) = (core(head), core(tail));
        self.hyphenated.contains(&format!("{head}-{tail}")) || is_russian_compound(&head, &tail)
    }
}

/// Lower case, without surrounding punctuation.
fn core(word: &str) -> String {
    word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase()
}

/// The first part of a hyphenated word at the end of `before`, if `line` continues it.
fn broken_word<'a>(before: &'a str, line: &str) -> Option<&'a str> {
    let head = before.strip_suffix(['-', '\u{ad}', '\u{2010}'])?;
    let goes_on = head.ends_with(char::is_alphabetic) && line.starts_with(char::is_lowercase);
    goes_on.then(|| head.rsplit(char::is_whitespace).next().unwrap_or(head))
}

/// Hyphens required by Russian spelling, in frequent words.
fn is_russian_compound(head: &str, tail: &str) -> bool {
    matches!(tail, "то" | "либо" | "нибудь" | "таки")
        || matches!((head, tail), ("из", "за" | "под") | ("кое" | "кой", _))
        || (head == "по" && ["ски", "цки", "ому", "ему"].iter().any(|end| tail.ends_with(end)))
}
