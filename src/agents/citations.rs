//! Marks `[n]` in an answer: only those of sources that the model was given survive, also while the text streams.

use std::collections::BTreeSet;

/// Passes text through, without marks that name no source, and remembers the marks that do.
#[derive(Debug)]
pub struct MarkFilter {
    /// None for an agent without knowledge, whose brackets are its own.
    sources: Option<u32>,
    /// Text held back because it may become a mark: `[`, `[1`, ...
    held: String,
    used: BTreeSet<u32>,
}

/// Longest thing that can be a mark: `[12, 13, 14]` and the like.
const MAX_MARK: usize = 24;

impl MarkFilter {
    /// `sources`: marks 1 to `sources` are real, none of 0; `None` leaves all brackets alone.
    pub fn new(sources: Option<usize>) -> Self {
        let sources = sources.map(|n| u32::try_from(n).unwrap_or(u32::MAX));
        Self { sources, held: String::new(), used: BTreeSet::new() }
    }

    /// The next piece of the answer; returns what can be shown now.
    pub fn push(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        // PostgreSQL keeps no NUL: an answer with one would be lost.
        for c in text.chars().filter(|c| *c != '\0') {
            if self.held.is_empty() {
                if c == '[' {
                    self.held.push(c);
                } else {
                    out.push(c);
                }
                continue;
            }
            match c {
                ']' => {
                    let inner = self.held.split_off(self.held.rfind('[').map_or(0, |at| at + 1));
                    self.held.pop();
                    let shown = self.mark(&inner);
                    // Where nothing is left, what stands before it may close up with what follows: `[[9]1]`.
                    if !shown.is_empty() {
                        out.push_str(&std::mem::take(&mut self.held));
                        out.push_str(&shown);
                    }
                }
                '0'..='9' | ',' | ' ' | '[' if self.held.len() < MAX_MARK => self.held.push(c),
                '[' => {
                    out.push_str(&self.held);
                    self.held = "[".into();
                }
                _ => {
                    out.push_str(&std::mem::take(&mut self.held));
                    out.push(c);
                }
            }
        }
        out
    }

    /// What was held back at the end.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// The marks that stood in the text and are real.
    pub fn used(&self) -> &BTreeSet<u32> {
        &self.used
    }

    /// What stands for `[inner]`: `[1, 2]` becomes `[1][2]`; numbers without a source go; brackets without numbers stay.
    fn mark(&mut self, inner: &str) -> String {
        let numbers: Option<Vec<u32>> = inner.split(',').map(|n| n.trim().parse().ok()).collect();
        match (numbers, self.sources) {
            (Some(numbers), Some(sources)) => {
                let real: Vec<u32> = numbers.into_iter().filter(|n| (1..=sources).contains(n)).collect();
                self.used.extend(&real);
                real.iter().flat_map(|n| ["[".to_owned(), n.to_string(), "]".to_owned()]).collect()
            }
            _ => format!("[{inner}]"),
        }
    }
}

/// An earlier answer without its marks: they number the sources of another question.
pub fn without_marks(text: &str) -> String {
    let mut filter = MarkFilter::new(Some(0));
    let mut plain = filter.push(text);
    plain.push_str(&filter.finish());
    plain
}
