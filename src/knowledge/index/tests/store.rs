use super::*;
use storage::DeleteGuard;

const DIMS: usize = 4;

fn open(dir: &std::path::Path) -> VectorIndex {
    let options = IndexOptions { read_consistency: Duration::ZERO, ..IndexOptions::default() };
    VectorIndex::new(dir.to_str().unwrap(), options)
}

fn row(chunk: u128, document: u128, text: &str, vector: [f32; DIMS]) -> IndexRow {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    IndexRow {
        chunk_id: id(chunk),
        document_id: id(document),
        text: text.into(),
        vector: vector.map(|x| x / length).to_vec(),
    }
}

fn rows() -> Vec<IndexRow> {
    vec![
        row(1, 10, "The server keeps its logs for a month", [1.0, 0.0, 0.0, 0.0]),
        row(2, 10, "Сервер хранит журналы один месяц", [0.9, 0.1, 0.0, 0.0]),
        row(3, 11, "Bread is baked in the oven", [0.0, 1.0, 0.0, 0.0]),
        row(4, 12, "Backups of the database run every night", [0.0, 0.0, 1.0, 0.2]),
    ]
}

/// Both maintenance steps.
async fn upkeep(index: &VectorIndex, table: &str, retention: Retention) -> OptimizeReport {
    let mut report = index.optimize(table, retention).await.unwrap();
    index.prune(table, retention, &mut report, &mut DeleteGuard::of_nothing()).await.unwrap();
    report
}

fn chunks(hits: &[Hit]) -> Vec<u128> {
    hits.iter().map(|hit| hit.chunk_id.as_u128()).collect()
}

#[tokio::test]
async fn rows_are_found_before_and_after_optimize() {
    let dir = tempfile::tempdir().unwrap();
    let index = open(dir.path());
    let table = table_name(id(7), 1);
    assert_eq!(table, "kb_00000000000000000000000000000007_g1");
    index.ensure_table(&table, DIMS).await.unwrap();
    index.ensure_table(&table, DIMS).await.unwrap();
    assert!(index.vector_search(&table, &[1.0, 0.0, 0.0, 0.0], 10).await.unwrap().is_empty());
    assert!(index.text_search(&table, "server", 10).await.unwrap().is_empty());
    index.upsert(&table, rows()).await.unwrap();
    for optimized in [false, true] {
        let vector = index.vector_search(&table, &[1.0, 0.0, 0.0, 0.0], 2).await.unwrap();
        assert_eq!(chunks(&vector), [1, 2], "optimized: {optimized}");
        assert!((vector[0].score - 1.0).abs() < 1e-5, "{vector:?}");
        assert_eq!(vector[0].document_id, id(10));
        let text = index.text_search(&table, "серверы", 10).await.unwrap();
        assert_eq!(chunks(&text), [2], "optimized: {optimized}");
        assert!(text[0].score > 0.0);
        let both = index.text_search(&table, "server database backup", 10).await.unwrap();
        assert_eq!(chunks(&both), [4, 1], "two rare words beat one; optimized: {optimized}");
        assert!(both[0].score > both[1].score);
        let report = upkeep(&index, &table, Retention::Keep(Duration::from_hours(1))).await;
        assert!(report.failures.is_empty(), "{report:?}");
    }
    let stats = index.stats(&table).await.unwrap();
    assert_eq!((stats.rows, stats.unindexed_rows), (4, 0), "{stats:?}");
    index.upsert(&table, vec![row(5, 13, "A new page about gardening", [0.0, 0.0, 0.0, 1.0])]).await.unwrap();
    assert_eq!(chunks(&index.text_search(&table, "gardens", 10).await.unwrap()), [5], "beside the index");
    assert_eq!(index.stats(&table).await.unwrap().unindexed_rows, 1);
}

