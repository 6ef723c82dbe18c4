//! Whose key a file holds: what accepts it is what a restore accepts.

use std::fs;

use holdfast::{
    backup::{
        BackupError, Choice, Destination, DrillStatus, Identity, Installation, KeyError, KeyFile, Kind, Restore, Status,
    },
    platform::{
        health::{self, Status as Health, run_all},
        lifecycle::Lifecycle,
        telemetry::Telemetry,
    },
    storage,
};

use super::{borrowed, run, silent, start};
use crate::support::{app::TestApp, cluster::binaries, documents::files, process::Site, vault::Vault};

async fn check(app: &TestApp, name: &str) -> health::CheckResult {
    let checks: Vec<_> = app.app.checks().unwrap().into_iter().filter(|check| check.name() == name).collect();
    run_all(&checks).await.remove(0).result
}

/// As a host sees it that knows nothing but the folder and the key.
async fn on_an_empty_host(vault: &Vault, app: &TestApp) -> Result<Restore, BackupError> {
    let place = storage::Config { url: vault.folder("near").display().to_string(), ..storage::Config::default() };
    let patience = app.app.runtime.config.backup.patience();
    let metrics = Telemetry::new().register("storage", storage::Metrics::register);
    let from = Destination::open("restore", &place, patience, &Lifecycle::new(), &metrics).unwrap();
    Restore::open(from, &vault.keys(), None).await
}

/// As `keys adopt` names it.
fn of(app: &TestApp) -> Installation {
    Installation { id: None, key: Installation::public_key(&app.app.runtime.master_key).unwrap() }
}

