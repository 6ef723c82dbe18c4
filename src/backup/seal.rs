//! Sealing: zstd compression, then age encryption. The only file that knows either.
//!
//! Both use blocking readers and writers; a small channel connects them with our streams, so that memory use does not depend on the size.
//! Large data is sealed in the background: `sealer.rs`.

use std::{
    fmt,
    fs::File,
    io::{self, BufReader, BufWriter, Read, Write},
    path::Path,
    str::FromStr,
};

use age::x25519;
use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream::BoxStream};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use platform::{
    crypto::Digest,
    pools::{CpuPool, WorkLost},
};

/// Fast, and within a few percent of slower levels for a dump.
const ZSTD_LEVEL: i32 = 1;
/// Capacity of the channel between stream and thread.
const IN_FLIGHT: usize = 8;
/// Size of a piece of decrypted data, bytes.
const PIECE: usize = 128 << 10;

#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("not an age recipient (age1...): {0}")]
    Recipient(String),
    #[error("not an age key (AGE-SECRET-KEY-1...)")]
    Identity,
    #[error("the key does not decrypt this: it was encrypted for another recipient")]
    WrongKey,
    #[error("the passphrase does not decrypt this")]
    WrongPassphrase,
    #[error("this is not an encrypted file, or it was changed: {0}")]
    Damaged(String),
    #[error("the data could not be read to its end")]
    Input(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("cannot write the encrypted file")]
    Output(#[source] io::Error),
    #[error(transparent)]
    Lost(#[from] WorkLost),
}

/// Recipients of a backup: public keys.
#[derive(Clone)]
pub struct Recipients(Vec<x25519::Recipient>);

impl fmt::Debug for Recipients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

impl Recipients {
    /// Parses `age1...` texts.
    pub fn parse<S: AsRef<str>>(texts: &[S]) -> Result<Self, SealError> {
        let parse = |text: &S| {
            x25519::Recipient::from_str(text.as_ref().trim())
                .map_err(|_| SealError::Recipient(text.as_ref().to_owned()))
        };
        texts.iter().map(parse).collect::<Result<_, _>>().map(Self)
    }

    /// The `age1...` texts, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        names.sort();
        names
    }
}

/// A secret key.
#[derive(Clone)]
pub struct Identity(x25519::Identity);

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.recipient())
    }
}

impl FromStr for Identity {
    type Err = SealError;

    fn from_str(text: &str) -> Result<Self, SealError> {
        x25519::Identity::from_str(text.trim()).map(Self).map_err(|_| SealError::Identity)
    }
}

impl Identity {
    pub fn generate() -> Self {
        Self(x25519::Identity::generate())
    }

    /// `AGE-SECRET-KEY-1...`
    pub fn secret(&self) -> SecretString {
        self.0.to_string()
    }

    /// `age1...`
    pub fn recipient(&self) -> String {
        self.0.to_public().to_string()
    }
}

/// A key file's text encrypted with a passphrase, as by `age -p`: for a restore with a passphrase and a destination but no key file.
pub fn wrap(text: &SecretString, passphrase: &SecretString) -> Result<Vec<u8>, SealError> {
    let mut recipient = age::scrypt::Recipient::new(passphrase.clone());
    // About a second on any machine, because anyone who reads the destination can try passphrases.
    recipient.set_work_factor(17);
    age::encrypt(&recipient, text.expose_secret().as_bytes())
        .map_err(|error| SealError::Output(io::Error::other(error.to_string())))
}

/// Decrypts the output of [`wrap`].
pub fn unwrap(wrapped: &[u8], passphrase: &SecretString) -> Result<SecretString, SealError> {
    let mut identity = age::scrypt::Identity::new(passphrase.clone());
    identity.set_max_work_factor(20);
    let plain = age::decrypt(&identity, wrapped).map_err(|_| SealError::WrongPassphrase)?;
    String::from_utf8(plain).map(Into::into).map_err(|_| SealError::Identity)
}

/// Length and SHA-256 of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    pub size: u64,
    pub sha256: Digest,
}

impl Fingerprint {
    /// Describes the difference from the expected bytes.
    pub fn unlike(&self, expected: &Self) -> String {
        if self.size == expected.size {
            return "its bytes were changed".to_owned();
        }
        format!("{} bytes instead of {}", self.size, expected.size)
    }
}

