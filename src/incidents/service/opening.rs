//! A cause opens an incident, or joins one.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Changed, Incidents, ROOM_ITSELF, code};
use crate::{
    IncidentsError,
    events::IncidentOpened,
    merge::{self, New, Open},
    model::{
        Cause, CauseSource, ComponentId, ComponentStatus, IncidentId, IncidentKind, IncidentStatus, LogKind, Owner,
        Severity,
    },
    store::{
        causes,
        incidents::{self, NewIncident},
    },
    timeline,
};
use platform::ids::OrgId;
use uptime::MonitorId;

/// A cause without an incident.
pub(super) struct NewCause {
    pub cause: Cause,
    pub severity: Severity,
    /// What it does to components.
    pub affects: Vec<(ComponentId, ComponentStatus)>,
    /// The incident that it opens is published at once.
    pub announce: bool,
    /// `monitor`, `alert` or `ending`
    pub opened_by: &'static str,
    /// Of the incident that it opens.
    pub name: String,
}

impl NewCause {
    /// Of a monitor that is down. `links`: its components, as the store has them.
    pub fn of_outage(cause: Cause, links: &[(MonitorId, ComponentId, ComponentStatus, bool)]) -> Self {
        Self {
            severity: Severity::Critical,
            affects: links.iter().map(|(_, component, weight, _)| (*component, *weight)).collect(),
            announce: links.iter().any(|(_, _, _, announce)| *announce),
            opened_by: "monitor",
            name: merge::outage_name(&cause.name),
            cause,
        }
    }
}

impl Incidents {
    /// Each opens an incident or joins one, of the same owner. Those that have one already are left out.
    pub(super) async fn causes_began(
        &self,
        conn: &mut PgConnection,
        owner: Owner,
        new: Vec<NewCause>,
        changes: &mut Vec<Changed>,
    ) -> Result<(), IncidentsError> {
        if new.is_empty() {
            return Ok(());
        }
        let (org, now) = (owner.org(), self.inner.clock.now());
        incidents::lock_owner(conn, org).await?;
        if let Some(org) = org {
            self.make_default(conn, org).await?;
        }
        let settle = self.settle_time();
        let monitors: Vec<Uuid> = new.iter().map(|one| one.cause.subject).collect();
        let mut open = self.open_ones(conn, org, &monitors, now).await?;
        let mut recent = causes::recent(conn, org, now - merge::STORM_WITHIN).await?;
        let mut touched = Vec::new();
        for one in new {
            if causes::find(conn, one.cause.source, one.cause.reference).await?.is_some() {
                continue;
            }
            let is_outage = one.cause.source == CauseSource::Monitor;
            if is_outage {
                recent.insert(one.cause.subject);
            }
            let is_storm = is_outage && merge::is_storm(recent.len());
            let components: Vec<ComponentId> = one.affects.iter().map(|(component, _)| *component).collect();
            let joining = New { cause: &one.cause, components: &components };
            let mut joined = None;
            while joined.is_none()
                && let Some(found) = merge::joins(&joining, &open, settle, now)
                    .or_else(|| merge::storm_of(&open, now).filter(|_| is_storm))
            {
                if self.join(conn, org, found, &one, now).await? {
                    joined = Some(found);
                } else {
                    // It ended between the look and the lock.
                    open.retain(|known| known.id != found);
                }
            }
            let incident = match joined {
                Some(incident) => incident,
                None => self.open(conn, org, &one, &components, now).await?,
            };
            if one.cause.closed_at.is_some() {
                self.cause_ended(conn, org, incident, &one.cause.name).await?;
            }
            note(&mut open, incident, &one, components, now);
            if !touched.contains(&incident) {
                touched.push(incident);
            }
            // Made as soon as there is one: what follows joins it at once, and opens nothing that would be merged into it.
            if is_storm
                && merge::storm_of(&open, now).is_none()
                && self.storm(conn, org, now, &mut touched, changes).await?
            {
                open = self.open_ones(conn, org, &monitors, now).await?;
            }
        }
        for incident in touched {
            self.refresh_impact(conn, incident).await?;
            changes.push(Changed::Incident(incident));
            self.plan_telling(conn, owner, incident).await?;
        }
        Ok(())
    }

