//! Arrays and dictionaries that stand in each other without end: the library reads them by calling itself, until its
//! stack is full. No program writes such a file but to break a reader.

/// What the stack of the reader holds with room to spare; honest files have a few dozen.
const DEEPEST: usize = 50_000;

/// Whether more stand in each other than can be read, in a file or in the content of a page.
pub(super) fn is_bottomless(bytes: &[u8]) -> bool {
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
            // Packed data and pictures have such bytes by chance.
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
