//! Bytes to text: byte order mark, then UTF-8, then the declared encoding, then a statistical guess.
//!
//! A file with lines in UTF-8 and lines in a legacy encoding (a log, a mailbox) is decoded line by line.

mod labels;
mod seven_bits;

use std::borrow::Cow;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, ISO_2022_JP, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// The detector is slow and decides long before this.
const GUESS_BYTES: usize = 1 << 20;

/// Accepts missing padding and non-zero trailing bits.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// Longer text is hardly ever valid UTF-8 by accident.
const SHORT: usize = 100;

/// Decoded text; `guessed` names the encoding if the file did not declare it.
pub(super) struct Decoded<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) guessed: Option<String>,
}

impl<'a> Decoded<'a> {
    fn known(text: Cow<'a, str>) -> Self {
        Decoded { text, guessed: None }
    }
}

/// `declared`: an encoding label from the document itself, such as HTML's `<meta charset>`.
pub(super) fn decode<'a>(bytes: &'a [u8], declared: Option<&[u8]>) -> Cow<'a, str> {
    decode_or_guess(bytes, declared).text
}

/// Undecodable bytes become U+FFFD.
pub(super) fn decode_or_guess<'a>(bytes: &'a [u8], declared: Option<&[u8]>) -> Decoded<'a> {
    if let Some(text) = utf32(bytes) {
        return Decoded::known(Cow::Owned(text));
    }
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        return Decoded::known(encoding.decode_with_bom_removal(bytes).0);
    }
    if let Some(encoding) = utf16_without_mark(bytes) {
        let guessed = Some(encoding.name().to_owned());
        return Decoded { text: encoding.decode_without_bom_handling(bytes).0, guessed };
    }
    // Seven-bit, and therefore also valid (but meaningless) UTF-8.
    if is_iso_2022_jp(bytes) {
        return Decoded::known(ISO_2022_JP.decode_without_bom_handling(bytes).0);
    }
    if let Some(text) = seven_bits::decode(bytes, declared) {
        return Decoded::known(Cow::Owned(text));
    }
    let named = declared.and_then(labels::encoding);
    if let Some(encoding) = named.filter(|_| is_short(bytes))
        && ![UTF_8, WINDOWS_1252].contains(&encoding)
        && let Some(text) = encoding.decode_without_bom_handling_and_without_replacement(bytes)
    {
        return Decoded::known(text);
    }
    // Text in another encoding is hardly ever valid UTF-8 by accident, while declarations are often wrong.
    if is_utf8_prefix(bytes) {
        return Decoded::known(UTF_8.decode_without_bom_handling(bytes).0);
    }
    if let Some(decoded) = line_by_line(bytes) {
        return decoded;
    }
    if let Some(encoding) = named.filter(|encoding| *encoding != UTF_8) {
        return Decoded::known(encoding.decode_without_bom_handling(bytes).0);
    }
    let encoding = guess(bytes);
    let guessed = match declared.filter(|_| named.is_none()) {
        Some(label) => format!("{}; declared is {}", encoding.name(), String::from_utf8_lossy(label)),
        None => encoding.name().to_owned(),
    };
    Decoded { text: encoding.decode_without_bom_handling(bytes).0, guessed: Some(guessed) }
}

/// Decodes base64, ignoring all other characters.
pub(super) fn decode_leniently(base64: &[u8]) -> Vec<u8> {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let mut letters: Vec<u8> = base64.iter().copied().filter(is_letter).collect();
    // A single surplus character carries no byte.
    letters.truncate(letters.len() - usize::from(letters.len() % 4 == 1));
    LENIENT.decode(&letters).unwrap_or_default()
}

fn is_short(bytes: &[u8]) -> bool {
    bytes.len() < SHORT && !bytes.is_ascii()
}

fn guess(bytes: &[u8]) -> &'static Encoding {
    // ASCII carries no information, and may fill the beginning: a table's header, a long preamble.
    let start = bytes.iter().position(|b| !b.is_ascii()).unwrap_or(0).saturating_sub(256);
    let sample = &bytes[start..bytes.len().min(start + GUESS_BYTES)];
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(sample, true);
    detector.guess(None, Utf8Detection::Deny)
}

