//! What is said about one endpoint: what was left out, and why it must be paused.

use crate::import::{Left, fields::Fields};

/// What is read of one endpoint beside its spec.
#[derive(Default)]
pub(super) struct Notes {
    pub left: Vec<Left>,
    /// Why it must be paused.
    pub pause: Option<String>,
}

impl Notes {
    pub fn left(&mut self, field: impl Into<String>, value: impl Into<String>, reason: impl Into<String>) {
        self.left.push(Left::new(field, value, reason));
    }

    pub fn pause(&mut self, reason: impl Into<String>) {
        if self.pause.is_none() {
            self.pause = Some(reason.into());
        }
    }
}

/// What nobody asked for.
pub(super) fn rest(one: &Fields<'_>, notes: &mut Notes) {
    rest_of("", one, notes);
}

pub(super) fn rest_of(before: &str, one: &Fields<'_>, notes: &mut Notes) {
    for (field, value) in one.left() {
        notes.left(format!("{before}{field}"), value, "not known here");
    }
}
