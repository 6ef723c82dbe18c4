//! Mailbox files (`.mbox`, RFC 4155): concatenated messages, each after a line "From sender date".

use std::borrow::Cow;

use super::is_message;

/// Whether the bytes start with such a line and a message.
pub(super) fn is_mailbox(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    bytes.starts_with(b"From ") && is_message(behind_line(bytes))
}

fn behind_line(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|b| *b == b'\n').map_or(bytes.len(), |end| end + 1);
    &bytes[end..]
}

/// The messages. A line in a body that looks like a separator is recognised by the lack of headers after it.
pub(super) fn messages(bytes: &[u8]) -> Vec<Cow<'_, [u8]>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let mut out = Vec::new();
    let (mut start, mut at) = (0, 0);
    let mut behind_empty = true;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let after = behind_line(rest);
        let end = bytes.len() - after.len();
        if behind_empty && rest.starts_with(b"From ") && is_head(after) {
            if at > start {
                out.push(without_quotes(&bytes[start..at]));
            }
            start = end;
        }
        behind_empty = rest[..rest.len() - after.len()].trim_ascii().is_empty();
        at = end;
    }
    if start < bytes.len() {
        out.push(without_quotes(&bytes[start..]));
    }
    out
}

/// A header line `Name: value`.
fn is_head(bytes: &[u8]) -> bool {
    let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    let name = line.split(|b| *b == b':').next().unwrap_or_default();
    !name.is_empty() && name.len() < line.len() && name.iter().all(u8::is_ascii_graphic)
}

/// Unescapes `>From` at line starts.
fn without_quotes(message: &[u8]) -> Cow<'_, [u8]> {
    if !message.windows(7).any(|window| window == b"\n>From ") {
        return Cow::Borrowed(message);
    }
    let mut out = Vec::with_capacity(message.len());
    for line in message.split_inclusive(|b| *b == b'\n') {
        out.extend_from_slice(if line.starts_with(b">From ") { &line[1..] } else { line });
    }
    Cow::Owned(out)
}
