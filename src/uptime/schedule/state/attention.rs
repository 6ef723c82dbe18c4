//! What needs attention beside the status: slow answers, certificates and domains that end soon, a status that changes all the time.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{Effect, Rules, State};
use crate::model::{Degraded, Observation};

/// Slow checks in a row before a monitor is degraded.
const SLOW_IN_ROW: u8 = 3;
/// Besides the monitor's own threshold: a week, and the end itself. Days.
const THRESHOLDS: [i16; 2] = [7, 0];
/// So many changes within this time are flapping, which ends after this time without one.
const FLAPS: usize = 6;
const FLAP_TIME: TimeDelta = TimeDelta::minutes(30);
/// Other certificates that are remembered of a monitor.
const OTHERS: usize = 3;
/// Changes that are remembered.
const REMEMBERED: usize = 16;

/// A certificate that was seen, or the end of a domain, and which thresholds of it were told: `uptime_state.certificate`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// SHA-256 in hex; of a domain, the time of its end.
    pub fingerprint: String,
    pub name: String,
    pub issuer: String,
    /// Days.
    pub told: Vec<i16>,
    /// Others that were seen before it, the last first: several servers behind one name may have one each.
    #[serde(default)]
    pub before: Vec<Told>,
}

/// What was told of another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    pub fingerprint: String,
    /// Days.
    pub told: Vec<i16>,
}

impl Seen {
    fn new(fingerprint: String, name: String, issuer: String) -> Self {
        Self { fingerprint, name, issuer, told: Vec::new(), before: Vec::new() }
    }

    /// Remembers what was told of this one, and of others before.
    fn after(mut self, last: Option<Self>) -> Self {
        let Some(last) = last else { return self };
        self.before = last.before;
        self.before.insert(0, Told { fingerprint: last.fingerprint, told: last.told });
        if let Some(place) = self.before.iter().position(|before| before.fingerprint == self.fingerprint) {
            self.told = self.before.remove(place).told;
        }
        self.before.truncate(OTHERS);
        self
    }
}

impl State {
    /// Takes over what an attempt says of certificates and domains, and tells each threshold once for each of them.
    pub(super) fn note_ends(
        &mut self,
        rules: &Rules,
        seen: &Observation,
        now: DateTime<Utc>,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(found) = &seen.certificate {
            let name = found.names.first().unwrap_or(&found.subject).clone();
            let next = Seen::new(found.fingerprint.clone(), name, found.issuer.clone());
            self.renew(next, self.certificate_ends_at != Some(found.ends_at), effects);
            self.certificate_ends_at = Some(found.ends_at);
            if rules.certificate_days > 0 {
                self.tell_end(Degraded::Certificate, found.ends_at, rules.certificate_days, now, effects);
            }
        }
        if let (Some(ends_at), Some(days)) = (seen.domain_ends_at, rules.domain_days) {
            let next = Seen::new(ends_at.to_rfc3339(), String::new(), String::new());
            self.renew(next, self.domain_ends_at != Some(ends_at), effects);
            self.domain_ends_at = Some(ends_at);
            self.tell_end(Degraded::Domain, ends_at, days, now, effects);
        }
    }

    fn renew(&mut self, next: Seen, is_changed: bool, effects: &mut Vec<Effect>) {
        let is_other = self.certificate.as_ref().is_none_or(|before| before.fingerprint != next.fingerprint);
        if is_other {
            self.certificate = Some(next.after(self.certificate.take()));
        }
        if is_other || is_changed {
            effects.push(Effect::Row);
        }
    }

    fn tell_end(
        &mut self,
        what: Degraded,
        ends_at: DateTime<Utc>,
        own: i16,
        now: DateTime<Utc>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(seen) = &mut self.certificate else { return };
        let left = ends_at - now;
        let all = THRESHOLDS.into_iter().filter(|days| *days < own).chain([own]);
        let passed: Vec<i16> = all.filter(|days| left <= TimeDelta::days(i64::from(*days))).collect();
        // Of several that are passed at once the nearest is told, and the others are done with it.
        if let Some(days) = passed.iter().min().copied().filter(|days| !seen.told.contains(days)) {
            effects.push(Effect::Ending { what, ends_at, days });
            effects.push(Effect::Row);
        }
        for days in passed {
            if !seen.told.contains(&days) {
                seen.told.push(days);
            }
        }
    }

    /// Why a monitor that is up needs attention.
    pub(super) fn judge_attention(
        &mut self,
        rules: &Rules,
        seen: &Observation,
        now: DateTime<Utc>,
    ) -> Option<Degraded> {
        let is_slow = rules.slow_ms.is_some_and(|slow| seen.total / 1000 > slow);
        self.slow_in_row = if is_slow { self.slow_in_row.saturating_add(1) } else { 0 };
        let ends_within = |ends_at: Option<DateTime<Utc>>, days: i16| {
            days > 0 && ends_at.is_some_and(|ends_at| ends_at - now <= TimeDelta::days(i64::from(days)))
        };
        let certificate = seen.certificate.as_ref().map(|found| found.ends_at);
        if seen.degraded.is_some() {
            seen.degraded
        } else if ends_within(certificate, rules.certificate_days) {
            Some(Degraded::Certificate)
        } else if ends_within(seen.domain_ends_at, rules.domain_days.unwrap_or(0)) {
            Some(Degraded::Domain)
        } else {
            (self.slow_in_row >= SLOW_IN_ROW).then_some(Degraded::Slow)
        }
    }

    /// It went down or came up.
    pub(super) fn flap(&mut self, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        if self.flaps.len() == REMEMBERED {
            self.flaps.pop_front();
        }
        self.flaps.push_back(now);
        let recent = self.flaps.iter().filter(|at| now - **at <= FLAP_TIME).count();
        if recent >= FLAPS && self.flapping_since.is_none() {
            self.flapping_since = Some(now);
            effects.push(Effect::Flapping(true));
        }
    }

    /// To be called from time to time: flapping ends when nothing has changed for a while.
    pub fn calm(&mut self, now: DateTime<Utc>) -> Vec<Effect> {
        let is_calm = self.flaps.back().is_none_or(|last| now - *last > FLAP_TIME);
        if self.flapping_since.is_some() && is_calm {
            self.flapping_since = None;
            self.flaps.clear();
            return vec![Effect::Flapping(false)];
        }
        Vec::new()
    }
}
