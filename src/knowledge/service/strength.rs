//! Which hits answer a question, and which are only the nearest there is.
//!
//! A vector arm always finds something. A hit is a weak match where its meaning is no nearer than chance brings it (the floor that
//! the base's self-test found) and it has fewer than half of the question's words.

use std::collections::{HashMap, HashSet};

use unicode_segmentation::UnicodeSegmentation as _;
use uuid::Uuid;

use crate::knowledge::{SearchHit, index::analyze, model::searchable_text, store::bases::Searchable};

/// Share of the question's words that make a match whatever the vectors say.
const ENOUGH_WORDS: f64 = 0.5;

/// What a question's vector found: the similarity of each passage, and the floor of the bases that were asked.
pub(super) struct Meaning {
    pub near: HashMap<Uuid, f64>,
    /// `None` where no base has been measured yet: then nothing found by meaning is called weak.
    pub floor: Option<f64>,
}

/// Marks weak matches and puts them behind the others; the order is otherwise kept. `meaning` is `None` for a search by words.
pub(super) fn mark(hits: &mut [SearchHit], query: &str, meaning: Option<&Meaning>) {
    let words = words(query);
    for hit in hits.iter_mut() {
        let means_it = meaning.is_some_and(|meaning| match (meaning.floor, meaning.near.get(&hit.chunk_id.0)) {
            (None, near) => near.is_some(),
            (Some(floor), near) => near.is_some_and(|near| *near > floor),
        });
        hit.weak = !means_it && share(&words, hit) < ENOUGH_WORDS;
    }
    hits.sort_by_key(|hit| hit.weak);
}

/// The lowest floor: a passage is not called weak because of another base.
pub(super) fn floor(bases: &[Searchable], query: &str) -> Option<f64> {
    let floors = bases.iter().map(|base| base.weights.as_ref().and_then(|weights| weights.0.for_query(query).floor));
    floors.collect::<Option<Vec<f64>>>()?.into_iter().min_by(f64::total_cmp)
}

/// The question's words, each with the terms that it is found by: `v1.2.3` is one word, and `1.2.3` is enough.
fn words(query: &str) -> Vec<HashSet<String>> {
    let set =
        |text: &str| analyze(text).split(' ').filter(|t| !t.is_empty()).map(str::to_owned).collect::<HashSet<_>>();
    // Which words count is told by the whole question: "IT" alone is a name, within a sentence in capitals it is none.
    let whole = set(query);
    query.unicode_words().map(set).filter(|terms| !terms.is_disjoint(&whole)).collect()
}

/// How many of the question's words a passage has, 0 to 1.
fn share(words: &[HashSet<String>], hit: &SearchHit) -> f64 {
    if words.is_empty() {
        return 0.0;
    }
    let own = analyze(&searchable_text(&hit.heading, hit.table_header.as_deref(), &hit.text));
    let own: HashSet<&str> = own.split(' ').collect();
    let found = words.iter().filter(|terms| terms.iter().any(|term| own.contains(term.as_str())));
    found.count() as f64 / words.len() as f64
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn a_word_that_is_written_in_several_ways_counts_once() {
        assert_eq!(words("upgrade to v1.2.3").len(), 2, "{:?}", words("upgrade to v1.2.3"));
        assert!(words("v1.2.3")[0].contains("1.2.3"));
        assert_eq!(words("10kg of flour").len(), 2);
        assert!(words("the and of").is_empty());
    }
}
