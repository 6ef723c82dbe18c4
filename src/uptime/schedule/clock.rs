//! The time that is observed: the wall clock as it was, carried on by the monotonic clock. Schedules and durations use it, so that a jump of the wall
//! clock neither starts nor skips a check. Pure: both clocks are given.

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

/// A difference that the clock's discipline (NTP) explains.
const SMALL: TimeDelta = TimeDelta::seconds(5);
/// So much of it is taken over at each look.
const SLEW: TimeDelta = TimeDelta::milliseconds(1);
/// Looks at which the difference must be great before it is a jump: a process that was stopped between its two readings is no jump.
const LOOKS: u8 = 3;

/// Observed time.
#[derive(Clone, Copy, Debug)]
pub struct Observed {
    wall: DateTime<Utc>,
    mono: Instant,
    great: u8,
}

/// A jump of the wall clock. Observed time has followed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jump {
    /// What time it would have been without it.
    pub before: DateTime<Utc>,
    pub after: DateTime<Utc>,
}

impl Jump {
    pub fn is_forward(&self) -> bool {
        self.after > self.before
    }
}

impl Observed {
    pub fn new(wall: DateTime<Utc>, mono: Instant) -> Self {
        Self { wall, mono, great: 0 }
    }

    /// The time at this moment of the monotonic clock, in microseconds, as PostgreSQL keeps it.
    pub fn at(&self, mono: Instant) -> DateTime<Utc> {
        let passed = match mono.checked_duration_since(self.mono) {
            Some(since) => TimeDelta::from_std(since).unwrap_or(TimeDelta::MAX),
            None => -TimeDelta::from_std(self.mono - mono).unwrap_or(TimeDelta::MAX),
        };
        let time = self.wall.checked_add_signed(passed).unwrap_or(self.wall);
        DateTime::from_timestamp_micros(time.timestamp_micros()).unwrap_or(time)
    }

    /// The moment of the monotonic clock at which it will be `time`; now, if it is over.
    pub fn moment(&self, time: DateTime<Utc>, now: Instant) -> Instant {
        now + (time - self.at(now)).to_std().unwrap_or_default()
    }

    /// To be called each second: follows small differences slowly, and a great one when it has been there for three looks.
    pub fn look(&mut self, wall: DateTime<Utc>, mono: Instant) -> Option<Jump> {
        let observed = self.at(mono);
        let ahead = wall - observed;
        if ahead.abs() < SMALL {
            self.great = 0;
            self.wall += ahead.clamp(-SLEW, SLEW);
            return None;
        }
        self.great += 1;
        if self.great < LOOKS {
            return None;
        }
        *self = Self::new(wall, mono);
        Some(Jump { before: observed, after: wall })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn start() -> (Observed, DateTime<Utc>, Instant) {
        let (wall, mono) = ("2026-11-30T12:00:00Z".parse().unwrap(), Instant::now());
        (Observed::new(wall, mono), wall, mono)
    }

    #[tokio::test]
    async fn a_small_difference_is_followed_slowly() {
        let (mut observed, wall, mono) = start();
        for second in 1..=2000_u32 {
            let passed = Duration::from_secs(u64::from(second));
            let wall = wall + TimeDelta::seconds(i64::from(second)) + TimeDelta::milliseconds(1500);
            assert_eq!(observed.look(wall, mono + passed), None);
        }
        let ahead = observed.at(mono) - wall;
        assert_eq!(ahead, TimeDelta::milliseconds(1500));
    }

    #[tokio::test]
    async fn a_jump_is_believed_at_the_third_look() {
        for jump in [3600, -3600] {
            let (mut observed, wall, mono) = start();
            let at = |second: u64| mono + Duration::from_secs(second);
            let jumped = |second: i64| wall + TimeDelta::seconds(jump + second);
            assert_eq!(observed.look(jumped(1), at(1)), None);
            assert_eq!(observed.at(at(1)), wall + TimeDelta::seconds(1), "nothing has changed yet");
            assert_eq!(observed.look(jumped(2), at(2)), None);
            let found = observed.look(jumped(3), at(3)).unwrap();
            assert_eq!((found.before, found.after), (wall + TimeDelta::seconds(3), jumped(3)));
            assert_eq!(found.is_forward(), jump > 0);
            assert_eq!(observed.at(at(10)), jumped(10));
        }
        let (mut observed, wall, mono) = start();
        let far = wall + TimeDelta::seconds(3600);
        assert_eq!(observed.look(far, mono), None);
        assert_eq!(observed.look(wall, mono), None, "a single look may be wrong");
        assert_eq!((observed.look(far, mono), observed.look(far, mono)), (None, None));
    }

    #[tokio::test]
    async fn a_time_is_a_moment_of_the_monotonic_clock() {
        let (observed, wall, mono) = start();
        assert_eq!(observed.moment(wall + TimeDelta::seconds(9), mono), mono + Duration::from_secs(9));
        assert_eq!(observed.moment(wall - TimeDelta::seconds(9), mono), mono);
    }
}
