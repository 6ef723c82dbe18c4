//! Makes a backup.
//!
//! Everything is of one point in time: first all deletions of files are blocked (a lock that deletions share), then the database snapshot
//! is taken. Whatever a row of the snapshot refers to still exists when it is copied; files added later are surplus, and are swept after a
//! restore as after a crash.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use futures::TryStreamExt as _;
use sqlx::Connection as _;
use tokio::sync::watch;
use uuid::Uuid;

use super::Backups;
use crate::{
    BackupError, BackupId, Destination,
    catalogue::Catalogue,
    dump::Snapshot,
    events::{BackupFailed, BackupFinished},
    keys::SIGNING_PURPOSE,
    manifest::{Database, FORMAT, Manifest, Part, Tree},
    model::{Backup, Copy, CopyStatus, Kind, Status},
    progress::{self, ProgressRange, ProgressReporter},
    sealer::Sealer,
    spool::WorkFolder,
    store, tree,
    unfinished::Unfinished,
    writer::Writer,
};
use platform::{
    data_dir::free_bytes,
    db::{self, Tx},
    error::chain,
};
use storage::Storage;

/// How long to wait for running deletions.
const QUIET: Duration = Duration::from_secs(120);
/// A dump below this share of the last one needs a person's attention.
const SHRUNK: f64 = 0.5;
/// Files processed together: the page size of a local listing.
const PIECE: usize = 1024;
/// Spool space per file besides its content, bytes: in the catalogue, the index and the list of blobs.
const LISTED: u64 = 1024;
/// SQLSTATE: there is no such table or sequence.
const UNDEFINED_TABLE: &str = "42P01";
/// Bytes of the spool's disk that stay free.
const RESERVE: u64 = 256 << 20;

/// Share of each part of a run, percent; settings and manifest take the rest.
const DATABASE: ProgressRange = ProgressRange(0, 60);
const OBJECTS: ProgressRange = ProgressRange(60, 85);
const PARTICIPANTS: ProgressRange = ProgressRange(85, 93);
const MODEL: ProgressRange = ProgressRange(93, 95);
/// Interval of progress updates in the table.
const NOTED: Duration = Duration::from_secs(1);

impl Backups {
    /// Makes a backup. An error means that it failed; otherwise check its status.
    pub async fn run(&self, kind: Kind, progress: &ProgressReporter) -> Result<Backup, BackupError> {
        let recipients = self.recipients()?;
        // It would be the newest, and lack what is still to come.
        Unfinished::refuse(&self.inner.data_dir)?;
        let lock = self.lock().await?;
        let (db, clock) = (&self.inner.db, &self.inner.clock);
        let mut tx = db.system().await?;
        store::fail_abandoned(&mut tx, clock.now()).await?;
        tx.commit().await?;
        let (mut destinations, mut unopened) = self.open_destinations().await;
        // A restored table is older than its backup; the sequence number must exceed those at the destinations.
        for (name, error) in self.adopt(&destinations).await? {
            destinations.retain(|destination| destination.name != name);
            unopened.push((name, error));
        }
        let id = BackupId::generate(clock);
        let mut tx = db.system().await?;
        let sequence = store::next_sequence(&mut tx).await?;
        let row = Backup::begun(id, sequence, kind, clock.now());
        store::begin(&mut tx, &row).await?;
        let doubted = store::damaged_destinations(&mut tx).await?;
        tx.commit().await?;
        let began = tokio::time::Instant::now();
        let steps = StepTracker::new(progress.clone());
        let made = async {
            let (name_key, pool) = (self.inner.master_key.derive("backup.blob_names"), self.inner.pool.clone());
            let writer = Writer::open(destinations, &doubted, self.spool()?, pool, recipients, name_key).await?;
            if writer.outcomes().is_empty() {
                let reasons = unopened.iter().map(|(_, reason)| reason.as_str());
                return Err(BackupError::NoCopy(reasons.collect::<Vec<_>>().join("; ")));
            }
            writer.check_alive()?;
            let manifest = Box::pin(self.capture(&writer, id, sequence, kind, &steps)).await?;
            Ok::<_, BackupError>((manifest, writer))
        };
        let result = tokio::select! {
            result = progress.attend(made) => result,
            never = self.note_steps(id, steps.subscribe()) => match never {},
        };
        let backup = self.conclude(row, &steps.current(), result, &unopened).await?;
        self.inner.metrics.ran(&backup, began.elapsed());
        lock.release().await;
        Ok(backup)
    }

