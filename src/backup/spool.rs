//! Spooled files, and lists that a run must not hold in memory, however long.

use std::{
    fmt::Display,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    str::FromStr,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use tokio::{
    fs::File,
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, BufWriter},
};

use super::{BackupError, catalogue::Catalogue};
use platform::{crypto, pools::CpuPool};

/// Folder of a single run or drill, removed on drop. The name is new each time, so that leftovers of a former run (a thread, a server) do
/// not write into it.
#[derive(Debug)]
pub struct WorkFolder(PathBuf);

impl WorkFolder {
    /// Creates a folder below `parent`, which is first cleared of leftovers of killed processes. `mode`: its permissions.
    pub fn make(parent: &Path, mode: u32) -> Result<Self, BackupError> {
        match std::fs::remove_dir_all(parent) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(BackupError::io(parent)(error)),
            _ => {}
        }
        let dir = parent.join(crypto::hex(&crypto::random_bytes::<4>()));
        let make = |dir: &Path, mode| std::fs::DirBuilder::new().recursive(true).mode(mode).create(dir);
        // Others may traverse it but not list it.
        make(parent, 0o711).and_then(|()| make(&dir, mode)).map_err(BackupError::io(&dir))?;
        Ok(Self(dir))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for WorkFolder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, dir = %self.0.display(), "a backup's work folder could not be removed");
        }
        // Fails if another run works there.
        let _ = self.0.parent().map(std::fs::remove_dir);
    }
}

/// Files of one run, readable by us only: not all of them are encrypted.
#[derive(Debug)]
pub struct Spool {
    folder: WorkFolder,
    next: Mutex<u64>,
}

impl Spool {
    /// Creates the spool below `work_dir`, which one process uses at a time.
    pub fn make(work_dir: &Path) -> Result<Self, BackupError> {
        Ok(Self { folder: WorkFolder::make(&work_dir.join("spool"), 0o700)?, next: Mutex::default() })
    }

    /// A file that is removed on drop.
    pub fn file(&self) -> Spooled {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        *next += 1;
        Spooled(self.folder.path().join(format!("{next}.partial")))
    }

    pub fn catalogue(&self, pool: &CpuPool) -> Result<Catalogue, BackupError> {
        Ok(Catalogue::make(self.file(), pool.clone())?)
    }
}

/// A file of the spool.
#[derive(Debug)]
pub struct Spooled(PathBuf);

impl Spooled {
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Creates the file.
    pub async fn create(&self) -> Result<BufWriter<File>, BackupError> {
        let file = File::create(&self.0).await.map_err(BackupError::io(&self.0))?;
        Ok(BufWriter::with_capacity(256 << 10, file))
    }

    /// Writes a stream to the file.
    pub async fn fill<S, E>(&self, data: S) -> Result<(), BackupError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        BackupError: From<E>,
    {
        let (mut file, mut data) = (self.create().await?, std::pin::pin!(data));
        while let Some(bytes) = data.next().await.transpose()? {
            file.write_all(&bytes).await.map_err(BackupError::io(&self.0))?;
        }
        file.flush().await.map_err(BackupError::io(&self.0))
    }

    /// The parsed lines; `what` names them in errors. The file is removed with the stream.
    pub async fn lines<T>(
        self,
        what: &'static str,
    ) -> Result<impl Stream<Item = Result<T, BackupError>> + Send + use<T>, BackupError>
    where
        T: FromStr<Err: Display> + Send,
    {
        let file = File::open(&self.0).await.map_err(BackupError::io(&self.0))?;
        let lines = BufReader::with_capacity(256 << 10, file).lines();
        Ok(stream::try_unfold((lines, self), move |(mut lines, file)| async move {
            let Some(line) = lines.next_line().await.map_err(BackupError::io(&file.0))? else { return Ok(None) };
            let parsed = line.parse().map_err(|error| BackupError::Damaged(format!("{what}: {error}")))?;
            Ok(Some((parsed, (lines, file))))
        }))
    }
}

impl Drop for Spooled {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