/// Japanese mail: ASCII with escape sequences that switch to other character sets and back.
fn is_iso_2022_jp(bytes: &[u8]) -> bool {
    let has = |switch: &[u8]| bytes.windows(3).any(|window| window == switch);
    bytes.is_ascii() && (has(b"\x1b$B") || has(b"\x1b$@") || has(b"\x1b(I")) && (has(b"\x1b(B") || has(b"\x1b(J"))
}

/// Valid UTF-8, up to a character cut off at the end.
pub(super) fn is_utf8_prefix(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|e| e.error_len().is_none()) || std::str::from_utf8(bytes).is_ok()
}

/// `None` unless a large part of the non-ASCII text is UTF-8: more than occurs by chance in other encodings (a seventh
/// of a Chinese text, less in others). An invalid byte in such a line only costs itself.
fn line_by_line(bytes: &[u8]) -> Option<Decoded<'static>> {
    let lines = || bytes.split_inclusive(|b| *b == b'\n');
    let high = |line: &[u8]| line.iter().filter(|b| !b.is_ascii()).count();
    let (mut good, mut bad, mut old) = (0, 0, Vec::new());
    for line in lines() {
        let broken = broken_bytes(line);
        good += high(line) - broken;
        bad += broken;
        if is_older(line, broken) && old.len() < GUESS_BYTES {
            old.extend_from_slice(line);
        }
    }
    if good == 0 || good * 2 < bad {
        return None;
    }
    let encoding = guess(&old);
    let mut text = String::with_capacity(bytes.len() + bytes.len() / 8);
    for line in lines() {
        if is_older(line, broken_bytes(line)) {
            text.push_str(&encoding.decode_without_bom_handling(line).0);
        } else {
            text.push_str(&String::from_utf8_lossy(line));
        }
    }
    Some(Decoded { text: Cow::Owned(text), guessed: (!old.is_empty()).then(|| encoding.name().to_owned()) })
}

/// Whether a line is in a legacy encoding rather than UTF-8 with an error.
fn is_older(line: &[u8], broken: usize) -> bool {
    broken > 0 && line.iter().filter(|b| !b.is_ascii()).count() < 3 * broken
}

/// Number of bytes that are not part of a valid UTF-8 character.
fn broken_bytes(line: &[u8]) -> usize {
    line.utf8_chunks().map(|chunk| chunk.invalid().len()).sum()
}

/// Reads a four-byte character.
type Read<'a> = &'a dyn Fn(&[u8; 4]) -> u32;

/// UTF-32 with its byte order mark, or with three zero bytes around most characters.
fn utf32(bytes: &[u8]) -> Option<String> {
    let little = |b: &[u8; 4]| u32::from_le_bytes(*b);
    let big = |b: &[u8; 4]| u32::from_be_bytes(*b);
    let (read, rest): (Read<'_>, &[u8]) = if let Some(rest) = bytes.strip_prefix(b"\xff\xfe\0\0") {
        (&little, rest)
    } else if let Some(rest) = bytes.strip_prefix(b"\0\0\xfe\xff") {
        (&big, rest)
    } else {
        let sample = &bytes[..bytes.len().min(4096) & !3];
        let zero = |at: usize| sample.iter().skip(at).step_by(4).filter(|b| **b == 0).count() * 4;
        match sample.len() {
            0..16 => return None,
            all if zero(2) == all && zero(3) == all && zero(0) == 0 => (&little, bytes),
            all if zero(0) == all && zero(1) == all && zero(3) == 0 => (&big, bytes),
            _ => return None,
        }
    };
    let (units, _) = rest.as_chunks::<4>();
    let text: String = units.iter().map(|unit| char::from_u32(read(unit)).unwrap_or('\u{fffd}')).collect();
    let bad = text.chars().filter(|c| *c == '\u{fffd}').count();
    (bad * 10 <= units.len()).then_some(text)
}