    /// All destinations that open, and the errors of the others.
    async fn open_destinations(&self) -> (Vec<Destination>, Vec<(String, String)>) {
        let (mut opened, mut failed) = (Vec::new(), Vec::new());
        for name in self.inner.config.destinations.keys() {
            match self.open_destination(name).await {
                Ok(destination) => opened.push(destination),
                Err(error) => failed.push((name.clone(), chain(&error))),
            }
        }
        (opened, failed)
    }

    async fn capture(
        &self,
        writer: &Writer,
        id: BackupId,
        sequence: i64,
        kind: Kind,
        steps: &StepTracker,
    ) -> Result<Manifest, BackupError> {
        let deps = &self.inner.deps;
        steps.report(0, "waiting for deletions to end");
        let mut quiet = deps.deletions.hold(QUIET).await?.ok_or(BackupError::NotQuiet(QUIET))?;
        let mut snapshot = Snapshot::take(&deps.target, deps.config.tools_dir.as_deref(), &self.inner.pool).await?;
        let taken_at = deps.clock.now();
        let database = self.save_database(writer, &mut snapshot, steps).await;
        snapshot.close().await;
        let database = database?;
        steps.report(OBJECTS.0, "objects");
        let objects = self.save_objects(writer, steps).await?;
        let participants = self.save_participants(writer, steps).await?;
        let model = match self.model_files()? {
            Some(files) => {
                steps.report(PARTICIPANTS.1, "embedding model");
                writer.catalogue().apart(Catalogue::clear_files).await?;
                self.find_files(writer, &files, "", |_| true).await?;
                Some(self.save_tree(writer, "models", &files, (MODEL, steps)).await?)
            }
            None => None,
        };
        // A lock that was lost with its connection has protected nothing.
        if !quiet.is_held().await {
            return Err(BackupError::HoldLost);
        }
        quiet.release().await;
        steps.report(MODEL.1, "settings");
        let installation = self.installation().await?;
        let settings = self.save_settings(writer, installation).await?;
        steps.report(MODEL.1, "manifest");
        let key = self.inner.master_key.signing_key(SIGNING_PURPOSE);
        let key = key.map_err(|_| BackupError::Damaged("the master key makes no signing key".into()))?;
        let list = writer.put_blob_list(&Manifest::blobs_key(id)).await?;
        let manifest = Manifest {
            format: FORMAT,
            id,
            sequence,
            kind,
            installation,
            holdfast: env!("CARGO_PKG_VERSION").to_owned(),
            role_prefix: deps.target.role_prefix.clone(),
            taken_at,
            recipients: self.recipients()?.names(),
            database,
            objects,
            participants,
            vectors: None,
            model,
            vector_tables: None,
            settings,
            blobs_sha256: list.sha256,
            blobs: list.blobs,
            total_bytes: list.total_bytes,
            wal: None,
            signer: key.public(),
        };
        writer.put_small(&Manifest::key(id), &manifest.sign(&key)?).await?;
        Ok(manifest)
    }

    async fn save_database(
        &self,
        writer: &Writer,
        snapshot: &mut Snapshot,
        steps: &StepTracker,
    ) -> Result<Database, BackupError> {
        steps.report(DATABASE.0, "database");
        let deps = &self.inner.deps;
        let mut tx = deps.db.system().await?;
        let last = store::last_size(&mut tx).await?.and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
        let files = store::count_known_files(&mut tx).await?;
        tx.commit().await?;
        let dir = self.work_dir();
        // It is smaller after compression; without an estimate, the reserve has to suffice.
        let (free, needed) = (free_bytes(&dir).unwrap_or(u64::MAX), last / 2 + files * LISTED + RESERVE);
        if free < needed {
            return Err(BackupError::DiskFull { dir: dir.display().to_string(), free, needed });
        }
        let file = writer.spool().file();
        let heard = steps.clone();
        let on_bytes = progress::each_mib(last, move |bytes, step| heard.report(DATABASE.at(bytes, last), step));
        let sealer =
            Sealer { pool: self.inner.pool.clone(), recipients: self.recipients()?, traffic: deps.traffic.clone() };
        let dump = snapshot.dump(&deps.target, &sealer, file.path(), on_bytes).await?;
        steps.report(DATABASE.1, "database: copying");
        let blob = writer.put_sealed(&dump.sealed, &file).await?;
        Ok(Database {
            dump: blob,
            server_version: snapshot.server_version.clone(),
            tool_version: dump.tool_version,
            entries: dump.entries,
            schema: dump.schema,
        })
    }

    /// Stores the folders of all rooms.
    async fn save_objects(&self, writer: &Writer, steps: &StepTracker) -> Result<Tree, BackupError> {
        let objects = &self.inner.objects;
        let strangers = objects.strangers().await?;
        if !strangers.is_empty() {
            let folders = strangers.join(", ");
            tracing::info!(
                folders,
                "folders of the object store that belong to no room are not in the backup: {folders}"
            );
        }
        writer.catalogue().apart(Catalogue::clear_files).await?;
        for room in objects.rooms() {
            self.find_files(writer, objects, room, |_| true).await?;
        }
        self.save_tree(writer, "objects", objects, (OBJECTS, steps)).await
    }

