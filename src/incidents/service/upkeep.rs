//! What time brings: incidents settle, maintenances begin and end; figures; retention.

use std::{sync::PoisonError, time::Duration};

use chrono::TimeDelta;
use serde_json::json;

use super::{Changed, Incidents, ROOM_ITSELF, tell::limits_of};
use crate::{
    IncidentsError, flap,
    metrics::Figures,
    model::{Incident, IncidentId, IncidentKind, IncidentStatus, LogKind, Owner},
    store::{causes, figures, incidents, rules, updates, upkeep},
    timeline,
};
use jobs::{By, Loops};
use platform::ids::OrgId;

const CLOCK_EVERY: Duration = Duration::from_secs(1);
const CHANGES_EVERY: Duration = Duration::from_millis(300);
const FIGURES_EVERY: Duration = Duration::from_secs(15);
const BUILTIN_EVERY: Duration = Duration::from_secs(5);
const ENDINGS_EVERY: Duration = Duration::from_secs(60);
const COMPONENTS_EVERY: Duration = Duration::from_secs(60);
/// By then a transaction of the prober is committed.
const COMMITTED: TimeDelta = TimeDelta::milliseconds(200);
/// What components showed is of use for so long: pages show ninety days.
const SHOWN_CHANGES: TimeDelta = TimeDelta::days(400);
/// Rows of each kind that retention deletes in one transaction.
const DELETED_AT_ONCE: i64 = 10_000;
/// A receiver that fails for so long is one that fails.
const FAILING: TimeDelta = TimeDelta::minutes(5);

impl Incidents {
    /// Starts the loops.
    pub(crate) fn start_loops(&self, loops: &Loops) {
        let this = self.clone();
        loops.every("incidents.clock", CLOCK_EVERY, By::Leader, move || {
            let this = this.clone();
            async move {
                this.settle().await?;
                Ok(this.move_maintenances().await?)
            }
        });
        let this = self.clone();
        loops.every("incidents.changes", CHANGES_EVERY, By::EveryProcess, move || {
            let this = this.clone();
            async move {
                this.announce_committed();
                Ok(())
            }
        });
        let this = self.clone();
        loops.every("incidents.builtin", BUILTIN_EVERY, By::Leader, move || {
            let this = this.clone();
            async move { Ok(this.make_builtin().await?) }
        });
        let this = self.clone();
        loops.every("incidents.endings", ENDINGS_EVERY, By::Leader, move || {
            let this = this.clone();
            async move { Ok(this.check_endings().await?) }
        });
        let this = self.clone();
        loops.every("incidents.components", COMPONENTS_EVERY, By::Leader, move || {
            let this = this.clone();
            async move { Ok(this.reconcile_components().await?) }
        });
        let (this, forget) = (self.clone(), self.inner.metrics.clone());
        let read = move || {
            let this = this.clone();
            async move { Ok(this.refresh_gauges().await?) }
        };
        loops.figures("incidents.figures", FIGURES_EVERY, read, move || forget.forget_figures());
    }

    fn announce_committed(&self) {
        let until = self.inner.clock.now() - COMMITTED;
        let ready: Vec<Changed> = {
            let mut waiting = self.inner.uncommitted.lock().unwrap_or_else(PoisonError::into_inner);
            let (ready, rest): (Vec<_>, Vec<_>) = waiting.drain(..).partition(|(at, _)| *at <= until);
            *waiting = rest;
            ready.into_iter().map(|(_, change)| change).collect()
        };
        self.announce(&ready);
    }

    /// Resolves those whose causes have been over for long enough.
    pub async fn settle(&self) -> Result<(), IncidentsError> {
        let mut tx = self.system().await?;
        let due = incidents::settled(&mut tx, self.inner.clock.now()).await?;
        tx.commit().await?;
        for (org, id) in due {
            self.settle_one(org, id).await?;
        }
        Ok(())
    }

