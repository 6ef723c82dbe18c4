//! Certificates and domains that end soon: an incident where a rule says so, until they are renewed.

use std::sync::PoisonError;

use chrono::TimeDelta;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Changed, Incidents, ROOM_ITSELF, opening::NewCause};
use crate::{
    IncidentsError, matching,
    model::{Cause, CauseSource, Incident, IncidentId, LogKind, Owner, Severity, Traits},
    store::{
        causes,
        incidents::{self, Changes},
        rules,
    },
};
use events::Occurred;
use uptime::{Degraded, Monitor, MonitorEnding, MonitorId};

/// Servers behind one name may have different certificates, and each check sees one of them: a certificate is renewed when no check has seen the old one for so
/// long.
const RENEWED: TimeDelta = TimeDelta::minutes(15);
/// Days: fewer are a warning.
const SOON: i16 = 7;

impl Incidents {
    /// Each threshold is told once: the event is the cause. A nearer one joins the incident of the one before it.
    pub(super) async fn monitor_ending(&self, event: &Occurred, ending: &MonitorEnding) -> Result<(), IncidentsError> {
        let owner = Owner::of(event.org_id);
        let mut tx = self.system().await?;
        if causes::find(&mut tx, CauseSource::Ending, event.id.0).await?.is_some() {
            return Ok(tx.commit().await?);
        }
        let Some(monitor) = self.inner.rooms.uptime.monitors(&mut tx, &[ending.monitor_id]).await?.pop() else {
            return Ok(tx.commit().await?);
        };
        let new = new_cause(event, ending, &monitor);
        let all = rules::all(&mut tx, owner.org()).await?;
        if matching::rules_for(&all, new.severity, std::slice::from_ref(&new.cause)).is_empty() {
            return Ok(tx.commit().await?);
        }
        incidents::lock_owner(&mut tx, owner.org()).await?;
        let incident = match causes::ending_of(&mut tx, monitor.id.0, ending.what.as_str()).await? {
            Some(incident) => {
                self.ends_nearer(&mut tx, owner, incident, &new).await?;
                incident
            }
            None => self.open(&mut tx, owner.org(), &new, &[], self.inner.clock.now()).await?,
        };
        self.plan_telling(&mut tx, owner, incident).await?;
        tx.commit().await?;
        self.announce(&[Changed::Incident(incident)]);
        Ok(())
    }

    async fn ends_nearer(
        &self,
        conn: &mut PgConnection,
        owner: Owner,
        id: IncidentId,
        new: &NewCause,
    ) -> Result<(), IncidentsError> {
        let Some(row) = incidents::locked(conn, owner.org(), id).await? else { return Ok(()) };
        let incident = Incident::from(row);
        causes::insert(conn, owner.org(), id, &new.cause).await?;
        let changes = Changes {
            name: &new.name,
            severity: incident.severity.max(new.severity),
            impact: incident.impact,
            impact_override: incident.impact_override,
            scheduled: None,
        };
        incidents::change(conn, id, &changes, self.inner.clock.now()).await?;
        let detail = json!({ "source": new.cause.source, "name": new.name });
        self.log(conn, owner.org(), id, LogKind::Joined, ROOM_ITSELF, detail).await?;
        self.inner.metrics.merged(id);
        Ok(())
    }

    /// Ends what was renewed, and what nobody watches any more.
    pub async fn check_endings(&self) -> Result<(), IncidentsError> {
        let mut tx = self.system().await?;
        let open = causes::endings(&mut tx).await?;
        let ids: Vec<MonitorId> = open.iter().map(|(_, cause)| MonitorId(cause.subject)).collect();
        let monitors = self.inner.rooms.uptime.monitors(&mut tx, &ids).await?;
        let mut changes = Vec::new();
        for (incident, cause) in open {
            let monitor = monitors.iter().find(|monitor| monitor.id.0 == cause.subject);
            let is_watched = monitor.is_some_and(|monitor| monitor.removed_at.is_none());
            let is_renewed = !monitor.is_some_and(|monitor| still_ends(monitor, &cause.traits));
            let is_over = self.looks_renewed(cause.reference, is_renewed);
            // A domain is renewed at once, and what nobody watches ends at once.
            if !is_renewed || (is_watched && cause.traits.ending != Some(Degraded::Domain) && !is_over) {
                continue;
            }
            if causes::close(&mut tx, CauseSource::Ending, cause.reference, self.inner.clock.now()).await? {
                let org = incidents::org(&mut tx, incident).await?;
                self.cause_ended(&mut tx, org, incident, &cause.name).await?;
                changes.push(Changed::Incident(incident));
            }
        }
        tx.commit().await?;
        self.announce(&changes);
        Ok(())
    }
}

impl Incidents {
    /// Whether it has looked renewed for [`RENEWED`], at every look.
    fn looks_renewed(&self, reference: Uuid, is_renewed: bool) -> bool {
        let now = self.inner.clock.now();
        let mut seen = self.inner.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_renewed {
            seen.remove(&reference);
            return false;
        }
        let since = *seen.entry(reference).or_insert(now);
        let is_over = now - since >= RENEWED;
        if is_over {
            seen.remove(&reference);
        }
        is_over
    }
}

fn new_cause(event: &Occurred, ending: &MonitorEnding, monitor: &Monitor) -> NewCause {
    let what = match ending.what {
        Degraded::Domain => "domain",
        Degraded::Certificate | Degraded::Slow => "certificate",
    };
    let (severity, when) = match ending.days {
        days if days <= 0 => (Severity::Critical, "has ended".to_owned()),
        days if days <= SOON => (Severity::Warning, format!("ends within {days} days")),
        days => (Severity::Info, format!("ends within {days} days")),
    };
    let cause = Cause {
        source: CauseSource::Ending,
        reference: event.id.0,
        subject: monitor.id.0,
        name: monitor.name.clone(),
        traits: Traits {
            group: monitor.group_id,
            tags: monitor.tags.clone(),
            error: Some(format!("its {what} {when}: {}", ending.ends_at.format("%Y-%m-%d %H:%M UTC"))),
            ending: Some(ending.what),
            ends_at: Some(ending.ends_at),
            ..Traits::default()
        },
        opened_at: event.created_at,
        closed_at: None,
    };
    NewCause {
        cause,
        severity,
        affects: Vec::new(),
        announce: false,
        opened_by: "ending",
        name: format!("The {what} of {} {when}", monitor.name),
    }
}

/// Whether it is still the certificate or the domain that ends.
fn still_ends(monitor: &Monitor, traits: &Traits) -> bool {
    let known = match traits.ending {
        Some(Degraded::Domain) => monitor.domain_ends_at,
        _ => monitor.certificate_ends_at,
    };
    let is_renewed = known.zip(traits.ends_at).is_some_and(|(ends_at, told)| ends_at > told);
    monitor.removed_at.is_none() && !is_renewed
}
