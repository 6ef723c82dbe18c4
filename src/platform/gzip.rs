//! Bodies of answers that are compressed with gzip, as servers send them.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use async_compression::tokio::bufread::GzipDecoder;
use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};

/// First byte of a member (RFC 1952 section 2.3.1).
const MAGIC: u8 = 0x1f;

/// Decompresses a body of one or more members (RFC 1952 section 2.2). What stands behind them and begins no other member is left out, as browsers
/// do: servers and proxies add zeros, ends of lines, or the last chunk a second time. It is not waited for, either.
pub struct Members<R> {
    /// `None`: there are no more.
    member: Option<GzipDecoder<R>>,
    has_ended: bool,
}

impl<R: AsyncBufRead> Members<R> {
    pub fn new(body: R) -> Self {
        Self { member: Some(GzipDecoder::new(body)), has_ended: false }
    }
}

impl<R: AsyncBufRead + Unpin> AsyncRead for Members<R> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let Some(member) = &mut this.member else { return Poll::Ready(Ok(())) };
        if !this.has_ended {
            let before = buf.filled().len();
            ready!(Pin::new(&mut *member).poll_read(cx, buf))?;
            if buf.filled().len() > before || buf.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            this.has_ended = true;
        }
        let next = ready!(Pin::new(member.get_mut()).poll_fill_buf(cx))?.first().copied();
        let body = this.member.take().map(GzipDecoder::into_inner);
        if next != Some(MAGIC) {
            return Poll::Ready(Ok(()));
        }
        this.member = body.map(GzipDecoder::new);
        this.has_ended = false;
        // Others have their turn in between: members without content can follow each other without end.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write as _, time::Duration};

    use flate2::{Compression, write::GzEncoder};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};

    use super::*;

    fn member(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    /// In pieces, as a network delivers them.
    async fn read(body: &[u8]) -> io::Result<String> {
        let mut text = String::new();
        Members::new(BufReader::with_capacity(7, body)).read_to_string(&mut text).await?;
        Ok(text)
    }

    #[tokio::test]
    async fn members_are_one_body_and_what_stands_behind_them_is_left_out() {
        let several = [member("one "), member(""), member(""), member("two")].concat();
        for behind in ["", "\0", "\0\0\0\0\0\0\0\0\0\0\0\0", "\n", "0\r\n\r\n", "<!-- from the cache -->"] {
            let body = [several.as_slice(), behind.as_bytes()].concat();
            assert_eq!(read(&body).await.unwrap(), "one two", "{behind:?}");
        }
    }

    #[tokio::test]
    async fn a_member_that_is_cut_off_or_wrong_is_an_error() {
        let (first, second) = (member("one"), member("two"));
        let cut = [first.as_slice(), &second[..second.len() - 1]].concat();
        let mut wrong = first.clone();
        *wrong.last_mut().unwrap() ^= 1;
        for body in [&cut[..], &first[..12], &wrong[..], b"plain text", b"\0\0\0"] {
            assert!(read(body).await.is_err(), "{body:?}");
        }
    }

    #[tokio::test]
    async fn a_body_without_an_end_is_not_waited_for_behind_its_members() {
        let (mut server, client) = tokio::io::duplex(1024);
        server.write_all(&[member("one").as_slice(), b"\0"].concat()).await.unwrap();
        let mut text = String::new();
        let reading = async { Members::new(BufReader::new(client)).read_to_string(&mut text).await };
        tokio::time::timeout(Duration::from_secs(30), reading).await.unwrap().unwrap();
        assert_eq!(text, "one");
        drop(server);
    }
}
