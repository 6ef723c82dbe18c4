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

/// A word of the question.
#[derive(Debug)]
struct Word {
    /// Each of these is the word, or so large a part of it that one is enough: `1.2.3` of `v1.2.3`, but not `e` of `E7731`.
    enough: Vec<String>,
    /// Its other parts: found where all of them are, as `10 kg` for `10kg`.
    parts: Vec<String>,
}

impl Word {
    fn of(word: &str) -> Option<Self> {
        let terms = analyze(word);
        let mut terms = terms.split(' ').filter(|term| !term.is_empty()).map(str::to_owned);
        let whole = terms.next()?;
        let length = word.chars().count();
        let (large, small): (Vec<String>, Vec<String>) = terms.partition(|term| term.chars().count() * 2 > length);
        let parts = if small.is_empty() { small } else { small.into_iter().chain(large.iter().cloned()).collect() };
        Some(Self { enough: std::iter::once(whole).chain(large).collect(), parts })
    }

    fn is_in(&self, own: &HashSet<&str>) -> bool {
        let has = |term: &String| own.contains(term.as_str());
        self.enough.iter().any(has) || (!self.parts.is_empty() && self.parts.iter().all(has))
    }
}

/// The question's words that count.
fn words(query: &str) -> Vec<Word> {
    // Which words count is told by the whole question: "IT" alone is a name, within a sentence in capitals it is none.
    let whole = analyze(query);
    let whole: HashSet<&str> = whole.split(' ').collect();
    query
        .unicode_words()
        .filter_map(Word::of)
        .filter(|word| word.enough.iter().chain(&word.parts).any(|term| whole.contains(term.as_str())))
        .collect()
}

/// How many of the question's words a passage has, 0 to 1.
fn share(words: &[Word], hit: &SearchHit) -> f64 {
    if words.is_empty() {
        return 0.0;
    }
    let own = analyze(&searchable_text(&hit.heading, hit.table_header.as_deref(), &hit.text));
    let own: HashSet<&str> = own.split(' ').collect();
    words.iter().filter(|word| word.is_in(&own)).count() as f64 / words.len() as f64
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn a_word_that_is_written_in_several_ways_counts_once() {
        assert_eq!(words("upgrade to v1.2.3").len(), 2, "{:?}", words("upgrade to v1.2.3"));
        assert_eq!(words("v1.2.3")[0].enough, ["v1.2.3", "1.2.3"]);
        assert_eq!(words("10kg of flour").len(), 2);
        assert!(words("the and of").is_empty());
    }

    #[test]
    fn a_small_part_of_a_word_is_not_the_word() {
        let has = |text: &str, query: &str| {
            let own = super::analyze(text);
            words(query).iter().all(|word| word.is_in(&own.split(' ').collect()))
        };
        for (text, query) in [
            ("see 1.2.3", "v1.2.3"),
            ("10 kg of flour", "10kg"),
            ("as RFC 9110 says", "RFC9110"),
            ("the user name that we get", "getUserName"),
            ("the error 7731", "E7731"),
            ("le niveau de l'eau", "eau"),
        ] {
            assert!(has(text, query), "{query} in {text}");
        }
        for (text, query) in
            [("id 4e 6-1 e", "E7731"), ("0 of x", "0x80070005"), ("10 boxes", "10kg"), ("a name", "getUserName")]
        {
            assert!(!has(text, query), "{query} in {text}");
        }
    }
}
