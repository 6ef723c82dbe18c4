//! Restoring on trial: into a scratch server, with a key that does not come from the data directory.

use std::path::Path;

use super::{Backups, Restore};
use crate::{
    backup::{
        BackupError, BackupId, Destination,
        keys::KeyFile,
        model::{Copy, CopyStatus, Drill, DrillId, DrillReport, DrillStatus, Status},
        schema,
        spool::WorkFolder,
        store,
        watcher::{Stretch, Watcher},
    },
    platform::{
        crypto::{self, MasterKey},
        data_dir::free_bytes,
        db::{managed::Managed, roles},
        error::chain,
    },
    storage::{self, Storage},
};

/// Objects that a drill opens and hashes.
const SAMPLE: usize = 50;
/// The scratch disk keeps this much for others, bytes.
const RESERVE: u64 = 512 << 20;

/// What each part takes of a drill, percent.
const DATABASE: Stretch = Stretch(0, 70);
const OBJECTS: Stretch = Stretch(70, 75);
const PARTICIPANTS: Stretch = Stretch(75, 100);

/// Which backup is restored on trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    Newest,
    /// One of the older ones, by chance.
    Old,
    This(BackupId),
}

/// What a drill that failed says something of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blamed {
    /// A full disk, or a missing program.
    Nothing,
    /// It is whole, and holds something else than it says.
    Backup,
    /// Its bytes are not what was written.
    Copy,
}