#[tokio::test]
async fn writing_twice_is_writing_once_and_deletes_take_whole_documents() {
    let dir = tempfile::tempdir().unwrap();
    let index = open(dir.path());
    let table = table_name(id(7), 1);
    index.ensure_table(&table, DIMS).await.unwrap();
    index.upsert(&table, rows()).await.unwrap();
    index.upsert(&table, rows()).await.unwrap();
    let mut twice = rows();
    twice.push(row(3, 11, "Cakes instead of bread", [0.0, 1.0, 0.0, 0.0]));
    index.upsert(&table, twice).await.unwrap();
    assert_eq!(index.stats(&table).await.unwrap().rows, 4);
    assert_eq!(chunks(&index.text_search(&table, "cake", 10).await.unwrap()), [3], "the later row of a batch counts");
    index.delete_documents(&table, &[id(10), id(99)]).await.unwrap();
    index.delete_documents(&table, &[]).await.unwrap();
    let mut left = index.chunk_ids(&table).await.unwrap();
    left.sort_unstable();
    assert_eq!(left, [(id(3), id(11)), (id(4), id(12))]);
    assert!(index.text_search(&table, "logs", 10).await.unwrap().is_empty());
    upkeep(&index, &table, Retention::Keep(Duration::from_hours(1))).await;
    index.upsert(&table, rows()).await.unwrap();
    assert_eq!(index.chunk_ids(&table).await.unwrap().len(), 4, "no duplicates after optimize");
}

/// "A delete leaves nothing behind": the word is in no file of the store.
#[tokio::test]
async fn a_purge_leaves_nothing_of_a_deleted_document() {
    let dir = tempfile::tempdir().unwrap();
    let index = open(dir.path());
    let table = table_name(id(7), 1);
    index.ensure_table(&table, DIMS).await.unwrap();
    let mut all = rows();
    all.push(row(8, 20, "Zyzzogeton payroll", [0.3, 0.3, 0.3, 0.3]));
    index.upsert(&table, all).await.unwrap();
    upkeep(&index, &table, Retention::Keep(Duration::from_hours(1))).await;
    assert!(mentions(dir.path(), b"zyzzogeton"), "the check can see it");
    index.delete_documents(&table, &[id(20)]).await.unwrap();
    let report = upkeep(&index, &table, Retention::Purge).await;
    assert!(report.failures.is_empty(), "{report:?}");
    assert!(!mentions(dir.path(), b"zyzzogeton"));
    assert!(!mentions(dir.path(), id(8).to_string().as_bytes()));
    assert_eq!(chunks(&index.text_search(&table, "database", 10).await.unwrap()), [4]);
    assert_eq!(index.vector_search(&table, &[1.0, 0.0, 0.0, 0.0], 10).await.unwrap().len(), 4);
    assert_eq!(index.stats(&table).await.unwrap().versions, 1);
}

/// While documents come in, searches neither scan many unindexed rows nor change their results.
#[tokio::test]
async fn new_rows_are_indexed_before_searches_slow_down() {
    let dir = tempfile::tempdir().unwrap();
    let index = open(dir.path());
    let table = table_name(id(7), 1);
    assert_eq!(index.tidy(&table, true).await.unwrap(), Tidied::default(), "there is no table yet");
    index.ensure_table(&table, DIMS).await.unwrap();
    let page = |n: u128| {
        let words = ["albatross", "sturgeon", "badger"][usize::try_from(n % 3).unwrap()];
        row(100 + n, 10 + n / 20, &format!("Sheet {n} tells of the {words}"), [1.0, n as f32 / 400.0, 0.0, 0.0])
    };
    let mut worked = Vec::new();
    for part in 0..20 {
        index.upsert(&table, (part * 20..part * 20 + 20).map(page).collect()).await.unwrap();
        let tidied = index.tidy(&table, false).await.unwrap();
        let stats = index.stats(&table).await.unwrap();
        assert!(stats.unindexed_rows < 256 && stats.fragments <= 17, "after {part}: {stats:?}, {tidied:?}");
        assert_eq!(stats.unindexed_rows, tidied.waiting);
        worked.push(tidied.worked);
    }
    assert!(worked.contains(&true) && worked.contains(&false), "in pieces, not after each write: {worked:?}");
    let found = async || {
        let text = index.text_search(&table, "sheet 77 sturgeon", 10).await.unwrap();
        (text, index.vector_search(&table, &[1.0, 0.5, 0.0, 0.0], 10).await.unwrap())
    };
    let (text, vector) = found().await;
    assert!(chunks(&text).contains(&177), "{text:?}");
    let settled = index.tidy(&table, true).await.unwrap();
    assert!(settled.worked && settled.waiting == 0 && !settled.wants_vector_index, "{settled:?}");
    let stats = index.stats(&table).await.unwrap();
    assert!(stats.unindexed_rows == 0 && stats.fragments <= 5 && stats.rows == 400, "{stats:?}");
    assert_eq!(found().await.1, vector);
    // The other nine are equal, and their order is arbitrary.
    let best = |hits: &[Hit]| (hits.len(), hits[0].chunk_id);
    assert_eq!(best(&found().await.0), best(&text), "the same leads");
    assert!(!index.tidy(&table, true).await.unwrap().worked, "nothing is left to do");
}

