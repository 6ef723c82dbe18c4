//! Incidents by hand: listed, opened, changed, acknowledged, published.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Changed, Incidents, code, owners};
use crate::{
    IncidentsError,
    events::IncidentOpened,
    model::{
        Affected, Cause, ComponentId, ComponentStatus, Impact, Incident, IncidentId, IncidentKind, IncidentStatus,
        LogEntry, LogKind, Owner, Severity, Told, Update,
    },
    store::{
        causes, components,
        incidents::{self, Changes, Filter, NewIncident, Row},
        told, updates,
    },
    timeline,
};
use platform::{
    db::Tx,
    error::FieldError,
    http::{Principal, Slice},
    names::tidy,
};

pub const LONGEST_NAME: usize = 200;
pub const LONGEST_TEXT: usize = 20_000;

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

/// What something does to a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = IncidentAffectedDraft)]
pub struct AffectedDraft {
    pub component: ComponentId,
    pub status: ComponentStatus,
}

/// Changes of an incident; absent fields stay.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = IncidentChanges)]
pub struct IncidentChanges {
    pub name: Option<String>,
    pub severity: Option<Severity>,
    /// Set by hand from then on.
    pub impact: Option<Impact>,
    /// True: the impact is again that of what it affects.
    pub automatic_impact: Option<bool>,
    /// Of a maintenance: both or none.
    pub scheduled_for: Option<DateTime<Utc>>,
    pub scheduled_until: Option<DateTime<Utc>>,
}

/// An incident with what belongs to it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = IncidentFull)]
pub struct IncidentFull {
    #[serde(flatten)]
    pub incident: Incident,
    /// What opened it and what joined, oldest first.
    pub causes: Vec<Cause>,
    pub components: Vec<AffectedDraft>,
    /// The newest twenty, newest first.
    pub updates: Vec<Update>,
}

impl Incidents {
    pub async fn list(
        &self,
        owner: Owner,
        filter: &Filter<'_>,
        slice: &Slice,
    ) -> Result<Vec<Incident>, IncidentsError> {
        let mut tx = self.begin(owner).await?;
        let ids = incidents::found(&mut tx, owner == Owner::Installation, filter, slice).await?;
        let rows = incidents::rows(&mut tx, &ids).await?;
        tx.commit().await?;
        Ok(rows.into_iter().map(Incident::from).collect())
    }

    pub async fn get(&self, who: &Principal, id: IncidentId) -> Result<IncidentFull, IncidentsError> {
        let (tx, _, row) = self.find(who, id).await?;
        self.full(tx, row.into()).await
    }

    pub(super) async fn full(&self, mut tx: Tx, incident: Incident) -> Result<IncidentFull, IncidentsError> {
        let id = incident.id;
        let causes = causes::of(&mut tx, &[id.0]).await?.into_iter().map(|(_, cause)| cause).collect();
        let affected = incidents::affected(&mut tx, &[id.0]).await?;
        let updates = updates::list(&mut tx, id, &Slice::first(20)).await?;
        tx.commit().await?;
        let components =
            affected.into_iter().map(|(_, component, status)| AffectedDraft { component, status }).collect();
        Ok(IncidentFull { incident, causes, components, updates })
    }

    /// Reads it anew after a change, ends the transaction, and says that it changed.
    pub(super) async fn finish(
        &self,
        mut tx: Tx,
        id: IncidentId,
        mut changes: Vec<Changed>,
    ) -> Result<IncidentFull, IncidentsError> {
        let row = incidents::rows(&mut tx, &[id.0]).await?.pop().ok_or(IncidentsError::NotFound("incident"))?;
        let full = self.full(tx, row.into()).await?;
        changes.push(Changed::Incident(id));
        self.announce(&changes);
        Ok(full)
    }

