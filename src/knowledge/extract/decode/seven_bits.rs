//! Seven-bit mail encodings, which write non-ASCII letters between markers. Their bytes are valid ASCII, so they are
//! checked before all others. For Japanese see `is_iso_2022_jp`.

use encoding_rs::{EUC_KR, Encoding, GBK};

use super::decode_leniently;

/// The text, if its content or label says that it is in a seven-bit encoding.
pub(super) fn decode(bytes: &[u8], label: Option<&[u8]>) -> Option<String> {
    if !bytes.is_ascii() {
        return None;
    }
    let is = |names: &[&str]| label.is_some_and(|label| names.iter().any(|n| label.eq_ignore_ascii_case(n.as_bytes())));
    let has = |sign: &[u8]| bytes.windows(sign.len()).any(|window| window == sign);
    if is(&["iso-2022-kr", "csiso2022kr"]) || has(b"\x1b$)C") {
        return Some(shifted(bytes, EUC_KR));
    }
    // Of the two character sets it may shift to, the mainland's is used almost exclusively.
    if has(b"\x1b$)A") {
        return Some(shifted(bytes, GBK));
    }
    if is(&["hz-gb-2312", "hz"]) {
        return Some(between_tildes(bytes));
    }
    is(&["utf-7", "unicode-1-1-utf-7", "csutf7", "x-utf-7"]).then(|| utf_7(bytes))
}

/// Two-byte characters between the control characters 14 and 15 (ISO 2022).
fn shifted(bytes: &[u8], encoding: &'static Encoding) -> String {
    let mut out = Vec::with_capacity(bytes.len());
    let mut is_shifted = false;
    let mut rest = bytes;
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        match *first {
            // Designates a character set, which is known already.
            0x1b if matches!(tail, [b'$', b')' | b'*', _, ..]) => rest = &tail[3..],
            0xe => is_shifted = true,
            0xf => is_shifted = false,
            byte if is_shifted && (0x21..0x7f).contains(&byte) => out.push(byte | 0x80),
            byte => out.push(byte),
        }
    }
    encoding.decode_without_bom_handling(&out).0.into_owned()
}

/// HZ (RFC 1843): Chinese between `~{` and `~}`.
fn between_tildes(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(bytes.len());
    let mut is_shifted = false;
    let mut rest = bytes;
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        match (*first, tail.first()) {
            (b'~', Some(b'{')) => (is_shifted, rest) = (true, &tail[1..]),
            (b'~', Some(b'}')) => (is_shifted, rest) = (false, &tail[1..]),
            (b'~', Some(b'\n')) if !is_shifted => rest = &tail[1..],
            (b'~', Some(b'~')) if !is_shifted => {
                out.push(b'~');
                rest = &tail[1..];
            }
            (b'\n', _) => {
                is_shifted = false;
                out.push(b'\n');
            }
            (byte, _) if is_shifted && (0x21..0x7f).contains(&byte) => out.push(byte | 0x80),
            (byte, _) => out.push(byte),
        }
    }
    GBK.decode_without_bom_handling(&out).0.into_owned()
}

/// RFC 2152: UTF-16 in base64 between `+` and the first character that is not base64.
fn utf_7(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first != b'+' {
            out.push(char::from(*first));
            continue;
        }
        let length = tail.iter().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/')).count();
        let (word, after) = tail.split_at(length);
        rest = after.strip_prefix(b"-").unwrap_or(after);
        if word.is_empty() {
            out.push('+');
            continue;
        }
        let units = decode_leniently(word);
        let units: Vec<u16> = units.as_chunks::<2>().0.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
        out.push_str(&String::from_utf16_lossy(&units));
    }
    out
}
