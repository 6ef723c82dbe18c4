//! An answer that is being written ends in the middle of things: half a word in bold, a table's first row, a fence.

use std::borrow::Cow;

/// The text with its last block mended, so that what is not complete does not show its marks.
pub fn mend(text: &str) -> Cow<'_, str> {
    Cow::Borrowed(text)
}
