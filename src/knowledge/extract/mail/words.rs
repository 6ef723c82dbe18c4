//! Header values: encoded words (RFC 2047) and raw non-ASCII text.
//!
//! Some programs split encoded words within a character, against the standard, so adjacent words are joined before
//! decoding.

use super::super::decode::{decode, decode_leniently};

/// An encoded word, `=?charset?B?text?=`.
struct Word<'a> {
    charset: &'a [u8],
    in_base64: bool,
    text: &'a [u8],
    /// Bytes of the whole word.
    length: usize,
}

/// Adjacent words, not decoded yet.
#[derive(Default)]
struct Row {
    charset: Vec<u8>,
    bytes: Vec<u8>,
    /// Pending base64 that the next word may continue.
    base64: Vec<u8>,
}

/// Decodes a header value; `charset` is the message's, for unlabelled text.
pub(super) fn text(value: &[u8], charset: Option<&[u8]>) -> String {
    let value = unfolded(value);
    let mut out = String::new();
    let mut row = Row::default();
    let mut plain: Vec<u8> = Vec::new();
    let mut rest = value.as_slice();
    while !rest.is_empty() {
        let Some(word) = word(rest) else {
            plain.push(rest[0]);
            rest = &rest[1..];
            continue;
        };
        rest = &rest[word.length..];
        // White space between two encoded words is ignored.
        let follows = !row.charset.is_empty() && plain.iter().all(u8::is_ascii_whitespace);
        // In encodings with shift states each word starts and ends in ASCII.
        let shifts = word.charset.get(..8).is_some_and(|name| name.eq_ignore_ascii_case(b"iso-2022"));
        if !follows || shifts || !row.charset.eq_ignore_ascii_case(word.charset) {
            row.end(&mut out);
        }
        if !follows {
            out.push_str(&decode(&plain, charset));
        }
        plain.clear();
        row.charset = word.charset.to_vec();
        row.push(&word);
    }
    row.end(&mut out);
    out.push_str(&decode(&plain, charset));
    out
}

impl Row {
    fn push(&mut self, word: &Word<'_>) {
        if !word.in_base64 {
            self.end_base64();
            self.bytes.extend(quoted(word.text));
            return;
        }
        // An incomplete group of four characters continues in the next word, or lacks padding.
        if !(self.base64.len() + word.text.len()).is_multiple_of(4) {
            self.end_base64();
        }
        self.base64.extend(word.text);
        if word.text.ends_with(b"=") || self.base64.len().is_multiple_of(4) {
            self.end_base64();
        }
    }

    fn end_base64(&mut self) {
        self.bytes.extend(decode_leniently(&std::mem::take(&mut self.base64)));
    }

    fn end(&mut self, out: &mut String) {
        self.end_base64();
        if !self.bytes.is_empty() {
            out.push_str(&decode(&self.bytes, Some(&self.charset)));
        }
        *self = Self::default();
    }
}

/// Joins folded lines.
fn unfolded(value: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(value.len());
    for line in value.split(|b| *b == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !out.is_empty() && line.first().is_some_and(u8::is_ascii_whitespace) {
            out.push(b' ');
            out.extend_from_slice(line.trim_ascii_start());
        } else {
            out.extend_from_slice(line);
        }
    }
    out
}

/// The encoded word at the start of the bytes.
fn word(bytes: &[u8]) -> Option<Word<'_>> {
    let inner = bytes.strip_prefix(b"=?")?;
    let mut parts = inner.splitn(3, |b| *b == b'?');
    let (charset, encoding, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let is_label = !charset.is_empty() && charset.len() < 60 && charset.iter().all(u8::is_ascii_graphic);
    let in_base64 = match encoding {
        b"B" | b"b" => true,
        b"Q" | b"q" => false,
        _ => return None,
    };
    let end = rest.windows(2).position(|window| window == b"?=")?;
    let length = bytes.len() - rest.len() + end + 2;
    // A language tag may follow the charset (RFC 2231, 5).
    let charset = charset.split(|b| *b == b'*').next().unwrap_or_default();
    is_label.then_some(Word { charset, in_base64, text: &rest[..end], length })
}

fn quoted(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, tail)) = rest.split_first() {
        let hex = (*first == b'=').then(|| tail.get(..2)).flatten();
        let byte = hex.and_then(|hex| std::str::from_utf8(hex).ok()).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match byte {
            Some(byte) => {
                out.push(byte);
                rest = &tail[2..];
            }
            None => {
                out.push(if *first == b'_' { b' ' } else { *first });
                rest = tail;
            }
        }
    }
    out
}
