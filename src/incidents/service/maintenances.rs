//! Announced maintenance: the window of the monitors and its announcement, in one transaction.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{
    Incidents, code,
    incidents::{IncidentFull, affected_of, texts_faults},
    timeline::First,
};
use crate::{
    IncidentsError,
    events::IncidentOpened,
    model::{ComponentId, ComponentStatus, Impact, IncidentId, IncidentKind, IncidentStatus, LogKind, Owner, Severity},
    service::incidents::AffectedDraft,
    store::{
        components,
        incidents::{self, NewIncident},
    },
};
use platform::{error::FieldError, http::Principal, names::tidy};
use uptime::NewWindow;

/// Work that is announced.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = IncidentMaintenanceDraft)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct MaintenanceDraft {
    pub name: String,
    /// What is done; Markdown.
    #[serde(default)]
    pub body: String,
    pub scheduled_for: DateTime<Utc>,
    pub scheduled_until: DateTime<Utc>,
    /// What is under maintenance then; their monitors tell nobody.
    pub components: Vec<ComponentId>,
    /// False: a draft.
    #[serde(default)]
    pub publish: bool,
    /// Subscribers of pages get it by mail.
    #[serde(default)]
    pub notify: bool,
    /// Its time does not count for availability.
    #[serde(default)]
    pub excluded: bool,
    /// Of the installation; operators only.
    #[serde(default)]
    pub installation: bool,
}

impl Incidents {
    pub async fn announce_maintenance(
        &self,
        who: &Principal,
        draft: MaintenanceDraft,
    ) -> Result<IncidentFull, IncidentsError> {
        let owner = self.owner(who, draft.installation)?;
        self.announce_as(owner, &who.subject(), draft).await
    }

    /// `by`: as of [`Self::open_as`].
    pub async fn announce_as(
        &self,
        owner: Owner,
        by: &str,
        draft: MaintenanceDraft,
    ) -> Result<IncidentFull, IncidentsError> {
        let (name, now) = (tidy(&draft.name), self.inner.clock.now());
        let mut errors = texts_faults(&name, &draft.body);
        if draft.scheduled_until <= draft.scheduled_for || draft.scheduled_until <= now {
            errors.push(FieldError::new("/scheduled_until", "invalid", "it ends after it begins, and not in the past"));
        }
        if draft.components.is_empty() {
            errors.push(FieldError::new("/components", "required", "name what is under maintenance"));
        }
        if !errors.is_empty() {
            return Err(IncidentsError::Invalid(errors));
        }
        let mut tx = self.begin(owner).await?;
        let old = self.own_components(&mut tx, owner, &draft.components).await?;
        let ids: Vec<uuid::Uuid> = draft.components.iter().map(|id| id.0).collect();
        let all = components::read(&mut tx, &ids).await?;
        let monitors: Vec<_> =
            all.iter().flat_map(|component| component.monitors.iter().map(|own| own.monitor_id)).collect();
        let id = IncidentId::generate(&self.inner.clock);
        let mut window = None;
        if !monitors.is_empty() {
            let new = NewWindow {
                key: Some(format!("maintenance-{}", id.0.simple())),
                name: name.clone(),
                starts_at: Some(draft.scheduled_for),
                ends_at: Some(draft.scheduled_until),
                excluded: draft.excluded,
                monitors,
                ..NewWindow::default()
            };
            window = Some(self.inner.rooms.uptime.create_window(&mut tx, owner, &new, by).await?);
        }
        let new = NewIncident {
            id,
            org: owner.org(),
            code: &code(),
            kind: IncidentKind::Maintenance,
            name: &name,
            status: IncidentStatus::Scheduled,
            impact: Impact::Maintenance,
            severity: Severity::Info,
            published_at: draft.publish.then_some(now),
            opened_by: by,
            started_at: draft.scheduled_for,
            scheduled: Some((draft.scheduled_for, draft.scheduled_until)),
            window,
            merge_key: None,
            joins_until: None,
            now,
        };
        incidents::insert(&mut tx, &new).await?;
        let status = ComponentStatus::UnderMaintenance;
        let affected: Vec<AffectedDraft> =
            draft.components.iter().map(|component| AffectedDraft { component: *component, status }).collect();
        for one in &affected {
            incidents::affect(&mut tx, owner.org(), id, one.component, one.status, true).await?;
        }
        self.log(&mut tx, owner.org(), id, LogKind::Opened, by, json!({ "name": name })).await?;
        let event = IncidentOpened {
            incident_id: id,
            kind: IncidentKind::Maintenance,
            severity: Severity::Info,
            opened_by: "person".to_owned(),
            published: draft.publish,
        };
        events::publish(&mut tx, &self.inner.clock, owner.org(), &event).await?;
        if !draft.body.trim().is_empty() {
            let affected = affected_of(&old, &affected);
            let first = First { status: IncidentStatus::Scheduled, body: &draft.body, affected, notify: draft.notify };
            self.first_update(&mut tx, owner, id, draft.publish, first, by).await?;
        }
        self.finish(tx, id, Vec::new()).await
    }
}
