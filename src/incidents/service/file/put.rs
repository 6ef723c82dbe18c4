//! What the tables of the file have in common: makes, changes and removes what it manages.

use std::ops::Range;

use platform::error::FieldError;
use uptime::{
    ManagedBy,
    file::{Action, Problems},
};

/// Who made what the file describes.
pub(super) const BY: &str = "file";
pub(super) const TAKEN: &str = "taken_by_hand: something with this key exists that the file does not manage";

pub(super) fn setting(table: &str, key: &str) -> String {
    format!("{table}.{key}")
}

/// Whether there are no errors; those that there are become problems of the file.
pub(super) fn is_right(
    errors: Vec<FieldError>,
    table: &str,
    key: &str,
    place: &Range<usize>,
    problems: &mut Problems,
) -> bool {
    let is_right = errors.is_empty();
    for error in errors {
        problems.push(place, format!("{table}.{key}{}", error.pointer.replace('/', ".")), error.detail);
    }
    is_right
}

/// Whether what has this key is none that the file manages.
pub(super) fn is_taken(managed_by: Option<&str>) -> bool {
    managed_by != Some(ManagedBy::File.as_str())
}

pub(super) fn action(is_new: bool, is_changed: bool) -> Action {
    match (is_new, is_changed) {
        (true, _) => Action::Created,
        (false, true) => Action::Changed,
        (false, false) => Action::Unchanged,
    }
}
