//! Lines of a server, with limits on how much of them is read.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{attempt::of_io, connect::Wire, failure};
use crate::model::{Failure, Reason};

/// Bytes of a line, and of all lines of a conversation.
const LINE: usize = 4096;
const ALL: usize = 64 * 1024;

/// A connection that speaks in lines.
pub struct Lines {
    wire: Wire,
    buffer: Vec<u8>,
    read: usize,
}

impl Lines {
    pub fn new(wire: Wire) -> Self {
        Self { wire, buffer: Vec::new(), read: 0 }
    }

    /// The connection, to be encrypted: nothing may have come before that, which would be taken for encrypted.
    pub fn into_wire(self) -> Result<Wire, Failure> {
        if self.buffer.is_empty() {
            Ok(self.wire)
        } else {
            Err(failure(Reason::Protocol, "the server went on in clear after it had agreed to TLS"))
        }
    }

    pub async fn send(&mut self, line: &str) -> Result<(), Failure> {
        let sent = self.wire.write_all(format!("{line}\r\n").as_bytes()).await;
        sent.map_err(|error| of_io(&error, "writing"))
    }

    /// The next line, without its end; invalid UTF-8 replaced.
    pub async fn next(&mut self) -> Result<String, Failure> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            if self.buffer.len() > LINE || self.read > ALL {
                return Err(failure(Reason::Protocol, "the server's lines are too long"));
            }
            let mut some = [0; 1024];
            let count = self.wire.read(&mut some).await.map_err(|error| of_io(&error, "reading"))?;
            if count == 0 {
                return Err(failure(Reason::Closed, "the server has closed the connection"));
            }
            self.read += count;
            self.buffer.extend(some.iter().take(count));
        }
    }

    /// A reply of SMTP (RFC 5321 section 4.2): its code and its lines.
    pub async fn reply(&mut self) -> Result<(u16, Vec<String>), Failure> {
        let mut lines = Vec::new();
        loop {
            let line = self.next().await?;
            let code =
                line.get(..3).and_then(|code| code.parse::<u16>().ok()).filter(|code| (200..=599).contains(code));
            let Some(code) = code else {
                return Err(failure(Reason::Protocol, "the server does not speak SMTP"));
            };
            let is_last = line.as_bytes().get(3) != Some(&b'-');
            lines.push(line.get(4..).unwrap_or_default().to_owned());
            if is_last {
                return Ok((code, lines));
            }
        }
    }
}
