//! Components: made and changed. What they show is in `shown.rs`.

use serde::Deserialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::{Changed, Incidents, code, owners};
use crate::{
    IncidentsError,
    model::{Component, ComponentId, ComponentMonitor, ComponentStatus, Owner},
    store::components::{self, NewComponent},
};
use platform::{
    db::Tx,
    error::FieldError,
    http::{Principal, Slice},
    names::tidy,
};
use uptime::{ManagedBy, Monitor, MonitorFilter, MonitorId, file::is_key};

/// Components of an owner.
const MOST: i64 = 500;

/// What a component is made of. Absent when changing: it stays.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = IncidentComponentDraft)]
pub struct ComponentDraft {
    /// Its identity: 1 to 100 lower-case letters, digits, hyphens and underscores. Only when it is made.
    pub key: Option<String>,
    pub name: Option<String>,
    pub description: Option<String>,
    /// An incident that one of its monitors opens is published at once.
    pub announce: Option<bool>,
    /// Set by hand; `automatic`: what monitors and incidents say.
    #[serde(rename = "override")]
    pub set: Option<String>,
    /// Replaces all of them.
    pub monitors: Option<Vec<ComponentMonitor>>,
    /// Of the installation; operators only, and only when it is made.
    pub installation: bool,
}

impl Incidents {
    pub async fn list_components(
        &self,
        owner: Owner,
        search: Option<&str>,
        slice: &Slice,
    ) -> Result<Vec<Component>, IncidentsError> {
        let mut tx = self.begin(owner).await?;
        let found = components::list(&mut tx, owner.org(), search, slice).await?;
        tx.commit().await?;
        Ok(found)
    }

    pub async fn get_component(&self, who: &Principal, id: ComponentId) -> Result<Component, IncidentsError> {
        Ok(self.find_own_component(who, id).await?.2)
    }

    /// Monitors for a form: those that were chosen, and others that a search finds.
    pub(crate) async fn offered_monitors(
        &self,
        owner: Owner,
        chosen: &[MonitorId],
        search: Option<&str>,
        most: i64,
    ) -> Result<Vec<Monitor>, IncidentsError> {
        let uptime = &self.inner.rooms.uptime;
        let mut tx = self.begin(owner).await?;
        let mut offered = uptime.monitors(&mut tx, chosen).await?;
        tx.commit().await?;
        let filter = MonitorFilter { search, ..MonitorFilter::default() };
        for monitor in uptime.list_monitors(owner, &filter, &Slice::first(most)).await? {
            if offered.iter().all(|known| known.id != monitor.id) {
                offered.push(monitor);
            }
        }
        Ok(offered)
    }

    pub async fn create_component(&self, who: &Principal, draft: ComponentDraft) -> Result<Component, IncidentsError> {
        let owner = self.owner(who, draft.installation)?;
        let key = draft.key.clone().unwrap_or_default();
        let name = tidy(draft.name.as_deref().unwrap_or_default());
        let mut errors = faults(&draft, &name);
        if !is_key(&key) {
            errors.push(FieldError::new(
                "/key",
                "invalid",
                "1 to 100 lower-case letters, digits, hyphens and underscores",
            ));
        }
        if !errors.is_empty() {
            return Err(IncidentsError::Invalid(errors));
        }
        let (id, now) = (ComponentId::generate(&self.inner.clock), self.inner.clock.now());
        let mut tx = self.begin(owner).await?;
        if components::count(&mut tx, owner.org()).await? >= MOST {
            return Err(IncidentsError::Conflict("too_many_components", format!("at most {MOST} components")));
        }
        let new = NewComponent {
            id,
            org: owner.org(),
            key: &key,
            code: &code(),
            name: &name,
            description: draft.description.as_deref().unwrap_or_default().trim(),
            announce: draft.announce.unwrap_or(false),
            managed_by: None,
            created_by: &who.subject(),
            now,
        };
        if !components::insert(&mut tx, &new).await? {
            return Err(IncidentsError::Conflict("taken", format!("there is a component with the key {key:?}")));
        }
        self.set_monitors(&mut tx, owner, id, draft.monitors.as_deref().unwrap_or_default()).await?;
        self.finish_component(tx, owner, id).await
    }