    pub async fn log_of(
        &self,
        who: &Principal,
        id: IncidentId,
        slice: &Slice,
    ) -> Result<Vec<LogEntry>, IncidentsError> {
        let (mut tx, _, _) = self.find(who, id).await?;
        let found = incidents::log_of(&mut tx, id, slice).await?;
        tx.commit().await?;
        Ok(found)
    }

    /// Messages that were decided on, newest first.
    pub async fn told_of(&self, who: &Principal, id: IncidentId, slice: &Slice) -> Result<Vec<Told>, IncidentsError> {
        let (mut tx, _, _) = self.find(who, id).await?;
        let found = told::of_incident(&mut tx, id, slice).await?;
        tx.commit().await?;
        Ok(found)
    }

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
            let first = super::timeline::First { status, body: &draft.body, affected, notify: draft.notify };
            self.first_update(&mut tx, owner, id, draft.publish, first, by).await?;
        } else if draft.publish {
            self.say_by_itself(&mut tx, owner, id, status, draft.notify).await?;
        }
        let changes = self.refresh_components(&mut tx, &components, Some(id)).await?;
        self.plan_telling(&mut tx, owner, id).await?;
        self.finish(tx, id, changes).await
    }

    pub async fn change(
        &self,
        who: &Principal,
        id: IncidentId,
        version: Option<i32>,
        changes: IncidentChanges,
    ) -> Result<IncidentFull, IncidentsError> {
        let (mut tx, owner, row) = self.find(who, id).await?;
        check_version(&row, version)?;
        let incident = Incident::from(row);
        let name = tidy(changes.name.as_deref().unwrap_or(&incident.name));
        // The name that a monitor gave it may be longer.
        let mut errors = if changes.name.is_some() { texts_faults(&name, "") } else { Vec::new() };
        let scheduled = match (changes.scheduled_for, changes.scheduled_until) {
            (None, None) => None,
            (from, until) => {
                let from = from.or(incident.scheduled_for).unwrap_or(incident.started_at);
                let until = until.or(incident.scheduled_until).unwrap_or(from);
                if incident.kind != IncidentKind::Maintenance || until <= from {
                    let text = "only a maintenance is scheduled, and it ends after it begins";
                    errors.push(FieldError::new("/scheduled_for", "invalid", text));
                }
                Some((from, until))
            }
        };
        if !errors.is_empty() {
            return Err(IncidentsError::Invalid(errors));
        }
        let automatic = changes.automatic_impact == Some(true);
        let new = Changes {
            name: &name,
            severity: changes.severity.unwrap_or(incident.severity),
            impact: changes.impact.unwrap_or(incident.impact),
            impact_override: !automatic && (incident.impact_override || changes.impact.is_some()),
            scheduled,
        };
        incidents::change(&mut tx, id, &new, self.inner.clock.now()).await?;
        self.refresh_impact(&mut tx, id).await?;
        self.log(&mut tx, owner.org(), id, LogKind::Changed, &who.subject(), json!({ "name": name })).await?;
        self.finish(tx, id, Vec::new()).await
    }

    /// Stops the escalation. The end is told nevertheless.
    pub async fn acknowledge(&self, who: &Principal, id: IncidentId) -> Result<IncidentFull, IncidentsError> {
        let (mut tx, owner, _) = self.find(who, id).await?;
        self.acknowledge_in(&mut tx, owner, id, &who.subject()).await?;
        self.finish(tx, id, Vec::new()).await
    }

    /// Twice is as good as once.
    pub(super) async fn acknowledge_in(
        &self,
        tx: &mut Tx,
        owner: Owner,
        id: IncidentId,
        by: &str,
    ) -> Result<(), IncidentsError> {
        if incidents::acknowledge(tx, id, by, self.inner.clock.now()).await? {
            self.log(tx, owner.org(), id, LogKind::Acknowledged, by, json!({})).await?;
            tracing::info!(incident_id = %id, by, "incident acknowledged");
        }
        Ok(())
    }

    pub async fn publish(&self, who: &Principal, id: IncidentId) -> Result<IncidentFull, IncidentsError> {
        let (mut tx, owner, row) = self.find(who, id).await?;
        let affected = incidents::affected(&mut tx, &[id.0]).await?;
        if affected.is_empty() {
            return Err(IncidentsError::Invalid(vec![affects_nothing()]));
        }
        if incidents::publish(&mut tx, id, self.inner.clock.now()).await? {
            self.log(&mut tx, owner.org(), id, LogKind::Published, &who.subject(), json!({})).await?;
            let incident = Incident::from(row);
            let is_silent = updates::list(&mut tx, id, &Slice::first(1)).await?.is_empty();
            if is_silent && incident.kind == IncidentKind::Incident {
                self.say_by_itself(&mut tx, owner, id, incident.status, false).await?;
            }
        }
        let ids: Vec<ComponentId> = affected.into_iter().map(|(_, component, _)| component).collect();
        let changes = self.refresh_components(&mut tx, &ids, Some(id)).await?;
        self.finish(tx, id, changes).await
    }

    /// The incident, locked, and the transaction that sees it.
    pub(super) async fn find(&self, who: &Principal, id: IncidentId) -> Result<(Tx, Owner, Row), IncidentsError> {
        for owner in owners(who) {
            let mut tx = self.begin(owner).await?;
            if let Some(row) = incidents::locked(&mut tx, owner.org(), id).await? {
                return Ok((tx, owner, row));
            }
        }
        Err(IncidentsError::NotFound("incident"))
    }

    /// What these components show now. They must be the owner's.
    pub(super) async fn own_components(
        &self,
        tx: &mut Tx,
        owner: Owner,
        ids: &[ComponentId],
    ) -> Result<Vec<(ComponentId, ComponentStatus)>, IncidentsError> {
        let wanted: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let found = components::locked(tx, &wanted).await?;
        let own: Vec<_> = found
            .into_iter()
            .filter(|component| component.installation == (owner == Owner::Installation))
            .map(|component| (component.id, component.status))
            .collect();
        match ids.iter().find(|id| own.iter().all(|(known, _)| known != *id)) {
            Some(unknown) => {
                Err(IncidentsError::invalid("/components", "unknown", format!("there is no component {unknown}")))
            }
            None => Ok(own),
        }
    }
}

