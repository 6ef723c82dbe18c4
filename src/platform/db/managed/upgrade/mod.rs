//! Upgrade of the private cluster to a newer major version of PostgreSQL, and rollback: `holdfast upgrade-postgres`.
//!
//! [`Pair::find`] chooses the binaries. [`Upgrade::look`] makes every check that is possible while the old server runs. [`Upgrade::run`]
//! builds the new cluster beside the old one with `pg_upgrade`, starts it there, compares both, and exchanges them as the last step
//! ([`Folders`]): until then the old cluster is untouched, afterwards the new one is complete. [`recover`] runs before each start of the
//! cluster and cleans up after an interrupted run.

mod error;
mod facts;
mod folders;
mod pair;
mod rollback;
mod tools;

use std::{
    fs,
    path::{Path, PathBuf},
};

use sqlx::postgres::PgConnectOptions;

use super::{Layout, ManagedError, SUPERUSER, binaries::Binaries, cluster, postmaster};
use crate::{crypto::MasterKey, db::verify, disk::Space};
use facts::{Facts, STATEMENTS, STATEMENTS_IN};
use tools::Mode;

pub use error::UpgradeError;
pub use folders::{Folders, Kept};
pub use pair::{Pair, newest_installed};
pub use rollback::Rollback;

/// Space for the new cluster besides copied files: its catalogs, its log, and a reserve.
const ROOM: u64 = 256 << 20;

/// Plan of an upgrade.
#[derive(Clone, Debug)]
pub struct Plan {
    pub old: Binaries,
    pub new: Binaries,
    /// Bytes to copy; 0 if the file system clones files.
    pub copied: u64,
    pub free: u64,
    pub kept: PathBuf,
    /// What will differ afterwards.
    pub notes: Vec<String>,
}

/// An upgrade that was checked but not started.
#[derive(Debug)]
pub struct Upgrade {
    pub plan: Plan,
    old: Layout,
    new: Layout,
    folders: Folders,
    key: MasterKey,
    mode: Mode,
    /// The new version lacks `pg_stat_statements`: the extension is dropped first.
    drops_statements: bool,
    _claim: fs::File,
}

impl Upgrade {
    /// Makes all checks while the old server runs, including `pg_upgrade --check`. Changes nothing; [`Self::discard`] removes the files in
    /// the upgrade folder, and so does a failure.
    pub async fn look(
        data_dir: &Path,
        pair: Pair,
        admin: &PgConnectOptions,
        key: &MasterKey,
        report: &dyn Fn(&str),
    ) -> Result<Self, UpgradeError> {
        let old = Layout::of(data_dir, pair.old.clone())?;
        let folders = Folders::of(old.cluster.parent().unwrap_or(data_dir));
        if let Some(kept) = [&folders.before, &folders.after].into_iter().find(|path| path.exists()) {
            return Err(UpgradeError::Kept(kept.display().to_string()));
        }
        let new = Layout { cluster: folders.fresh.clone(), binaries: pair.new.clone(), ..old.clone() };
        let claim = folders.claim()?.ok_or(UpgradeError::UnderWay)?;
        let mut upgrade = Self {
            plan: Plan {
                copied: 0,
                free: 0,
                kept: folders.before.clone(),
                notes: Vec::new(),
                old: pair.old,
                new: pair.new,
            },
            drops_statements: false,
            mode: if folders.can_clone() { Mode::Clone } else { Mode::Copy },
            key: key.clone(),
            old,
            new,
            folders,
            _claim: claim,
        };
        match upgrade.look_at_all(admin, report).await {
            Ok(()) => Ok(upgrade),
            Err(error) => {
                upgrade.discard().await;
                Err(error)
            }
        }
    }

