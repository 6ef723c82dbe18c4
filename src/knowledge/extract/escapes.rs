//! Undoes line folding and character escapes, which would hide words from the search.

use std::borrow::Cow;

/// Unfolds calendars and contact cards (`.ics`, `.vcf`): lines are cut after 75 bytes, even within a character, and
/// continue after a space (RFC 5545, 3.1).
pub(super) fn unfold(bytes: &[u8]) -> Cow<'_, [u8]> {
    let start = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let is_folded = |kind: &[u8]| start.get(..kind.len()).is_some_and(|start| start.eq_ignore_ascii_case(kind));
    if !is_folded(b"BEGIN:VCALENDAR") && !is_folded(b"BEGIN:VCARD") {
        return Cow::Borrowed(bytes);
    }
    let mut out = Vec::with_capacity(bytes.len());
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        match line {
            [b' ' | b'\t', rest @ ..] if !out.is_empty() => {
                for end in [b'\n', b'\r'] {
                    out.pop_if(|last| *last == end);
                }
                out.extend_from_slice(rest);
            }
            line => out.extend_from_slice(line),
        }
    }
    Cow::Owned(out)
}

/// Decodes `\u0434` escapes in JSON, `.properties` and others, if the file writes words with them. A file that only
/// mentions a few characters (`[\u0400-\u04ff]`) stays as it is.
pub(super) fn unescape(text: &str) -> Cow<'_, str> {
    if !writes_words(text) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some((c, length)) = escaped(rest) {
            out.push(c);
            rest = &rest[length..];
        } else {
            // Keep it with the character it escapes: `\\u0434` is a backslash and five characters.
            let length = 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
            out.push_str(&rest[..length]);
            rest = &rest[length..];
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Whether two escaped letters follow each other.
fn writes_words(text: &str) -> bool {
    text.match_indices("\\u").any(|(at, _)| {
        let letter = |text: &str| escaped(text).filter(|(c, _)| c.is_alphabetic()).map(|(_, length)| length);
        letter(&text[at..]).is_some_and(|length| letter(&text[at + length..]).is_some())
    })
}

/// The character and length of the `\uXXXX` escape at the start; not for ASCII, which is escaped for a reason.
fn escaped(text: &str) -> Option<(char, usize)> {
    let unit = |text: &str| {
        let digits = text.strip_prefix("\\u")?.get(..4)?;
        digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok()).flatten()
    };
    let first = unit(text)?;
    let second = text.get(6..).and_then(unit);
    let units = [first, second.unwrap_or_default()];
    let (c, length) = match char::decode_utf16(units[..1].iter().copied()).next()? {
        Ok(c) => (c, 6),
        Err(_) => (char::decode_utf16(units).next()?.ok()?, 12),
    };
    (!c.is_ascii() && !c.is_control()).then_some((c, length))
}
