//! What goes wrong while a backup is made: it is failed or unverified, the older ones stay, and it is loud.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::TimeDelta;
use holdfast::{
    backup::{BackupError, Choice, CopyStatus, Destination, DrillStatus, Kind, ProgressReporter, Restore, Status},
    platform::{
        db::{Target, migrate},
        health::{Status as Health, run_all},
        http::Slice,
    },
    storage,
};
use serde_json::Value;
use sqlx::{Connection as _, PgConnection};

use tokio_util::sync::CancellationToken;

use super::{borrowed, fill, run, silent, start};
use crate::support::{
    app::TestApp,
    cluster::{PATIENCE, binaries},
    documents::{add_document, files, make_base, wait_for_document},
    process::Site,
    vault::Vault,
    wait::until,
};

/// A folder with tools like the real ones, one of them replaced by a script.
fn tools(dir: &Path, tool: &str, script: &str) -> PathBuf {
    let folder = dir.join("tools");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    for name in ["pg_dump", "pg_restore"] {
        if name != tool {
            symlink(binaries().join(name), folder.join(name)).unwrap();
        }
    }
    let real = binaries().join(tool).display().to_string();
    let text = format!(
        "#!/bin/sh\nif [ \"$1\" = --version ]; then exec {real} --version; fi\n{}\n",
        script.replace("REAL", &real)
    );
    fs::write(folder.join(tool), text).unwrap();
    fs::set_permissions(folder.join(tool), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

async fn with_tools(vault: &Vault, folder: &Path) -> TestApp {
    let mut settings = vault.settings();
    settings.retain(|(name, _)| *name != "HOLDFAST_BACKUP__TOOLS_DIR");
    settings.push(("HOLDFAST_BACKUP__TOOLS_DIR", folder.display().to_string()));
    TestApp::start_with(&borrowed(&settings)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_fails_makes_no_backup_however_it_fails() {
    let vault = Vault::new();
    let cases = [
        ("killed half-way", "(sleep 0.2; kill -9 $$) & REAL \"$@\" | head -c 20000; sleep 5"),
        ("an error after all of it", "REAL \"$@\"; exit 1"),
        ("a warning", "REAL \"$@\"; echo 'pg_dump: warning: something' >&2"),
        ("nothing, and success", "exit 0"),
        ("a dump cut short, and success", "REAL \"$@\" | head -c 3000; exit 0"),
        ("a dump of the schema only", "REAL --schema-only \"$@\""),
        ("a dump without one table", "REAL --exclude-table=agents \"$@\""),
        ("a dump without one table's rows", "REAL --exclude-table-data=agents \"$@\""),
        ("a text instead of a dump", "echo hello"),
        ("no memory", "kill -9 $$"),
    ];
    let folder = tools(&vault.folder("bin"), "pg_dump", "exec REAL \"$@\"");
    let app = with_tools(&vault, &folder).await;
    fill(&app).await;
    let good = run(&app).await;
    assert_eq!((good.status, &good.error), (Status::Verified, &None));
    for (what, script) in cases {
        tools(&vault.folder("bin"), "pg_dump", script);
        let failed = run(&app).await;
        assert_eq!(failed.status, Status::Failed, "{what}");
        assert!(
            failed.error.is_some() && failed.copies.iter().all(|c| c.status == CopyStatus::Failed),
            "{what}: {failed:?}"
        );
    }
    tools(&vault.folder("bin"), "pg_dump", "exec REAL \"$@\"");
    // Old backups outlive any number of failures.
    app.app.backups.prune(false).await.unwrap();
    let found = app.app.backups.verify(good.id, None, Some(&vault.keys()), &silent()).await.unwrap();
    assert_eq!(found[0].problems, Vec::<String>::new());
    let reports = run_all(&app.app.checks()).await;
    let recent = reports.iter().find(|report| report.name == "backup.recent").unwrap();
    assert_eq!(recent.result.status, Health::Warn, "{:?}", recent.result);
    app.app.backups.refresh_gauges().await.unwrap();
    assert!(app.app.telemetry.encode().contains("holdfast_backup_recent_runs{outcome=\"failed\"} 10"));
    assert_eq!(run(&app).await.status, Status::Verified, "and it recovers");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_older_than_the_server_are_refused() {
    let vault = Vault::new();
    let folder = tools(&vault.folder("bin"), "pg_dump", "exec REAL \"$@\"");
    fs::write(folder.join("pg_dump"), "#!/bin/sh\necho 'pg_dump (PostgreSQL) 14.9'\n").unwrap();
    let app = with_tools(&vault, &folder).await;
    let failed = run(&app).await;
    assert_eq!(failed.status, Status::Failed);
    let error = failed.error.unwrap();
    assert!(error.contains("newest pg_dump here is 14"), "{error}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_is_away_leaves_the_other_copy() {
    let vault = Vault::new();
    let app = TestApp::start_with(&borrowed(&vault.two())).await;
    fill(&app).await;
    assert_eq!(run(&app).await.status, Status::Verified);
    // A mount that is not there.
    fs::rename(vault.folder("far"), vault.folder("unmounted")).unwrap();
    let half = run(&app).await;
    assert_eq!(half.status, Status::Unverified);
    let states: Vec<_> = half.copies.iter().map(|copy| (copy.destination.as_str(), copy.status)).collect();
    assert_eq!(states, [("far", CopyStatus::Failed), ("near", CopyStatus::Verified)]);
    assert!(!vault.folder("far").exists(), "nothing is written beside a mount");
    let drill = app.app.backups.drill(Choice::This(half.id), None, None, &silent()).await.unwrap();
    assert_eq!(drill.status, DrillStatus::Passed, "{:?}", drill.error);
    fs::rename(vault.folder("unmounted"), vault.folder("far")).unwrap();
    let whole = run(&app).await;
    assert_eq!((whole.status, &whole.error), (Status::Verified, &None));
    let found = app.app.backups.verify(whole.id, Some("far"), Some(&vault.keys()), &silent()).await.unwrap();
    assert_eq!(found[0].problems, Vec::<String>::new(), "what it missed was copied from the other");
    app.stop().await;
}

/// `pg_dump` 17 and newer write what an older server refuses; a drill, with a server of its own, does not show it.
#[tokio::test(flavor = "multi_thread")]
async fn tools_too_new_for_the_server_are_told_of() {
    let vault = Vault::new();
    let folder = tools(&vault.folder("bin"), "pg_dump", "exec REAL \"$@\"");
    let real = binaries().join("pg_dump").display().to_string();
    let newer =
        format!("#!/bin/sh\n[ \"$1\" = --version ] && echo 'pg_dump (PostgreSQL) 19.1' && exit\nexec {real} \"$@\"\n");
    fs::write(folder.join("pg_dump"), newer).unwrap();
    let app = with_tools(&vault, &folder).await;
    let server = holdfast::backup::Restore::server_major(&app.app.runtime.target).await.unwrap();
    let checks = app.app.checks().into_iter().filter(|check| check.name() == "backup.tools");
    let check = run_all(&checks.collect::<Vec<_>>()).await.remove(0).result;
    let made = run(&app).await;
    assert_eq!(made.status, Status::Verified);
    let place = storage::Config { url: vault.folder("near").display().to_string(), ..storage::Config::default() };
    let from = Destination::open(
        "near",
        &place,
        app.app.backups.config().timeouts(),
        &app.app.runtime.lifecycle,
        &app.app.families.storage,
    );
    let restore = Restore::open(from.unwrap(), &vault.keys(), None).await.unwrap();
    for old in [15, 16] {
        let error = restore.check_tools(Some(&folder), Some(old)).unwrap_err().to_string();
        assert!(error.contains("pg_dump 19.1") && error.contains(&format!("the server is {old}")), "{error}");
    }
    restore.check_tools(Some(&folder), Some(17)).unwrap();
    restore.check_tools(Some(&folder), None).unwrap();
    let mut known = migrate::known();
    restore.check_version(&known).unwrap();
    known.pop_last();
    let newest = known.last().unwrap();
    let error = restore.check_version(&known).unwrap_err().to_string();
    assert!(error.contains(&format!("knows migrations up to {newest}")), "{error}");
    // One of them is missing, and not the last.
    known = migrate::known();
    known.pop_first();
    assert!(restore.check_version(&known).is_err());
    // The tests run on several versions.
    assert_eq!(check.status == Health::Warn, server < 17, "{check:?}");
    app.stop().await;
}

/// A mount point stays when its disk is away: it is an empty folder, and there is room on the disk below.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_into_a_mount_point_whose_disk_is_away() {
    let vault = Vault::new();
    let app = TestApp::start_with(&borrowed(&vault.two())).await;
    let backups = &app.app.backups;
    let first = run(&app).await;
    assert_eq!((first.status, &first.error), (Status::Verified, &None));
    let (far, disk) = (vault.folder("far"), vault.folder("disk"));
    fs::rename(&far, &disk).unwrap();
    fs::create_dir(&far).unwrap();

    let half = run(&app).await;
    assert_eq!((half.status, half.copies[0].status), (Status::Unverified, CopyStatus::Failed), "{half:?}");
    let words = half.copies[0].error.as_deref().unwrap();
    assert!(words.contains("1 backups should be in") && words.contains("mounted"), "{words}");
    assert!(backups.prune(false).await.unwrap()[0].error.is_some());
    // Of the copy it says nothing: that is whole, on a disk that is away.
    backups.verify(first.id, Some("far"), None, &silent()).await.unwrap_err();
    assert_eq!(fs::read_dir(&far).unwrap().count(), 0, "the disk below is left alone");
    let checks = app.app.checks().into_iter().filter(|check| check.name() == "backup.destinations");
    let check = run_all(&checks.collect::<Vec<_>>()).await.remove(0).result;
    assert!(check.status == Health::Fail && check.summary.contains("mounted"), "{check:?}");

    fs::remove_dir(&far).unwrap();
    fs::rename(&disk, &far).unwrap();
    let whole = run(&app).await;
    assert_eq!((whole.status, &whole.error), (Status::Verified, &None));
    assert_eq!(backups.get(first.id).await.unwrap().copies[0].status, CopyStatus::Verified);

    // A new disk, and somebody who says so.
    fs::rename(&far, &disk).unwrap();
    fs::create_dir_all(far.join("backups")).unwrap();
    let anew = run(&app).await;
    assert_eq!((anew.status, &anew.error), (Status::Verified, &None));
    let found = backups.verify(anew.id, Some("far"), Some(&vault.keys()), &silent()).await.unwrap();
    assert_eq!(found[0].problems, Vec::<String>::new());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_at_once_are_one() {
    let vault = Vault::new();
    let app = start(&vault).await;
    fill(&app).await;
    let backups = &app.app.backups;
    let begun = CancellationToken::new();
    let step = begun.clone();
    let progress = ProgressReporter::new(CancellationToken::new(), move |_, _| step.cancel());
    let (first, second) = tokio::join!(backups.run(Kind::Manual, &progress), async {
        until("the first run does not begin", async || begun.is_cancelled()).await;
        backups.run(Kind::Manual, &progress).await
    });
    assert_eq!(first.unwrap().status, Status::Verified);
    assert!(matches!(second, Err(BackupError::Busy)), "{second:?}");
    assert_eq!(backups.list(&Slice::first(10)).await.unwrap().len(), 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_at_any_step_is_failed_and_the_next_one_is_whole() {
    let vault = Vault::new();
    let site = Site::with(vault.settings());
    let running = site.start().await;
    let admin = site.admin().await;
    let base = make_base(&admin, "Harbour").await;
    for n in 0..5 {
        let text = format!("# Page {n}\n\nThe keeper of lock {n} wrote line {n}.\n");
        let id = add_document(&admin, &base, &format!("{n}.md"), text.as_bytes()).await;
        wait_for_document(&admin, &base, &id).await;
    }
    let run = async || -> Value {
        let output = site.run(&["backup", "run", "--json"]).await;
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
    };
    let first = run().await;
    assert_eq!(first["status"], "verified", "{first}");
    let steps =
        ["waiting for deletions", "database", "database: copying", "objects", "vectors", "settings", "manifest"];
    for step in steps {
        let child = site.launch_command(&["backup", "run"]);
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !child.output().contains(&format!("... {step}")) {
            assert!(tokio::time::Instant::now() < deadline, "{step}: {}", child.output());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        child.kill();
    }
    let last = run().await;
    assert_eq!(last["status"], "verified", "{last}");
    let output = site.run(&["backup", "list", "--json"]).await;
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    let backups = list.as_array().unwrap();
    assert_eq!(backups.len(), steps.len() + 2);
    let failed = backups.iter().filter(|backup| backup["status"] == "failed").count();
    // The last step may have been done before the signal came.
    assert!(failed >= steps.len() - 1, "{list}");
    for id in [&first["id"], &last["id"]] {
        let key = vault.key_file().display().to_string();
        let output = site.run(&["backup", "verify", id.as_str().unwrap(), "--key-file", &key]).await;
        assert!(output.status.success(), "{output:?}");
    }
    assert!(!site.data_dir().join("backup/spool").exists(), "nothing is left of the work");
    let (status, output) = running.stop().await;
    assert!(status.success(), "{output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_and_deletions_go_on_while_a_backup_is_made() {
    let vault = Vault::new();
    let app = start(&vault).await;
    let admin = app.admin().await;
    let base = make_base(&admin, "Busy").await;
    let mut ids = Vec::new();
    for n in 0..6 {
        let text = format!("# Page {n}\n\nThe keeper of lock {n} wrote line {n}.\n");
        ids.push(add_document(&admin, &base, &format!("{n}.md"), text.as_bytes()).await);
    }
    app.wait_for_jobs().await;
    let churn = async {
        for (n, id) in ids.iter().enumerate() {
            let gone = admin.delete(&format!("/api/v1/knowledge-bases/{base}/documents/{id}")).await;
            assert!(gone.status.is_success(), "{}", gone.text);
            let text = format!("# New {n}\n\nA heron stood at lock {n}.\n");
            let id = add_document(&admin, &base, &format!("new-{n}.md"), text.as_bytes()).await;
            wait_for_document(&admin, &base, &id).await;
        }
    };
    let runs = async {
        let mut made = Vec::new();
        for _ in 0..3 {
            made.push(run(&app).await);
        }
        made
    };
    let ((), made) = tokio::join!(churn, runs);
    for backup in made {
        assert_eq!((backup.status, &backup.error), (Status::Verified, &None));
        let drill = app.app.backups.drill(Choice::This(backup.id), None, None, &silent()).await.unwrap();
        assert_eq!((drill.status, &drill.error), (DrillStatus::Passed, &None));
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_at_a_destination_does_not_live_on_in_the_next_backup() {
    let vault = Vault::new();
    let app = start(&vault).await;
    fill(&app).await;
    let first = run(&app).await;
    assert!(first.copies[0].verified_at.is_some(), "all of it was written and read back");
    assert!(run(&app).await.copies[0].verified_at.is_none(), "most of it lay there and was not read");
    // A bit of everything that is there flips, lengths and names stay.
    for file in files(&vault.folder("near").join("blobs")) {
        let mut bytes = fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&file, bytes).unwrap();
    }
    let (backups, keys) = (&app.app.backups, vault.keys());
    assert!(!backups.verify(first.id, None, Some(&keys), &silent()).await.unwrap()[0].problems.is_empty());
    let next = run(&app).await;
    assert_eq!((next.status, &next.error), (Status::Verified, &None));
    let found = backups.verify(next.id, None, Some(&keys), &silent()).await.unwrap();
    assert_eq!(found[0].problems, Vec::<String>::new());
    app.stop().await;
}

/// Ends the sessions that hold a lock of ours, as a restart of the database would.
fn end_locks(target: &Target) {
    let options = target.admin.clone();
    let ended = async {
        let mut db = PgConnection::connect_with(&options).await.unwrap();
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
            WHERE l.locktype = 'advisory' AND l.mode = 'ExclusiveLock' AND d.datname = current_database()";
        sqlx::query(sql).execute(&mut db).await.unwrap();
        db.close().await.unwrap();
    };
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(ended));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_could_not_keep_files_from_being_deleted_has_failed() {
    let vault = Vault::new();
    let app = start(&vault).await;
    fill(&app).await;
    let target = app.target().clone();
    let progress = ProgressReporter::new(CancellationToken::new(), move |_, step| {
        if step == "objects" {
            end_locks(&target);
        }
    });
    let failed = app.app.backups.run(Kind::Manual, &progress).await.unwrap();
    assert_eq!(failed.status, Status::Failed);
    assert!(failed.error.unwrap().contains("prevents deletions was lost"));
    assert_eq!(run(&app).await.status, Status::Verified);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_or_drill_that_is_cancelled_ends_at_once_and_leaves_nothing() {
    let vault = Vault::new();
    let app = start(&vault).await;
    fill(&app).await;
    let backups = &app.app.backups;
    let stopping = |at: &'static str| {
        let cancel = CancellationToken::new();
        ProgressReporter::new(cancel.clone(), move |_, step| {
            if step == at {
                cancel.cancel();
            }
        })
    };
    let cut = backups.run(Kind::Manual, &stopping("vectors")).await.unwrap();
    assert_eq!((cut.status, cut.error.as_deref(), cut.step.as_str()), (Status::Failed, Some("cancelled"), "vectors"));
    let good = run(&app).await;
    for at in ["database", "vectors"] {
        let drill = backups.drill(Choice::Newest, None, None, &stopping(at)).await.unwrap();
        assert_eq!((drill.status, drill.error.as_deref()), (DrillStatus::Failed, Some("cancelled")), "{at}");
    }
    assert_eq!(backups.get(good.id).await.unwrap().status, Status::Verified, "the backup is not to blame");
    assert_eq!(files(&app.data_dir.join("backup")), Vec::<PathBuf>::new());
    let servers = std::process::Command::new("pgrep").arg("-f").arg(app.data_dir.join("backup")).output().unwrap();
    assert!(servers.stdout.is_empty(), "a scratch server still runs: {servers:?}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_that_fails_for_want_of_a_tool_says_nothing_of_the_backup() {
    let vault = Vault::new();
    let folder = tools(&vault.folder("bin"), "pg_restore", "exec REAL \"$@\"");
    let app = with_tools(&vault, &folder).await;
    let good = run(&app).await;
    tools(&vault.folder("bin"), "pg_restore", "exit 1");
    let backups = &app.app.backups;
    let drill = backups.drill(Choice::Newest, None, None, &silent()).await.unwrap();
    assert_eq!(drill.status, DrillStatus::Failed);
    assert_eq!(backups.get(good.id).await.unwrap().status, Status::Verified);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_set_back_hides_no_backup_from_a_restore() {
    let vault = Vault::new();
    let app = start(&vault).await;
    let first = run(&app).await;
    app.clock.advance(TimeDelta::hours(-1));
    let second = run(&app).await;
    assert!(second.id < first.id && second.sequence > first.sequence);
    let place = storage::Config { url: vault.folder("near").display().to_string(), ..storage::Config::default() };
    let metrics = &app.app.families.storage;
    let open = || {
        Destination::open("near", &place, app.app.backups.config().timeouts(), &app.app.runtime.lifecycle, metrics)
            .unwrap()
    };
    let newest = Restore::open(open(), &vault.keys(), None).await.unwrap();
    assert_eq!(newest.plan().backup, second.id);
    // The youngest by its name cannot be read: what is older is not taken for the newest.
    fs::write(vault.folder("near").join(format!("backups/{}/manifest.json", first.id)), "{}").unwrap();
    assert!(Restore::open(open(), &vault.keys(), None).await.is_err());
    assert_eq!(Restore::open(open(), &vault.keys(), Some(second.id)).await.unwrap().plan().backup, second.id);
    app.stop().await;
}
