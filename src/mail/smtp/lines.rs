//! The server's answers, in the form in which lettre takes them.
//!
//! Only the reply code decides (RFC 5321 section 4.2): its text may be missing, in any encoding, or longer than anybody reads. lettre takes no such
//! text, and an answer that it does not take counts as none: mail that was accepted would be sent again and again, and what was refused for good
//! tried for days. It also looks at the length of a line when it has read all of it, however long it is.
//!
//! One read gives one answer at most, so lettre never reads what somebody in between has sent behind it.

use std::{
    fmt::Debug,
    future::poll_fn,
    io::{self, ErrorKind},
    mem,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncBufRead as _, AsyncRead, AsyncWrite, BufReader, ReadBuf};

/// Bytes that are kept of a line, and of the texts of an answer; lettre takes lines of 1000 and answers of 100 000.
const KEPT_OF_LINE: usize = 900;
const KEPT_OF_ANSWER: usize = 32 * 1024;
/// An answer that has not ended after so many bytes has no end.
const LONGEST: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct Lines<S> {
    stream: BufReader<S>,
    peer: SocketAddr,
    coming: Coming,
    /// What of an answer is still to be given.
    rest: Vec<u8>,
    /// Whether EHLO was said, and its answer is still to come.
    greets: bool,
}

/// An answer of which a part was read.
#[derive(Debug, Default)]
struct Coming {
    /// Texts of the lines before the last.
    texts: Vec<String>,
    kept: usize,
    /// The line that is being read, as far as it is kept.
    line: Vec<u8>,
    read: usize,
}

impl<S: AsyncRead> Lines<S> {
    pub fn new(stream: S, peer: SocketAddr) -> Self {
        Self { stream: BufReader::new(stream), peer, coming: Coming::default(), rest: Vec::new(), greets: false }
    }

    /// For a server that has greeted before the connection was encrypted, and does not do so again (RFC 3207 section 4.2). lettre waits for a greeting.
    pub fn greeted(stream: S, peer: SocketAddr) -> Self {
        Self { rest: b"220 \r\n".to_vec(), ..Self::new(stream, peer) }
    }

    /// The connection, if nothing was sent behind the last answer.
    pub fn into_inner(self) -> Option<S> {
        (self.stream.buffer().is_empty() && self.rest.is_empty()).then(|| self.stream.into_inner())
    }
}

impl<S: AsyncRead + Unpin> Lines<S> {
    /// The next answer, whole; empty if the server has hung up.
    pub async fn answer(&mut self) -> io::Result<Vec<u8>> {
        poll_fn(|cx| self.poll_answer(cx)).await?;
        Ok(mem::take(&mut self.rest))
    }

