//! A server for HTTP/1.1 that answers as it is told, byte by byte if need be.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    time::sleep,
};
use tokio_rustls::TlsAcceptor;

use super::{Stream, Task};

/// A request.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub path: String,
    /// By lower-case name.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

/// What is done with it.
#[derive(Clone, Debug)]
pub enum Answer {
    /// These bytes, then the end.
    Bytes(Vec<u8>),
    /// These bytes, then nothing: the connection stays.
    HangAfter(Vec<u8>),
    /// These bytes, one at a time.
    Drip(Vec<u8>, Duration),
    /// This head, and a body without end.
    Endless(&'static str),
    /// The connection is closed with a reset.
    Reset,
    /// As soon as this time has passed, these bytes.
    Late(Duration, Vec<u8>),
}

impl Answer {
    pub fn ok(body: &str) -> Self {
        Self::with(200, "content-type: text/plain\r\n", body)
    }

    pub fn status(status: u16) -> Self {
        Self::with(status, "", "")
    }

    /// `headers`: each with its end of line.
    pub fn with(status: u16, headers: &str, body: &str) -> Self {
        let head = format!("HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n", body.len());
        Self::Bytes([head.as_bytes(), body.as_bytes()].concat())
    }

    pub fn redirect(to: &str) -> Self {
        Self::with(302, &format!("location: {to}\r\n"), "")
    }

    pub fn hang() -> Self {
        Self::HangAfter(Vec::new())
    }
}

type Rule = Box<dyn Fn(&Asked) -> Answer + Send>;

struct Inner {
    rule: Mutex<Rule>,
    asked: Mutex<Vec<Asked>>,
    accepted: AtomicU64,
    written: AtomicU64,
    tls: Option<TlsAcceptor>,
}

/// The server.
pub struct Http {
    pub address: SocketAddr,
    inner: Arc<Inner>,
    _task: Task,
}

impl Http {
    /// Answers 200 until it is told otherwise.
    pub async fn start() -> Self {
        Self::on((Ipv4Addr::LOCALHOST, 0).into(), None).await
    }

    pub async fn with_tls(acceptor: TlsAcceptor) -> Self {
        Self::on((Ipv4Addr::LOCALHOST, 0).into(), Some(acceptor)).await
    }

    pub async fn on(address: SocketAddr, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let inner = Arc::new(Inner {
            rule: Mutex::new(Box::new(|_| Answer::ok("well"))),
            asked: Mutex::default(),
            accepted: AtomicU64::new(0),
            written: AtomicU64::new(0),
            tls,
        });
        let shared = inner.clone();
        let task = Task::run(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                shared.accepted.fetch_add(1, Ordering::SeqCst);
                let inner = shared.clone();
                tokio::spawn(async move {
                    stream.set_nodelay(true).unwrap();
                    match &inner.tls {
                        None => {
                            // A reset needs the socket itself.
                            let answer = inner.read(stream).await;
                            if let Some((stream, Answer::Reset)) = answer {
                                stream.set_zero_linger().unwrap();
                            } else if let Some((stream, answer)) = answer {
                                inner.write(stream, answer).await;
                            }
                        }
                        Some(acceptor) => {
                            let Ok(stream) = acceptor.accept(stream).await else { return };
                            if let Some((stream, answer)) = inner.read(stream).await {
                                inner.write(stream, answer).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, inner, _task: task }
    }

    pub fn url(&self, path: &str) -> String {
        let scheme = if self.inner.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}{path}", self.address)
    }

    /// What it does from now on.
    pub fn answer(&self, rule: impl Fn(&Asked) -> Answer + Send + 'static) {
        *self.inner.rule.lock().unwrap() = Box::new(rule);
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.inner.asked.lock().unwrap().clone()
    }

    pub fn accepted(&self) -> u64 {
        self.inner.accepted.load(Ordering::SeqCst)
    }

    /// Bytes of answers.
    pub fn written(&self) -> u64 {
        self.inner.written.load(Ordering::SeqCst)
    }
}

impl Inner {
    async fn read<S: Stream>(&self, mut stream: S) -> Option<(S, Answer)> {
        let mut bytes = Vec::new();
        let end = loop {
            let mut some = [0; 4096];
            let count = stream.read(&mut some).await.ok().filter(|count| *count > 0)?;
            bytes.extend_from_slice(&some[..count]);
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.lines();
        let mut first = lines.next()?.split(' ').map(str::to_owned);
        let (method, path) = (first.next()?, first.next()?);
        let headers: BTreeMap<String, String> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        while bytes.len() < end + length {
            let mut some = [0; 4096];
            let count = stream.read(&mut some).await.ok().filter(|count| *count > 0)?;
            bytes.extend_from_slice(&some[..count]);
        }
        let body = String::from_utf8_lossy(&bytes[end..]).into_owned();
        let asked = Asked { method, path, headers, body };
        let answer = self.rule.lock().unwrap()(&asked);
        self.asked.lock().unwrap().push(asked);
        Some((stream, answer))
    }

    async fn write(&self, mut stream: impl Stream, answer: Answer) {
        match answer {
            Answer::Bytes(bytes) => {
                self.send(&mut stream, &bytes).await;
                let _ = stream.shutdown().await;
            }
            Answer::HangAfter(bytes) => {
                self.send(&mut stream, &bytes).await;
                std::future::pending::<()>().await;
            }
            Answer::Drip(bytes, pause) => {
                for byte in bytes {
                    if !self.send(&mut stream, &[byte]).await {
                        return;
                    }
                    sleep(pause).await;
                }
            }
            Answer::Endless(head) => {
                self.send(&mut stream, head.as_bytes()).await;
                let chunk = vec![b'x'; 64 * 1024];
                while self.send(&mut stream, &chunk).await {}
            }
            Answer::Late(pause, bytes) => {
                sleep(pause).await;
                self.send(&mut stream, &bytes).await;
                let _ = stream.shutdown().await;
            }
            Answer::Reset => {}
        }
    }

    async fn send(&self, stream: &mut impl Stream, bytes: &[u8]) -> bool {
        let is_sent = stream.write_all(bytes).await.is_ok() && stream.flush().await.is_ok();
        if is_sent {
            self.written.fetch_add(u64::try_from(bytes.len()).unwrap(), Ordering::SeqCst);
        }
        is_sent
    }
}
