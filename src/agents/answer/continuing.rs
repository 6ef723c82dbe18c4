//! Continuing an answer that was cut off: the same sources keep their numbers, and the two texts are joined.

use std::collections::HashSet;

use crate::model::Citation;

/// The answer so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Begun {
    pub text: String,
    /// The sources it cites; their numbers are taken.
    pub citations: Vec<Citation>,
}

/// Keeps the numbers of chunks that the answer already cites and gives the others free ones. A cited source that was
/// not found again stays a source: the continuation may refer to it.
pub(super) fn keep_marks(sources: &mut Vec<Citation>, cited: &[Citation]) {
    let taken: HashSet<u32> = cited.iter().map(|c| c.mark).collect();
    let mut free = (1..).filter(|mark| !taken.contains(mark));
    for source in sources.iter_mut() {
        let known = cited.iter().find(|c| c.chunk_id == source.chunk_id).map(|c| c.mark);
        source.mark = known.or_else(|| free.next()).unwrap_or(source.mark);
    }
    let is_lost = |c: &&Citation| !c.deleted && !sources.iter().any(|s| s.mark == c.mark);
    let lost: Vec<Citation> = cited.iter().filter(is_lost).cloned().collect();
    sources.extend(lost);
    sources.sort_by_key(|source| source.mark);
}

/// Shortest text that counts as a repetition, characters: shorter ones are coincidence.
const LEAST_REPEATED: usize = 8;
/// Longest repetition to look for, bytes. After so much of the continuation its beginning is decided.
pub const LONGEST_REPEATED: usize = 120;

/// Joins both texts; the first stays unchanged. Models often repeat their last words before continuing, and leave out
/// the space at the beginning.
pub fn joined(begun: &str, more: &str) -> String {
    if begun.is_empty() || more.is_empty() {
        return format!("{begun}{more}");
    }
    let start = more.trim_start();
    let ends = start.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= LONGEST_REPEATED);
    let repeated = ends.filter(|end| begun.trim_end().ends_with(&start[..*end])).last();
    if let Some(end) = repeated.filter(|end| start[..*end].chars().count() >= LEAST_REPEATED) {
        return format!("{begun}{}", &start[end..]);
    }
    let (last, first) = (begun.chars().next_back().unwrap_or(' '), more.chars().next().unwrap_or(' '));
    let apart =
        last.is_whitespace() || first.is_whitespace() || !(first.is_alphanumeric() || "([\"«“*_`#-".contains(first));
    // A limit nearly always falls between words: most tokens are whole words.
    let gap =
        if apart || matches!(last, '(' | '[' | '"' | '«' | '“' | '-' | '/' | '`' | '_' | '*') { "" } else { " " };
    format!("{begun}{gap}{more}")
}
