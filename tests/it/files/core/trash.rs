//! The trash, and quotas: what is in the trash counts, and can always be emptied.

use chrono::TimeDelta;
use holdfast::{
    files::{BucketChange, CopyObject, FilesError, Versioning},
    platform::http::Slice,
};

use super::{super::blobs, Desk, run_job};
use crate::support::{app::TestApp, wait::until};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_comes_back_until_its_days_are_over() {
    let app = TestApp::start().await;
    let desk = Desk::of(&app).await;
    let bucket = desk.bucket("kept", Versioning::Off).await;
    desk.put(&bucket, "a", b"old").await;
    desk.put(&bucket, "a", b"new").await;
    let trash = async || desk.files().trash(&desk.who, &bucket, None, &Slice::first(10)).await.unwrap();
    let entry = trash().await.remove(0);
    assert_eq!(entry.purge_at - entry.trashed_at, TimeDelta::days(7));
    // The old one comes back, and the new one goes where it was.
    let restored = desk.files().restore(&desk.who, entry.object.id).await.unwrap();
    assert!(!restored.created && restored.object.current);
    assert_eq!(desk.get(&bucket, "a").await.as_deref(), Some(b"old".as_slice()));
    let entry = trash().await.remove(0);
    assert_eq!(desk.read(&entry.object).await.unwrap(), b"new");
    assert!(matches!(desk.files().restore(&desk.who, restored.object.id).await, Err(FilesError::VersionNotFound)));
    desk.files().purge(&desk.who, entry.object.id).await.unwrap();
    assert!(trash().await.is_empty());
    assert!(matches!(desk.files().purge(&desk.who, entry.object.id).await, Err(FilesError::VersionNotFound)));
    desk.delete(&bucket, "a", None).await.unwrap();
    run_job!(&app, "files.purge");
    assert_eq!(trash().await.len(), 1, "its days are not over");
    app.clock.advance(TimeDelta::days(8));
    run_job!(&app, "files.purge");
    assert!(trash().await.is_empty());
    run_job!(&app, "files.collect");
    until("the content of what was purged stays", async || blobs(&app).is_empty()).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_comes_back_as_the_latest() {
    let app = TestApp::start().await;
    let desk = Desk::of(&app).await;
    let bucket = desk.bucket("versions", Versioning::On).await;
    let first = desk.put(&bucket, "a", b"1").await;
    desk.put(&bucket, "a", b"2").await;
    desk.delete(&bucket, "a", Some(first.version())).await.unwrap();
    assert_eq!(desk.versions(&bucket, 10).await.len(), 1);
    desk.delete(&bucket, "a", None).await.unwrap();
    desk.files().restore(&desk.who, first.id).await.unwrap();
    assert_eq!(desk.get(&bucket, "a").await.as_deref(), Some(b"1".as_slice()));
    let versions = desk.versions(&bucket, 10).await;
    assert_eq!(versions.len(), 3, "over the marker and the other one");
    assert_eq!(versions[0].0.id, first.id);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_days_it_is_gone_at_once_and_a_bucket_comes_back_with_its_trash() {
    let app = TestApp::start().await;
    let desk = Desk::of(&app).await;
    let bucket = desk.bucket("gone", Versioning::Off).await;
    let none = desk.change(&bucket, BucketChange { trash_days: Some(0), ..BucketChange::default() }).await;
    let object = desk.put(&none, "a", b"x").await;
    desk.delete(&none, "a", None).await.unwrap();
    assert!(matches!(desk.files().restore(&desk.who, object.id).await, Err(FilesError::VersionNotFound)));
    desk.files().delete_bucket(&desk.who, none.id).await.unwrap();
    assert!(desk.files().trashed_buckets(&desk.who, &Slice::first(10)).await.unwrap().is_empty());
    let bucket = desk.bucket("back", Versioning::Off).await;
    let object = desk.put(&bucket, "a", b"x").await;
    desk.delete(&bucket, "a", None).await.unwrap();
    desk.files().delete_bucket(&desk.who, bucket.id).await.unwrap();
    desk.bucket("back", Versioning::Off).await;
    let refused = desk.files().restore_bucket(&desk.who, bucket.id, "back").await;
    assert!(matches!(refused, Err(FilesError::BucketExists)), "{refused:?}");
    let back = desk.files().restore_bucket(&desk.who, bucket.id, "back-again").await.unwrap();
    desk.files().restore(&desk.who, object.id).await.unwrap();
    assert_eq!(desk.get(&back, "a").await.as_deref(), Some(b"x".as_slice()));
    // Deleted again: with the last of its trash it goes.
    desk.delete(&back, "a", None).await.unwrap();
    desk.files().delete_bucket(&desk.who, back.id).await.unwrap();
    assert_eq!(desk.files().trashed_buckets(&desk.who, &Slice::first(10)).await.unwrap().len(), 1);
    app.clock.advance(TimeDelta::days(8));
    run_job!(&app, "files.purge");
    assert!(desk.files().trashed_buckets(&desk.who, &Slice::first(10)).await.unwrap().is_empty());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trash_counts_and_deleting_always_works() {
    let app = TestApp::start_with(&[("HOLDFAST_FILES__ORG_BYTES", "1000"), ("HOLDFAST_FILES__ORG_OBJECTS", "3")]).await;
    let desk = Desk::of(&app).await;
    let bucket = desk.bucket("full", Versioning::Off).await;
    desk.put(&bucket, "a", &[1; 600]).await;
    desk.delete(&bucket, "a", None).await.unwrap();
    let refused = desk.try_put(&bucket, "b", &[2; 600], holdfast::files::NewObject::default()).await;
    assert!(matches!(refused, Err(FilesError::Quota { what: "bytes", limit: 1000, trash: 600 })), "{refused:?}");
    assert_eq!(desk.files().empty_trash(&desk.who, &bucket).await.unwrap(), 1);
    desk.put(&bucket, "b", &[2; 600]).await;
    // A copy counts as what it is to its reader.
    let source = desk.find(&bucket, "b").await.unwrap();
    let copied =
        desk.files().copy(&desk.who, (&bucket, &source), (&bucket, super::key("c")), CopyObject::default()).await;
    assert!(matches!(copied, Err(FilesError::Quota { .. })), "{copied:?}");
    for name in ["d", "e"] {
        desk.put(&bucket, name, b"").await;
    }
    let refused = desk.try_put(&bucket, "f", b"", holdfast::files::NewObject::default()).await;
    assert!(matches!(refused, Err(FilesError::Quota { what: "objects", limit: 3, .. })), "{refused:?}");
    desk.put(&bucket, "e", b"again").await;
    // An operator gives more.
    desk.files().set_quota(desk.who.org, Some(5000), None, "operator").await.unwrap();
    let usage = desk.files().usage(&desk.who).await.unwrap();
    assert_eq!((usage.most_bytes, usage.most_objects, usage.used.objects), (Some(5000), Some(3), 3));
    desk.put(&bucket, "e", &[3; 2000]).await;
    app.stop().await;
}
