//! What is told, in one shape and no language, before a channel gives it its form.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::model::{Cause, Incident, IncidentId, IncidentStatus, Severity, What};

/// Names that a message lists at most.
pub const MOST_LINES: usize = 20;

/// A message about an incident, or a test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    pub kind: What,
    /// Null: a test.
    pub incident_id: Option<IncidentId>,
    pub name: String,
    pub status: IncidentStatus,
    pub severity: Severity,
    pub started_at: DateTime<Utc>,
    /// Null while it lasts.
    pub ended_at: Option<DateTime<Utc>>,
    /// What is wrong, as far as it is listed.
    pub monitors: Vec<Line>,
    /// How many are not listed.
    pub more: usize,
    /// Names of what is affected.
    pub components: Vec<String>,
    /// The newest update, or nothing.
    pub text: String,
    pub url: String,
    /// Where one person acknowledges it without signing in; empty: nobody in particular is told.
    #[serde(skip)]
    pub acknowledge_url: String,
    pub runbook_url: String,
    /// It was seen long after it began.
    pub late: bool,
}

/// A monitor or an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    pub name: String,
    pub error: String,
}

impl Message {
    /// About an incident as it is. Those that last come first.
    pub fn about(kind: What, incident: &Incident, causes: &[Cause], components: Vec<String>, url: String) -> Self {
        let mut sorted: Vec<&Cause> = causes.iter().collect();
        sorted.sort_by_key(|cause| cause.closed_at.is_some());
        // One that came back is listed once.
        let mut seen = BTreeSet::new();
        sorted.retain(|cause| seen.insert((cause.source.as_str(), cause.subject)));
        let line =
            |cause: &&Cause| Line { name: cause.name.clone(), error: cause.traits.error.clone().unwrap_or_default() };
        Self {
            kind,
            incident_id: Some(incident.id),
            name: incident.name.clone(),
            status: incident.status,
            severity: incident.severity,
            started_at: incident.started_at,
            ended_at: incident.resolved_at,
            monitors: sorted.iter().take(MOST_LINES).map(line).collect(),
            more: sorted.len().saturating_sub(MOST_LINES),
            components,
            text: String::new(),
            url,
            acknowledge_url: String::new(),
            runbook_url: String::new(),
            late: causes.iter().any(|cause| cause.traits.late),
        }
    }

    /// Sent by hand, to try a channel.
    pub fn test(name: String, now: DateTime<Utc>, url: String) -> Self {
        Self {
            kind: What::Test,
            incident_id: None,
            name,
            status: IncidentStatus::Investigating,
            severity: Severity::Info,
            started_at: now,
            ended_at: None,
            monitors: Vec::new(),
            more: 0,
            components: Vec::new(),
            text: String::new(),
            url,
            acknowledge_url: String::new(),
            runbook_url: String::new(),
            late: false,
        }
    }

    pub fn is_over(&self) -> bool {
        self.kind == What::Resolved
    }
}
