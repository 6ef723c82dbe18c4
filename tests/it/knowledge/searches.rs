//! What is found, by whom, and what a deletion leaves.

use serde_json::json;
use sqlx::Connection as _;

use super::{document, search, superuser, upload};
use crate::support::{
    app::TestApp,
    documents::{add_document, files, fixture, make_base},
};

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_becomes_ready_and_is_found_in_its_language() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let base = make_base(&admin, "Everything").await;
    assert!(search(&admin, &base, "anything", "hybrid").await.is_empty(), "an empty base answers with nothing");
    let kinds = [
        ("handbook.pdf", "chromium.en.pdf", "pdf", "how long may a pump run dry", "forty seconds"),
        ("руководство.pdf", "chromium.ru.pdf", "pdf", "торцевое уплотнение насоса", "сорока секунд"),
        ("отчёт.docx", "report.ru.docx", "docx", "", ""),
        ("page", "page.utf-8.html", "html", "", ""),
        ("notes", "notes.md", "markdown", "terminal torque", "2.5 Nm"),
        ("письмо.txt", "letter.windows-1251.txt", "text", "поверка манометра", "двенадцатое июня"),
    ];
    let mut ids = Vec::new();
    for (name, file, ..) in kinds {
        ids.push(add_document(&admin, &base, name, &fixture(file)).await);
    }
    app.wait_for_jobs().await;
    for ((name, _, kind, query, answer), id) in kinds.iter().zip(&ids) {
        let document = document(&admin, &base, id).await;
        assert_eq!(
            (&document["status"], &document["kind"], &document["filename"]),
            (&json!("ready"), &json!(kind), &json!(name)),
            "{document}"
        );
        if query.is_empty() {
            continue;
        }
        for mode in ["hybrid", "text"] {
            let hits = search(&admin, &base, query, mode).await;
            let hit = hits.iter().find(|hit| hit["text"].as_str().unwrap().replace('\n', " ").contains(answer));
            let hit = hit.unwrap_or_else(|| panic!("{mode} {query}: {hits:#?}"));
            let (start, end) = (hit["start"].as_i64().unwrap(), hit["end"].as_i64().unwrap());
            let path = format!("/api/v1/knowledge-bases/{base}/documents/{id}/text?start={start}&end={end}");
            let part = admin.get(&path).await.expect(200);
            assert_eq!(
                (&part["text"], &hit["document_id"]),
                (&hit["text"], &json!(id)),
                "the offsets quote the passage exactly"
            );
            assert_eq!(hit["page"].is_number(), *kind == "pdf", "{hit}");
            assert!(!hit["heading"].as_array().unwrap().is_empty() || *kind == "text", "{hit}");
        }
    }
    assert!(!search(&admin, &base, "what destroys the seal of a pump?", "vector").await.is_empty());
    let info = admin.get(&format!("/api/v1/knowledge-bases/{base}")).await.expect(200);
    assert_eq!((&info["documents"], &info["documents_ready"]), (&json!(6), &json!(6)));
    assert!(info["weights"].is_object(), "measured once the base has settled: {info}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_header_of_a_table_is_repeated_in_each_chunk() {
    use std::fmt::Write as _;
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let base = make_base(&admin, "Tables").await;
    let mut csv = "Region,Revenue Q1,Revenue Q2\n".to_owned();
    for n in 1..=120 {
        let _ = writeln!(csv, "Region{n},{n}.1,{n}.25");
    }
    let id = add_document(&admin, &base, "revenue.csv", csv.as_bytes()).await;
    app.wait_for_jobs().await;
    let read = document(&admin, &base, &id).await;
    assert_eq!((&read["status"], &read["kind"]), (&json!("ready"), &json!("csv")), "{read}");
    let chunks =
        admin.get(&format!("/api/v1/knowledge-bases/{base}/documents/{id}/chunks?limit=100")).await.expect(200);
    let chunks = chunks["data"].as_array().unwrap();
    assert!(chunks.len() > 3, "{chunks:#?}");
    let header = "Region | Revenue Q1 | Revenue Q2";
    assert!(chunks[0]["table_header"].is_null() && chunks[0]["text"].as_str().unwrap().starts_with(header));
    for chunk in &chunks[1..] {
        assert_eq!(chunk["table_header"], header);
        assert!(
            chunk["text"]
                .as_str()
                .unwrap()
                .lines()
                .all(|line| line.starts_with("Region") && line.matches('|').count() == 2)
        );
    }
    let hits = search(&admin, &base, "What was the revenue in Q2 of Region117?", "hybrid").await;
    assert!(hits[0]["text"].as_str().unwrap().contains("Region117 | 117.1 | 117.25"), "{hits:#?}");
    assert_eq!(hits[0]["table_header"], header);
    let page = admin.get(&format!("/knowledge/{base}/documents/{id}?view=passages")).await.text;
    assert!(page.matches(header).count() >= chunks.len(), "the page shows the header with each passage");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_organisation_finds_nothing_under_any_address() {
    let app = TestApp::start().await;
    let (admin, stranger) = (app.admin().await, app.other_org("strangers").await);
    let base = make_base(&admin, "Secret").await;
    let id = add_document(&admin, &base, "secret.md", b"# Secret\n\nThe vault opens at nine.\n").await;
    app.wait_for_jobs().await;
    let root = format!("/api/v1/knowledge-bases/{base}");
    let doc = format!("{root}/documents/{id}");
    for path in [
        &root,
        &format!("{root}/documents"),
        &doc,
        &format!("{doc}/original"),
        &format!("{doc}/chunks"),
        &format!("{doc}/text"),
    ] {
        stranger.get(path).await.problem(404, "knowledge_base_not_found");
    }
    for path in [
        format!("/knowledge/{base}"),
        format!("/knowledge/{base}/search?q=vault"),
        format!("/knowledge/{base}/settings"),
        format!("/knowledge/{base}/documents/{id}"),
    ] {
        assert_eq!(stranger.get(&path).await.status, 404, "{path}");
        assert_eq!(admin.get(&path).await.status, 200, "{path}");
    }
    stranger.patch(&root, &json!({"name": "Mine"})).await.problem(404, "knowledge_base_not_found");
    stranger.patch(&doc, &json!({"filename": "mine.md"})).await.problem(404, "knowledge_base_not_found");
    stranger.post(&format!("{doc}/retry"), &json!({})).await.problem(404, "knowledge_base_not_found");
    stranger.post(&format!("{root}/search"), &json!({"query": "vault"})).await.problem(404, "knowledge_base_not_found");
    upload(&stranger, &base, &[("x.md", b"# X\n\nText.\n")]).await.problem(404, "knowledge_base_not_found");
    stranger.delete(&doc).await.problem(404, "knowledge_base_not_found");
    stranger.delete(&root).await.problem(404, "knowledge_base_not_found");
    assert_eq!(stranger.get("/api/v1/knowledge-bases").await.expect(200)["data"], json!([]));
    assert_eq!(document(&admin, &base, &id).await["filename"], "secret.md");
    // A document of one base is not found under another, either.
    let other = make_base(&admin, "Other").await;
    admin.get(&format!("/api/v1/knowledge-bases/{other}/documents/{id}")).await.problem(404, "document_not_found");
    app.anonymous().get(&root).await.expect(401);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_leaves_nothing_behind() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let base = make_base(&admin, "Doomed").await;
    let gone =
        add_document(&admin, &base, "gone.md", b"# Gone\n\nThe quibblefrotz sings at dawn in the harbour.\n").await;
    let kept = add_document(&admin, &base, "kept.md", b"# Kept\n\nThe marmalade is stored in the cellar.\n").await;
    app.wait_for_jobs().await;
    let vectors = app.data_dir.join("vectors");
    let holds = |word: &str| {
        files(&vectors).iter().any(|f| std::fs::read(f).unwrap().windows(word.len()).any(|w| w == word.as_bytes()))
    };
    assert!(holds("quibblefrotz"), "else this test proves nothing");

    admin.delete(&format!("/api/v1/knowledge-bases/{base}/documents/{gone}")).await.expect(204);
    admin.get(&format!("/api/v1/knowledge-bases/{base}/documents/{gone}")).await.problem(404, "document_not_found");
    assert!(search(&admin, &base, "quibblefrotz", "text").await.is_empty(), "gone at once");
    app.wait_for_jobs().await;
    assert!(!holds("quibblefrotz"), "no file of the index has the word");
    assert_eq!(search(&admin, &base, "marmalade", "text").await[0]["document_id"], json!(kept));
    assert_eq!(files(&app.data_dir.join("objects")).len(), 1);
    let mut db = superuser(&app).await;
    let cached: i64 = sqlx::query_scalar("SELECT count(*) FROM embedding_cache").fetch_one(&mut db).await.unwrap();
    assert_eq!(cached, 1, "the other document's passage");

    admin.delete(&format!("/api/v1/knowledge-bases/{base}")).await.expect(204);
    admin.get(&format!("/api/v1/knowledge-bases/{base}")).await.problem(404, "knowledge_base_not_found");
    app.wait_for_jobs().await;
    let rows: i64 = sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM knowledge_bases) + (SELECT count(*) FROM knowledge_documents) + (SELECT count(*) FROM knowledge_texts) \
         + (SELECT count(*) FROM knowledge_chunks) + (SELECT count(*) FROM embedding_cache)",
    )
    .fetch_one(&mut db)
    .await
    .unwrap();
    assert_eq!((rows, files(&app.data_dir.join("objects")), files(&vectors)), (0, vec![], vec![]));
    db.close().await.unwrap();
    app.stop().await;
}

