//! Folders of an upgrade beside the cluster, and the exchange of clusters.
//!
//! `postgres` is one whole cluster at any time: the new one is built and checked in `postgres.upgrading/cluster` and exchanged with it in
//! one file system operation. After an interrupted run, the versions of the two folders tell how far it got.

mod files;
#[cfg(test)]
mod tests;

use std::{
    fs::{self, File},
    io::ErrorKind,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use rustix::{
    fs::{CWD, FlockOperation, RenameFlags, flock, ioctl_ficlone, renameat_with},
    io::Errno,
};

pub use files::{major_of, remove, size_of};

use super::super::{Layout, ManagedError, io};
use files::{rename, sync};

/// Folders in one data directory.
#[derive(Clone, Debug)]
pub struct Folders {
    pub data: PathBuf,
    /// The running cluster.
    pub cluster: PathBuf,
    /// Work folder of an upgrade, which holds its lock.
    pub work: PathBuf,
    /// The new cluster while it is built.
    pub fresh: PathBuf,
    /// The former cluster, for a rollback.
    pub before: PathBuf,
    /// The cluster set aside by a rollback.
    pub after: PathBuf,
    /// Files being removed.
    removing: PathBuf,
    /// Logs of a failed `pg_upgrade`.
    pub failed: PathBuf,
}

/// A cluster set aside by an upgrade or a rollback.
#[derive(Clone, Debug)]
pub struct Kept {
    pub path: PathBuf,
    pub major: u32,
    /// When its server was last stopped.
    pub until: Option<DateTime<Utc>>,
    pub bytes: u64,
}

impl Folders {
    pub fn of(data_dir: &Path) -> Self {
        let data = fs::canonicalize(data_dir).unwrap_or_else(|_| data_dir.to_owned());
        let beside = |name: &str| data.join(name);
        let work = beside("postgres.upgrading");
        Self {
            cluster: beside("postgres"),
            fresh: work.join("cluster"),
            work,
            before: beside("postgres.before-upgrade"),
            after: beside("postgres.after-upgrade"),
            removing: beside("postgres.removing"),
            failed: beside("postgres.upgrade-failed"),
            data,
        }
    }

    /// Clusters that are kept; their size is computed by reading all files.
    pub fn kept(&self) -> Vec<Kept> {
        let look = |path: &PathBuf| {
            let major = major_of(path)?;
            // Written by the server when it stops, and never afterwards.
            let until = fs::metadata(path.join("global/pg_control")).and_then(|meta| meta.modified()).ok();
            Some(Kept { path: path.clone(), major, until: until.map(DateTime::from), bytes: size_of(path) })
        };
        [&self.before, &self.after].into_iter().filter_map(look).collect()
    }

    /// Whether an interrupted run left nothing.
    pub fn is_in_order(&self) -> bool {
        ![&self.work, &self.before, &self.removing].into_iter().any(|path| path.exists())
    }

    /// Claims the empty work folder for this process. `None` if another process holds it or left a cluster in it.
    pub fn claim(&self) -> Result<Option<File>, ManagedError> {
        let made = fs::DirBuilder::new().mode(0o700).create(&self.work);
        if let Err(e) = made
            && e.kind() != ErrorKind::AlreadyExists
        {
            return Err(io(format!("cannot create {}", self.work.display()))(e));
        }
        let Some(claim) = self.hold()? else { return Ok(None) };
        if self.fresh_is_former() {
            return Ok(None);
        }
        for entry in fs::read_dir(&self.work).map_err(io("cannot list the upgrade folder"))?.flatten() {
            remove(&entry.path())?;
        }
        Ok(Some(claim))
    }

    /// Whether the clusters have been exchanged: the work folder then holds the older one.
    pub fn fresh_is_former(&self) -> bool {
        matches!((major_of(&self.fresh), major_of(&self.cluster)), (Some(there), Some(here)) if there < here)
    }

    /// Takes the lock of the work folder. `None` while another process holds it.
    pub fn hold(&self) -> Result<Option<File>, ManagedError> {
        let folder = File::open(&self.work).map_err(io(format!("cannot open {}", self.work.display())))?;
        Ok(flock(&folder, FlockOperation::NonBlockingLockExclusive).is_ok().then_some(folder))
    }

    /// Moves the new cluster into place, and the former one to [`Self::before`].
    pub fn switch(&self) -> Result<(), ManagedError> {
        self.trade(&self.fresh, &self.before)
    }

    /// Moves the former cluster back into place, and its replacement to [`Self::after`].
    pub fn switch_back(&self) -> Result<(), ManagedError> {
        self.trade(&self.before, &self.after)
    }

    /// Moves `fresh` into place, and the current cluster to `aside`.
    fn trade(&self, fresh: &Path, aside: &Path) -> Result<(), ManagedError> {
        let failed = io("cannot put the cluster into its place");
        match renameat_with(CWD, fresh, CWD, &self.cluster, RenameFlags::EXCHANGE) {
            Ok(()) => {
                sync(&[&self.data, fresh.parent().unwrap_or(&self.data)])?;
                rename(fresh, aside)?;
            }
            // Some file systems cannot exchange. Two steps then; a kill between them leaves no cluster in place, which the next start
            // repairs.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                rename(&self.cluster, aside)?;
                rename(fresh, &self.cluster)?;
            }
            Err(error) => return Err(failed(error.into())),
        }
        sync(&[&self.data])
    }

    /// Cleans up after an interrupted upgrade or rollback; returns what it did.
    pub fn put_in_order(&self) -> Result<Vec<String>, ManagedError> {
        let mut said = Vec::new();
        if self.removing.exists() {
            remove(&self.removing)?;
        }
        // Interrupted between the two steps on a file system that cannot exchange.
        if !self.cluster.exists() && self.before.exists() && (self.work.exists() || self.after.exists()) {
            rename(&self.before, &self.cluster)?;
            said.push("the cluster is in its place again".to_owned());
        }
        let running = major_of(&self.cluster);
        if self.fresh_is_former() && !self.before.exists() {
            rename(&self.fresh, &self.before)?;
            said.push(format!("the new version is in its place; the former cluster is {}", self.before.display()));
        }
        if let (Some(newer), Some(now)) = (major_of(&self.before), running)
            && newer > now
            && !self.after.exists()
        {
            rename(&self.before, &self.after)?;
            said.push(format!("PostgreSQL {now} is back in its place; its replacement is in {}", self.after.display()));
        }
        if self.work.exists() {
            let whole = running.is_some() && self.cluster.join("global/pg_control").exists();
            // Never remove the only cluster.
            if (whole && !self.fresh_is_former()) || !self.fresh.exists() {
                remove(&self.work)?;
                said.push("the unfinished part is removed".to_owned());
            } else {
                said.push(format!(
                    "{} is not a whole cluster, so {} stays",
                    self.cluster.display(),
                    self.work.display()
                ));
            }
        }
        sync(&[&self.data])?;
        Ok(said)
    }

    /// Removes a kept cluster; a kill in the middle leaves nothing that looks like a cluster.
    pub fn forget(&self, kept: &Path) -> Result<(), ManagedError> {
        if self.removing.exists() {
            remove(&self.removing)?;
        }
        rename(kept, &self.removing)?;
        remove(&self.removing)
    }

    /// Bytes of a copy of the cluster, without its log.
    pub fn size_to_copy(&self) -> u64 {
        let log = self.cluster.join("pg_wal");
        let inside = fs::symlink_metadata(&log).is_ok_and(|meta| meta.is_dir());
        size_of(&self.cluster).saturating_sub(if inside { size_of(&log) } else { 0 })
    }

    /// Whether file copies on this file system take no space (reflinks).
    pub fn can_clone(&self) -> bool {
        let original = self.cluster.join("PG_VERSION");
        let copy = self.work.join("clone");
        let tried = || -> std::io::Result<()> { Ok(ioctl_ficlone(File::create(&copy)?, File::open(original)?)?) };
        let can = tried().is_ok();
        let _ = fs::remove_file(&copy);
        can
    }

    /// Why the cluster's folder cannot be exchanged.
    pub fn cannot_move(&self) -> Option<String> {
        let place = self.cluster.display();
        let meta = fs::symlink_metadata(&self.cluster).ok()?;
        if meta.is_symlink() {
            return Some(format!("{place} is a link: put the cluster itself there, or the disk at the data directory"));
        }
        let beside = fs::metadata(&self.data).ok()?;
        (meta.dev() != beside.dev())
            .then(|| format!("{place} is a mount of its own: mount that disk at the data directory"))
    }

    /// Copies the operator's settings: `conf.d`, and the results of `ALTER SYSTEM`.
    pub fn copy_settings(&self, to: &Layout) -> Result<(), ManagedError> {
        let mut files = vec![PathBuf::from("postgresql.auto.conf")];
        if let Ok(entries) = fs::read_dir(self.cluster.join("conf.d")) {
            let folder = to.cluster.join("conf.d");
            fs::DirBuilder::new().mode(0o700).recursive(true).create(&folder).map_err(io("cannot create conf.d"))?;
            to.own(&folder)?;
            files.extend(entries.flatten().map(|entry| Path::new("conf.d").join(entry.file_name())));
        }
        for file in files {
            let (from, into) = (self.cluster.join(&file), to.cluster.join(&file));
            if from.is_file() {
                fs::copy(&from, &into).map_err(io(format!("cannot copy {}", from.display())))?;
                to.own(&into)?;
            }
        }
        Ok(())
    }

    /// Keeps the logs of `pg_upgrade` before the incomplete cluster is removed.
    pub fn keep_logs(&self) -> Option<&Path> {
        let written = self.fresh.join("pg_upgrade_output.d");
        if self.failed.exists() {
            remove(&self.failed).ok()?;
        }
        fs::rename(written, &self.failed).ok().map(|()| self.failed.as_path())
    }
}
