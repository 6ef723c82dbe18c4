//! The file of monitors, for the API, the console and the doctor.

use std::{path::Path, sync::atomic::Ordering};

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::Uptime;
use crate::{
    UptimeError,
    file::{Counts, Problem},
    model::Owner,
    store::file,
};

/// The file of monitors, as it was read last.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = UptimeFile)]
pub struct FileState {
    /// Null: nothing is managed by a file.
    pub path: Option<String>,
    /// What was read last is what runs.
    pub is_applied: bool,
    /// Null: no worker has read it yet.
    pub read_at: Option<DateTime<Utc>>,
    pub applied_at: Option<DateTime<Utc>>,
    /// Of what was applied last.
    pub counts: Counts,
    /// Why it was refused.
    pub problems: Vec<Problem>,
}

impl Uptime {
    /// The organisation with this slug; `None`: the installation. For the command line.
    pub async fn owner_named(&self, organisation: Option<&str>) -> Result<Owner, UptimeError> {
        let Some(slug) = organisation else { return Ok(Owner::Installation) };
        let mut tx = self.system().await?;
        let found = file::organisation(&mut tx, slug).await?;
        found.map(Owner::Org).ok_or(UptimeError::NotFound("organisation"))
    }

    /// The file of monitors; `None`: there is none, and was none since the start.
    pub(crate) fn monitors_file(&self) -> Option<&Path> {
        let path = self.inner.monitors_file.as_deref()?;
        let is_there = path.is_file();
        if is_there {
            self.inner.had_file.store(true, Ordering::Relaxed);
        }
        (is_there || self.inner.had_file.load(Ordering::Relaxed)).then_some(path)
    }

    pub async fn file_state(&self) -> Result<FileState, UptimeError> {
        let path = self.monitors_file().map(|path| path.display().to_string());
        let mut tx = self.system().await?;
        let read = file::get(&mut tx).await?.filter(|_| path.is_some());
        Ok(FileState {
            path,
            is_applied: read.as_ref().is_some_and(file::Reading::is_applied),
            read_at: read.as_ref().map(|read| read.read_at),
            applied_at: read.as_ref().and_then(|read| read.applied_at),
            counts: read.as_ref().map(|read| read.counts).unwrap_or_default(),
            problems: read.map(|read| read.problems).unwrap_or_default(),
        })
    }
}
