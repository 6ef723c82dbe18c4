//! The state out of what is stored: after a start, and after another process has checked. Nothing is told again, because telling hangs on spans that
//! exist.

use chrono::{DateTime, Utc};

use super::{Cover, Outage, Rules, Seen, State, Suspect};
use crate::model::{Cause, Check, Degraded, MonitorId, Outcome, SpanId, Status, WindowId};

/// A row of `uptime_state`, with what its open span and its outage add.
#[derive(Clone, Debug)]
pub struct Stored {
    pub status: Status,
    pub since: DateTime<Utc>,
    /// Of the open span.
    pub cause: Cause,
    pub because_of: Option<uuid::Uuid>,
    pub outage: Option<StoredOutage>,
    pub degraded: Option<Degraded>,
    pub flapping_since: Option<DateTime<Utc>>,
    pub error: Option<String>,
    pub certificate: Option<Seen>,
    pub certificate_ends_at: Option<DateTime<Utc>>,
    pub domain_ends_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Copy, Debug)]
pub struct StoredOutage {
    pub id: SpanId,
    /// `None`: the span is past retention.
    pub started_at: Option<DateTime<Utc>>,
    pub told: bool,
}

impl State {
    /// `last`: the last checks, newest first, as many as `retries` and `successes` need.
    pub fn resume(rules: &Rules, stored: Stored, last: &[Check]) -> Self {
        let mut state = Self::new(stored.since);
        let newest = last.first().map(|check| check.outcome);
        (state.status, state.cause) = (stored.status, stored.cause);
        match stored.status {
            Status::Maintenance => {
                state.cover = Cover { window: stored.because_of.map(WindowId), ..Cover::default() };
                state.checked = match newest {
                    Some(Outcome::Down) => Status::Down,
                    Some(Outcome::Up | Outcome::Degraded) => Status::Up,
                    Some(Outcome::Unconfirmed) | None => Status::Unknown,
                };
            }
            Status::Paused => state.cover.is_paused = true,
            Status::Unknown if stored.cause == Cause::Removed => state.cover.is_removed = true,
            Status::Unknown => state.unknown_because = stored.cause,
            status => state.checked = status,
        }
        if stored.status == Status::Down && stored.cause == Cause::Parent {
            state.parent = stored.because_of.map(MonitorId);
        }
        let outage = |of: StoredOutage| {
            let started_at = of.started_at.unwrap_or(stored.since);
            Outage { id: of.id, started_at, told: of.told }
        };
        state.outage = stored.outage.map(outage);
        state.error = stored.error;
        (state.degraded, state.flapping_since) = (stored.degraded, stored.flapping_since);
        state.certificate = stored.certificate;
        (state.certificate_ends_at, state.domain_ends_at) = (stored.certificate_ends_at, stored.domain_ends_at);
        state.replay(rules, last);
        state
    }

    /// Attempts that had failed, or successes that were counted, when the last process ended.
    fn replay(&mut self, rules: &Rules, last: &[Check]) {
        let is_ok = |check: &&Check| matches!(check.outcome, Outcome::Up | Outcome::Degraded);
        self.last_ok_at = last.iter().find(is_ok).map(|check| check.at);
        // What is stored as final belongs to the status that is stored.
        let (since, is_down) = (self.since, self.checked == Status::Down);
        let last = last.iter().filter(move |check| check.at > since || !is_down);
        if is_down {
            let good: Vec<_> = last.take_while(is_ok).collect();
            let count = u16::try_from(good.len()).unwrap_or(u16::MAX);
            self.good = good.last().map(|first| (count.min(rules.successes.saturating_sub(1)), first.at));
            self.good = self.good.filter(|(count, _)| *count > 0);
            return;
        }
        let failed: Vec<_> = last.take_while(|check| check.outcome == Outcome::Unconfirmed).collect();
        if let (Some(newest), Some(first)) = (failed.first(), failed.last())
            && !newest.reason.is_some_and(crate::model::Reason::is_unable)
        {
            self.suspect = Some(Suspect {
                first_failed_at: first.at,
                // All retries but one at most: the next attempt decides.
                attempts: u16::try_from(failed.len()).unwrap_or(u16::MAX).min(rules.retries),
                error: newest.error.clone(),
            });
        }
    }
}
