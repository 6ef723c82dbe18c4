//! Merging and splitting. Both are in the log; splitting undoes merging.

use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::json;
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Changed, Incidents, code, incidents::IncidentFull};
use crate::{
    IncidentsError,
    model::{ComponentId, Impact, Incident, IncidentId, IncidentKind, IncidentStatus, LogKind, Severity},
    store::{
        causes,
        incidents::{self, NewIncident},
        told, updates,
    },
};
use platform::{http::Principal, ids::OrgId};

/// Merging and splitting are for incidents that began within this time.
const WITHIN: TimeDelta = TimeDelta::hours(24);

/// Causes that become an incident of their own.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = IncidentSplit)]
pub struct Split {
    /// `ref` of each.
    pub causes: Vec<Uuid>,
    /// Name of the new incident.
    pub name: String,
}

impl Incidents {
    /// Causes, log and what is affected go to another incident, of the same owner.
    pub(super) async fn merge_into(
        &self,
        conn: &mut PgConnection,
        org: Option<OrgId>,
        from: IncidentId,
        into: IncidentId,
        by: &str,
    ) -> Result<(), IncidentsError> {
        let now = self.inner.clock.now();
        causes::move_to(conn, from, into, None).await?;
        incidents::affect_as(conn, from, into).await?;
        incidents::move_log(conn, from, into).await?;
        updates::move_to(conn, from, into).await?;
        // Who was told of it is told of the end of the other one.
        told::move_to(conn, from, into).await?;
        // What customers see stays to be seen.
        let was_published = incidents::rows(conn, &[from.0]).await?.pop().is_some_and(|row| row.published_at.is_some());
        if was_published && incidents::publish(conn, into, now).await? {
            self.log(conn, org, into, LogKind::Published, by, json!({})).await?;
        }
        incidents::set_merged(conn, from, Some(into), now).await?;
        self.log(conn, org, into, LogKind::Merged, by, json!({ "incident": from })).await?;
        self.inner.metrics.merged(into);
        Ok(())
    }

    pub async fn merge(
        &self,
        who: &Principal,
        from: IncidentId,
        into: IncidentId,
    ) -> Result<IncidentFull, IncidentsError> {
        if from == into {
            return Err(IncidentsError::invalid("/into", "invalid", "an incident is not merged into itself"));
        }
        // In the order of their ids: two who merge the same would wait for each other.
        let (mut tx, owner, first) = self.find(who, from.min(into)).await?;
        let second = incidents::locked(&mut tx, owner.org(), from.max(into)).await?;
        let second = second.ok_or(IncidentsError::NotFound("incident"))?;
        let both = [Incident::from(first), Incident::from(second)];
        let is_over = |id: IncidentId| both.iter().any(|incident| incident.id == id && incident.status.is_over());
        if is_over(into) && !is_over(from) {
            let why = "the other incident is over, and this one is not: merge that one into this one";
            return Err(IncidentsError::Conflict("not_mergeable", why.to_owned()));
        }
        for incident in both {
            let is_late = self.inner.clock.now() - incident.started_at > WITHIN && incident.status.is_over();
            if incident.kind != IncidentKind::Incident || incident.merged_into.is_some() || is_late {
                let why = "both must be incidents that are open or began within 24 hours, and no part of another";
                return Err(IncidentsError::Conflict("not_mergeable", why.to_owned()));
            }
        }
        self.merge_into(&mut tx, owner.org(), from, into, &who.subject()).await?;
        self.refresh_impact(&mut tx, into).await?;
        let affected = incidents::affected(&mut tx, &[into.0]).await?;
        let ids: Vec<ComponentId> = affected.into_iter().map(|(_, component, _)| component).collect();
        let mut changes = self.refresh_components(&mut tx, &ids, Some(into)).await?;
        changes.push(Changed::Incident(from));
        self.finish(tx, into, changes).await
    }

    /// Returns the new incident.
    pub async fn split(&self, who: &Principal, from: IncidentId, split: Split) -> Result<IncidentFull, IncidentsError> {
        let (mut tx, owner, row) = self.find(who, from).await?;
        let (old, now, org) = (Incident::from(row), self.inner.clock.now(), owner.org());
        let all = causes::of(&mut tx, &[from.0]).await?;
        let moved: Vec<_> = all.iter().filter(|(_, cause)| split.causes.contains(&cause.reference)).collect();
        if moved.is_empty() || moved.len() == all.len() || moved.len() != split.causes.len() {
            let why = "name some of its causes, and not all of them";
            return Err(IncidentsError::invalid("/causes", "invalid", why));
        }
        let name = platform::names::tidy(&split.name);
        let errors = super::incidents::texts_faults(&name, "");
        if !errors.is_empty() {
            return Err(IncidentsError::Invalid(errors));
        }
        let started_at = moved.iter().map(|(_, cause)| cause.opened_at).min().unwrap_or(now);
        let id = IncidentId::generate(&self.inner.clock);
        let new = NewIncident {
            id,
            org,
            code: &code(),
            kind: IncidentKind::Incident,
            name: &name,
            status: IncidentStatus::Investigating,
            impact: Impact::None,
            severity: old.severity.max(Severity::Info),
            published_at: None,
            opened_by: &old.opened_by,
            started_at,
            scheduled: None,
            window: None,
            merge_key: None,
            joins_until: None,
            now,
        };
        incidents::insert(&mut tx, &new).await?;
        causes::move_to(&mut tx, from, id, Some(&split.causes)).await?;
        let by = who.subject();
        self.log(&mut tx, org, from, LogKind::Split, &by, json!({ "into": id })).await?;
        self.log(&mut tx, org, id, LogKind::Split, &by, json!({ "from": from })).await?;
        for incident in [from, id] {
            let (_, last) = causes::counts(&mut tx, incident).await?;
            let settle = TimeDelta::seconds(i64::from(self.inner.config.settle_seconds));
            incidents::set_settles(&mut tx, incident, (last == 0).then(|| now + settle)).await?;
        }
        self.plan_telling(&mut tx, owner, id).await?;
        self.finish(tx, id, vec![Changed::Incident(from)]).await
    }
}
