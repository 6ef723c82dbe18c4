//! Notes.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use platform::id_type;

id_type!(NoteId, "A note.");

/// A note.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Note {
    pub id: NoteId,
    pub title: String,
    /// May be empty.
    pub text: String,
    /// `user:<id>` or `key:<id>`
    pub created_by: String,
    pub created_at: DateTime<Utc>,
}
