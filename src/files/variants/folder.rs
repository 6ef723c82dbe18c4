//! The files of the cache. Each ends with what is known of it and a checksum: one that was cut off, or changed, is as good as none. Which are there,
//! and which were asked for last, is held in memory, and read from the folder when it is first used.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::OnceCell;

use super::VariantFacts;
use platform::{clock::Clock, crypto, error::chain, pools::CpuPool};

/// The end of a file: length of the facts (4 bytes), checksum of all before it (4), and this.
const MAGIC: &[u8; 8] = b"hfvar-1\n";
const TRAILER: usize = 16;
/// A file that is being written has another name.
const UNFINISHED: &str = "new-";
/// Unfinished files that are older were left behind.
const LEFT_BEHIND: TimeDelta = TimeDelta::hours(1);

#[derive(Clone)]
pub(super) struct Folder(Arc<Shared>);

struct Shared {
    path: PathBuf,
    /// Bytes.
    most: u64,
    cpu: CpuPool,
    clock: Clock,
    loaded: OnceCell<()>,
    index: Mutex<Index>,
}

/// Which files there are.
#[derive(Default)]
struct Index {
    files: BTreeMap<String, Entry>,
    /// Names by when they were used last.
    by_use: BTreeMap<u64, String>,
    bytes: u64,
    uses: u64,
}

struct Entry {
    size: u64,
    used: u64,
}

impl Index {
    fn next(&mut self) -> u64 {
        self.uses += 1;
        self.uses
    }

    /// Whether it is there; it was used just now.
    fn touch(&mut self, name: &str) -> bool {
        let used = self.next();
        let Some(entry) = self.files.get_mut(name) else { return false };
        self.by_use.remove(&entry.used);
        entry.used = used;
        self.by_use.insert(used, name.to_owned());
        true
    }

    fn add(&mut self, name: String, size: u64) {
        self.remove(&name);
        let used = self.next();
        self.bytes += size;
        self.by_use.insert(used, name.clone());
        self.files.insert(name, Entry { size, used });
    }

    fn remove(&mut self, name: &str) {
        if let Some(entry) = self.files.remove(name) {
            self.by_use.remove(&entry.used);
            self.bytes -= entry.size;
        }
    }

    /// Takes out those that were not used for longest, until the rest is no more than `most`.
    fn surplus(&mut self, most: u64) -> Vec<String> {
        let mut out = Vec::new();
        while self.bytes > most {
            let Some((_, name)) = self.by_use.first_key_value() else { break };
            let name = name.clone();
            self.remove(&name);
            out.push(name);
        }
        out
    }

    /// Takes out those whose name begins so.
    fn below(&mut self, prefix: &str) -> Vec<String> {
        let names = self.files.range(prefix.to_owned()..).map(|(name, _)| name);
        let names: Vec<String> = names.take_while(|name| name.starts_with(prefix)).cloned().collect();
        for name in &names {
            self.remove(name);
        }
        names
    }
}

impl Folder {
    pub fn new(path: PathBuf, most: u64, cpu: CpuPool, clock: Clock) -> Self {
        Self(Arc::new(Shared { path, most, cpu, clock, loaded: OnceCell::new(), index: Mutex::default() }))
    }

    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Files and bytes.
    pub fn size(&self) -> (u64, u64) {
        let index = self.index();
        (index.files.len() as u64, index.bytes)
    }

    /// `None`: it is not there, or not whole.
    pub async fn read(&self, name: &str) -> Option<(VariantFacts, Bytes)> {
        self.load().await;
        if !self.index().touch(name) {
            return None;
        }
        let place = self.place(name);
        let read = self.0.cpu.run(move || std::fs::read(place)).await;
        let whole = read.ok().and_then(Result::ok).and_then(|content| opened(content.into()));
        if whole.is_none() {
            self.index().remove(name);
        }
        whole
    }

    /// Written to the side and renamed: it is there whole, or not at all. It is not made durable: what a power failure leaves is looked through
    /// when it is read.
    pub async fn write(&self, name: &str, facts: &VariantFacts, bytes: Bytes) -> io::Result<()> {
        self.load().await;
        let content = closed(facts, &bytes)?;
        let size = content.len() as u64;
        let place = self.place(name);
        let written = self.0.cpu.run(move || write(&place, &content)).await;
        written.map_err(io::Error::other)??;
        let surplus = {
            let mut index = self.index();
            index.add(name.to_owned(), size);
            index.surplus(self.0.most)
        };
        self.delete(surplus).await;
        Ok(())
    }

