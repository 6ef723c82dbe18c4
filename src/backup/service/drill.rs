//! Restore drills: into a scratch server, with a key from outside the data directory.

use std::path::Path;

use super::{Backups, Restore};
use crate::{
    BackupError, BackupId, Destination,
    keys::KeyFile,
    model::{Copy, CopyStatus, Drill, DrillId, DrillReport, DrillStatus, Status},
    progress::{ProgressRange, ProgressReporter},
    schema,
    spool::WorkFolder,
    store,
};
use platform::{
    crypto::{self, MasterKey},
    data_dir::free_bytes,
    db::{managed::Managed, roles},
    error::chain,
    http::Slice,
};
use storage::Storage;

/// Objects that a drill decrypts and hashes.
const SAMPLE: usize = 50;
/// Bytes of the scratch disk that stay free.
const RESERVE: u64 = 512 << 20;

/// Share of each part of a drill, percent.
const DATABASE: ProgressRange = ProgressRange(0, 70);
const OBJECTS: ProgressRange = ProgressRange(70, 75);
const PARTICIPANTS: ProgressRange = ProgressRange(75, 100);

/// The backup to restore on trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    Newest,
    /// A random older one.
    Old,
    This(BackupId),
}

/// What the failure of a drill is attributed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Culprit {
    /// A full disk, or a missing program.
    Environment,
    /// The copy is intact, but its content differs from the manifest.
    Backup,
    /// Its bytes are not those that were written.
    Copy,
}

impl Backups {
    /// Restores a backup on trial and records the result. A failed drill is in the returned status; an error means that none was started.
    pub async fn drill(
        &self,
        choice: Choice,
        destination: Option<&str>,
        key_file: Option<&Path>,
        progress: &ProgressReporter,
    ) -> Result<Drill, BackupError> {
        let keys = self.key_file(key_file)?;
        let lock = self.lock().await?;
        let mut tx = self.inner.db.system().await?;
        store::fail_abandoned(&mut tx, self.inner.clock.now()).await?;
        tx.commit().await?;
        let (backup_id, name) = self.choose(choice, destination).await?;
        let mut drill = Drill {
            id: DrillId::generate(&self.inner.clock),
            backup_id,
            destination: name.clone(),
            status: DrillStatus::Running,
            started_at: self.inner.clock.now(),
            finished_at: None,
            seconds: None,
            report: DrillReport::default(),
            error: None,
        };
        let mut tx = self.inner.db.system().await?;
        store::begin_drill(&mut tx, &drill).await?;
        tx.commit().await?;
        let began = tokio::time::Instant::now();
        let tried = async {
            let from = self.open_destination(&name).await?;
            let newest = choice == Choice::Newest;
            Box::pin(self.restore_on_trial(from, (backup_id, newest), &keys, &mut drill.report, progress)).await
        };
        let tried = tried.await;
        drill.seconds = Some(began.elapsed().as_secs_f64());
        drill.finished_at = Some(self.inner.clock.now());
        drill.status = match &tried {
            Ok(()) => DrillStatus::Passed,
            // Says nothing about the backup.
            Err(BackupError::DiskFull { .. }) => DrillStatus::NoRoom,
            Err(_) => DrillStatus::Failed,
        };
        let culprit = match &tried {
            Err(error) if error.is_damage() => Culprit::Copy,
            Err(BackupError::Differs(_)) => Culprit::Backup,
            _ => Culprit::Environment,
        };
        drill.error = tried.err().map(|error| chain(&error));
        self.write_down_drill(&drill, culprit).await?;
        self.inner.metrics.drilled(&drill);
        lock.release().await;
        Ok(drill)
    }

    async fn choose(&self, choice: Choice, destination: Option<&str>) -> Result<(BackupId, String), BackupError> {
        match choice {
            Choice::Newest => {
                let backups = self.list(&Slice::first(1000)).await?;
                for name in self.in_turn(destination).await? {
                    if let Some(newest) = backups.iter().find(|backup| backup.is_whole_at(&name)) {
                        return Ok((newest.id, name));
                    }
                }
                Err(BackupError::None)
            }
            Choice::This(id) => {
                let backup = self.get(id).await?;
                let mut names = self.in_turn(destination).await?.into_iter();
                let name = names.find(|name| backup.is_whole_at(name)).ok_or(BackupError::NotFound(id))?;
                Ok((id, name))
            }
            Choice::Old => {
                let all = self.list(&Slice::first(1000)).await?;
                for name in self.in_turn(destination).await? {
                    let old: Vec<_> = all.iter().filter(|backup| backup.is_whole_at(&name)).skip(1).collect();
                    if !old.is_empty() {
                        return Ok((old[crypto::random_below(old.len())].id, name));
                    }
                }
                Err(BackupError::None)
            }
        }
    }

    /// `destination` alone, or every configured one, the one tested longest ago first.
    async fn in_turn(&self, destination: Option<&str>) -> Result<Vec<String>, BackupError> {
        let drills = self.drills(1000).await?;
        let configured = self.inner.config.destinations.keys();
        let mut names: Vec<String> =
            configured.filter(|name| destination.is_none_or(|only| only == *name)).cloned().collect();
        let last = |name: &String| drills.iter().find(|drill| drill.destination == *name).map(|drill| drill.started_at);
        names.sort_by_cached_key(last);
        Ok(names)
    }

