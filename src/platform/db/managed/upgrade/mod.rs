//! The private cluster to a newer major version of PostgreSQL, and back: `holdfast upgrade-postgres`.
//!
//! [`Pair::find`] chooses the programs, [`Upgrade::look`] refuses whatever can be refused while the old server runs, [`Upgrade::run`] makes
//! the new cluster beside the old one with `pg_upgrade`, starts it there, compares both, and lets them change places as the last step
//! ([`Folders`]): up to there the old cluster is untouched in its place, from there on the new one is whole in it. [`recover`] comes before
//! each start of the cluster and finds nothing to do, or what a run has left that was cut off.

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
use crate::platform::{crypto::MasterKey, db::verify, disk::Space};
use facts::{Facts, STATEMENTS, STATEMENTS_IN};
use tools::Mode;

pub use error::UpgradeError;
pub use folders::{Folders, Kept};
pub use pair::{Pair, newest_installed};
pub use rollback::Rollback;

/// What the new cluster needs beside copies of the old one's files: its own catalogs, its log, and room to breathe.
const ROOM: u64 = 256 << 20;

/// What an upgrade would do.
#[derive(Clone, Debug)]
pub struct Plan {
    pub old: Binaries,
    pub new: Binaries,
    /// Bytes that are copied; none where the file system clones files.
    pub copied: u64,
    pub free: u64,
    pub kept: PathBuf,
    /// What will not be as it was.
    pub notes: Vec<String>,
}

/// An upgrade of which everything is known, and nothing done.
#[derive(Debug)]
pub struct Upgrade {
    pub plan: Plan,
    old: Layout,
    new: Layout,
    folders: Folders,
    key: MasterKey,
    mode: Mode,
    /// The new version cannot count statements: what counts them goes first.
    drops_statements: bool,
    _claim: fs::File,
}

impl Upgrade {
    /// Looks at everything while the old server runs, `pg_upgrade --check` included. Changes nothing; what it makes in the folder of the
    /// upgrade goes with [`Self::discard`], or by itself where it fails.
    pub async fn look(
        data_dir: &Path,
        pair: Pair,
        admin: &PgConnectOptions,
        key: &MasterKey,
        say: &dyn Fn(&str),
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
        match upgrade.look_at_all(admin, say).await {
            Ok(()) => Ok(upgrade),
            Err(error) => {
                upgrade.discard().await;
                Err(error)
            }
        }
    }

    async fn look_at_all(&mut self, admin: &PgConnectOptions, say: &dyn Fn(&str)) -> Result<(), UpgradeError> {
        let (old, new) = (&self.plan.old, &self.plan.new);
        let mut findings: Vec<String> = tools::missing_programs(old, new).into_iter().collect();
        findings.extend(verify::leaks(i32::try_from(new.major).unwrap_or(0), i32::try_from(new.minor).unwrap_or(0)));
        findings.extend(self.folders.cannot_move());
        let spaces = self.folders.cluster.join("pg_tblspc");
        if fs::read_dir(&spaces).is_ok_and(|mut entries| entries.next().is_some()) {
            findings.push(format!(
                "{} has tablespaces of yours: this command moves clusters that lie in one folder",
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
                "replication slots are not carried over ({}): who follows this server begins anew",
                slots.join(", ")
            ));
        }
        if fs::symlink_metadata(self.folders.cluster.join("pg_wal")).is_ok_and(|meta| meta.is_symlink()) {
            self.plan
                .notes
                .push("pg_wal is a link to another place: the new cluster's is in its own folder".to_owned());
        }
        say("... making an empty cluster of the new version");
        self.make_empty().await?;
        let findings = self.look_at_extensions(admin).await?;
        if !findings.is_empty() {
            return Err(UpgradeError::NotReady(findings));
        }
        say("... pg_upgrade --check");
        let checked =
            tools::pg_upgrade((&self.old, &self.new), &self.folders, &self.password(), Mode::Check, say).await?;
        match checked {
            // It stops there; what it had still to look at it looks at again before it upgrades.
            Err(_) if self.drops_statements && tools::lacks_only(&self.new, STATEMENTS, STATEMENTS_IN) => Ok(()),
            Err(complaint) => Err(UpgradeError::NotReady(complaint.lines().map(str::to_owned).collect())),
            Ok(()) => Ok(()),
        }
    }

