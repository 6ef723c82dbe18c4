//! Runs, drills, retention and what they leave behind.

use std::{
    os::unix::fs::MetadataExt as _,
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::TimeDelta;
use holdfast::{
    backup::{BackupError, Choice, CopyStatus, DrillStatus, Identity, KeyFile, Kind, ProgressReporter, Status},
    platform::{
        crypto,
        health::{self, Status as Health, run_all},
        http::Slice,
    },
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
    let checks: Vec<_> = app.app.checks().into_iter().filter(|check| check.name() == name).collect();
    run_all(&checks).await.remove(0).result
}

/// What a progress heard: percent and step.
type Heard = Arc<Mutex<Vec<(u8, String)>>>;

fn listening() -> (Heard, ProgressReporter) {
    let heard = Heard::default();
    let hears = heard.clone();
    let hear = move |percent, step: &str| hears.lock().unwrap().push((percent, step.to_owned()));
    (heard, ProgressReporter::new(CancellationToken::new(), hear))
}

/// The steps came in this order, the percent never fell, and it came near the end.
fn told_in_order(heard: &Heard, begins: &[&str]) {
    let heard = heard.lock().unwrap();
    assert!(heard.is_sorted_by_key(|(percent, _)| *percent), "{heard:?}");
    assert!(heard.last().is_some_and(|(percent, _)| (95..=100).contains(percent)), "{heard:?}");
    let mut steps = heard.iter();
    for begin in begins {
        assert!(steps.any(|(_, step)| step.starts_with(begin)), "{begin} is not in order in {heard:?}");
    }
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
    let blobs = || files(&vault.folder("near").join("blobs")).len();
    let before = blobs();
    let (heard, progress) = listening();
    let second = app.app.backups.run(Kind::Manual, &progress).await.unwrap();
    assert_eq!(second.sequence, first.sequence + 1);
    let (objects, vectors) = (second.objects, second.vector_files);
    told_in_order(
        &heard,
        &[
            "database",
            "objects",
            &format!("objects, {objects} of {objects}"),
            &format!("vectors, {vectors} of {vectors}"),
        ],
    );
    // The dump is new, and most of so small an installation; of the rest only what upkeep of the index has written anew.
    assert!(second.added_bytes < first.added_bytes, "{} after {}", second.added_bytes, first.added_bytes);
    let added = blobs() - before;
    assert!(added > 0 && added * 2 < before, "{added} new of {before}");
    let (heard, progress) = listening();
    let drill = app.app.backups.drill(Choice::Newest, None, None, &progress).await.unwrap();
    assert_eq!((drill.status, &drill.error), (DrillStatus::Passed, &None));
    told_in_order(&heard, &["database", "objects", "vectors", "vectors, 1 of "]);
    let report = &drill.report;
    assert_eq!((report.rows, report.vector_tables), (u64::try_from(second.rows).unwrap(), 2));
    assert!(
        report.policies > 10 && report.constraints > 50 && report.objects >= 3 && report.vectors >= 3,
        "{report:?}"
    );
    let old = app.app.backups.drill(Choice::Old, Some("far"), None, &silent()).await.unwrap();
    assert_eq!((old.status, old.backup_id), (DrillStatus::Passed, first.id));
    assert_eq!(files(&app.data_dir.join("backup")), Vec::<std::path::PathBuf>::new(), "nothing is left of the work");
    for name in ["backup.recent", "backup.proven", "backup.tools"] {
        let result = check(&app, name).await;
        assert_eq!(result.status, Health::Pass, "{name}: {result:?}");
    }
    assert_eq!(check(&app, "backup.key").await.status, Health::Warn, "the file names no installation");
    let result = check(&app, "backup.destinations").await;
    assert_eq!(result.status, Health::Warn, "on the same disk: {result:?}");
    app.app.backups.refresh_settings();
    app.app.backups.refresh_gauges().await.unwrap();
    let metrics = app.app.telemetry.encode();
    for line in [
        "holdfast_backup_recent_runs{outcome=\"verified\"} 2",
        "holdfast_backup_recent_drills{outcome=\"passed\"} 2",
        "holdfast_backup_enabled 1",
        "holdfast_backup_destination_backups{destination=\"far\"} 2",
        "holdfast_backup_destination_failing{destination=\"far\"} 0",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    assert!(!metrics.contains("holdfast_backup_last_proven_timestamp_seconds 0.0"));
    app.stop().await;
}

/// A figure of the process.
fn counted(app: &TestApp, series: &str) -> u64 {
    let metrics = app.app.telemetry.encode();
    let line = metrics.lines().find_map(|line| line.strip_prefix(series)?.split_whitespace().next());
    line.unwrap_or_else(|| panic!("{series} in {metrics}")).parse().unwrap()
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
    let (heard, progress) = listening();
    let backups = &app.app.backups;
    let (first, shown) = tokio::join!(backups.run(Kind::Manual, &progress), async {
        loop {
            let step =
                backups.list(&Slice::first(1)).await.unwrap().pop().map(|backup| backup.step).unwrap_or_default();
            if step == "done" || step.starts_with("objects, ") {
                break step;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let first = first.unwrap();
    assert!(shown.ends_with(" of 2500"), "the table says where it is: {shown}");
    told_in_order(&heard, &["database", "objects, 2500 of 2500", "vectors", "manifest"]);
    assert_eq!((first.status, first.objects), (Status::Verified, 2500), "{:?}", first.error);
    // The first and last of pieces, all of one, one that changes its content.
    (0..3).chain(998..1003).chain(2400..2500).for_each(|n| std::fs::remove_file(path(n)).unwrap());
    std::fs::write(path(1500), "something else").unwrap();
    // As long as before.
    std::fs::write(path(1600), "0061").unwrap();
    let gets = || counted(&app, "holdfast_storage_operations_total{operation=\"get\",outcome=\"ok\"}");
    let before = gets();
    let second = run(&app).await;
    assert!(gets() - before < 100, "what is known is not read again: {}", gets() - before);
    assert_eq!((second.status, second.objects), (Status::Verified, 2500 - 108), "{:?}", second.error);
    assert!(second.added_bytes < first.added_bytes / 2, "{} after {}", second.added_bytes, first.added_bytes);
    let mut tx = app.app.db.system().await.unwrap();
    let known: i64 = sqlx::query_scalar("SELECT count(*) FROM backup_known_files WHERE tree = 'objects'")
        .fetch_one(&mut *tx)
        .await
        .unwrap();
    let known_hashes: Vec<String> =
        sqlx::query_scalar("SELECT sha256 FROM backup_known_files").fetch_all(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(known, 2500 - 108, "what is gone is forgotten");
    let hash = crypto::hex(&crypto::sha256("0061"));
    assert!(known_hashes.contains(&hash), "a file that is as long as before and newer is read again");
    let keys = vault.keys();
    for backup in [&first, &second] {
        let (heard, progress) = listening();
        let found = app.app.backups.verify(backup.id, None, Some(&keys), &progress).await.unwrap();
        let opened = format!("opening the copy at near, {0} of {0}", backup.objects);
        told_in_order(&heard, &["reading the copy at near, 1 of ", &opened]);
        assert_eq!((found[0].wrong, &found[0].problems), (0, &Vec::new()));
        assert!(found[0].opened >= u64::try_from(backup.objects).unwrap());
    }
    // A drill opens the objects that it counts. Small ones are damaged, and the index of vectors, which comes later.
    for path in files(&vault.folder("near").join("blobs")) {
        let mut bytes = std::fs::read(&path).unwrap();
        if bytes.len() < 400 {
            bytes[200] ^= 1;
            std::fs::write(&path, bytes).unwrap();
        }
    }
    let drill = app.app.backups.drill(Choice::This(second.id), None, None, &silent()).await.unwrap();
    assert_eq!((drill.status, drill.report.objects), (DrillStatus::Failed, 0), "{:?}", drill.error);
    // A copy without its disk: each of its blobs is wrong, and not each is named.
    std::fs::rename(vault.folder("near").join("blobs"), vault.folder("near").join("gone")).unwrap();
    let found = app.app.backups.verify(second.id, None, None, &silent()).await.unwrap();
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
    stranger.post(&format!("{path}/verify"), &json!({})).await.problem(403, "forbidden");
    stranger.post("/api/v1/backups/prune", &json!({})).await.problem(403, "forbidden");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_backup_is_verified_that_is_asked_for_and_a_backup_is_followed_by_a_clean_up() {
    let vault = Vault::new();
    let app = start(&vault).await;
    let admin = app.admin().await;
    let ids = [run(&app).await.id, run(&app).await.id];
    let queues = async |verb: &str| admin.post(&format!("/api/v1/queues/backup/{verb}"), &json!({})).await.status;
    assert_eq!(queues("pause").await, 204);
    let queue =
        async |path: String| admin.post(&path, &json!({})).await.expect(202)["job_id"].as_str().unwrap().to_owned();
    let verify = async |n: usize| queue(format!("/api/v1/backups/{}/verify", ids[n])).await;
    let (first, second) = (verify(0).await, verify(1).await);
    assert_ne!(first, second);
    assert_eq!(verify(0).await, first, "one that waits is not joined by another");
    let absent = format!("/api/v1/backups/{}/verify", uuid::Uuid::now_v7());
    admin.post(&absent, &json!({})).await.problem(404, "backup_not_found");
    let made = queue("/api/v1/backups".to_owned()).await;
    assert_eq!(queues("resume").await, 204);
    app.wait_for_jobs().await;
    for job in [&first, &second, &made] {
        let job = admin.get(&format!("/api/v1/jobs/{job}")).await.expect(200);
        assert_eq!(job["state"], "succeeded", "{job}");
    }
    for id in ids {
        let backup = app.app.backups.get(id).await.unwrap();
        assert!(backup.copies[0].verified_at > backup.finished_at, "{backup:?}");
    }
    let pruned = admin.get("/api/v1/jobs?system=true&kind=backup.prune").await.expect(200);
    assert_eq!(pruned["data"].as_array().unwrap().len(), 1, "{pruned}");
    queue("/api/v1/backups/prune".to_owned()).await;
    app.wait_for_jobs().await;
    let pruned = admin.get("/api/v1/jobs?system=true&kind=backup.prune").await.expect(200);
    let states: Vec<_> = pruned["data"].as_array().unwrap().iter().map(|job| job["state"].clone()).collect();
    assert_eq!(states, ["succeeded", "succeeded"], "{pruned}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_or_a_recipient_nothing_pretends() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    admin.post("/api/v1/backups", &json!({})).await.problem(409, "backups_off");
    assert!(matches!(app.app.backups.run(Kind::Manual, &silent()).await, Err(BackupError::Off)));
    assert_eq!(check(&app, "backup.recent").await.status, Health::Warn);
    app.stop().await;

    let vault = Vault::new();
    let app = start(&vault).await;
    run(&app).await;
    // A stranger's key, and one that would be lost with the data.
    let other = vault.folder("other-key");
    KeyFile { identities: vec![Identity::generate()], installation: None }.write(&other).unwrap();
    let drill = app.app.backups.drill(Choice::Newest, None, Some(&other), &silent()).await.unwrap();
    assert_eq!(drill.status, DrillStatus::Failed);
    assert!(drill.error.unwrap().contains("does not decrypt"), "a wrong key");
    let inside = app.data_dir.join("key");
    std::fs::copy(vault.key_file(), &inside).unwrap();
    let refused = app.app.backups.drill(Choice::Newest, None, Some(&inside), &silent()).await;
    assert!(matches!(refused, Err(BackupError::Key(_))), "{refused:?}");
    std::fs::remove_file(vault.key_file()).unwrap();
    assert!(app.app.backups.drill(Choice::Newest, None, None, &silent()).await.is_err());
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
    let kept: Vec<_> = backups.list(&Slice::first(100)).await.unwrap();
    let whole = |id| {
        let backup = kept.iter().find(|backup| backup.id == id).unwrap();
        backup.copies[0].status == CopyStatus::Verified
    };
    assert!(whole(last.id) && whole(made[0].id), "the newest and the held one stay");
    assert!(files(&vault.folder("near")).len() > before / 2);
    for backup in kept.iter().filter(|backup| backup.copies[0].status == CopyStatus::Verified) {
        let found = backups.verify(backup.id, None, Some(&vault.keys()), &silent()).await.unwrap();
        assert_eq!(found[0].problems, Vec::<String>::new(), "nothing that is needed was removed");
    }
    app.stop().await;
}

/// A destination that is away for weeks takes nothing from the other: what lies there is whole, and is kept as the rules say.
#[tokio::test(flavor = "multi_thread")]
async fn backups_that_one_destination_missed_are_kept_at_the_other() {
    let vault = Vault::new();
    let app = TestApp::start_with(&borrowed(&vault.two())).await;
    let backups = &app.app.backups;
    std::fs::rename(vault.folder("far"), vault.folder("away")).unwrap();
    let mut missed = Vec::new();
    for _ in 0..3 {
        missed.push(run(&app).await);
        app.clock.advance(TimeDelta::days(1));
    }
    assert!(missed.iter().all(|backup| backup.status == Status::Unverified));
    std::fs::rename(vault.folder("away"), vault.folder("far")).unwrap();
    let whole = run(&app).await;
    assert_eq!((whole.status, &whole.error), (Status::Verified, &None));
    let pruned = backups.prune(false).await.unwrap();
    assert_eq!(
        pruned.iter().map(|at| (at.error.as_deref(), at.backups.len())).collect::<Vec<_>>(),
        [(None, 0), (None, 0)]
    );
    for backup in missed {
        let found = backups.verify(backup.id, Some("near"), Some(&vault.keys()), &silent()).await.unwrap();
        assert_eq!(found[0].problems, Vec::<String>::new());
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_clock_that_was_ahead_is_not_taken_for_a_fresh_one() {
    let vault = Vault::new();
    let app = start(&vault).await;
    let right = run(&app).await;
    app.clock.advance(TimeDelta::days(30));
    run(&app).await;
    app.clock.advance(TimeDelta::days(-30));
    let checked = check(&app, "backup.recent").await;
    assert!(checked.status == Health::Fail && checked.summary.contains("in the future"), "{checked:?}");
    app.app.backups.refresh_settings();
    app.app.backups.refresh_gauges().await.unwrap();
    let metrics = app.app.telemetry.encode();
    let shown = metrics.lines().find_map(|line| line.strip_prefix("holdfast_backup_last_verified_timestamp_seconds "));
    let shown: f64 = shown.unwrap().parse().unwrap();
    assert!(
        (shown - right.started_at.timestamp() as f64).abs() < 2.0,
        "the alert goes by the newest whose time can be true"
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_place_under_two_names_is_told() {
    let vault = Vault::new();
    let mut settings = vault.settings();
    std::os::unix::fs::symlink(vault.folder("near"), vault.folder("alias")).unwrap();
    settings.push(("HOLDFAST_BACKUP__DESTINATIONS__FAR__URL", vault.folder("alias").display().to_string()));
    let app = TestApp::start_with(&borrowed(&settings)).await;
    let checked = check(&app, "backup.destinations").await;
    assert!(
        checked.status == Health::Warn && checked.summary.contains("far and near are the same place"),
        "{checked:?}"
    );
    app.stop().await;

    let mut settings = vault.settings();
    settings.push(("HOLDFAST_BACKUP__DESTINATIONS__FAR__URL", vault.folder("inside").display().to_string()));
    let app = TestApp::start_with(&borrowed(&settings)).await;
    std::fs::create_dir(app.data_dir.join("copies")).unwrap();
    std::os::unix::fs::symlink(app.data_dir.join("copies"), vault.folder("inside")).unwrap();
    let checked = check(&app, "backup.destinations").await;
    assert!(
        checked.status == Health::Warn && checked.summary.contains("far is inside the data directory"),
        "{checked:?}"
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_is_not_as_long_as_its_name_says_is_stored_anew() {
    let vault = Vault::new();
    let app = start(&vault).await;
    fill(&app).await;
    let first = run(&app).await;
    let blobs = files(&vault.folder("near").join("blobs"));
    let cut = blobs.iter().min_by_key(|path| std::fs::metadata(path).unwrap().len()).unwrap();
    std::fs::write(cut, b"cut").unwrap();
    // Nobody has verified it meanwhile.
    let second = run(&app).await;
    assert_eq!((second.status, &second.error), (Status::Verified, &None));
    for (backup, wrong) in [(&second, 0), (&first, 1)] {
        let found = app.app.backups.verify(backup.id, None, Some(&vault.keys()), &silent()).await.unwrap();
        assert_eq!(found[0].wrong, wrong, "{:?}", found[0].problems);
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_up_removes_what_nobody_needs_and_nothing_where_it_cannot_tell() {
    let vault = Vault::new();
    let app = start(&vault).await;
    let (old, new) = (run(&app).await, run(&app).await);
    let (near, backups) = (vault.folder("near"), &app.app.backups);
    backups.hold(old.id, true).await.unwrap();
    let name = format!("{}.{}", "00".repeat(32), "11".repeat(32));
    let orphan = near.join(format!("blobs/00/{name}.4"));
    let killed = near.join(format!("backups/{}/blobs", uuid::Uuid::now_v7()));
    let ours = [
        orphan.clone(),
        near.join(format!("blobs/00/{name}.partial")),
        killed.clone(),
        killed.with_extension("partial"),
    ];
    let not_ours = [near.join("blobs/00/film.partial"), near.join("backups/notes/blobs"), near.join("backups/film")];
    for path in ours.iter().chain(&not_ours) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "text").unwrap();
    }
    let there = |paths: &[std::path::PathBuf]| paths.iter().filter(|path| path.exists()).count();
    let pruned = backups.prune(false).await.unwrap();
    assert_eq!((&pruned[0].error, pruned[0].blobs, there(&ours)), (&None, 0, 4), "a run may be about to need them");
    app.clock.advance(TimeDelta::hours(25));
    // A list that cannot be read may name anything.
    let list = near.join(format!("backups/{}/blobs", old.id));
    let text = std::fs::read(&list).unwrap();
    std::fs::write(&list, [text.clone(), b"x\n".repeat(10_000)].concat()).unwrap();
    let pruned = backups.prune(false).await.unwrap();
    assert!(pruned[0].damaged && pruned[0].error.as_deref().unwrap().contains("more than"), "{pruned:?}");
    assert_eq!(there(&ours), 4);
    let admin = app.admin().await;
    let job = admin.post("/api/v1/backups/prune", &json!({})).await.expect(202)["job_id"].as_str().unwrap().to_owned();
    app.wait_for_jobs().await;
    let job = admin.get(&format!("/api/v1/jobs/{job}")).await.expect(200);
    assert_eq!(job["state"], "dead", "a person has to look: {job}");
    std::fs::write(&list, text).unwrap();
    let dry = backups.prune(true).await.unwrap();
    assert_eq!((&dry[0].error, dry[0].blobs, there(&ours)), (&None, 2, 4));
    let pruned = backups.prune(false).await.unwrap();
    assert_eq!((&pruned[0].error, pruned[0].blobs), (&None, 2));
    assert_eq!((there(&ours), there(&not_ours)), (0, 3));
    for id in [old.id, new.id] {
        let found = backups.verify(id, None, Some(&vault.keys()), &silent()).await.unwrap();
        assert_eq!(found[0].problems, Vec::<String>::new());
    }
    app.stop().await;
}

/// On both pages: in the banner of the overview and in the room's own.
const ALL_NEAR: &str = "very copy is on the same disk as the data";

/// The first day in Docker: backups are made, on the very disk that they are for.
#[tokio::test(flavor = "multi_thread")]
async fn pages_say_that_every_copy_is_on_the_disk_of_the_data_until_one_is_not() {
    let vault = Vault::new();
    let app = start(&vault).await;
    let admin = app.admin().await;
    for path in ["/", "/backups"] {
        let page = admin.get(path).await;
        assert!(page.status == 200 && page.text.contains(ALL_NEAR), "{path}: {}", page.text);
    }
    app.stop().await;

    // What does not answer may well be elsewhere; that it does not is told in its own place.
    let (near, away) = (vault.folder("near"), vault.folder("away"));
    std::fs::rename(&near, &away).unwrap();
    let app = start(&vault).await;
    let page = app.admin().await.get("/backups").await;
    assert!(page.status == 200 && !page.text.contains(ALL_NEAR), "{}", page.text);
    app.stop().await;
    std::fs::rename(&away, &near).unwrap();

    let here = std::fs::metadata(std::env::temp_dir()).unwrap().dev();
    let is_other = |folder: &&str| std::fs::metadata(folder).is_ok_and(|found| found.dev() != here);
    let elsewhere = ["/dev/shm", "/var/tmp"].into_iter().find(is_other).expect("another file system");
    let other = tempfile::tempdir_in(elsewhere).unwrap();
    let url = other.path().display().to_string();
    let mut settings = vault.settings();
    settings.push(("HOLDFAST_BACKUP__DESTINATIONS__FAR__URL", url));
    let app = TestApp::start_with(&borrowed(&settings)).await;
    let admin = app.admin().await;
    for path in ["/", "/backups"] {
        let page = admin.get(path).await;
        assert!(page.status == 200 && !page.text.contains(ALL_NEAR), "{path}: {}", page.text);
    }
    app.stop().await;
}
