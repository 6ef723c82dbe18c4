//! Places that fail: disks that are full, destinations that are slow, refuse, or lie.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use holdfast::{
    backup::{Choice, CopyStatus, DrillStatus, Kind, ProgressReporter, Status},
    platform::{http::Slice, lifecycle::Lifecycle, telemetry::Telemetry},
    storage::{self, Storage},
};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio_util::sync::CancellationToken;

use super::{borrowed, fill, run, silent, start};
use crate::support::{
    app::TestApp,
    disk::Disk,
    documents::files,
    false_s3::{FalseS3, Manner},
    s3::S3,
    vault::Vault,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_is_slow_refuses_or_lies_harms_neither_the_other_copy_nor_the_service() {
    let (s3, vault) = (S3::start(), Vault::new());
    let far = FalseS3::before(&s3).await;
    let mut settings = vault.settings();
    settings.extend(far.settings());
    settings.push(("HOLDFAST_BACKUP__TIMEOUT_SECONDS", "4".to_owned()));
    let app = TestApp::start_with(&borrowed(&settings)).await;
    fill(&app).await;
    let admin = app.admin().await;
    let first = run(&app).await;
    assert_eq!((first.status, &first.error), (Status::Verified, &None));
    for manner in [Manner::Refuses, Manner::Slow, Manner::Truncates, Manner::Forgets] {
        far.set(manner);
        let bases = app.app.backups.clone();
        let (half, ()) = tokio::join!(async { bases.run(Kind::Manual, &silent()).await.unwrap() }, async {
            for _ in 0..5 {
                admin.get("/api/v1/knowledge-bases").await.expect(200);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        assert_eq!(half.status, Status::Unverified, "{manner:?}: {half:?}");
        let states: Vec<_> = half.copies.iter().map(|copy| (copy.destination.as_str(), copy.status)).collect();
        assert_eq!(states, [("far", CopyStatus::Failed), ("near", CopyStatus::Verified)], "{manner:?}");
        assert!(half.error.as_deref().unwrap().contains("no copy at far"), "{manner:?}: {half:?}");
        let reason = half.copies[0].error.as_deref().unwrap();
        assert!(reason.contains("destination far"), "{manner:?}: {reason}");
        let drill = app.app.backups.drill(Choice::This(half.id), Some("near"), None, &silent()).await.unwrap();
        assert_eq!((drill.status, &drill.error), (DrillStatus::Passed, &None), "{manner:?}");
    }
    far.set(Manner::Honest);
    // The first backup is there as it was, and the next is whole: what was missed and what was cut off has been mended.
    let next = run(&app).await;
    assert_eq!((next.status, &next.error), (Status::Verified, &None));
    for backup in [first, next] {
        let found = app.app.backups.verify(backup.id, Some("far"), Some(&vault.keys()), &silent()).await.unwrap();
        assert_eq!(found[0].problems, Vec::<String>::new());
    }
    app.stop().await;
}

/// S3 takes ten thousand parts of an object: with parts of 5 MiB no dump above 49 GiB would ever arrive. Some services want all of them alike.
#[tokio::test(flavor = "multi_thread")]
async fn an_object_of_any_size_has_no_more_parts_than_s3_takes() {
    let s3 = S3::start();
    let way = FalseS3::before(&s3).await;
    let metrics = Telemetry::new().register("storage", storage::Metrics::register);
    let storage = Storage::open_at(&way.place().url, PathBuf::new(), &way.place(), Lifecycle::new(), metrics).unwrap();
    // It says that it is as long as that, and ends after 24 MiB.
    let (size, piece) = (100_u64 << 30, bytes::Bytes::from(vec![7; 1 << 20]));
    let pieces = futures::stream::iter(std::iter::repeat_n(piece, 24).map(Ok::<_, std::io::Error>));
    let stored = storage.put_stream("dump", pieces, size).await.unwrap();
    assert_eq!((stored.size, storage.get_bytes("dump").await.unwrap().len()), (24 << 20, 24 << 20));
    let mut parts = way.parts();
    parts.sort_unstable_by_key(|part| std::cmp::Reverse(*part));
    let (last, whole) = parts.split_last().unwrap();
    assert!(whole.len() > 1 && whole.iter().all(|part| part == &whole[0]) && last <= &whole[0], "{parts:?}");
    assert!(whole[0] as u64 * 10_000 >= size, "{parts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_destination_leaves_the_other_copy_and_is_used_again_when_there_is_room() {
    let (vault, disk) = (Vault::new(), Disk::new(64));
    let mut settings = vault.settings();
    settings.push(("HOLDFAST_BACKUP__DESTINATIONS__FAR__URL", disk.path().display().to_string()));
    let app = TestApp::start_with(&borrowed(&settings)).await;
    let first = run(&app).await;
    assert_eq!((first.status, &first.error), (Status::Verified, &None));
    fill(&app).await;
    disk.fill(4096);
    let half = run(&app).await;
    assert_eq!(half.status, Status::Unverified);
    let far = &half.copies[0];
    assert_eq!((far.destination.as_str(), far.status), ("far", CopyStatus::Failed));
    assert!(far.error.as_deref().unwrap().contains("No space left"), "{far:?}");
    assert_eq!(half.copies[1].status, CopyStatus::Verified);
    let keys = vault.keys();
    let old = app.app.backups.verify(first.id, Some("far"), Some(&keys), &silent()).await.unwrap();
    assert_eq!(old[0].problems, Vec::<String>::new(), "the older one is untouched");
    disk.relieve();
    let next = run(&app).await;
    assert_eq!((next.status, &next.error), (Status::Verified, &None));
    let found = app.app.backups.verify(next.id, Some("far"), Some(&keys), &silent()).await.unwrap();
    assert_eq!(found[0].problems, Vec::<String>::new());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_copies_on_one_disk_are_two() {
    let vault = Vault::new();
    let app = TestApp::start_with(&borrowed(&vault.two())).await;
    fill(&app).await;
    let made = run(&app).await;
    assert_eq!((made.status, &made.error), (Status::Verified, &None));
    // In place, as a failing disk does it: a file that both share would change in both.
    for path in files(&vault.folder("near").join("blobs")) {
        fs::write(&path, b"damaged").unwrap();
    }
    let found = app.app.backups.verify(made.id, Some("far"), Some(&vault.keys()), &silent()).await.unwrap();
    assert_eq!(found[0].problems, Vec::<String>::new());
    assert!(!app.app.backups.verify(made.id, Some("near"), None, &silent()).await.unwrap()[0].problems.is_empty());
    app.stop().await;
}

/// Fills the disk when a step begins, and at every later one: a file that was removed gives its room back only when it is closed, which
/// Tokio does in its own time.
fn filling(disk: &Arc<Disk>, at: &'static str) -> ProgressReporter {
    let (disk, begun) = (disk.clone(), AtomicBool::new(false));
    ProgressReporter::new(CancellationToken::new(), move |_, step| {
        if step == at || begun.load(Ordering::Relaxed) {
            begun.store(true, Ordering::Relaxed);
            disk.fill(0);
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_for_the_work_fails_the_run_or_the_drill_and_nothing_else() {
    let (vault, small, large) = (Vault::new(), Disk::new(64), Arc::new(Disk::new(900)));
    let on = async |disk: &Disk| {
        let mut settings = vault.settings();
        settings.push(("HOLDFAST_BACKUP__WORK_DIR", disk.path().display().to_string()));
        TestApp::start_with(&borrowed(&settings)).await
    };
    let app = on(&small).await;
    // Said before anything is written.
    let refused = run(&app).await;
    assert_eq!(refused.status, Status::Failed);
    assert!(refused.error.as_deref().unwrap().contains("free"), "{refused:?}");
    app.stop().await;

    let app = on(&large).await;
    fill(&app).await;
    let good = run(&app).await;
    assert_eq!((good.status, &good.error), (Status::Verified, &None));
    let backups = &app.app.backups;
    // Found out in the middle.
    for step in ["database", "objects"] {
        let failed = backups.run(Kind::Manual, &filling(&large, step)).await.unwrap();
        assert_eq!(failed.status, Status::Failed, "{step}");
        let error = failed.error.as_deref().unwrap();
        assert!(error.contains("No space left") || error.contains("free"), "{step}: {error}");
        large.relieve();
    }
    let drill = backups.drill(Choice::Newest, None, None, &filling(&large, "database")).await.unwrap();
    // By whichever sees it first: the look at the free space, or PostgreSQL.
    assert!(matches!(drill.status, DrillStatus::Failed | DrillStatus::NoRoom), "{drill:?}");
    assert_eq!(backups.get(good.id).await.unwrap().status, Status::Verified, "the backup is not to blame");
    large.relieve();
    assert_eq!(files(large.path()), Vec::<std::path::PathBuf>::new(), "nothing is left of the work");
    let drill = backups.drill(Choice::Newest, None, None, &silent()).await.unwrap();
    assert_eq!((drill.status, &drill.error), (DrillStatus::Passed, &None));
    assert_eq!(run(&app).await.status, Status::Verified);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_a_destination_knows_of_is_listed_proven_and_in_the_end_removed() {
    let vault = Vault::new();
    let app = start(&vault).await;
    fill(&app).await;
    let (lost, cut) = (run(&app).await, run(&app).await);
    // One row is gone, as after a restore of an older database; the other's run was killed after its manifest.
    let sql = format!(
        "DELETE FROM backup_copies; DELETE FROM backups WHERE id = '{}'; UPDATE backups SET status = 'running', finished_at = NULL WHERE id = '{}'",
        lost.id, cut.id
    );
    let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
    let next = run(&app).await;
    assert_eq!((next.status, next.sequence), (Status::Verified, cut.sequence + 1));
    let backups = &app.app.backups;
    for id in [lost.id, cut.id] {
        let found = backups.get(id).await.unwrap();
        assert_eq!((found.status, found.copies[0].status), (Status::Unverified, CopyStatus::Verified), "{found:?}");
        assert!(found.error.unwrap().contains("Test it"), "it says what to do");
        let drill = backups.drill(Choice::This(id), None, None, &silent()).await.unwrap();
        assert_eq!((drill.status, &drill.error), (DrillStatus::Passed, &None));
        assert_eq!(backups.get(id).await.unwrap().status, Status::Verified);
    }
    let again = run(&app).await;
    assert_eq!(backups.list(&Slice::first(10)).await.unwrap().len(), 4, "once");
    // One a day is kept: of these four the newest.
    let pruned = backups.prune(false).await.unwrap();
    assert_eq!(pruned[0].error, None);
    assert_eq!(pruned[0].backups.len(), 3, "{pruned:?}");
    let left = fs::read_dir(vault.folder("near").join("backups")).unwrap();
    let with_manifest = left.filter(|entry| entry.as_ref().unwrap().path().join("manifest.json").exists()).count();
    assert_eq!(with_manifest, 1);
    assert_eq!(backups.get(again.id).await.unwrap().copies[0].status, CopyStatus::Verified);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_overview_tells_those_who_run_the_installation_when_a_restore_was_proven() {
    let vault = Vault::new();
    let app = start(&vault).await;
    let admin = app.admin().await;
    let page = admin.get("/").await.text;
    assert!(page.contains("Last successful restore drill") && page.contains("never tested"), "{page}");
    run(&app).await;
    let drill = app.app.backups.drill(Choice::Newest, None, None, &silent()).await.unwrap();
    assert_eq!(drill.status, DrillStatus::Passed);
    let page = admin.get("/").await.text;
    assert!(page.contains("Last successful restore drill") && !page.contains("never tested"), "{page}");
    let other = app.other_org("others").await;
    let page = other.get("/").await.text;
    assert!(!page.contains("Last successful restore drill"), "not for other organisations");
    // What the alerts read.
    let says = async |line: &str| {
        app.app.backups.refresh_settings();
        app.app.backups.refresh_gauges().await.unwrap();
        let text = app.app.telemetry.encode();
        assert!(
            text.contains(line),
            "{line}: {}",
            text.lines().filter(|l| l.contains("holdfast_backup_")).collect::<String>()
        );
    };
    says("holdfast_backup_interval_seconds 86400.0\n").await;
    says("holdfast_backup_drill_interval_seconds 86400.0\n").await;
    says("holdfast_backup_key_missing 0\n").await;
    fs::remove_file(vault.key_file()).unwrap();
    says("holdfast_backup_key_missing 1\n").await;
    app.stop().await;
}
