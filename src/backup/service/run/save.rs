//! The parts of a backup: database, objects, participants, files of the embedding model.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

use futures::TryStreamExt as _;

use super::{Backups, DATABASE, OBJECTS, PARTICIPANTS, steps::StepTracker};
use crate::{
    BackupError,
    catalogue::Catalogue,
    dump::Snapshot,
    manifest::{Database, Part, Tree},
    progress::{self, ProgressRange},
    sealer::Sealer,
    spool::WorkFolder,
    store, tree,
    writer::Writer,
};
use platform::{data_dir::free_bytes, db};
use storage::Storage;

/// Files processed together: the page size of a local listing.
const PIECE: usize = 1024;
/// Spool space per file besides its content, bytes: in the catalogue, the index and the list of blobs.
const LISTED: u64 = 1024;
/// Bytes of the spool's disk that stay free.
const RESERVE: u64 = 256 << 20;

impl Backups {
    pub(super) async fn save_database(
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
    pub(super) async fn save_objects(&self, writer: &Writer, steps: &StepTracker) -> Result<Tree, BackupError> {
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
    pub(super) async fn save_participants(
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
    pub(super) async fn find_files(
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
    pub(super) async fn save_tree(
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
    pub(super) fn model_files(&self) -> Result<Option<Storage>, BackupError> {
        let deps = &self.inner.deps;
        let folder = deps.model_dir.as_ref().filter(|folder| deps.config.embedding_model && folder.is_dir());
        let Some(folder) = folder else { return Ok(None) };
        let config = storage::Config::default();
        Ok(Some(Storage::open_at("", folder.clone(), &config, deps.lifecycle.clone(), deps.storage_metrics.clone())?))
    }
}