impl Backups {
    /// Restores a backup on trial and writes down what came out. The drill failed when its status says so; an error here means
    /// that none was begun.
    pub async fn drill(
        &self,
        choice: Choice,
        destination: Option<&str>,
        key_file: Option<&Path>,
        watcher: &Watcher,
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
            Box::pin(self.restore_on_trial(from, (backup_id, newest), &keys, &mut drill.report, watcher)).await
        };
        let tried = tried.await;
        drill.seconds = Some(began.elapsed().as_secs_f64());
        drill.finished_at = Some(self.inner.clock.now());
        drill.status = match &tried {
            Ok(()) => DrillStatus::Passed,
            // Says nothing of the backup.
            Err(BackupError::DiskFull { .. }) => DrillStatus::NoRoom,
            Err(_) => DrillStatus::Failed,
        };
        let blamed = match &tried {
            Err(error) if error.is_damage() => Blamed::Copy,
            Err(BackupError::Differs(_)) => Blamed::Backup,
            _ => Blamed::Nothing,
        };
        drill.error = tried.err().map(|error| chain(&error));
        self.write_down_drill(&drill, blamed).await?;
        self.inner.metrics.drilled(&drill);
        lock.release().await;
        Ok(drill)
    }

    async fn choose(&self, choice: Choice, destination: Option<&str>) -> Result<(BackupId, String), BackupError> {
        match choice {
            Choice::Newest => {
                let backups = self.list(None, 1000).await?;
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
                let all = self.list(None, 1000).await?;
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

    /// `destination` alone, or every one that is configured, the one that was tried the longest ago first.
    async fn in_turn(&self, destination: Option<&str>) -> Result<Vec<String>, BackupError> {
        let drills = self.drills(1000).await?;
        let configured = self.inner.config.destinations.keys();
        let mut names: Vec<String> =
            configured.filter(|name| destination.is_none_or(|only| only == *name)).cloned().collect();
        let last = |name: &String| drills.iter().find(|drill| drill.destination == *name).map(|drill| drill.started_at);
        names.sort_by_cached_key(last);
        Ok(names)
    }

    async fn write_down_drill(&self, drill: &Drill, blamed: Blamed) -> Result<(), BackupError> {
        let backup = self.get(drill.backup_id).await?;
        let mut tx = self.inner.db.system().await?;
        store::finish_drill(&mut tx, drill).await?;
        if blamed == Blamed::Copy {
            // The next backup reads what lies there before it uses it.
            let (destination, error) = (drill.destination.clone(), drill.error.clone());
            let copy = Copy { destination, status: CopyStatus::Damaged, verified_at: None, error };
            store::set_copy(&mut tx, drill.backup_id, &copy).await?;
        }
        let copies_fail = backup.copies.iter().any(|copy| copy.error.is_some());
        match (drill.status, backup.status) {
            // Only its size was odd: now it is proven.
            (DrillStatus::Passed, Status::Unverified) if !copies_fail => {
                store::set_status(&mut tx, drill.backup_id, Status::Verified, None).await?;
            }
            (DrillStatus::Failed, Status::Verified) if blamed != Blamed::Nothing => {
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
        watcher: &Watcher,
    ) -> Result<(), BackupError> {
        // Signed by us, and found by the key as on a host that knows nothing of us.
        self.manifest(&from, id).await?;
        let restore = Restore::open(from.clone(), keys, Some(id)).await?;
        if newest {
            // As the page of disaster recovery does it, which names none.
            Restore::open_newest(from, keys, id).await?;
        }
        // The scratch server's user passes through it.
        let folder = WorkFolder::make(&self.work_dir().join("drill"), 0o711)?;
        let scratch = folder.path();
        let needed = scratch_bytes(restore.manifest.database.dump.size, restore.manifest.participant_bytes());
        let free = free_bytes(scratch).unwrap_or(u64::MAX);
        if free < needed {
            return Err(BackupError::DiskFull { dir: scratch.display().to_string(), free, needed });
        }
        self.try_database(&restore, scratch, report, watcher).await?;
        let rest = async {
            watcher.say(OBJECTS.0, "objects");
            report.objects = restore.sample_objects(SAMPLE, scratch).await? as u64;
            report.model_files = restore.check_model(scratch).await?;
            self.try_participants(&restore, scratch, report, watcher).await
        };
        watcher.attend(rest).await
    }

    async fn try_database(
        &self,
        restore: &Restore,
        scratch: &Path,
        report: &mut DrillReport,
        watcher: &Watcher,
    ) -> Result<(), BackupError> {
        watcher.say(DATABASE.0, "database");
        let key = MasterKey::parse(&crypto::hex(&crypto::random_bytes::<32>()))
            .map_err(|error| BackupError::Damaged(error.to_string()))?;
        let prefix = &restore.manifest.role_prefix;
        let server = Managed::start(scratch, self.inner.server_dir.as_deref(), prefix, &key).await?;
        let loaded = async {
            roles::ensure(server.target()).await?;
            let tools_dir = self.inner.config.tools_dir.as_deref();
            let found = restore.load(server.target(), tools_dir, (DATABASE, watcher)).await?;
            report.server = schema::server_version(server.target()).await?;
            Ok::<_, BackupError>(found)
        };
        // The server ends before its folder does, whatever happens.
        let loaded = watcher.attend(loaded).await;
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
        watcher: &Watcher,
    ) -> Result<(), BackupError> {
        let (inner, config) = (&self.inner, storage::Config::default());
        let parts = &restore.manifest.participants;
        for (n, (name, part)) in parts.iter().enumerate() {
            // What nobody here knows is not proven.
            let participant = self.participant(name)?;
            // One level down: a name may be that of something else here.
            let folder = scratch.join("participants").join(name);
            let (lifecycle, metrics) = (inner.lifecycle.clone(), inner.storage_metrics.clone());
            let to = Storage::open_at("", folder.clone(), &config, lifecycle, metrics)?;
            let told = (PARTICIPANTS.piece(n, parts.len()), watcher);
            restore.tree((name.as_str(), &part.tree), &to, scratch, told).await?.whole()?;
            let counts = participant.drill(&folder, &part.state).await.map_err(BackupError::of(name))?;
            report.participants.insert(name.clone(), counts);
        }
        let sum = |what: &str| report.participants.values().filter_map(|counts| counts.get(what)).sum();
        (report.vector_tables, report.vectors) = (sum("vector_tables"), sum("vectors"));
        Ok(())
    }
}

/// What a trial takes. A loaded database takes about twice its dump: rows, indexes, write-ahead log.
pub(super) fn scratch_bytes(dump: u64, participants: u64) -> u64 {
    dump.saturating_mul(2).saturating_add(participants).saturating_add(RESERVE)
}