fn is_foreign<T>(result: &Result<T, BackupError>) -> bool {
    matches!(result, Err(BackupError::Key(KeyError::OtherInstallation { .. })))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_file_for_another_installation_is_refused_by_whatever_proves_a_backup() {
    let vault = Vault::new();
    let app = start(&vault).await;
    let backups = &app.app.backups;
    let made = run(&app).await;
    assert_eq!(made.status, Status::Verified);

    // As `keys generate` wrote it under another data directory.
    let other = Installation { id: Some(uuid::Uuid::from_u128(9)), key: [9; 32] };
    let ours = KeyFile { installation: Some(other), ..vault.keys() };
    ours.replace(&vault.key_file()).unwrap();
    let keys = vault.keys();
    assert!(on_an_empty_host(&vault, &app).await.is_err(), "a restore refuses it");
    let drill = backups.drill(Choice::Newest, None, None, &silent()).await;
    assert!(is_foreign(&drill), "{drill:?}");
    assert!(is_foreign(&backups.verify(made.id, None, Some(&keys), &silent()).await));
    assert!(is_foreign(&backups.check_key(&keys).await));
    assert!(is_foreign(&backups.wrap_keys(&keys, &"twenty characters and more".to_owned().into()).await));
    let said = check(&app, "backup.key").await;
    assert_eq!(said.status, Health::Fail);
    assert!(
        said.summary.contains(&other.to_string()) && said.remedy.unwrap().contains("keys adopt"),
        "{}",
        said.summary
    );
    backups.refresh_gauges().await.unwrap();
    assert!(app.app.telemetry.encode().contains("holdfast_backup_key_missing 1\n"));

    // Without a name it is accepted by both, and doctor asks for one.
    let bare: String =
        keys.text().lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect();
    fs::write(vault.key_file(), bare).unwrap();
    assert_eq!(backups.drill(Choice::Newest, None, None, &silent()).await.unwrap().status, DrillStatus::Passed);
    on_an_empty_host(&vault, &app).await.unwrap();
    assert_eq!(check(&app, "backup.key").await.status, Health::Warn);

    KeyFile { installation: Some(of(&app)), ..vault.keys() }.replace(&vault.key_file()).unwrap();
    assert_eq!(backups.drill(Choice::Newest, None, None, &silent()).await.unwrap().status, DrillStatus::Passed);
    assert_eq!(on_an_empty_host(&vault, &app).await.unwrap().manifest.id, made.id);
    assert_eq!(check(&app, "backup.key").await.status, Health::Pass);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_installations_at_one_destination_are_told_apart() {
    let vault = Vault::new();
    let (a, b) = (start(&vault).await, Site::with(vault.settings()));
    let running = b.start().await;
    let first = run(&a).await;
    assert_eq!(first.status, Status::Verified);
    // The second one is told to go elsewhere, by name.
    let refused = b.run(&["backup", "run"]).await;
    let words = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert!(
        !refused.status.success() && words.contains("another installation") && words.contains("of its own"),
        "{words}"
    );

    // They met there before this was looked at: each key still finds its own, whatever is newer.
    let (near, aside) = (vault.folder("near"), vault.folder("aside"));
    fs::rename(&near, &aside).unwrap();
    fs::create_dir(&near).unwrap();
    let made = b.run(&["backup", "run", "--json"]).await;
    let second: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!(second["status"], "verified");
    crate::support::vault::copy_folder(&aside, &near);
    let other = Installation::of_data_dir(&b.data_dir(), None).unwrap().unwrap();
    for (installation, made) in [(of(&a), first.id.to_string()), (other, second["id"].as_str().unwrap().to_owned())] {
        KeyFile { installation: Some(installation), ..vault.keys() }.replace(&vault.key_file()).unwrap();
        assert_eq!(on_an_empty_host(&vault, &a).await.unwrap().manifest.id.to_string(), made);
    }
    // A key that names nobody opens both: which one is meant must be said.
    KeyFile { installation: None, ..vault.keys() }.replace(&vault.key_file()).unwrap();
    let asked = on_an_empty_host(&vault, &a).await.map(drop);
    assert!(matches!(asked, Err(BackupError::Ambiguous { .. })), "{asked:?}");
    // A stranger's key finds nothing of its own, and says whose lie there.
    let stranger = KeyFile { identities: vec![Identity::generate()], installation: None };
    stranger.replace(&vault.key_file()).unwrap();
    let asked = on_an_empty_host(&vault, &a).await.map(drop);
    assert!(matches!(asked, Err(BackupError::OnlyOthers { .. })), "{asked:?}");
    // Nothing is removed where it is not known who needs what.
    let before = files(&near).len();
    let pruned = a.app.backups.prune(false).await.unwrap();
    let said = pruned[0].error.as_deref().unwrap();
    assert!(said.contains("another installation") && !pruned[0].damaged, "{pruned:?}");
    assert_eq!(files(&near).len(), before);
    a.stop().await;
    running.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_that_need_no_appliance_make_none() {
    let vault = Vault::new();
    let mut site = Site::new();
    let key = vault.folder("made.key").display().to_string();
    let said = async |site: &Site, args: &[&str]| {
        let output = site.run(args).await;
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.success(), text)
    };
    let (good, text) = said(&site, &["backup", "keys", "generate", "--out", &key]).await;
    assert!(good && text.contains("names none") && text.contains("keys adopt"), "{text}");
    let (good, text) = said(&site, &["backup", "keys", "sheet", "--key-file", &key]).await;
    assert!(good && text.contains("AGE-SECRET-KEY-1"), "{text}");
    for args in [
        &["backup", "keys", "adopt", "--key-file", &key][..],
        &["backup", "keys", "check", "--key-file", &key],
        &["backup", "list"],
        &["backup", "run"],
        &["backup", "drill"],
        &["doctor"],
    ] {
        let (good, text) = said(&site, args).await;
        assert!(!good && text.contains("there is no installation in"), "{args:?}: {text}");
    }
    assert!(!site.data_dir().exists(), "{:?}", files(&site.data_dir()));

    // As compose/ does it: the key first, which then is for the installation that comes.
    let early = vault.folder("early.key").display().to_string();
    let begin = ["backup", "keys", "generate", "--out", &early, "--begin-installation", "--keep"];
    let (good, text) = said(&site, &begin).await;
    assert!(good && text.contains("It is for the installation in"), "{text}");
    assert!(!site.data_dir().join("postgres").exists(), "no database");
    let (good, text) = said(&site, &begin).await;
    assert!(good && text.contains("nothing was changed") && !text.contains("warning"), "{text}");
    // All volumes removed, and begun anew: the key of before is another installation's, which nobody would see until the first night.
    let anew = Site::new();
    let own = vault.folder("own.key").display().to_string();
    said(&anew, &["backup", "keys", "generate", "--out", &own, "--begin-installation"]).await;
    let (good, text) = said(&anew, &begin).await;
    assert!(good && text.contains("warning: no backup is made with") && text.contains("keys adopt"), "{text}");
    site.set("HOLDFAST_BACKUP__KEY_FILE", &early);
    site.set("HOLDFAST_BACKUP__EMBEDDING_MODEL", "false");
    site.set("HOLDFAST_BACKUP__TOOLS_DIR", &binaries().display().to_string());
    site.set("HOLDFAST_BACKUP__DESTINATIONS__NEAR__URL", &vault.folder("near").display().to_string());
    let running = site.start().await;
    // Sealed for the key at hand, without naming it twice.
    let (good, text) = said(&site, &["backup", "run"]).await;
    assert!(good && text.contains("verified"), "{text}");
    let (good, text) = said(&site, &["backup", "keys", "check"]).await;
    assert!(good && text.contains("opens backup"), "{text}");
    let (good, text) = said(&site, &["backup", "keys", "adopt", "--key-file", &early]).await;
    assert!(good && text.contains("is for this installation now") && !text.contains("before"), "{text}");
    assert!(said(&site, &["backup", "keys", "adopt", "--key-file", &early]).await.1.contains("already"));
    let (good, text) = said(&site, &["backup", "keys", "adopt", "--key-file", &key]).await;
    assert!(good && text.contains("is for this installation now"), "{text}");
    let (status, output) = running.stop().await;
    assert!(status.success(), "{output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_takes_nothing_is_told_before_a_backup_is_due() {
    let vault = Vault::new();
    let app = TestApp::start_with(&borrowed(&vault.two())).await;
    assert_ne!(check(&app, "backup.destinations").await.status, Health::Fail);
    assert_eq!(files(&vault.folder("near")), Vec::<std::path::PathBuf>::new(), "the check leaves nothing");
    // A file where the folder for small files would be: as on a mount that is read-only, for root too.
    fs::write(vault.folder("far").join("doctor"), b"").unwrap();
    let said = check(&app, "backup.destinations").await;
    assert_eq!(said.status, Health::Fail);
    assert!(said.summary.contains("far") && said.remedy.unwrap().contains("chown"), "{}", said.summary);
    app.stop().await;
}

/// The number of a backup goes on whatever the clock does.
#[tokio::test(flavor = "multi_thread")]
async fn the_newest_backup_is_the_last_one_also_when_the_clock_was_set_back() {
    let vault = Vault::new();
    let app = start(&vault).await;
    let first = run(&app).await;
    app.clock.advance(chrono::TimeDelta::days(-2));
    let second = run(&app).await;
    assert!(second.started_at < first.started_at && second.sequence > first.sequence);
    let backups = &app.app.backups;
    let ids: Vec<_> = backups.list(None, 10).await.unwrap().iter().map(|backup| backup.id).collect();
    assert_eq!(ids, [second.id, first.id]);
    let below: Vec<_> = backups.list(Some(second.id), 10).await.unwrap().iter().map(|backup| backup.id).collect();
    assert_eq!(below, [first.id]);
    assert_eq!(backups.check_key(&vault.keys()).await.unwrap()[0].0, second.id);
    assert_eq!(on_an_empty_host(&vault, &app).await.unwrap().manifest.id, second.id);
    assert_eq!(backups.run(Kind::Manual, &silent()).await.unwrap().sequence, second.sequence + 1);
    app.stop().await;
}