/// Each write adds a version and a file: without maintenance the folder would grow forever.
#[tokio::test]
async fn maintenance_frees_the_space_of_rewritten_rows() {
    let dir = tempfile::tempdir().unwrap();
    let index = open(dir.path());
    let table = table_name(id(7), 1);
    index.ensure_table(&table, DIMS).await.unwrap();
    index.upsert(&table, rows()).await.unwrap();
    upkeep(&index, &table, Retention::Keep(Duration::ZERO)).await;
    let once = size(dir.path());
    for _ in 0..20 {
        index.upsert(&table, rows()).await.unwrap();
    }
    let grown = index.stats(&table).await.unwrap();
    assert!(grown.versions > 20 && size(dir.path()) > 3 * once, "else this test proves nothing: {grown:?}");
    let report = upkeep(&index, &table, Retention::Keep(Duration::ZERO)).await;
    assert!(report.failures.is_empty() && report.versions_removed >= 20 && report.bytes_removed > 0, "{report:?}");
    let stats = index.stats(&table).await.unwrap();
    assert!(stats.versions <= 3 && stats.fragments == 1 && stats.unindexed_rows == 0, "{stats:?}");
    assert!(size(dir.path()) < 2 * once, "{} after {once}", size(dir.path()));
}

fn size(dir: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { size(&path) } else { std::fs::metadata(&path).unwrap().len() }).sum()
}

fn mentions(dir: &std::path::Path, needle: &[u8]) -> bool {
    std::fs::read_dir(dir).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return mentions(&path, needle);
        }
        std::fs::read(path).unwrap().windows(needle.len()).any(|window| window == needle)
    })
}

