//! Notes: short texts that everybody in an organisation sees, until retention deletes them.
//!
//! Owns `notes`. Jobs: `notes.retention`. Metrics: `holdfast_notes_*`. Checks: `notes.retention`.

mod doctor;
mod error;
mod jobs;
mod metrics;
mod model;
mod module;
mod pages;
mod routes;
mod service;
mod store;
#[cfg(test)]
mod tests;

pub use doctor::checks;
pub use error::NotesError;
pub use jobs::register;
pub use metrics::Metrics;
pub use model::{Note, NoteId};
pub use module::{READ, ROOM, WRITE, build};
pub use service::{Deps, Notes};
