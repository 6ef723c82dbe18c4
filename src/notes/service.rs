//! [`Notes`]: the rules.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Metrics, Note, NoteId, NotesError, store};
use platform::{
    clock::Clock,
    db::{Db, DbError},
    error::FieldError,
    http::{Principal, Slice},
    ids::OrgId,
    names::{tidy, tidy_text},
};

/// Characters.
const LONGEST_TITLE: usize = 200;
const LONGEST_TEXT: usize = 20_000;
/// Retention of notes.
const KEPT: TimeDelta = TimeDelta::days(400);
/// Notes that one statement of the retention deletes: a fraction of a second, so that nothing waits long for its locks.
pub(super) const BATCH: u32 = 5000;
/// The retention runs once a day.
const LATE: TimeDelta = TimeDelta::days(2);

/// Dependencies of the service.
#[derive(Clone, Debug)]
pub struct Deps {
    pub db: Db,
    pub clock: Clock,
    pub metrics: Metrics,
}

/// The notes service. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Notes(Arc<Deps>);

impl Notes {
    pub fn new(deps: Deps) -> Self {
        Self(Arc::new(deps))
    }

    pub(super) async fn create(&self, who: &Principal, title: &str, text: &str) -> Result<Note, NotesError> {
        let (title, text) = checked(title, text)?;
        let (id, created_at) = (NoteId::generate(&self.0.clock), self.0.clock.now());
        let note = Note { id, title, text, created_by: who.subject(), created_at };
        let mut tx = self.0.db.tenant(who.org_id).await?;
        store::insert(&mut tx, who.org_id, &note).await?;
        tx.commit().await?;
        self.0.metrics.created(&note);
        Ok(note)
    }

    /// Newest first; `search` is a part of the title.
    pub(super) async fn list(&self, org: OrgId, search: Option<&str>, slice: &Slice) -> Result<Vec<Note>, NotesError> {
        let mut tx = self.0.db.tenant(org).await?;
        let notes = store::list(&mut tx, search, slice).await?;
        drop(tx);
        Ok(notes)
    }

    pub(super) async fn delete(&self, who: &Principal, id: NoteId) -> Result<(), NotesError> {
        let mut tx = self.0.db.tenant(who.org_id).await?;
        if !store::delete(&mut tx, id).await? {
            return Err(NotesError::NotFound);
        }
        tx.commit().await?;
        self.0.metrics.deleted(id, &who.subject());
        Ok(())
    }

    /// Deletes up to [`BATCH`] notes of all organisations that are past retention; returns how many.
    pub(super) async fn expire(&self) -> Result<u64, DbError> {
        let mut tx = self.0.db.system().await?;
        let expired = store::delete_before(&mut tx, self.kept_since(), BATCH.into()).await?;
        tx.commit().await?;
        self.0.metrics.expired(expired);
        Ok(expired)
    }

    /// Notes of all organisations that the retention should have deleted by now.
    pub(super) async fn count_overdue(&self) -> Result<i64, DbError> {
        let mut tx = self.0.db.system().await?;
        let overdue = store::count_before(&mut tx, self.kept_since() - LATE).await?;
        drop(tx);
        Ok(overdue)
    }

    fn kept_since(&self) -> DateTime<Utc> {
        self.0.clock.now() - KEPT
    }
}

/// Title and text as they are stored, or what is wrong with them.
fn checked(title: &str, text: &str) -> Result<(String, String), NotesError> {
    let (title, text) = (tidy(title), tidy_text(text));
    let mut errors = Vec::new();
    if title.is_empty() {
        errors.push(FieldError::new("/title", "required", "give the note a title"));
    }
    for (pointer, value, longest) in [("/title", &title, LONGEST_TITLE), ("/text", &text, LONGEST_TEXT)] {
        if value.chars().count() > longest {
            errors.push(FieldError::new(pointer, "too_long", format!("at most {longest} characters")));
        }
    }
    if errors.is_empty() { Ok((title, text)) } else { Err(NotesError::Invalid(errors)) }
}
