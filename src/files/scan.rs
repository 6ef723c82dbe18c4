//! The virus scanner: clamd, asked by its INSTREAM command (clamd(8)). It knows no object.

use std::{fmt, path::PathBuf, time::Duration};

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpStream, UnixStream},
    time::timeout,
};

use storage::StorageError;

/// For the connection, and for each piece of data that is written.
const PATIENCE: Duration = Duration::from_secs(10);
/// For the answer after the last byte: archives are unpacked then.
const LONGEST: Duration = Duration::from_secs(120);
/// Longest answer, bytes.
const ANSWER: u64 = 4096;
/// Bytes that are written at a time.
const CHUNK: usize = 64 << 10;

/// Where clamd listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScannerAddress {
    Unix(PathBuf),
    /// Host and port.
    Tcp(String),
}

impl ScannerAddress {
    /// `unix:/run/clamav/clamd.ctl` or `tcp://127.0.0.1:3310`.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("unix:").filter(|path| path.starts_with('/')) {
            return Some(Self::Unix(PathBuf::from(path)));
        }
        let server = text.strip_prefix("tcp://")?;
        let (host, port) = server.rsplit_once(':')?;
        (!host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)).then(|| Self::Tcp(server.to_owned()))
    }
}

impl fmt::Display for ScannerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(server) => write!(f, "tcp://{server}"),
        }
    }
}

/// What clamd says of a content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Clean,
    /// The signature's name.
    Infected(String),
    /// It is larger than clamd takes: nobody knows what is in it.
    TooLarge,
}

/// clamd gave no answer, or none about the content: to be tried again.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    #[error("no connection to the virus scanner")]
    Connection(#[source] std::io::Error),
    #[error("the virus scanner did not answer in time")]
    Late,
    #[error("the virus scanner answers {0:?}")]
    Answer(String),
    #[error("the content could not be read")]
    Content(#[source] StorageError),
}

/// A scanner. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Scanner {
    address: ScannerAddress,
    /// clamd's `StreamMaxLength`, bytes.
    most: u64,
}

/// A connection of either kind.
trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

impl Scanner {
    pub fn new(address: ScannerAddress, most: u64) -> Self {
        Self { address, most }
    }

    pub fn address(&self) -> &ScannerAddress {
        &self.address
    }

    /// Looks at a content of `size` bytes.
    pub async fn scan<S>(&self, size: u64, data: S) -> Result<Verdict, ScanError>
    where
        S: Stream<Item = Result<Bytes, StorageError>> + Send,
    {
        // What clamd would cut off is never called clean.
        if size > self.most {
            return Ok(Verdict::TooLarge);
        }
        let mut wire = self.connect().await?;
        let sent = send(&mut *wire, data).await;
        // It may have answered and gone before the last byte.
        if let Err(error @ (ScanError::Content(_) | ScanError::Late)) = sent {
            return Err(error);
        }
        match (receive(&mut *wire).await, sent) {
            (Ok(answer), _) if !answer.is_empty() => verdict(&answer),
            (_, Err(error)) | (Err(error), Ok(())) => Err(error),
            (Ok(answer), Ok(())) => Err(ScanError::Answer(answer)),
        }
    }

    /// Its version and the age of its signatures, as it says them.
    pub async fn version(&self) -> Result<String, ScanError> {
        let mut wire = self.connect().await?;
        write(&mut *wire, b"zVERSION\0").await?;
        receive(&mut *wire).await
    }

    async fn connect(&self) -> Result<Box<dyn Wire>, ScanError> {
        let connecting = async {
            Ok::<Box<dyn Wire>, std::io::Error>(match &self.address {
                ScannerAddress::Unix(path) => Box::new(UnixStream::connect(path).await?),
                ScannerAddress::Tcp(server) => Box::new(TcpStream::connect(server.as_str()).await?),
            })
        };
        timeout(PATIENCE, connecting).await.map_err(|_| ScanError::Late)?.map_err(ScanError::Connection)
    }
}

/// Chunks with their lengths before them, and an empty one at the end.
async fn send<S>(wire: &mut dyn Wire, data: S) -> Result<(), ScanError>
where
    S: Stream<Item = Result<Bytes, StorageError>> + Send,
{
    let mut data = std::pin::pin!(data);
    write(wire, b"zINSTREAM\0").await?;
    while let Some(bytes) = data.next().await {
        let bytes = bytes.map_err(ScanError::Content)?;
        for chunk in bytes.chunks(CHUNK) {
            let length = u32::try_from(chunk.len()).unwrap_or(u32::MAX);
            write(wire, &length.to_be_bytes()).await?;
            write(wire, chunk).await?;
        }
    }
    write(wire, &0_u32.to_be_bytes()).await
}

async fn write(wire: &mut dyn Wire, bytes: &[u8]) -> Result<(), ScanError> {
    let writing = timeout(PATIENCE, wire.write_all(bytes)).await;
    writing.map_err(|_| ScanError::Late)?.map_err(ScanError::Connection)
}

