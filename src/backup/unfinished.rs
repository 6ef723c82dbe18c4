//! A restore that was begun here and has not ended: what is still to be done, written down in the data directory.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{BackupError, BackupId, manifest::Manifest};

/// The file, in the data directory.
const FILE: &str = "restore-unfinished";

/// What stands in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfinished {
    pub backup: BackupId,
    pub taken_at: DateTime<Utc>,
    /// Parts that are not back yet.
    pub parts: Vec<String>,
}

impl Unfinished {
    /// Where a data directory has it.
    pub fn path(data_dir: &Path) -> PathBuf {
        data_dir.join(FILE)
    }

    /// Writes down that a restore begins.
    pub fn begin(data_dir: &Path, manifest: &Manifest, parts: &[&str]) -> Result<Self, BackupError> {
        let parts = parts.iter().map(|part| (*part).to_owned()).collect();
        let this = Self { backup: manifest.id, taken_at: manifest.taken_at, parts };
        this.write(data_dir)?;
        Ok(this)
    }

    pub fn read(data_dir: &Path) -> Result<Option<Self>, BackupError> {
        let path = Self::path(data_dir);
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|_| BackupError::Mark(path)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(BackupError::io(&path)(error)),
        }
    }

    /// Errors where a restore has not ended: what works with half an installation would take it for the whole.
    pub fn refuse(data_dir: &Path) -> Result<(), BackupError> {
        match Self::read(data_dir)? {
            None => Ok(()),
            Some(unfinished) => Err(BackupError::RestoreUnfinished { unfinished, path: Self::path(data_dir) }),
        }
    }

    pub fn is_to_do(&self, part: &str) -> bool {
        self.parts.iter().any(|name| name == part)
    }

    /// Writes down that a part is back; with the last one the file goes.
    pub fn done(&mut self, part: &str, data_dir: &Path) -> Result<(), BackupError> {
        self.parts.retain(|name| name != part);
        self.write(data_dir)
    }

    /// Whole or not at all: half a file would keep everybody out.
    fn write(&self, data_dir: &Path) -> Result<(), BackupError> {
        let path = Self::path(data_dir);
        let write = || {
            if self.parts.is_empty() {
                return match fs::remove_file(&path) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
                    _ => Ok(()),
                };
            }
            let new = data_dir.join(format!("{FILE}.new"));
            let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            file.write_all(&serde_json::to_vec_pretty(self)?)?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            fs::File::open(data_dir)?.sync_all()
        };
        write().map_err(BackupError::io(&path))
    }
}