    /// Stores the files of the participants.
    async fn save_participants(
        &self,
        writer: &Writer,
        steps: &StepTracker,
    ) -> Result<BTreeMap<String, Part>, BackupError> {
        let all = &self.inner.participants;
        let mut parts = BTreeMap::new();
        for (n, participant) in all.iter().enumerate() {
            let (name, range) = (participant.name(), PARTICIPANTS.piece(n, all.len()));
            steps.report(range.0, name);
            let scratch = WorkFolder::make(&self.work_dir().join("capture"), 0o700)?;
            let captured = participant.capture(scratch.path()).await.map_err(BackupError::of(name))?;
            writer.catalogue().apart(Catalogue::clear_files).await?;
            self.find_files(writer, &captured.files, "", captured.belongs).await?;
            let tree = self.save_tree(writer, name, &captured.files, (range, steps)).await?;
            parts.insert(name.to_owned(), Part { tree, state: captured.state });
        }
        Ok(parts)
    }

    /// Adds the files below `prefix` to the catalogue.
    async fn find_files(
        &self,
        writer: &Writer,
        files: &Storage,
        prefix: &str,
        belongs: impl Fn(&str) -> bool,
    ) -> Result<(), BackupError> {
        let mut found = files.list(prefix).try_ready_chunks(PIECE);
        while let Some(mut entries) = found.try_next().await.map_err(|error| error.1)? {
            entries.retain(|entry| belongs(&entry.key));
            writer.catalogue().apart(move |all| all.add_files(&entries)).await?;
        }
        Ok(())
    }

    /// Stores the files of the catalogue in pieces, so that memory does not grow with their number.
    async fn save_tree(
        &self,
        writer: &Writer,
        name: &'static str,
        files: &Storage,
        (range, steps): (ProgressRange, &StepTracker),
    ) -> Result<Tree, BackupError> {
        let (total, done) = (writer.catalogue().count_files()?, AtomicU64::new(0));
        let on_file = || {
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            steps.report(range.at(done, total), &format!("{name}, {done} of {total}"));
        };
        let mut index = tree::Index::begin(writer.spool().file()).await?;
        let mut after = String::new();
        loop {
            let from = after.clone();
            let entries = writer.catalogue().apart(move |all| all.files(&from, PIECE)).await?;
            let last = entries.last().map(|entry| entry.key.clone());
            let keys: Vec<String> = entries.iter().map(|entry| entry.key.clone()).collect();
            let mut tx = self.inner.db.system().await?;
            let known = store::known_files(&mut tx, name, &keys).await?;
            tx.commit().await?;
            let saved = tree::save(writer, files, entries, &known, on_file).await?;
            index.add(&saved).await?;
            let mut tx = self.inner.db.system().await?;
            match store::remember_files(&mut tx, name, &known, &saved).await {
                // Before the migration that allows any name: the next backup reads these files again.
                Err(error) if db::constraint(&error) == Some("backup_known_files_tree_check") => drop(tx),
                remembered => {
                    remembered?;
                    store::forget_files(&mut tx, name, (&after, last.as_deref()), &keys).await?;
                    tx.commit().await?;
                }
            }
            match last {
                Some(last) => after = last,
                // Entries beyond the last file were deleted with this.
                None => return index.finish(writer).await,
            }
        }
    }

    /// The embedding model's folder, if it is to be included; `doctor` reports a missing one, which needs no copy.
    fn model_files(&self) -> Result<Option<Storage>, BackupError> {
        let deps = &self.inner.deps;
        let folder = deps.model_dir.as_ref().filter(|folder| deps.config.embedding_model && folder.is_dir());
        let Some(folder) = folder else { return Ok(None) };
        let config = storage::Config::default();
        Ok(Some(Storage::open_at("", folder.clone(), &config, deps.lifecycle.clone(), deps.storage_metrics.clone())?))
    }

    /// Records the current step, for the page.
    async fn note_steps(&self, id: BackupId, mut steps: watch::Receiver<String>) -> Infallible {
        loop {
            // The run that sends steps outlives this.
            if steps.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            let step = steps.borrow_and_update().clone();
            let written = async {
                let mut tx = self.inner.db.system().await?;
                store::set_step(&mut tx, id, &step).await?;
                tx.commit().await?;
                Ok::<_, BackupError>(())
            };
            if let Err(error) = written.await {
                tracing::warn!(error = chain(&error), "the step of a backup could not be recorded");
            }
            tokio::time::sleep(NOTED).await;
        }
    }

