//! From single checks to minutes, hours and days. The same checks give the same bytes, so an hour may be rolled up as often as one likes.

use chrono::{DateTime, TimeDelta, Timelike as _, Utc};

use super::{
    Sketch,
    pack::{Hour, MINUTES, Minute},
};
use crate::{
    model::{Outcome, Point},
    store::rollups::Raw,
};

/// The minutes of an hour and the hour itself, out of its single checks and of what was folded before: `before` are the minutes that are stored.
pub fn hour_of(checks: &[Raw], before: &[Minute]) -> (Vec<Minute>, Hour) {
    let mut hour = Hour::default();
    let mut sketches = vec![(0_u32, 0_u32, Sketch::default()); MINUTES];
    for check in checks {
        let Some((count, failed, sketch)) = usize::try_from(check.at.minute()).ok().and_then(|at| sketches.get_mut(at))
        else {
            continue;
        };
        match Outcome::of_number(check.outcome) {
            Some(Outcome::Up | Outcome::Degraded) => {
                hour.add(check.total);
                sketch.add(check.total);
                *count += 1;
            }
            Some(Outcome::Down) => {
                hour.add_failed();
                *count += 1;
                *failed += 1;
            }
            // An attempt is no check: another followed.
            Some(Outcome::Unconfirmed) | None => {}
        }
    }
    let mut minutes: Vec<Minute> =
        sketches.iter().map(|(checks, failed, sketch)| Minute::of(*checks, *failed, sketch)).collect();
    for (minute, before) in minutes.iter_mut().zip(before) {
        if let Minute::Folded { failed, sketch } = before {
            hour.merge(&folded_hour(*failed, sketch));
            *minute = before.clone();
        }
    }
    (minutes, hour)
}

/// What folded checks add to an hour: their sum and the slowest are those of the buckets.
fn folded_hour(failed: u32, sketch: &Sketch) -> Hour {
    let values = |q| sketch.quantile(q).map_or(0, i32::unsigned_abs);
    let succeeded = sketch.count();
    Hour {
        checks: failed.saturating_add(u32::try_from(succeeded).unwrap_or(u32::MAX)),
        failed,
        total: u64::from(values(0.5)) * succeeded,
        slowest: values(1.0),
        sketch: sketch.clone(),
    }
}

/// For a chart; `None`: there was no check.
pub fn point_of_minute(hour: DateTime<Utc>, place: usize, minute: &Minute) -> Option<Point> {
    let at = hour + TimeDelta::minutes(i64::try_from(place).ok()?);
    (minute.checks() > 0).then(|| Point {
        at,
        checks: count(minute.checks()),
        failed: count(minute.failed()),
        p50: minute.quantile(0.5),
        p90: minute.quantile(0.9),
        p95: minute.quantile(0.95),
        p99: minute.quantile(0.99),
        slowest: minute.quantile(1.0),
    })
}

/// For a chart; `None`: there was no check.
pub fn point_of_hour(at: DateTime<Utc>, hour: &Hour) -> Option<Point> {
    let quantile = |q| hour.sketch.quantile(q);
    (hour.checks > 0).then(|| Point {
        at,
        checks: count(hour.checks),
        failed: count(hour.failed),
        p50: quantile(0.5),
        p90: quantile(0.9),
        p95: quantile(0.95),
        p99: quantile(0.99),
        slowest: (hour.checks > hour.failed).then(|| count(hour.slowest)),
    })
}

fn count(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