/// Counts and hashes the data passing through.
struct Meter<T> {
    inner: T,
    size: u64,
    hash: Sha256,
}

impl<T> Meter<T> {
    fn new(inner: T) -> Self {
        Self { inner, size: 0, hash: Sha256::new() }
    }

    fn saw(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        self.hash.update(bytes);
    }

    fn finish(self) -> (T, Fingerprint) {
        (self.inner, Fingerprint { size: self.size, sha256: Digest(self.hash.finalize().into()) })
    }
}

impl<W: Write> Write for Meter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.saw(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Length and hash before and after sealing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed {
    pub plain: Fingerprint,
    pub sealed: Fingerprint,
}

/// Seals a stream into a new file. Not synced, because every copy of it is read back.
pub async fn seal<S, E>(pool: &CpuPool, recipients: &Recipients, data: S, path: &Path) -> Result<Sealed, SealError>
where
    S: Stream<Item = Result<Bytes, E>> + Send,
    E: std::error::Error + Send + Sync + 'static,
{
    let (sender, receiver) = mpsc::channel(IN_FLIGHT);
    let (recipients, path) = (recipients.clone(), path.to_owned());
    let work = pool.run(move || write_sealed(&recipients, Inlet::new(receiver), &path));
    let (fed, sealed) = futures::join!(feed(data, sender), work);
    fed?;
    sealed?
}

/// Sends a stream into the channel, then an end mark; if the stream fails, closes the channel without one.
async fn feed<S, E>(data: S, sender: mpsc::Sender<Option<Bytes>>) -> Result<(), SealError>
where
    S: Stream<Item = Result<Bytes, E>> + Send,
    E: std::error::Error + Send + Sync + 'static,
{
    let mut data = std::pin::pin!(data);
    while let Some(bytes) = data.next().await {
        let bytes = bytes.map_err(|error| SealError::Input(Box::new(error)))?;
        // The thread has ended; its result says why.
        if sender.send(Some(bytes)).await.is_err() {
            return Ok(());
        }
    }
    let _ = sender.send(None).await;
    Ok(())
}

fn write_sealed(recipients: &Recipients, data: Inlet, path: &Path) -> Result<Sealed, SealError> {
    let mut sealing = Sealing::begin(recipients, data, path)?;
    sealing.advance(u64::MAX)?;
    sealing.finish().map(|(sealed, _)| sealed)
}

/// A file being sealed.
pub(super) struct Sealing<R> {
    data: BufReader<R>,
    plain: Meter<zstd::Encoder<'static, age::stream::StreamWriter<Meter<BufWriter<File>>>>>,
}

impl<R: Read> Sealing<R> {
    pub(super) fn begin(recipients: &Recipients, data: R, path: &Path) -> Result<Self, SealError> {
        let file = File::options().write(true).create_new(true).open(path).map_err(SealError::Output)?;
        let age = age::Encryptor::with_recipients(recipients.0.iter().map(|r| r as &dyn age::Recipient))
            .map_err(|error| SealError::Recipient(error.to_string()))?;
        let output = Meter::new(BufWriter::with_capacity(1 << 20, file));
        let zstd = age.wrap_output(output).and_then(|sealing| zstd::Encoder::new(sealing, ZSTD_LEVEL));
        let plain = Meter::new(zstd.map_err(SealError::Output)?);
        Ok(Self { data: BufReader::with_capacity(2 * PIECE, data), plain })
    }

    /// Seals up to `bytes` more; true at the end.
    pub(super) fn advance(&mut self, bytes: u64) -> Result<bool, SealError> {
        let copied = io::copy(&mut (&mut self.data).take(bytes), &mut self.plain).map_err(SealError::Output)?;
        Ok(copied < bytes)
    }

    pub(super) fn finish(self) -> Result<(Sealed, R), SealError> {
        let (zstd, plain) = self.plain.finish();
        let written = (|| {
            let (file, sealed) = zstd.finish()?.finish()?.finish();
            file.into_inner().map_err(io::IntoInnerError::into_error)?;
            Ok(sealed)
        })();
        let sealed = written.map_err(SealError::Output)?;
        Ok((Sealed { plain, sealed }, self.data.into_inner()))
    }
}

/// Decrypts a sealed stream. An error if it was truncated, changed, or sealed for others.
pub fn open<S, E>(pool: &CpuPool, identity: &Identity, data: S) -> BoxStream<'static, Result<Bytes, SealError>>
where
    S: Stream<Item = Result<Bytes, E>> + Send + 'static,
    E: std::error::Error + Send + Sync + 'static,
{
    let (sender, receiver) = mpsc::channel(IN_FLIGHT);
    let (out, opened) = mpsc::channel::<Bytes>(IN_FLIGHT);
    let (pool, identity) = (pool.clone(), identity.clone());
    let work = async move { pool.run(move || read_sealed(&identity, Inlet::new(receiver), &out)).await? };
    let end = async move {
        let (fed, read): (_, Result<(), SealError>) = futures::join!(feed(data, sender), work);
        fed.and(read)
    };
    Opening { pieces: opened, end: Some(Box::pin(end)), failed: None }.stream()
}

type End = futures::future::BoxFuture<'static, Result<(), SealError>>;

/// Polls the feeding future while its pieces are read.
struct Opening {
    pieces: mpsc::Receiver<Bytes>,
    end: Option<End>,
    failed: Option<SealError>,
}

impl Opening {
    fn stream(self) -> BoxStream<'static, Result<Bytes, SealError>> {
        futures::stream::unfold(self, |mut this| async move {
            loop {
                let Some(mut end) = this.end.take() else {
                    // Both ends are done: first the rest of the channel, then the error.
                    let piece = this.pieces.recv().await.map(Ok);
                    return piece.or_else(|| this.failed.take().map(Err)).map(|item| (item, this));
                };
                tokio::select! {
                    biased;
                    piece = this.pieces.recv() => {
                        this.end = Some(end);
                        if let Some(piece) = piece {
                            return Some((Ok(piece), this));
                        }
                        // The thread has closed its side: wait for its result.
                        this.failed = this.end.take()?.await.err();
                    }
                    result = &mut end => this.failed = result.err(),
                }
            }
        })
        .boxed()
    }
}