    pub(super) async fn installation(&self) -> Result<Uuid, BackupError> {
        let mut tx = self.inner.db.system().await?;
        let id = store::installation(&mut tx).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Records the end of a run.
    async fn conclude(
        &self,
        mut backup: Backup,
        step: &str,
        result: Result<(Manifest, Writer), BackupError>,
        unopened: &[(String, String)],
    ) -> Result<Backup, BackupError> {
        let now = self.inner.clock.now();
        let mut tx = self.inner.db.system().await?;
        let last_size = store::last_size(&mut tx).await?;
        (backup.status, backup.finished_at) = (Status::Failed, Some(now));
        step.clone_into(&mut backup.step);
        let mut copies: Vec<(String, Option<String>)> =
            unopened.iter().map(|(name, error)| (name.clone(), Some(error.clone()))).collect();
        match result {
            Ok((manifest, writer)) => {
                copies.extend(writer.outcomes());
                fill(&mut backup, &manifest, writer.added_bytes());
                let failed: Vec<&str> =
                    copies.iter().filter(|(_, e)| e.is_some()).map(|(name, _)| name.as_str()).collect();
                let shrunk = last_size.filter(|last| has_shrunk(&backup, *last));
                backup.error = match (failed.is_empty(), shrunk) {
                    (true, None) => None,
                    (false, _) => Some(format!("no copy at {}", failed.join(", "))),
                    (true, Some(last)) => Some(format!(
                        "the dump has {} bytes, the last verified one had {last}: if that is expected, confirm it with `holdfast backup drill`",
                        backup.database_bytes
                    )),
                };
                backup.status = if backup.error.is_none() { Status::Verified } else { Status::Unverified };
                "done".clone_into(&mut backup.step);
            }
            Err(error) => backup.error = Some(chain(&error)),
        }
        let whole = backup.status != Status::Failed;
        // Blobs that existed before were not read now.
        let verified_at = (backup.added_bytes == backup.total_bytes).then_some(now);
        backup.copies = copies
            .into_iter()
            .map(|(destination, error)| match error {
                None if whole => Copy { destination, status: CopyStatus::Verified, verified_at, error: None },
                error => Copy { destination, status: CopyStatus::Failed, verified_at: None, error },
            })
            .collect();
        store::finish(&mut tx, &backup).await?;
        self.publish_end(&mut tx, &backup).await?;
        tx.commit().await?;
        Ok(backup)
    }

    /// A backup of a database that is older than events, as before an upgrade, is none the worse for it.
    async fn publish_end(&self, tx: &mut Tx, backup: &Backup) -> Result<(), BackupError> {
        let (clock, backup_id) = (&self.inner.clock, backup.id);
        let mut inner = tx.begin().await?;
        let published = if backup.status == Status::Failed {
            events::publish(&mut inner, clock, None, &BackupFailed { backup_id }).await
        } else {
            let event = BackupFinished { backup_id, status: backup.status.as_str(), bytes: backup.total_bytes };
            events::publish(&mut inner, clock, None, &event).await
        };
        match published {
            Ok(_) => inner.commit().await?,
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(UNDEFINED_TABLE) => {
                inner.rollback().await?;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

/// Whether its dump is suspiciously smaller than the last one (`last`, bytes).
pub(super) fn has_shrunk(backup: &Backup, last: i64) -> bool {
    (backup.database_bytes as f64) < last as f64 * SHRUNK
}

/// Copies the figures of a manifest into a backup.
pub(super) fn fill(backup: &mut Backup, manifest: &Manifest, added_bytes: u64) {
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    backup.database_bytes = number(manifest.database.dump.size);
    backup.rows = number(manifest.database.schema.rows.values().sum());
    backup.objects = number(manifest.objects.files);
    backup.vector_files = number(manifest.participants.values().map(|part| part.tree.files).sum());
    backup.total_bytes = number(manifest.total_bytes);
    backup.added_bytes = number(added_bytes);
}

/// Tracks the current step: callers get it at once, the table every second. Cheap to clone.
#[derive(Clone)]
struct StepTracker {
    progress: ProgressReporter,
    current: watch::Sender<String>,
}

impl StepTracker {
    fn new(progress: ProgressReporter) -> Self {
        Self { progress, current: watch::Sender::default() }
    }

    fn report(&self, percent: u8, step: &str) {
        self.current.send_replace(step.to_owned());
        self.progress.report(percent, step);
    }

    fn current(&self) -> String {
        self.current.borrow().clone()
    }

    fn subscribe(&self) -> watch::Receiver<String> {
        self.current.subscribe()
    }
}
