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

mod analysis {
    use super::*;

    #[test]
    fn both_languages_are_stemmed_in_one_text() {
        assert_eq!(analyze("Running servers were configured"), "run server configur");
        assert_eq!(analyze("Настройка сетевых серверов"), analyze("настройки СЕТЕВОЙ сервер"));
        assert_eq!(analyze("Установка Docker на серверах"), "установк docker сервер");
        assert_eq!(analyze("ещё всё моё ЁЖ"), analyze("еще все мое еж"));
    }

    #[test]
    fn marks_that_hide_a_word_are_dropped() {
        assert_eq!(analyze("за\u{301}мок со\u{ad}единение"), analyze("замок соединение"));
        assert_eq!(analyze("ﬁle"), analyze("file"), "ligatures of a PDF");
        assert_eq!(analyze("user’s"), analyze("users"));
    }

    #[test]
    fn names_are_found_whole_and_in_parts() {
        assert_eq!(analyze("main.rs max_rows"), "main.r main rs max_row max row");
        assert_eq!(analyze("3.14"), "3.14");
    }

    #[test]
    fn what_is_not_a_word_vanishes() {
        for nothing in ["", "   ", "\"'()*+-:^~\\", "the and of", "и в не", "AND OR NOT\u{301}", "🙂"] {
            let terms = analyze(nothing);
            assert!(terms.is_empty(), "{nothing:?} gave {terms:?}");
        }
        assert_eq!(analyze(&"x".repeat(65)), "");
    }
}

mod fusion {
    use super::*;

    const EVEN: ArmWeights = ArmWeights { vector: 1.0, text: 1.0 };

    #[test]
    fn a_passage_that_both_arms_found_wins() {
        let fused = fuse(&hits(&[1, 2, 3]), &hits(&[4, 3, 5]), EVEN, DEFAULT_K, 10);
        assert_eq!(order(&fused), [3, 1, 4, 5, 2]);
        assert_eq!((fused[0].vector_rank, fused[0].text_rank), (Some(3), Some(2)));
        // Last in the vector arm: its faintest vote. In the text arm 0.99 of the way from 0 to the best score.
        let expected = (0.05 / 63.0 + (0.05 + 0.95 * 0.99) / 62.0) / (2.0 / 61.0);
        assert!((fused[0].score - expected).abs() < 1e-6, "{}", fused[0].score);
        assert_eq!(fused[0].document_id, id(1003));
    }

    /// What ranks alone would forget: arms that are sure, and arms that are not.
    #[test]
    fn a_sure_arm_is_heard_above_one_among_equals() {
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
        // The same ranks with even scores are a tie, which the id decides.
        let even = scored(&[(2, 7.0), (1, 7.0), (3, 7.0)]);
        assert_eq!(order(&fuse(&even, &scored(&[(1, 1.0), (2, 1.0), (4, 1.0)]), EVEN, DEFAULT_K, 2)), [1, 2]);
    }

    /// A list that was cut short says nothing of what is below it: its last score is its lowest.
    #[test]
    fn a_full_list_of_words_is_spread_over_its_own_scores() {
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
        // The second of two is the last of its arm, and says little; BM25 has a natural zero, so there it says much.
        assert_eq!(order(&fuse(&vector, &text, ArmWeights { vector: 2.0, text: 1.0 }, DEFAULT_K, 2)), [1, 3]);
        assert_eq!(order(&fuse(&vector, &text, ArmWeights { vector: 0.5, text: 1.0 }, DEFAULT_K, 3)), [3, 4, 1]);
    }

    #[test]
    fn an_arm_without_weight_speaks_only_when_the_other_is_silent() {
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
}

mod store {
    use super::*;

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
            let report = index.optimize(&table, Retention::Keep(Duration::from_hours(1))).await.unwrap();
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
        assert_eq!(
            chunks(&index.text_search(&table, "cake", 10).await.unwrap()),
            [3],
            "the later row of a batch counts"
        );
        index.delete_documents(&table, &[id(10), id(99)]).await.unwrap();
        index.delete_documents(&table, &[]).await.unwrap();
        let mut left = index.chunk_ids(&table).await.unwrap();
        left.sort_unstable();
        assert_eq!(left, [(id(3), id(11)), (id(4), id(12))]);
        assert!(index.text_search(&table, "logs", 10).await.unwrap().is_empty());
        index.optimize(&table, Retention::Keep(Duration::from_hours(1))).await.unwrap();
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
        index.optimize(&table, Retention::Keep(Duration::from_hours(1))).await.unwrap();
        assert!(mentions(dir.path(), b"zyzzogeton"), "the check can see it");
        index.delete_documents(&table, &[id(20)]).await.unwrap();
        let report = index.optimize(&table, Retention::Purge).await.unwrap();
        assert!(report.failures.is_empty(), "{report:?}");
        assert!(!mentions(dir.path(), b"zyzzogeton"));
        assert!(!mentions(dir.path(), id(8).to_string().as_bytes()));
        assert_eq!(chunks(&index.text_search(&table, "database", 10).await.unwrap()), [4]);
        assert_eq!(index.vector_search(&table, &[1.0, 0.0, 0.0, 0.0], 10).await.unwrap().len(), 4);
        assert_eq!(index.stats(&table).await.unwrap().versions, 1);
    }