    /// For so long a cause is over before its incident is.
    fn settle_time(&self) -> TimeDelta {
        TimeDelta::seconds(i64::from(self.inner.config.settle_seconds))
    }

    /// Those that may be joined, youngest first.
    async fn open_ones(
        &self,
        conn: &mut PgConnection,
        org: Option<OrgId>,
        monitors: &[Uuid],
        now: DateTime<Utc>,
    ) -> Result<Vec<Open>, IncidentsError> {
        let rows = incidents::open(conn, org, monitors, now).await?;
        let ids: Vec<Uuid> = rows.iter().map(|row| row.id.0).collect();
        let all_causes = causes::of(conn, &ids).await?;
        let affected = incidents::affected(conn, &ids).await?;
        let full = |row: incidents::Joinable| Open {
            id: row.id,
            merge_key: row.merge_key,
            joins_until: row.joins_until,
            settles: row.settles,
            untouched: row.untouched,
            components: affected.iter().filter(|(of, ..)| *of == row.id).map(|(_, component, _)| *component).collect(),
            causes: all_causes.iter().filter(|(of, _)| *of == row.id).map(|(_, cause)| cause.clone()).collect(),
        };
        Ok(rows.into_iter().map(full).collect())
    }

    pub(super) async fn open(
        &self,
        conn: &mut PgConnection,
        org: Option<OrgId>,
        one: &NewCause,
        components: &[ComponentId],
        now: DateTime<Utc>,
    ) -> Result<IncidentId, IncidentsError> {
        let id = IncidentId::generate(&self.inner.clock);
        let started_at = one.cause.opened_at;
        let published_at = one.announce.then_some(now);
        let merge_key = merge::key(&one.cause.traits, components);
        let new = NewIncident {
            id,
            org,
            code: &code(),
            kind: IncidentKind::Incident,
            name: &one.name,
            status: IncidentStatus::Investigating,
            impact: timeline::impact(IncidentKind::Incident, one.affects.iter().map(|(_, status)| *status)),
            severity: one.severity,
            published_at,
            opened_by: one.opened_by,
            started_at,
            scheduled: None,
            window: None,
            merge_key: merge_key.as_deref(),
            // Outages are no part of what ends.
            joins_until: one.cause.traits.ending.is_none().then(|| merge::joins_until(started_at, now)),
            now,
        };
        incidents::insert(conn, &new).await?;
        causes::insert(conn, org, id, &one.cause).await?;
        for (component, status) in &one.affects {
            incidents::affect(conn, org, id, *component, *status, false).await?;
        }
        let detail = json!({ "source": one.cause.source, "subject": one.cause.subject, "name": one.cause.name });
        self.log(conn, org, id, LogKind::Opened, ROOM_ITSELF, detail).await?;
        let event = IncidentOpened {
            incident_id: id,
            kind: IncidentKind::Incident,
            severity: one.severity,
            opened_by: one.opened_by.to_owned(),
            published: published_at.is_some(),
        };
        events::publish(conn, &self.inner.clock, org, &event).await?;
        if published_at.is_some() {
            self.say_by_itself(conn, Owner::of(org), id, IncidentStatus::Investigating, true).await?;
        }
        self.inner.metrics.opened(one.cause.source, id);
        Ok(id)
    }

    /// False: it is over, or a part of another by now, and nothing was done.
    async fn join(
        &self,
        conn: &mut PgConnection,
        org: Option<OrgId>,
        incident: IncidentId,
        one: &NewCause,
        now: DateTime<Utc>,
    ) -> Result<bool, IncidentsError> {
        let row = incidents::locked(conn, org, incident).await?;
        let Some(row) = row.filter(|row| row.resolved_at.is_none() && row.merged_into.is_none()) else {
            return Ok(false);
        };
        causes::insert(conn, org, incident, &one.cause).await?;
        for (component, status) in &one.affects {
            incidents::affect(conn, org, incident, *component, *status, false).await?;
        }
        let (all, _) = causes::counts(conn, incident).await?;
        let is_storm = row.merge_key.as_deref() == Some(merge::STORM_KEY);
        let name =
            if is_storm { merge::storm_name(usize::try_from(all).unwrap_or_default()) } else { row.name.clone() };
        // What a person has split off is joined by what comes back only.
        let until = row.joins_until.map(|_| merge::joins_until(row.started_at, now));
        incidents::joined(conn, incident, &name, until, row.merge_key.as_deref(), now).await?;
        if one.announce && incidents::publish(conn, incident, now).await? {
            self.log(conn, org, incident, LogKind::Published, ROOM_ITSELF, json!({})).await?;
            self.say_by_itself(conn, Owner::of(org), incident, IncidentStatus::Investigating, true).await?;
        }
        let detail = json!({ "source": one.cause.source, "subject": one.cause.subject, "name": one.cause.name });
        self.log(conn, org, incident, LogKind::Joined, ROOM_ITSELF, detail).await?;
        self.inner.metrics.merged(incident);
        Ok(true)
    }

