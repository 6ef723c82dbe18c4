//! What a request sends: content whose signature, if it is signed, is compared while it comes.
//!
//! A [`Body`] is made only out of a request that was admitted, so no content is read before the signature of its request is right.

use std::sync::{Arc, OnceLock};

use axum::http::{HeaderMap, header};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures::{
    StreamExt as _, TryStreamExt as _,
    stream::{self, BoxStream},
};

use crate::{
    checksums::{self, Algorithm},
    chunked::{Chain, Decoder},
    errors::{
        BAD_DIGEST, CONTENT_SHA256_MISMATCH, INCOMPLETE_BODY, INVALID_ARGUMENT, INVALID_REQUEST, MAX_MESSAGE,
        MISSING_LENGTH, S3Error, of_body,
    },
};
use platform::crypto;
use storage::{DigestKind, DigestSet, Digests};

/// Headers of the framing: none of them is of the object.
const ANNOUNCED: &str = "x-amz-trailer";
const DECODED: &str = "x-amz-decoded-content-length";

/// What `x-amz-content-sha256` says of the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    Hash([u8; 32]),
    Unsigned,
    /// In chunks; whether they are signed, and whether something follows.
    Chunked {
        signed: bool,
        trailer: bool,
    },
}

impl Payload {
    pub fn parse(text: &str) -> Result<Self, S3Error> {
        match text {
            "UNSIGNED-PAYLOAD" => Ok(Self::Unsigned),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" => Ok(Self::Chunked { signed: true, trailer: false }),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => Ok(Self::Chunked { signed: true, trailer: true }),
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => Ok(Self::Chunked { signed: false, trailer: true }),
            text if text.starts_with("STREAMING-") => {
                Err(S3Error::not_implemented(format!("x-amz-content-sha256: {text} is not implemented")))
            }
            text => match text.parse::<crypto::Digest>() {
                Ok(digest) => Ok(Self::Hash(digest.0)),
                Err(_) => Err(INVALID_ARGUMENT.with(
                    "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, a STREAMING- form, or a valid sha256 value.",
                )),
            },
        }
    }
}

/// A hash that came behind the content and is right; set when the content has been read.
pub(crate) type Told = Arc<OnceLock<(Algorithm, Vec<u8>)>>;

/// The body of an admitted request.
pub(crate) struct Body {
    data: axum::body::Body,
    payload: Payload,
    /// Of signed chunks.
    chain: Option<Chain>,
    /// Bytes of content, where the request says it.
    length: Option<u64>,
    /// The hash that is to follow the content.
    announced: Option<Algorithm>,
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body").field("payload", &self.payload).field("length", &self.length).finish_non_exhaustive()
    }
}

impl Body {
    /// `chain`: of a signed request. Takes the headers of the framing out.
    pub fn new(
        data: axum::body::Body,
        payload: Payload,
        chain: Option<Chain>,
        headers: &mut HeaderMap,
    ) -> Result<Self, S3Error> {
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default().trim());
        let number = |name: &str| {
            let wrong = || INVALID_ARGUMENT.with(format!("{name}: expected a number"));
            text(name).map(|text| text.parse::<u64>().map_err(|_| wrong())).transpose()
        };
        let (length, announced) = match payload {
            Payload::Chunked { trailer, .. } => {
                let announced = text(ANNOUNCED).filter(|text| !text.is_empty());
                let length = number(DECODED)?.ok_or_else(|| MISSING_LENGTH.with(format!("{DECODED} is missing")))?;
                (Some(length), announced.filter(|_| trailer).map(trailing).transpose()?)
            }
            Payload::Hash(_) | Payload::Unsigned => (number(header::CONTENT_LENGTH.as_str())?, None),
        };
        let chain = chain.filter(|_| matches!(payload, Payload::Chunked { signed: true, .. }));
        if matches!(payload, Payload::Chunked { signed: true, .. }) && chain.is_none() {
            return Err(INVALID_REQUEST.with("signed chunks need a signed request"));
        }
        for name in [ANNOUNCED, DECODED, "x-amz-content-sha256"] {
            headers.remove(name);
        }
        Ok(Self { data, payload, chain, length, announced })
    }

    /// Bytes of content, where the request says it.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// The length of an upload, which must be said.
    pub fn need_length(&self) -> Result<u64, S3Error> {
        self.length.ok_or_else(|| MISSING_LENGTH.error())
    }

    /// The hash that the signature says the content has.
    pub fn sha256(&self) -> Option<[u8; 32]> {
        match self.payload {
            Payload::Hash(hash) => Some(hash),
            Payload::Unsigned | Payload::Chunked { .. } => None,
        }
    }

    /// The hash that follows the content.
    pub fn announced(&self) -> Option<Algorithm> {
        self.announced
    }

    /// The content, decoded. A wrong signature, length or hash behind it is an error in the stream.
    pub fn stream(self) -> (BoxStream<'static, Result<Bytes, S3Error>>, Told) {
        let told = Told::default();
        let input = self.data.into_data_stream().map_err(of_body).boxed();
        let Payload::Chunked { .. } = self.payload else { return (input, told) };
        let names = self.announced.map(|algorithm| algorithm.header.to_owned()).into_iter().collect();
        let decoder = Decoder::new(self.chain, names, self.length.unwrap_or_default());
        let sum = self.announced.map(|algorithm| (algorithm, Sum::new(algorithm)));
        let begin = Decoding { input, rest: Bytes::new(), decoder, sum, told: told.clone() };
        (stream::try_unfold(begin, Decoding::next).boxed(), told)
    }

    /// A small body as a whole, compared with what its headers say of it.
    pub async fn whole(self, headers: &HeaderMap, most: usize) -> Result<Bytes, S3Error> {
        let hash = self.sha256();
        let (mut stream, _) = self.stream();
        let mut whole = Vec::new();
        while let Some(bytes) = stream.try_next().await? {
            if whole.len() + bytes.len() > most {
                return Err(MAX_MESSAGE.error());
            }
            whole.extend_from_slice(&bytes);
        }
        if hash.is_some_and(|hash| crypto::sha256(&whole) != hash) {
            return Err(CONTENT_SHA256_MISMATCH.error());
        }
        checksums::check_small(headers, &whole)?;
        Ok(whole.into())
    }
}

