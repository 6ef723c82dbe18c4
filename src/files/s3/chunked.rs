//! Bodies in chunks (`aws-chunked`): signed ones, and ones with hashes behind the content.
//!
//! A state machine: bytes go in as they come, content goes out while it is hashed, and a chunk's signature is compared at its end. Nothing is
//! kept but a line, so a chunk may be as large as it likes. A wrong signature comes as an error at the end of a chunk whose content was given away
//! already: whoever reads must commit nothing before the stream has ended well.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>

use bytes::{Buf as _, Bytes};
use platform::crypto::{self, hex};
use sha2::{Digest as _, Sha256};

use crate::{
    errors::{ENTITY_TOO_LARGE, INCOMPLETE_BODY, INVALID_REQUEST, MALFORMED_TRAILER, S3Error, SIGNATURE},
    sigv4::EMPTY_SHA256,
};

/// Longest head of a chunk: sixteen digits and a signature are 99 bytes.
const LONGEST_HEAD: usize = 1024;
const LARGEST_CHUNK: u64 = 1 << 30;
/// All lines behind the content.
const LONGEST_TRAILERS: usize = 16 << 10;
const SIGNATURE_TRAILER: &str = "x-amz-trailer-signature";

/// What signs the chunks.
#[derive(Clone)]
pub(crate) struct Chain {
    pub key: [u8; 32],
    /// As in strings to sign.
    pub stamp: String,
    pub scope: String,
    /// The signature before: first that of the request.
    pub last: String,
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chain").field("scope", &self.scope).finish_non_exhaustive()
    }
}

impl Chain {
    /// The next signature, of this kind and of what it is about.
    fn next(&self, kind: &str, about: &str) -> String {
        let text = format!("AWS4-HMAC-SHA256-{kind}\n{}\n{}\n{}\n{about}", self.stamp, self.scope, self.last);
        hex(&crypto::hmac_sha256(&self.key, text.as_bytes()))
    }

    /// Err unless `given` is the next one.
    fn follow(&mut self, kind: &str, about: &str, given: &str) -> Result<(), S3Error> {
        let expected = self.next(kind, about);
        if !crypto::constant_time_eq(expected.as_bytes(), given.as_bytes()) {
            return Err(SIGNATURE.with("the signature of a chunk, or of what follows the content, is wrong"));
        }
        self.last = expected;
        Ok(())
    }
}

/// Where the machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In the line before a chunk.
    Head,
    /// In a chunk, of which so many bytes are left.
    Data(u64),
    /// In the line end behind a chunk.
    DataEnd,
    /// Behind the last chunk.
    Trailers,
    Done,
}

/// A body that is being decoded.
pub(crate) struct Decoder {
    /// `None`: the chunks are not signed.
    chain: Option<Chain>,
    /// Headers that are to follow the content, in lower case.
    announced: Vec<String>,
    state: State,
    line: Vec<u8>,
    /// Bytes of content that are still to come.
    left: u64,
    /// Of the chunk.
    hash: Sha256,
    signature: String,
    trailers: Vec<(String, String)>,
    trailer_bytes: usize,
}

impl Decoder {
    /// `length`: bytes of content, as the request says.
    pub fn new(chain: Option<Chain>, announced: Vec<String>, length: u64) -> Self {
        Self {
            chain,
            announced,
            state: State::Head,
            line: Vec::new(),
            left: length,
            hash: Sha256::new(),
            signature: String::new(),
            trailers: Vec::new(),
            trailer_bytes: 0,
        }
    }

