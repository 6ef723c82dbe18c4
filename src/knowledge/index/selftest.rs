//! How far the vector arm can be trusted with the languages of a base, measured on the base's own passages.
//!
//! An English model gives Russian text vectors too, and they say nothing; fused at equal weight they drown the full-text arm. Nothing
//! about a model or an alphabet tells this reliably, so it is measured: the inverse cloze task (Lee, Chang, Toutanova: Latent
//! Retrieval for Weakly Supervised Open Domain Question Answering, ACL 2019). A sentence is taken out of a passage and becomes the
//! query; what is left of the passage, among all other passages, is the one right answer. The words of the query are gone from the
//! answer, so full text has no head start over meaning. Both arms and their fusion at a row of weights are scored by nDCG@10 for each
//! language, and the weight that did best is taken.
//!
//! Pure: [`SelfTest::plan`] says which texts to embed, [`SelfTest::measure`] takes their vectors.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;
use uuid::Uuid;

use super::{DEFAULT_K, Hit, analyze, fuse, language_of};

/// Passages that answers are looked for among.
const POOL: usize = 500;
/// Questions for each language: with 100, the standard error of nDCG@10 is about 0.04 for one arm, less for a difference of two.
const QUERIES: usize = 100;
/// Fewer questions than this decide nothing.
const MIN_QUERIES: usize = 8;
/// What each arm hands to the fusion, as in a search.
const OVER_FETCH: usize = 100;
/// Weights of the vector arm that are tried, full text being 1.
const VECTOR_WEIGHTS: [f64; 14] = [0.0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0];
/// Differences below this are noise: among such weights the most even one is taken.
const NOISE: f64 = 0.005;

/// Weights of the two arms in the fusion.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ArmWeights {
    pub vector: f64,
    pub text: f64,
}

impl Default for ArmWeights {
    /// Until measured: full text leads, since it works with every language and model.
    fn default() -> Self {
        Self { vector: 0.5, text: 1.0 }
    }
}

/// The weights for one language and what they rest on: nDCG@10 of each arm alone and of both at these weights.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct LanguageWeights {
    pub weights: ArmWeights,
    /// Questions asked; 0 when there were too few to decide.
    pub queries: usize,
    pub vector_ndcg: f64,
    pub text_ndcg: f64,
    pub hybrid_ndcg: f64,
}

/// What a self-test found out about a base; kept with it as JSON.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Weights {
    /// Passages that the base had.
    pub passages: usize,
    /// By ISO 639-3 code of the language.
    pub languages: BTreeMap<String, LanguageWeights>,
    /// For a query in none of these languages, or in a language that cannot be told: measured over all questions.
    pub other: LanguageWeights,
}

impl Weights {
    /// The weights for a query, by the language that it is in.
    pub fn for_query(&self, query: &str) -> ArmWeights {
        let known: Vec<&str> = self.languages.keys().map(String::as_str).collect();
        let language = if known.is_empty() { None } else { language_of(query, &known) };
        language.and_then(|code| self.languages.get(code)).unwrap_or(&self.other).weights
    }

    /// Whether a base of this many passages should be measured again: it doubled or halved, or it was too small to measure.
    pub fn outdated(&self, passages: usize) -> bool {
        passages > self.passages.saturating_mul(2)
            || passages < self.passages / 2
            || (self.other.queries == 0 && passages != self.passages)
    }
}

/// A planned self-test: embed `queries` as queries and `passages` as passages, then [`Self::measure`].
#[derive(Debug)]
pub struct SelfTest {
    pub queries: Vec<String>,
    /// The pool, then what is left of the passage of each query.
    pub passages: Vec<String>,
    cases: Vec<Case>,
    base_passages: usize,
}

#[derive(Debug)]
struct Case {
    /// Where the passage lies in the pool.
    passage: usize,
    language: Option<&'static str>,
}

impl SelfTest {
    /// Chooses passages and sentences, evenly spread: the same base gives the same test. `base_passages` is the size of the base, of
    /// which `sample` may be a part (500 are enough).
    pub fn plan(sample: &[String], base_passages: usize) -> Self {
        let step = sample.len().div_ceil(POOL).max(1);
        let pool: Vec<String> = sample.iter().step_by(step).cloned().collect();
        let mut candidates: BTreeMap<Option<&'static str>, Vec<Candidate>> = BTreeMap::new();
        for (at, language) in languages(&pool).into_iter().enumerate() {
            let clozes = clozes(&pool[at]);
            if !clozes.is_empty() {
                candidates.entry(language).or_default().push(Candidate { passage: at, clozes });
            }
        }
        let mut test = Self { queries: Vec::new(), passages: pool, cases: Vec::new(), base_passages };
        for (language, candidates) in candidates {
            for (candidate, cloze) in spread(&candidates) {
                test.queries.push(cloze.sentence.clone());
                test.passages.push(cloze.rest.clone());
                test.cases.push(Case { passage: candidate.passage, language });
            }
        }
        test
    }

