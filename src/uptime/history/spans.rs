//! Availability out of spans: how long each status lasted between two times. Pure.

use chrono::{DateTime, Days, NaiveDate, TimeZone as _, Utc};
use chrono_tz::Tz;

use super::pack::Minute;
use crate::model::{Availability, DayTotal, MonitorId, Status};

/// A time during which the status did not change, as availability counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// `Maintenance`: what does not count. `Paused` is as unknown.
    pub status: Status,
    pub from: DateTime<Utc>,
    /// Not in it any more.
    pub until: DateTime<Utc>,
    /// An outage begins with it.
    pub begins_outage: bool,
}

/// How long each status lasted, microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    pub up: i64,
    pub down: i64,
    pub maintenance: i64,
    pub unknown: i64,
    pub outages: i32,
}

impl Sums {
    /// Between two times. `stretches`: by time. What none covers is unknown, and what two cover counts once, for the earlier one: so no share is above 1.
    pub fn between(stretches: &[Stretch], from: DateTime<Utc>, until: DateTime<Utc>) -> Self {
        let mut sums = Self::default();
        let mut covered = from;
        for stretch in stretches {
            if stretch.begins_outage && (from..until).contains(&stretch.from) {
                sums.outages += 1;
            }
            let (begin, end) = (stretch.from.max(covered), stretch.until.min(until));
            if begin < end {
                sums.unknown += micros(covered, begin);
                *sums.of(stretch.status) += micros(begin, end);
                covered = end;
            }
        }
        sums.unknown += micros(covered, until);
        sums
    }

    fn of(&mut self, status: Status) -> &mut i64 {
        match status {
            Status::Up => &mut self.up,
            Status::Down => &mut self.down,
            Status::Maintenance => &mut self.maintenance,
            Status::Paused | Status::Unknown => &mut self.unknown,
        }
    }

    /// Whole seconds that add up to the whole: what rounding leaves over goes to those that lose most by it.
    pub fn seconds(&self) -> [i64; 4] {
        const SECOND: i64 = 1_000_000;
        let all = [self.up, self.down, self.maintenance, self.unknown];
        let mut seconds = all.map(|micros| micros / SECOND);
        let mut left = all.iter().sum::<i64>() / SECOND - seconds.iter().sum::<i64>();
        let mut by_rest = [0, 1, 2, 3];
        by_rest.sort_by_key(|place: &usize| std::cmp::Reverse(all[*place] % SECOND));
        for place in by_rest {
            if left > 0 && all[place] % SECOND > 0 {
                seconds[place] += 1;
                left -= 1;
            }
        }
        seconds
    }

    /// `up / (up + down)`.
    pub fn share(&self) -> Option<f64> {
        let known = self.up + self.down;
        (known > 0).then(|| self.up as f64 / known as f64)
    }

    /// Seconds that may be down by the target, less those that were.
    #[expect(clippy::cast_possible_truncation, reason = "seconds of some years")]
    pub fn budget_left(&self, target: f64) -> i64 {
        let allowed = (1.0 - target) * (self.up + self.down) as f64;
        ((allowed - self.down as f64) / 1e6).floor() as i64
    }

    pub fn availability(&self, target: Option<f64>) -> Availability {
        let [up, down, maintenance, unknown] = self.seconds();
        Availability {
            up,
            down,
            maintenance,
            unknown,
            outages: self.outages,
            share: self.share(),
            budget_left: target.map(|target| self.budget_left(target)),
        }
    }
}

fn micros(from: DateTime<Utc>, until: DateTime<Utc>) -> i64 {
    (until - from).num_microseconds().unwrap_or(i64::MAX).max(0)
}

/// When a day begins in a zone. Where the clocks skip midnight, with the first moment after it.
pub fn begin_of(day: NaiveDate, zone: Tz) -> DateTime<Utc> {
    let midnight = day.and_time(chrono::NaiveTime::MIN);
    // No zone skips more than a day's quarters around midnight.
    let found = (0..96).find_map(|quarter| {
        zone.from_local_datetime(&(midnight + chrono::TimeDelta::minutes(15 * quarter))).earliest()
    });
    found.map_or_else(|| midnight.and_utc(), |begin| begin.with_timezone(&Utc))
}

/// Days from `first` to the day before `end`, as far as they have passed and the monitor existed.
pub fn days(
    monitor: MonitorId,
    stretches: &[Stretch],
    (first, end): (NaiveDate, NaiveDate),
    zone: Tz,
    (existed_from, now): (DateTime<Utc>, DateTime<Utc>),
) -> Vec<DayTotal> {
    let mut totals = Vec::new();
    let mut rest = stretches;
    for day in first.iter_days().take_while(|day| *day < end) {
        let Some(after) = day.checked_add_days(Days::new(1)) else { break };
        let (from, until) = (begin_of(day, zone).max(existed_from), begin_of(after, zone).min(now));
        if from >= until {
            continue;
        }
        // Those that ended before are of no day to come.
        rest = &rest[rest.partition_point(|stretch| stretch.until <= from)..];
        let of_day = &rest[..rest.partition_point(|stretch| stretch.from < until)];
        let sums = Sums::between(of_day, from, until);
        let [up, down, maintenance, unknown] = sums.seconds();
        totals.push(DayTotal { monitor, day, up, down, maintenance, unknown, outages: sums.outages });
    }
    totals
}

/// What a time in a window that counts was, by its minutes: down where a check failed, up where one succeeded, as before where there was none, and
/// unknown before the first. `minutes`: by time, those of the time at least.
pub fn by_minutes(minutes: &[(DateTime<Utc>, Minute)], from: DateTime<Utc>, until: DateTime<Utc>) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    let mut push = |status, from, until, begins_outage| {
        if from < until {
            stretches.push(Stretch { status, from, until, begins_outage });
        }
    };
    let (mut status, mut since, mut begins) = (Status::Unknown, from, false);
    for (at, minute) in minutes {
        let now = match (minute.checks(), minute.failed()) {
            (0, _) => continue,
            (_, 0) => Status::Up,
            _ => Status::Down,
        };
        let at = (*at).clamp(from, until);
        if now != status {
            push(status, since, at, begins);
            (status, since, begins) = (now, at, now == Status::Down);
        }
    }
    push(status, since, until, begins);
    stretches
}
