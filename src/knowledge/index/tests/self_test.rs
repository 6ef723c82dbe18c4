use std::collections::BTreeMap;

use super::*;

#[derive(serde::Deserialize)]
struct Section {
    passages: Vec<String>,
}

fn passages(languages: &[&str]) -> Vec<String> {
    let set: BTreeMap<String, Vec<Section>> =
        serde_json::from_str(include_str!("../../../../tests/fixtures/retrieval/gnome.json")).unwrap();
    languages.iter().flat_map(|language| &set[*language]).flat_map(|section| section.passages.clone()).collect()
}

fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-6);
    for x in &mut vector {
        *x /= length;
    }
    vector
}

fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A model that understands: similar words, similar vectors.
fn understands(text: &str) -> Vec<f32> {
    let mut vector = vec![0.0; 512];
    for term in analyze(text).split(' ') {
        vector[usize::try_from(hash(term) % 512).unwrap()] += 1.0;
    }
    unit(vector)
}

/// A model that does not understand: its vectors are unrelated to the text.
fn meaningless(text: &str) -> Vec<f32> {
    let mut state = hash(text);
    unit(
        std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f32 / 8_388_608.0 - 1.0
        })
        .take(512)
        .collect(),
    )
}

fn english_only(text: &str) -> Vec<f32> {
    if text.chars().any(|c| ('а'..='я').contains(&c)) { meaningless(text) } else { understands(text) }
}

fn measure(passages: &[String], model: fn(&str) -> Vec<f32>) -> Weights {
    let plan = SelfTest::plan(&samples(passages), passages.len());
    let embed = |texts: &[String]| texts.iter().map(|text| model(text)).collect::<Vec<_>>();
    plan.measure(&embed(&plan.queries), &embed(&plan.pool), &embed(&plan.rests))
}

fn samples(passages: &[String]) -> Vec<Sample> {
    passages.iter().map(|text| Sample { context: String::new(), text: text.clone() }).collect()
}

#[test]
fn a_useful_model_gets_weight_and_a_useless_one_none() {
    let passages = passages(&["en"]);
    let good = measure(&passages, understands).languages["eng"];
    let bad = measure(&passages, meaningless).languages["eng"];
    assert!(good.weights.vector >= 0.2, "{good:?}");
    assert!(bad.weights.vector <= 0.05, "{bad:?}");
    assert!(bad.vector_ndcg < 0.2 && bad.text_ndcg > 0.4, "{bad:?}");
    assert!(bad.hybrid_ndcg >= bad.text_ndcg - 0.02 && good.hybrid_ndcg >= good.text_ndcg - 0.02);
}

#[test]
fn a_mixed_base_gets_a_weight_for_each_language() {
    let weights = measure(&passages(&["en", "ru"]), english_only);
    let (english, russian) = (
        weights.for_query("change the screen resolution").weights,
        weights.for_query("изменить разрешение экрана").weights,
    );
    assert!(english.vector >= 0.2 && russian.vector <= 0.05, "{weights:?}");
    assert_eq!(*weights.for_query("12345"), weights.other);
    let again: Weights = serde_json::from_str(&serde_json::to_string(&weights).unwrap()).unwrap();
    assert_eq!((again.method, again.passages), (weights.method, weights.passages));
    assert_eq!(again.languages.keys().collect::<Vec<_>>(), weights.languages.keys().collect::<Vec<_>>());
    // JSON may change the last digit of a number.
    let near = |one: &LanguageWeights, other: &LanguageWeights| {
        (one.weights.vector - other.weights.vector).abs() < 1e-9
            && (one.hybrid_ndcg - other.hybrid_ndcg).abs() < 1e-9
            && (one.queries, one.floor) == (other.queries, other.floor)
    };
    assert!(near(&again.other, &weights.other) && near(&again.languages["rus"], &weights.languages["rus"]));
}

#[test]
fn the_plan_is_bounded_and_repeatable_and_hides_the_sentence() {
    let many: Vec<String> = passages(&["en", "ru"]).into_iter().cycle().take(3000).collect();
    let plan = SelfTest::plan(&samples(&many), 9000);
    assert!(
        (200..=300).contains(&plan.queries.len()),
        "a hundred for each language and for what is in none: {}",
        plan.queries.len()
    );
    assert!(plan.pool.len() <= 500);
    assert_eq!(plan.queries, SelfTest::plan(&samples(&many), 9000).queries);
    assert_eq!(plan.queries.len(), plan.rests.len() + 24, "with the probes");
    assert!(plan.queries.iter().zip(&plan.rests).all(|(query, rest)| !rest.contains(query.as_str())));
}

/// The pool matches what is indexed, so that its vectors are cached; a heading never becomes a query.
#[test]
fn headings_are_searched_but_not_asked() {
    let text =
        "The pump runs dry for forty seconds at most. Then its seal is destroyed and must be replaced by two people.";
    let sample = Sample { context: "Handbook > Pumps".into(), text: text.into() };
    let plan = SelfTest::plan(&[sample], 1);
    assert_eq!(plan.pool, [format!("Handbook > Pumps\n{text}")]);
    assert!(!plan.queries.is_empty() && plan.queries.iter().all(|query| !query.contains("Handbook")));
    assert!(plan.rests.iter().all(|rest| rest.starts_with("Handbook > Pumps\n")), "{:?}", plan.rests);
}

/// A few pages are enough to detect a useless arm.
#[test]
fn a_small_base_is_measured_with_all_its_sentences() {
    let passages = passages(&["en"]);
    let good = measure(&passages[..9], understands);
    assert!((16..=100).contains(&good.other.queries), "{good:?}");
    assert!((0.2..=4.0).contains(&good.other.weights.vector), "{good:?}");
    // With nine chunks, all are in the top ten: chance alone scores 0.5, which gives a small and harmless weight.
    let babble = measure(&passages[..9], meaningless).other;
    assert!(babble.weights.vector <= 0.6 && babble.weights.vector < good.other.weights.vector / 2.0, "{babble:?}");
    assert!(babble.hybrid_ndcg >= babble.text_ndcg - 0.02, "{babble:?}");
}

#[test]
fn too_little_to_measure_keeps_the_default_and_asks_again() {
    for few in [&[][..], &["Too short.".to_string()]] {
        let weights = measure(few, understands);
        assert_eq!(weights.for_query("anything").weights, ArmWeights::default());
        assert!(weights.outdated(few.len() + 1) && !weights.outdated(few.len()));
    }
    let measured = Weights {
        method: measure(&[], understands).method,
        passages: 100,
        other: LanguageWeights { queries: 50, ..LanguageWeights::default() },
        ..Weights::default()
    };
    assert!(!measured.outdated(150) && measured.outdated(201) && measured.outdated(49));
    // A base that was measured before versions were recorded.
    let mut old = serde_json::to_value(&measured).unwrap();
    old.as_object_mut().unwrap().remove("method");
    assert!(serde_json::from_value::<Weights>(old).unwrap().outdated(100));
}
