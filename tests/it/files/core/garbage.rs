//! Blobs are deleted where nothing refers to them, and only there.

use std::{fs, time::Duration};

use bytes::Bytes;
use chrono::TimeDelta;
use holdfast::files::{BucketChange, Versioning};
use sqlx::{Connection as _, PgConnection};

use super::{super::blobs, Desk, run_job};
use crate::support::{app::TestApp, wait::until};

const LONG: Duration = Duration::from_secs(30);

async fn at_once(desk: &Desk<'_>, name: &str) -> holdfast::files::Bucket {
    let bucket = desk.bucket(name, Versioning::Off).await;
    desk.change(&bucket, BucketChange { trash_days: Some(0), ..BucketChange::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_content_is_stored_once_within_an_organisation_and_goes_with_its_last_object() {
    let app = TestApp::start().await;
    let desk = Desk::of(&app).await;
    let bucket = at_once(&desk, "once").await;
    for name in ["a", "b"] {
        desk.put(&bucket, name, b"the same").await;
    }
    until("the second file of an equal content stays", async || blobs(&app).len() == 1).await;
    let others = app.app.auth.create_organisation("others", Some("others"), None).await.unwrap();
    let theirs = Desk::of_org(&app, others.id);
    let their_bucket = theirs.bucket("once", Versioning::Off).await;
    theirs.put(&their_bucket, "a", b"the same").await;
    assert_eq!(blobs(&app).len(), 2, "each organisation has its own");
    desk.delete(&bucket, "a", None).await.unwrap();
    app.clock.advance(TimeDelta::hours(2));
    run_job!(&app, "files.collect");
    assert_eq!(blobs(&app).len(), 2);
    assert_eq!(desk.get(&bucket, "b").await.as_deref(), Some(b"the same".as_slice()));
    desk.delete(&bucket, "b", None).await.unwrap();
    // What is deleted while a backup runs goes after it.
    let held = app.app.deletions.hold(LONG).await.unwrap().unwrap();
    app.clock.advance(TimeDelta::hours(2));
    run_job!(&app, "files.collect");
    assert_eq!(blobs(&app).len(), 2);
    held.release().await;
    run_job!(&app, "files.collect");
    until("what nothing refers to stays", async || blobs(&app).len() == 1).await;
    assert_eq!(theirs.get(&their_bucket, "a").await.as_deref(), Some(b"the same".as_slice()));
    app.stop().await;
}

/// Both orders, each with the collector or the writer in the middle of its work.
#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_is_taken_while_it_is_collected_stays() {
    let app = TestApp::start().await;
    let desk = Desk::of(&app).await;
    let bucket = at_once(&desk, "taken").await;
    desk.put(&bucket, "a", b"content").await;
    desk.delete(&bucket, "a", None).await.unwrap();
    app.clock.advance(TimeDelta::hours(2));
    // A writer has taken the blob, and has not committed.
    let mut writer = PgConnection::connect_with(&app.target().admin).await.unwrap();
    let mut tx = writer.begin().await.unwrap();
    sqlx::query("SELECT FROM files_blobs FOR KEY SHARE").execute(&mut *tx).await.unwrap();
    run_job!(&app, "files.collect");
    assert_eq!(blobs(&app).len(), 1, "it is passed over");
    tx.rollback().await.unwrap();
    // The collector has decided, and has not committed: a writer waits, and makes its own.
    let mut tx = writer.begin().await.unwrap();
    sqlx::query("SELECT FROM files_blobs FOR UPDATE").execute(&mut *tx).await.unwrap();
    sqlx::query("UPDATE files_blobs SET gone_at = now()").execute(&mut *tx).await.unwrap();
    let writing = desk.put(&bucket, "b", b"content");
    let mut writing = std::pin::pin!(writing);
    assert!(tokio::time::timeout(Duration::from_millis(300), &mut writing).await.is_err(), "it waits");
    tx.commit().await.unwrap();
    writing.await;
    run_job!(&app, "files.collect");
    until("the blob that is gone stays", async || blobs(&app).len() == 1).await;
    assert_eq!(desk.get(&bucket, "b").await.as_deref(), Some(b"content".as_slice()));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sweeps_delete_old_orphans_and_spare_young_ones() {
    let app = TestApp::start().await;
    let desk = Desk::of(&app).await;
    let bucket = desk.bucket("swept", Versioning::Off).await;
    let object = desk.put(&bucket, "a", b"content").await;
    let blob = object.pieces[0].blob;
    let folder = app.data_dir.join(format!("objects/files/{}/{:02x}", desk.who.org, blob.0.as_bytes()[0]));
    let stray = uuid::Uuid::from_bytes({
        let mut bytes = *blob.0.as_bytes();
        bytes[15] ^= 1;
        bytes
    });
    for name in [stray.to_string(), format!("{stray}#1")] {
        fs::write(folder.join(name), b"orphan").unwrap();
    }
    // The next sweep is of its part, and not the 256th.
    let mut admin = PgConnection::connect_with(&app.target().admin).await.unwrap();
    let next = async |admin: &mut PgConnection| {
        let shard = i16::from(blob.0.as_bytes()[0]);
        let before = (shard + 255) % 256;
        sqlx::query("DELETE FROM files_sweeps WHERE room = 'files'").execute(&mut *admin).await.unwrap();
        sqlx::query("INSERT INTO files_sweeps VALUES ('files', $1, now() + interval '5 hours', 0, 0, 0)")
            .bind(before)
            .execute(&mut *admin)
            .await
            .unwrap();
    };
    next(&mut admin).await;
    run_job!(&app, "files.sweep");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 3, "they are young");
    app.clock.advance(TimeDelta::hours(25));
    next(&mut admin).await;
    run_job!(&app, "files.sweep");
    let left: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [std::ffi::OsString::from(blob.to_string())]);
    // A row without its file is damage.
    fs::remove_file(folder.join(blob.to_string())).unwrap();
    next(&mut admin).await;
    run_job!(&app, "files.sweep");
    let damage = desk.files().damage().await.unwrap();
    assert_eq!(damage.iter().map(|damaged| damaged.kind.as_str()).collect::<Vec<_>>(), ["missing"]);
    app.stop().await;
}

/// The rows of younger files may come back with a newer backup.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_swept_for_a_week_after_the_database_became_older_than_the_store() {
    let app = TestApp::start().await;
    let desk = Desk::of(&app).await;
    let bucket = desk.bucket("rewound", Versioning::Off).await;
    desk.put(&bucket, "a", b"content").await;
    let store = app.app.storage.clone();
    let place = format!("files/{}/00/00000000-0000-4000-8000-000000000001", desk.who.org);
    store.put(&place, Bytes::from_static(b"orphan")).await.unwrap();
    run_job!(&app, "files.sweep");
    app.clock.advance(TimeDelta::days(2));
    // As a restore leaves it: the database knows of no sweep.
    let mut admin = PgConnection::connect_with(&app.target().admin).await.unwrap();
    let forget = "DELETE FROM files_sweeps";
    sqlx::query(forget).execute(&mut admin).await.unwrap();
    run_job!(&app, "files.sweep");
    assert!(store.exists(&place).await.unwrap());
    app.clock.advance(TimeDelta::days(8));
    sqlx::query("UPDATE files_sweeps SET shard = 255 WHERE room = 'files'").execute(&mut admin).await.unwrap();
    run_job!(&app, "files.sweep");
    assert!(!store.exists(&place).await.unwrap());
    app.stop().await;
}
