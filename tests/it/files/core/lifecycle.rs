//! Lifecycle rules touch what they say.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use holdfast::files::{
    BucketChange, Expire, FilesError, LifecycleRule, ListUploads, MoveTo, NewObject, NewUpload, Noncurrent, UploadKind,
    Versioning,
};
use serde_json::json;

use super::{Desk, key, run_job};
use crate::support::app::TestApp;

fn rule(id: &str, prefix: &str) -> LifecycleRule {
    let rule = json!({"id": id, "prefix": prefix, "abort_uploads_days": 1});
    let rule: LifecycleRule = serde_json::from_value(rule).unwrap();
    LifecycleRule { abort_uploads_days: None, ..rule }
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_expire_move_and_give_up_what_they_say_and_nothing_else() {
    let app = TestApp::start().await;
    let desk = Desk::of(&app).await;
    let (bucket, archive) =
        (desk.bucket("ruled", Versioning::Off).await, desk.bucket("archive", Versioning::Off).await);
    let tagged = NewObject { tags: BTreeMap::from([("keep".into(), "no".into())]), ..NewObject::default() };
    desk.put(&bucket, "logs/old", b"x").await;
    desk.put(&bucket, "other/old", b"x").await;
    desk.put(&bucket, "sizes/small", b"x").await;
    desk.put(&bucket, "sizes/large", &[1; 100]).await;
    desk.try_put(&bucket, "tags/with", b"x", tagged).await.unwrap();
    desk.put(&bucket, "tags/without", b"x").await;
    desk.put(&bucket, "moves/a", b"moved").await;
    desk.put(&bucket, "moves/taken", b"stays").await;
    desk.put(&archive, "moves/taken", b"theirs").await;
    desk.files().begin_upload(&desk.who, &bucket, key("logs/begun"), NewUpload::of(UploadKind::S3)).await.unwrap();
    let rules = vec![
        LifecycleRule { expire: Some(Expire::Days(3)), ..rule("logs", "logs/") },
        LifecycleRule { expire: Some(Expire::Days(1)), larger_than: Some(10), ..rule("sizes", "sizes/") },
        LifecycleRule {
            expire: Some(Expire::Days(1)),
            tags: BTreeMap::from([("keep".into(), "no".into())]),
            ..rule("tags", "tags/")
        },
        LifecycleRule { move_to: Some(MoveTo { days: 1, bucket: archive.id }), ..rule("moves", "moves/") },
        LifecycleRule { abort_uploads_days: Some(2), ..rule("uploads", "") },
        LifecycleRule { expire: Some(Expire::Days(1)), enabled: false, ..rule("off", "") },
    ];
    desk.change(&bucket, BucketChange { lifecycle: Some(rules), ..BucketChange::default() }).await;
    run_job!(&app, "files.lifecycle");
    assert_eq!(desk.keys(&bucket).await.len(), 8, "nothing is a day old");
    app.clock.advance(TimeDelta::days(2));
    run_job!(&app, "files.lifecycle");
    let left = ["logs/old", "moves/taken", "other/old", "sizes/small", "tags/without"];
    assert_eq!(desk.keys(&bucket).await, left);
    assert_eq!(desk.get(&archive, "moves/a").await.as_deref(), Some(b"moved".as_slice()));
    let run = desk.files().lifecycle_run(&desk.who, &bucket).await.unwrap().unwrap();
    assert_eq!((run.expired, run.moved, run.aborted), (2, 1, 0), "{run:?}");
    assert!(run.problem.contains("moves: 1 objects stay"), "{run:?}");
    app.clock.advance(TimeDelta::days(2));
    desk.put(&bucket, "logs/new", b"x").await;
    run_job!(&app, "files.lifecycle");
    let left = ["logs/new", "moves/taken", "other/old", "sizes/small", "tags/without"];
    assert_eq!(desk.keys(&bucket).await, left);
    let query = ListUploads { most: 10, ..ListUploads::default() };
    assert!(desk.files().list_uploads(&desk.who, &bucket, &query).await.unwrap().is_empty());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_versions_go_but_the_newest_and_bare_markers_go_too() {
    let app = TestApp::start().await;
    let desk = Desk::of(&app).await;
    let bucket = desk.bucket("versions", Versioning::On).await;
    for n in 0..5 {
        desk.put(&bucket, "a", format!("{n}").as_bytes()).await;
    }
    let gone = desk.put(&bucket, "bare", b"x").await;
    desk.delete(&bucket, "bare", None).await.unwrap();
    desk.delete(&bucket, "bare", Some(gone.version())).await.unwrap();
    desk.put(&bucket, "deleted", b"x").await;
    desk.delete(&bucket, "deleted", None).await.unwrap();
    let rules = vec![
        LifecycleRule { noncurrent: Some(Noncurrent { days: 1, keep: 2 }), ..rule("old", "") },
        LifecycleRule { expire: Some(Expire::Markers(true)), ..rule("markers", "") },
    ];
    desk.change(&bucket, BucketChange { lifecycle: Some(rules), ..BucketChange::default() }).await;
    app.clock.advance(TimeDelta::days(3));
    run_job!(&app, "files.lifecycle");
    let versions: Vec<String> =
        desk.versions(&bucket, 100).await.iter().map(|(v, _)| format!("{} {}", v.key, v.marker)).collect();
    // The latest and two before it; and a marker over a version that is kept.
    assert_eq!(versions, ["a false", "a false", "a false", "deleted true", "deleted false"]);
    assert_eq!(desk.get(&bucket, "a").await.as_deref(), Some(b"4".as_slice()));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_emptied_and_a_rule_that_leads_nowhere_is_refused() {
    let app = TestApp::start().await;
    let desk = Desk::of(&app).await;
    let bucket = desk.bucket("emptied", Versioning::On).await;
    for n in 0..250 {
        desk.put(&bucket, &format!("k{n}"), b"x").await;
    }
    desk.delete(&bucket, "k1", None).await.unwrap();
    desk.files().empty_bucket(&desk.who, bucket.id).await.unwrap();
    app.app.jobs.wake();
    app.wait_for_jobs().await;
    assert!(desk.versions(&bucket, 1000).await.is_empty());
    let nowhere = LifecycleRule { move_to: Some(MoveTo { days: 1, bucket: bucket.id }), ..rule("m", "") };
    let change = BucketChange { lifecycle: Some(vec![nowhere]), ..BucketChange::default() };
    let refused = desk.files().change_bucket(&desk.who, bucket.id, None, change).await;
    assert!(matches!(refused, Err(FilesError::Invalid(_))), "{refused:?}");
    desk.files().delete_bucket(&desk.who, bucket.id).await.unwrap();
    app.stop().await;
}