    /// Scores the arms. The vectors are unit length and in the order of `queries` and `passages`.
    pub fn measure(&self, query_vectors: &[Vec<f32>], passage_vectors: &[Vec<f32>]) -> Weights {
        let pool = self.passages.len() - self.cases.len();
        let bm25 = Bm25::new(&self.passages, pool);
        let mut rows: BTreeMap<Option<&'static str>, Vec<Scores>> = BTreeMap::new();
        for (n, case) in self.cases.iter().enumerate() {
            let (Some(query), Some(passages)) = (query_vectors.get(n), passage_vectors.get(..self.passages.len()))
            else {
                break;
            };
            // The passage itself is replaced by its remainder.
            let stand_in = |at: usize| if at == case.passage { pool + n } else { at };
            let similarity =
                |at: usize| -> f64 { query.iter().zip(&passages[stand_in(at)]).map(|(a, b)| f64::from(a * b)).sum() };
            let vector = ranking((0..pool).map(|at| (at, similarity(at))).collect());
            let text = ranking(bm25.search(&self.queries[n], pool, stand_in));
            rows.entry(case.language).or_default().push(Scores::of(&vector, &text, case.passage));
        }
        let all: Vec<Scores> = rows.values().flatten().cloned().collect();
        let languages = rows
            .into_iter()
            .filter_map(|(language, scores)| Some((language?.to_string(), scores)))
            .filter(|(_, scores)| scores.len() >= MIN_QUERIES)
            .map(|(language, scores)| (language, decide(&scores)))
            .collect();
        Weights { passages: self.base_passages, languages, other: decide(&all) }
    }
}

/// The language of each passage. What only a few passages seem to be in is a mistake of the detection more often than not, and a
/// weight for it would catch queries of its big neighbour (Bulgarian and Russian): those count as unknown.
fn languages(passages: &[String]) -> Vec<Option<&'static str>> {
    let languages: Vec<Option<&'static str>> = passages.iter().map(|passage| language_of(passage, &[])).collect();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    languages.iter().flatten().for_each(|language| *counts.entry(language).or_default() += 1);
    let enough = (passages.len() / 20).max(3);
    languages.into_iter().map(|language| language.filter(|code| counts[code] >= enough)).collect()
}

/// A passage that can be asked for.
struct Candidate {
    passage: usize,
    clozes: Vec<Cloze>,
}

/// A sentence that can be a question, and the rest of its passage.
struct Cloze {
    sentence: String,
    rest: String,
}

fn clozes(passage: &str) -> Vec<Cloze> {
    let sentences: Vec<&str> =
        passage.unicode_sentences().map(str::trim).filter(|sentence| !sentence.is_empty()).collect();
    let words: Vec<usize> = sentences.iter().map(|sentence| sentence.unicode_words().count()).collect();
    let total: usize = words.iter().sum();
    let rest = |out: usize| -> String {
        let kept = sentences.iter().enumerate().filter(|(at, _)| *at != out).map(|(_, sentence)| *sentence);
        kept.collect::<Vec<_>>().join(" ")
    };
    (0..sentences.len())
        .filter(|&at| (5..=30).contains(&words[at]) && total - words[at] >= 10)
        .map(|at| Cloze { sentence: sentences[at].to_string(), rest: rest(at) })
        .collect()
}

/// [`QUERIES`] questions at most: one of each candidate, evenly spread if they are more, then a second one of each, until there are
/// enough. Which sentence comes first differs from passage to passage: first sentences are not like others.
fn spread(candidates: &[Candidate]) -> Vec<(&Candidate, &Cloze)> {
    let step = candidates.len().div_ceil(QUERIES).max(1);
    let rounds = candidates.iter().map(|candidate| candidate.clozes.len()).max().unwrap_or_default();
    (0..rounds)
        .flat_map(|round| {
            let places = candidates.iter().enumerate().step_by(step);
            places
                .filter(move |(_, candidate)| round < candidate.clozes.len())
                .map(move |(n, candidate)| (candidate, &candidate.clozes[(round + n) % candidate.clozes.len()]))
        })
        .take(QUERIES)
        .collect()
}

/// nDCG@10 for one question: each arm alone, and the fusion at each of [`VECTOR_WEIGHTS`].
#[derive(Debug, Clone)]
struct Scores {
    vector: f64,
    text: f64,
    hybrid: [f64; VECTOR_WEIGHTS.len()],
}