/// UTF-16 without a byte order mark: in mostly Latin text every other byte is zero; in other scripts the spaces are
/// recognisable, and in the right byte order nearly everything is letters.
fn utf16_without_mark(bytes: &[u8]) -> Option<&'static Encoding> {
    let sample = &bytes[..bytes.len().min(4096) & !1];
    let zeros = |odd: usize| sample.iter().skip(odd).step_by(2).filter(|b| **b == 0).count();
    let (even, odd, half) = (zeros(0), zeros(1), sample.len() / 2);
    if half >= 8 && odd * 10 > half * 7 && even * 50 <= half {
        return Some(UTF_16LE);
    }
    if half >= 8 && even * 10 > half * 7 && odd * 50 <= half {
        return Some(UTF_16BE);
    }
    let unusual = sample.iter().filter(|b| !matches!(b, b'\t' | b'\n' | b'\r' | b' '..=b'~' | 0)).count();
    if half < 8 || even + odd == 0 || unusual * 5 < half || !bytes.len().is_multiple_of(2) {
        return None;
    }
    [UTF_16LE, UTF_16BE].into_iter().find(|encoding| {
        let (text, broken) = encoding.decode_without_bom_handling(sample);
        let (mut good, mut spaces, mut all) = (0usize, 0usize, 0usize);
        for c in text.chars() {
            all += 1;
            spaces += usize::from(matches!(c, ' ' | '\n' | '\r'));
            good += usize::from(matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{2010}'..='\u{2026}' | '\u{3001}'..='\u{30ff}' | '\u{ff01}'..='\u{ff5e}') || (c.is_alphabetic() && !matches!(c, '\u{3400}'..='\u{4dbf}')));
        }
        !broken && good * 100 >= all * 95 && spaces * 100 >= all
    })
}

/// Replaces control characters by their meaning: terminal colours and overstriking are removed, form feeds become line
/// breaks, field separators and padding become spaces. Line ends become `\n`.
pub(super) fn tidy(text: &str) -> Cow<'_, str> {
    let text = text.trim_end_matches(['\0', '\u{1a}']);
    if !text.chars().any(|c| (c.is_control() && !matches!(c, '\n' | '\t')) || c == '\u{feff}') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' => {
                chars.next_if_eq(&'\n');
                out.push('\n');
            }
            '\n' | '\t' => out.push(c),
            '\u{b}' | '\u{85}' => out.push('\n'),
            '\u{c}' => out.push_str("\n\n"),
            '\u{1b}' => skip_escape(&mut chars),
            // Overstriking for bold and underline: a letter, a backspace, the letter again.
            '\u{8}' if chars.peek().is_some_and(|next| !next.is_whitespace()) => {
                if out.ends_with(|last: char| !last.is_whitespace()) {
                    out.pop();
                }
            }
            '\u{8}' | '\u{7f}' | '\u{feff}' => {}
            c if c.is_control() => {
                if !out.is_empty() && !out.ends_with([' ', '\n']) {
                    out.push(' ');
                }
            }
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Skips the rest of a terminal control sequence (ECMA-48: CSI, OSC or two characters).
fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.peek() {
        Some('[') => {
            chars.next();
            while chars.next_if(|c| matches!(c, '0'..='?' | ' '..='/')).is_some() {}
            chars.next_if(|c| matches!(c, '@'..='~'));
        }
        Some(']') => {
            // A window title; limited to a line in case its end is missing.
            while let Some(c) = chars.next_if(|c| *c != '\n') {
                if c == '\u{7}' {
                    return;
                }
                if c == '\u{1b}' {
                    chars.next_if_eq(&'\\');
                    return;
                }
            }
        }
        // Character set selection, and other sequences of two or more characters.
        Some(' '..='/') => {
            while chars.next_if(|c| matches!(c, ' '..='/')).is_some() {}
            chars.next_if(|c| matches!(c, '0'..='~'));
        }
        Some('0'..='~') => {
            chars.next();
        }
        _ => {}
    }
}
