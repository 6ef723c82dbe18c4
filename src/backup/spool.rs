//! Where files wait, and what a run must not hold in memory: however many there are, they are gone through from here.

use std::{
    fmt::Display,
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

/// A folder of the one run that has it, gone when this is dropped.
#[derive(Debug)]
pub struct Spool {
    dir: PathBuf,
    next: Mutex<u64>,
}

impl Spool {
    /// Makes an empty folder; what an earlier run left there is removed.
    pub fn make(dir: &Path) -> Result<Self, BackupError> {
        match std::fs::remove_dir_all(dir) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(BackupError::io(dir)(error)),
            _ => {}
        }
        std::fs::create_dir_all(dir).map_err(BackupError::io(dir))?;
        Ok(Self { dir: dir.to_owned(), next: Mutex::default() })
    }

    /// A file that goes when this is dropped.
    pub fn file(&self) -> Spooled {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        *next += 1;
        Spooled(self.dir.join(format!("{next}.partial")))
    }

    pub fn catalogue(&self) -> Result<Catalogue, BackupError> {
        Ok(Catalogue::make(self.file())?)
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// A file of the spool.
#[derive(Debug)]
pub struct Spooled(PathBuf);

impl Spooled {
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes it.
    pub async fn create(&self) -> Result<BufWriter<File>, BackupError> {
        let file = File::create(&self.0).await.map_err(BackupError::io(&self.0))?;
        Ok(BufWriter::with_capacity(256 << 10, file))
    }

    /// Fills it with what a stream brings.
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

    /// Its lines; `what` they are, for an error. The file goes with the stream.
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
