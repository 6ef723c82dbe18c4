//! Files of a cluster: its version and size, moving and removing it.

use std::{
    fs::{self, File},
    io::ErrorKind,
    os::unix::fs::MetadataExt as _,
    path::Path,
};

use crate::db::managed::{ManagedError, io};

/// Major version of a cluster; `None` if there is no cluster.
pub fn major_of(cluster: &Path) -> Option<u32> {
    fs::read_to_string(cluster.join("PG_VERSION")).ok()?.trim().parse().ok()
}

/// Disk usage of a folder, bytes; does not follow links.
pub fn size_of(path: &Path) -> u64 {
    let (mut bytes, mut open) = (0, vec![path.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(meta) if meta.is_dir() => open.push(entry.path()),
                Ok(meta) => bytes += meta.blocks() * 512,
                Err(_) => {}
            }
        }
    }
    bytes
}

pub fn remove(path: &Path) -> Result<(), ManagedError> {
    let is_folder = fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir());
    let removed = if is_folder { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(io(format!("cannot remove {}", path.display()))(e)),
        _ => Ok(()),
    }
}

pub(super) fn rename(from: &Path, to: &Path) -> Result<(), ManagedError> {
    fs::rename(from, to).map_err(io(format!("cannot rename {} to {}", from.display(), to.display())))
}

/// Makes the folders' entries survive a power failure.
pub(super) fn sync(folders: &[&Path]) -> Result<(), ManagedError> {
    folders.iter().try_for_each(|folder| {
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(io(format!("cannot sync {}", folder.display())))
    })
}
