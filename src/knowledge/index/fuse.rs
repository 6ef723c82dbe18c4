//! Weighted reciprocal rank fusion of the two arms, each vote scaled by how near its score is to the best one of its arm.
//!
//! Cormack, Clarke, Büttcher: Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning Methods, SIGIR 2009:
//! `score(d) = Σ weight(arm) / (k + rank(arm, d))`, ranks from 1, an arm that does not list `d` adds nothing. Ranks alone forget what
//! the scores know: a sure first place counts as much as one among equals, and a passage that both arms hold for mediocre passes one
//! that an arm is sure of. So each vote is multiplied by the score's place between the arm's lowest and best, which needs no common scale of
//! BM25 and cosine (min-max normalisation; Bruch, Gai, Ingber: An Analysis of Fusion Functions for Hybrid Retrieval, TOIS 2023). What
//! that gains: `docs/decisions/0006-fusion-by-rank-and-score.md`.

use std::collections::HashMap;

use uuid::Uuid;

use super::{ArmWeights, Hit};

/// The constant of the paper. Larger flattens the difference between the first ranks.
pub const DEFAULT_K: f64 = 60.0;
/// Hits that an arm hands to the fusion at least: with fewer, one that is good in both arms but leads none is lost.
pub const OVER_FETCH: usize = 100;
/// What is left of the vote for an arm's last hit: it was found, after all.
const FAINTEST: f64 = 0.05;

/// A passage after fusion.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FusedHit {
    pub chunk_id: Uuid,
    pub document_id: Uuid,
    /// 0 to 1: the share of the best score that these weights allow, which a passage gets that leads both arms.
    pub score: f64,
    /// Rank in the vector arm, from 1; `None` when that arm did not list it.
    pub vector_rank: Option<usize>,
    pub text_rank: Option<usize>,
}

/// Fuses two arms, each best first and over-fetched (100 to 200 for a top 10), and gives the best `limit`, best first.
///
/// An arm with weight 0 is left out, except when the other found nothing: a weak answer is better than none. Ties go to the better
/// single rank, then to the id, so that the same input always gives the same order.
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
            let vote = FAINTEST + (1.0 - FAINTEST) * near;
            entry.score += weight * vote / (k + (at + 1) as f64) / best;
        }
    };
    let last = |hits: &[Hit]| hits.last().map_or(0.0, |hit| hit.score);
    // What an arm left out is below its last hit. BM25 leaves out nothing that has a word of the question while its list is short: then
    // the lowest score is 0.
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
