//! Detects excessively nested arrays and dictionaries, which overflow the stack of the library's recursive parser. Only
//! malicious files have them.

/// Well within the stack of the reader; normal files have a few dozen levels.
const DEEPEST: usize = 50_000;

/// Whether a file or a page's content is nested too deeply to read.
pub(super) fn is_nested_too_deeply(bytes: &[u8]) -> bool {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let rest = &bytes[at..];
        match byte {
            b'[' => depth += 1,
            b']' => depth = depth.saturating_sub(1),
            b'<' if rest.starts_with(b"<<") => (depth, at) = (depth + 1, at + 1),
            b'>' if rest.starts_with(b">>") => (depth, at) = (depth.saturating_sub(1), at + 1),
            b'e' if rest.starts_with(b"endobj") => depth = 0,
            // Skip streams: packed data and images contain these bytes by chance.
            b's' if rest.starts_with(b"stream\r") || rest.starts_with(b"stream\n") => {
                let Some(length) = rest.windows(9).position(|window| window == b"endstream") else { return false };
                (depth, at) = (0, at + length + 8);
            }
            _ => {}
        }
        if depth > DEEPEST {
            return true;
        }
        at += 1;
    }
    false
}
