//! The jobs of incidents and their schedules.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Incidents,
    model::{IncidentId, Owner, RuleId, UpdateId},
};
use ::jobs::{CatchUp, Cron, Job, JobsError, Registry};
use alerting::{AlertFiring, AlertResolved};
use events::{Event as _, Occurred, Subscriber};
use uptime::{MonitorDown, MonitorEnding, MonitorUp};

/// Tells an incident by one of its rules, as far as there is something to tell.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Tell {
    pub incident_id: IncidentId,
    pub rule_id: RuleId,
}

impl Job for Tell {
    const KIND: &'static str = "incidents.tell";
    const QUEUE: &'static str = "incidents";
    const MAX_ATTEMPTS: i32 = 20;
    const BACKOFF: Duration = Duration::from_secs(1);
    const TIMEOUT: Duration = Duration::from_mins(1);
    const UNIQUE_UNTIL_START: bool = true;
}

/// Tells those who were told that it began that it is over.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TellEnd {
    pub incident_id: IncidentId,
}

impl Job for TellEnd {
    const KIND: &'static str = "incidents.tell_end";
    const QUEUE: &'static str = "incidents";
    const MAX_ATTEMPTS: i32 = 20;
    const BACKOFF: Duration = Duration::from_secs(1);
    const TIMEOUT: Duration = Duration::from_mins(1);
    const UNIQUE_UNTIL_START: bool = true;
}

/// Tells those who were told that it began what a person has written.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TellUpdate {
    pub incident_id: IncidentId,
    pub update_id: UpdateId,
}

impl Job for TellUpdate {
    const KIND: &'static str = "incidents.tell_update";
    const QUEUE: &'static str = "incidents";
    const MAX_ATTEMPTS: i32 = 20;
    const BACKOFF: Duration = Duration::from_secs(1);
    const TIMEOUT: Duration = Duration::from_mins(1);
}

/// A further step of an escalation, or a reminder of one.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Escalate {
    pub incident_id: IncidentId,
    pub rule_id: RuleId,
    pub step: usize,
    /// 0: the step itself.
    pub repeat: u32,
    /// How often the incident had been reopened.
    pub round: i64,
}

impl Job for Escalate {
    const KIND: &'static str = "incidents.escalate";
    const QUEUE: &'static str = "incidents";
    const MAX_ATTEMPTS: i32 = 20;
    const BACKOFF: Duration = Duration::from_secs(1);
    const TIMEOUT: Duration = Duration::from_mins(1);
}

/// An alert opens an incident, or ends.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct FromAlert(Occurred);

impl Job for FromAlert {
    const KIND: &'static str = "incidents.from_alert";
    const QUEUE: &'static str = "incidents";
    const MAX_ATTEMPTS: i32 = 10;
    const BACKOFF: Duration = Duration::from_secs(2);
    const TIMEOUT: Duration = Duration::from_mins(1);
}

impl From<Occurred> for FromAlert {
    fn from(event: Occurred) -> Self {
        Self(event)
    }
}

impl Subscriber for FromAlert {
    const TOPICS: &'static [&'static str] = &[AlertFiring::TOPIC, AlertResolved::TOPIC];
}

/// A certificate or a domain ends soon; and what the witness could not do in the prober's transaction: nothing, if it did.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct FromMonitor(Occurred);

impl Job for FromMonitor {
    const KIND: &'static str = "incidents.from_monitor";
    const QUEUE: &'static str = "incidents";
    const MAX_ATTEMPTS: i32 = 10;
    const BACKOFF: Duration = Duration::from_secs(2);
    const TIMEOUT: Duration = Duration::from_mins(1);
}

impl From<Occurred> for FromMonitor {
    fn from(event: Occurred) -> Self {
        Self(event)
    }
}

impl Subscriber for FromMonitor {
    const TOPICS: &'static [&'static str] = &[MonitorDown::TOPIC, MonitorUp::TOPIC, MonitorEnding::TOPIC];
}

/// Creates the partitions of the coming weeks, and deletes what is past retention.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Maintain {}

impl Job for Maintain {
    const KIND: &'static str = "incidents.maintain";
    const QUEUE: &'static str = "system";
    const TIMEOUT: Duration = Duration::from_mins(1);
}

/// Registers what runs these jobs, and their schedules.
pub fn register(registry: &mut Registry, incidents: &Incidents) -> Result<(), JobsError> {
    let this = incidents.clone();
    registry.register::<Tell, _, _>(move |context, job| {
        let this = this.clone();
        async move { Ok(this.tell(Owner::of(context.org_id), job.incident_id, job.rule_id).await?) }
    });
    let this = incidents.clone();
    registry.register::<TellEnd, _, _>(move |context, job| {
        let this = this.clone();
        async move { Ok(this.tell_end(Owner::of(context.org_id), job.incident_id).await?) }
    });
    let this = incidents.clone();
    registry.register::<TellUpdate, _, _>(move |context, job| {
        let this = this.clone();
        async move { Ok(this.tell_update(Owner::of(context.org_id), job.incident_id, job.update_id).await?) }
    });
    let this = incidents.clone();
    registry.register::<Escalate, _, _>(move |context, job| {
        let this = this.clone();
        async move { Ok(this.escalate(Owner::of(context.org_id), &job).await?) }
    });
    let this = incidents.clone();
    registry.register::<FromAlert, _, _>(move |_, job| {
        let this = this.clone();
        async move { this.heard_of_alert(&job.0).await }
    });
    let this = incidents.clone();
    registry.register::<FromMonitor, _, _>(move |_, job| {
        let this = this.clone();
        async move { this.heard_of_monitor(&job.0).await }
    });
    let this = incidents.clone();
    registry.register::<Maintain, _, _>(move |_, _| {
        let this = this.clone();
        async move { Ok(this.maintain().await?) }
    });
    registry.schedule(Maintain::KIND, Cron::parse("47 * * * *", "UTC")?, CatchUp::One, &Maintain {})
}
