use std::collections::BTreeMap;

use futures::StreamExt as _;
use uuid::Uuid;

use super::{
    DocumentId, Vectors,
    extract::UnreadWhat,
    index::{IndexOptions, Sample, SelfTest, TableState, VectorIndex},
    jobs::{sync::Difference, vision::without_fence},
    model::{TextPart, clean_filename, searchable_text},
    pages::{highlight, part_key, ranges, split},
    participant::belongs,
    store::chunks::Indexed,
};
use platform::lifecycle::Lifecycle;
use storage::{Participant as _, Storage};

#[test]
fn pages_are_named_as_ranges() {
    assert_eq!(ranges(&[2]), "2");
    assert_eq!(ranges(&[1, 3, 4, 5, 9]), "1, 3–5, 9");
    let every_second: Vec<u32> = (0..40).map(|page| page * 2 + 1).collect();
    assert!(ranges(&every_second).ends_with("23, …"));
}

#[test]
fn a_fence_around_a_whole_page_is_taken_off_and_one_inside_stays() {
    assert_eq!(without_fence("```markdown\nNorth | 10.5\n```"), "North | 10.5");
    assert_eq!(without_fence("  plain  "), "plain");
    let inside = "Run:\n```\nls\n```\nthen wait.";
    assert_eq!(without_fence(inside), inside);
    let two = "```\na\n```\nb\n```\nc\n```";
    assert_eq!(without_fence(two), two);
}

#[test]
fn the_marked_passage_is_cut_by_characters() {
    let part = TextPart { start: 10, end: 16, length: 40, text: "аб🙂где".into() };
    let cut = |mark| split(&part, mark);
    assert_eq!(cut(Some((12, 14))), ("аб".into(), "🙂г".into(), "де".into()));
    assert_eq!(cut(Some((0, 100))), (String::new(), "аб🙂где".into(), String::new()));
    assert_eq!(cut(None), ("аб🙂где".into(), String::new(), String::new()));
}

#[test]
fn words_are_marked_by_their_stem_in_both_languages() {
    let marked = |query: &str, text: &str| -> Vec<String> {
        highlight(query, text).into_iter().filter(|(marked, _)| *marked).map(|(_, word)| word).collect()
    };
    assert_eq!(marked("vacation days", "Vacations: 28 paid days."), ["Vacations", "days"]);
    assert_eq!(marked("сколько дней отпуска", "Отпуск длится 28 дней."), ["Отпуск", "дней"]);
    let whole: String = highlight("days", "28 days, <b>paid</b>").into_iter().map(|(_, piece)| piece).collect();
    assert_eq!(whole, "28 days, <b>paid</b>");
}

#[test]
fn file_names_lose_misleading_characters_and_keep_their_script() {
    for (given, kept) in [
        ("отчёт за 2026.pdf", "отчёт за 2026.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\plan.docx", "plan.docx"),
        ("a\u{0}b\nc.txt", "abc.txt"),
        ("exe\u{202e}fdp.txt", "exefdp.txt"),
        ("  ..  ", "document"),
        ("", "document"),
        ("и\u{306}.md", "й.md"),
    ] {
        assert_eq!(clean_filename(given), kept, "{given:?}");
    }
    let long = clean_filename(&format!("{}.markdown", "ж".repeat(400)));
    assert_eq!(long.chars().count(), 255);
    assert!(long.ends_with(".markdown"));
}

#[test]
fn headings_are_embedded_with_the_chunk_but_leave_it_room() {
    assert_eq!(searchable_text(&[], None, "text"), "text");
    assert_eq!(searchable_text(&["A".into(), "Б".into()], None, "text"), "A > Б\ntext");
    let long = searchable_text(&["x".repeat(300), "innermost".into()], None, "text");
    assert!(long.ends_with("innermost\ntext") && long.chars().count() <= 125, "{long}");
}

fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

fn chunk(n: u128, document: u128, indexed: bool) -> Indexed {
    Indexed { id: id(n), document_id: DocumentId(id(document)), indexed }
}

#[test]
fn an_index_that_agrees_has_no_difference() {
    let chunks = [chunk(1, 10, true), chunk(2, 10, true)];
    assert_eq!(Difference::of(&[(id(2), id(10)), (id(1), id(10))], &chunks), Difference::default());
}

#[test]
fn rows_of_deleted_documents_are_stale_and_nothing_is_missing() {
    let difference = Difference::of(&[(id(1), id(10)), (id(2), id(20))], &[chunk(1, 10, true)]);
    assert_eq!(difference.stale.into_iter().collect::<Vec<_>>(), [id(20)]);
    assert_eq!((difference.stale_in_use, difference.missing.len(), difference.unfinished.len()), (0, 0, 0));
}

