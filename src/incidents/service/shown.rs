//! What components show, whenever a monitor or an incident changes; and once a minute, whatever was missed.

use std::collections::BTreeMap;

use sqlx::PgConnection;
use uuid::Uuid;

use super::{Changed, Incidents};
use crate::{
    IncidentsError,
    components::{self as judge, Known, Step},
    model::{Component, ComponentChange, ComponentId, IncidentId},
    store::{components, incidents},
};
use platform::ids::{OrgId, new_uuid};
use uptime::MonitorId;

/// Components that are looked at together.
const AT_ONCE: i64 = 500;

impl Incidents {
    /// Shows what monitors and incidents say now. Returns what changed.
    pub(super) async fn refresh_components(
        &self,
        conn: &mut PgConnection,
        ids: &[ComponentId],
        incident: Option<IncidentId>,
    ) -> Result<Vec<Changed>, IncidentsError> {
        self.follow_monitors(conn, ids, incident, &[]).await
    }

    /// As [`Self::refresh_components`], from the times on when these changes of monitors began; oldest first.
    pub(super) async fn follow_monitors(
        &self,
        conn: &mut PgConnection,
        ids: &[ComponentId],
        incident: Option<IncidentId>,
        steps: &[Step],
    ) -> Result<Vec<Changed>, IncidentsError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let all = components::locked(conn, &ids).await?;
        let all_known = self.known(conn, &all).await?;
        let orgs: BTreeMap<Uuid, Option<OrgId>> = components::orgs(conn, &ids).await?.into_iter().collect();
        let mut changes = Vec::new();
        for (component, known) in all.iter().zip(&all_known) {
            let now = self.inner.clock.now();
            for (at, status) in judge::course(known, steps, component.since, now) {
                let change = ComponentChange { component: component.id, status, at, incident };
                let org = orgs.get(&component.id.0).copied().flatten();
                components::shown(conn, org, &change, new_uuid(&self.inner.clock)).await?;
                if !changes.contains(&Changed::Component(component.id)) {
                    changes.push(Changed::Component(component.id));
                }
            }
        }
        Ok(changes)
    }

    /// What monitors and incidents say of each.
    async fn known(&self, conn: &mut PgConnection, all: &[Component]) -> Result<Vec<Known>, IncidentsError> {
        let ids: Vec<Uuid> = all.iter().map(|component| component.id.0).collect();
        let monitors: Vec<MonitorId> =
            all.iter().flat_map(|component| component.monitors.iter().map(|monitor| monitor.monitor_id)).collect();
        let monitors: BTreeMap<MonitorId, _> = self
            .inner
            .rooms
            .uptime
            .monitors(conn, &monitors)
            .await?
            .into_iter()
            .map(|monitor| (monitor.id, (monitor.status, monitor.degraded)))
            .collect();
        let lasting = incidents::lasting(conn, &ids, &[]).await?;
        let known = |component: &Component| Known {
            set: component.set,
            shown: Some(component.status),
            monitors: component
                .monitors
                .iter()
                .filter_map(|own| {
                    let (status, degraded) = *monitors.get(&own.monitor_id)?;
                    Some(judge::Monitor { id: own.monitor_id, weight: own.weight, status, degraded })
                })
                .collect(),
            incidents: lasting.iter().filter(|(_, of, _)| *of == component.id).map(|(.., status)| *status).collect(),
        };
        Ok(all.iter().map(known).collect())
    }

    /// Shows what is not shown: a monitor that changes while it becomes part of a component is seen by neither transaction.
    pub async fn reconcile_components(&self) -> Result<(), IncidentsError> {
        let mut after = Uuid::nil();
        loop {
            let mut tx = self.system().await?;
            let ids = components::following(&mut tx, after, AT_ONCE).await?;
            let Some(last) = ids.last() else { return Ok(tx.commit().await?) };
            after = *last;
            // Looked at without locks: almost all are right.
            let all = components::read(&mut tx, &ids).await?;
            let all_known = self.known(&mut tx, &all).await?;
            let differ: Vec<ComponentId> = all
                .iter()
                .zip(&all_known)
                .filter(|(component, known)| judge::status(known) != component.status)
                .map(|(component, _)| component.id)
                .collect();
            let changes = self.refresh_components(&mut tx, &differ, None).await?;
            tx.commit().await?;
            self.announce(&changes);
        }
    }
}
