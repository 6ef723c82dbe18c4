//! Bodies of answers: read up to a limit, after decompression.

use std::{io, pin::Pin};

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder};
use futures::TryStreamExt as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio_util::io::StreamReader;

use super::{exchange::of_hyper, failure};
use crate::model::{Failure, Reason};

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

/// At most so many bytes, and whether that was all.
pub async fn read(body: Incoming, encoding: Encoding, most: usize) -> Result<(Vec<u8>, bool), Failure> {
    let stream = StreamReader::new(body.into_data_stream().map_err(io::Error::other));
    let reader: Pin<Box<dyn AsyncRead + Send>> = match encoding {
        Encoding::Plain | Encoding::Other => Box::pin(stream),
        Encoding::Gzip => Box::pin(GzipDecoder::new(stream)),
        Encoding::Brotli => Box::pin(BrotliDecoder::new(stream)),
    };
    let mut bytes = Vec::new();
    // One more tells whether there is more.
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    reader.take(limit).read_to_end(&mut bytes).await.map_err(|error| of_reader(&error))?;
    let is_whole = bytes.len() <= most;
    bytes.truncate(most);
    Ok((bytes, is_whole))
}

fn of_reader(error: &io::Error) -> Failure {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<hyper::Error>()) {
        Some(error) => of_hyper(error),
        None => failure(Reason::Protocol, format!("the body cannot be read: {error}")),
    }
}
