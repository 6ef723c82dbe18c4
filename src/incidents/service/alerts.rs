//! Alerts from Alertmanager, and what the witness of monitors could not do.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::{Changed, Incidents, opening::NewCause};
use crate::{
    Alerts, IncidentsError,
    components::Step,
    model::{Cause, CauseSource, Owner, Severity, Traits},
    store::{causes, incidents},
};
use alerting::{Alert, AlertId, AlertResolved, AlertingError};
use events::{Event as _, Occurred};
use jobs::JobError;
use platform::db::Tx;
use uptime::{MonitorDown, MonitorEnding, MonitorId, MonitorUp, Status};

/// As alerting publishes it.
#[derive(Debug, Deserialize)]
struct AboutAlert {
    alert_id: AlertId,
}

impl Incidents {
    /// Alerts are the installation's. A draft: their texts are for insiders until a person publishes the incident.
    pub(crate) async fn heard_of_alert(&self, event: &Occurred) -> Result<(), JobError> {
        if self.inner.config.alerts == Alerts::Off {
            return Ok(());
        }
        let about: AboutAlert = serde_json::from_value(event.payload.clone()).map_err(JobError::permanent)?;
        let alert = match self.inner.rooms.alerting.get(about.alert_id).await {
            Err(AlertingError::NotFound) => return Ok(()),
            found => found?.alert,
        };
        let over = event.topic == AlertResolved::TOPIC;
        Ok(self.alert_changed(&alert, over).await?)
    }

    async fn alert_changed(&self, alert: &Alert, over: bool) -> Result<(), IncidentsError> {
        let severity = match alert.severity {
            alerting::Severity::Critical => Severity::Critical,
            alerting::Severity::Warning => Severity::Warning,
            alerting::Severity::Info | alerting::Severity::None => return Ok(()),
        };
        let mut changes = Vec::new();
        let mut tx = self.system().await?;
        if over {
            let ended_at = alert.ends_at.unwrap_or_else(|| self.inner.clock.now());
            self.alert_ended(&mut tx, alert, ended_at, &mut changes).await?;
        } else if alert.ends_at.is_none() {
            let (_, runbook) = self.inner.rooms.alerting.links(alert);
            let cause = Cause {
                source: CauseSource::Alert,
                reference: alert.id.0,
                subject: alert.id.0,
                name: alert.name.clone(),
                traits: Traits {
                    alert: Some(alert.name.clone()),
                    service: alert.labels.get("service").cloned(),
                    error: Some(alert.summary().to_owned()).filter(|summary| !summary.is_empty()),
                    runbook: Some(runbook).filter(|runbook| !runbook.is_empty()),
                    ..Traits::default()
                },
                opened_at: alert.starts_at,
                closed_at: None,
            };
            let new = NewCause {
                cause,
                severity,
                affects: Vec::new(),
                announce: false,
                opened_by: "alert",
                name: alert.name.clone(),
            };
            self.causes_began(&mut tx, Owner::Installation, vec![new], &mut changes).await?;
        }
        tx.commit().await?;
        self.announce(&changes);
        Ok(())
    }

    async fn alert_ended(
        &self,
        tx: &mut Tx,
        alert: &Alert,
        ended_at: DateTime<Utc>,
        changes: &mut Vec<Changed>,
    ) -> Result<(), IncidentsError> {
        let Some((incident, cause)) = causes::find(tx, CauseSource::Alert, alert.id.0).await? else { return Ok(()) };
        if cause.closed_at.is_none() {
            causes::close(tx, CauseSource::Alert, alert.id.0, ended_at).await?;
            let org = incidents::org(tx, incident).await?;
            self.cause_ended(tx, org, incident, &cause.name).await?;
            changes.push(Changed::Incident(incident));
        }
        Ok(())
    }

