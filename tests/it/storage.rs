//! Who may delete files while a backup is made.

use std::time::Duration;

use bytes::Bytes;
use holdfast::storage::StorageError;

use crate::support::{app::TestApp, cluster::terminate_sessions};

const LONG: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_waits_for_who_deletes_and_lets_nobody_begin() {
    let app = TestApp::start().await;
    let deletions = &app.app.deletions;
    let notes = app.app.storage.room("notes").unwrap();
    for key in ["a/1", "a/2"] {
        notes.put(key, Bytes::from_static(b"x")).await.unwrap();
    }
    let mut early = deletions.permit().await.unwrap();
    let mut beside = deletions.permit().await.unwrap();
    assert!(deletions.hold(Duration::from_millis(200)).await.unwrap().is_none(), "it does not wait for ever");
    let waits = deletions.clone();
    let hold = tokio::spawn(async move { waits.hold(LONG).await.unwrap().unwrap() });
    // However many there are that would follow: from the moment that it waits, none of them begins.
    let deadline = tokio::time::Instant::now() + LONG;
    while !matches!(deletions.permit().await, Err(StorageError::Held)) {
        assert!(tokio::time::Instant::now() < deadline, "who deletes goes on for ever, and no backup is made");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!hold.is_finished());
    notes.delete("a/1", &mut early).await.unwrap();
    drop(early);
    notes.delete("a/2", &mut beside).await.unwrap();
    drop(beside);
    let mut held = hold.await.unwrap();
    assert!(held.is_held().await && matches!(deletions.permit().await, Err(StorageError::Held)));
    assert!(deletions.hold(Duration::from_millis(200)).await.unwrap().is_none(), "two backups do not hold at once");
    held.release().await;
    deletions.permit().await.unwrap();
    app.stop().await;
}

/// A right that went with its connection is none: a backup may have begun since.
#[tokio::test(flavor = "multi_thread")]
async fn a_right_to_delete_ends_with_its_connection() {
    let app = TestApp::start().await;
    let notes = app.app.storage.room("notes").unwrap();
    notes.put("a/1", Bytes::from_static(b"x")).await.unwrap();
    let mut guard = app.app.deletions.permit().await.unwrap();
    terminate_sessions(app.target()).await;
    let refused = notes.delete("a/1", &mut guard).await;
    assert!(matches!(refused, Err(StorageError::GuardLost)), "{refused:?}");
    let refused = notes.delete_prefix("a", &mut guard).await;
    assert!(matches!(refused, Err(StorageError::GuardLost)), "{refused:?}");
    assert!(notes.exists("a/1").await.unwrap());
    app.kill().await;
}
