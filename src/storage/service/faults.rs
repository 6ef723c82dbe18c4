//! A store that does wrong what stores do wrong, for tests of what is made of it: it loses what it acknowledged, keeps half of it, fails before
//! or after it has done its work, answers late, ends a read early, or has flipped a bit.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, memory::InMemory, path::Path,
};

/// What goes wrong with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Of writes: acknowledged, and nothing is there.
    Lost,
    /// Of writes and reads: only the first half.
    Half,
    /// Of reads: the first bit is another one.
    Flipped,
    /// Refused, and not done.
    Refused,
    /// Done, and answered with an error: a time-out after the work.
    DoneAndFailed,
    /// As always, after a while.
    Late(Duration),
}

/// What will go wrong next: each fault once, in their order. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    writes: Arc<Mutex<VecDeque<Fault>>>,
    reads: Arc<Mutex<VecDeque<Fault>>>,
}

impl Faults {
    /// Of the writes from now on.
    pub fn on_writes(&self, faults: impl IntoIterator<Item = Fault>) {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner).extend(faults);
    }

    /// Of the reads from now on.
    pub fn on_reads(&self, faults: impl IntoIterator<Item = Fault>) {
        self.reads.lock().unwrap_or_else(PoisonError::into_inner).extend(faults);
    }

    /// Faults that did not happen yet.
    pub fn left(&self) -> usize {
        let count = |faults: &Mutex<VecDeque<Fault>>| faults.lock().unwrap_or_else(PoisonError::into_inner).len();
        count(&self.writes) + count(&self.reads)
    }
}

fn next(faults: &Mutex<VecDeque<Fault>>) -> Option<Fault> {
    faults.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

fn failed() -> Error {
    Error::Generic { store: "Faulty", source: "injected".into() }
}

#[derive(Debug)]
pub(super) struct Faulty {
    inner: InMemory,
    faults: Faults,
}

impl Faulty {
    pub fn new(faults: Faults) -> Self {
        Self { inner: InMemory::new(), faults }
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

/// The first half of what is to be written.
fn half(payload: &PutPayload) -> PutPayload {
    let all: Vec<u8> = payload.iter().flat_map(|part| part.iter().copied()).collect();
    PutPayload::from(all[..all.len() / 2].to_vec())
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let fault = next(&self.faults.writes);
        if let Some(Fault::Late(time)) = fault {
            tokio::time::sleep(time).await;
        }
        match fault {
            Some(Fault::Refused) => Err(failed()),
            Some(Fault::Lost) => {
                Ok(PutResult { e_tag: None, version: None, extensions: object_store::Extensions::default() })
            }
            Some(Fault::Half) => self.inner.put_opts(location, half(&payload), opts).await,
            Some(Fault::DoneAndFailed) => self.inner.put_opts(location, payload, opts).await.and(Err(failed())),
            Some(Fault::Flipped | Fault::Late(_)) | None => self.inner.put_opts(location, payload, opts).await,
        }
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        match next(&self.faults.writes) {
            Some(Fault::Refused | Fault::DoneAndFailed) => Err(failed()),
            // In its own folder, where nobody looks.
            Some(Fault::Lost | Fault::Half) => self.inner.put_multipart_opts(&Path::from("lost"), opts).await,
            Some(Fault::Flipped | Fault::Late(_)) | None => self.inner.put_multipart_opts(location, opts).await,
        }
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        // What is asked for its size alone is no read.
        let fault = if options.head { None } else { next(&self.faults.reads) };
        if let Some(Fault::Late(time)) = fault {
            tokio::time::sleep(time).await;
        }
        if fault == Some(Fault::Refused) {
            return Err(failed());
        }
        let found = self.inner.get_opts(location, options).await?;
        let Some(Fault::Half | Fault::Flipped | Fault::Lost) = fault else { return Ok(found) };
        let (meta, range, attributes) = (found.meta.clone(), found.range.clone(), found.attributes.clone());
        let mut bytes = found.bytes().await?.to_vec();
        match fault {
            Some(Fault::Flipped) => bytes.iter_mut().take(1).for_each(|byte| *byte ^= 0x80),
            _ => bytes.truncate(bytes.len() / 2),
        }
        let payload = GetResultPayload::Stream(stream::once(async move { Ok(Bytes::from(bytes)) }).boxed());
        Ok(GetResult { payload, meta, range, attributes, extensions: object_store::Extensions::default() })
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
