//! Restoring on trial: into a scratch server, with a key that does not come from the data directory.

use std::{
    collections::BTreeMap,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use futures::TryStreamExt as _;
use sqlx::{Connection as _, PgConnection};

use super::Backups;
use crate::{
    backup::{
        BackupError, BackupId, Destination, dump,
        keys::KeyFile,
        manifest::Manifest,
        model::{Backup, Copy, CopyStatus, Drill, DrillId, DrillReport, DrillStatus, Status},
        schema,
        seal::Identity,
        service::run::OnStep,
        store, tree,
        writer::describe,
    },
    knowledge::index::{IndexOptions, VectorIndex},
    platform::{
        crypto::{self, MasterKey},
        data_dir::free_bytes,
        db::{managed::Managed, roles, tools::Tools},
    },
    storage::{self, Storage},
};

/// Objects that a drill opens and hashes.
const OBJECTS: usize = 50;
/// The scratch disk keeps this much for others, bytes.
const RESERVE: u64 = 512 << 20;

/// Which backup is restored on trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    Newest,
    /// One of the older ones, by chance.
    Old,
    This(BackupId),
}

impl Backups {
    /// Restores a backup on trial and writes down what came out. The drill failed when its status says so; an error here means
    /// that none was begun.
    pub async fn drill(
        &self,
        choice: Choice,
        destination: Option<&str>,
        key_file: Option<&Path>,
        on_step: &OnStep,
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
            let from = self.open_destination(&name)?;
            self.restore_on_trial(&from, backup_id, &keys, &mut drill.report, on_step).await
        };
        let tried = tokio::select! {
            tried = tried => tried,
            () = self.inner.lifecycle.soft().cancelled() => Err(BackupError::Cancelled),
        };
        drill.seconds = Some(began.elapsed().as_secs_f64());
        drill.finished_at = Some(self.inner.clock.now());
        drill.status = if tried.is_ok() { DrillStatus::Passed } else { DrillStatus::Failed };
        drill.error = tried.err().map(|error| describe(&error));
        self.write_down_drill(&drill).await?;
        self.inner.metrics.drilled(&drill);
        lock.release().await;
        Ok(drill)
    }

    async fn choose(&self, choice: Choice, destination: Option<&str>) -> Result<(BackupId, String), BackupError> {
        match choice {
            Choice::Newest => {
                let (backup, name) = self.newest_whole(destination).await?;
                Ok((backup.id, name))
            }
            Choice::This(id) => {
                let backup = self.get(id).await?;
                let name = self.whole_copy(&backup, destination).ok_or(BackupError::NotFound(id))?;
                Ok((id, name))
            }
            Choice::Old => {
                let all = self.list(None, 1000).await?;
                let old: Vec<_> =
                    all.iter().filter_map(|b| Some((b.id, self.whole_copy(b, destination)?))).skip(1).collect();
                if old.is_empty() {
                    return Err(BackupError::None);
                }
                Ok(old[crypto::random_below(old.len())].clone())
            }
        }
    }

    /// Where a backup lies whole, at `destination` or anywhere that is configured.
    pub(super) fn whole_copy(&self, backup: &Backup, destination: Option<&str>) -> Option<String> {
        let whole = |copy: &&Copy| {
            copy.status == CopyStatus::Verified
                && destination.is_none_or(|name| name == copy.destination)
                && self.inner.config.destinations.contains_key(&copy.destination)
        };
        backup.copies.iter().find(whole).map(|copy| copy.destination.clone())
    }

    async fn write_down_drill(&self, drill: &Drill) -> Result<(), BackupError> {
        let backup = self.get(drill.backup_id).await?;
        let mut tx = self.inner.db.system().await?;
        store::finish_drill(&mut tx, drill).await?;
        let copies_fail = backup.copies.iter().any(|copy| copy.error.is_some());
        match (drill.status, backup.status) {
            // Only its size was odd: now it is proven.
            (DrillStatus::Passed, Status::Unverified) if !copies_fail => {
                store::set_status(&mut tx, drill.backup_id, Status::Verified, None).await?;
            }
            (DrillStatus::Failed, Status::Verified) if drill.error.as_deref() != Some("cancelled") => {
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
        from: &Destination,
        id: BackupId,
        keys: &KeyFile,
        report: &mut DrillReport,
        on_step: &OnStep,
    ) -> Result<(), BackupError> {
        let manifest = self.manifest(from, id).await?;
        let identity = keys.for_recipients(&manifest.recipients)?;
        let scratch = Scratch::make(&self.work_dir().join("drill"))?;
        // A loaded database takes about twice its dump: rows, indexes, write-ahead log.
        let needed = manifest.database.dump.size * 2 + manifest.vectors.bytes + RESERVE;
        let free = free_bytes(&scratch.0).unwrap_or(u64::MAX);
        if free < needed {
            return Err(BackupError::DiskFull { dir: scratch.0.display().to_string(), free, needed });
        }
        on_step("database");
        self.try_database(from, &manifest, identity, &scratch.0, report).await?;
        on_step("objects");
        self.try_objects(from, &manifest, identity, report).await?;
        on_step("vectors");
        self.try_vectors(from, &manifest, identity, &scratch.0, report).await
    }

    async fn try_database(
        &self,
        from: &Destination,
        manifest: &Manifest,
        identity: &Identity,
        scratch: &Path,
        report: &mut DrillReport,
    ) -> Result<(), BackupError> {
        let key = MasterKey::parse(&crypto::hex(&crypto::random_bytes::<32>()))
            .map_err(|error| BackupError::Damaged(error.to_string()))?;
        let server = Managed::start(scratch, self.inner.server_dir.as_deref(), &manifest.role_prefix, &key).await?;
        let result = async {
            let target = server.target();
            roles::ensure(target).await?;
            let (dir, major) = (self.inner.config.tools_dir.clone(), major(&manifest.database.tool_version));
            let tools = self.inner.pool.run(move || Tools::find(dir.as_deref(), major)).await;
            let tools = tools.map_err(dump::DumpError::from)?.map_err(dump::DumpError::from)?;
            let data = tree::open_blob(&self.inner.pool, from, identity, &manifest.database.dump).await?;
            dump::restore(target, &tools, data).await?;
            let mut conn = PgConnection::connect_with(&target.admin).await?;
            let found = schema::describe(&mut conn).await?;
            report.server = sqlx::query_scalar("SELECT current_setting('server_version')").fetch_one(&mut conn).await?;
            let _ = conn.close().await;
            Ok::<_, BackupError>(found)
        };
        let found = result.await;
        server.stop().await;
        let found = found?;
        report.tables = found.rows.len() as u64;
        report.rows = found.rows.values().sum();
        report.constraints = found.constraints.len() as u64;
        report.policies = found.policies.len() as u64;
        let differences = schema::differences(&manifest.database.schema, &found);
        if differences.is_empty() { Ok(()) } else { Err(BackupError::Differs(differences.join("; "))) }
    }

    async fn try_objects(
        &self,
        from: &Destination,
        manifest: &Manifest,
        identity: &Identity,
        report: &mut DrillReport,
    ) -> Result<(), BackupError> {
        let mut files = tree::entries(&self.inner.pool, from, identity, &manifest.objects).await?;
        // A sample: `verify` reads all of them.
        for at in 0..files.len().min(OBJECTS) {
            let other = at + crypto::random_below(files.len() - at);
            files.swap(at, other);
        }
        for file in files.iter().take(OBJECTS) {
            let content = tree::open_blob(&self.inner.pool, from, identity, &file.blob).await?;
            content.try_for_each(|_| std::future::ready(Ok(()))).await?;
            report.objects += 1;
        }
        Ok(())
    }

    async fn try_vectors(
        &self,
        from: &Destination,
        manifest: &Manifest,
        identity: &Identity,
        scratch: &Path,
        report: &mut DrillReport,
    ) -> Result<(), BackupError> {
        let folder = scratch.join("vectors");
        let files = tree::entries(&self.inner.pool, from, identity, &manifest.vectors).await?;
        let Backups { inner } = self;
        let config = storage::Config::default();
        let to = Storage::open_at("", folder.clone(), &config, inner.lifecycle.clone(), inner.storage_metrics.clone())?;
        tree::restore(&inner.pool, from, identity, &files, &to, |_| {}).await?;
        let index = VectorIndex::new(&folder.display().to_string(), IndexOptions::default());
        let mut found = BTreeMap::new();
        for table in index.list_tables().await? {
            found.insert(table.clone(), index.state(&table).await?);
            if !index.finds_itself(&table).await? {
                return Err(BackupError::Differs(format!(
                    "a search in vector table {table} does not find what is in it"
                )));
            }
        }
        if found != manifest.vector_tables {
            return Err(BackupError::Differs(format!(
                "vector tables {found:?} instead of {:?}",
                manifest.vector_tables
            )));
        }
        report.vector_tables = found.len() as u64;
        report.vectors = found.values().map(|state| state.rows).sum();
        Ok(())
    }
}

/// The major version in `15.18` or `18devel`.
pub(in crate::backup) fn major(version: &str) -> u32 {
    version.split(|c: char| !c.is_ascii_digit()).next().and_then(|n| n.parse().ok()).unwrap_or_default()
}

/// A folder for a trial, removed with everything in it.
struct Scratch(PathBuf);

impl Scratch {
    /// Below `parent`, which is cleared of what a killed drill left. The name is new each time: its server may still run.
    fn make(parent: &Path) -> Result<Self, BackupError> {
        match std::fs::remove_dir_all(parent) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(BackupError::io(parent)(error)),
            _ => {}
        }
        let dir = parent.join(crypto::hex(&crypto::random_bytes::<4>()));
        // The scratch server's user passes through, and lists nothing.
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true).mode(0o711);
        builder.create(&dir).map_err(BackupError::io(&dir))?;
        Ok(Self(dir))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, dir = %self.0.display(), "a drill's folder could not be removed");
        }
    }
}
