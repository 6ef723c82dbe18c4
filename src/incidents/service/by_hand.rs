//! An incident that a person opens.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{
    Incidents, code,
    incidents::{AffectedDraft, IncidentFull, affected_of, affects_nothing, texts_faults},
    timeline::First,
};
use crate::{
    IncidentsError,
    events::IncidentOpened,
    model::{ComponentId, Impact, IncidentId, IncidentKind, IncidentStatus, LogKind, Owner, Severity},
    store::incidents::{self, Changes, NewIncident},
    timeline,
};
use platform::{error::FieldError, http::Principal, names::tidy};

/// An incident that a person opens.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = IncidentDraft)]
pub struct IncidentDraft {
    pub name: String,
    /// `investigating` unless given.
    #[serde(default)]
    pub status: Option<IncidentStatus>,
    /// `critical` unless given.
    #[serde(default)]
    pub severity: Option<Severity>,
    /// Absent: that of what it affects.
    #[serde(default)]
    pub impact: Option<Impact>,
    /// The first update; Markdown. Empty: none.
    #[serde(default)]
    pub body: String,
    /// What it affects, and how.
    #[serde(default)]
    pub components: Vec<AffectedDraft>,
    /// Pages show it at once: those that have a component which it affects, so it must affect one.
    #[serde(default)]
    pub publish: bool,
    /// Subscribers of pages get the first update by mail.
    #[serde(default)]
    pub notify: bool,
    /// When it began; absent: now.
    #[serde(default)]
    pub started_at: Option<DateTime<Utc>>,
    /// Of the installation; operators only.
    #[serde(default)]
    pub installation: bool,
}

impl Incidents {
    pub async fn open_by_hand(&self, who: &Principal, draft: IncidentDraft) -> Result<IncidentFull, IncidentsError> {
        let owner = self.owner(who, draft.installation)?;
        self.open_as(owner, &who.subject(), draft).await
    }

    /// `by`: `user:<id>`, `key:<id>`, or the room or command that does it.
    pub async fn open_as(&self, owner: Owner, by: &str, draft: IncidentDraft) -> Result<IncidentFull, IncidentsError> {
        let (name, status) = (tidy(&draft.name), draft.status.unwrap_or(IncidentStatus::Investigating));
        let now = self.inner.clock.now();
        let mut errors = texts_faults(&name, &draft.body);
        if status.kind() != IncidentKind::Incident || status == IncidentStatus::Postmortem {
            errors.push(FieldError::new("/status", "invalid", "investigating, identified, monitoring or resolved"));
        }
        if draft.started_at.is_some_and(|at| at > now) {
            errors.push(FieldError::new("/started_at", "invalid", "this time is still to come"));
        }
        if draft.publish && draft.components.is_empty() {
            errors.push(affects_nothing());
        }
        if !errors.is_empty() {
            return Err(IncidentsError::Invalid(errors));
        }
        let mut tx = self.begin(owner).await?;
        let components: Vec<ComponentId> = draft.components.iter().map(|affected| affected.component).collect();
        let old = self.own_components(&mut tx, owner, &components).await?;
        let id = IncidentId::generate(&self.inner.clock);
        let severity = draft.severity.unwrap_or(Severity::Critical);
        let worst = timeline::impact(IncidentKind::Incident, draft.components.iter().map(|affected| affected.status));
        let new = NewIncident {
            id,
            org: owner.org(),
            code: &code(),
            kind: IncidentKind::Incident,
            name: &name,
            status,
            impact: draft.impact.unwrap_or(worst),
            severity,
            published_at: draft.publish.then_some(now),
            opened_by: by,
            started_at: draft.started_at.unwrap_or(now),
            scheduled: None,
            window: None,
            merge_key: None,
            joins_until: None,
            now,
        };
        incidents::insert(&mut tx, &new).await?;
        if let Some(impact) = draft.impact {
            let changes = Changes { name: &name, severity, impact, impact_override: true, scheduled: None };
            incidents::change(&mut tx, id, &changes, now).await?;
        }
        for affected in &draft.components {
            incidents::affect(&mut tx, owner.org(), id, affected.component, affected.status, true).await?;
        }
        self.log(&mut tx, owner.org(), id, LogKind::Opened, by, json!({ "name": name })).await?;
        let event = IncidentOpened {
            incident_id: id,
            kind: IncidentKind::Incident,
            severity,
            opened_by: "person".to_owned(),
            published: draft.publish,
        };
        events::publish(&mut tx, &self.inner.clock, owner.org(), &event).await?;
        let affected = affected_of(&old, &draft.components);
        if !draft.body.trim().is_empty() {
            let first = First { status, body: &draft.body, affected, notify: draft.notify };
            self.first_update(&mut tx, owner, id, draft.publish, first, by).await?;
        } else if draft.publish {
            self.say_by_itself(&mut tx, owner, id, status, draft.notify).await?;
        }
        let changes = self.refresh_components(&mut tx, &components, Some(id)).await?;
        self.plan_telling(&mut tx, owner, id).await?;
        self.finish(tx, id, changes).await
    }
}
