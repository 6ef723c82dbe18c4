mod analysis;
mod fusion;
mod self_test;
mod store;

use std::time::Duration;

use uuid::Uuid;

use super::fuse::DEFAULT_K;
use super::*;

fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

fn hits(ids: &[u128]) -> Vec<Hit> {
    ids.iter()
        .enumerate()
        .map(|(at, n)| Hit { chunk_id: id(*n), document_id: id(n + 1000), score: 1.0 - at as f32 / 100.0 })
        .collect()
}

fn order(fused: &[FusedHit]) -> Vec<u128> {
    fused.iter().map(|hit| hit.chunk_id.as_u128()).collect()
}
