//! Gauges, counters and checks.

use holdfast::platform::health::Status;
use reqwest::Method;

use super::{
    super::{bucket, path, put},
    execute, metric,
};
use crate::support::{app::TestApp, wait::until};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_and_done_is_counted() {
    let app = TestApp::start_with(&[("HOLDFAST_FILES__ORG_BYTES", "1000")]).await;
    let admin = app.admin().await;
    bucket(&admin, "counted").await;
    let begin = metric(&app, "operations_total{operation=\"write\",outcome=\"done\"}");
    assert_eq!(begin, Some(0.0), "a series is there before its first event");
    put(&admin, "counted", "a", vec![b'a'; 400]).await.expect(201);
    put(&admin, "counted", "b", vec![b'b'; 400]).await.expect(201);
    put(&admin, "counted", "c", vec![b'c'; 400]).await.problem(413, "quota_exceeded");
    admin.get(&path("counted", "a")).await;
    admin.delete(&path("counted", "b")).await.expect(204);
    for (series, wanted) in [
        ("operations_total{operation=\"write\",outcome=\"done\"}", 2.0),
        ("operations_total{operation=\"write\",outcome=\"refused\"}", 1.0),
        ("operations_total{operation=\"read\",outcome=\"done\"}", 1.0),
        ("operations_total{operation=\"delete\",outcome=\"done\"}", 1.0),
        ("upload_failures_total{reason=\"quota\"}", 1.0),
        ("stored_bytes_total", 800.0),
    ] {
        assert_eq!(metric(&app, series), Some(wanted), "{series}");
    }
    // A client that goes away in the middle.
    let half = futures::stream::iter([Ok(bytes::Bytes::from_static(b"x")), Err(std::io::Error::other("gone"))]);
    let request = admin.request(Method::PUT, &path("counted", "d")).body(reqwest::Body::wrap_stream(half));
    assert!(request.send().await.is_err());
    until("an upload that was given up is not counted", async || {
        let ended =
            |outcome: &str| metric(&app, &format!("operations_total{{operation=\"write\",outcome=\"{outcome}\"}}"));
        ended("aborted").unwrap() + ended("refused").unwrap() >= 2.0
    })
    .await;
    for (series, wanted) in [
        ("objects{kind=\"current\"}", 1.0),
        ("object_bytes{kind=\"current\"}", 400.0),
        ("objects{kind=\"trash\"}", 1.0),
        ("quota_ratio_max", 0.8),
        ("damaged_objects", 0.0),
        ("scrub_running", 0.0),
    ] {
        until(series, async || metric(&app, series).is_some_and(|found| (found - wanted).abs() < 0.01)).await;
    }
    assert_eq!((metric(&app, "clamd_up"), metric(&app, "lifecycle_age_seconds")), (None, None), "there is none");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_finds_each_fault() {
    let settings = [("HOLDFAST_FILES__ORG_BYTES", "1000"), ("HOLDFAST_FILES__CLAMD", "unix:/nonexistent/clamd.ctl")];
    let app = TestApp::start_with(&settings).await;
    let admin = app.admin().await;
    bucket(&admin, "checked").await;
    put(&admin, "checked", "a", vec![b'a'; 950]).await.expect(201);
    let check = async |name: &str| {
        let checks = app.app.checks();
        let found = checks.iter().find(|check| check.name() == name).unwrap_or_else(|| panic!("no check {name}"));
        found.run().await
    };
    for (name, status, word) in [
        ("files.damage", Status::Pass, "no damage"),
        ("files.scrub", Status::Pass, "days ago"),
        ("files.orphans", Status::Pass, "without a row"),
        ("files.quota", Status::Warn, "95 %"),
        ("files.lifecycle", Status::Pass, "no bucket"),
        ("files.uploads", Status::Pass, "0 unfinished"),
        ("files.clamd", Status::Fail, "no connection"),
        ("files.s3", Status::Pass, "/s3"),
    ] {
        let found = check(name).await;
        assert!(found.status == status && found.summary.contains(word), "{name}: {found:?}");
    }
    for sql in [
        "INSERT INTO files_damage (room, object, kind, found_at) VALUES ('files', 'x', 'missing', now())",
        "UPDATE files_buckets SET created_at = now() - interval '11 days', updated_at = now() - interval '2 days', \
           lifecycle = '[{\"id\": \"a\", \"expire\": {\"days\": 1}}]'",
        "INSERT INTO files_sweeps (room, shard, swept_at, objects, orphans, orphan_bytes) \
           VALUES ('files', 0, now() - interval '4 days', 1, 1, 1)",
        "INSERT INTO files_uploads (id, org_id, bucket_id, key, kind, content_type, created_by, created_at, expires_at) \
           SELECT gen_random_uuid(), org_id, id, 'k', 's3', 'x', 'x', now() - interval '9 days', now() FROM files_buckets",
    ] {
        execute(&app, sql).await;
    }
    for (name, status) in [
        ("files.damage", Status::Fail),
        ("files.scrub", Status::Warn),
        ("files.orphans", Status::Warn),
        ("files.lifecycle", Status::Warn),
        ("files.uploads", Status::Warn),
    ] {
        let found = check(name).await;
        assert!(found.status == status && found.remedy.is_some(), "{name}: {found:?}");
    }
    app.stop().await;
}
