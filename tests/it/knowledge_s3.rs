//! Objects and index in a bucket, over a real S3 protocol with checked signatures and conditional writes.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::stream;
use holdfast::{
    app::{App, Runtime},
    knowledge::SearchRequest,
    platform::{
        health::{Status, run_all},
        lifecycle::Lifecycle,
    },
    storage::StorageError,
};
use serde_json::json;

use crate::{
    knowledge::{document, search, superuser},
    support::{
        app::TestApp,
        documents::{add_document, files, make_base},
        process::Site,
        s3::S3,
        wait::until,
    },
};

fn borrowed<'a>(settings: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    settings.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

async fn failing(app: &App) -> Vec<(&'static str, String)> {
    let reports = run_all(&app.checks()).await;
    let ours = |name: &str| name.starts_with("storage.") || name.starts_with("knowledge.");
    let failed = reports.into_iter().filter(|report| report.result.status == Status::Fail && ours(report.name));
    failed.map(|report| (report.name, report.result.summary)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_and_index_live_in_a_bucket_and_a_delete_leaves_nothing() {
    let s3 = S3::start();
    let app = TestApp::start_with(&borrowed(&s3.settings())).await;
    let admin = app.admin().await;
    let base = make_base(&admin, "Bucket").await;
    let text = b"# Tides\n\nThe quibblefrotz sings at dawn in the harbour.\n";
    let gone = add_document(&admin, &base, "gone.md", text).await;
    let kept = add_document(&admin, &base, "kept.md", b"# Cellar\n\nThe marmalade is stored in the cellar.\n").await;
    app.wait_for_jobs().await;
    assert_eq!(document(&admin, &base, &gone).await["status"], "ready");
    for mode in ["hybrid", "vector", "text"] {
        let hits = search(&admin, &base, "what sings in the harbour", mode).await;
        assert_eq!(hits[0]["document_id"], json!(gone), "{mode}");
    }
    let original = admin.get(&format!("/api/v1/knowledge-bases/{base}/documents/{gone}/original")).await;
    assert_eq!(original.text.as_bytes(), text);
    let contents = s3.contents().await;
    assert!(contents.iter().all(|(key, _)| key.starts_with("objects/org/") || key.starts_with("vectors/kb_")));
    let holds = |contents: &[(String, Vec<u8>)], word: &str| {
        contents.iter().any(|(_, bytes)| bytes.windows(word.len()).any(|window| window == word.as_bytes()))
    };
    assert!(holds(&contents, "quibblefrotz"), "else this test proves nothing");
    assert!(files(&app.data_dir.join("objects")).is_empty() && files(&app.data_dir.join("vectors")).is_empty());
    let failed = failing(&app.app).await;
    assert!(failed.is_empty(), "{failed:?}");

    // A multipart upload; written in parts, read in part, and when aborted it leaves nothing.
    let storage = &app.app.storage;
    let pieces = |count: u8| stream::iter((0..count).map(|n| Ok::<_, std::io::Error>(Bytes::from(vec![n; 1 << 20]))));
    assert_eq!(storage.put_stream("org/large", pieces(12), 20 << 20).await.unwrap().size, 12 << 20);
    assert_eq!(storage.get_range("org/large", (11 << 20) - 1..(11 << 20) + 1).await.unwrap(), vec![10, 11]);
    storage.delete("org/large", &mut app.app.deletions.permit().await.unwrap()).await.unwrap();
    let refused = storage.put_stream("org/large", pieces(12), 8 << 20).await;
    assert!(matches!(refused, Err(StorageError::TooLarge(_))), "{refused:?}");
    assert!(!storage.exists("org/large").await.unwrap());

    admin.delete(&format!("/api/v1/knowledge-bases/{base}/documents/{gone}")).await.expect(204);
    app.wait_for_jobs().await;
    let contents = s3.contents().await;
    assert!(!holds(&contents, "quibblefrotz") && !holds(&contents, &gone), "nothing of it is left in the bucket");

    // A restart: another process on the same bucket.
    app.app.runtime.lifecycle.drain(Duration::from_secs(5)).await;
    let again = App::build(Runtime { lifecycle: Lifecycle::new(), ..app.app.runtime.clone() }).unwrap();
    again.probe_stores().await.unwrap();
    again.start_worker().unwrap();
    let mut db = superuser(&app).await;
    let org: uuid::Uuid = sqlx::query_scalar("SELECT org_id FROM knowledge_bases").fetch_one(&mut db).await.unwrap();
    let request: SearchRequest = serde_json::from_value(json!({"query": "marmalade"})).unwrap();
    let hits = again.knowledge.search(org.into(), &[base.parse().unwrap()], &request).await.unwrap().hits;
    assert_eq!(hits[0].document_id.to_string(), kept);
    again.knowledge.delete_base(org.into(), base.parse().unwrap()).await.unwrap();
    until("jobs are left", async || again.jobs.unfinished().await.unwrap() == 0).await;
    let left: Vec<String> = s3.contents().await.into_iter().map(|(key, _)| key).collect();
    assert!(left.is_empty(), "{left:?}");
    again.runtime.lifecycle.drain(Duration::from_secs(5)).await;
    again.close().await;
    app.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_keys_and_missing_buckets_stop_the_start_and_show_in_doctor() {
    let s3 = S3::start();
    for (name, value) in [
        ("HOLDFAST_STORAGE__S3_SECRET_ACCESS_KEY", "wrong"),
        ("HOLDFAST_STORAGE__URL", "s3://absent-bucket/objects"),
        ("HOLDFAST_KNOWLEDGE__INDEX_URL", "s3://absent-bucket/vectors"),
    ] {
        let mut settings = s3.settings();
        settings.retain(|(setting, _)| *setting != name);
        settings.push((name, value.to_owned()));
        let app = TestApp::start_with(&borrowed(&settings)).await;
        let error = format!("{:#}", app.app.probe_stores().await.expect_err(name));
        let setting = if name.contains("INDEX") { "knowledge.index_url" } else { "storage.url" };
        assert!(error.starts_with(setting), "{name}: {error}");
        let failed = failing(&app.app).await;
        let check = if name.contains("INDEX") { "knowledge.store" } else { "storage.objects" };
        assert!(failed.iter().any(|(name, _)| *name == check), "{name}: {failed:?}");
        app.kill().await;
    }
    // The binary exits at once with a message.
    let mut site = Site::new();
    for (name, value) in s3.settings() {
        site.set(name, &value);
    }
    site.set("HOLDFAST_STORAGE__URL", "s3://absent-bucket/objects");
    let output = site.run(&["serve"]).await;
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("storage.url s3://absent-bucket/objects"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unresponsive_bucket_does_not_stop_the_start() {
    let s3 = S3::start();
    let mut settings = s3.settings();
    settings.retain(|(name, _)| *name != "HOLDFAST_STORAGE__S3_ENDPOINT");
    settings.push(("HOLDFAST_STORAGE__S3_ENDPOINT", "http://127.0.0.1:9".into()));
    let app = TestApp::start_with(&borrowed(&settings)).await;
    let began = Instant::now();
    app.app.probe_stores().await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
    app.kill().await;
}
