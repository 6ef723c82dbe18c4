//! A connection that gives what it reads line by line.
//!
//! lettre reads ahead, and keeps what it has read when STARTTLS begins: whoever is in between could send answers behind the server's answer to
//! STARTTLS, and they would count as answers of the encrypted server ("NO STARTTLS", USENIX Security 2021). Of a line at a time lettre reads no
//! more than its answer; what was sent behind it meets the TLS handshake, which fails.

use std::{
    fmt::Debug,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncBufRead as _, AsyncRead, AsyncWrite, BufReader, ReadBuf};

#[derive(Debug)]
pub(super) struct Lines<S> {
    stream: BufReader<S>,
    peer: SocketAddr,
}

impl<S: AsyncRead> Lines<S> {
    pub fn new(stream: S, peer: SocketAddr) -> Self {
        Self { stream: BufReader::new(stream), peer }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lines<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let stream = &mut self.get_mut().stream;
        let read = ready!(Pin::new(&mut *stream).poll_fill_buf(cx))?;
        let line = read.iter().position(|byte| *byte == b'\n').map_or(read.len(), |at| at + 1);
        let taken = line.min(buf.remaining());
        buf.put_slice(&read[..taken]);
        Pin::new(stream).consume(taken);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lines<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, data)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Debug + Send + Sync + Unpin> AsyncTokioStream for Lines<S> {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test]
    async fn one_read_gives_one_line() {
        let (mut server, client) = duplex(256);
        server.write_all(b"220 go\r\n250-forged\r\n250 AUTH PLAIN\r\nx").await.unwrap();
        drop(server);
        let mut lines = Lines::new(client, "127.0.0.1:25".parse().unwrap());
        let mut buffer = [0; 64];
        for expected in ["220 go\r\n", "250-forged\r\n", "250 AUTH PLAIN\r\n", "x", ""] {
            let read = lines.read(&mut buffer).await.unwrap();
            assert_eq!(buffer[..read], *expected.as_bytes());
        }
    }
}