fn read_sealed(identity: &Identity, data: Inlet, out: &mpsc::Sender<Bytes>) -> Result<(), SealError> {
    let age = age::Decryptor::new_buffered(BufReader::new(data)).map_err(|e| SealError::Damaged(e.to_string()))?;
    let opened = age.decrypt(std::iter::once(&identity.0 as &dyn age::Identity)).map_err(|error| match error {
        age::DecryptError::NoMatchingKeys | age::DecryptError::KeyDecryptionFailed => SealError::WrongKey,
        other => SealError::Damaged(other.to_string()),
    })?;
    let damaged = |error: io::Error| SealError::Damaged(error.to_string());
    let mut plain = zstd::Decoder::new(opened).map_err(damaged)?;
    loop {
        let mut piece = vec![0; PIECE];
        let mut filled = 0;
        while filled < PIECE {
            match plain.read(&mut piece[filled..]).map_err(damaged)? {
                0 => break,
                n => filled += n,
            }
        }
        piece.truncate(filled);
        // The reader has gone: no error of ours.
        if filled == 0 || out.blocking_send(piece.into()).is_err() {
            return Ok(());
        }
    }
}

/// Blocking reader of a channel. The end of the data is marked explicitly: a channel that merely closes was truncated.
struct Inlet {
    receiver: mpsc::Receiver<Option<Bytes>>,
    piece: Bytes,
    ended: bool,
}

impl Inlet {
    fn new(receiver: mpsc::Receiver<Option<Bytes>>) -> Self {
        Self { receiver, piece: Bytes::new(), ended: false }
    }
}

impl Read for Inlet {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() && !self.ended {
            match self.receiver.blocking_recv() {
                Some(Some(piece)) => self.piece = piece,
                Some(None) => self.ended = true,
                None => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the data was cut off")),
            }
        }
        let count = buffer.len().min(self.piece.len());
        buffer[..count].copy_from_slice(&self.piece.split_to(count));
        Ok(count)
    }
}