/// The answer, without the NUL at its end.
async fn receive(wire: &mut dyn Wire) -> Result<String, ScanError> {
    let mut answer = Vec::new();
    let mut limited = wire.take(ANSWER);
    let reading = timeout(LONGEST, limited.read_to_end(&mut answer)).await;
    reading.map_err(|_| ScanError::Late)?.map_err(ScanError::Connection)?;
    let text = String::from_utf8_lossy(&answer);
    Ok(text.trim_end_matches(['\0', '\n']).trim().to_owned())
}

/// `stream: OK`, `stream: <signature> FOUND`, `INSTREAM size limit exceeded. ERROR`.
fn verdict(answer: &str) -> Result<Verdict, ScanError> {
    let said = answer.strip_prefix("stream: ").unwrap_or(answer);
    if said == "OK" {
        return Ok(Verdict::Clean);
    }
    match said.strip_suffix(" FOUND") {
        Some(signature) => Ok(Verdict::Infected(signature.chars().take(200).collect())),
        None if said.contains("size limit exceeded") => Ok(Verdict::TooLarge),
        None => Err(ScanError::Answer(said.chars().take(200).collect())),
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn addresses_are_of_two_kinds() {
        let unix = ScannerAddress::parse("unix:/run/clamav/clamd.ctl").unwrap();
        assert_eq!(unix, ScannerAddress::Unix("/run/clamav/clamd.ctl".into()));
        assert_eq!(unix.to_string(), "unix:/run/clamav/clamd.ctl");
        assert_eq!(ScannerAddress::parse("tcp://[::1]:3310"), Some(ScannerAddress::Tcp("[::1]:3310".to_owned())));
        for wrong in ["", "unix:clamd.ctl", "tcp://3310", "tcp://:3310", "tcp://a:0", "tcp://a:x", "http://a:1"] {
            assert_eq!(ScannerAddress::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn answers_are_understood_and_others_are_no_verdict() {
        assert_eq!(verdict("stream: OK").unwrap(), Verdict::Clean);
        let found = verdict("stream: Win.Test.EICAR_HDB-1 FOUND").unwrap();
        assert_eq!(found, Verdict::Infected("Win.Test.EICAR_HDB-1".to_owned()));
        assert_eq!(verdict("INSTREAM size limit exceeded. ERROR").unwrap(), Verdict::TooLarge);
        for other in ["", "stream: ERROR", "UNKNOWN COMMAND", "stream: OK and more"] {
            assert!(matches!(verdict(other), Err(ScanError::Answer(_))), "{other}");
        }
    }

    /// A scanner that takes a content and answers; what it was sent.
    async fn scanned(
        answer: &'static [u8],
        content: &'static [u8],
        most: u64,
    ) -> (Result<Verdict, ScanError>, Vec<u8>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scanner = Scanner::new(ScannerAddress::Tcp(listener.local_addr().unwrap().to_string()), most);
        let serve = async {
            let (mut wire, _) = listener.accept().await.unwrap();
            let mut command = [0; 10];
            wire.read_exact(&mut command).await.unwrap();
            assert_eq!(&command, b"zINSTREAM\0");
            let mut got = Vec::new();
            loop {
                let length = wire.read_u32().await.unwrap();
                if length == 0 {
                    break;
                }
                let mut chunk = vec![0; length as usize];
                wire.read_exact(&mut chunk).await.unwrap();
                got.extend(chunk);
            }
            wire.write_all(answer).await.unwrap();
            got
        };
        let data = stream::iter(content.chunks(100_000).map(|part| Ok(Bytes::from_static(part))));
        tokio::join!(scanner.scan(content.len() as u64, data), serve)
    }

    #[tokio::test]
    async fn a_content_comes_whole_and_its_verdict_back() {
        static CONTENT: [u8; 300_001] = [7; 300_001];
        let (found, got) = scanned(b"stream: OK\0", &CONTENT, 1 << 20).await;
        assert_eq!(found.unwrap(), Verdict::Clean);
        assert!(got == CONTENT, "{} bytes came", got.len());
        let (found, _) = scanned(b"stream: X FOUND\0", b"x", 1 << 20).await;
        assert_eq!(found.unwrap(), Verdict::Infected("X".to_owned()));
        let (found, _) = scanned(b"", b"x", 1 << 20).await;
        assert!(matches!(found, Err(ScanError::Answer(_))), "{found:?}");
    }

    #[tokio::test]
    async fn what_is_too_large_is_not_sent_and_never_clean() {
        let nowhere = Scanner::new(ScannerAddress::Unix("/nonexistent".into()), 10);
        let data = || stream::iter([Ok(Bytes::from_static(b"01234567890"))]);
        assert_eq!(nowhere.scan(11, data()).await.unwrap(), Verdict::TooLarge);
        assert!(matches!(nowhere.scan(10, data()).await, Err(ScanError::Connection(_))));
    }
}