    /// What ends soon. And where the witness failed in the transaction that wrote a change: it is done here, out of what the event and the monitor say.
    pub(crate) async fn heard_of_monitor(&self, event: &Occurred) -> Result<(), JobError> {
        if let Some(down) = event.payload::<MonitorDown>().map_err(JobError::permanent)? {
            return Ok(self.monitor_went_down(event, &down).await?);
        }
        if let Some(up) = event.payload::<MonitorUp>().map_err(JobError::permanent)? {
            return Ok(self.monitor_came_up(&up).await?);
        }
        if let Some(ending) = event.payload::<MonitorEnding>().map_err(JobError::permanent)? {
            return Ok(self.monitor_ending(event, &ending).await?);
        }
        Ok(())
    }

    async fn monitor_went_down(&self, event: &Occurred, down: &MonitorDown) -> Result<(), IncidentsError> {
        let owner = Owner::of(event.org_id);
        let mut tx = self.system().await?;
        if !down.told || causes::find(&mut tx, CauseSource::Monitor, down.outage_id.0).await?.is_some() {
            return Ok(tx.commit().await?);
        }
        let Some(monitor) = self.inner.rooms.uptime.monitors(&mut tx, &[down.monitor_id]).await?.pop() else {
            return Ok(tx.commit().await?);
        };
        let affects = crate::store::components::of_monitors(&mut tx, &[monitor.id.0]).await?;
        let host = self.inner.rooms.uptime.hosts(&mut tx, &[monitor.id]).await?.remove(&monitor.id);
        let cause = Cause {
            source: CauseSource::Monitor,
            reference: down.outage_id.0,
            subject: monitor.id.0,
            name: monitor.name.clone(),
            traits: Traits {
                parent: monitor.parent_id,
                group: monitor.group_id,
                host,
                tags: monitor.tags.clone(),
                error: monitor.error.clone(),
                ..Traits::default()
            },
            opened_at: down.started_at,
            closed_at: None,
        };
        let new = NewCause::of_outage(cause, &affects);
        let mut changes = Vec::new();
        let mut steps = vec![step(monitor.id, (Status::Up, Status::Down), down.started_at)];
        let ids: Vec<_> = affects.iter().map(|(_, component, _, _)| *component).collect();
        self.causes_began(&mut tx, owner, vec![new], &mut changes).await?;
        // The event that it is up again may have been handled before this one.
        if monitor.status == Status::Up
            && let Some((incident, cause)) = causes::find(&mut tx, CauseSource::Monitor, down.outage_id.0).await?
        {
            causes::close(&mut tx, CauseSource::Monitor, down.outage_id.0, monitor.since).await?;
            self.cause_ended(&mut tx, owner.org(), incident, &cause.name).await?;
            steps.push(step(monitor.id, (Status::Down, Status::Up), monitor.since));
        }
        changes.extend(self.follow_monitors(&mut tx, &ids, None, &steps).await?);
        tx.commit().await?;
        self.announce(&changes);
        Ok(())
    }

    async fn monitor_came_up(&self, up: &MonitorUp) -> Result<(), IncidentsError> {
        let mut tx = self.system().await?;
        let found = causes::find(&mut tx, CauseSource::Monitor, up.outage_id.0).await?;
        let Some((incident, cause)) = found.filter(|(_, cause)| cause.closed_at.is_none()) else {
            return Ok(tx.commit().await?);
        };
        causes::close(&mut tx, CauseSource::Monitor, up.outage_id.0, up.ended_at).await?;
        let org = incidents::org(&mut tx, incident).await?;
        self.cause_ended(&mut tx, org, incident, &cause.name).await?;
        let links = crate::store::components::of_monitors(&mut tx, &[up.monitor_id.0]).await?;
        let ids: Vec<_> = links.iter().map(|(_, component, _, _)| *component).collect();
        let steps = [step(up.monitor_id, (Status::Down, Status::Up), up.ended_at)];
        let mut changes = self.follow_monitors(&mut tx, &ids, None, &steps).await?;
        changes.push(Changed::Incident(incident));
        tx.commit().await?;
        self.announce(&changes);
        Ok(())
    }
}

fn step(monitor: MonitorId, (was, is): (Status, Status), at: DateTime<Utc>) -> Step {
    Step { monitor, was, is, degraded: None, at }
}
