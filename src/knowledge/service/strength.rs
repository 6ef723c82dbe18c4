//! Which hits answer a question, and which are only the nearest there is.
//!
//! A vector arm always finds something. A hit is a weak match where its meaning is no nearer than chance brings it (the floor that
//! the base's self-test found) and it has fewer than half of the question's words.

use std::collections::{HashMap, HashSet};

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
    let terms = analyze(query);
    let terms: HashSet<&str> = terms.split(' ').filter(|term| !term.is_empty()).collect();
    for hit in hits.iter_mut() {
        let means_it = meaning.is_some_and(|meaning| match (meaning.floor, meaning.near.get(&hit.chunk_id.0)) {
            (None, near) => near.is_some(),
            (Some(floor), near) => near.is_some_and(|near| *near > floor),
        });
        hit.weak = !means_it && share(&terms, hit) < ENOUGH_WORDS;
    }
    hits.sort_by_key(|hit| hit.weak);
}

/// The lowest floor: a passage is not called weak because of another base.
pub(super) fn floor(bases: &[Searchable], query: &str) -> Option<f64> {
    let floors = bases.iter().map(|base| base.weights.as_ref().and_then(|weights| weights.0.for_query(query).floor));
    floors.collect::<Option<Vec<f64>>>()?.into_iter().min_by(f64::total_cmp)
}

/// How many of the question's words a passage has, 0 to 1.
fn share(terms: &HashSet<&str>, hit: &SearchHit) -> f64 {
    if terms.is_empty() {
        return 0.0;
    }
    let own = analyze(&searchable_text(&hit.heading, hit.table_header.as_deref(), &hit.text));
    let own: HashSet<&str> = own.split(' ').collect();
    terms.iter().filter(|term| own.contains(*term)).count() as f64 / terms.len() as f64
}
