//! Runs, drills, retention and what they leave behind.

use chrono::TimeDelta;
use holdfast::{
    backup::{BackupError, Choice, CopyStatus, DrillStatus, Identity, KeyFile, Kind, Status},
    platform::health::{self, Status as Health, run_all},
};
use serde_json::json;

use tokio_util::sync::CancellationToken;

use super::{borrowed, fill, run, silent, start};
use crate::support::{
    app::TestApp,
    documents::{add_document, files, make_base},
    vault::Vault,
};

async fn check(app: &TestApp, name: &str) -> health::CheckResult {
    let checks: Vec<_> = app.app.checks().unwrap().into_iter().filter(|check| check.name() == name).collect();
    run_all(&checks).await.remove(0).result
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_made_proven_and_the_next_one_is_small() {
    let vault = Vault::new();
    let app = TestApp::start_with(&borrowed(&vault.two())).await;
    fill(&app).await;
    assert_eq!(check(&app, "backup.recent").await.status, Health::Warn);
    let first = run(&app).await;
    assert_eq!((first.status, &first.error), (Status::Verified, &None));
    assert!(first.copies.iter().all(|copy| copy.status == CopyStatus::Verified) && first.copies.len() == 2);
    // Originals and texts of three documents.
    assert!(first.objects >= 3 && first.rows > 20 && first.vector_files > 5, "{first:?}");
    assert_eq!(first.added_bytes, first.total_bytes);
    for folder in ["near", "far"] {
        for file in files(&vault.folder(folder)) {
            let bytes = std::fs::read(&file).unwrap();
            for word in ["quibblefrotz", "marmalade", "AGE-SECRET", "причала"] {
                let found = bytes.windows(word.len()).any(|window| window == word.as_bytes());
                assert!(!found, "{word} can be read in {}", file.display());
            }
        }
    }
    let second = run(&app).await;
    assert_eq!(second.sequence, first.sequence + 1);
    // The dump is new, and most of so small an installation.
    assert!(second.added_bytes * 4 < first.added_bytes * 3, "{} after {}", second.added_bytes, first.added_bytes);
    let drill = app.app.backups.drill(Choice::Newest, None, None, &silent(), &CancellationToken::new()).await.unwrap();
    assert_eq!((drill.status, &drill.error), (DrillStatus::Passed, &None));
    let report = &drill.report;
    assert_eq!((report.rows, report.vector_tables), (u64::try_from(second.rows).unwrap(), 2));
    assert!(
        report.policies > 10 && report.constraints > 50 && report.objects >= 3 && report.vectors >= 3,
        "{report:?}"
    );
    let old =
        app.app.backups.drill(Choice::Old, Some("far"), None, &silent(), &CancellationToken::new()).await.unwrap();
    assert_eq!((old.status, old.backup_id), (DrillStatus::Passed, first.id));
    assert_eq!(files(&app.data_dir.join("backup")), Vec::<std::path::PathBuf>::new(), "nothing is left of the work");
    for name in ["backup.recent", "backup.proven", "backup.tools", "backup.key"] {
        let result = check(&app, name).await;
        assert_eq!(result.status, Health::Pass, "{name}: {result:?}");
    }
    let result = check(&app, "backup.destinations").await;
    assert_eq!(result.status, Health::Warn, "on the same disk: {result:?}");
    app.app.backups.refresh_gauges().await.unwrap();
    let metrics = app.app.telemetry.encode();
    for line in [
        "holdfast_backup_runs_total{outcome=\"verified\"} 2",
        "holdfast_backup_drills_total{outcome=\"passed\"} 2",
        "holdfast_backup_enabled 1",
        "holdfast_backup_destination_backups{destination=\"far\"} 2",
        "holdfast_backup_destination_failing{destination=\"far\"} 0",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    assert!(!metrics.contains("holdfast_backup_last_proven_timestamp_seconds 0.0"));
    app.stop().await;
}

/// More files than are gone through together: what is new, changed and gone is told apart in each piece, and at their edges.
#[tokio::test(flavor = "multi_thread")]
async fn any_number_of_objects_is_gone_through_in_pieces() {
    let vault = Vault::new();
    let app = start(&vault).await;
    let folder = app.data_dir.join("objects/org/many");
    std::fs::create_dir_all(&folder).unwrap();
    let path = |n: u32| folder.join(format!("{n:05}"));
    (0..2500_u32).for_each(|n| std::fs::write(path(n), n.to_string()).unwrap());
    let first = run(&app).await;
    assert_eq!((first.status, first.objects), (Status::Verified, 2500), "{:?}", first.error);
    // The first and last of pieces, all of one, one that changes its content.
    (0..3).chain(998..1003).chain(2400..2500).for_each(|n| std::fs::remove_file(path(n)).unwrap());
    std::fs::write(path(1500), "something else").unwrap();
    let second = run(&app).await;
    assert_eq!((second.status, second.objects), (Status::Verified, 2500 - 108), "{:?}", second.error);
    assert!(second.added_bytes < first.added_bytes / 2, "{} after {}", second.added_bytes, first.added_bytes);
    let mut tx = app.app.db.system().await.unwrap();
    let known: i64 = sqlx::query_scalar("SELECT count(*) FROM backup_known_files WHERE tree = 'objects'")
        .fetch_one(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(known, 2500 - 108, "what is gone is forgotten");
    let keys = vault.keys();
    for backup in [&first, &second] {
        let found = app.app.backups.verify(backup.id, None, Some(&keys)).await.unwrap();
        assert_eq!((found[0].wrong, &found[0].problems), (0, &Vec::new()));
        assert!(found[0].opened >= u64::try_from(backup.objects).unwrap());
    }
    // A copy without its disk: each of its blobs is wrong, and not each is named.
    std::fs::rename(vault.folder("near").join("blobs"), vault.folder("near").join("gone")).unwrap();
    let found = app.app.backups.verify(second.id, None, None).await.unwrap();
    assert!(found[0].wrong > 2000 && found[0].problems.len() == 100, "{} wrong", found[0].wrong);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_and_start_backups_and_nobody_else_does() {
    let vault = Vault::new();
    let app = start(&vault).await;
    let admin = app.admin().await;
    let queued = admin.post("/api/v1/backups", &json!({})).await.expect(202);
    assert!(queued["job_id"].is_string());
    app.wait_for_jobs().await;
    let list = admin.get("/api/v1/backups").await.expect(200);
    let backup = &list["data"][0];
    assert_eq!((&backup["status"], &backup["copies"][0]["status"]), (&json!("verified"), &json!("verified")));
    let path = format!("/api/v1/backups/{}", backup["id"].as_str().unwrap());
    let held = admin.patch(&path, &json!({"held": true})).await.expect(200);
    assert_eq!(held["held"], true);
    admin.patch(&path, &json!({"helt": true})).await.problem(400, "invalid_value");
    admin.post("/api/v1/backup-drills", &json!({})).await.expect(202);
    app.wait_for_jobs().await;
    let drills = admin.get("/api/v1/backup-drills").await.expect(200);
    assert_eq!(drills["data"][0]["status"], "passed", "{drills}");
    let destinations = admin.get("/api/v1/backup-destinations").await.expect(200);
    assert_eq!((&destinations["data"][0]["name"], &destinations["data"][0]["backups"]), (&json!("near"), &json!(1)));
    let stranger = app.other_org("strangers").await;
    for path in ["/api/v1/backups", "/api/v1/backup-drills", "/api/v1/backup-destinations", &path] {
        stranger.get(path).await.problem(403, "forbidden");
    }
    stranger.post("/api/v1/backups", &json!({})).await.problem(403, "forbidden");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_or_a_recipient_nothing_pretends() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    admin.post("/api/v1/backups", &json!({})).await.problem(409, "backups_off");
    assert!(matches!(
        app.app.backups.run(Kind::Manual, silent(), &CancellationToken::new()).await,
        Err(BackupError::Off)
    ));
    assert_eq!(check(&app, "backup.recent").await.status, Health::Warn);
    app.stop().await;

    let vault = Vault::new();
    let app = start(&vault).await;
    run(&app).await;
    // A stranger's key, and one that would be lost with the data.
    let other = vault.folder("other-key");
    KeyFile { identities: vec![Identity::generate()], installation_key: None }.write(&other).unwrap();
    let drill =
        app.app.backups.drill(Choice::Newest, None, Some(&other), &silent(), &CancellationToken::new()).await.unwrap();
    assert_eq!(drill.status, DrillStatus::Failed);
    assert!(drill.error.unwrap().contains("does not open"), "a wrong key");
    let inside = app.data_dir.join("key");
    std::fs::copy(vault.key_file(), &inside).unwrap();
    let refused =
        app.app.backups.drill(Choice::Newest, None, Some(&inside), &silent(), &CancellationToken::new()).await;
    assert!(matches!(refused, Err(BackupError::Key(_))), "{refused:?}");
    std::fs::remove_file(vault.key_file()).unwrap();
    assert!(app.app.backups.drill(Choice::Newest, None, None, &silent(), &CancellationToken::new()).await.is_err());
    assert_eq!(check(&app, "backup.key").await.status, Health::Fail);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_removes_what_is_old_and_only_that() {
    let vault = Vault::new();
    let app = start(&vault).await;
    let admin = app.admin().await;
    let base = make_base(&admin, "Harbour").await;
    let mut made = Vec::new();
    for n in 0..4 {
        // The session of forty days ago has ended.
        let admin = app.admin().await;
        add_document(&admin, &base, &format!("{n}.md"), format!("# Page {n}\n\nText number {n}.\n").as_bytes()).await;
        app.wait_for_jobs().await;
        made.push(run(&app).await);
        app.clock.advance(TimeDelta::days(40));
    }
    let backups = &app.app.backups;
    backups.hold(made[0].id, true).await.unwrap();
    assert_eq!(backups.prune(true).await.unwrap()[0].backups.len(), 0, "a year of months is kept");
    // One that failed since, and one that is damaged, take nobody's place.
    let before = files(&vault.folder("near")).len();
    let config = app.app.runtime.config.backup.clone();
    assert_eq!((config.keep_daily, config.keep_monthly), (7, 12));
    app.clock.advance(TimeDelta::days(700));
    let last = run(&app).await;
    let pruned = backups.prune(false).await.unwrap();
    assert_eq!(pruned[0].error, None);
    let kept: Vec<_> = backups.list(None, 100).await.unwrap();
    let whole = |id| {
        let backup = kept.iter().find(|backup| backup.id == id).unwrap();
        backup.copies[0].status == CopyStatus::Verified
    };
    assert!(whole(last.id) && whole(made[0].id), "the newest and the held one stay");
    assert!(files(&vault.folder("near")).len() > before / 2);
    for backup in kept.iter().filter(|backup| backup.copies[0].status == CopyStatus::Verified) {
        let found = backups.verify(backup.id, None, Some(&vault.keys())).await.unwrap();
        assert_eq!(found[0].problems, Vec::<String>::new(), "nothing that is needed was removed");
    }
    app.stop().await;
}
