//! What becomes of a foreign file.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    NewWindow,
    model::{ImportId, ImportSource, Kind},
    secrets::Secrets,
    settings::Settings,
};
use platform::text_enum;
use secrecy::SecretString;

text_enum! {
    /// What becomes of a monitor of the file.
    #[schema(as = UptimeImportFate)]
    pub enum Fate {
        Taken = "taken",
        /// Made, and paused: something that it needs could not be taken, and it would say that all is well.
        Paused = "paused",
        /// Only if it is asked for: a stand-in that sees less.
        Offered = "offered",
        NotTaken = "not_taken",
    }
}

/// A field of the file that is not taken, or not as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = UptimeImportLeft)]
pub struct Left {
    pub field: String,
    /// What it says; nothing that may be a secret.
    pub value: String,
    pub reason: String,
}

impl Left {
    pub fn new(field: impl Into<String>, value: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { field: field.into(), value: value.into(), reason: reason.into() }
    }
}

/// A monitor of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = UptimeImportMonitor)]
pub struct MonitorRow {
    pub name: String,
    /// Of the monitor that is made; null: none is.
    pub key: Option<String>,
    pub kind: Option<Kind>,
    pub fate: Fate,
    /// Why it is not simply taken.
    pub reason: Option<String>,
    /// Secrets that the file does not hold, by name: without them it is not made.
    pub secrets: Vec<String>,
    pub left: Vec<Left>,
}

/// Something of the file that this room does not make: channels, rules, pages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = UptimeImportProposal)]
pub struct Proposal {
    /// `channel`, `rule`, `page` or `announcement`
    pub what: String,
    pub name: String,
    pub text: String,
}

/// What becomes of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[schema(as = UptimeImportReport)]
pub struct Report {
    /// What must be known first.
    pub notes: Vec<String>,
    pub monitors: Vec<MonitorRow>,
    /// Keys.
    pub groups: Vec<String>,
    pub windows: Vec<String>,
    pub proposals: Vec<Proposal>,
    /// Of the file as a whole.
    pub left: Vec<Left>,
    /// After it was applied: keys of what was made, and why something was not.
    pub made: Vec<String>,
    pub failed: Vec<Left>,
}

/// An import.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = UptimeImport)]
pub struct Import {
    pub id: ImportId,
    /// Belongs to the installation instead of the organisation.
    pub installation: bool,
    pub source: ImportSource,
    pub file_name: String,
    /// Its file is here still, and can be applied: for a day.
    pub is_open: bool,
    pub report: Report,
    pub applied_at: Option<DateTime<Utc>>,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
}

/// A monitor to make.
#[derive(Clone, Debug)]
pub struct Candidate {
    pub key: String,
    /// Keys, of the file's own groups and monitors.
    pub group: Option<String>,
    pub parent: Option<String>,
    pub settings: Settings,
    pub secrets: Secrets,
    pub token: Option<SecretString>,
    pub paused: bool,
    /// Only if it is asked for.
    pub is_offered: bool,
}

/// A window to make: groups and monitors by key.
#[derive(Clone, Debug)]
pub struct WindowCandidate {
    pub window: NewWindow,
    pub monitors: Vec<String>,
    pub groups: Vec<String>,
}

/// What a file holds.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// Key and name.
    pub groups: Vec<(String, String)>,
    /// Parents before those that depend on them.
    pub monitors: Vec<Candidate>,
    pub windows: Vec<WindowCandidate>,
    pub report: Report,
}

/// Why a file is none of the kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);
