//! What status pages read. `conn` is a transaction of the owner, or one of role `system`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Incidents;
use crate::{
    IncidentsError,
    model::{Component, ComponentChange, ComponentId, Incident, IncidentId, IncidentView, Owner},
    store::{components, incidents, updates},
    timeline,
};

impl Incidents {
    pub async fn find_component(
        &self,
        conn: &mut PgConnection,
        owner: Owner,
        key: &str,
    ) -> Result<Option<ComponentId>, IncidentsError> {
        Ok(components::find(conn, owner.org(), key).await?)
    }

    /// With their monitors. In no order; what does not exist is left out.
    pub async fn components(
        &self,
        conn: &mut PgConnection,
        ids: &[ComponentId],
    ) -> Result<Vec<Component>, IncidentsError> {
        Ok(components::read(conn, &uuids(ids)).await?)
    }

    /// What was shown when, oldest first; for each component also its last change before `since`.
    pub async fn changes_of(
        &self,
        conn: &mut PgConnection,
        ids: &[ComponentId],
        since: DateTime<Utc>,
    ) -> Result<Vec<ComponentChange>, IncidentsError> {
        Ok(components::changes(conn, &uuids(ids), since).await?)
    }

    /// Published incidents and maintenances that affect any of them: open ones, and those that began since then. Newest first.
    pub async fn shown(
        &self,
        conn: &mut PgConnection,
        components: &[ComponentId],
        since: DateTime<Utc>,
    ) -> Result<Vec<IncidentView>, IncidentsError> {
        let ids = incidents::shown(conn, &uuids(components), since).await?;
        views(conn, &ids).await
    }

    /// One of them, for mails to subscribers.
    pub async fn view(&self, conn: &mut PgConnection, id: IncidentId) -> Result<Option<IncidentView>, IncidentsError> {
        Ok(views(conn, &[id.0]).await?.pop())
    }
}

fn uuids(ids: &[ComponentId]) -> Vec<Uuid> {
    ids.iter().map(|id| id.0).collect()
}

async fn views(conn: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<IncidentView>, IncidentsError> {
    let rows = incidents::rows(conn, ids).await?;
    let all_updates = updates::published(conn, ids).await?;
    let affected = incidents::affected(conn, ids).await?;
    let lasting = incidents::lasting(conn, &[], ids).await?;
    let view = |row| {
        let incident = Incident::from(row);
        let updates = all_updates.iter().filter(|update| update.incident_id == incident.id).cloned().collect();
        let components =
            affected.iter().filter(|(of, ..)| *of == incident.id).map(|(_, id, status)| (*id, *status)).collect();
        let left = lasting.iter().filter(|(of, ..)| *of == incident.id).map(|(.., status)| *status);
        let impact_now = if incident.impact_override { incident.impact } else { timeline::impact(incident.kind, left) };
        IncidentView { incident, updates, components, impact_now }
    };
    Ok(rows.into_iter().map(view).collect())
}
