//! Etags, without quotes.

use platform::crypto::hex;

/// Of a content whose SHA-256 is known: half of it. With `-1` behind it, so that clients of S3 do not take it for an MD5.
pub fn content_etag(sha256: &[u8; 32]) -> String {
    format!("{}-1", hex(&sha256[..16]))
}

/// S3's etag of what was written in one piece.
pub fn md5_etag(md5: &[u8]) -> String {
    hex(md5)
}

/// S3's etag of what was written in parts: of the MD5s of the parts, one after the other.
pub fn parts_etag(md5_of_md5s: &[u8], parts: usize) -> String {
    format!("{}-{parts}", hex(md5_of_md5s))
}
