//! A server that speaks in lines: what it says first, and what it answers to what.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio_rustls::TlsAcceptor;

use super::{Stream, Task, listen};

/// The server.
pub struct Lines {
    pub address: SocketAddr,
    _task: Task,
}

/// What it answers to a line that has this text; an empty answer hangs up.
type Answers = &'static [(&'static str, &'static str)];

impl Lines {
    /// `greeting`: with its end of line; empty: it says nothing. `tls`: begins after the answer to a line that has `STARTTLS`.
    pub async fn start(greeting: &'static str, answers: Answers, tls: Option<TlsAcceptor>) -> Self {
        let (listener, address) = listen(Ipv4Addr::LOCALHOST).await;
        let tls = tls.map(Arc::new);
        let task = Task::run(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let tls = tls.clone();
                tokio::spawn(async move {
                    if let Some(stream) = talk(stream, greeting, answers).await
                        && let Some(tls) = tls
                        && let Ok(stream) = tls.accept(stream).await
                    {
                        talk(stream, "", answers).await;
                    }
                });
            }
        });
        Self { address, _task: task }
    }
}

/// Talks until the end, or until it is to be encrypted.
async fn talk<S: Stream>(stream: S, greeting: &str, answers: Answers) -> Option<S> {
    let mut stream = BufReader::new(stream);
    stream.write_all(greeting.as_bytes()).await.ok()?;
    stream.flush().await.ok()?;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let Some((_, answer)) = answers.iter().find(|(part, _)| line.contains(part)) else { continue };
        if answer.is_empty() {
            return None;
        }
        stream.write_all(answer.as_bytes()).await.ok()?;
        stream.flush().await.ok()?;
        if line.contains("STARTTLS") {
            return Some(stream.into_inner());
        }
    }
}
