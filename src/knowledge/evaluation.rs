//! Retrieval quality on public texts (`tests/fixtures/retrieval`): nDCG@10 of each arm and of the fusion, with the real
//! model, index and self-test. A small sample runs in the everyday suite, the full set with both models in
//! `scripts/test-slow`.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use uuid::Uuid;

use super::index::*;
use llm::embed::{InputKind, LocalEmbedder, Priority};

/// Where `scripts/test` puts the models (`scripts/fetch-model --dir`).
#[expect(clippy::disallowed_methods, reason = "a test's fixture, not configuration")]
fn test_model(name: &str) -> PathBuf {
    let models = std::env::var("HOLDFAST_TEST_MODELS").map_or_else(
        |_| Path::new(&std::env::var("HOME").expect("HOME")).join(".cache/holdfast/models"),
        PathBuf::from,
    );
    let dir = models.join(name);
    assert!(dir.is_dir(), "{} is missing: run scripts/fetch-model --dir {} {name}", dir.display(), models.display());
    dir
}

/// Hybrid nDCG may be at most this much below the better arm.
const TOLERANCE: f64 = 0.02;

#[derive(Deserialize)]
struct Section {
    query: String,
    passages: Vec<String>,
}

/// Sections by language; the same sections in the same order in each.
type Set = BTreeMap<String, Vec<Section>>;

struct Question {
    text: String,
    language: String,
    relevant: HashSet<Uuid>,
}

#[derive(Default)]
struct Base {
    rows: Vec<(Uuid, Uuid, String)>,
    questions: Vec<Question>,
}

impl Base {
    /// A base in one language, or in several; then each section appears in only one of them.
    fn of(set: &Set, languages: &[&str]) -> Self {
        let mut base = Self::default();
        for (turn, language) in languages.iter().enumerate() {
            for (_, section) in set[*language].iter().enumerate().filter(|(at, _)| at % languages.len() == turn) {
                let document = Uuid::from_u128(1_000_000 + base.questions.len() as u128);
                let first = base.rows.len();
                let passages = section.passages.iter().enumerate();
                base.rows
                    .extend(passages.map(|(n, text)| (Uuid::from_u128((first + n) as u128), document, text.clone())));
                base.questions.push(Question {
                    text: section.query.clone(),
                    language: (*language).to_string(),
                    relevant: base.rows[first..].iter().map(|row| row.0).collect(),
                });
            }
        }
        base
    }

    fn texts(&self) -> Vec<String> {
        self.rows.iter().map(|row| row.2.clone()).collect()
    }
}

/// The model with a cache: bases share most of their texts.
struct Model {
    embedder: LocalEmbedder,
    known: RefCell<HashMap<(bool, String), Vec<f32>>>,
}

impl Model {
    fn load(name: &str) -> Self {
        Self { embedder: LocalEmbedder::load(&test_model(name), None, 2).unwrap(), known: RefCell::default() }
    }

    fn embed(&self, kind: InputKind, texts: &[String]) -> Vec<Vec<f32>> {
        let mut known = self.known.borrow_mut();
        let key = |text: &String| (kind == InputKind::Query, text.clone());
        let new: Vec<String> = texts.iter().filter(|text| !known.contains_key(&key(text))).cloned().collect();
        let vectors = self.embedder.embed(Priority::Bulk, kind, &new).unwrap().vectors;
        known.extend(new.iter().map(key).zip(vectors));
        texts.iter().map(|text| known[&key(text)].clone()).collect()
    }
}

/// Mean nDCG@10 by language, and as `all` for the whole base.
#[derive(Default, Clone, Copy)]
struct Figures {
    questions: usize,
    vector: f64,
    text: f64,
    even: f64,
    hybrid: f64,
}

