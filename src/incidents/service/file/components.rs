//! `[components.<key>]`

use sqlx::PgConnection;

use super::{
    COMPONENTS, FilePart,
    format::ComponentEntry,
    put::{BY, TAKEN, action, is_taken, setting},
};
use crate::{
    IncidentsError,
    model::{ComponentId, ComponentMonitor, ComponentStatus},
    service::code,
    store::components,
};
use platform::names::tidy;
use uptime::{
    ManagedBy,
    file::{Action, Changes, Entry, Problems, Scope},
};

impl FilePart {
    pub(super) async fn put_components(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        changes: &mut Changes,
        problems: &mut Problems,
    ) -> Result<(), IncidentsError> {
        let org = scope.owner.org();
        let known = components::keys(conn, org).await?;
        for entry in &self.components {
            let found = known.iter().find(|known| known.key == entry.key);
            if found.is_some_and(|known| is_taken(known.managed_by.as_deref())) {
                problems.push(&entry.place, setting(COMPONENTS, &entry.key), TAKEN);
                continue;
            }
            let Some(monitors) = self.monitors_of(conn, scope, entry, problems).await? else { continue };
            let was = found.map(|known| (known.id, known.is_removed));
            let action = self.put_component(conn, scope, entry, was, &monitors).await?;
            changes.note(action, COMPONENTS, entry.key.clone());
        }
        for old in known {
            let is_gone = !self.components.iter().any(|entry| entry.key == old.key);
            if is_gone && !old.is_removed && !is_taken(old.managed_by.as_deref()) {
                components::remove(conn, old.id, scope.now).await?;
                changes.note(Action::Removed, COMPONENTS, old.key);
            }
        }
        Ok(())
    }

    /// `None`: it names a monitor that there is not.
    async fn monitors_of(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        entry: &Entry<ComponentEntry>,
        problems: &mut Problems,
    ) -> Result<Option<Vec<ComponentMonitor>>, IncidentsError> {
        let mut monitors = Vec::new();
        let mut is_complete = true;
        for (key, weight) in &entry.value.monitors {
            let mut wrong = |why: String| {
                is_complete = false;
                problems.push(&entry.place, setting(COMPONENTS, &entry.key), why);
            };
            if matches!(weight, ComponentStatus::Operational | ComponentStatus::UnderMaintenance) {
                wrong(format!("{key}: degraded_performance, partial_outage or major_outage"));
            }
            match self.incidents.inner.rooms.uptime.find_monitor(conn, scope.owner, key).await? {
                Some(monitor_id) => monitors.push(ComponentMonitor { monitor_id, weight: *weight }),
                None => wrong(format!("there is no monitor {key}")),
            }
        }
        monitors.sort_by_key(|monitor| monitor.monitor_id);
        Ok(is_complete.then_some(monitors))
    }

    async fn put_component(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        entry: &Entry<ComponentEntry>,
        was: Option<(ComponentId, bool)>,
        monitors: &[ComponentMonitor],
    ) -> Result<Action, IncidentsError> {
        let (org, value, name) = (scope.owner.org(), &entry.value, tidy(&entry.value.name));
        let Some((id, removed)) = was else {
            let id = ComponentId::generate(&self.incidents.inner.clock);
            let new = components::NewComponent {
                id,
                org,
                key: &entry.key,
                code: &code(),
                name: &name,
                description: &value.description,
                announce: value.announce,
                managed_by: Some(ManagedBy::File),
                created_by: BY,
                now: scope.now,
            };
            components::insert(conn, &new).await?;
            components::set_monitors(conn, org, id, monitors).await?;
            self.incidents.refresh_components(conn, &[id], None).await?;
            return Ok(Action::Created);
        };
        let old = components::read(conn, &[id.0]).await?.pop();
        let set = old.as_ref().and_then(|old| old.set);
        let is_same = !removed
            && old.is_some_and(|old| {
                old.name == name
                    && old.description == value.description
                    && old.announce == value.announce
                    && old.monitors == monitors
            });
        if !is_same {
            components::update(conn, id, (&name, &value.description), (value.announce, set), scope.now).await?;
            components::set_monitors(conn, org, id, monitors).await?;
            self.incidents.refresh_components(conn, &[id], None).await?;
        }
        Ok(action(false, !is_same))
    }
}
