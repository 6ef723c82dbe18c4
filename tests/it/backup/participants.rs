//! What takes part in a backup beside database and objects: a room with a file of its own, and backups of before there were any.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, stream::BoxStream};
use holdfast::{
    app::{Stores, participants},
    backup::{Backups, Choice, Deps, Destination, DrillStatus, Kind, Restore, Status},
    platform::lifecycle::Lifecycle,
    storage::{self, Captured, Counts, Participant, ParticipantError, Storage},
};
use serde_json::{Value, json};

use super::{corruptions::Copy, fill, run, silent, start};
use crate::support::{
    app::TestApp,
    cluster::cluster,
    documents::{add_document, files, make_base},
    vault::Vault,
};

fn open(folder: &Path) -> Storage {
    let metrics = storage::Metrics::register(&mut prometheus_client::registry::Registry::default());
    Storage::open_at("", folder.to_owned(), &storage::Config::default(), Lifecycle::new(), metrics).unwrap()
}

/// A room that keeps lines in a file which it goes on writing: what is kept is a copy of the moment.
struct Notes {
    folder: PathBuf,
}

impl Notes {
    fn lines(text: &str) -> u64 {
        text.lines().count() as u64
    }
}

#[async_trait]
impl Participant for Notes {
    fn name(&self) -> &'static str {
        "notes"
    }

    async fn capture(&self, scratch: &Path) -> Result<Captured, ParticipantError> {
        let text = fs::read_to_string(self.folder.join("notes.txt")).unwrap();
        fs::write(scratch.join("copy.txt"), &text).unwrap();
        fs::write(scratch.join("draft.tmp"), "not of it").unwrap();
        // It is written on while the backup reads the copy.
        fs::write(self.folder.join("notes.txt"), format!("{text}and on\n")).unwrap();
        Ok(Captured {
            state: json!({"lines": Self::lines(&text)}),
            files: open(scratch),
            belongs: Box::new(|key| key != "draft.tmp"),
        })
    }

    async fn verify(
        &self,
        _: &Value,
        keys: BoxStream<'_, Result<String, ParticipantError>>,
    ) -> Result<Vec<String>, ParticipantError> {
        let keys: Vec<_> = keys.map(Result::unwrap).collect().await;
        Ok(if keys == ["copy.txt"] { Vec::new() } else { vec![format!("{keys:?} instead of a copy")] })
    }

    async fn target(&self) -> Result<Storage, ParticipantError> {
        Ok(open(&self.folder))
    }

    async fn restored(&self, _: &Value) -> Result<(), ParticipantError> {
        fs::rename(self.folder.join("copy.txt"), self.folder.join("notes.txt")).map_err(ParticipantError::room)
    }

    async fn drill(&self, folder: &Path, state: &Value) -> Result<Counts, ParticipantError> {
        let lines = Self::lines(&fs::read_to_string(folder.join("copy.txt")).map_err(ParticipantError::room)?);
        if json!(lines) != state["lines"] {
            return Err(ParticipantError::Differs(format!("{lines} lines of notes instead of {}", state["lines"])));
        }
        Ok(Counts::from([("lines".to_owned(), lines)]))
    }
}

/// The appliance's backups, with one more that takes part.
fn with(app: &TestApp, participant: impl Participant + 'static) -> Backups {
    let deps = app.app.backups.deps().clone();
    let participants =
        deps.participants.iter().cloned().chain([Arc::new(participant) as Arc<dyn Participant>]).collect();
    Backups::new(Deps { participants, ..deps })
}

