//! `holdfast_notes_*`

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

use super::{Note, NoteId};
use platform::label_enum;

label_enum! {
    /// What happened to a note.
    pub enum Change {
        Created = "created",
        /// By a person or a program.
        Deleted = "deleted",
        /// By retention.
        Expired = "expired",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ChangeLabels {
    change: Change,
}

#[derive(Clone, Debug)]
pub struct Metrics {
    changes: Family<ChangeLabels, Counter>,
}

impl Metrics {
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self { changes: Family::default() };
        for &change in Change::ALL {
            metrics.count(change, 0);
        }
        let help = "Notes created, deleted by people and programs, and deleted by retention";
        registry.register("changes", help, metrics.changes.clone());
        metrics
    }

    fn count(&self, change: Change, notes: u64) {
        self.changes.get_or_create(&ChangeLabels { change }).inc_by(notes);
    }

    pub(super) fn created(&self, note: &Note) {
        self.count(Change::Created, 1);
        tracing::info!(note_id = %note.id, by = note.created_by, "note created");
    }

    pub(super) fn deleted(&self, id: NoteId, by: &str) {
        self.count(Change::Deleted, 1);
        tracing::info!(note_id = %id, by, "note deleted");
    }

    pub(super) fn expired(&self, notes: u64) {
        self.count(Change::Expired, notes);
        if notes > 0 {
            tracing::info!(notes, "notes past retention deleted");
        }
    }
}
