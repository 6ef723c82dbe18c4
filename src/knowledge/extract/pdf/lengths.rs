//! Streams with a wrong `/Length`: their data ends at `endstream`.
//!
//! The library only searches for `endstream` if it cannot parse what follows the data. A `/Length` that is too short
//! may silently cut a page off between two words. So wrong lengths are disabled before the library opens the file:
//! without one it searches for the end.

/// Maximum size of a stream dictionary.
const LONGEST_DICTIONARY: usize = 64 << 10;
const END: &[u8] = b"endstream";
const KEY: &[u8] = b"/Length";
/// Same length as the key, and not a key.
const NO_KEY: &[u8] = b"/L_ngth";

/// Disables lengths that do not match the end of their stream, and terminates a stream at which the file is cut off.
pub(super) fn mend(bytes: &mut Vec<u8>) {
    let mut wrong = Vec::new();
    let mut broken = Vec::new();
    let mut open = false;
    let mut object = None;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'o' if bytes[at..].starts_with(b"obj") => {
                object = (!bytes[..at].ends_with(b"end")).then_some(at + 3);
                at += 3;
            }
            b's' if bytes[at..].starts_with(b"stream") && !bytes[..at].ends_with(b"end") => {
                let start = data_start(bytes, at + 6);
                let dictionary = object.take().filter(|from| at - from < LONGEST_DICTIONARY);
                at += 6;
                open |= start.is_some() && dictionary.is_some();
                let found = dictionary.and_then(|from| length(&bytes[from..at], from));
                let (Some((key, length)), Some(start)) = (found, start) else { continue };
                match start.checked_add(length).filter(|end| ends(bytes, *end)) {
                    Some(end) => at = end,
                    None => wrong.push(key),
                }
            }
            b'e' if bytes[at..].starts_with(END) => {
                open = false;
                at += END.len();
            }
            b'e' if open && bytes[at..].starts_with(b"endobj") => {
                open = false;
                broken.extend(broken_end(bytes, at));
                at += 6;
            }
            _ => at += 1,
        }
    }
    for (from, to) in broken {
        bytes[from..to].fill(b' ');
        bytes[from..from + END.len()].copy_from_slice(END);
    }
    for key in wrong {
        bytes[key..key + KEY.len()].copy_from_slice(NO_KEY);
    }
    if open {
        bytes.extend_from_slice(b"\nendstream\nendobj\n");
    }
}

/// Start and end of a truncated `endstream` line before the end of its object. Together with the preceding line end
/// there is room for the whole keyword.
fn broken_end(bytes: &[u8], end: usize) -> Option<(usize, usize)> {
    let before = &bytes[end.saturating_sub(40)..end];
    let word = before.trim_ascii_end();
    let line = word.iter().rposition(u8::is_ascii_whitespace)? + 1;
    let is_cut = word[line..].len() >= 3 && END.starts_with(&word[line..]);
    let blank = word[..line].iter().rev().take_while(|b| b.is_ascii_whitespace()).count();
    let from = end - before.len() + line - blank;
    (is_cut && end - from >= END.len()).then_some((from, end))
}

/// Position after the line end that follows `stream`; `None` if it is not the keyword.
fn data_start(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at..)? {
        [b'\r', b'\n', ..] => Some(at + 2),
        [b'\n' | b'\r', ..] => Some(at + 1),
        _ => None,
    }
}

/// Position and value of a dictionary's only `/Length`, if it is direct.
fn length(dictionary: &[u8], offset: usize) -> Option<(usize, usize)> {
    let mut keys = dictionary
        .windows(KEY.len() + 1)
        .enumerate()
        .filter(|(_, window)| window.starts_with(KEY) && window[KEY.len()].is_ascii_whitespace());
    let (at, _) = keys.next()?;
    if keys.next().is_some() {
        return None;
    }
    let value = dictionary[at + KEY.len()..].trim_ascii_start();
    let digits = value.iter().take_while(|b| b.is_ascii_digit()).count();
    let after = value[digits..].trim_ascii_start();
    let is_reference = after.first().is_some_and(u8::is_ascii_digit);
    let number = std::str::from_utf8(&value[..digits]).ok()?.parse().ok()?;
    (!is_reference).then_some((offset + at, number))
}

/// Whether a stream may end here.
fn ends(bytes: &[u8], at: usize) -> bool {
    let rest = bytes.get(at..).unwrap_or_default();
    let blank = rest.iter().take(8).take_while(|b| b.is_ascii_whitespace() || **b == 0).count();
    rest[blank..].starts_with(END) || rest[blank..].starts_with(b"endobj")
}