    async fn look_at_all(&mut self, admin: &PgConnectOptions, report: &dyn Fn(&str)) -> Result<(), UpgradeError> {
        let (old, new) = (&self.plan.old, &self.plan.new);
        let mut findings: Vec<String> = tools::missing_programs(old, new).into_iter().collect();
        findings.extend(verify::leaks(i32::try_from(new.major).unwrap_or(0), i32::try_from(new.minor).unwrap_or(0)));
        findings.extend(self.folders.cannot_move());
        let spaces = self.folders.cluster.join("pg_tblspc");
        if fs::read_dir(&spaces).is_ok_and(|mut entries| entries.next().is_some()) {
            findings.push(format!(
                "{} has user-defined tablespaces: this command only moves clusters that are in one folder",
                spaces.display()
            ));
        }
        findings.extend(self.measure()?);
        if !findings.is_empty() {
            return Err(UpgradeError::NotReady(findings));
        }
        let slots = facts::replication_slots(admin).await?;
        if !slots.is_empty() {
            self.plan.notes.push(format!(
                "replication slots are not carried over ({}): their consumers must start again",
                slots.join(", ")
            ));
        }
        if fs::symlink_metadata(self.folders.cluster.join("pg_wal")).is_ok_and(|meta| meta.is_symlink()) {
            self.plan
                .notes
                .push("pg_wal is a symbolic link: the new cluster keeps its own inside its folder".to_owned());
        }
        report("... creating an empty cluster of the new version");
        self.make_empty().await?;
        let findings = self.look_at_extensions(admin).await?;
        if !findings.is_empty() {
            return Err(UpgradeError::NotReady(findings));
        }
        report("... pg_upgrade --check");
        let checked =
            tools::pg_upgrade((&self.old, &self.new), &self.folders, &self.password(), Mode::Check, report).await?;
        match checked {
            // The check stops there; `pg_upgrade` repeats the remaining checks before it upgrades.
            Err(_) if self.drops_statements && tools::lacks_only(&self.new, STATEMENTS, STATEMENTS_IN) => Ok(()),
            Err(complaint) => Err(UpgradeError::NotReady(complaint.lines().map(str::to_owned).collect())),
            Ok(()) => Ok(()),
        }
    }

    /// Is there enough space?
    fn measure(&mut self) -> Result<Option<String>, ManagedError> {
        let data = &self.folders.data;
        let space = Space::of(data).map_err(super::io(format!("cannot read the free space of {}", data.display())))?;
        self.plan.free = space.free;
        if self.mode == Mode::Copy {
            self.plan.copied = self.folders.size_to_copy();
        }
        let needed = self.plan.copied + ROOM;
        Ok((needed > space.free).then(|| {
            format!(
                "too little disk space in {}: the new cluster needs {} MiB beside the old one, {} MiB are free",
                data.display(),
                needed.div_ceil(1 << 20),
                space.free >> 20
            )
        }))
    }

    async fn make_empty(&self) -> Result<(), ManagedError> {
        self.new.own(&self.folders.work)?;
        let shape = tools::shape(&self.old, self.new.binaries.major).await?;
        cluster::initialise(&self.new, SUPERUSER, &self.password(), &shape).await?;
        self.folders.copy_settings(&self.new)?;
        cluster::configure(&self.new)
    }

    /// Does the new version start with these settings, and does it have the extensions in use?
    async fn look_at_extensions(&mut self, admin: &PgConnectOptions) -> Result<Vec<String>, UpgradeError> {
        tools::start(&self.new, &self.folders.work).await?;
        let available = facts::available_extensions(&self.beside()).await;
        tools::stop(&self.new).await?;
        let (available, version) = (available?, self.new.binaries.major);
        let mut findings = Vec::new();
        for (database, extensions) in facts::all_extensions(admin).await? {
            for extension in extensions.difference(&available) {
                if extension == STATEMENTS && database == STATEMENTS_IN {
                    self.drops_statements = true;
                    self.plan.notes.push(format!(
                        "PostgreSQL {version} here has no {STATEMENTS} (Debian has it in postgresql-{version}, others in a contrib \
                         package): the cost of statements is not recorded until it is installed"
                    ));
                } else {
                    findings.push(format!(
                        "extension {extension} of database {database} is not installed for PostgreSQL {version}"
                    ));
                }
            }
        }
        Ok(findings)
    }

    fn password(&self) -> String {
        super::superuser_password(&self.key)
    }

    /// Connection to the new server before the exchange.
    fn beside(&self) -> PgConnectOptions {
        super::admin_options(&self.new.socket_dir, &self.password()).port(tools::PORT)
    }

    /// Facts that both clusters must share: collected in the old server's last run, without other sessions.
    pub async fn count(&self, admin: &PgConnectOptions) -> Result<Counted, UpgradeError> {
        if self.drops_statements {
            facts::drop_statements(admin).await?;
        }
        Ok(Counted(Facts::gather(admin).await?))
    }

