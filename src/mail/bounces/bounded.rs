//! A connection to an IMAP server whose answers are bounded: async-imap makes room for whatever size a server announces.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes of an answer with its literals. A part of a mail that is asked for is a sixteenth of it; the list of unread mails is one line.
const LONGEST: usize = 4 << 20;

#[derive(Debug)]
pub(super) struct Bounded<S> {
    stream: S,
    /// Of the answer that is being read.
    read: usize,
    /// Of a literal that is being read, those that are to come.
    literal: usize,
    /// What a line announces at its end, as `{310}` or `{310+}` (RFC 3501 section 4.3).
    announced: Announced,
}

#[derive(Clone, Copy, Debug)]
enum Announced {
    Nothing,
    /// As far as its digits have come.
    Coming(usize),
    Whole(usize),
}

impl<S> Bounded<S> {
    pub fn new(stream: S) -> Self {
        Self { stream, read: 0, literal: 0, announced: Announced::Nothing }
    }

    pub fn into_inner(self) -> S {
        self.stream
    }

    /// Follows what the server sends.
    fn follow(&mut self, mut sent: &[u8]) -> io::Result<()> {
        while let Some((byte, rest)) = sent.split_first() {
            if self.literal > 0 {
                let taken = sent.len().min(self.literal);
                self.literal -= taken;
                sent = &sent[taken..];
                continue;
            }
            sent = rest;
            self.read += 1;
            self.announced = match (*byte, self.announced) {
                (b'{', _) => Announced::Coming(0),
                (digit @ b'0'..=b'9', Announced::Coming(size)) => {
                    Announced::Coming(size.saturating_mul(10).saturating_add(usize::from(digit - b'0')))
                }
                (b'+', Announced::Coming(size)) => Announced::Coming(size),
                (b'}', Announced::Coming(size)) => Announced::Whole(size),
                (b'\r', announced) => announced,
                (b'\n', Announced::Whole(size)) => {
                    self.literal = size;
                    self.read = self.read.saturating_add(size);
                    Announced::Nothing
                }
                (b'\n', _) => {
                    self.read = 0;
                    Announced::Nothing
                }
                _ => Announced::Nothing,
            };
            if self.read > LONGEST {
                let said = format!("the mail server announces or sends an answer of more than {LONGEST} bytes");
                return Err(io::Error::new(io::ErrorKind::InvalidData, said));
            }
        }
        Ok(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        Poll::Ready(this.follow(&buf.filled()[before..]))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether all of it may come, in pieces of every size.
    fn is_taken(sent: &str) -> bool {
        let taken = |size: usize| {
            let mut bounded = Bounded::new(());
            sent.as_bytes().chunks(size).all(|piece| bounded.follow(piece).is_ok())
        };
        let is_taken = taken(3);
        assert_eq!(taken(4096), is_taken, "{sent:.60}");
        is_taken
    }

    #[test]
    fn an_answer_is_bounded_whatever_it_announces() {
        let mail = "* 1 FETCH (UID 1 BODY[]<0> {18}\r\n{999999999}\r\n{9}\r\n)\r\n* OK\r\n";
        assert!(is_taken(&mail.repeat(3)), "what a mail says announces nothing");
        assert!(is_taken(&"* 1 EXISTS\r\n".repeat(LONGEST / 10)), "many answers");
        assert!(is_taken("* OK {300000000} is no announcement\r\n"));
        for sent in [
            "* 1 FETCH (BODY[]<0> {300000000}\r\n",
            "* 1 FETCH (BODY[]<0> {300000000+}\r\n",
            "* 1 FETCH (BODY[]<0> ~{99999999999999999999999}\r\n",
        ] {
            assert!(!is_taken(sent), "{sent}");
        }
        assert!(!is_taken(&"x".repeat(LONGEST + 1)), "a line without an end");
        let literal = format!("{{1000000}}\r\n{}", "x".repeat(1_000_000));
        assert!(is_taken(&format!("* {}\r\n", literal.repeat(4))));
        assert!(!is_taken(&format!("* {}\r\n", literal.repeat(5))), "one literal behind the other");
    }
}
