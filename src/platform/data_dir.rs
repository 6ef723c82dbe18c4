//! The data directory: its lock (one appliance at a time) and the master key.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};
use uuid::Uuid;

use super::crypto::MasterKey;

/// File with the installation's id, to detect a data directory that is used with another installation's database.
pub const INSTALLATION_ID: &str = "installation-id";

/// How long the lock is waited for.
const PATIENCE: Duration = Duration::from_millis(500);

/// Why the data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    #[error("cannot use the data directory {path}")]
    Io { path: String, source: std::io::Error },
    #[error(
        "another Holdfast uses the data directory {path} (process {holder}); stop it first, or give this one another directory \
         with HOLDFAST_DATA_DIR"
    )]
    InUse { path: String, holder: String },
    #[error(transparent)]
    Key(#[from] anyhow::Error),
}

/// The data directory; unlocked when dropped or when the process ends.
#[derive(Debug)]
pub struct DataDir {
    pub path: PathBuf,
    pub master_key: MasterKey,
    /// `None` when another process holds the lock and this one only reads.
    lock: Option<File>,
}

impl DataDir {
    /// Creates the directory if missing, locks it, and reads or creates the master key. `secret_key_file` is the key's path when several
    /// hosts share it.
    pub fn open(path: &Path, secret_key_file: Option<&Path>) -> Result<Self, DataDirError> {
        let io = |source| DataDirError::Io { path: path.display().to_string(), source };
        fs::create_dir_all(path).map_err(io)?;
        let lock = Some(lock(path)?);
        // Only under the lock: a read-only command changes nothing.
        pass_through(path).map_err(io)?;
        close_to_others(path);
        let secrets = path.join("secrets");
        if !secrets.exists() {
            fs::DirBuilder::new().mode(0o700).create(&secrets).map_err(io)?;
        }
        let master_key = match secret_key_file {
            Some(file) => MasterKey::load(file, false)?,
            None => MasterKey::load(&secrets.join("master.key"), true)?,
        };
        Ok(Self { path: path.to_owned(), master_key, lock })
    }

    /// As [`Self::open`], but does not fail while another appliance holds the lock: for commands that work beside a running appliance.
    pub fn open_or_join(path: &Path, secret_key_file: Option<&Path>) -> Result<Self, DataDirError> {
        match Self::open(path, secret_key_file) {
            Err(DataDirError::InUse { .. }) => {
                let own = path.join("secrets").join("master.key");
                let master_key = MasterKey::load(secret_key_file.unwrap_or(&own), false)?;
                Ok(Self { path: path.to_owned(), master_key, lock: None })
            }
            other => other,
        }
    }

    /// Whether this process holds the lock.
    pub fn is_locked(&self) -> bool {
        self.lock.is_some()
    }
}

/// Master key of an existing installation; `None` if there is none. Creates nothing.
pub fn existing_key(dir: &Path, secret_key_file: Option<&Path>) -> anyhow::Result<Option<MasterKey>> {
    let own = dir.join("secrets").join("master.key");
    let file = secret_key_file.unwrap_or(&own);
    if !file.exists() {
        return Ok(None);
    }
    MasterKey::load(file, false).map(Some)
}

/// Id of the installation that the data directory belongs to, once assigned.
pub fn installation_id(dir: &Path) -> Option<Uuid> {
    fs::read_to_string(dir.join(INSTALLATION_ID)).ok()?.trim().parse().ok()
}

/// The database's user must be able to traverse the directory (x for others), but not to list it.
fn pass_through(path: &Path) -> std::io::Result<()> {
    let mode = if rustix::process::geteuid().is_root() { 0o711 } else { 0o700 };
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// Folders that only we may read. Those of the database belong to its user; below `backup` it must get through to a drill.
const PRIVATE: [&str; 4] = ["objects", "vectors", "models", "secrets"];

/// Others can traverse the data directory when root started us, and earlier versions created these folders world-readable.
fn close_to_others(path: &Path) {
    for folder in PRIVATE.map(|name| path.join(name)) {
        let Ok(meta) = fs::metadata(&folder) else { continue };
        let open = meta.permissions().mode() & 0o077;
        if open == 0 {
            continue;
        }
        if let Err(error) = fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)) {
            tracing::warn!(folder = %folder.display(), %error, "other users of this host may read this folder: cannot change its permissions");
        }
    }
}

/// Takes the lock without creating anything but the lock file. The directory must exist.
pub fn try_lock(path: &Path) -> Result<File, DataDirError> {
    lock(path)
}

fn lock(path: &Path) -> Result<File, DataDirError> {
    let io = |source| DataDirError::Io { path: path.display().to_string(), source };
    let file = path.join("lock");
    let mut lock = File::options().create(true).truncate(false).write(true).read(true).open(&file).map_err(io)?;
    // The children of a process that was just killed may hold it for a moment longer, until they execute another program.
    let begin = Instant::now();
    loop {
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => break,
            Err(Errno::WOULDBLOCK) if begin.elapsed() < PATIENCE => std::thread::sleep(PATIENCE / 20),
            Err(Errno::WOULDBLOCK) => {
                let holder = fs::read_to_string(&file).unwrap_or_default().trim().to_owned();
                return Err(DataDirError::InUse { path: path.display().to_string(), holder });
            }
            // For example a network file system without locks.
            Err(error) => return Err(io(error.into())),
        }
    }
    lock.set_len(0).map_err(io)?;
    writeln!(lock, "{}", std::process::id()).map_err(io)?;
    Ok(lock)
}

/// Free bytes on the file system of `path`, which need not exist; `None` if unknown.
pub fn free_bytes(path: &Path) -> Option<u64> {
    let there = path.ancestors().find(|path| path.exists())?;
    rustix::fs::statvfs(there).ok().map(|fs| fs.f_bavail * fs.f_frsize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_else_reads_documents_and_index() {
        let dir = tempfile::tempdir().unwrap();
        let mode = |name: &str| fs::metadata(dir.path().join(name)).unwrap().permissions().mode() & 0o777;
        // As earlier versions created them, with the usual umask.
        for name in ["objects", "vectors", "models", "postgres"] {
            fs::create_dir(dir.path().join(name)).unwrap();
            fs::set_permissions(dir.path().join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        let _held = DataDir::open(dir.path(), None).unwrap();
        for name in PRIVATE {
            assert_eq!(mode(name), 0o700, "{name}");
        }
        assert_eq!(mode("postgres"), 0o755, "the database sees to its own");
    }

    #[test]
    fn a_second_appliance_is_refused_and_the_key_stays() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataDir::open(dir.path(), None).unwrap();
        assert!(
            matches!(DataDir::open(dir.path(), None), Err(DataDirError::InUse { holder, .. }) if holder == std::process::id().to_string())
        );
        let key = first.master_key.derive("x");
        drop(first);
        assert_eq!(DataDir::open(dir.path(), None).unwrap().master_key.derive("x"), key);
    }
}
