//! Monitors open incidents, and end them.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Changed, Incidents, opening::NewCause};
use crate::{
    IncidentsError,
    components::Step,
    model::{Cause, CauseSource, ComponentId, Traits},
    store::{causes, components},
};
use platform::ids::Owner;
use uptime::{Status, Transition, Witness};

/// Is told of changes by room uptime.
pub struct MonitorWitness(pub Incidents);

#[async_trait]
impl Witness for MonitorWitness {
    async fn changed(&self, conn: &mut PgConnection, all: &[Transition]) -> anyhow::Result<()> {
        Ok(self.0.monitors_changed(conn, all).await?)
    }
}

impl Incidents {
    /// In the transaction that writes the spans. Idempotent: a cause is known by its outage.
    pub(super) async fn monitors_changed(
        &self,
        conn: &mut PgConnection,
        all: &[Transition],
    ) -> Result<(), IncidentsError> {
        let mut by_owner: BTreeMap<Owner, Vec<&Transition>> = BTreeMap::new();
        for transition in all {
            by_owner.entry(transition.owner).or_default().push(transition);
        }
        let monitors: Vec<Uuid> = all.iter().map(|transition| transition.monitor.0).collect();
        let links = components::of_monitors(conn, &monitors).await?;
        let mut changes = Vec::new();
        for (owner, transitions) in by_owner {
            let mut new: Vec<NewCause> = Vec::new();
            for transition in transitions {
                if ends(transition) {
                    // Where the database was away, an outage may begin and end in one batch.
                    let begun =
                        new.iter_mut().find(|one| Some(one.cause.reference) == transition.outage.map(|id| id.0));
                    if let Some(one) = begun {
                        one.cause.closed_at = Some(transition.started_at.max(one.cause.opened_at));
                    }
                    self.outage_ended(conn, transition, &mut changes).await?;
                }
                if opens(transition)
                    && let Some(cause) = cause(transition)
                {
                    let own: Vec<_> = links.iter().filter(|link| link.0 == transition.monitor).copied().collect();
                    new.push(NewCause::of_outage(cause, &own));
                }
            }
            self.causes_began(conn, owner, new, &mut changes).await?;
        }
        let affected: BTreeSet<ComponentId> = links.iter().map(|(_, component, _, _)| *component).collect();
        let affected: Vec<ComponentId> = affected.into_iter().collect();
        let mut steps: Vec<Step> = all.iter().map(step).collect();
        steps.sort_by_key(|step| step.at);
        changes.extend(self.follow_monitors(conn, &affected, None, &steps).await?);
        self.will_commit(changes);
        Ok(())
    }

    /// A cause is over: the incident may settle.
    async fn outage_ended(
        &self,
        conn: &mut PgConnection,
        transition: &Transition,
        changes: &mut Vec<Changed>,
    ) -> Result<(), IncidentsError> {
        let Some(outage) = transition.outage else { return Ok(()) };
        let Some((incident, cause)) = causes::find(conn, CauseSource::Monitor, outage.0).await? else { return Ok(()) };
        if cause.closed_at.is_some() {
            return Ok(());
        }
        causes::close(conn, CauseSource::Monitor, outage.0, transition.started_at).await?;
        self.cause_ended(conn, transition.owner.org(), incident, &cause.name).await?;
        changes.push(Changed::Incident(incident));
        Ok(())
    }

    /// Remembers what to announce once the transaction of somebody else is committed.
    pub(super) fn will_commit(&self, changes: Vec<Changed>) {
        let now = self.inner.clock.now();
        let mut waiting = self.inner.uncommitted.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        waiting.extend(changes.into_iter().map(|change| (now, change)));
    }
}

/// Whether people are told of an outage that begins.
fn opens(transition: &Transition) -> bool {
    transition.is == Status::Down && transition.told
}

/// Whether an outage is known to be over: a gap or a window only interrupts it, and so does a pause.
fn ends(transition: &Transition) -> bool {
    transition.is == Status::Up && transition.outage.is_some()
}

fn step(transition: &Transition) -> Step {
    Step {
        monitor: transition.monitor,
        was: transition.was,
        is: transition.is,
        degraded: transition.degraded,
        at: transition.started_at,
    }
}

fn cause(transition: &Transition) -> Option<Cause> {
    let outage = transition.outage?;
    Some(Cause {
        source: CauseSource::Monitor,
        reference: outage.0,
        subject: transition.monitor.0,
        name: transition.name.clone(),
        traits: Traits {
            parent: transition.parent,
            group: transition.group,
            host: transition.host.clone(),
            tags: transition.tags.clone(),
            error: transition.error.clone(),
            late: transition.late,
            ..Traits::default()
        },
        opened_at: transition.started_at,
        closed_at: None,
    })
}