    /// Each write is a version with a file of its own: without maintenance the folder grows for ever.
    #[tokio::test]
    async fn maintenance_takes_back_what_rewriting_costs() {
        let dir = tempfile::tempdir().unwrap();
        let index = open(dir.path());
        let table = table_name(id(7), 1);
        index.ensure_table(&table, DIMS).await.unwrap();
        index.upsert(&table, rows()).await.unwrap();
        index.optimize(&table, Retention::Keep(Duration::ZERO)).await.unwrap();
        let once = size(dir.path());
        for _ in 0..20 {
            index.upsert(&table, rows()).await.unwrap();
        }
        let grown = index.stats(&table).await.unwrap();
        assert!(grown.versions > 20 && size(dir.path()) > 3 * once, "else this test proves nothing: {grown:?}");
        let report = index.optimize(&table, Retention::Keep(Duration::ZERO)).await.unwrap();
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
    async fn wrong_dimensions_and_absent_tables_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let index = open(dir.path());
        index.ensure_table("kb_a_g1", DIMS).await.unwrap();
        let wrong = |result: Result<(), IndexError>| {
            assert!(matches!(result, Err(IndexError::Dimensions { .. })), "{result:?}");
        };
        wrong(index.ensure_table("kb_a_g1", 8).await.map(drop));
        wrong(index.vector_search("kb_a_g1", &[1.0], 1).await.map(drop));
        let short = IndexRow { chunk_id: id(1), document_id: id(1), text: String::new(), vector: vec![1.0] };
        wrong(index.upsert("kb_a_g1", vec![short]).await);
        let absent = index.text_search("kb_b_g1", "word", 1).await;
        assert!(matches!(&absent, Err(IndexError::NoSuchTable(name)) if name == "kb_b_g1"), "{absent:?}");
        assert_eq!(index.list_tables().await.unwrap(), ["kb_a_g1"]);
        index.drop_table("kb_a_g1").await.unwrap();
        index.drop_table("kb_a_g1").await.unwrap();
        assert!(index.list_tables().await.unwrap().is_empty());
        assert!(matches!(index.stats("kb_a_g1").await, Err(IndexError::NoSuchTable(_))));
        index.ensure_table("kb_a_g1", 8).await.unwrap();
    }

    /// Two processes on one store: what one commits the other sees.
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

    /// A table above the threshold gets its vector index, finds nearly what an exact search finds, and trains anew when it doubled.
    #[tokio::test]
    async fn a_large_table_is_indexed_approximately() {
        let dir = tempfile::tempdir().unwrap();
        let options =
            IndexOptions { read_consistency: Duration::ZERO, vector_index_rows: 600, ..IndexOptions::default() };
        let index = VectorIndex::new(dir.path().to_str().unwrap(), options);
        index.ensure_table("kb_large_g1", 16).await.unwrap();
        let mut seed = 1_u64;
        let mut rows = |from: u128, to: u128| -> Vec<IndexRow> {
            (from..to)
                .map(|n| {
                    let mut vector: Vec<f32> = (0..16)
                        .map(|_| {
                            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                            (seed >> 40) as f32 / 8_388_608.0 - 1.0
                        })
                        .collect();
                    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
                    for x in &mut vector {
                        *x /= length;
                    }
                    IndexRow { chunk_id: id(n), document_id: id(n / 10), text: format!("passage number{n}"), vector }
                })
                .collect()
        };
        let first = rows(0, 700);
        index.upsert("kb_large_g1", first.clone()).await.unwrap();
        let exact = index.vector_search("kb_large_g1", &first[5].vector, 10).await.unwrap();
        let report = index.optimize("kb_large_g1", Retention::Keep(Duration::from_mins(1))).await.unwrap();
        assert!(report.failures.is_empty(), "{report:?}");
        let approximate = index.vector_search("kb_large_g1", &first[5].vector, 10).await.unwrap();
        assert_eq!(approximate[0].chunk_id, id(5));
        let recall = approximate.iter().filter(|hit| exact.iter().any(|other| other.chunk_id == hit.chunk_id)).count();
        assert!(recall >= 9, "{recall} of 10");
        assert!((approximate[0].score - 1.0).abs() < 1e-3, "refined with the full vectors: {:?}", approximate[0]);
        index.upsert("kb_large_g1", rows(700, 1500)).await.unwrap();
        let report = index.optimize("kb_large_g1", Retention::Keep(Duration::from_mins(1))).await.unwrap();
        assert!(report.failures.is_empty(), "{report:?}");
        let found = index.vector_search("kb_large_g1", &first[6].vector, 3).await.unwrap();
        assert_eq!(found[0].chunk_id, id(6));
    }
}

