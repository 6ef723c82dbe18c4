//! A monitor while it is watched: its settings, its state, its turn.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

use super::{beats::BeatState, definition::Definition, metrics::Skipped, outbox::Changed};
use crate::{
    model::{Certificate, Check, Last, Live, MonitorId, Observation, Outcome, SpanId, Status, Transition},
    schedule::{
        heap::Grid,
        state::{Change, Parent, State},
    },
    store::{checks::CheckRow, spans::SpanRow, state::StateWrite},
};

/// A monitor in memory.
#[derive(Debug)]
pub struct Watched {
    pub definition: Arc<Definition>,
    pub state: State,
    pub grid: Grid,
    /// Entries of the heap with another one are void.
    pub generation: u32,
    /// Of the check that runs; results of another one are void.
    pub run: u32,
    pub is_in_flight: bool,
    /// It waits for a place, since its turn came.
    pub is_queued: bool,
    /// Why it had to wait.
    pub delayed: Option<Skipped>,
    /// The slot that comes, or whose check runs.
    pub slot: DateTime<Utc>,
    /// Number of the attempt that comes, 1 for the first.
    pub attempt: i16,
    pub last_started: Option<DateTime<Utc>>,
    /// When the check that runs was started.
    pub started: Option<Instant>,
    pub pulled_at: Option<Instant>,
    pub last: Option<Last>,
    pub beats: Option<BeatState>,
}

impl Watched {
    pub fn new(definition: Arc<Definition>, state: State, now: DateTime<Utc>) -> Self {
        let grid = definition.grid();
        Self {
            definition,
            state,
            grid,
            generation: 0,
            run: 0,
            is_in_flight: false,
            is_queued: false,
            delayed: None,
            slot: now,
            attempt: 1,
            last_started: None,
            started: None,
            pulled_at: None,
            last: None,
            beats: None,
        }
    }

    /// Whether it is checked at all.
    pub fn is_asked(&self) -> bool {
        !self.definition.is_paused && !self.definition.is_removed && self.beats.is_none()
    }

    /// What its children must know.
    pub fn as_parent(&self) -> Option<Parent> {
        let cover = self.state.cover();
        if cover.is_paused || cover.is_removed {
            return None;
        }
        let patience = TimeDelta::from_std(self.definition.timeout + Duration::from_secs(1)).unwrap_or(TimeDelta::MAX);
        Some(Parent {
            id: self.definition.id,
            checked: self.state.checked,
            is_suspect: self.state.suspect.is_some(),
            last_ok_at: self.state.last_ok_at,
            patience,
        })
    }

    /// After a failure that is not confirmed: how long after the start of the last attempt the next one comes.
    pub fn retries_after(&self) -> Option<Duration> {
        let suspect = self.state.suspect.as_ref()?;
        (suspect.attempts <= self.definition.rules.retries && !self.state.is_waiting()).then_some(self.definition.retry)
    }

    pub fn row(&self, seen: &Observation, outcome: Outcome, lag: Duration) -> CheckRow {
        let check = Check {
            at: seen.at,
            outcome,
            reason: seen.reason(),
            attempt: self.attempt,
            total: seen.total,
            phases: seen.phases,
            code: seen.code,
            lag: i32::try_from(lag.as_millis()).unwrap_or(i32::MAX),
            maintenance: self.state.cover().window.is_some(),
            address: seen.address,
            error: seen.error(),
        };
        CheckRow { number: self.definition.number, org: self.definition.org(), check }
    }

    pub fn state_row(&self) -> StateWrite {
        let state = &self.state;
        StateWrite {
            monitor: self.definition.id,
            status: state.status.as_str(),
            because_of: state.parent.filter(|_| state.status == Status::Down).map(|parent| parent.0),
            since: state.since,
            outage: state.outage.map(|outage| outage.id),
            outage_told: state.outage.is_some_and(|outage| outage.told),
            degraded: state.degraded.map(crate::model::Degraded::as_str),
            flapping_since: state.flapping_since,
            error: state.error.clone(),
            certificate: state.certificate.as_ref().and_then(|seen| serde_json::to_value(seen).ok()),
            certificate_ends_at: state.certificate_ends_at,
            domain_ends_at: state.domain_ends_at,
        }
    }

    pub fn changed(&self, change: Change) -> Changed {
        let definition = &self.definition;
        let outage = change.outage.map(|outage| outage.id);
        let span = SpanRow {
            id: change.span,
            org: definition.org(),
            monitor: definition.id.0,
            status: change.is.as_str(),
            starts_at: change.started_at,
            ends_at: None,
            confirmed_at: change.confirmed_at,
            cause: change.cause.as_str(),
            because_of: change.because_of,
            outage: outage.filter(|_| change.is == Status::Down),
            told: change.told,
            error: change.error.clone(),
        };
        let transition = Transition {
            span: change.span,
            monitor: definition.id,
            owner: definition.owner,
            key: definition.key.clone(),
            name: definition.name.clone(),
            group: definition.group,
            parent: definition.parent,
            host: definition.host.clone(),
            tags: definition.tags.clone(),
            was: change.was,
            is: change.is,
            cause: change.cause,
            outage,
            told: change.told,
            started_at: change.started_at,
            confirmed_at: change.confirmed_at,
            degraded: self.state.degraded,
            error: change.error,
            late: false,
        };
        Changed { span, transition, outage_started_at: change.outage.map(|outage| outage.started_at) }
    }

    pub fn live(&self) -> Live {
        let (definition, state) = (&self.definition, &self.state);
        Live {
            owner: definition.owner,
            key: definition.key.clone(),
            name: definition.name.clone(),
            kind: definition.kind,
            group: definition.group,
            interval_seconds: i32::try_from(definition.interval.num_seconds()).unwrap_or(i32::MAX),
            status: state.status,
            since: state.since,
            because_of: state.parent,
            degraded: state.degraded,
            flapping: state.flapping_since.is_some(),
            badge: definition.badge && !definition.is_removed,
            last: self.last.clone(),
        }
    }

    /// Keeps what was seen, for pages: the chain that was sent is only read where somebody asks for a check.
    pub fn keep(&mut self, seen: Observation, ended_at: DateTime<Utc>) {
        let certificate = seen.certificate.map(|certificate| Certificate { chain: Vec::new(), ..certificate });
        self.last = Some(Last { ended_at, observation: Observation { certificate, ..seen } });
    }
}

/// Makes ids of spans.
pub fn new_span(clock: &platform::clock::Clock) -> impl FnMut() -> SpanId + use<> {
    let clock = clock.clone();
    move || SpanId::generate(&clock)
}

/// A parent's children, by place.
pub type Children = std::collections::HashMap<MonitorId, Vec<u32>>;
