//! Free space of the file systems that the appliance writes to; each folder may be a separate mount.

use std::{
    collections::HashMap,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};
use tokio::time::{sleep, timeout};

use super::{lifecycle::Lifecycle, pools::CpuPool};
use crate::label_enum;

/// Bytes below which a file system counts as full: PostgreSQL could not create another WAL segment.
pub const FULL: u64 = 16 << 20;
/// Inodes below which a file system counts as full: a statement that sorts, or an upload, needs a few.
const FEWEST_FILES: u64 = 64;
/// The usual scrape interval of Prometheus.
const EVERY: Duration = Duration::from_secs(15);
/// Timeout per look, for a network mount whose server is away.
const TIMEOUT: Duration = Duration::from_secs(3);

label_enum! {
    /// The purpose of a folder.
    pub enum Folder {
        Data = "data",
        Objects = "objects",
        Vectors = "vectors",
        Postgres = "postgres",
        /// Working files of backups and drills.
        Work = "work",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    folder: Folder,
}

/// NaN for a folder that is not local or does not answer.
type Numbers = Family<Labels, Gauge<f64, AtomicU64>>;

/// `holdfast_disk_*`
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    free: Numbers,
    size: Numbers,
}

impl Metrics {
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        for &folder in Folder::ALL {
            metrics.set(folder, None);
        }
        let free = "Free bytes on the file system of a folder; NaN if it is not local";
        registry.register_with_unit("free", free, Unit::Bytes, metrics.free.clone());
        registry.register_with_unit("size", "Size of the file system of a folder", Unit::Bytes, metrics.size.clone());
        metrics
    }

    fn set(&self, folder: Folder, space: Option<Space>) {
        let number = |of: fn(Space) -> u64| space.map_or(f64::NAN, |space| of(space) as f64);
        self.free.get_or_create(&Labels { folder }).set(number(|s| s.free));
        self.size.get_or_create(&Labels { folder }).set(number(|s| s.size));
    }
}

/// Space of a file system, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    pub free: u64,
    pub size: u64,
    /// Free inodes; `None` if the file system does not count them.
    pub files: Option<u64>,
}

impl Space {
    /// The file system of `path`, which need not exist.
    pub fn of(path: &Path) -> std::io::Result<Self> {
        let there = path.ancestors().find(|path| path.exists()).unwrap_or(path);
        let fs = rustix::fs::statvfs(there)?;
        let files = (fs.f_files > 0).then_some(fs.f_favail);
        Ok(Self { free: fs.f_bavail * fs.f_frsize, size: fs.f_blocks * fs.f_frsize, files })
    }

    /// Whether inodes have run out, however much space is free.
    pub fn lacks_files(&self) -> bool {
        self.files.is_some_and(|files| files < FEWEST_FILES)
    }
}

/// A file system and the folders on it.
#[derive(Debug)]
pub struct Volume {
    pub folders: Vec<Folder>,
    /// Path of the first folder.
    pub path: PathBuf,
    /// `Err` if it cannot be read.
    pub space: std::io::Result<Space>,
}

impl Volume {
    pub fn is_full(&self) -> bool {
        self.space.as_ref().is_ok_and(|space| space.free < FULL || space.lacks_files())
    }

    /// `objects, vectors (/srv/objects)`
    pub fn name(&self) -> String {
        let names: Vec<_> = self.folders.iter().map(|folder| folder.as_str()).collect();
        format!("{} ({})", names.join(", "), self.path.display())
    }
}

/// The local folders. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Disks {
    folders: Arc<Vec<(Folder, PathBuf)>>,
    /// A single thread, so that hanging calls do not pile up.
    pool: CpuPool,
}

impl Disks {
    pub fn new(folders: Vec<(Folder, PathBuf)>) -> Self {
        Self { folders: Arc::new(folders), pool: CpuPool::new(1) }
    }

    /// Looks at each file system once. `None` if one does not answer.
    pub async fn volumes(&self) -> Option<Vec<Volume>> {
        let folders = self.folders.clone();
        timeout(TIMEOUT, self.pool.run(move || volumes(&folders))).await.ok()?.ok()
    }

    /// Updates the metrics until the shutdown begins.
    pub fn start(&self, metrics: Metrics, lifecycle: &Lifecycle) {
        let (disks, soft) = (self.clone(), lifecycle.soft().clone());
        lifecycle.spawn("disk.space", async move {
            while !soft.is_cancelled() {
                let volumes = disks.volumes().await.unwrap_or_default();
                for &folder in Folder::ALL {
                    let of_folder = volumes.iter().find(|volume| volume.folders.contains(&folder));
                    metrics.set(folder, of_folder.and_then(|volume| volume.space.as_ref().ok().copied()));
                }
                tokio::select! { () = soft.cancelled() => {}, () = sleep(EVERY) => {} }
            }
        });
    }
}

fn volumes(folders: &[(Folder, PathBuf)]) -> Vec<Volume> {
    let mut found: Vec<Volume> = Vec::new();
    let mut by_device: HashMap<u64, usize> = HashMap::new();
    for (folder, path) in folders {
        let there = path.ancestors().find(|path| path.exists()).unwrap_or(path);
        let device = there.metadata().map(|meta| meta.dev());
        if let Some(&known) = device.as_ref().ok().and_then(|device| by_device.get(device)) {
            found[known].folders.push(*folder);
            continue;
        }
        if let Ok(device) = device {
            by_device.insert(device, found.len());
        }
        found.push(Volume { folders: vec![*folder], path: path.clone(), space: Space::of(path) });
    }
    found
}

/// Bytes in GiB, for people.
pub fn gib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 30)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_one_file_system_are_one_volume_and_another_mount_is_another() {
        let dir = tempfile::tempdir().unwrap();
        let (data, objects) = (dir.path().to_owned(), dir.path().join("objects/not/made/yet"));
        // On every Linux, and not the file system of the temporary folder.
        let found = volumes(&[(Folder::Data, data), (Folder::Objects, objects), (Folder::Vectors, "/proc".into())]);
        let folders: Vec<_> = found.iter().map(|volume| volume.folders.clone()).collect();
        assert_eq!(folders, [vec![Folder::Data, Folder::Objects], vec![Folder::Vectors]]);
        let space = *found[0].space.as_ref().unwrap();
        assert!(space.size > 0 && !found[0].is_full());
        let with =
            |files| Volume { folders: vec![Folder::Data], path: "/".into(), space: Ok(Space { files, ..space }) };
        assert_eq!([Some(0), Some(63), Some(64), None].map(|files| with(files).is_full()), [true, true, false, false]);
    }
}
