//! Full-text search over the texts of a self-test.

use std::collections::HashMap;

use super::super::analyze;

/// BM25 (k1 1.2, b 0.75) with the terms of the real index.
pub(super) struct Bm25 {
    documents: Vec<Terms>,
    mean_length: f64,
    containing: HashMap<String, usize>,
}

/// The term counts of a text.
struct Terms {
    counts: HashMap<String, usize>,
    length: f64,
}

impl Terms {
    fn of(text: &str) -> Self {
        let mut counts: HashMap<String, usize> = HashMap::new();
        analyze(text).split(' ').for_each(|term| *counts.entry(term.to_string()).or_default() += 1);
        Self { length: counts.values().sum::<usize>() as f64, counts }
    }
}

impl Bm25 {
    pub fn new(texts: &[String]) -> Self {
        let documents: Vec<Terms> = texts.iter().map(|text| Terms::of(text)).collect();
        let mean_length = documents.iter().map(|terms| terms.length).sum::<f64>() / documents.len().max(1) as f64;
        let mut containing: HashMap<String, usize> = HashMap::new();
        for term in documents.iter().flat_map(|terms| terms.counts.keys()) {
            *containing.entry(term.clone()).or_default() += 1;
        }
        Self { documents, mean_length, containing }
    }

    /// (position, score) of all texts with a score above zero; for this query `by` replaces the text at `replaced`.
    pub fn search(&self, query: &str, replaced: usize, by: &str) -> Vec<(usize, f64)> {
        let (query, by) = (analyze(query), Terms::of(by));
        let total = self.documents.len() as f64;
        let score = |at: usize| -> f64 {
            let document = if at == replaced { &by } else { &self.documents[at] };
            let length = 1.2 * (0.25 + 0.75 * document.length / self.mean_length.max(1.0));
            let of_term = |term: &str| {
                let count = document.counts.get(term).copied().unwrap_or_default() as f64;
                let containing = self.containing.get(term).copied().unwrap_or_default() as f64;
                let idf = (1.0 + (total - containing + 0.5) / (containing + 0.5)).ln();
                idf * count * 2.2 / (count + length)
            };
            query.split(' ').map(of_term).sum()
        };
        (0..self.documents.len()).map(|at| (at, score(at))).filter(|(_, score)| *score > 0.0).collect()
    }
}
