//! Unit tests without a database.

mod manifest;
mod retention;
mod seal;
mod spool;

use std::io;

use bytes::Bytes;
use futures::stream;

use super::manifest::{Blob, BlobName};
use platform::crypto::Digest;

fn pieces(bytes: &[u8], of: usize) -> impl futures::Stream<Item = Result<Bytes, io::Error>> + Send + use<> {
    let pieces: Vec<_> = bytes.chunks(of).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    stream::iter(pieces)
}

fn blob(n: u8) -> Blob {
    let name = BlobName { content: Digest([n; 32]), sealed: Digest([0xab; 32]), size: 12 };
    Blob { name, sha256: Digest([0xcd; 32]), size: 7 }
}
