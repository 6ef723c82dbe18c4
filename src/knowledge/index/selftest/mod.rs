//! Self-test: measures how reliable the vector arm is for each language of a base, on the base's own chunks.
//!
//! An English model also returns vectors for Russian text, but they are meaningless; fused at equal weight they drown
//! the full-text arm. Neither the model nor the alphabet tells this reliably, so it is measured with the inverse cloze
//! task (Lee, Chang, Toutanova: Latent Retrieval for Weakly Supervised Open Domain Question Answering, ACL 2019): a
//! sentence is taken out of a chunk and becomes the query, and the rest of the chunk, among all other chunks, is the
//! only right answer. The query's words are missing from the answer, so full text has no head start. Each arm is scored
//! by nDCG@10 per language.
//!
//! The weight of the vector arm follows from the two scores alone: [`EVEN`] times the cube of their quotient. Picking
//! the best of a range of weights proved worse: the maximum of many noisy means is noise, and sentences differ from
//! real queries in a way that distorts the shape of the curve but not an arm's score. Measurements:
//! `docs/decisions/0006-fusion-by-rank-and-score.md`.
//!
//! The same test measures the similarity that a chunk reaches by chance ([`PROBES`]), so that a search can tell weak
//! matches from answers.
//!
//! Pure functions: [`SelfTest::plan`] returns the texts to embed, [`SelfTest::measure`] takes their vectors.

mod bm25;

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;
use uuid::Uuid;

use super::{DEFAULT_K, Hit, OVER_FETCH, fuse, language_of};
use bm25::Bm25;

/// Chunks to search among.
const POOL: usize = 500;
/// Queries per language: with 100, the standard error of nDCG@10 is about 0.04 for one arm, less for a difference of
/// two.
const QUERIES: usize = 100;
/// With fewer queries nothing is decided: their quotient may be wrong by half.
const MIN_QUERIES: usize = 16;
/// Weight of a vector arm that scores the same as full text here. Above 1, because sentences share rare words with
/// their neighbours, while people ask in their own words.
const EVEN: f64 = 2.0;
/// Exponent: how fast the weaker arm loses weight.
const STEEPNESS: i32 = 3;
/// Maximum weight: at this ratio the vector arm decides alone.
const MAX_WEIGHT: f64 = 20.0;
/// Score of one additional virtual query for both arms: keeps the quotient finite and, with few queries, near 1.
const PSEUDO_NDCG: f64 = 0.6;
/// Version of the test and the fusion; increment it on changes to invalidate older results.
const METHOD: u32 = 3;
/// Queries from unrelated fields, with their language, that hardly any base can answer. The nearest chunk to such a
/// query is near by chance; a hit no nearer to a real query is a weak match.
const PROBES: [(&str, &str); 24] = [
    ("eng", "How long do emperor penguins keep their egg warm?"),
    ("eng", "Which chord follows the dominant in a minor key?"),
    ("eng", "When should tulip bulbs be planted in a cold garden?"),
    ("eng", "Who won the chess championship in Reykjavik?"),
    ("eng", "What makes sourdough bread rise without yeast?"),
    ("eng", "How deep is the crater on the far side of the moon?"),
    ("eng", "Why did the ancient theatre use stone masks?"),
    ("eng", "Can a violin be repaired after it has cracked?"),
    ("eng", "What do sea turtles eat in their first summer?"),
    ("eng", "How is blue glass made for church windows?"),
    ("eng", "Which knot holds best on a wet climbing rope?"),
    ("eng", "Does the comet come back within a hundred years?"),
    ("rus", "Сколько дней императорский пингвин греет своё яйцо?"),
    ("rus", "Какой аккорд следует за доминантой в миноре?"),
    ("rus", "Когда сажают луковицы тюльпанов в холодном саду?"),
    ("rus", "Кто победил в шахматном матче в Рейкьявике?"),
    ("rus", "Почему хлеб на закваске поднимается без дрожжей?"),
    ("rus", "Какой глубины кратер на обратной стороне Луны?"),
    ("rus", "Зачем в античном театре надевали каменные маски?"),
    ("rus", "Можно ли починить треснувшую скрипку?"),
    ("rus", "Чем питаются морские черепахи в первое лето?"),
    ("rus", "Как варят синее стекло для церковных окон?"),
    ("rus", "Какой узел лучше держит мокрую верёвку альпиниста?"),
    ("rus", "Вернётся ли комета в ближайшие сто лет?"),
];
/// The floor is this quantile of the probes' best similarities.
const CHANCE_QUANTILE: f64 = 0.9;
/// At most this share of the right answers may lie below the floor.
const MAX_ANSWERS_BELOW: f64 = 0.1;