    async fn write_down_drill(&self, drill: &Drill, culprit: Culprit) -> Result<(), BackupError> {
        let backup = self.get(drill.backup_id).await?;
        let mut tx = self.inner.db.system().await?;
        store::finish_drill(&mut tx, drill).await?;
        if culprit == Culprit::Copy {
            // The next backup re-reads this destination's blobs before it reuses them.
            let (destination, error) = (drill.destination.clone(), drill.error.clone());
            let copy = Copy { destination, status: CopyStatus::Damaged, verified_at: None, error };
            store::set_copy(&mut tx, drill.backup_id, &copy).await?;
        }
        let copies_fail = backup.copies.iter().any(|copy| copy.error.is_some());
        match (drill.status, backup.status) {
            // Only its size was suspicious: now it is proven.
            (DrillStatus::Passed, Status::Unverified) if !copies_fail => {
                store::set_status(&mut tx, drill.backup_id, Status::Verified, None).await?;
            }
            (DrillStatus::Failed, Status::Verified) if culprit != Culprit::Environment => {
                let error = format!("a drill failed: {}", drill.error.as_deref().unwrap_or_default());
                store::set_status(&mut tx, drill.backup_id, Status::Unverified, Some(&error)).await?;
            }
            _ => {}
        }
        tx.commit().await?;
        Ok(())
    }

    async fn restore_on_trial(
        &self,
        from: Destination,
        (id, newest): (BackupId, bool),
        keys: &KeyFile,
        report: &mut DrillReport,
        progress: &ProgressReporter,
    ) -> Result<(), BackupError> {
        // Verifies the signature, and finds the manifest by the key, like a new host would.
        self.manifest(&from, id).await?;
        let restore = Restore::open(from.clone(), keys, Some(id)).await?;
        if newest {
            // As in a restore on an empty host, which names no backup.
            Restore::open_newest(from, keys, id).await?;
        }
        // The scratch server's user must be able to traverse it.
        let folder = WorkFolder::make(&self.work_dir().join("drill"), 0o711)?;
        let scratch = folder.path();
        let needed = scratch_bytes(restore.manifest.database.dump.size, restore.manifest.participant_bytes());
        let free = free_bytes(scratch).unwrap_or(u64::MAX);
        if free < needed {
            return Err(BackupError::DiskFull { dir: scratch.display().to_string(), free, needed });
        }
        self.try_database(&restore, scratch, report, progress).await?;
        let rest = async {
            progress.report(OBJECTS.0, "objects");
            report.objects = restore.sample_objects(SAMPLE, scratch).await? as u64;
            report.model_files = restore.check_model(scratch).await?;
            self.try_participants(&restore, scratch, report, progress).await
        };
        progress.attend(rest).await
    }

    async fn try_database(
        &self,
        restore: &Restore,
        scratch: &Path,
        report: &mut DrillReport,
        progress: &ProgressReporter,
    ) -> Result<(), BackupError> {
        progress.report(DATABASE.0, "database");
        let key = MasterKey::parse(&crypto::hex(&crypto::random_bytes::<32>()))
            .map_err(|error| BackupError::Damaged(error.to_string()))?;
        let prefix = &restore.manifest.role_prefix;
        let server = Managed::start(scratch, self.inner.server_dir.as_deref(), prefix, &key).await?;
        let loaded = async {
            roles::ensure(server.target()).await?;
            let tools_dir = self.inner.config.tools_dir.as_deref();
            let found = restore.load(server.target(), tools_dir, (DATABASE, progress)).await?;
            report.server = schema::server_version(server.target()).await?;
            Ok::<_, BackupError>(found)
        };
        // The server must end before its folder is removed, in every case.
        let loaded = progress.attend(loaded).await;
        server.stop().await;
        let found = loaded?;
        report.tables = found.rows.len() as u64;
        report.rows = found.rows.values().sum();
        report.constraints = found.constraints.len() as u64;
        report.policies = found.policies.len() as u64;
        Ok(())
    }

    async fn try_participants(
        &self,
        restore: &Restore,
        scratch: &Path,
        report: &mut DrillReport,
        progress: &ProgressReporter,
    ) -> Result<(), BackupError> {
        let (inner, config) = (&self.inner, storage::Config::default());
        let parts = &restore.manifest.participants;
        for (n, (name, part)) in parts.iter().enumerate() {
            // An unknown participant is not tested.
            let participant = self.participant(name)?;
            // One level down, because a name may collide with other folders here.
            let folder = scratch.join("participants").join(name);
            let (lifecycle, metrics) = (inner.lifecycle.clone(), inner.storage_metrics.clone());
            let to = Storage::open_at("", folder.clone(), &config, lifecycle, metrics)?;
            let told = (PARTICIPANTS.piece(n, parts.len()), progress);
            restore.tree((name.as_str(), &part.tree), &to, scratch, told).await?.whole()?;
            let counts = if platform::mutant(32) {
                storage::Counts::new()
            } else {
                participant.drill(&folder, &part.state).await.map_err(BackupError::of(name))?
            };
            report.participants.insert(name.clone(), counts);
        }
        let sum = |what: &str| report.participants.values().filter_map(|counts| counts.get(what)).sum();
        (report.vector_tables, report.vectors) = (sum("vector_tables"), sum("vectors"));
        Ok(())
    }
}

/// Disk space of a drill. A loaded database takes about twice its dump: rows, indexes, WAL.
pub(super) fn scratch_bytes(dump: u64, participants: u64) -> u64 {
    let participants = if platform::mutant(33) { 0 } else { participants };
    dump.saturating_mul(2).saturating_add(participants).saturating_add(RESERVE)
}
