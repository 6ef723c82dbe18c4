//! Another Holdfast on this one: its objects, its index (LanceDB, which needs conditional writes) and its backups.

use std::sync::Arc;

use holdfast::{
    app::{App, Runtime},
    backup::{Kind, ProgressReporter, Status},
    platform::lifecycle::Lifecycle,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::access_key;
use crate::{
    files::bucket,
    knowledge::{document, search},
    support::{
        app::TestApp,
        documents::{add_document, make_base},
        vault::Vault,
    },
};

fn borrowed<'a>(settings: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    settings.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

/// The appliance that stores, and a key for its bucket `holdfast`.
async fn store() -> (TestApp, Value) {
    let unlimited = [("HOLDFAST_SERVER__REQUEST_BURST", "1000000")];
    let app = TestApp::start_with(&unlimited).await;
    let admin = app.admin().await;
    let id = bucket(&admin, "holdfast").await["id"].clone();
    let verbs = json!(["list", "read", "write", "delete"]);
    let key = access_key(&admin, &json!({"name": "another", "verbs": verbs, "buckets": [id]})).await;
    (app, key)
}

fn text(key: &Value, name: &str) -> String {
    key[name].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_and_index_of_another() {
    let (below, key) = store().await;
    let settings = [
        ("HOLDFAST_STORAGE__URL", "s3://holdfast/objects".to_owned()),
        ("HOLDFAST_KNOWLEDGE__INDEX_URL", "s3://holdfast/vectors".to_owned()),
        ("HOLDFAST_STORAGE__S3_ENDPOINT", format!("{}/s3", below.base_url)),
        ("HOLDFAST_STORAGE__S3_ACCESS_KEY_ID", text(&key, "access_key_id")),
        ("HOLDFAST_STORAGE__S3_SECRET_ACCESS_KEY", text(&key, "secret_access_key")),
    ];
    let above = TestApp::start_with(&borrowed(&settings)).await;
    let admin = above.admin().await;
    let base = make_base(&admin, "Bucket").await;
    let content = b"# Tides\n\nThe quibblefrotz sings at dawn in the harbour.\n";
    // Two at once write to one table.
    let (one, two) = tokio::join!(
        add_document(&admin, &base, "one.md", content),
        add_document(&admin, &base, "two.md", b"# Cellar\n\nThe marmalade is stored in the cellar.\n")
    );
    above.wait_for_jobs().await;
    for id in [&one, &two] {
        assert_eq!(document(&admin, &base, id).await["status"], "ready");
    }
    for mode in ["hybrid", "vector", "text"] {
        let hits = search(&admin, &base, "what sings in the harbour", mode).await;
        assert_eq!(hits[0]["document_id"], json!(one), "{mode}");
    }
    let original = admin.get(&format!("/api/v1/knowledge-bases/{base}/documents/{one}/original")).await;
    assert_eq!(original.text.as_bytes(), content);
    let there = below.admin().await.get("/api/v1/buckets/holdfast/objects?limit=200").await.expect(200);
    let keys: Vec<&str> =
        there["data"].as_array().unwrap().iter().map(|entry| entry["key"].as_str().unwrap()).collect();
    assert!(
        keys.iter().any(|key| key.starts_with("vectors/")) && keys.iter().any(|key| key.starts_with("objects/")),
        "{keys:?}"
    );
    above.stop().await;
    below.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_of_another() {
    let (below, key) = store().await;
    let vault = Vault::new();
    let mut settings = vault.settings();
    settings.extend([
        ("HOLDFAST_BACKUP__DESTINATIONS__FAR__URL", "s3://holdfast/backups".to_owned()),
        ("HOLDFAST_BACKUP__DESTINATIONS__FAR__S3_ENDPOINT", format!("{}/s3", below.base_url)),
        ("HOLDFAST_BACKUP__DESTINATIONS__FAR__S3_ACCESS_KEY_ID", text(&key, "access_key_id")),
        ("HOLDFAST_BACKUP__DESTINATIONS__FAR__S3_SECRET_ACCESS_KEY", text(&key, "secret_access_key")),
    ]);
    let above = TestApp::start_with(&borrowed(&settings)).await;
    let admin = above.admin().await;
    let base = make_base(&admin, "Harbour").await;
    add_document(&admin, &base, "tides.md", b"# Tides\n\nThe quibblefrotz sings at dawn.\n").await;
    above.wait_for_jobs().await;
    let silent = || ProgressReporter::silent(CancellationToken::new());
    let backups = &above.app.backups;
    let made = backups.run(Kind::Manual, &silent()).await.unwrap();
    assert_eq!(made.status, Status::Verified, "{:?}", made.error);
    let found = backups.verify(made.id, Some("far"), Some(&vault.keys()), &silent()).await.unwrap();
    assert_eq!(found[0].problems, Vec::<String>::new());
    above.stop().await;
    below.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn itself_is_refused() {
    let app = TestApp::start().await;
    let mut config = (*app.app.runtime.config).clone();
    config.files.s3_listen = "127.0.0.1:9000".to_owned();
    config.storage.s3_endpoint = "http://localhost:9000".to_owned();
    let runtime = Runtime { config: Arc::new(config), lifecycle: Lifecycle::new(), ..app.app.runtime.clone() };
    let error = App::build(runtime).err().unwrap().to_string();
    assert!(error.contains("this installation itself"), "{error}");
    app.stop().await;
}