/// `x-amz-trailer` names one hash.
fn trailing(text: &str) -> Result<Algorithm, S3Error> {
    let found = Algorithm::of_header(&text.to_ascii_lowercase());
    found.ok_or_else(|| INVALID_REQUEST.with("x-amz-trailer: expected one of the x-amz-checksum- headers"))
}

/// What is between two pieces of content.
struct Decoding {
    input: BoxStream<'static, Result<Bytes, S3Error>>,
    rest: Bytes,
    decoder: Decoder,
    sum: Option<(Algorithm, Sum)>,
    told: Told,
}

impl Decoding {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, S3Error> {
        loop {
            if let Some(data) = self.decoder.next(&mut self.rest)? {
                if let Some((_, sum)) = &mut self.sum {
                    sum.update(&data);
                }
                return Ok(Some((data, self)));
            }
            let Some(bytes) = self.input.try_next().await? else {
                self.finish()?;
                return Ok(None);
            };
            self.rest = bytes;
        }
    }

    fn finish(&mut self) -> Result<(), S3Error> {
        let trailers = self.decoder.end()?;
        let Some((algorithm, sum)) = self.sum.take() else { return Ok(()) };
        let value = trailers.iter().find(|(name, _)| name == algorithm.header).map(|(_, value)| value.as_str());
        let expected = algorithm.decode(value.ok_or_else(|| INCOMPLETE_BODY.error())?)?;
        if sum.finish(algorithm) != expected {
            return Err(BAD_DIGEST.with(format!("the content has another {} than follows it", algorithm.name)));
        }
        let _ = self.told.set((algorithm, expected));
        Ok(())
    }
}

/// A hash of content on its way. A CRC alone costs next to nothing; the others come with SHA-256 beside them.
enum Sum {
    Crc(Box<crc_fast::Digest>),
    Other(Box<Digests>),
}

impl Sum {
    fn new(algorithm: Algorithm) -> Self {
        match algorithm.crc() {
            Some(crc) => Self::Crc(Box::new(crc_fast::Digest::new(crc))),
            None => Self::Other(Box::new(Digests::new(&DigestSet::of([algorithm.kind])))),
        }
    }

    fn update(&mut self, data: &[u8]) {
        match self {
            Self::Crc(crc) => crc.update(data),
            Self::Other(digests) => digests.update(data),
        }
    }

    fn finish(self, algorithm: Algorithm) -> Vec<u8> {
        match self {
            Self::Crc(crc) => {
                let bytes = crc.finalize().to_be_bytes();
                let from = if algorithm.kind == DigestKind::Crc64Nvme { 0 } else { 4 };
                bytes[from..].to_vec()
            }
            Self::Other(digests) => digests.finish().get(algorithm.kind).unwrap_or_default().to_vec(),
        }
    }
}

/// A hash as headers and rows have it.
pub(crate) fn base64(hash: &[u8]) -> String {
    STANDARD.encode(hash)
}
