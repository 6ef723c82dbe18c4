//! What a content is, by its first bytes; and what a browser may do with it.

/// Bytes at the beginning that are looked at.
pub(crate) const HEAD: usize = 4096;

/// What a content looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sniffed {
    /// Media type; empty: not recognised.
    pub media_type: &'static str,
    /// A browser may run what is in it.
    pub active: bool,
}

/// Signatures at the beginning. Those of two letters are not among them: texts begin with such letters, too.
static SIGNATURES: [(&[u8], &str); 22] = [
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"\0\0\x01\0", "image/x-icon"),
    (b"8BPS", "image/vnd.adobe.photoshop"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"PK\x05\x06", "application/zip"),
    (b"\x1f\x8b\x08", "application/gzip"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"\xfd7zXZ\0", "application/x-xz"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"OggS", "application/ogg"),
    (b"fLaC", "audio/flac"),
    (b"ID3", "audio/mpeg"),
    (b"\x1a\x45\xdf\xa3", "video/webm"),
    (b"\x7fELF", "application/x-executable"),
    (b"wOF2", "font/woff2"),
];

/// What stands behind `RIFF` and a length.
static RIFF: [(&[u8], &str); 3] = [(b"WEBP", "image/webp"), (b"WAVE", "audio/wav"), (b"AVI ", "video/x-msvideo")];

/// Brands of the ISO base media format; others are videos.
static BRANDS: [(&[u8], &str); 6] = [
    (b"avif", "image/avif"),
    (b"avis", "image/avif"),
    (b"heic", "image/heic"),
    (b"heix", "image/heic"),
    (b"mif1", "image/heif"),
    (b"M4A ", "audio/mp4"),
];

/// Words with which content begins that a browser runs, in lower case, behind white space and comments.
const RUNS: [&[u8]; 9] =
    [b"<!doctype html", b"<html", b"<head", b"<body", b"<script", b"<iframe", b"<svg", b"<?xml", b"http-equiv="];

/// Looks at the first [`HEAD`] bytes.
pub fn sniff(head: &[u8]) -> Sniffed {
    match media_type(head) {
        Some(media_type) => Sniffed { media_type, active: false },
        None if runs(head) => Sniffed { media_type: "text/html", active: true },
        None => Sniffed::default(),
    }
}

fn media_type(head: &[u8]) -> Option<&'static str> {
    let at_start = SIGNATURES.iter().find(|(signature, _)| head.starts_with(signature));
    if let Some((_, media_type)) = at_start {
        return Some(*media_type);
    }
    let word = |at: usize| head.get(at..at + 4);
    let among = |words: &[(&[u8], &'static str)], at: usize| {
        words.iter().find(|(name, _)| word(at) == Some(*name)).map(|(_, media_type)| *media_type)
    };
    if head.starts_with(b"RIFF") {
        return among(&RIFF, 8);
    }
    if word(4) == Some(b"ftyp".as_slice()) {
        return among(&BRANDS, 8).or(Some("video/mp4"));
    }
    None
}

/// Whether a browser that guesses would run it. Anywhere near the beginning, because browsers pass over more than white space; zeros are left out,
/// because the same words in UTF-16 have them.
fn runs(head: &[u8]) -> bool {
    let text: Vec<u8> = head.iter().take(HEAD).filter(|byte| **byte != 0).map(u8::to_ascii_lowercase).collect();
    RUNS.iter().any(|word| text.windows(word.len()).any(|window| window == *word))
}

/// Whether a browser would run a content of this declared type.
pub fn is_active(declared: &str, sniffed: Sniffed) -> bool {
    let kind = essence(declared);
    let words = ["html", "script", "svg", "mathml", "xslt"];
    sniffed.active || kind.ends_with("xml") || words.iter().any(|word| kind.contains(word))
}

/// Whether a browser may show a content of this type where it is opened: nothing in it can run, and none of it is guessed.
pub(crate) fn is_shown(declared: &str) -> bool {
    let kind = essence(declared);
    let (top, sub) = kind.split_once('/').unwrap_or_default();
    match top {
        "image" => matches!(sub, "png" | "jpeg" | "gif" | "webp" | "avif" | "bmp" | "x-icon" | "vnd.microsoft.icon"),
        "audio" | "video" => !sub.is_empty(),
        "text" => sub == "plain",
        _ => false,
    }
}

/// A media type without parameters, in lower case.
pub(crate) fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