async fn restore(app: &TestApp, vault: &Vault) -> Restore {
    let place = storage::Config { url: vault.folder("near").display().to_string(), ..storage::Config::default() };
    let patience = app.app.backups.config().patience();
    let metrics = &app.app.families.storage;
    let from = Destination::open("near", &place, patience, &app.app.runtime.lifecycle, metrics).unwrap();
    Restore::open(from, &vault.keys(), None).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_with_a_file_of_its_own_takes_part() {
    let vault = Vault::new();
    let app = start(&vault).await;
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(here.path().join("notes.txt"), "one\ntwo\nthree\n").unwrap();
    let backups = with(&app, Notes { folder: here.path().to_owned() });
    let first = backups.run(Kind::Manual, &silent()).await.unwrap();
    assert_eq!((first.status, &first.error), (Status::Verified, &None));
    assert_eq!(files(&app.data_dir.join("backup")), Vec::<PathBuf>::new(), "nothing is left of the work");

    // Proven, by a drill that asks the room, and by reading it again.
    let drill = backups.drill(Choice::Newest, None, None, &silent()).await.unwrap();
    assert_eq!((drill.status, &drill.error), (DrillStatus::Passed, &None));
    assert_eq!(drill.report.participants["notes"], Counts::from([("lines".to_owned(), 3)]));
    let verify =
        async || backups.verify(first.id, None, Some(&vault.keys()), &silent()).await.unwrap().remove(0).problems;
    assert_eq!(verify().await, Vec::<String>::new());

    // Back at another place, as it was at the instant.
    let found = restore(&app, &vault).await;
    assert_eq!(found.plan().participants["notes"].files, 1);
    let elsewhere = Notes { folder: there.path().to_owned() };
    let restored = found.participant(&elsewhere, &app.data_dir.join("work"), &silent()).await.unwrap().unwrap();
    assert_eq!((restored.written, restored.damaged), (1, 0));
    assert_eq!(fs::read_to_string(there.path().join("notes.txt")).unwrap(), "one\ntwo\nthree\n");
    assert_eq!(files(there.path()).len(), 1);

    // A version that does not know the room proves nothing, and says so; what it can read it finds whole.
    let drill = app.app.backups.drill(Choice::This(first.id), None, None, &silent()).await.unwrap();
    let error = drill.error.unwrap();
    assert!(drill.status == DrillStatus::Failed && error.contains("holds notes, which this version"), "{error}");
    let read = app.app.backups.verify(first.id, None, Some(&vault.keys()), &silent()).await.unwrap();
    assert_eq!(read[0].problems, Vec::<String>::new());

    // What the room finds wrong is wrong.
    let key = cluster().await.key.signing_key("backup.manifest").unwrap();
    let copy = Copy::of(vault.folder("near"), first.clone(), first.clone());
    copy.sign(&key, |m| m["participants"]["notes"]["state"]["lines"] = json!(4));
    let drill = backups.drill(Choice::This(first.id), None, None, &silent()).await.unwrap();
    assert_eq!(drill.error.as_deref(), Some("what was restored differs: 3 lines of notes instead of 4"));
    copy.sign(&key, |m| m["participants"]["notes"]["tree"] = m["participants"]["vectors"]["tree"].clone());
    assert_eq!(verify().await, ["notes: [] instead of a copy"]);
    copy.sign(&key, |_| {});

    // The next one keeps what was written since.
    let second = backups.run(Kind::Manual, &silent()).await.unwrap();
    assert_eq!((second.status, &second.error), (Status::Verified, &None));
    let drill = backups.drill(Choice::This(second.id), None, None, &silent()).await.unwrap();
    assert_eq!(drill.report.participants["notes"]["lines"], 4);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_version_before_participants_is_read_drilled_and_restored() {
    let vault = Vault::new();
    let app = start(&vault).await;
    fill(&app).await;
    let backup = run(&app).await;
    let key = cluster().await.key.signing_key("backup.manifest").unwrap();
    let copy = Copy::of(vault.folder("near"), backup.clone(), backup.clone());
    let tables = copy.manifest["participants"]["vectors"]["state"].as_object().unwrap().len();
    assert_eq!((&copy.manifest["vector_tables"], tables), (&copy.manifest["participants"]["vectors"]["state"], 2));
    // Word for word what that version wrote.
    copy.sign(&key, |m| {
        m.as_object_mut().unwrap().remove("participants");
        m["database"]["schema"].as_object_mut().unwrap().remove("migrations");
    });
    let (backups, keys) = (&app.app.backups, vault.keys());
    let read = backups.verify(backup.id, None, Some(&keys), &silent()).await.unwrap();
    assert_eq!(read[0].problems, Vec::<String>::new());
    let drill = backups.drill(Choice::This(backup.id), None, None, &silent()).await.unwrap();
    assert_eq!((drill.status, &drill.error), (DrillStatus::Passed, &None));
    assert_eq!(
        (drill.report.vector_tables, drill.report.vectors),
        (2, drill.report.participants["vectors"]["vectors"])
    );
    let (found, there) = (restore(&app, &vault).await, tempfile::tempdir().unwrap());
    let stores =
        Stores::open(&app.app.runtime.config, there.path(), &Lifecycle::new(), &app.app.families.storage).unwrap();
    let vectors = &stores.participants[0];
    let restored = found.participant(vectors.as_ref(), &there.path().join("work"), &silent()).await.unwrap();
    restored.unwrap().whole().unwrap();
    assert_eq!(stores.index.list_tables().await.unwrap().len(), 2);
    // One that took no part brings nothing back.
    let notes = Notes { folder: there.path().join("notes") };
    assert!(found.participant(&notes, &there.path().join("work"), &silent()).await.unwrap().is_none());
    app.stop().await;
}

/// What `holdfast restore` names, and moves aside, is what takes part.
#[tokio::test(flavor = "multi_thread")]
async fn everything_that_takes_part_is_named_before_it_is_opened() {
    let app = TestApp::start().await;
    let (config, dir) = (&app.app.runtime.config, tempfile::tempdir().unwrap());
    let stores = Stores::open(config, dir.path(), &Lifecycle::new(), &app.app.families.storage).unwrap();
    let opened: Vec<_> = stores.participants.iter().map(|participant| participant.name()).collect();
    let named: Vec<_> = participants(config, dir.path()).into_iter().map(|(name, _)| name).collect();
    assert_eq!(opened, named, "add it to `participants` in src/app/stores.rs, with the folder that a restore replaces");
    assert!(named.iter().all(|name| !["database", "objects", "models"].contains(name)), "{named:?}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_objects_of_every_room_are_in_a_backup_and_of_no_other_folder() {
    let vault = Vault::new();
    let app = start(&vault).await;
    let admin = app.admin().await;
    let base = make_base(&admin, "Harbour").await;
    add_document(&admin, &base, "tides.md", b"# Tides\n\nThe quibblefrotz sings at dawn.\n").await;
    app.wait_for_jobs().await;
    let notes = app.app.storage.room("notes").unwrap();
    notes.put("a/1", Bytes::from_static(b"of another room")).await.unwrap();
    app.app.storage.put("gone/a/1", Bytes::from_static(b"of no room")).await.unwrap();
    assert!(app.app.storage.room("org").is_err(), "that is knowledge's");
    // Reconciling does not see them.
    app.app.knowledge.reconcile_soon().await.unwrap();
    app.wait_for_jobs().await;
    assert!(notes.exists("a/1").await.unwrap());
    let backup = run(&app).await;
    assert_eq!((backup.status, &backup.error, backup.objects), (Status::Verified, &None, 2));
    let there = tempfile::tempdir().unwrap();
    let found = restore(&app, &vault).await;
    found.objects(&open(there.path()), &app.data_dir.join("work"), &silent()).await.unwrap();
    let came: Vec<_> =
        files(there.path()).iter().map(|path| path.strip_prefix(there.path()).unwrap().to_owned()).collect();
    assert!(came.len() == 2 && came.iter().any(|path| path == Path::new("notes/a/1")), "{came:?}");
    assert!(came.iter().any(|path| path.starts_with("org") && path.ends_with("original")), "{came:?}");
    app.stop().await;
}
