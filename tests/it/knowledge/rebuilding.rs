//! A lost or damaged index is rebuilt.

use std::time::Duration;

use holdfast::{
    app::{App, Runtime},
    knowledge::SearchRequest,
    platform::{health::Status, lifecycle::Lifecycle},
};
use serde_json::json;
use sqlx::Connection as _;

use super::{search, superuser};
use crate::support::{
    app::TestApp,
    documents::{add_document, files, make_base, wait_for_document},
    wait::until,
};

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