    /// Takes bytes from the front of `input` and returns the next content; `None`: more input is needed, or the body has ended.
    pub fn next(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, S3Error> {
        while !input.is_empty() {
            match self.state {
                State::Head => {
                    if let Some(line) = self.line(input, LONGEST_HEAD)? {
                        self.begin(&line)?;
                    }
                }
                State::Data(left) => {
                    let bytes = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                    let data = input.split_to(bytes);
                    if self.chain.is_some() {
                        self.hash.update(&data);
                    }
                    let left = left - bytes as u64;
                    self.state = if left == 0 { State::DataEnd } else { State::Data(left) };
                    return Ok(Some(data));
                }
                State::DataEnd => {
                    if let Some(line) = self.line(input, 2)? {
                        if !line.is_empty() {
                            return Err(INCOMPLETE_BODY.with("a chunk does not end where it says"));
                        }
                        self.check_chunk()?;
                        self.state = State::Head;
                    }
                }
                State::Trailers => {
                    if let Some(line) = self.line(input, LONGEST_TRAILERS)? {
                        self.trailer(&line)?;
                    }
                }
                State::Done => return Err(INCOMPLETE_BODY.with("something follows the end of the body")),
            }
        }
        Ok(None)
    }

    /// The input has ended. The headers that came behind the content.
    pub fn end(&mut self) -> Result<Vec<(String, String)>, S3Error> {
        // Some programs leave out the empty line where nothing follows.
        if self.state == State::Trailers && self.line.is_empty() && self.trailers.is_empty() {
            self.finish()?;
        }
        if self.state == State::Done { Ok(std::mem::take(&mut self.trailers)) } else { Err(INCOMPLETE_BODY.error()) }
    }

    /// A line without its end, as soon as it is whole.
    fn line(&mut self, input: &mut Bytes, longest: usize) -> Result<Option<String>, S3Error> {
        let end = input.iter().position(|byte| *byte == b'\n');
        let bytes = end.map_or(input.len(), |at| at + 1);
        if self.line.len() + bytes > longest {
            return Err(INCOMPLETE_BODY.with("a line of the chunked body is too long"));
        }
        self.line.extend_from_slice(&input[..bytes]);
        input.advance(bytes);
        if end.is_none() {
            return Ok(None);
        }
        self.line.pop();
        if self.line.last() == Some(&b'\r') {
            self.line.pop();
        } else if self.state != State::Trailers {
            return Err(INCOMPLETE_BODY.with("a line of the chunked body ends without CR"));
        }
        let line = std::mem::take(&mut self.line);
        String::from_utf8(line).map(Some).map_err(|_| INCOMPLETE_BODY.with("a line of the chunked body is no text"))
    }

    /// The line before a chunk.
    fn begin(&mut self, line: &str) -> Result<(), S3Error> {
        let (digits, extension) = line.split_once(';').map_or((line, None), |(digits, rest)| (digits, Some(rest)));
        let is_hex = (1..=16).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let size = u64::from_str_radix(digits, 16).ok().filter(|_| is_hex);
        let size = size.ok_or_else(|| INCOMPLETE_BODY.with("a chunk begins without its size"))?;
        match (&self.chain, extension.map(|rest| rest.strip_prefix("chunk-signature="))) {
            (Some(_), Some(Some(signature))) => signature.clone_into(&mut self.signature),
            (Some(_), _) => return Err(SIGNATURE.with("a chunk has no signature")),
            (None, None) => {}
            (None, Some(_)) => {
                return Err(INVALID_REQUEST.with("chunks are signed, and the request says that they are not"));
            }
        }
        if size > LARGEST_CHUNK {
            return Err(ENTITY_TOO_LARGE.with("a chunk has at most 1 GiB"));
        }
        if size > self.left {
            return Err(INCOMPLETE_BODY.with("the chunks have more bytes than x-amz-decoded-content-length says"));
        }
        self.left -= size;
        self.hash = Sha256::new();
        if size > 0 {
            self.state = State::Data(size);
            return Ok(());
        }
        if self.left > 0 {
            return Err(INCOMPLETE_BODY.with("the chunks have fewer bytes than x-amz-decoded-content-length says"));
        }
        self.check_chunk()?;
        self.state = State::Trailers;
        Ok(())
    }

    fn check_chunk(&mut self) -> Result<(), S3Error> {
        let Some(chain) = &mut self.chain else { return Ok(()) };
        let hash: [u8; 32] = std::mem::replace(&mut self.hash, Sha256::new()).finalize().into();
        chain.follow("PAYLOAD", &format!("{EMPTY_SHA256}\n{}", hex(&hash)), &self.signature)
    }

    /// A line behind the content; an empty one ends the body.
    fn trailer(&mut self, line: &str) -> Result<(), S3Error> {
        if line.is_empty() {
            return self.finish();
        }
        self.trailer_bytes += line.len();
        let (name, value) = line.split_once(':').ok_or_else(|| MALFORMED_TRAILER.error())?;
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim().to_owned());
        if self.trailer_bytes > LONGEST_TRAILERS || self.trailers.iter().any(|(other, _)| *other == name) {
            return Err(MALFORMED_TRAILER.error());
        }
        self.trailers.push((name, value));
        Ok(())
    }

    /// What follows the content is what was announced, and it is signed where chunks are.
    fn finish(&mut self) -> Result<(), S3Error> {
        let signed_at = self.trailers.iter().position(|(name, _)| name == SIGNATURE_TRAILER);
        let signature = signed_at.map(|at| self.trailers.remove(at).1);
        let names: Vec<&str> = self.trailers.iter().map(|(name, _)| name.as_str()).collect();
        if names.len() != self.announced.len() || !self.announced.iter().all(|name| names.contains(&name.as_str())) {
            return Err(MALFORMED_TRAILER.with("what follows the content is not what x-amz-trailer announces"));
        }
        if let Some(chain) = self.chain.as_mut().filter(|_| !self.announced.is_empty()) {
            let lines: Vec<String> = self.trailers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
            let signature = signature.ok_or_else(|| SIGNATURE.with("what follows the content has no signature"))?;
            chain.follow("TRAILER", &crypto::sha256_hex(lines.concat()), &signature)?;
        }
        self.state = State::Done;
        Ok(())
    }
}
