//! Parts of the file that rooms read by themselves.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::{Document, Problems};
use platform::{ids::Owner, text_enum};

/// Reads some tables of the file. Registered with [`crate::Uptime::add_section`] by the rooms that own what they describe: incidents has
/// `components`, `channels`, `rotas` and `rules`, and `status_page` has `pages`.
pub trait Section: Send + Sync {
    /// Top-level tables of the file that are its own. Those that no section has are problems.
    fn tables(&self) -> &'static [&'static str];

    /// Reads them. What is wrong goes to `problems`; the database is not asked yet.
    fn parse(&self, document: &Document<'_>, problems: &mut Problems) -> Box<dyn Part>;
}

/// What a section has read.
#[async_trait]
pub trait Part: Send + Sync {
    /// Makes, changes and removes the rows that the file manages, in the file's transaction, as role `system`. Parts before this one are done: what
    /// they made is found by its key. A key that exists and is not managed is the problem `taken_by_hand`. With any problem, and for a dry run, the
    /// transaction is rolled back: so nothing else may happen here.
    async fn apply(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        changes: &mut Changes,
        problems: &mut Problems,
    ) -> anyhow::Result<()>;
}

/// For whom and when the file is applied.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    pub owner: Owner,
    pub now: DateTime<Utc>,
}

text_enum! {
    /// What the file does to something.
    #[schema(as = UptimeFileAction)]
    pub enum Action {
        Created = "created",
        Changed = "changed",
        Removed = "removed",
        Unchanged = "unchanged",
    }
}

/// What the file does, or would do, to one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = UptimeFileChange)]
pub struct Change {
    pub action: Action,
    /// The table of the file, such as `monitors`.
    pub table: &'static str,
    pub key: String,
}

/// What the file does, or would do.
#[derive(Clone, Debug, Default)]
pub struct Changes(Vec<Change>);

impl Changes {
    pub fn note(&mut self, action: Action, table: &'static str, key: impl Into<String>) {
        self.0.push(Change { action, table, key: key.into() });
    }

    pub fn count(&self, action: Action) -> usize {
        self.0.iter().filter(|change| change.action == action).count()
    }

    /// In the order in which they were applied.
    pub fn all(&self) -> &[Change] {
        &self.0
    }
}
