//! Bodies of answers: read up to a limit, after decompression.

use std::{io, pin::Pin, sync::Arc};

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder};
use futures::TryStreamExt as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::io::StreamReader;

use super::{exchange::of_hyper, failure};
use crate::model::{Failure, Reason};

/// Bytes of a body that are read at a time: more than is read of one that no condition needs.
const BLOCK: usize = 128 * 1024;
/// Bytes of all bodies together, besides the first block of each.
const MEMORY: usize = 64 * 1024 * 1024;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Plain,
    Gzip,
    Brotli,
    /// A form that was not asked for: taken as it is.
    Other,
}

impl Encoding {
    pub fn of(text: Option<&str>) -> Self {
        match text.map(str::to_ascii_lowercase).as_deref() {
            None | Some("" | "identity") => Self::Plain,
            Some("gzip" | "x-gzip") => Self::Gzip,
            Some("br") => Self::Brotli,
            Some(_) => Self::Other,
        }
    }
}

/// Memory for bodies of all checks that run. Of each the first block is free.
#[derive(Clone, Debug)]
pub struct Memory(Arc<Semaphore>);

impl Default for Memory {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MEMORY / BLOCK)))
    }
}

/// What was read of a body.
pub struct Read {
    pub bytes: Vec<u8>,
    /// Whether that was all.
    pub is_whole: bool,
    /// Its part of the memory, to be kept as long as the bytes.
    pub held: Option<OwnedSemaphorePermit>,
}

/// At most so many bytes.
pub async fn read(body: Incoming, encoding: Encoding, most: usize, memory: &Memory) -> Result<Read, Failure> {
    let mut stream = StreamReader::new(body.into_data_stream().map_err(io::Error::other));
    // A body of no bytes is empty, whatever the head says of its form.
    if stream.fill_buf().await.map_err(|error| of_reader(&error))?.is_empty() {
        return Ok(Read { bytes: Vec::new(), is_whole: true, held: None });
    }
    let reader: Pin<Box<dyn AsyncRead + Send>> = match encoding {
        Encoding::Plain | Encoding::Other => Box::pin(stream),
        Encoding::Gzip => {
            // Several, one after the other, are one body (RFC 1952 section 2.2).
            let mut decoder = GzipDecoder::new(stream);
            decoder.multiple_members(true);
            Box::pin(decoder)
        }
        Encoding::Brotli => Box::pin(BrotliDecoder::new(stream)),
    };
    // One more tells whether there is more.
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let (mut reader, mut bytes, mut held) = (reader.take(limit), Vec::new(), None::<OwnedSemaphorePermit>);
    loop {
        let before = bytes.len();
        let block = (&mut reader).take(BLOCK as u64).read_to_end(&mut bytes).await;
        block.map_err(|error| of_reader(&error))?;
        if bytes.len() - before < BLOCK {
            break;
        }
        let permit = memory.0.clone().try_acquire_owned();
        let permit = permit.map_err(|_| failure(Reason::Local, "this host has no memory left for bodies"))?;
        match &mut held {
            Some(held) => held.merge(permit),
            none => *none = Some(permit),
        }
    }
    let is_whole = bytes.len() <= most;
    bytes.truncate(most);
    Ok(Read { bytes, is_whole, held })
}

fn of_reader(error: &io::Error) -> Failure {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<hyper::Error>()) {
        Some(error) => of_hyper(error),
        None => failure(Reason::Protocol, format!("the body cannot be read: {error}")),
    }
}
