//! What comes within a short time is one message, and what joins later is told only if it is much. Pure.

use chrono::{DateTime, TimeDelta, Utc};

/// An opening waits for further causes for so long at most; in a storm longer.
const WAITS_MOST: TimeDelta = TimeDelta::seconds(2);
const WAITS_IN_STORM: TimeDelta = TimeDelta::seconds(30);

/// What an opening waits for.
#[derive(Clone, Copy, Debug)]
pub struct Opening {
    /// When the incident was opened.
    pub opened_at: DateTime<Utc>,
    /// When the newest cause came.
    pub joined_at: DateTime<Utc>,
    /// What comes within this time is one message.
    pub group_wait: TimeDelta,
    pub is_storm: bool,
}

impl Opening {
    /// Until when it waits; `None`: it is told now.
    pub fn waits_until(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let wait = self.group_wait;
        let most = if self.is_storm { WAITS_IN_STORM.max(wait) } else { wait + WAITS_MOST };
        let until = self.joined_at + wait;
        (now < until && now - self.opened_at < most).then_some(until)
    }
}

/// Whether so many causes are told again after so many were: only if it grew by a fifth, as few more change nothing for whoever works on it.
pub fn has_grown(before: usize, now: usize) -> bool {
    now > before && now * 5 >= before * 6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opening_waits_for_what_follows_at_once() {
        let opened_at: DateTime<Utc> = "2026-12-01T12:00:00Z".parse().unwrap();
        let after = |ms: i64| opened_at + TimeDelta::milliseconds(ms);
        let group_wait = TimeDelta::milliseconds(2000);
        let one = Opening { opened_at, joined_at: opened_at, group_wait, is_storm: false };
        assert_eq!(one.waits_until(after(1000)), Some(after(2000)));
        assert_eq!(one.waits_until(after(2000)), None);
        let more = Opening { joined_at: after(1500), ..one };
        assert_eq!(more.waits_until(after(2000)), Some(after(3500)));
        let endless = Opening { joined_at: after(3900), ..one };
        assert_eq!(endless.waits_until(after(4000)), None, "not longer than two seconds more");
        assert_eq!(Opening { is_storm: true, ..endless }.waits_until(after(4000)), Some(after(5900)));
    }

    #[test]
    fn it_has_grown_by_a_fifth() {
        assert!(has_grown(1, 2) && has_grown(10, 12) && !has_grown(10, 11) && !has_grown(500, 500));
    }
}