async fn evaluate(model: &Model, base: &Base) -> (Weights, BTreeMap<String, Figures>) {
    let dir = tempfile::tempdir().unwrap();
    let index = VectorIndex::new(dir.path().to_str().unwrap(), IndexOptions::default());
    index.ensure_table("kb_e_g1", model.embedder.model().dims).await.unwrap();
    let vectors = model.embed(InputKind::Passage, &base.texts());
    let rows = base.rows.iter().zip(&vectors).map(|((chunk_id, document_id, text), vector)| IndexRow {
        chunk_id: *chunk_id,
        document_id: *document_id,
        text: text.clone(),
        vector: vector.clone(),
    });
    index.upsert("kb_e_g1", rows.collect()).await.unwrap();
    let report = index.optimize("kb_e_g1", Retention::Keep(Duration::from_mins(1))).await.unwrap();
    assert!(report.failures.is_empty(), "{report:?}");

    let samples: Vec<Sample> = base.texts().into_iter().map(|text| Sample { context: String::new(), text }).collect();
    let plan = SelfTest::plan(&samples, base.rows.len());
    let [pool, rests] = [&plan.pool, &plan.rests].map(|texts| model.embed(InputKind::Passage, texts));
    let weights = plan.measure(&model.embed(InputKind::Query, &plan.queries), &pool, &rests);

    let queries: Vec<String> = base.questions.iter().map(|question| question.text.clone()).collect();
    let query_vectors = model.embed(InputKind::Query, &queries);
    let mut figures: BTreeMap<String, Figures> = BTreeMap::new();
    for (question, vector) in base.questions.iter().zip(&query_vectors) {
        let by_vector = index.vector_search("kb_e_g1", vector, OVER_FETCH).await.unwrap();
        let by_text = index.text_search("kb_e_g1", &question.text, OVER_FETCH).await.unwrap();
        let fused = |weights: ArmWeights| -> Vec<Uuid> {
            fuse(&by_vector, &by_text, weights, DEFAULT_K, 10).iter().map(|hit| hit.chunk_id).collect()
        };
        let ids = |hits: &[Hit]| -> Vec<Uuid> { hits.iter().map(|hit| hit.chunk_id).collect() };
        let score = |ids: &[Uuid]| ndcg(ids, &question.relevant);
        for group in ["all", &question.language] {
            let figures = figures.entry(group.to_string()).or_default();
            figures.questions += 1;
            figures.vector += score(&ids(&by_vector));
            figures.text += score(&ids(&by_text));
            figures.even += score(&fused(ArmWeights { vector: 1.0, text: 1.0 }));
            figures.hybrid += score(&fused(weights.for_query(&question.text).weights));
        }
    }
    for figures in figures.values_mut() {
        let questions = figures.questions as f64;
        for sum in [&mut figures.vector, &mut figures.text, &mut figures.even, &mut figures.hybrid] {
            *sum /= questions;
        }
    }
    (weights, figures)
}

fn ndcg(ids: &[Uuid], relevant: &HashSet<Uuid>) -> f64 {
    let gain = |rank: usize| 1.0 / (rank as f64 + 2.0).log2();
    let found: f64 =
        ids.iter().take(10).enumerate().filter(|(_, id)| relevant.contains(id)).map(|(rank, _)| gain(rank)).sum();
    found / (0..relevant.len().min(10)).map(gain).sum::<f64>()
}