impl Scores {
    fn of(vector: &[Hit], text: &[Hit], right: usize) -> Self {
        let right = id(right);
        let ndcg =
            |rank: Option<usize>| rank.filter(|rank| *rank < 10).map_or(0.0, |rank| 1.0 / (rank as f64 + 2.0).log2());
        let hybrid = VECTOR_WEIGHTS.map(|weight| {
            let fused = fuse(vector, text, ArmWeights { vector: weight, text: 1.0 }, DEFAULT_K, 10);
            ndcg(fused.iter().position(|hit| hit.chunk_id == right))
        });
        let alone = |hits: &[Hit]| ndcg(hits.iter().position(|hit| hit.chunk_id == right));
        Self { vector: alone(vector), text: alone(text), hybrid }
    }
}

fn decide(scores: &[Scores]) -> LanguageWeights {
    if scores.len() < MIN_QUERIES {
        return LanguageWeights::default();
    }
    let mean = |value: &dyn Fn(&Scores) -> f64| scores.iter().map(value).sum::<f64>() / scores.len() as f64;
    let hybrid: Vec<f64> = (0..VECTOR_WEIGHTS.len()).map(|at| mean(&|score| score.hybrid[at])).collect();
    let best = hybrid.iter().copied().fold(0.0, f64::max);
    let unevenness = |weight: f64| if weight > 0.0 { weight.ln().abs() } else { f64::INFINITY };
    let (vector, hybrid_ndcg) = VECTOR_WEIGHTS
        .into_iter()
        .zip(hybrid)
        .filter(|(_, ndcg)| *ndcg >= best - NOISE)
        .min_by(|a, b| unevenness(a.0).total_cmp(&unevenness(b.0)))
        .unwrap_or_default();
    LanguageWeights {
        weights: ArmWeights { vector, text: 1.0 },
        queries: scores.len(),
        vector_ndcg: mean(&|score| score.vector),
        text_ndcg: mean(&|score| score.text),
        hybrid_ndcg,
    }
}

/// Best first, as an arm of a search gives it; places in the pool stand in for chunk ids.
fn ranking(mut scores: Vec<(usize, f64)>) -> Vec<Hit> {
    scores.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    scores.truncate(OVER_FETCH);
    #[expect(clippy::cast_possible_truncation, reason = "a score is only shown")]
    scores.into_iter().map(|(at, score)| Hit { chunk_id: id(at), document_id: id(at), score: score as f32 }).collect()
}

fn id(at: usize) -> Uuid {
    Uuid::from_u128(at as u128)
}

/// BM25 (k1 1.2, b 0.75) over the few texts of a test, with the terms of the real index.
struct Bm25 {
    terms: Vec<HashMap<String, usize>>,
    lengths: Vec<f64>,
    mean_length: f64,
    containing: HashMap<String, usize>,
}

impl Bm25 {
    fn new(texts: &[String], pool: usize) -> Self {
        let terms: Vec<HashMap<String, usize>> = texts
            .iter()
            .map(|text| {
                let mut counts = HashMap::new();
                analyze(text).split(' ').for_each(|term| *counts.entry(term.to_string()).or_default() += 1);
                counts
            })
            .collect();
        let lengths: Vec<f64> = terms.iter().map(|counts| counts.values().sum::<usize>() as f64).collect();
        let mean_length = lengths.iter().take(pool).sum::<f64>() / pool.max(1) as f64;
        let mut containing: HashMap<String, usize> = HashMap::new();
        for term in terms.iter().take(pool).flat_map(HashMap::keys) {
            *containing.entry(term.clone()).or_default() += 1;
        }
        Self { terms, lengths, mean_length, containing }
    }

    /// Scores above zero for places 0 to `pool`, each read from where `stand_in` says.
    fn search(&self, query: &str, pool: usize, stand_in: impl Fn(usize) -> usize) -> Vec<(usize, f64)> {
        let query = analyze(query);
        let score = |at: usize| -> f64 {
            let at = stand_in(at);
            let length = 1.2 * (0.25 + 0.75 * self.lengths[at] / self.mean_length.max(1.0));
            let of_term = |term: &str| {
                let count = self.terms[at].get(term).copied().unwrap_or_default() as f64;
                let containing = self.containing.get(term).copied().unwrap_or_default() as f64;
                let idf = (1.0 + (pool as f64 - containing + 0.5) / (containing + 0.5)).ln();
                idf * count * 2.2 / (count + length)
            };
            query.split(' ').map(of_term).sum()
        };
        (0..pool).map(|at| (at, score(at))).filter(|(_, score)| *score > 0.0).collect()
    }
}