#[test]
fn a_document_with_leftover_rows_is_written_again_whole() {
    // Chunk 2 was replaced: deleting its row by document also deletes chunk 1's row.
    let difference = Difference::of(&[(id(1), id(10)), (id(2), id(10))], &[chunk(1, 10, true)]);
    assert_eq!(difference.stale_in_use, 1);
    assert!(difference.missing.contains(&DocumentId(id(10))));
}

#[test]
fn lost_rows_are_missing_and_unmarked_ones_unfinished() {
    let difference = Difference::of(&[], &[chunk(1, 10, true), chunk(2, 20, false)]);
    assert_eq!(difference.missing.into_iter().collect::<Vec<_>>(), [DocumentId(id(10))]);
    assert_eq!(difference.unfinished.len(), 2);
}

#[test]
fn every_unread_part_is_translated() {
    for what in UnreadWhat::ALL {
        let key = format!("\n{} = ", part_key(what));
        for locale in [include_str!("locales/en.ftl"), include_str!("locales/ru.ftl")] {
            assert!(locale.contains(&key), "{key} is missing");
        }
        assert_eq!(serde_json::to_value(what).unwrap(), what.as_str());
    }
}

#[test]
fn a_backup_takes_table_versions_up_to_the_captured_one() {
    let tables = BTreeMap::from([("kb_a_g1".to_owned(), TableState { version: 2, rows: 1 })]);
    let manifest = |version: u64| format!("kb_a_g1.lance/_versions/{}.manifest", u64::MAX - version);
    let keep = [
        "kb_a_g1.lance/data/x.lance".to_owned(),
        "kb_a_g1.lance/_indices/u/metadata.lance".to_owned(),
        manifest(1),
        manifest(2),
        "kb_a_g1.lance/_versions/2.manifest".to_owned(),
    ];
    let drop = [
        manifest(3),
        "kb_a_g1.lance/_versions/3.manifest".to_owned(),
        "kb_a_g1.lance/_versions/latest_version_hint.json".to_owned(),
        "kb_b_g1.lance/data/x.lance".to_owned(),
        "doctor/x".to_owned(),
    ];
    let kept: Vec<&String> = keep.iter().chain(&drop).filter(|key| belongs(key, &tables)).collect();
    assert_eq!(kept, keep.iter().collect::<Vec<_>>());
}

/// Without the manifest of its version a table would restore to nothing.
#[tokio::test]
async fn a_backup_needs_the_manifest_of_each_captured_version() {
    let dir = tempfile::tempdir().unwrap();
    let metrics = storage::Metrics::register(&mut prometheus_client::registry::Registry::default());
    let files = Storage::open(&storage::Config::default(), dir.path(), Lifecycle::new(), metrics).unwrap();
    let vectors = Vectors::new(VectorIndex::new(&dir.path().display().to_string(), IndexOptions::default()), files);
    let state = serde_json::json!({"kb_a_g1": {"version": 2, "rows": 1}, "kb_b_g1": {"version": 7, "rows": 0}});
    let verify = async |keys: &[&str]| {
        let keys: Vec<_> = keys.iter().map(|key| Ok((*key).to_owned())).collect();
        vectors.verify(&state, futures::stream::iter(keys).boxed()).await.unwrap()
    };
    let newest = format!("kb_a_g1.lance/_versions/{}.manifest", u64::MAX - 2);
    let (all, older) = ([newest.as_str(), "kb_b_g1.lance/_versions/7.manifest"], "kb_b_g1.lance/_versions/6.manifest");
    assert_eq!(verify(&all).await, Vec::<String>::new());
    let lacking = ["version 7 of vector table kb_b_g1 is not among the files"];
    assert_eq!(verify(&[&newest, older, "kb_b_g1.lance/data/x.lance"]).await, lacking);
    assert!(vectors.verify(&serde_json::json!(7), futures::stream::empty().boxed()).await.is_err());
}

/// The self-test's pool must have the texts that are indexed, so that their vectors are cached already.
#[test]
fn the_self_test_embeds_what_is_indexed() {
    let text = "The pump runs dry for forty seconds at most. Then its seal is destroyed and must be replaced.";
    let plan = SelfTest::plan(&[Sample { context: "Handbook > Pumps".into(), text: text.into() }], 1);
    assert_eq!(plan.pool, [searchable_text(&["Handbook".into(), "Pumps".into()], None, text)]);
}