    async fn settle_one(&self, org: Option<OrgId>, id: IncidentId) -> Result<(), IncidentsError> {
        let owner = Owner::of(org);
        let now = self.inner.clock.now();
        let mut tx = self.begin(owner).await?;
        let Some(row) = incidents::locked(&mut tx, org, id).await? else { return Ok(tx.commit().await?) };
        let (_, last) = causes::counts(&mut tx, id).await?;
        if row.resolved_at.is_some() || row.settles_at.is_none_or(|at| at > now) || last > 0 {
            // Joined again, or moved by a person meanwhile.
            if last > 0 {
                incidents::set_settles(&mut tx, id, None).await?;
            }
            return Ok(tx.commit().await?);
        }
        let incident = Incident::from(row);
        if incident.flapping {
            let limits = rules::all(&mut tx, org).await?.iter().map(limits_of).max_by_key(|limits| limits.within);
            let changes = causes::changes(&mut tx, id, now - TimeDelta::days(1)).await?;
            let steady = limits.and_then(|limits| flap::steady_at(&changes, false, limits));
            if let Some(at) = steady.filter(|at| *at > now) {
                incidents::set_settles(&mut tx, id, Some(at)).await?;
                return Ok(tx.commit().await?);
            }
            incidents::set_flapping(&mut tx, id, false, now).await?;
            self.log(&mut tx, org, id, LogKind::Steady, ROOM_ITSELF, json!({})).await?;
        }
        // Where a person has spoken, a person says that it is over.
        let spoken = updates::has_any_but(&mut tx, id, ROOM_ITSELF).await?;
        let to = if spoken { IncidentStatus::Monitoring } else { IncidentStatus::Resolved };
        let mut changes = self.move_to(&mut tx, owner, &incident, to, ROOM_ITSELF).await?;
        // Who heard from the room that it began hears from it that it is over.
        let said = updates::published(&mut tx, &[id.0]).await?;
        if !spoken && incident.published_at.is_some() && !said.is_empty() {
            let notify = said.iter().any(|update| update.notify);
            self.say_by_itself(&mut tx, owner, id, to, notify).await?;
        }
        tx.commit().await?;
        changes.push(Changed::Incident(id));
        self.announce(&changes);
        Ok(())
    }

    /// Begins and ends maintenances.
    pub async fn move_maintenances(&self) -> Result<(), IncidentsError> {
        let now = self.inner.clock.now();
        let mut tx = self.system().await?;
        let due = incidents::due(&mut tx, now).await?;
        tx.commit().await?;
        for (org, id) in due {
            let owner = Owner::of(org);
            let mut tx = self.begin(owner).await?;
            let Some(row) = incidents::locked(&mut tx, org, id).await? else { continue };
            let incident = Incident::from(row);
            let times = incident.scheduled_for.zip(incident.scheduled_until);
            let to = times.and_then(|(from, until)| timeline::by_clock(incident.status, from, until, now));
            let Some(to) = to.filter(|_| incident.kind == IncidentKind::Maintenance) else { continue };
            let mut changes = self.move_to(&mut tx, owner, &incident, to, ROOM_ITSELF).await?;
            tx.commit().await?;
            changes.push(Changed::Incident(id));
            self.announce(&changes);
        }
        Ok(())
    }

    pub async fn refresh_gauges(&self) -> Result<(), IncidentsError> {
        let now = self.inner.clock.now();
        let mut tx = self.system().await?;
        let open = figures::open(&mut tx).await?;
        let waits_since = figures::unacknowledged(&mut tx).await?;
        let channels = figures::channels(&mut tx).await?;
        tx.commit().await?;
        let failing = self.failing(&channels, FAILING).await?;
        let unacknowledged_seconds = waits_since.map_or(0.0, |since| (now - since).as_seconds_f64().max(0.0));
        self.inner.metrics.set(&Figures {
            open,
            failing: failing.installation,
            of_organisations: failing.organisations,
            unacknowledged_seconds,
        });
        Ok(())
    }

    /// Retention. What is left is deleted in the next hour.
    pub async fn maintain(&self) -> Result<(), IncidentsError> {
        let now = self.inner.clock.now();
        let before = now - TimeDelta::days(i64::from(self.inner.config.keep_days));
        let mut tx = self.system().await?;
        let (created, dropped) = upkeep::maintain(&mut tx, self.inner.config.keep_told_days).await?;
        let incidents = upkeep::delete_incidents(&mut tx, before, DELETED_AT_ONCE).await?;
        let changes = upkeep::delete_changes(&mut tx, now - SHOWN_CHANGES, DELETED_AT_ONCE).await?;
        tx.commit().await?;
        if created + dropped > 0 || incidents + changes > 0 {
            tracing::info!(
                created,
                dropped,
                incidents,
                changes,
                "retention of incidents: weeks of messages, and what was deleted"
            );
        }
        Ok(())
    }
}