/// A page shows an incident by what it affects: without that, publishing would show it nowhere.
pub(super) fn affects_nothing() -> FieldError {
    let why = "name what is affected: pages show an incident only with a component that it affects";
    FieldError::new("/components", "affects_nothing", why)
}

/// What it did to each component.
pub(super) fn affected_of(old: &[(ComponentId, ComponentStatus)], new: &[AffectedDraft]) -> Vec<Affected> {
    let before = |component: ComponentId| {
        old.iter().find(|(known, _)| *known == component).map_or(ComponentStatus::Operational, |(_, status)| *status)
    };
    new.iter()
        .map(|affected| Affected {
            component: affected.component,
            old: before(affected.component),
            new: affected.status,
        })
        .collect()
}

/// Err: somebody changed it since the caller saw it.
pub(super) fn check_version(row: &Row, version: Option<i32>) -> Result<(), IncidentsError> {
    if version.is_some_and(|version| version != row.version) { Err(IncidentsError::Changed) } else { Ok(()) }
}

pub(super) fn texts_faults(name: &str, body: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if !(1..=LONGEST_NAME).contains(&name.chars().count()) {
        errors.push(FieldError::new("/name", "invalid", format!("1 to {LONGEST_NAME} characters")));
    }
    errors.extend(body_faults(body));
    errors
}

pub(super) fn body_faults(body: &str) -> Vec<FieldError> {
    if body.chars().count() <= LONGEST_TEXT && !body.contains('\0') {
        return Vec::new();
    }
    vec![FieldError::new("/body", "too_long", format!("at most {LONGEST_TEXT} characters"))]
}
