//! Makes a backup.
//!
//! Everything is of one point in time: first all deletions of files are blocked (a lock that deletions share), then the database snapshot
//! is taken. Whatever a row of the snapshot refers to still exists when it is copied; files added later are surplus, and are swept after a
//! restore as after a crash.

mod conclude;
mod save;
mod steps;

use std::time::Duration;

use uuid::Uuid;

pub(super) use conclude::{fill, has_shrunk};

use super::Backups;
use crate::{
    BackupError, BackupId, Destination,
    catalogue::Catalogue,
    dump::Snapshot,
    keys::SIGNING_PURPOSE,
    manifest::{FORMAT, Manifest},
    model::{Backup, Kind},
    progress::{ProgressRange, ProgressReporter},
    store,
    unfinished::Unfinished,
    writer::Writer,
};
use platform::error::chain;
use steps::StepTracker;

/// How long to wait for running deletions.
const QUIET: Duration = Duration::from_secs(120);

/// Share of each part of a run, percent; settings and manifest take the rest.
const DATABASE: ProgressRange = ProgressRange(0, 60);
const OBJECTS: ProgressRange = ProgressRange(60, 85);
const PARTICIPANTS: ProgressRange = ProgressRange(85, 93);
const MODEL: ProgressRange = ProgressRange(93, 95);

impl Backups {
    /// Makes a backup. An error means that it failed; otherwise check its status.
    pub async fn run(&self, kind: Kind, progress: &ProgressReporter) -> Result<Backup, BackupError> {
        let recipients = self.recipients()?;
        // A backup of a half-restored installation would be incomplete, and the newest.
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
        if !quiet.is_held().await && !platform::mutant(28) {
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

    pub(super) async fn installation(&self) -> Result<Uuid, BackupError> {
        let mut tx = self.inner.db.system().await?;
        let id = store::installation(&mut tx).await?;
        tx.commit().await?;
        Ok(id)
    }
}
