//! Documents from upload to search, with the real router, worker, object store, LanceDB and embedding model.

use std::time::Duration;

use holdfast::{
    app::{App, Runtime},
    knowledge::SearchRequest,
    platform::{health::Status, lifecycle::Lifecycle},
};
use reqwest::{Method, header};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use crate::support::{
    app::{Answer, Client, TestApp},
    documents::{add_document, files, fixture, make_base, wait_for_document},
    wait::until,
};

async fn upload(client: &Client, base: &str, files: &[(&str, &[u8])]) -> Answer {
    let mut body = Vec::new();
    for (name, content) in files {
        let head = format!("--cut\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--cut--\r\n");
    let request = client.request(Method::POST, &format!("/api/v1/knowledge-bases/{base}/documents"));
    client.send(request.header(header::CONTENT_TYPE, "multipart/form-data; boundary=cut").body(body)).await
}

pub async fn document(client: &Client, base: &str, id: &str) -> Value {
    client.get(&format!("/api/v1/knowledge-bases/{base}/documents/{id}")).await.expect(200)
}

pub async fn search(client: &Client, base: &str, query: &str, mode: &str) -> Vec<Value> {
    let body = json!({"query": query, "limit": 5, "mode": mode});
    let found = client.post(&format!("/api/v1/knowledge-bases/{base}/search"), &body).await.expect(200);
    found["results"].as_array().unwrap().clone()
}

/// A connection that bypasses row-level security.
pub async fn superuser(app: &TestApp) -> PgConnection {
    PgConnection::connect_with(&app.target().admin).await.unwrap()
}

/// Uploading a failed document again retries it.
#[tokio::test(flavor = "multi_thread")]
async fn uploading_a_failed_document_again_retries_it() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let base = make_base(&admin, "Damaged").await;
    let id = add_document(&admin, &base, "damaged.pdf", &fixture("truncated.pdf")).await;
    app.wait_for_jobs().await;
    let first = document(&admin, &base, &id).await;
    assert_eq!((&first["status"], &first["attempts"]), (&json!("failed"), &json!(1)), "{first}");
    let again = upload(&admin, &base, &[("again.pdf", &fixture("truncated.pdf"))]).await.expect(200);
    assert_eq!(
        (&again["id"], &again["duplicate"], &again["status"]),
        (&json!(id), &json!(true), &json!("queued")),
        "{again}"
    );
    app.wait_for_jobs().await;
    let second = document(&admin, &base, &id).await;
    assert_eq!((&second["status"], &second["attempts"]), (&json!("failed"), &json!(2)), "{second}");
    // A ready document stays as it is.
    let ready = add_document(&admin, &base, "a.md", b"# A\n\nText.\n").await;
    app.wait_for_jobs().await;
    let same = upload(&admin, &base, &[("b.md", b"# A\n\nText.\n")]).await.expect(200);
    assert_eq!((&same["id"], &same["status"]), (&json!(ready), &json!("ready")), "{same}");
    app.stop().await;
}

