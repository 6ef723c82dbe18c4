//! Reading a range of an object as a stream.

use std::ops::Range;

use bytes::Bytes;
use futures::{
    StreamExt as _, TryStreamExt as _,
    stream::{self, BoxStream},
};
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt as _, path::Path};
use tokio::time::Instant;

use super::{Storage, path};
use crate::{
    StorageError,
    metrics::{Operation, Outcome},
};

/// Bytes that are read from a local disk at once. The store's own stream of a file takes 8 KiB at a time through a blocking thread: a gibibyte
/// would be handed over 130 000 times.
const WINDOW: u64 = 1 << 20;
/// Windows that are read ahead of the reader.
const AHEAD: usize = 2;

type Read = BoxStream<'static, Result<Bytes, StorageError>>;

impl Storage {
    /// Bytes `range` of an object that is known to have so many. Where it has fewer, the stream ends with [`StorageError::Damaged`], never early:
    /// what was promised to a client may not look complete.
    pub fn read(&self, key: &str, range: Range<u64>) -> Read {
        if range.is_empty() {
            return stream::empty().boxed();
        }
        let found = match path(key) {
            Ok(path) if self.is_local() => self.windows(path, range.clone()),
            Ok(path) => self.one_request(path, range.clone()),
            Err(error) => stream::once(std::future::ready(Err(error))).boxed(),
        };
        self.measured(whole(found, range.end - range.start))
    }

    fn windows(&self, path: Path, range: Range<u64>) -> Read {
        let store = self.store.clone();
        let starts = (range.start..range.end).step_by(usize::try_from(WINDOW).unwrap_or(usize::MAX));
        let windows = starts.map(move |start| {
            let (store, path) = (store.clone(), path.clone());
            let end = range.end.min(start + WINDOW);
            async move {
                match store.get_range(&path, start..end).await {
                    Ok(bytes) => Ok(bytes),
                    Err(error) => Err(explained(&*store, &path, end, error).await),
                }
            }
        });
        stream::iter(windows).buffered(AHEAD).boxed()
    }

    fn one_request(&self, path: Path, range: Range<u64>) -> Read {
        let store = self.store.clone();
        let opening = async move {
            let end = range.end;
            let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
            match store.get_opts(&path, options).await {
                Ok(found) => Ok(found.into_stream().map_err(StorageError::from)),
                Err(error) => Err(explained(&*store, &path, end, error).await),
            }
        };
        stream::once(opening).try_flatten().boxed()
    }

    /// Counts the read when its first bytes are there.
    fn measured(&self, read: Read) -> Read {
        let (metrics, begin, mut counted) = (self.metrics.clone(), Instant::now(), false);
        let observed = read.inspect(move |item| {
            let outcome = match item {
                Ok(bytes) => {
                    metrics.read.inc_by(bytes.len() as u64);
                    Outcome::Ok
                }
                Err(StorageError::NotFound) => Outcome::NotFound,
                Err(StorageError::Damaged) => Outcome::Damaged,
                Err(_) => Outcome::Error,
            };
            if !std::mem::replace(&mut counted, true) {
                metrics.count(Operation::Get, outcome, begin.elapsed());
            }
        });
        observed.boxed()
    }
}

/// A failed read of bytes before `end`. That the object ends before them is only in the words of the store's error.
async fn explained(store: &dyn ObjectStore, path: &Path, end: u64, error: object_store::Error) -> StorageError {
    match store.head(path).await {
        Ok(found) if found.size < end => StorageError::Damaged,
        _ => error.into(),
    }
}

/// A stream of `left` bytes; it ends with an error where there are fewer or more, and after its first error.
fn whole(read: Read, left: u64) -> Read {
    let next = |(mut read, left): (Read, Option<u64>)| async move {
        let left = left?;
        match read.next().await {
            Some(Ok(bytes)) => match left.checked_sub(bytes.len() as u64) {
                Some(left) => Some((Ok(bytes), (read, Some(left)))),
                None => Some((Err(StorageError::Damaged), (read, None))),
            },
            Some(Err(error)) => Some((Err(error), (read, None))),
            None if left > 0 => Some((Err(StorageError::Damaged), (read, None))),
            None => None,
        }
    };
    stream::unfold((read, Some(left)), next).boxed()
}