mod self_test {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(serde::Deserialize)]
    struct Section {
        passages: Vec<String>,
    }

    fn passages(languages: &[&str]) -> Vec<String> {
        let set: BTreeMap<String, Vec<Section>> =
            serde_json::from_str(include_str!("../../../tests/fixtures/retrieval/gnome.json")).unwrap();
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

    /// A model that understands: like words, like vectors.
    fn understands(text: &str) -> Vec<f32> {
        let mut vector = vec![0.0; 512];
        for term in analyze(text).split(' ') {
            vector[usize::try_from(hash(term) % 512).unwrap()] += 1.0;
        }
        unit(vector)
    }

    /// A model that does not: a vector, but one that says nothing about the text.
    fn babbles(text: &str) -> Vec<f32> {
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
        if text.chars().any(|c| ('а'..='я').contains(&c)) { babbles(text) } else { understands(text) }
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
    fn a_model_that_understands_gets_weight_and_one_that_babbles_none() {
        let passages = passages(&["en"]);
        let good = measure(&passages, understands).languages["eng"];
        let bad = measure(&passages, babbles).languages["eng"];
        assert!(good.weights.vector >= 0.2, "{good:?}");
        assert!(bad.weights.vector <= 0.05, "{bad:?}");
        assert!(bad.vector_ndcg < 0.2 && bad.text_ndcg > 0.4, "{bad:?}");
        assert!(bad.hybrid_ndcg >= bad.text_ndcg - 0.02 && good.hybrid_ndcg >= good.text_ndcg - 0.02);
    }

    #[test]
    fn a_mixed_base_gets_a_weight_for_each_language() {
        let weights = measure(&passages(&["en", "ru"]), english_only);
        let (english, russian) =
            (weights.for_query("change the screen resolution"), weights.for_query("изменить разрешение экрана"));
        assert!(english.vector >= 0.2 && russian.vector <= 0.05, "{weights:?}");
        assert_eq!(weights.for_query("12345"), weights.other.weights);
        let json = serde_json::to_string(&weights).unwrap();
        assert_eq!(serde_json::from_str::<Weights>(&json).unwrap(), weights);
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
        assert_eq!(plan.queries.len(), plan.rests.len());
        assert!(plan.queries.iter().zip(&plan.rests).all(|(query, rest)| !rest.contains(query.as_str())));
    }

    /// The pool is what the index holds, so that its vectors lie in the cache; a heading is never asked for.
    #[test]
    fn headings_are_searched_but_not_asked() {
        let text = "The pump runs dry for forty seconds at most. Then its seal is destroyed and must be replaced by two people.";
        let sample = Sample { context: "Handbook > Pumps".into(), text: text.into() };
        let plan = SelfTest::plan(&[sample], 1);
        assert_eq!(plan.pool, [crate::knowledge::model::searchable_text(&["Handbook".into(), "Pumps".into()], text)]);
        assert!(!plan.queries.is_empty() && plan.queries.iter().all(|query| !query.contains("Handbook")));
        assert!(plan.rests.iter().all(|rest| rest.starts_with("Handbook > Pumps\n")), "{:?}", plan.rests);
    }

    /// A few pages are enough to hear that an arm is of no use.
    #[test]
    fn a_small_base_is_measured_with_all_its_sentences() {
        let passages = passages(&["en"]);
        let good = measure(&passages[..9], understands);
        assert!((16..=100).contains(&good.other.queries), "{good:?}");
        assert!((0.2..=4.0).contains(&good.other.weights.vector), "{good:?}");
        // Among nine passages all are in the first ten: chance alone scores 0.5 then, which is heard, and does no harm.
        let babble = measure(&passages[..9], babbles).other;
        assert!(babble.weights.vector <= 0.6 && babble.weights.vector < good.other.weights.vector / 2.0, "{babble:?}");
        assert!(babble.hybrid_ndcg >= babble.text_ndcg - 0.02, "{babble:?}");
    }

    #[test]
    fn too_little_to_measure_keeps_the_default_and_asks_again() {
        for few in [&[][..], &["Too short.".to_string()]] {
            let weights = measure(few, understands);
            assert_eq!(weights.for_query("anything"), ArmWeights::default());
            assert!(weights.outdated(few.len() + 1) && !weights.outdated(few.len()));
        }
        let measured = Weights {
            method: measure(&[], understands).method,
            passages: 100,
            other: LanguageWeights { queries: 50, ..LanguageWeights::default() },
            ..Weights::default()
        };
        assert!(!measured.outdated(150) && measured.outdated(201) && measured.outdated(49));
        // A base that was measured before there were versions.
        let mut old = serde_json::to_value(&measured).unwrap();
        old.as_object_mut().unwrap().remove("method");
        assert!(serde_json::from_value::<Weights>(old).unwrap().outdated(100));
    }
}
