//! Cross-reference tables (`xref`) with wrong offsets.
//!
//! The library trusts the offsets, and would read one page's text as another's. If many entries are wrong, the table is
//! disabled, so that the library searches for the objects, as viewers do.

const START: &[u8] = b"startxref";
/// Same length, and not a keyword.
const NO_START: &[u8] = b"startxxxx";
/// More entries than a file can have objects.
const MAX_ENTRIES: usize = 10_000_000;
/// A table is wrong if more than one entry in this many is.
const TOO_MANY: usize = 10;

/// Disables the cross-reference tables if many of their entries are wrong.
pub(super) fn mend(bytes: &mut [u8]) {
    let base = position(bytes, b"%PDF-", 0).unwrap_or(0);
    let (mut all, mut wrong, mut at) = (0, 0, 0);
    while let Some(found) = position(bytes, b"xref", at) {
        at = found + 4;
        if !bytes[..found].ends_with(b"start") {
            let (entries, mistaken) = judge(bytes, at, base);
            (all, wrong) = (all + entries, wrong + mistaken);
        }
        if all > MAX_ENTRIES {
            return;
        }
    }
    if wrong == 0 || wrong * TOO_MANY < all {
        return;
    }
    let mut at = 0;
    while let Some(found) = position(bytes, START, at) {
        bytes[found..found + START.len()].copy_from_slice(NO_START);
        at = found + START.len();
    }
}

/// The number of object entries in the table at this position, and how many of them are wrong.
fn judge(bytes: &[u8], at: usize, base: usize) -> (usize, usize) {
    let mut words = bytes[at..].split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).peekable();
    let (mut all, mut wrong) = (0, 0);
    // Sections of `first count`, followed by `offset generation n` per object.
    while let (Some(first), Some(count)) = (words.next().and_then(number), words.next().and_then(number)) {
        for id in first..first.saturating_add(count.min(MAX_ENTRIES)) {
            let (Some(offset), Some(_), Some(kind)) = (words.next().and_then(number), words.next(), words.next())
            else {
                return (all, wrong);
            };
            if kind == b"n" && offset > 0 {
                let found = [offset, offset.saturating_add(base)].map(|at| object_at(bytes, at));
                all += 1;
                wrong += usize::from(!found.contains(&Some(id)) && found[0].or(found[1]).is_some());
            }
        }
    }
    (all, wrong)
}

/// The number of the object that starts at this position.
fn object_at(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..)?;
    let mut words = rest[..rest.len().min(40)].split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let (id, _) = (words.next().and_then(number)?, words.next().and_then(number)?);
    words.next()?.starts_with(b"obj").then_some(id)
}

fn number(word: &[u8]) -> Option<usize> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

fn position(bytes: &[u8], wanted: &[u8], from: usize) -> Option<usize> {
    bytes.get(from..)?.windows(wanted.len()).position(|window| window == wanted).map(|at| from + at)
}
