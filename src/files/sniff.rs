//! What a content is, by its first bytes; and whether a browser would run it.

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

const SIGNATURES: [(&[u8], &str); 9] = [
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b\x08", "application/gzip"),
    (b"OggS", "application/ogg"),
    (b"fLaC", "audio/flac"),
];

/// Words with which content begins that a browser runs, in lower case, behind white space and comments.
const RUNS: [&[u8]; 7] = [b"<!doctype html", b"<html", b"<head", b"<body", b"<script", b"<svg", b"<?xml"];

/// Looks at the first [`HEAD`] bytes.
pub fn sniff(head: &[u8]) -> Sniffed {
    if let Some((_, media_type)) = SIGNATURES.iter().find(|(signature, _)| head.starts_with(signature)) {
        return Sniffed { media_type, active: false };
    }
    if head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP".as_slice()) {
        return Sniffed { media_type: "image/webp", active: false };
    }
    if head.get(4..8) == Some(b"ftyp".as_slice()) {
        return Sniffed { media_type: "video/mp4", active: false };
    }
    let text: Vec<u8> = head.iter().take(HEAD).map(u8::to_ascii_lowercase).collect();
    // Anywhere near the beginning: browsers pass over more than white space.
    let runs = RUNS.iter().any(|word| text.windows(word.len()).any(|window| window == *word));
    if runs { Sniffed { media_type: "text/html", active: true } } else { Sniffed::default() }
}

/// Whether a browser would run a content of this declared type.
pub fn is_active(declared: &str, sniffed: Sniffed) -> bool {
    let kind = declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let by_type = kind.ends_with("xml") || kind.contains("html") || kind.contains("script") || kind.contains("svg");
    sniffed.active || by_type
}