    /// Reads until there is something to give. There is nothing when the server has hung up.
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.rest.is_empty() {
            let read = ready!(Pin::new(&mut self.stream).poll_fill_buf(cx))?;
            if read.is_empty() {
                break;
            }
            let taken = read.iter().position(|byte| *byte == b'\n').map_or(read.len(), |at| at + 1);
            let answer = self.coming.take(&read[..taken], self.greets)?;
            Pin::new(&mut self.stream).consume(taken);
            if let Some(answer) = answer {
                self.rest = answer.into_bytes();
                self.greets = false;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl Coming {
    /// Takes what was read, which ends at the end of a line at the latest. The answer, if that was its last line.
    fn take(&mut self, read: &[u8], greets: bool) -> io::Result<Option<String>> {
        self.read += read.len();
        if self.read > LONGEST {
            return Err(io::Error::new(ErrorKind::InvalidData, "the server's answer has no end"));
        }
        let room = KEPT_OF_LINE.saturating_sub(self.line.len());
        self.line.extend_from_slice(&read[..read.len().min(room)]);
        if !read.ends_with(b"\n") {
            return Ok(None);
        }
        let line = cleaned(&mem::take(&mut self.line));
        let (code, goes_on, text) = match code_and_rest(&line) {
            Some((code, rest)) if rest.starts_with('-') => (code, true, &rest[1..]),
            Some((code, rest)) => (code, false, rest.strip_prefix(' ').unwrap_or(rest)),
            // A text with a line break in it.
            None if !self.texts.is_empty() => ("", true, line.as_str()),
            None => {
                let said = format!("{line:?} is no answer of a mail server");
                return Err(io::Error::new(ErrorKind::InvalidData, said));
            }
        };
        let text = if greets && self.texts.is_empty() && text.trim().is_empty() {
            // Here stands the server's name, without which lettre takes no answer to EHLO.
            "unnamed".to_owned()
        } else if greets {
            keyword(text)
        } else {
            text.to_owned()
        };
        if goes_on {
            if self.kept + text.len() <= KEPT_OF_ANSWER {
                // With its code and its end.
                self.kept += text.len() + 6;
                self.texts.push(text);
            }
            return Ok(None);
        }
        let texts = mem::take(self).texts;
        Ok(Some(written(code, &texts, &text)))
    }
}

/// A line as text: without its end, what is no UTF-8 marked, control characters as spaces, and short enough.
fn cleaned(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let text = String::from_utf8_lossy(line);
    let mut text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    while text.len() > KEPT_OF_LINE {
        text.pop();
    }
    text
}

/// The reply code of a line, and what is behind it.
fn code_and_rest(line: &str) -> Option<(&str, &str)> {
    let (code, rest) = line.split_at_checked(3)?;
    let is_code = code.starts_with(['2', '3', '4', '5']) && code.bytes().all(|byte| byte.is_ascii_digit());
    (is_code && !rest.starts_with(|c: char| c.is_ascii_digit())).then_some((code, rest))
}

/// An answer as lettre takes it: every line has the code of the last. Of the second digit lettre knows 0 to 5; the others of a code that it does not
/// know say no more than its first, and the code itself is added to the text.
fn written(code: &str, texts: &[String], last: &str) -> String {
    let is_known = code.as_bytes()[1] <= b'5';
    let known = if is_known { code.to_owned() } else { format!("{}50", &code[..1]) };
    let note = if is_known { String::new() } else { format!(" ({code})") };
    let mut answer: String = texts.iter().flat_map(|text| [known.as_str(), "-", text.as_str(), "\r\n"]).collect();
    answer.extend([known.as_str(), " ", last, note.as_str(), "\r\n"]);
    answer
}

/// A line of the answer to EHLO. Keywords mean the same in any case (RFC 5321 section 2.4); some servers write `AUTH=`, as was usual before RFC 2554.
fn keyword(text: &str) -> String {
    let upper = text.to_ascii_uppercase();
    if let Some(mechanisms) = upper.strip_prefix("AUTH=") {
        return format!("AUTH {mechanisms}");
    }
    let is_known = |word| ["8BITMIME", "AUTH", "SMTPUTF8", "STARTTLS"].contains(&word);
    if upper.split(' ').next().is_some_and(is_known) { upper } else { text.to_owned() }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lines<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_answer(cx))?;
        let given = this.rest.len().min(buf.remaining());
        buf.put_slice(&this.rest[..given]);
        this.rest.drain(..given);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lines<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.greets |= data.starts_with(b"EHLO ");
        Pin::new(&mut this.stream).poll_write(cx, data)
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
    use lettre::transport::smtp::{extension::ServerInfo, response::Response};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex, repeat};

    use super::*;

    fn peer() -> SocketAddr {
        "127.0.0.1:25".parse().unwrap()
    }

    /// What is given of what the server sends before it hangs up.
    async fn given(sent: &[u8]) -> io::Result<String> {
        let mut lines = Lines::new(sent, peer());
        Ok(String::from_utf8(lines.answer().await?).unwrap())
    }

    #[tokio::test]
    async fn only_the_code_of_an_answer_decides() {
        for (sent, expected) in [
            (b"250 2.0.0 ok\r\n".as_slice(), "250 2.0.0 ok\r\n"),
            (b"250\r\n", "250 \r\n"),
            (b"250-\r\n250\r\n", "250-\r\n250 \r\n"),
            (b"250 ok\n", "250 ok\r\n"),
            (b"250 \xd3\xca\r\n", "250 \u{fffd}\u{fffd}\r\n"),
            ("550 désactivé\r\n".as_bytes(), "550 désactivé\r\n"),
            (b"550 d\xe9sactiv\xe9\r\n", "550 d\u{fffd}sactiv\u{fffd}\r\n"),
            (b"250 a\0b\rc\td\r\n", "250 a b c d\r\n"),
            // The last line decides.
            (b"250-2.0.0 one\r\n550 5.1.1 two\r\n", "550-2.0.0 one\r\n550 5.1.1 two\r\n"),
            (b"550-one\r\ntwo\r\n550 three\r\n", "550-one\r\n550-two\r\n550 three\r\n"),
            (b"250ok\r\n", "250 ok\r\n"),
            (b"571 5.7.1 blocked\r\n", "550 5.7.1 blocked (571)\r\n"),
            (b"", ""),
            (b"250-one\r\n250 tw", ""),
        ] {
            let found = given(sent).await.unwrap();
            assert_eq!(found, expected, "{}", String::from_utf8_lossy(sent));
            assert!(found.is_empty() || found.parse::<Response>().is_ok(), "lettre does not take {found:?}");
        }
        for sent in ["hello\r\n", "25\r\n", "2500 ok\r\n", "650 ok\r\n", "\r\n", "éé\r\n"] {
            let error = given(sent.as_bytes()).await.unwrap_err();
            assert!(error.to_string().contains("no answer of a mail server"), "{sent:?}: {error}");
        }
    }

    #[tokio::test]
    async fn a_long_answer_is_cut_and_an_endless_one_refused() {
        let long = format!("250 2.0.0 {}\r\n", "щ".repeat(10_000));
        let found = given(long.as_bytes()).await.unwrap();
        assert!(found.starts_with("250 2.0.0 щщщ") && found.ends_with("щ\r\n"), "{found}");
        assert!(found.len() <= 1000 && found.parse::<Response>().is_ok(), "{} bytes", found.len());
        let many = format!("{}550 5.1.1 no\r\n", "550-5.1.1 a line of a long text\r\n".repeat(10_000));
        let found = given(many.as_bytes()).await.unwrap();
        assert!(found.ends_with("\r\n550 5.1.1 no\r\n") && found.len() < 100_000, "{} bytes", found.len());
        assert!(found.parse::<Response>().is_ok());
        // As many as come, and no more is kept of them than of a short one.
        let mut endless = Lines::new(repeat(b'2'), peer());
        assert_eq!(endless.answer().await.unwrap_err().kind(), ErrorKind::InvalidData);
        assert!(endless.coming.line.capacity() <= 2 * KEPT_OF_LINE, "{} bytes", endless.coming.line.capacity());
        let endless = "250-\r\n".repeat(LONGEST);
        assert_eq!(Lines::new(endless.as_bytes(), peer()).answer().await.unwrap_err().kind(), ErrorKind::InvalidData);
    }

    #[tokio::test]
    async fn keywords_are_known_in_any_case_and_only_in_the_answer_to_ehlo() {
        let answer = b"250-auth.example.com\r\n250-Starttls\r\n250-size 10\r\n250-8bitmime\r\n250-smtputf8\r\n250-auth=login plain\r\n250 auth plain\r\n";
        let upper = "250-auth.example.com\r\n250-STARTTLS\r\n250-size 10\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-AUTH LOGIN PLAIN\r\n250 AUTH PLAIN\r\n";
        let (mut server, client) = duplex(1024);
        let mut lines = Lines::new(client, peer());
        lines.write_all(b"EHLO example.org\r\n").await.unwrap();
        server.write_all(&[answer.as_slice(), b"250 auth for you\r\n"].concat()).await.unwrap();
        assert_eq!(lines.answer().await.unwrap(), upper.as_bytes());
        assert_eq!(lines.answer().await.unwrap(), b"250 auth for you\r\n");
        lines.write_all(b"EHLO example.org\r\n").await.unwrap();
        server.write_all(b"250\r\n").await.unwrap();
        let nameless = String::from_utf8(lines.answer().await.unwrap()).unwrap().parse().unwrap();
        assert!(ServerInfo::from_response(&nameless).is_ok());
    }

    #[tokio::test]
    async fn one_read_gives_one_answer() {
        let (mut server, client) = duplex(256);
        server.write_all(b"220 go\r\n250-forged\r\n250 AUTH PLAIN\r\nx").await.unwrap();
        drop(server);
        let mut lines = Lines::new(client, peer());
        let mut buffer = [0; 64];
        for expected in ["220 go\r\n", "250-forged\r\n250 AUTH PLAIN\r\n", ""] {
            let read = lines.read(&mut buffer).await.unwrap();
            assert_eq!(buffer[..read], *expected.as_bytes());
        }
        // In parts, if there is no room for it.
        let mut lines = Lines::greeted(b"250 ok\r\n".as_slice(), peer());
        let mut all = Vec::new();
        for _ in 0..14 {
            all.push(lines.read_u8().await.unwrap());
        }
        assert_eq!(all, b"220 \r\n250 ok\r\n");
        assert!(lines.into_inner().is_some());
    }

    #[tokio::test]
    async fn what_is_sent_behind_an_answer_is_seen() {
        let (mut server, client) = duplex(256);
        server.write_all(b"220 go\r\n250 forged\r\n").await.unwrap();
        let mut lines: Lines<DuplexStream> = Lines::new(client, peer());
        lines.answer().await.unwrap();
        assert!(lines.into_inner().is_none());
    }
}
