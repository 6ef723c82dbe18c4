use super::*;

const EVEN: ArmWeights = ArmWeights { vector: 1.0, text: 1.0 };

#[test]
fn a_chunk_found_by_both_arms_wins() {
    let fused = fuse(&hits(&[1, 2, 3]), &hits(&[4, 3, 5]), EVEN, DEFAULT_K, 10);
    assert_eq!(order(&fused), [3, 1, 4, 5, 2]);
    assert_eq!((fused[0].vector_rank, fused[0].text_rank), (Some(3), Some(2)));
    // Last in the vector arm: the minimum vote. In the text arm 0.99 of the way from 0 to the best score.
    let expected = (0.05 / 63.0 + (0.05 + 0.95 * 0.99) / 62.0) / (2.0 / 61.0);
    assert!((fused[0].score - expected).abs() < 1e-6, "{}", fused[0].score);
    assert_eq!(fused[0].document_id, id(1003));
}

/// Information that ranks alone would lose: clear and unclear leads.
#[test]
fn a_clear_lead_outweighs_a_narrow_one() {
    let scored = |hits: &[(u128, f32)]| -> Vec<Hit> {
        let hit = |(n, score): &(u128, f32)| Hit { chunk_id: id(*n), document_id: id(*n), score: *score };
        hits.iter().map(hit).collect()
    };
    // By rank alone each of these is a tie, which the smaller id would win.
    let sure = scored(&[(2, 0.9), (1, 0.5), (3, 0.49), (4, 0.48)]);
    let unsure = scored(&[(1, 7.0), (2, 6.9), (3, 6.8)]);
    assert_eq!(order(&fuse(&sure, &unsure, EVEN, DEFAULT_K, 1)), [2]);
    let unsure = scored(&[(1, 0.501), (2, 0.5), (3, 0.2)]);
    let sure = scored(&[(2, 20.0), (1, 3.0)]);
    assert_eq!(order(&fuse(&unsure, &sure, EVEN, DEFAULT_K, 1)), [2]);
    // The same ranks with nearly equal scores are a tie, which the id decides.
    let even = scored(&[(2, 7.0), (1, 7.0), (3, 7.0)]);
    assert_eq!(order(&fuse(&even, &scored(&[(1, 1.0), (2, 1.0), (4, 1.0)]), EVEN, DEFAULT_K, 2)), [1, 2]);
}

/// A truncated list says nothing about unlisted chunks: its last score is its lowest.
#[test]
fn a_truncated_text_list_is_normalised_by_its_own_scores() {
    let score = |at: usize| 20.0 - at as f32 / 100.0;
    let list = |count: usize| -> Vec<Hit> {
        let hit = |at: usize| Hit { chunk_id: id(at as u128 + 1), document_id: id(1), score: score(at) };
        (0..count).map(hit).collect()
    };
    let lowest = |hits: &[Hit]| fuse(&[], hits, EVEN, 60.0, 1000).last().unwrap().score;
    assert!(lowest(&list(OVER_FETCH - 1)) > 5.0 * lowest(&list(OVER_FETCH)));
}

#[test]
fn the_leader_of_both_arms_scores_one() {
    let fused = fuse(&hits(&[1, 2]), &hits(&[1]), ArmWeights { vector: 0.3, text: 1.0 }, DEFAULT_K, 10);
    assert!((fused[0].score - 1.0).abs() < 1e-12);
}

#[test]
fn a_heavier_arm_decides_and_the_limit_cuts() {
    let vector = hits(&[1, 2]);
    let text = hits(&[3, 4]);
    // The second of two is the last of its arm and gets the minimum vote; BM25 has a natural zero, so there its vote is
    // large.
    assert_eq!(order(&fuse(&vector, &text, ArmWeights { vector: 2.0, text: 1.0 }, DEFAULT_K, 2)), [1, 3]);
    assert_eq!(order(&fuse(&vector, &text, ArmWeights { vector: 0.5, text: 1.0 }, DEFAULT_K, 3)), [3, 4, 1]);
}

#[test]
fn an_arm_without_weight_only_counts_if_the_other_is_empty() {
    let text_only = ArmWeights { vector: 0.0, text: 1.0 };
    assert_eq!(order(&fuse(&hits(&[1]), &hits(&[2]), text_only, DEFAULT_K, 10)), [2]);
    assert_eq!(order(&fuse(&hits(&[1]), &[], text_only, DEFAULT_K, 10)), [1]);
    assert!(fuse(&[], &[], text_only, DEFAULT_K, 10).is_empty());
}

proptest::proptest! {
    #[test]
    fn order_and_scores_are_sound(vector in ids(), text in ids(), weight in 0.0..5.0_f64) {
        let weights = ArmWeights { vector: weight, text: 1.0 };
        let fused = fuse(&hits(&vector), &hits(&text), weights, DEFAULT_K, 500);
        proptest::prop_assert!(fused.windows(2).all(|pair| pair[0].score >= pair[1].score));
        proptest::prop_assert!(fused.iter().all(|hit| hit.score > 0.0 && hit.score <= 1.0 + 1e-9));
        let again = fuse(&hits(&vector), &hits(&text), weights, DEFAULT_K, 500);
        proptest::prop_assert_eq!(order(&fused), order(&again));
        let mut seen = order(&fused);
        seen.sort_unstable();
        seen.dedup();
        proptest::prop_assert_eq!(seen.len(), fused.len());
    }
}

fn ids() -> impl proptest::strategy::Strategy<Value = Vec<u128>> {
    use proptest::strategy::Strategy;
    proptest::collection::hash_set(1_u128..60, 0..40).prop_map(|set| set.into_iter().collect())
}