fn read(path: &Path) -> Set {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

const ALL_BASES: [&[&str]; 3] = [&["en"], &["ru"], &["en", "ru"]];

/// Evaluates bases in these languages, prints a table, and returns violations of the rule.
async fn table(name: &str, model: &Model, set: &Set, bases: &[&[&str]]) -> Vec<String> {
    let mut broken = Vec::new();
    for languages in bases {
        let base = Base::of(set, languages);
        let (weights, figures) = evaluate(model, &base).await;
        for (group, f) in figures.iter().filter(|(group, _)| languages.len() > 1 || *group == "all") {
            let label = format!("{name} | {} | {group}", languages.join("+"));
            println!("{label} | {} | {:.3} | {:.3} | {:.3} | {:.3}", f.questions, f.vector, f.text, f.even, f.hybrid);
            if f.hybrid < f.vector.max(f.text) - TOLERANCE {
                broken.push(format!("{label}: hybrid {:.3}, vector {:.3}, text {:.3}", f.hybrid, f.vector, f.text));
            }
        }
        let found =
            weights.languages.iter().map(|(code, found)| (code.as_str(), found)).chain([("other", &weights.other)]);
        for (language, found) in found {
            println!(
                "    {language}: weight {} after {} questions (vector {:.2}, text {:.2}, hybrid {:.2})",
                found.weights.vector, found.queries, found.vector_ndcg, found.text_ndcg, found.hybrid_ndcg
            );
        }
    }
    broken
}

const HEADER: &str = "set, model | base | queries in | queries | vector | text | equal weights | hybrid";

#[tokio::test]
async fn hybrid_follows_the_better_arm_of_each_language() {
    let set = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/retrieval/gnome.json"));
    println!("{HEADER}");
    let broken = table("sample, MiniLM", &Model::load("all-MiniLM-L6-v2"), &set, &[&["en", "ru"]]).await;
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Questions about the tables in `tests/fixtures/documents/tables.*`: question, answer, column heading, row label.
const TABLE_QUESTIONS: [(&str, &str, &str, &str); 10] = [
    ("What was the revenue in Q2 in Norland?", "10.5", "Revenue Q2", "Norland"),
    ("Varley shop, revenue of the fourth quarter (Q4)", "77.3", "Revenue Q4", "Varley"),
    ("Сколько воды израсходовала Сосновка за III квартал?", "41,7", "III квартал", "Сосновка"),
    ("What does the Selby valve cost?", "87.8", "Price in euros", "Selby valve"),
    ("order number of the Welton valve", "SP-4851", "Order number", "Welton valve"),
    ("Какой уровень реки был на посту Рябинино в апреле?", "4,87", "Апрель", "Рябинино"),
    ("Which power has Station Rowan?", "402.0", "Power in kW", "Station Rowan"),
    ("Сколько дней отпуска на участке Хвойное?", "35", "Дней отпуска", "Хвойное"),
    ("How long does a delivery to Selby take by rail?", "6.4", "By rail", "Selby"),
    ("Летний тариф на перевозку до станции Ульянка", "318,4", "Летний тариф", "Ульянка"),
];

/// A chunk as it is indexed.
struct TableChunk {
    searchable: String,
    lines: Vec<String>,
}

impl TableChunk {
    /// Whether the row's line has `value` below `heading` in the same column, so that its meaning is clear.
    fn says(&self, value: &str, heading: &str, row: &str) -> bool {
        let line = self.lines.iter().position(|line| line.contains(row) && line.contains(value));
        let cells = |line: &str| -> Vec<String> { line.split('|').map(|cell| cell.trim().to_owned()).collect() };
        line.is_some_and(|at| {
            let column = cells(&self.lines[at]).iter().position(|cell| cell == value);
            let above = self.lines[..at].iter().find(|line| line.contains(heading));
            above.is_some_and(|line| cells(line).iter().position(|cell| cell == heading) == column)
        })
    }
}

/// Extracts, chunks and prepares each document like `knowledge.extract`.
fn table_chunks(model: &LocalEmbedder) -> Vec<TableChunk> {
    use crate::model::searchable_text;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/documents");
    let mut passages = Vec::new();
    for name in
        ["md", "html", "docx", "pdf"].iter().flat_map(|kind| [format!("tables.en.{kind}"), format!("tables.ru.{kind}")])
    {
        let bytes = std::fs::read(folder.join(&name)).unwrap();
        let kind = extraction::sniff(&bytes, &name).unwrap();
        let document = extraction::extract(&bytes, kind, &extraction::Limits::default()).unwrap();
        let chunks = extraction::chunk(&document, &|text| model.count_tokens(text).unwrap(), 220);
        assert!(chunks.len() > 1, "{name} is a single chunk: its questions prove nothing");
        passages.extend(chunks.into_iter().map(|chunk| {
            let searchable = searchable_text(&chunk.heading, chunk.table_header.as_deref(), &chunk.text);
            TableChunk { lines: searchable.lines().map(str::to_owned).collect(), searchable }
        }));
    }
    passages
}

#[tokio::test]
async fn table_values_are_found_with_their_headings() {
    let model = Model::load("all-MiniLM-L6-v2");
    let passages = table_chunks(&model.embedder);
    let dir = tempfile::tempdir().unwrap();
    let index = VectorIndex::new(dir.path().to_str().unwrap(), IndexOptions::default());
    index.ensure_table("kb_t_g1", model.embedder.model().dims).await.unwrap();
    let texts: Vec<String> = passages.iter().map(|chunk| chunk.searchable.clone()).collect();
    let vectors = model.embed(InputKind::Passage, &texts);
    let rows = texts.into_iter().zip(vectors).enumerate().map(|(n, (text, vector))| IndexRow {
        chunk_id: Uuid::from_u128(n as u128),
        document_id: Uuid::from_u128(1_000_000),
        text,
        vector,
    });
    index.upsert("kb_t_g1", rows.collect()).await.unwrap();
    let (mut first, mut missed) = (0, Vec::new());
    for (question, value, heading, row) in TABLE_QUESTIONS {
        assert!(passages.iter().any(|chunk| chunk.says(value, heading, row)), "no chunk has {value} for {row}");
        let vector = model.embed(InputKind::Query, &[question.to_owned()]).remove(0);
        let by_vector = index.vector_search("kb_t_g1", &vector, OVER_FETCH).await.unwrap();
        let by_text = index.text_search("kb_t_g1", question, OVER_FETCH).await.unwrap();
        let hits = fuse(&by_vector, &by_text, ArmWeights::default(), DEFAULT_K, 10);
        let right = |hit: &FusedHit| passages[hit.chunk_id.as_u128() as usize].says(value, heading, row);
        let rank = hits.iter().position(right);
        println!("{question} -> {value}: {}", rank.map_or("not found".to_owned(), |rank| format!("rank {}", rank + 1)));
        first += usize::from(rank == Some(0));
        if rank.is_none_or(|rank| rank > 2) {
            missed.push(question);
        }
    }
    println!("first: {first} of {}, {} chunks", TABLE_QUESTIONS.len(), passages.len());
    assert!(missed.is_empty(), "not within the first three: {missed:#?}");
    assert!(first * 10 >= TABLE_QUESTIONS.len() * 7, "only {first} came first");
}

/// Data: `tests/fixtures/retrieval/make-set DIR`, then `HOLDFAST_RETRIEVAL_SET=DIR`.
#[tokio::test]
#[ignore = "takes half an hour and two models; run by scripts/test-slow"]
#[expect(clippy::disallowed_methods, reason = "location of test data, not configuration")]
async fn hybrid_follows_the_better_arm_on_the_whole_set() {
    let dir = std::env::var("HOLDFAST_RETRIEVAL_SET").expect("HOLDFAST_RETRIEVAL_SET: the folder written by make-set");
    let mut sets: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    sets.sort();
    let mut broken = Vec::new();
    println!("{HEADER}");
    for name in ["all-MiniLM-L6-v2", "multilingual-e5-small"] {
        let model = Model::load(name);
        for path in &sets {
            let label = format!("{}, {name}", path.file_stem().unwrap().to_string_lossy());
            broken.extend(table(&label, &model, &read(path), &ALL_BASES).await);
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}
