//! The file of monitors (`uptime.monitors_file`), which alone changes what it names.
//!
//! Read as a whole: one problem refuses all of it, and what runs stays as it was. Applied in one transaction: sections in their order, groups,
//! monitors and windows first, so that those of other rooms find them by their keys. A dry run does the same and rolls it back: there is no
//! second way to find out what would change. Rows that the file no longer has are marked as removed.
//!
//! `document.rs` reads tables with the places of what is wrong; `section.rs` is what rooms above implement. `format.rs` has this room's own
//! tables as they are written, `convert.rs` what they mean, `own.rs` the section that applies them, `apply.rs` the transaction.

mod apply;
mod convert;
mod document;
mod duration;
mod format;
mod own;
mod section;
#[cfg(test)]
mod tests;

pub use apply::{Applied, Counts};
pub use document::{Document, Entry, Problem, Problems, is_key};
pub use section::{Action, Change, Changes, Part, Scope, Section};