    /// Builds the new cluster and moves it into place. The old server must be stopped. If this fails or is dropped, the old cluster is in
    /// place, unchanged.
    pub async fn run(self, counted: &Counted, report: &dyn Fn(&str)) -> Result<(), UpgradeError> {
        let (from, to) = (self.old.binaries.major, self.new.binaries.major);
        tracing::info!(from, to, "upgrading PostgreSQL");
        // Recreates the socket's folder, which was removed with the old server.
        Layout::of(&self.folders.data, self.old.binaries.clone())?;
        if let Err(error) = self.make(counted, report).await {
            tracing::error!(from, to, error = &error as &dyn std::error::Error, "PostgreSQL is not upgraded");
            self.discard().await;
            return Err(error);
        }
        // No await from here on.
        self.folders.switch()?;
        tracing::info!(from, to, kept = %self.folders.before.display(), "PostgreSQL is upgraded");
        let _ = folders::remove(&self.folders.work);
        let _ = folders::remove(&self.folders.failed);
        let _ = fs::remove_dir(&self.new.socket_dir);
        Ok(())
    }

    async fn make(&self, counted: &Counted, report: &dyn Fn(&str)) -> Result<(), UpgradeError> {
        // Left by the check; it would stay in the new cluster.
        folders::remove(&self.folders.fresh.join("pg_upgrade_output.d"))?;
        report(match self.mode {
            Mode::Clone => "... pg_upgrade: the definitions, then clones of the files",
            _ => "... pg_upgrade: the definitions, then copies of the files",
        });
        let upgraded =
            tools::pg_upgrade((&self.old, &self.new), &self.folders, &self.password(), self.mode, report).await?;
        if let Err(complaint) = upgraded {
            let mut lines: Vec<String> = complaint.lines().map(str::to_owned).collect();
            lines.extend(self.folders.keep_logs().map(|logs| format!("its logs are in {}", logs.display())));
            return Err(UpgradeError::NotReady(lines));
        }
        report("... starting the new version beside the old one");
        tools::start(&self.new, &self.folders.work).await?;
        let finished = self.finish(counted, report).await;
        let stopped = tools::stop(&self.new).await;
        finished?;
        Ok(stopped?)
    }

    async fn finish(&self, counted: &Counted, report: &dyn Fn(&str)) -> Result<(), UpgradeError> {
        // Failures below cost speed, not data, and can be repaired later.
        if let Err(error) = tools::update_extensions(&self.new, &self.folders.work, &self.password()).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "extensions were not updated");
            report(&format!("WARNING: extensions keep their old version: {error}"));
        }
        report("... the planner's statistics (vacuumdb --analyze-in-stages)");
        if let Err(error) = tools::analyze(&self.new, &self.password()).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the planner's statistics were not collected");
            report(&format!(
                "WARNING: the planner's statistics were not collected, so queries are slow at first: {error}"
            ));
        }
        report("... comparing every table's rows");
        let differences = counted.0.differences(&Facts::gather(&self.beside()).await?);
        if differences.is_empty() { Ok(()) } else { Err(UpgradeError::Different(differences)) }
    }

    /// Removes the new cluster; the old one stays as it is.
    pub async fn discard(&self) {
        if let Err(error) = throw_away(&self.folders).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the folder of the upgrade stays");
        }
    }
}

/// Facts of the old cluster at its last stop.
#[derive(Debug)]
pub struct Counted(Facts);

impl Counted {
    pub fn rows(&self) -> i64 {
        self.0.rows()
    }

    pub fn tables(&self) -> usize {
        self.0.tables()
    }
}

async fn throw_away(folders: &Folders) -> Result<(), ManagedError> {
    tools::end_orphans(folders).await;
    postmaster::stop_leftover(&folders.fresh).await?;
    folders::remove(&folders.work)
}

/// Removes the files of a check that ran beside the appliance.
pub async fn clear(data_dir: &Path) -> Result<(), ManagedError> {
    let folders = Folders::of(data_dir);
    if !folders.work.exists() || folders.fresh_is_former() {
        return Ok(());
    }
    let Some(_claim) = folders.hold()? else { return Ok(()) };
    throw_away(&folders).await
}

/// Cleans up after an interrupted upgrade. The data directory must be locked.
pub async fn recover(data_dir: &Path) -> Result<(), ManagedError> {
    let folders = Folders::of(data_dir);
    if folders.is_in_order() {
        return Ok(());
    }
    if folders.work.exists() {
        // A check beside the appliance (--dry-run) is running; it cleans up after itself.
        let Some(_claim) = folders.hold()? else { return Ok(()) };
        tools::end_orphans(&folders).await;
        postmaster::stop_leftover(&folders.fresh).await?;
        postmaster::stop_leftover(&folders.cluster).await?;
    }
    for done in folders.put_in_order()? {
        tracing::warn!("an upgrade of PostgreSQL was interrupted: {done}");
    }
    Ok(())
}