#[tokio::test]
async fn any_text_is_a_valid_query() {
    let dir = tempfile::tempdir().unwrap();
    let index = open(dir.path());
    let table = table_name(id(7), 1);
    index.ensure_table(&table, DIMS).await.unwrap();
    index.upsert(&table, rows()).await.unwrap();
    for query in [
        "\"server",
        "server AND (",
        "terms:server",
        "-server",
        "server~2^3",
        "serv*",
        "'; DROP TABLE x; --",
        "\\",
        "server\0",
    ] {
        index.text_search(&table, query, 10).await.unwrap_or_else(|error| panic!("{query:?}: {error:?}"));
    }
    assert_eq!(chunks(&index.text_search(&table, "(\"SERVER\" AND -\"logs", 10).await.unwrap()), [1]);
    assert!(index.text_search(&table, "the of и", 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn wrong_dimensions_and_missing_tables_are_typed_errors() {
    let dir = tempfile::tempdir().unwrap();
    let index = open(dir.path());
    index.ensure_table("kb_a_g1", DIMS).await.unwrap();
    let wrong = |result: Result<(), IndexError>| {
        assert!(matches!(result, Err(IndexError::Dimensions { .. })), "{result:?}");
    };
    wrong(index.ensure_table("kb_a_g1", 8).await);
    wrong(index.vector_search("kb_a_g1", &[1.0], 1).await.map(drop));
    let short = IndexRow { chunk_id: id(1), document_id: id(1), text: String::new(), vector: vec![1.0] };
    wrong(index.upsert("kb_a_g1", vec![short]).await);
    let absent = index.text_search("kb_b_g1", "word", 1).await;
    assert!(matches!(&absent, Err(IndexError::NoSuchTable(name)) if name == "kb_b_g1"), "{absent:?}");
    assert_eq!(index.list_tables().await.unwrap(), ["kb_a_g1"]);
    index.drop_table("kb_a_g1", &mut DeleteGuard::of_nothing()).await.unwrap();
    index.drop_table("kb_a_g1", &mut DeleteGuard::of_nothing()).await.unwrap();
    assert!(index.list_tables().await.unwrap().is_empty());
    assert!(matches!(index.stats("kb_a_g1").await, Err(IndexError::NoSuchTable(_))));
    index.ensure_table("kb_a_g1", 8).await.unwrap();
}

/// Two processes on one store see each other's commits.
#[tokio::test]
async fn another_handle_sees_commits() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, reader) = (open(dir.path()), open(dir.path()));
    let table = table_name(id(7), 1);
    writer.ensure_table(&table, DIMS).await.unwrap();
    assert!(reader.text_search(&table, "server", 10).await.unwrap().is_empty());
    writer.upsert(&table, rows()).await.unwrap();
    assert_eq!(chunks(&reader.text_search(&table, "server", 10).await.unwrap()), [1]);
}

/// A reader whose open table predates a purge (possible for a second in another process) retries instead of failing.
#[tokio::test]
async fn a_purge_does_not_fail_readers() {
    let dir = tempfile::tempdir().unwrap();
    let writer = open(dir.path());
    let options = IndexOptions { read_consistency: Duration::from_hours(1), ..IndexOptions::default() };
    let table = table_name(id(7), 1);
    writer.ensure_table(&table, DIMS).await.unwrap();
    writer.upsert(&table, rows()).await.unwrap();
    for round in 0..4 {
        let reader = VectorIndex::new(dir.path().to_str().unwrap(), options.clone());
        reader.state(&table).await.unwrap();
        writer.delete_documents(&table, &[id(12)]).await.unwrap();
        writer.upsert(&table, rows()).await.unwrap();
        upkeep(&writer, &table, Retention::Purge).await;
        match round {
            0 => assert_eq!(reader.vector_search(&table, &[1.0, 0.0, 0.0, 0.0], 9).await.unwrap().len(), 4),
            1 => assert_eq!(chunks(&reader.text_search(&table, "database", 9).await.unwrap()), [4]),
            2 => assert_eq!(reader.chunk_ids(&table).await.unwrap().len(), 4),
            _ => assert_eq!(reader.rows(&table, &[id(3)]).await.unwrap().len(), 1),
        }
    }
}

/// Chunks with pseudo-random vectors.
fn random_rows(dims: usize) -> impl FnMut(u128, u128) -> Vec<IndexRow> {
    let mut seed = 1_u64;
    let mut number = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 40) as f32 / 8_388_608.0 - 1.0
    };
    move |from, to| {
        let row = |n: u128| {
            let mut vector: Vec<f32> = (0..dims).map(|_| number()).collect();
            let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
            for x in &mut vector {
                *x /= length;
            }
            IndexRow { chunk_id: id(n), document_id: id(n / 10), text: format!("passage number{n}"), vector }
        };
        (from..to).map(row).collect()
    }
}

