//! Locks hold against everything.

use chrono::{TimeDelta, Utc};
use holdfast::{
    files::{
        Bucket, BucketChange, Caller, DefaultLock, FilesError, LifecycleRule, Lock, LockMode, NewBucket, NewObject,
        Noncurrent, Object, VersionRef, Versioning,
    },
    platform::error::ApiError,
};

use super::{Desk, run_job};
use crate::support::{app::TestApp, wait::until};

async fn locking(desk: &Desk<'_>, name: &str) -> Bucket {
    let new = NewBucket { name: name.into(), versioning: Versioning::On, object_lock: true, ..NewBucket::default() };
    desk.files().create_bucket(&desk.who, new).await.unwrap()
}

async fn locked(desk: &Desk<'_>, bucket: &Bucket, key: &str, lock: Option<Lock>, hold: bool) -> Object {
    let new = NewObject { lock, legal_hold: hold, ..NewObject::default() };
    desk.try_put(bucket, key, key.as_bytes(), new).await.unwrap().object
}

fn until_in(mode: LockMode, time: TimeDelta) -> Lock {
    // Locks end by the server's clock, which is that of the host and which no test moves.
    Lock { mode, until: Utc::now() + time }
}

fn is_locked<T>(answer: Result<T, FilesError>) -> bool {
    match answer {
        Err(FilesError::Locked(_)) => true,
        // By the trigger, where the service was not asked.
        Err(error) => ApiError::from(error).code == "locked",
        Ok(_) => false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_version_stays_whoever_deletes_it() {
    let app = TestApp::start().await;
    let desk = Desk::of(&app).await;
    let bypassing = Desk { app: &app, who: Caller { bypass_governance: true, ..desk.who.clone() } };
    let bucket = locking(&desk, "locked").await;
    let hour = TimeDelta::hours(1);
    for (key, lock, hold) in [
        ("governance", Some(until_in(LockMode::Governance, hour)), false),
        ("compliance", Some(until_in(LockMode::Compliance, hour)), false),
        ("held", None, true),
    ] {
        let object = locked(&desk, &bucket, key, lock, hold).await;
        let version = Some(VersionRef::Id(object.id));
        assert!(is_locked(desk.delete(&bucket, key, version).await), "{key}");
        let many = vec![(super::key(key), version)];
        let answers = desk.files().delete_many(&desk.who, &bucket, many).await.unwrap();
        assert!(answers.into_iter().all(is_locked), "{key}");
        // Without a version a marker is written, which is always permitted; and another may take its place.
        desk.delete(&bucket, key, None).await.unwrap();
        assert_eq!(desk.get(&bucket, key).await, None);
        desk.put(&bucket, key, b"later").await;
        // Rules, and emptying the bucket.
        let rule = LifecycleRule {
            id: "old".into(),
            enabled: true,
            prefix: key.into(),
            tags: holdfast::files::Tags::new(),
            larger_than: None,
            smaller_than: None,
            expire: None,
            noncurrent: Some(Noncurrent { days: 1, keep: 0 }),
            abort_uploads_days: None,
            move_to: None,
        };
        desk.change(&bucket, BucketChange { lifecycle: Some(vec![rule]), ..BucketChange::default() }).await;
        app.clock.advance(TimeDelta::days(3));
        run_job!(&app, "files.lifecycle");
        let old = desk.files().find(&desk.who, &bucket, &super::key(key), version).await.unwrap();
        assert_eq!(desk.read(&old).await.unwrap(), key.as_bytes(), "rules passed over it");
        assert!(matches!(desk.files().delete_bucket(&desk.who, bucket.id).await, Err(FilesError::NotEmpty)));
        assert_eq!(is_locked(bypassing.delete(&bucket, key, version).await), key != "governance", "{key}");
    }
    let run = desk.files().lifecycle_run(&desk.who, &bucket).await.unwrap().unwrap();
    assert!(run.problem.contains("locked versions stay"), "{run:?}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_is_made_longer_and_not_shorter() {
    let app = TestApp::start().await;
    let desk = Desk::of(&app).await;
    let bypassing = Caller { bypass_governance: true, ..desk.who.clone() };
    let bucket = locking(&desk, "longer").await;
    let (hour, day) = (TimeDelta::hours(1), TimeDelta::days(1));
    for mode in [LockMode::Governance, LockMode::Compliance] {
        let object = locked(&desk, &bucket, mode.as_str(), Some(until_in(mode, day)), false).await;
        let set = async |who: &Caller, lock| desk.files().set_lock(who, &object, lock).await;
        assert!(is_locked(set(&desk.who, Some(until_in(mode, hour))).await));
        assert!(is_locked(set(&desk.who, None).await));
        let longer = until_in(mode, day * 2);
        assert!(set(&desk.who, Some(longer)).await.unwrap().lock.is_some_and(|lock| lock.until == longer.until));
        let shorter = set(&bypassing, Some(until_in(mode, hour))).await;
        assert_eq!(is_locked(shorter), mode == LockMode::Compliance, "{mode:?}");
    }
    let object = locked(&desk, &bucket, "held", None, true).await;
    assert!(!desk.files().set_hold(&desk.who, &object, false).await.unwrap().legal_hold);
    desk.delete(&bucket, "held", Some(VersionRef::Id(object.id))).await.unwrap();
    // A lock ends.
    let soon = locked(&desk, &bucket, "soon", Some(until_in(LockMode::Compliance, TimeDelta::seconds(2))), false).await;
    assert!(is_locked(desk.delete(&bucket, "soon", Some(VersionRef::Id(soon.id))).await));
    until("a lock does not end", async || desk.delete(&bucket, "soon", Some(VersionRef::Id(soon.id))).await.is_ok())
        .await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_says_how_new_versions_are_locked() {
    let app = TestApp::start().await;
    let desk = Desk::of(&app).await;
    let bucket = locking(&desk, "default").await;
    let lock = DefaultLock { mode: LockMode::Governance, days: 30 };
    let bucket = desk.change(&bucket, BucketChange { lock: Some(Some(lock)), ..BucketChange::default() }).await;
    let object = desk.put(&bucket, "a", b"x").await;
    assert_eq!(object.lock.map(|lock| lock.mode), Some(LockMode::Governance));
    assert!(is_locked(desk.delete(&bucket, "a", Some(VersionRef::Id(object.id))).await));
    // Object lock is not turned off again, and needs versions.
    for change in [
        BucketChange { object_lock: Some(false), ..BucketChange::default() },
        BucketChange { versioning: Some(Versioning::Suspended), ..BucketChange::default() },
    ] {
        let refused = desk.files().change_bucket(&desk.who, bucket.id, None, change).await;
        assert!(matches!(refused, Err(FilesError::Invalid(_))), "{refused:?}");
    }
    let plain = desk.bucket("plain", Versioning::On).await;
    let new = NewObject { legal_hold: true, ..NewObject::default() };
    let refused = desk.try_put(&plain, "a", b"x", new).await;
    assert!(matches!(refused, Err(FilesError::Invalid(_))), "{refused:?}");
    app.stop().await;
}
