//! Bytes to text: byte order mark, then UTF-8, then what the document declares, then a guess by statistics.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// The detector's verdict is settled long before this, and it is not fast.
const GUESS_BYTES: usize = 1 << 20;

/// `declared`: an encoding label out of the document itself, such as HTML's `<meta charset>`.
pub(super) fn decode<'a>(bytes: &'a [u8], declared: Option<&[u8]>) -> Cow<'a, str> {
    let (text, _) = detect(bytes, declared).decode_with_bom_removal(bytes);
    text
}

pub(super) fn detect(bytes: &[u8], declared: Option<&[u8]>) -> &'static Encoding {
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        return encoding;
    }
    if let Some(encoding) = utf16_without_mark(bytes) {
        return encoding;
    }
    // Text in another encoding is hardly ever valid UTF-8 by accident, while declarations are often wrong.
    if is_utf8_prefix(bytes) {
        return UTF_8;
    }
    if let Some(encoding) = declared.and_then(Encoding::for_label)
        && encoding != UTF_8
    {
        return encoding;
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(&bytes[..bytes.len().min(GUESS_BYTES)], true);
    detector.guess(None, Utf8Detection::Deny)
}

/// Valid UTF-8, or valid up to a character cut off by the end of the bytes.
pub(super) fn is_utf8_prefix(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|e| e.error_len().is_none()) || std::str::from_utf8(bytes).is_ok()
}

/// UTF-16 of mostly Latin text without its mark: every other byte is zero.
fn utf16_without_mark(bytes: &[u8]) -> Option<&'static Encoding> {
    let sample = &bytes[..bytes.len().min(4096) & !1];
    let zeros = |odd: usize| sample.iter().skip(odd).step_by(2).filter(|b| **b == 0).count();
    let (even, odd, half) = (zeros(0), zeros(1), sample.len() / 2);
    if half >= 8 && odd * 10 > half * 7 && even == 0 {
        Some(UTF_16LE)
    } else if half >= 8 && even * 10 > half * 7 && odd == 0 {
        Some(UTF_16BE)
    } else {
        None
    }
}