/// A file without spaces: its chunks have a size that memory, search and the model can handle.
#[tokio::test(flavor = "multi_thread")]
async fn a_text_without_spaces_is_split_into_chunks() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let base = make_base(&admin, "Word").await;
    let id = add_document(&admin, &base, "n.txt", &vec![b'a'; 300_000]).await;
    app.wait_for_jobs().await;
    let document = document(&admin, &base, &id).await;
    assert_eq!(document["status"], "ready", "{document}");
    let mut db = superuser(&app).await;
    let (longest, all): (i64, i64) =
        sqlx::query_as("SELECT max(length(text))::bigint, sum(length(text))::bigint FROM knowledge_chunks")
            .fetch_one(&mut db)
            .await
            .unwrap();
    assert!(longest < 16_000 && all == 300_000, "the longest has {longest} characters, all have {all}");
    db.close().await.unwrap();
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_base_is_loaded_once_and_answers_in_both_languages() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    app.app.load_demo().await.unwrap();
    app.app.load_demo().await.unwrap();
    app.wait_for_jobs().await;
    let bases = admin.get("/api/v1/knowledge-bases").await.expect(200);
    let [base] = bases["data"].as_array().unwrap().as_slice() else { panic!("{bases}") };
    assert_eq!((&base["documents"], &base["documents_ready"]), (&json!(8), &json!(8)), "{base}");
    let id = base["id"].as_str().unwrap();
    for (query, answer) in [
        ("How many days of vacation do I have?", "28 days"),
        ("Что делать, если потерян ноутбук?", "в течение одного часа"),
        ("how often is the pressure chamber inspected", "18 months"),
        ("когда открыт офис", "с 7:00 до 21:00"),
    ] {
        let hits = search(&admin, id, query, "hybrid").await;
        let found = hits.iter().take(3).any(|hit| hit["text"].as_str().unwrap().replace('\n', " ").contains(answer));
        assert!(found, "{query}: {hits:#?}");
    }
    app.stop().await;
}