/// The cache finds the same as LanceDB in the current version; a table that is too large is not cached.
#[tokio::test]
async fn cached_vectors_follow_the_table() {
    // Not a multiple of the SIMD width.
    const DIMS: usize = 37;
    let dir = tempfile::tempdir().unwrap();
    let with = |bytes: usize| {
        let options =
            IndexOptions { read_consistency: Duration::ZERO, held_vector_bytes: bytes, ..IndexOptions::default() };
        VectorIndex::new(dir.path().to_str().unwrap(), options)
    };
    // 300 rows of 37 numbers and two ids take 54 000 bytes.
    let (held, small, none) = (with(1 << 20), with(100_000), with(0));
    held.ensure_table("kb_held_g1", DIMS).await.unwrap();
    let mut rows = random_rows(DIMS);
    let first = rows(0, 300);
    held.upsert("kb_held_g1", first.clone()).await.unwrap();
    let wordy =
        IndexRow { chunk_id: id(999), document_id: id(99), text: "words alone".into(), vector: vec![0.0; DIMS] };
    held.upsert("kb_held_g1", vec![wordy]).await.unwrap();
    let check = async |what: &str, question: &[f32], best: u128| {
        let found = held.vector_search("kb_held_g1", question, 20).await.unwrap();
        let expected = none.vector_search("kb_held_g1", question, 20).await.unwrap();
        assert_eq!(chunks(&found), chunks(&expected), "{what}");
        assert_eq!(
            chunks(&small.vector_search("kb_held_g1", question, 20).await.unwrap()),
            chunks(&expected),
            "{what}"
        );
        assert_eq!(found[0].chunk_id.as_u128(), best, "{what}");
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found.score - expected.score).abs() < 1e-5, "{what}: {found:?}, {expected:?}");
            assert_eq!(found.document_id, expected.document_id, "{what}");
        }
    };
    check("filled", &first[7].vector, 7).await;
    assert!(held.held_bytes().await > 50_000, "{}", held.held_bytes().await);
    assert_eq!((small.held_bytes().await, none.held_bytes().await), (0, 0));
    let all = held.vector_search("kb_held_g1", &first[7].vector, 1000).await.unwrap();
    assert_eq!(all.len(), 300, "the chunk without a vector is near to nothing");
    let more = rows(300, 305);
    held.upsert("kb_held_g1", more.clone()).await.unwrap();
    check("added", &more[2].vector, 302).await;
    held.delete_documents("kb_held_g1", &[id(30)]).await.unwrap();
    let gone = held.vector_search("kb_held_g1", &more[2].vector, 400).await.unwrap();
    assert!(gone.len() == 300 && gone.iter().all(|hit| hit.document_id != id(30)), "{}", gone.len());
    held.drop_table("kb_held_g1", &mut DeleteGuard::of_nothing()).await.unwrap();
    assert!(held.vector_search("kb_held_g1", &more[2].vector, 1).await.is_err());
}

/// A table above the threshold gets a vector index, finds nearly the same as an exact search, and retrains when it has
/// doubled.
#[tokio::test]
async fn a_large_table_is_indexed_approximately() {
    let dir = tempfile::tempdir().unwrap();
    let options = IndexOptions { read_consistency: Duration::ZERO, vector_index_rows: 600, ..IndexOptions::default() };
    let index = VectorIndex::new(dir.path().to_str().unwrap(), options);
    index.ensure_table("kb_large_g1", 16).await.unwrap();
    let mut rows = random_rows(16);
    let first = rows(0, 700);
    index.upsert("kb_large_g1", first.clone()).await.unwrap();
    let exact = index.vector_search("kb_large_g1", &first[5].vector, 10).await.unwrap();
    let report = upkeep(&index, "kb_large_g1", Retention::Keep(Duration::from_mins(1))).await;
    assert!(report.failures.is_empty(), "{report:?}");
    let approximate = index.vector_search("kb_large_g1", &first[5].vector, 10).await.unwrap();
    assert_eq!(approximate[0].chunk_id, id(5));
    let recall = approximate.iter().filter(|hit| exact.iter().any(|other| other.chunk_id == hit.chunk_id)).count();
    assert!(recall >= 9, "{recall} of 10");
    assert!((approximate[0].score - 1.0).abs() < 1e-3, "refined with the full vectors: {:?}", approximate[0]);
    index.upsert("kb_large_g1", rows(700, 1500)).await.unwrap();
    let report = upkeep(&index, "kb_large_g1", Retention::Keep(Duration::from_mins(1))).await;
    assert!(report.failures.is_empty(), "{report:?}");
    let found = index.vector_search("kb_large_g1", &first[6].vector, 3).await.unwrap();
    assert_eq!(found[0].chunk_id, id(6));
}