    pub async fn update_component(
        &self,
        who: &Principal,
        id: ComponentId,
        draft: ComponentDraft,
    ) -> Result<Component, IncidentsError> {
        let (mut tx, owner, old) = self.find_own_component(who, id).await?;
        let name = tidy(draft.name.as_deref().unwrap_or(&old.name));
        let errors = faults(&draft, &name);
        if !errors.is_empty() {
            return Err(IncidentsError::Invalid(errors));
        }
        // What it shows is operation, and may be set by hand whoever manages it.
        let edits =
            draft.name.is_some() || draft.description.is_some() || draft.announce.is_some() || draft.monitors.is_some();
        if edits && old.managed_by == Some(ManagedBy::File) {
            return Err(IncidentsError::Managed);
        }
        let set = match draft.set.as_deref() {
            None => old.set,
            Some(text) => text.parse().ok(),
        };
        let description = draft.description.as_deref().unwrap_or(&old.description).trim();
        let announce = draft.announce.unwrap_or(old.announce);
        let now = self.inner.clock.now();
        components::update(&mut tx, id, (&name, description), (announce, set), now).await?;
        if let Some(monitors) = &draft.monitors {
            self.set_monitors(&mut tx, owner, id, monitors).await?;
        }
        self.finish_component(tx, owner, id).await
    }

    pub async fn delete_component(&self, who: &Principal, id: ComponentId) -> Result<(), IncidentsError> {
        let (mut tx, _, old) = self.find_own_component(who, id).await?;
        match old.managed_by {
            Some(ManagedBy::File) => return Err(IncidentsError::Managed),
            Some(ManagedBy::Builtin) => {
                let why = "a part of the appliance stays: take it off the page instead";
                return Err(IncidentsError::Conflict("builtin", why.to_owned()));
            }
            None => {}
        }
        components::delete(&mut tx, id).await?;
        tx.commit().await?;
        self.announce(&[Changed::Component(id)]);
        Ok(())
    }

    async fn finish_component(&self, mut tx: Tx, owner: Owner, id: ComponentId) -> Result<Component, IncidentsError> {
        let mut changes = self.refresh_components(&mut tx, &[id], None).await?;
        let made = components::read(&mut tx, &[id.0]).await?.pop().ok_or(IncidentsError::NotFound("component"))?;
        tx.commit().await?;
        changes.push(Changed::Component(id));
        self.announce(&changes);
        tracing::info!(component_id = %id, installation = owner == Owner::Installation, "component saved");
        Ok(made)
    }

    /// Monitors must be the owner's.
    pub(super) async fn set_monitors(
        &self,
        conn: &mut PgConnection,
        owner: Owner,
        id: ComponentId,
        monitors: &[ComponentMonitor],
    ) -> Result<(), IncidentsError> {
        let ids: Vec<MonitorId> = monitors.iter().map(|monitor| monitor.monitor_id).collect();
        let found = self.inner.rooms.uptime.monitors(conn, &ids).await?;
        let is_own = |id: &MonitorId| {
            found.iter().any(|monitor| monitor.id == *id && monitor.installation == (owner == Owner::Installation))
        };
        if let Some(unknown) = ids.iter().find(|id| !is_own(id)) {
            return Err(IncidentsError::invalid("/monitors", "unknown", format!("there is no monitor {unknown}")));
        }
        Ok(components::set_monitors(conn, owner.org(), id, monitors).await?)
    }

    async fn find_own_component(
        &self,
        who: &Principal,
        id: ComponentId,
    ) -> Result<(Tx, Owner, Component), IncidentsError> {
        for owner in owners(who) {
            let mut tx = self.begin(owner).await?;
            let found = components::locked(&mut tx, &[id.0]).await?.pop();
            if let Some(found) = found.filter(|found| found.installation == (owner == Owner::Installation)) {
                return Ok((tx, owner, found));
            }
        }
        Err(IncidentsError::NotFound("component"))
    }
}

fn faults(draft: &ComponentDraft, name: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if !(1..=200).contains(&name.chars().count()) {
        errors.push(FieldError::new("/name", "invalid", "1 to 200 characters"));
    }
    if draft.description.as_ref().is_some_and(|text| text.chars().count() > 1000) {
        errors.push(FieldError::new("/description", "too_long", "at most 1000 characters"));
    }
    if let Some(set) = &draft.set
        && set != "automatic"
        && set.parse::<ComponentStatus>().is_err()
    {
        let known = ComponentStatus::ALL.map(ComponentStatus::as_str).join(", ");
        errors.push(FieldError::new("/override", "invalid", format!("automatic, or one of {known}")));
    }
    let weights = [ComponentStatus::DegradedPerformance, ComponentStatus::PartialOutage, ComponentStatus::MajorOutage];
    if draft.monitors.iter().flatten().any(|monitor| !weights.contains(&monitor.weight)) {
        let text = "a weight is degraded_performance, partial_outage or major_outage";
        errors.push(FieldError::new("/monitors", "invalid", text));
    }
    if draft.monitors.as_ref().is_some_and(|monitors| monitors.len() > 200) {
        errors.push(FieldError::new("/monitors", "too_many", "at most 200 monitors"));
    }
    errors
}