    /// Is there room?
    fn measure(&mut self) -> Result<Option<String>, ManagedError> {
        let data = &self.folders.data;
        let space = Space::of(data).map_err(super::io(format!("cannot look at {}", data.display())))?;
        self.plan.free = space.free;
        if self.mode == Mode::Copy {
            self.plan.copied = self.folders.size_to_copy();
        }
        let needed = self.plan.copied + ROOM;
        Ok((needed > space.free).then(|| {
            format!(
                "too little disk in {}: {} MiB are needed for the new cluster beside the old one, {} MiB are free",
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

    /// Does the new version start with these settings, and has it what the databases use?
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
                        "PostgreSQL {version} here has no {STATEMENTS} (Debian has it in postgresql-{version}, others in a package for \
                         contrib): what statements cost is not counted until it has"
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

    /// How to connect to the new server while it is beside the old one's place.
    fn beside(&self) -> PgConnectOptions {
        super::admin_options(&self.new.socket_dir, &self.password()).port(tools::PORT)
    }

    /// What both clusters must have: asked while the old server runs for the last time, and nobody else is there.
    pub async fn count(&self, admin: &PgConnectOptions) -> Result<Counted, UpgradeError> {
        if self.drops_statements {
            facts::drop_statements(admin).await?;
        }
        Ok(Counted(Facts::gather(admin).await?))
    }

    /// Makes the new cluster and puts it into the old one's place. The old server must have been stopped. Where it fails, or is dropped
    /// on its way, the old cluster is in its place as it was.
    pub async fn run(self, counted: &Counted, say: &dyn Fn(&str)) -> Result<(), UpgradeError> {
        let (from, to) = (self.old.binaries.major, self.new.binaries.major);
        tracing::info!(from, to, "upgrading PostgreSQL");
        // Makes the socket's folder again, which went with the old server.
        Layout::of(&self.folders.data, self.old.binaries.clone())?;
        if let Err(error) = self.make(counted, say).await {
            tracing::error!(from, to, error = &error as &dyn std::error::Error, "PostgreSQL is not upgraded");
            self.discard().await;
            return Err(error);
        }
        // Nothing is awaited from here on.
        self.folders.switch()?;
        tracing::info!(from, to, kept = %self.folders.before.display(), "PostgreSQL is upgraded");
        let _ = folders::remove(&self.folders.work);
        let _ = folders::remove(&self.folders.failed);
        let _ = fs::remove_dir(&self.new.socket_dir);
        Ok(())
    }

    async fn make(&self, counted: &Counted, say: &dyn Fn(&str)) -> Result<(), UpgradeError> {
        // What the look has left: it would stay in the new cluster.
        folders::remove(&self.folders.fresh.join("pg_upgrade_output.d"))?;
        say(match self.mode {
            Mode::Clone => "... pg_upgrade: the definitions, then clones of the files",
            _ => "... pg_upgrade: the definitions, then copies of the files",
        });
        let upgraded =
            tools::pg_upgrade((&self.old, &self.new), &self.folders, &self.password(), self.mode, say).await?;
        if let Err(complaint) = upgraded {
            let mut lines: Vec<String> = complaint.lines().map(str::to_owned).collect();
            lines.extend(self.folders.keep_logs().map(|logs| format!("what it wrote is in {}", logs.display())));
            return Err(UpgradeError::NotReady(lines));
        }
        say("... starting the new version beside the old one");
        tools::start(&self.new, &self.folders.work).await?;
        let finished = self.finish(counted, say).await;
        let stopped = tools::stop(&self.new).await;
        finished?;
        Ok(stopped?)
    }

    async fn finish(&self, counted: &Counted, say: &dyn Fn(&str)) -> Result<(), UpgradeError> {
        // These cost speed, not data, and can be made up for later.
        if let Err(error) = tools::update_extensions(&self.new, &self.folders.work, &self.password()).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "extensions are not brought up to date");
            say(&format!("WARNING: extensions stay at their old edition: {error}"));
        }
        say("... the planner's statistics (vacuumdb --analyze-in-stages)");
        if let Err(error) = tools::analyze(&self.new, &self.password()).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the planner's statistics are not made");
            say(&format!("WARNING: the planner's statistics are not made, so queries are slow at first: {error}"));
        }
        say("... comparing every table's rows");
        let differences = counted.0.differences(&Facts::gather(&self.beside()).await?);
        if differences.is_empty() { Ok(()) } else { Err(UpgradeError::Different(differences)) }
    }

    /// Throws away what was made; the old cluster stays as it is.
    pub async fn discard(&self) {
        if let Err(error) = throw_away(&self.folders).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the folder of the upgrade stays");
        }
    }
}

/// What was in the old cluster when it was stopped.
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

/// Throws away what a look beside the running appliance has made and left.
pub async fn clear(data_dir: &Path) -> Result<(), ManagedError> {
    let folders = Folders::of(data_dir);
    if !folders.work.exists() || folders.fresh_is_former() {
        return Ok(());
    }
    let Some(_claim) = folders.hold()? else { return Ok(()) };
    throw_away(&folders).await
}

/// Puts in order what an upgrade that was cut off has left. The data directory must be locked.
pub async fn recover(data_dir: &Path) -> Result<(), ManagedError> {
    let folders = Folders::of(data_dir);
    if folders.is_in_order() {
        return Ok(());
    }
    if folders.work.exists() {
        // Somebody looks beside the appliance (--dry-run), and cleans up by himself.
        let Some(_claim) = folders.hold()? else { return Ok(()) };
        tools::end_orphans(&folders).await;
        postmaster::stop_leftover(&folders.fresh).await?;
        postmaster::stop_leftover(&folders.cluster).await?;
    }
    for done in folders.put_in_order()? {
        tracing::warn!("an upgrade of PostgreSQL was cut off: {done}");
    }
    Ok(())
}