/// Weights of the two arms in the fusion.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ArmWeights {
    pub vector: f64,
    pub text: f64,
}

impl Default for ArmWeights {
    /// Before the first measurement full text leads, since it works with every language and model.
    fn default() -> Self {
        Self { vector: 0.5, text: 1.0 }
    }
}

/// The weights for one language and the nDCG@10 that they are based on: each arm alone, and both at these weights.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct LanguageWeights {
    pub weights: ArmWeights,
    /// Number of queries; 0 if there were too few to decide.
    pub queries: usize,
    pub vector_ndcg: f64,
    pub text_ndcg: f64,
    pub hybrid_ndcg: f64,
    /// Cosine similarity that a chunk reaches by chance; hits below are weak matches. `None` until measured.
    #[serde(default)]
    pub floor: Option<f64>,
}

/// The result of a base's self-test, stored with the base as JSON.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Weights {
    /// Version of the test that produced it.
    #[serde(default)]
    pub method: u32,
    /// Number of chunks in the base at that time.
    pub passages: usize,
    /// By ISO 639-3 language code.
    pub languages: BTreeMap<String, LanguageWeights>,
    /// For queries in any other or an undetected language: measured over all queries.
    pub other: LanguageWeights,
}

impl Weights {
    /// The result for the language of a query.
    pub fn for_query(&self, query: &str) -> &LanguageWeights {
        let known: Vec<&str> = self.languages.keys().map(String::as_str).collect();
        let language = if known.is_empty() { None } else { language_of(query, &known) };
        language.and_then(|code| self.languages.get(code)).unwrap_or(&self.other)
    }

    /// Whether a base with this many chunks should be measured again: it has doubled or halved, was too small to
    /// measure, or was measured by an older version.
    pub fn outdated(&self, chunks: usize) -> bool {
        self.method != METHOD
            || chunks > self.passages.saturating_mul(2)
            || chunks < self.passages / 2
            || (self.other.queries == 0 && chunks != self.passages)
    }
}

/// A chunk of a base.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Indexed together with the text but not part of it: the headings above.
    pub context: String,
    pub text: String,
}

impl Sample {
    /// The indexed text, as `model::searchable_text` makes it.
    fn searchable(&self, text: &str) -> String {
        if self.context.is_empty() { text.to_owned() } else { format!("{}\n{text}", self.context) }
    }
}

/// A planned self-test: embed `queries` as queries, `pool` and `rests` as passages, then call [`Self::measure`].
#[derive(Debug)]
pub struct SelfTest {
    pub queries: Vec<String>,
    /// The texts to search, as they are indexed.
    pub pool: Vec<String>,
    /// For each query, the chunk without it.
    pub rests: Vec<String>,
    cases: Vec<Case>,
    base_chunks: usize,
}

#[derive(Debug)]
struct Case {
    /// Position of the chunk in the pool.
    chunk: usize,
    language: Option<&'static str>,
}

