//! Weighted reciprocal rank fusion of the two arms, with each vote scaled by its normalised score.
//!
//! Cormack, Clarke, Büttcher: Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning Methods, SIGIR
//! 2009: `score(d) = Σ weight(arm) / (k + rank(arm, d))`, ranks from 1; an arm that does not list `d` adds nothing.
//! Ranks alone lose information: a clear first place counts as much as a narrow one, and a chunk that is mediocre in
//! both arms beats one that is excellent in one. So each vote is multiplied by the hit's min-max normalised score
//! within its arm, which needs no common scale of BM25 and cosine (Bruch, Gai, Ingber: An Analysis of Fusion Functions
//! for Hybrid Retrieval, TOIS 2023). Measurements: `docs/decisions/0006-fusion-by-rank-and-score.md`.

use std::collections::HashMap;

use uuid::Uuid;

use super::{ArmWeights, Hit};

/// The paper's constant. A larger one flattens the difference between the first ranks.
pub const DEFAULT_K: f64 = 60.0;
/// Minimum number of hits to fetch from each arm: with fewer, a chunk that is good but not leading in both arms may be
/// missed.
pub const OVER_FETCH: usize = 100;
/// Vote factor of an arm's last hit: above 0, because it was found after all.
const MIN_VOTE: f64 = 0.05;

/// A chunk after fusion.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FusedHit {
    pub chunk_id: Uuid,
    pub document_id: Uuid,
    /// 0 to 1: the fraction of the maximum possible at these weights; a chunk that leads both arms has 1.
    pub score: f64,
    /// Rank in the vector arm, from 1; `None` if that arm did not list it.
    pub vector_rank: Option<usize>,
    pub text_rank: Option<usize>,
}

/// Fuses two arms, each best first and over-fetched (100 to 200 for a top 10); returns the best `limit`, best first.
///
/// An arm with weight 0 is ignored, unless the other found nothing: a weak answer is better than none. Ties go to the
/// better single rank, then to the id, so the order is deterministic.
pub fn fuse(vector: &[Hit], text: &[Hit], weights: ArmWeights, k: f64, limit: usize) -> Vec<FusedHit> {
    let weight = |own: f64, other: f64, other_hits: &[Hit]| {
        if own <= 0.0 && (other_hits.is_empty() || other <= 0.0) { 1.0 } else { own }
    };
    let vector_weight = weight(weights.vector, weights.text, text);
    let text_weight = weight(weights.text, weights.vector, vector);
    let best = (vector_weight + text_weight) / (k + 1.0);
    let mut fused: HashMap<Uuid, FusedHit> = HashMap::new();
    let mut add = |hits: &[Hit], lowest: f32, weight: f64, set_rank: fn(&mut FusedHit, usize)| {
        if weight <= 0.0 {
            return;
        }
        let span = hits.first().map_or(0.0, |best| best.score - lowest);
        for (at, hit) in hits.iter().enumerate() {
            let entry = fused.entry(hit.chunk_id).or_insert_with(|| FusedHit {
                chunk_id: hit.chunk_id,
                document_id: hit.document_id,
                score: 0.0,
                vector_rank: None,
                text_rank: None,
            });
            set_rank(entry, at + 1);
            let near = if span > f32::EPSILON { f64::from((hit.score - lowest) / span) } else { 1.0 };
            let vote = MIN_VOTE + (1.0 - MIN_VOTE) * near;
            entry.score += weight * vote / (k + (at + 1) as f64) / best;
        }
    };
    let last = |hits: &[Hit]| hits.last().map_or(0.0, |hit| hit.score);
    // Unlisted hits score below the last listed one. A short BM25 list holds every chunk with a word of the query, so
    // all others score 0.
    let text_lowest = if text.len() >= OVER_FETCH { last(text) } else { 0.0 };
    add(vector, last(vector), vector_weight, |hit, rank| hit.vector_rank = Some(rank));
    add(text, text_lowest, text_weight, |hit, rank| hit.text_rank = Some(rank));
    let mut fused: Vec<FusedHit> = fused.into_values().collect();
    let best_rank = |hit: &FusedHit| hit.vector_rank.into_iter().chain(hit.text_rank).min();
    fused.sort_by(|a, b| {
        b.score
            .total_cmp(&a.score)
            .then_with(|| best_rank(a).cmp(&best_rank(b)))
            .then_with(|| a.chunk_id.cmp(&b.chunk_id))
    });
    fused.truncate(limit);
    fused
}