/// Direction marks in titles and file names do not affect the text around them.
#[tokio::test(flavor = "multi_thread")]
async fn direction_marks_are_removed_from_names_and_titles() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let base = make_base(&admin, "Names").await;
    let html = "<html><head><title>In\u{202e}voice \u{2066}1</title></head><body><p>The albatross \u{202e}returns.</p></body></html>";
    let id = add_document(&admin, &base, "a\u{202e}lmth.html", html.as_bytes()).await;
    app.wait_for_jobs().await;
    let read = document(&admin, &base, &id).await;
    assert_eq!((&read["title"], &read["filename"]), (&json!("Invoice 1"), &json!("almth.html")), "{read}");
    let found = search(&admin, &base, "albatross", "text").await;
    assert_eq!(found[0]["title"], "Invoice 1");
    assert_eq!(found[0]["text"], "The albatross returns.", "nor does a passage: {found:?}");
    let turns = |text: &str| text.contains(|c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'));
    for path in ["", "/search?q=albatross", &format!("/documents/{id}"), &format!("/documents/{id}?view=passages")] {
        let page = admin.get(&format!("/knowledge/{base}{path}")).await.text;
        assert!(!turns(&page), "{path}: {page}");
    }
    let rejected =
        upload(&admin, &base, &[("x\u{202e}gnp.png", b"\x89PNG\r\n\x1a\n0000"), ("b.md", b"# B\n\nText.\n")]).await;
    assert!(!turns(&rejected.text), "{}", rejected.text);
    app.stop().await;
}

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
async fn unsupported_files_are_rejected_at_upload() {
    let app = TestApp::start_with(&[("HOLDFAST_KNOWLEDGE__MAX_UPLOAD_BYTES", "3000000")]).await;
    let admin = app.admin().await;
    let base = make_base(&admin, "Door").await;
    for name in ["image.png", "plain.zip", "sheet.xlsx", "old.doc", "report.odt"] {
        upload(&admin, &base, &[("handbook.pdf", &fixture(name))]).await.problem(415, "unsupported_media_type");
    }
    upload(&admin, &base, &[("empty.txt", b"")]).await.problem(415, "unsupported_media_type");
    upload(&admin, &base, &[("big.txt", &vec![b'a'; 3_000_001])]).await.problem(413, "payload_too_large");
    upload(&admin, &base, &[]).await.expect(422);
    let plain = admin.post(&format!("/api/v1/knowledge-bases/{base}/documents"), &json!({})).await;
    plain.problem(415, "unsupported_media_type");
    let mixed = upload(&admin, &base, &[("a.png", &fixture("image.png")), ("../../b.md", b"# B\n\nText of B.\n")])
        .await
        .expect(201);
    assert_eq!(mixed["data"][0]["filename"], "b.md");
    assert_eq!(mixed["rejected"][0]["code"], "unsupported_media_type");
    app.wait_for_jobs().await;
    let list = admin.get(&format!("/api/v1/knowledge-bases/{base}/documents?status=ready&q=B.M")).await.expect(200);
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
    assert_eq!(files(&app.data_dir.join("objects")).len(), 1, "what was refused is not kept");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_documents_fail_with_a_reason_and_do_no_harm() {
    let app = TestApp::start_with(&[("HOLDFAST_KNOWLEDGE__EXTRACT_TIMEOUT_SECONDS", "20")]).await;
    let admin = app.admin().await;
    let base = make_base(&admin, "Hostile").await;
    // Disable OCR, which would find words in page images.
    admin.patch(&format!("/api/v1/knowledge-bases/{base}"), &json!({"reading": "text"})).await.expect(200);
    let mut ids = Vec::new();
    for (name, code) in
        [("encrypted.pdf", "encrypted"), ("zip-bomb.docx", "too_large_output"), ("images-only.pdf", "no_text")]
    {
        ids.push((add_document(&admin, &base, name, &fixture(name)).await, Some(code)));
    }
    for name in ["looping-pages.pdf", "looping-objects.pdf", "looping-form.pdf", "deep.docx"] {
        ids.push((add_document(&admin, &base, name, &fixture(name)).await, None));
    }
    let fine = add_document(&admin, &base, "fine.md", b"# Fine\n\nThe heron nests on the weir.\n").await;
    app.wait_for_jobs().await;
    for (id, code) in &ids {
        let document = document(&admin, &base, id).await;
        assert!(document["status"] == "failed" || (code.is_none() && document["status"] == "ready"), "{document}");
        if let Some(code) = code {
            assert_eq!(document["failure_code"], *code, "{document}");
            assert!(!document["failure_reason"].as_str().unwrap().is_empty());
        }
    }
    assert_eq!(document(&admin, &base, &fine).await["status"], "ready");
    assert_eq!(search(&admin, &base, "heron", "hybrid").await[0]["document_id"], json!(fine));
    let path = |id: &str| format!("/api/v1/knowledge-bases/{base}/documents/{id}/retry");
    admin.post(&path(&ids[0].0), &json!({})).await.expect(202);
    admin.post(&path(&fine), &json!({})).await.problem(409, "document_not_failed");
    app.wait_for_jobs().await;
    let again = document(&admin, &base, &ids[0].0).await;
    assert_eq!((&again["failure_code"], &again["attempts"]), (&json!("encrypted"), &json!(2)));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_content_is_one_document() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let base = make_base(&admin, "Twice").await;
    let first = add_document(&admin, &base, "a.md", b"# Same\n\nThe same text.\n").await;
    let again = upload(&admin, &base, &[("b.md", b"# Same\n\nThe same text.\n")]).await.expect(200);
    assert_eq!((&again["id"], &again["duplicate"]), (&json!(first), &json!(true)));
    // Lists are paged, newest first.
    for n in 2..=5 {
        add_document(&admin, &base, &format!("{n}.md"), format!("# Number {n}\n\nText {n}.\n").as_bytes()).await;
    }
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = admin.get(&format!("/api/v1/knowledge-bases/{base}/documents?limit=2{cursor}")).await.expect(200);
        names.extend(page["data"].as_array().unwrap().iter().map(|document| document["filename"].clone()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(names, ["5.md", "4.md", "3.md", "2.md", "a.md"]);
    app.wait_for_jobs().await;
    assert_eq!(files(&app.data_dir.join("objects")).len(), 5);
    let path = format!("/api/v1/knowledge-bases/{base}/documents/{first}");
    let renamed = admin.patch(&path, &json!({"filename": "имя \"в\" кавычках.md"})).await.expect(200);
    assert_eq!(renamed["filename"], "имя \"в\" кавычках.md");
    let original = admin.get(&format!("{path}/original")).await;
    assert_eq!(original.text, "# Same\n\nThe same text.\n");
    assert_eq!(original.headers["x-content-type-options"], "nosniff");
    let disposition = original.headers["content-disposition"].to_str().unwrap();
    assert!(
        disposition.starts_with("attachment; filename=\"")
            && disposition.contains("filename*=UTF-8''%D0%B8%D0%BC%D1%8F"),
        "{disposition}"
    );
    let chunks = admin.get(&format!("{path}/chunks")).await.expect(200);
    assert_eq!((&chunks["data"][0]["text"], &chunks["next_cursor"]), (&json!("The same text."), &Value::Null));
    app.stop().await;
}

/// While a backup blocks deletions (in all processes and earlier versions, by the lock's name), no file is deleted.
#[tokio::test(flavor = "multi_thread")]
async fn a_discarded_upload_deletes_nothing_during_a_backup() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let base = make_base(&admin, "Harbour").await;
    let id = add_document(&admin, &base, "tides.md", b"# Tides\n\nThe quibblefrotz sings at dawn.\n").await;
    app.wait_for_jobs().await;
    let objects = || files(&app.data_dir.join("objects")).len();
    assert_eq!(objects(), 1);
    let hash = holdfast::platform::crypto::sha256("knowledge.deletes");
    let key = i64::from_le_bytes(hash[..8].try_into().unwrap());
    let mut backup = superuser(&app).await;
    let hold = sqlx::query_scalar::<_, bool>("SELECT pg_try_advisory_lock($1)").bind(key);
    assert!(hold.fetch_one(&mut backup).await.unwrap());

    // Neither uploading the same file again nor uploading an unreadable one waits for the backup.
    let again =
        upload(&admin, &base, &[("again.md", b"# Tides\n\nThe quibblefrotz sings at dawn.\n")]).await.expect(200);
    assert_eq!((&again["id"], &again["duplicate"]), (&json!(id), &json!(true)));
    upload(&admin, &base, &[("a.png", &fixture("image.png"))]).await.problem(415, "unsupported_media_type");
    assert_eq!(objects(), 3, "files went while a backup held them");
    backup.close().await.unwrap();
    // The snoozed jobs retry later, so `wait_for_jobs` does not wait for them.
    until("what was not kept stays", async || objects() <= 1).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn work_lost_in_a_crash_is_resumed() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let base = make_base(&admin, "Crash").await;
    let id = add_document(&admin, &base, "a.md", b"# Crash\n\nThe albatross returns in spring.\n").await;
    app.wait_for_jobs().await;
    let mut db = superuser(&app).await;

    // A document whose job is lost while reading, and while indexing.
    for status in ["extracting", "embedding"] {
        sqlx::query("UPDATE knowledge_documents SET status = $1").bind(status).execute(&mut db).await.unwrap();
        sqlx::query("UPDATE knowledge_chunks SET indexed_generation = NULL").execute(&mut db).await.unwrap();
        app.app.knowledge.reconcile_soon().await.unwrap();
        app.wait_for_jobs().await;
        assert_eq!(document(&admin, &base, &id).await["status"], "ready", "after {status}");
        assert_eq!(search(&admin, &base, "albatross", "hybrid").await.len(), 1, "after {status}");
    }

    // The index is derived data: a process that starts without its files rebuilds it, and removes what a crashed upload
    // left behind.
    app.app.runtime.lifecycle.drain(Duration::from_secs(5)).await;
    std::fs::remove_dir_all(app.data_dir.join("vectors")).unwrap();
    let orphan = app.data_dir.join(
        "objects/org/0192f0c1-2d3e-7000-8000-000000000001/kb/0192f0c1-2d3e-7000-8000-000000000002/doc/0192f0c1-2d3e-7000-8000-000000000003",
    );
    std::fs::create_dir_all(&orphan).unwrap();
    std::fs::write(orphan.join("original"), b"left by a killed upload").unwrap();
    app.clock.advance(chrono::TimeDelta::hours(2));
    let again = App::build(Runtime { lifecycle: Lifecycle::new(), ..app.app.runtime.clone() }).unwrap();
    again.knowledge.reconcile_soon().await.unwrap();
    again.start_worker().unwrap();
    until("jobs are left", async || again.jobs.unfinished().await.unwrap() == 0).await;
    let org: uuid::Uuid = sqlx::query_scalar("SELECT org_id FROM knowledge_bases").fetch_one(&mut db).await.unwrap();
    let request: SearchRequest = serde_json::from_value(json!({"query": "albatross"})).unwrap();
    let hits = again.knowledge.search(org.into(), &[base.parse().unwrap()], &request).await.unwrap().hits;
    assert_eq!(hits.iter().map(|hit| hit.document_id.to_string()).collect::<Vec<_>>(), [id]);
    assert!(hits[0].vector_rank.is_some() && hits[0].text_rank.is_some(), "both arms are back");
    assert!(!orphan.exists(), "an old object without a row is removed");
    again.runtime.lifecycle.drain(Duration::from_secs(5)).await;
    again.close().await;
    db.close().await.unwrap();
    app.kill().await;
}

/// A document that crashes the server (for example a chunk too large for its memory) is not retried forever: every
/// start would end with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_kills_the_server_twice_has_failed() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let base = make_base(&admin, "Killer").await;
    let mut db = superuser(&app).await;
    let killed = "INSERT INTO job_attempts (job_id, org_id, lease_no, attempt, worker_id, outcome, started_at, finished_at, error) \
                  SELECT id, org_id, n, n, gen_random_uuid(), 'lost', now(), now(), 'the worker stopped answering' \
                  FROM jobs, generate_series(1, 2) n WHERE kind = 'knowledge.extract'";
    sqlx::query("UPDATE job_queues SET paused = true WHERE name = 'knowledge'").execute(&mut db).await.unwrap();
    let id = add_document(&admin, &base, "a.md", b"# Kill\n\nThe albatross returns in spring.\n").await;
    // The state after two crashes: each attempt was leased, and its lease expired.
    for statement in [
        killed,
        "UPDATE jobs SET attempt = 2, lease_no = 2 WHERE kind = 'knowledge.extract'",
        "UPDATE knowledge_documents SET status = 'extracting'",
        "UPDATE job_queues SET paused = false WHERE name = 'knowledge'",
    ] {
        sqlx::query(statement).execute(&mut db).await.unwrap();
    }
    app.wait_for_jobs().await;
    let failed = document(&admin, &base, &id).await;
    assert_eq!((&failed["status"], &failed["failure_code"]), (&json!("failed"), &json!("killed")), "{failed}");
    // It can be retried by hand.
    admin.post(&format!("/api/v1/knowledge-bases/{base}/documents/{id}/retry"), &json!({})).await.expect(202);
    app.wait_for_jobs().await;
    assert_eq!(document(&admin, &base, &id).await["status"], "ready");
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

/// An upload does not wait for document processing.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_does_not_wait_for_chunking() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let (base, other) = (make_base(&admin, "Long").await, make_base(&admin, "Short").await);
    let mut db = superuser(&app).await;
    // Chunking each takes longer than the upload may take, and there are more documents than CPUs.
    let many = std::thread::available_parallelism().unwrap().get() + 1;
    for n in 0..many {
        let text = format!("The gauge at weir number {n} is read twice a day, at dawn and at dusk. ").repeat(160_000);
        add_document(&admin, &base, &format!("{n}.txt"), text.as_bytes()).await;
    }
    let cutting = "SELECT count(*) FROM jobs WHERE state = 'running' AND progress_note LIKE 'cutting%'";
    let begun = std::time::Instant::now();
    while sqlx::query_scalar::<_, i64>(cutting).fetch_one(&mut db).await.unwrap() < i64::try_from(many - 1).unwrap() {
        assert!(begun.elapsed() < Duration::from_secs(120), "the documents are not cut at the same time");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let started = std::time::Instant::now();
    add_document(&admin, &other, "small.txt", b"A short text of forty letters, not more.").await;
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    db.close().await.unwrap();
    app.kill().await;
}

/// The index folder is derived data: if it is lost under a running process, it is rebuilt from the database.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_index_is_rebuilt_without_a_restart() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let base = make_base(&admin, "Vanish").await;
    let id = add_document(&admin, &base, "a.md", b"# Birds\n\nThe albatross returns in spring.\n").await;
    app.wait_for_jobs().await;
    let vectors = app.data_dir.join("vectors");
    let path = format!("/api/v1/knowledge-bases/{base}/search");
    let body = json!({"query": "albatross"});
    assert_eq!(search(&admin, &base, "albatross", "hybrid").await.len(), 1);
    for losses in 1..=2 {
        std::fs::remove_dir_all(&vectors).unwrap();
        // Cached data answers until the table is checked again, at most a second later.
        let begin = std::time::Instant::now();
        let answer = loop {
            let answer = admin.post(&path, &body).await;
            if answer.status == 503 {
                break answer;
            }
            assert!(answer.status == 200 && begin.elapsed() < Duration::from_secs(10), "{}", answer.text);
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        assert!(answer.headers.contains_key("retry-after"), "{}", answer.text);
        // A job that met the loss half-way retries after its pause.
        let begin = std::time::Instant::now();
        for mode in ["hybrid", "vector", "text"] {
            let body = json!({"query": "albatross", "mode": mode});
            loop {
                let answer = admin.post(&path, &body).await;
                if answer.status == 200 && answer.json()["results"][0]["document_id"] == json!(id) {
                    break;
                }
                assert!(begin.elapsed() < Duration::from_secs(60), "{mode} after loss {losses}: {}", answer.text);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        app.wait_for_jobs().await;
        let metrics = app.app.telemetry.encode();
        assert!(metrics.contains(&format!("holdfast_knowledge_index_losses_total {losses}")), "{metrics}");
    }
    app.app.knowledge.measure_index().await.unwrap();
    let metrics = app.app.telemetry.encode();
    let gauge = |name: &str| -> f64 {
        let line = metrics.lines().find_map(|line| line.strip_prefix(&format!("holdfast_knowledge_index_{name} ")));
        line.unwrap_or_else(|| panic!("{name} in {metrics}")).parse().unwrap()
    };
    let on_disk: u64 = files(&vectors).iter().map(|file| std::fs::metadata(file).unwrap().len()).sum();
    assert_eq!((gauge("tables"), gauge("fragments"), gauge("size_bytes")), (1.0, 1.0, on_disk as f64));
    assert!(gauge("versions") >= 2.0 && gauge("unindexed_rows") <= 1.0, "{metrics}");
    // A document uploaded before any search finds no table; it waits until the table is rebuilt with both documents.
    std::fs::remove_dir_all(&vectors).unwrap();
    let fish = add_document(&admin, &base, "b.md", b"# Fish\n\nThe sturgeon swims upstream.\n").await;
    assert_eq!(wait_for_document(&admin, &base, &fish).await["status"], "ready");
    app.wait_for_jobs().await;
    assert_eq!(search(&admin, &base, "albatross", "text").await.len(), 1);
    assert_eq!(search(&admin, &base, "sturgeon", "text").await.len(), 1);
    app.stop().await;
}

/// A full disk or a power cut truncates index files: a process that starts then detects it on a search, reports it in
/// doctor, and rebuilds the index.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_index_is_rebuilt() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let base = make_base(&admin, "Broken").await;
    let id = add_document(&admin, &base, "a.md", b"# Birds\n\nThe albatross returns in spring.\n").await;
    app.wait_for_jobs().await;
    let mut db = superuser(&app).await;
    let org: uuid::Uuid = sqlx::query_scalar("SELECT org_id FROM knowledge_bases").fetch_one(&mut db).await.unwrap();
    app.app.runtime.lifecycle.drain(Duration::from_secs(5)).await;
    for (part, keep) in [("/data/", 2), ("/_indices/", 2), ("/_indices/", 0), ("/_versions/", 2), ("/_versions/", 0)] {
        // With overflow checks LanceDB panics, where a release build reads on and detects the damage.
        if cfg!(debug_assertions) && (part, keep) == ("/_versions/", 2) {
            continue;
        }
        for file in files(&app.data_dir.join("vectors")) {
            if file.to_string_lossy().contains(part) {
                let bytes = std::fs::read(&file).unwrap();
                std::fs::write(&file, &bytes[..bytes.len().checked_div(keep).unwrap_or_default()]).unwrap();
            }
        }
        // Its process has nothing cached.
        let again = App::build(Runtime { lifecycle: Lifecycle::new(), ..app.app.runtime.clone() }).unwrap();
        let check = holdfast::knowledge::checks(&again.knowledge).into_iter().find(|c| c.name() == "knowledge.index");
        let said = check.unwrap().run().await;
        assert_eq!(said.status, Status::Fail, "{part} {keep}: {said:?}");
        assert!(
            said.summary.contains("kb_") && said.remedy.as_deref().unwrap_or_default().contains(".lance"),
            "{said:?}"
        );
        again.start_worker().unwrap();
        let begin = std::time::Instant::now();
        for mode in ["text", "vector", "hybrid"] {
            let request: SearchRequest = serde_json::from_value(json!({"query": "albatross", "mode": mode})).unwrap();
            loop {
                match again.knowledge.search(org.into(), &[base.parse().unwrap()], &request).await {
                    Ok(hits) if hits.hits.iter().any(|hit| hit.document_id.to_string() == id) => break,
                    other => assert!(begin.elapsed() < Duration::from_secs(60), "{part} {keep} {mode}: {other:?}"),
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        until("jobs are left", async || again.jobs.unfinished().await.unwrap() == 0).await;
        again.runtime.lifecycle.drain(Duration::from_secs(5)).await;
        again.close().await;
    }
    db.close().await.unwrap();
    app.kill().await;
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