impl SelfTest {
    /// Chooses chunks and sentences, evenly spread and deterministic. `base_chunks` is the size of the base, of which
    /// `sample` may be a part (500 are enough).
    pub fn plan(sample: &[Sample], base_chunks: usize) -> Self {
        let step = sample.len().div_ceil(POOL).max(1);
        let chosen: Vec<&Sample> = sample.iter().step_by(step).collect();
        let mut candidates: BTreeMap<Option<&'static str>, Vec<Candidate>> = BTreeMap::new();
        for (at, language) in languages(&chosen).into_iter().enumerate() {
            let clozes = clozes(&chosen[at].text);
            if !clozes.is_empty() {
                candidates.entry(language).or_default().push(Candidate { chunk: at, clozes });
            }
        }
        let pool = chosen.iter().map(|sample| sample.searchable(&sample.text)).collect();
        let mut test = Self { queries: Vec::new(), pool, rests: Vec::new(), cases: Vec::new(), base_chunks };
        for (language, candidates) in candidates {
            for (candidate, cloze) in spread(&candidates) {
                test.queries.push(cloze.sentence.clone());
                test.rests.push(chosen[candidate.chunk].searchable(&cloze.rest));
                test.cases.push(Case { chunk: candidate.chunk, language });
            }
        }
        test.queries.extend(PROBES.iter().map(|(_, question)| (*question).to_owned()));
        test
    }

    /// Scores the arms and computes the floors. The vectors are unit length and in the order of `queries`, `pool` and
    /// `rests`.
    pub fn measure(&self, queries: &[Vec<f32>], pool: &[Vec<f32>], rests: &[Vec<f32>]) -> Weights {
        let (queries, probes) = queries.split_at(self.cases.len().min(queries.len()));
        let chance: Vec<(&str, f64)> = PROBES
            .iter()
            .zip(probes)
            .filter_map(|((language, _), probe)| {
                let nearest = pool.iter().map(|chunk| cosine(probe, chunk)).max_by(f64::total_cmp)?;
                Some((*language, nearest))
            })
            .collect();
        let bm25 = Bm25::new(&self.pool);
        let mut rows: BTreeMap<Option<&'static str>, Vec<Asked>> = BTreeMap::new();
        for (((query, rest), case), vectors) in
            self.queries.iter().zip(&self.rests).zip(&self.cases).zip(queries.iter().zip(rests))
        {
            // The chunk itself is replaced by its remainder.
            let (of_query, of_rest) = vectors;
            let similarity = |at: usize| -> f64 {
                let chunk = if at == case.chunk { of_rest } else { &pool[at] };
                cosine(of_query, chunk)
            };
            let near = similarity(case.chunk);
            let vector = ranking((0..pool.len()).map(|at| (at, similarity(at))).collect());
            let text = ranking(bm25.search(query, case.chunk, rest));
            rows.entry(case.language).or_default().push(Asked { vector, text, right: id(case.chunk), near });
        }
        let all: Vec<Asked> = rows.values().flatten().cloned().collect();
        let languages = rows
            .into_iter()
            .filter_map(|(language, asked)| Some((language?.to_string(), asked)))
            .filter(|(_, asked)| asked.len() >= MIN_QUERIES)
            .map(|(language, asked)| {
                let floor = floor(&chance, Some(&language), &asked);
                (language, LanguageWeights { floor, ..decide(&asked) })
            })
            .collect();
        let other = LanguageWeights { floor: floor(&chance, None, &all), ..decide(&all) };
        Weights { method: METHOD, passages: self.base_chunks, languages, other }
    }
}

/// The language of each chunk. Rare languages count as unknown: they are usually detection errors, and a weight for
/// them would catch queries in a similar major language (Bulgarian and Russian).
fn languages(chunks: &[&Sample]) -> Vec<Option<&'static str>> {
    let languages: Vec<Option<&'static str>> = chunks.iter().map(|chunk| language_of(&chunk.text, &[])).collect();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    languages.iter().flatten().for_each(|language| *counts.entry(language).or_default() += 1);
    let enough = (chunks.len() / 20).max(3);
    languages.into_iter().map(|language| language.filter(|code| counts[code] >= enough)).collect()
}

/// A chunk with sentences that can serve as queries.
struct Candidate {
    chunk: usize,
    clozes: Vec<Cloze>,
}

/// A sentence that can serve as a query, and the rest of its chunk.
struct Cloze {
    sentence: String,
    rest: String,
}