    /// Makes one incident of those that many outages opened within a minute. False: there is nothing to make it of.
    async fn storm(
        &self,
        conn: &mut PgConnection,
        org: Option<OrgId>,
        now: DateTime<Utc>,
        touched: &mut Vec<IncidentId>,
        changes: &mut Vec<Changed>,
    ) -> Result<bool, IncidentsError> {
        let all = incidents::untouched_since(conn, org, now - merge::STORM_WITHIN, now).await?;
        let Some((first, others)) = all.split_first() else { return Ok(false) };
        let row = incidents::locked(conn, org, *first).await?;
        let Some(row) = row.filter(|row| row.resolved_at.is_none() && row.merged_into.is_none()) else {
            return Ok(false);
        };
        for other in others {
            self.merge_into(conn, org, *other, *first, ROOM_ITSELF).await?;
            changes.push(Changed::Incident(*other));
        }
        touched.retain(|incident| !others.contains(incident));
        if !touched.contains(first) {
            touched.push(*first);
        }
        let (count, last) = causes::counts(conn, *first).await?;
        let until = Some(merge::joins_until(row.started_at, now));
        let name = if count > 1 { merge::storm_name(usize::try_from(count).unwrap_or_default()) } else { row.name };
        incidents::joined(conn, *first, &name, until, Some(merge::STORM_KEY), now).await?;
        if last == 0 {
            incidents::set_settles(conn, *first, Some(now + self.settle_time())).await?;
        }
        Ok(true)
    }

    /// One of its causes is over. When none lasts, it settles.
    pub(super) async fn cause_ended(
        &self,
        conn: &mut PgConnection,
        org: Option<OrgId>,
        incident: IncidentId,
        name: &str,
    ) -> Result<(), IncidentsError> {
        self.log(conn, org, incident, LogKind::Left, ROOM_ITSELF, json!({ "name": name })).await?;
        // What it does to components ends with its cause: other processes see by its time that something has changed.
        let now = self.inner.clock.now();
        incidents::touch(conn, incident, now).await?;
        let (_, last) = causes::counts(conn, incident).await?;
        if last == 0 {
            incidents::set_settles(conn, incident, Some(now + self.settle_time())).await?;
        }
        Ok(())
    }

    /// The impact follows what is affected, unless it was set by hand.
    pub(super) async fn refresh_impact(
        &self,
        conn: &mut PgConnection,
        incident: IncidentId,
    ) -> Result<(), IncidentsError> {
        let Some(row) = incidents::rows(conn, &[incident.0]).await?.pop() else { return Ok(()) };
        let kind = row.kind();
        let affected = incidents::affected(conn, &[incident.0]).await?;
        let impact = timeline::impact(kind, affected.into_iter().map(|(_, _, status)| status));
        Ok(incidents::set_impact(conn, incident, impact).await?)
    }
}

/// What the next cause of the same batch finds.
fn note(open: &mut Vec<Open>, incident: IncidentId, one: &NewCause, components: Vec<ComponentId>, now: DateTime<Utc>) {
    if let Some(known) = open.iter_mut().find(|known| known.id == incident) {
        known.components.extend(components);
        known.causes.push(one.cause.clone());
        known.settles = !known.causes.iter().any(Cause::lasts);
        return;
    }
    let opened = Open {
        id: incident,
        merge_key: merge::key(&one.cause.traits, &components),
        joins_until: Some(merge::joins_until(one.cause.opened_at, now)),
        settles: !one.cause.lasts(),
        untouched: one.opened_by == "monitor",
        components,
        causes: vec![one.cause.clone()],
    };
    open.insert(0, opened);
}