    /// Deletes all whose name begins so.
    pub async fn forget(&self, prefix: &str) {
        self.load().await;
        let names = self.index().below(prefix);
        self.delete(names).await;
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.0.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(&self, name: &str) -> PathBuf {
        self.0.path.join(name.get(..2).unwrap_or("00")).join(name)
    }

    async fn delete(&self, names: Vec<String>) {
        if names.is_empty() {
            return;
        }
        let places: Vec<PathBuf> = names.iter().map(|name| self.place(name)).collect();
        let deleted = self.0.cpu.run(move || {
            // One that is gone already, or that another process has deleted, is no problem: the next start sees what is there.
            places.iter().filter_map(|place| std::fs::remove_file(place).err()).count()
        });
        if let Ok(failed @ 1..) = deleted.await {
            tracing::debug!(failed, "files of the cache were gone before");
        }
    }

    /// Reads which files are there, once, the oldest first.
    async fn load(&self) {
        let load = || async {
            let (path, now) = (self.0.path.clone(), self.0.clock.now());
            let found = match self.0.cpu.run(move || list(&path, now)).await {
                Ok(Ok(found)) => found,
                Ok(Err(error)) => {
                    tracing::warn!(error = chain(&error), "files.cache_not_read");
                    Vec::new()
                }
                Err(_) => Vec::new(),
            };
            let surplus = {
                let mut index = self.index();
                for (_, name, size) in found {
                    index.add(name, size);
                }
                index.surplus(self.0.most)
            };
            self.delete(surplus).await;
        };
        self.0.loaded.get_or_init(load).await;
    }
}

fn write(place: &Path, content: &[u8]) -> io::Result<()> {
    let folder = place.parent().ok_or(io::ErrorKind::InvalidInput)?;
    std::fs::create_dir_all(folder)?;
    let unfinished = folder.join(format!("{UNFINISHED}{}", crypto::hex(&crypto::random_bytes::<16>())));
    let written = std::fs::write(&unfinished, content).and_then(|()| std::fs::rename(&unfinished, place));
    if written.is_err() {
        let _ = std::fs::remove_file(&unfinished);
    }
    written
}

/// When each was written, its name and size; those that nobody finished are deleted.
fn list(path: &Path, now: DateTime<Utc>) -> io::Result<Vec<(DateTime<Utc>, String, u64)>> {
    std::fs::create_dir_all(path)?;
    let mut found = Vec::new();
    for shard in std::fs::read_dir(path)? {
        let shard = shard?.path();
        if !shard.is_dir() {
            continue;
        }
        for file in std::fs::read_dir(shard)? {
            let file = file?;
            let (Ok(facts), Ok(name)) = (file.metadata(), file.file_name().into_string()) else { continue };
            let at = DateTime::<Utc>::from(facts.modified()?);
            if !name.starts_with(UNFINISHED) {
                found.push((at, name, facts.len()));
            } else if at + LEFT_BEHIND < now {
                let _ = std::fs::remove_file(file.path());
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn closed(facts: &VariantFacts, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let facts = serde_json::to_vec(facts)?;
    let length = u32::try_from(facts.len()).map_err(io::Error::other)?;
    let mut out = Vec::with_capacity(bytes.len() + facts.len() + TRAILER);
    out.extend_from_slice(bytes);
    out.extend_from_slice(&facts);
    out.extend_from_slice(&length.to_be_bytes());
    let sum = checksum(&out);
    out.extend_from_slice(&sum.to_be_bytes());
    out.extend_from_slice(MAGIC);
    Ok(out)
}

/// `None`: it is not what was written.
fn opened(content: Bytes) -> Option<(VariantFacts, Bytes)> {
    let end = content.len().checked_sub(TRAILER)?;
    let (rest, trailer) = content.split_at(end);
    let (length, sum) = (trailer.get(..4)?, trailer.get(4..8)?);
    let expected = u32::from_be_bytes(sum.try_into().ok()?);
    if trailer.get(8..)? != MAGIC || checksum(content.get(..end + 4)?) != expected {
        return None;
    }
    let length = usize::try_from(u32::from_be_bytes(length.try_into().ok()?)).ok()?;
    let begin = rest.len().checked_sub(length)?;
    let facts = serde_json::from_slice(rest.get(begin..)?).ok()?;
    Some((facts, content.slice(..begin)))
}

fn checksum(bytes: &[u8]) -> u32 {
    // A CRC of 32 bits, in the lower half.
    u32::try_from(crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, bytes)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> VariantFacts {
        VariantFacts { content_type: "image/png".to_owned(), width: 3, height: 2, frames: 1 }
    }

    fn folder(dir: &Path, most: u64) -> Folder {
        Folder::new(dir.to_owned(), most, CpuPool::new(1), Clock::system())
    }

    async fn has(folder: &Folder, names: &[&str]) -> Vec<bool> {
        let mut found = Vec::new();
        for name in names {
            found.push(folder.read(name).await.is_some());
        }
        found
    }

    #[tokio::test]
    async fn what_was_written_is_read_also_by_the_next_process() {
        let dir = tempfile::tempdir().unwrap();
        let first = folder(dir.path(), 1 << 20);
        assert!(first.read("aabb").await.is_none());
        first.write("aabb", &facts(), Bytes::from_static(b"bytes")).await.unwrap();
        let expected = Some((facts(), Bytes::from_static(b"bytes")));
        assert_eq!(first.read("aabb").await, expected);
        let second = folder(dir.path(), 1 << 20);
        assert_eq!(second.read("aabb").await, expected);
        assert_eq!(second.size().0, 1);
        second.forget("aa").await;
        assert!(second.read("aabb").await.is_none());
        assert_eq!((second.size(), folder(dir.path(), 1 << 20).read("aabb").await), ((0, 0), None));
    }

    /// A process that was killed leaves a file of another name, or, after a power failure, one that is not whole.
    #[tokio::test]
    async fn what_is_not_whole_is_as_good_as_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let writer = folder(dir.path(), 1 << 20);
        writer.write("aabb", &facts(), Bytes::from_static(b"some bytes")).await.unwrap();
        let place = dir.path().join("aa/aabb");
        let whole = std::fs::read(&place).unwrap();
        for cut in 0..whole.len() {
            std::fs::write(&place, &whole[..cut]).unwrap();
            assert!(folder(dir.path(), 1 << 20).read("aabb").await.is_none(), "{cut} bytes");
            let mut changed = whole.clone();
            changed[cut] ^= 1;
            std::fs::write(&place, &changed).unwrap();
            assert!(folder(dir.path(), 1 << 20).read("aabb").await.is_none(), "byte {cut}");
        }
        std::fs::write(dir.path().join("aa/new-1"), "half").unwrap();
        let clock = Clock::movable();
        clock.advance(TimeDelta::hours(2));
        let later = Folder::new(dir.path().to_owned(), 1 << 20, CpuPool::new(1), clock);
        later.write("aabb", &facts(), Bytes::from_static(b"again")).await.unwrap();
        assert_eq!(later.read("aabb").await.unwrap().1, "again");
        assert!(!dir.path().join("aa/new-1").exists());
    }

    #[tokio::test]
    async fn what_was_not_used_for_longest_goes_first() {
        let dir = tempfile::tempdir().unwrap();
        let size = closed(&facts(), &[0; 100]).unwrap().len() as u64;
        let folder = folder(dir.path(), size * 3);
        for name in ["aa1", "bb2", "cc3"] {
            folder.write(name, &facts(), Bytes::from_static(&[0; 100])).await.unwrap();
        }
        assert!(folder.read("aa1").await.is_some());
        folder.write("dd4", &facts(), Bytes::from_static(&[0; 100])).await.unwrap();
        assert_eq!(has(&folder, &["aa1", "bb2", "cc3", "dd4"]).await, [true, false, true, true]);
        assert_eq!(folder.size(), (3, size * 3));
        assert!(!dir.path().join("bb/bb2").exists());
        // Written again, it counts once.
        folder.write("dd4", &facts(), Bytes::from_static(&[0; 100])).await.unwrap();
        assert_eq!(folder.size(), (3, size * 3));
    }
}