fn clozes(chunk: &str) -> Vec<Cloze> {
    let sentences: Vec<&str> =
        chunk.unicode_sentences().map(str::trim).filter(|sentence| !sentence.is_empty()).collect();
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

/// Picks at most [`QUERIES`] queries: one per candidate, evenly spread if there are more, then a second one each, until
/// there are enough. The starting sentence varies by chunk, because first sentences are atypical.
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

/// A query with the ranking of each arm and the right answer.
#[derive(Debug, Clone)]
struct Asked {
    vector: Vec<Hit>,
    text: Vec<Hit>,
    right: Uuid,
    /// Cosine similarity of the right answer.
    near: f64,
}

impl Asked {
    /// nDCG@10 with a single right answer.
    fn ndcg(&self, mut ids: impl Iterator<Item = Uuid>) -> f64 {
        let rank = ids.position(|id| id == self.right).filter(|rank| *rank < 10);
        rank.map_or(0.0, |rank| 1.0 / (rank as f64 + 2.0).log2())
    }
}

/// The chance similarity for the language, lowered if it would cut off right answers. `None` without probes.
fn floor(chance: &[(&str, f64)], language: Option<&str>, asked: &[Asked]) -> Option<f64> {
    let of_language = |(code, near): &(&str, f64)| (language == Some(*code)).then_some(*near);
    let own: Vec<f64> = chance.iter().filter_map(of_language).collect();
    let probes = if own.is_empty() { chance.iter().map(|(_, near)| *near).collect() } else { own };
    let chance = quantile(probes, CHANCE_QUANTILE)?;
    let right =
        (asked.len() >= MIN_QUERIES).then(|| quantile(asked.iter().map(|one| one.near).collect(), MAX_ANSWERS_BELOW));
    let floor = right.flatten().map_or(chance, |right| right.min(chance));
    // Rounded for storage: further digits are noise, and do not always survive JSON.
    Some((floor * 1e4).round() / 1e4)
}

fn quantile(mut values: Vec<f64>, share: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in the list")]
    let at = (share * values.len().saturating_sub(1) as f64).round() as usize;
    values.get(at).copied()
}

/// For unit vectors.
fn cosine(one: &[f32], other: &[f32]) -> f64 {
    one.iter().zip(other).map(|(a, b)| f64::from(a * b)).sum()
}

fn decide(asked: &[Asked]) -> LanguageWeights {
    if asked.len() < MIN_QUERIES {
        return LanguageWeights::default();
    }
    let count = asked.len() as f64;
    let mean = |score: &dyn Fn(&Asked) -> f64| asked.iter().map(score).sum::<f64>() / count;
    let vector_ndcg = mean(&|one| one.ndcg(one.vector.iter().map(|hit| hit.chunk_id)));
    let text_ndcg = mean(&|one| one.ndcg(one.text.iter().map(|hit| hit.chunk_id)));
    let quotient = (vector_ndcg * count + PSEUDO_NDCG) / (text_ndcg * count + PSEUDO_NDCG);
    let weights = ArmWeights { vector: (EVEN * quotient.powi(STEEPNESS)).min(MAX_WEIGHT), text: 1.0 };
    let fused = |one: &Asked| fuse(&one.vector, &one.text, weights, DEFAULT_K, 10);
    let hybrid_ndcg = mean(&|one| one.ndcg(fused(one).iter().map(|hit| hit.chunk_id)));
    LanguageWeights { weights, queries: asked.len(), vector_ndcg, text_ndcg, hybrid_ndcg, floor: None }
}

/// Best first, like an arm of a search; pool positions stand in for chunk ids.
fn ranking(mut scores: Vec<(usize, f64)>) -> Vec<Hit> {
    scores.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    scores.truncate(OVER_FETCH);
    #[expect(clippy::cast_possible_truncation, reason = "a score is only shown")]
    scores.into_iter().map(|(at, score)| Hit { chunk_id: id(at), document_id: id(at), score: score as f32 }).collect()
}

fn id(at: usize) -> Uuid {
    Uuid::from_u128(at as u128)
}
