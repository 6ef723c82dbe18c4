//! Uploads: accepted, refused, repeated, failed.

use std::time::Duration;

use holdfast::{
    app::{App, Runtime},
    knowledge::SearchRequest,
    platform::lifecycle::Lifecycle,
};
use serde_json::{Value, json};
use sqlx::Connection as _;

use super::{document, search, superuser, upload};
use crate::support::{
    app::TestApp,
    documents::{add_document, files, fixture, make_base},
    wait::until,
};

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
    let splitting = "SELECT count(*) FROM jobs WHERE state = 'running' AND progress_note LIKE 'splitting%'";
    let begun = std::time::Instant::now();
    while sqlx::query_scalar::<_, i64>(splitting).fetch_one(&mut db).await.unwrap() < i64::try_from(many - 1).unwrap() {
        assert!(begun.elapsed() < Duration::from_secs(120), "the documents are not split at the same time");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let started = std::time::Instant::now();
    add_document(&admin, &other, "small.txt", b"A short text of forty letters, not more.").await;
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    db.close().await.unwrap();
    app.kill().await;
}
