//! Indexes of objects (`xref`) that lead to other objects than they say.
//!
//! The library takes what it finds there, and a page would have the words of another. Where many entries are wrong, the
//! library is kept from the index: it looks for the objects themselves then, as viewers do.

const START: &[u8] = b"startxref";
/// As long, and no word that a file has.
const NO_START: &[u8] = b"startxxxx";
/// More entries than a file can have objects.
const MOST_ENTRIES: usize = 10_000_000;
/// One wrong entry in so many is too many.
const TOO_MANY: usize = 10;

/// Takes the ways to the indexes out, if many of their entries are wrong.
pub(super) fn mend(bytes: &mut [u8]) {
    let base = position(bytes, b"%PDF-", 0).unwrap_or(0);
    let (mut all, mut wrong, mut at) = (0, 0, 0);
    while let Some(found) = position(bytes, b"xref", at) {
        at = found + 4;
        if !bytes[..found].ends_with(b"start") {
            let (entries, mistaken) = judge(bytes, at, base);
            (all, wrong) = (all + entries, wrong + mistaken);
        }
        if all > MOST_ENTRIES {
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

/// How many entries of objects the index has that begins here, and how many of them lead to another object.
fn judge(bytes: &[u8], at: usize, base: usize) -> (usize, usize) {
    let mut words = bytes[at..].split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).peekable();
    let (mut all, mut wrong) = (0, 0);
    // Sections of `first count`, and for each object `offset generation n`.
    while let (Some(first), Some(count)) = (words.next().and_then(number), words.next().and_then(number)) {
        for id in first..first.saturating_add(count.min(MOST_ENTRIES)) {
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

/// The number of the object that begins here.
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
