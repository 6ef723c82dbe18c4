//! Targets of monitors that misbehave on command. Each listens on a port of its own, on loopback, until it is dropped.

mod certificates;
mod dns;
mod grpc;
mod http;
mod lines;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream, UnixStream},
    sync::watch,
    task::JoinHandle,
    time::timeout,
};

pub use certificates::Root;
pub use dns::{Dns, Said};
pub use grpc::Grpc;
pub use http::{Answer, Asked, Http};
pub use lines::Lines;

/// What a client sees of a server, encrypted or not.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A task that ends with its owner.
#[derive(Debug)]
pub struct Task(JoinHandle<()>);

impl Task {
    pub fn run(work: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(work))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A listener on an address of loopback.
pub async fn listen(ip: Ipv4Addr) -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((IpAddr::V4(ip), 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Takes connections and counts them, and says nothing.
pub struct Silent {
    pub address: SocketAddr,
    accepted: Arc<AtomicU64>,
    _task: Task,
}

impl Silent {
    pub async fn start() -> Self {
        Self::on((Ipv4Addr::LOCALHOST, 0).into()).await
    }

    pub async fn on(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let (address, accepted) = (listener.local_addr().unwrap(), Arc::new(AtomicU64::new(0)));
        let count = accepted.clone();
        let task = Task::run(async move {
            let mut held = Vec::new();
            loop {
                held.push(listener.accept().await.unwrap());
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { address, accepted, _task: task }
    }

    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::SeqCst)
    }
}

/// An address at which connecting never ends: its queue is full, and nobody takes one.
pub struct Hole {
    pub address: SocketAddr,
    _listener: TcpListener,
    _queue: Vec<TcpStream>,
}

impl Hole {
    pub async fn start() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut queue = Vec::new();
        while let Ok(connected) = timeout(Duration::from_millis(300), TcpStream::connect(address)).await {
            queue.push(connected.unwrap());
            assert!(queue.len() < 100, "its queue does not become full");
        }
        Self { address, _listener: listener, _queue: queue }
    }
}

/// An address where nobody listens.
pub async fn nobody() -> SocketAddr {
    let (listener, address) = listen(Ipv4Addr::LOCALHOST).await;
    drop(listener);
    address
}

/// A port that leads to a server's socket: what the server says is real. [`Relay::cut_commits`] loses an answer.
pub struct Relay {
    pub address: SocketAddr,
    cut: Arc<AtomicU64>,
    away: watch::Sender<bool>,
    _task: Task,
}

impl Relay {
    pub async fn to(socket: std::path::PathBuf) -> Self {
        let (listener, address) = listen(Ipv4Addr::LOCALHOST).await;
        let cut = Arc::new(AtomicU64::new(0));
        let (away, cuts) = (watch::Sender::new(false), cut.clone());
        let gone = away.subscribe();
        let task = Task::run(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                if *gone.borrow() {
                    continue;
                }
                let Ok(server) = UnixStream::connect(&socket).await else { continue };
                let (cuts, mut gone) = (cuts.clone(), gone.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        () = relay(client, server, cuts) => {}
                        _ = gone.wait_for(|is_gone| *is_gone) => {}
                    }
                });
            }
        });
        Self { address, cut, away, _task: task }
    }

    /// As long as this is so, connections are closed, and new ones as soon as they are made.
    pub fn set_away(&self, is_away: bool) {
        self.away.send_replace(is_away);
    }

    /// The next so many commits of transactions that insert spans reach the server, and their answers are lost.
    pub fn cut_commits(&self, many: u64) {
        self.cut.store(many, Ordering::SeqCst);
    }

    /// Cuts that are still to come.
    pub fn cuts_left(&self) -> u64 {
        self.cut.load(Ordering::SeqCst)
    }
}

const WRITES_SPANS: &[u8] = b"\0INSERT INTO uptime_spans";
/// How sqlx calls a statement that it keeps.
const STATEMENT: &[u8] = b"sqlx_s_";

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|some| some == part)
}

async fn relay(client: TcpStream, server: UnixStream, cuts: Arc<AtomicU64>) {
    use tokio::io::AsyncReadExt as _;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let back = Task::run(async move { drop(tokio::io::copy(&mut from_server, &mut to_client).await) });
    let (mut some, mut statement, mut writes_spans) = (vec![0; 64 * 1024], None::<Vec<u8>>, false);
    while let Ok(count) = from_client.read(&mut some).await {
        if count == 0 {
            break;
        }
        let text = &some[..count];
        if let Some(end) = find(text, WRITES_SPANS) {
            // The name of the prepared statement is before its text.
            let start = text[..end].windows(STATEMENT.len()).rposition(|part| part == STATEMENT);
            statement = start.map(|start| [&text[start..end], b"\0"].concat());
            writes_spans = true;
        }
        writes_spans |= statement.as_ref().is_some_and(|name| find(text, name).is_some());
        let is_end = find(text, b"COMMIT").is_some();
        let is_cut = writes_spans
            && is_end
            && cuts.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        writes_spans &= !is_end;
        if is_cut {
            // Before the server can answer, nothing goes back any more.
            back.0.abort();
        }
        if to_server.write_all(text).await.is_err() {
            break;
        }
        if is_cut {
            // Long enough for the commit; a server that sees the end of the connection before it reads it would not commit.
            tokio::time::sleep(Duration::from_millis(500)).await;
            return;
        }
    }
}
