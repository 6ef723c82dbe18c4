//! Minutes of an hour, and hours of a day, as bytes. A monitor that is checked each minute needs about two bytes a minute and 50 an hour.

use super::{
    sketch::{self, BadSketch, Sketch},
    varint,
};

const VERSION: u8 = 1;
pub const MINUTES: usize = 60;
pub const HOURS: usize = 24;

/// Codes of a minute. From [`SINGLE`] on: one check, which succeeded, and the bucket of its duration.
const NOTHING: u64 = 0;
const SEVERAL: u64 = 1;
const FOLDED: u64 = 2;
const SINGLE: u64 = 3;

/// What is kept of a minute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Minute {
    #[default]
    Nothing,
    /// Buckets of durations of those that succeeded: the median and the slowest; `None`: none did.
    Checks { checks: u32, failed: u32, median: Option<u16>, slowest: Option<u16> },
    /// Single checks of it were never stored, because the database was away for longer than memory lasts: all that is known of them. A rollup keeps it.
    Folded {
        failed: u32,
        /// Those that succeeded.
        sketch: Sketch,
    },
}

impl Minute {
    pub fn of(checks: u32, failed: u32, sketch: &Sketch) -> Self {
        match checks {
            0 => Self::Nothing,
            _ => Self::Checks { checks, failed, median: sketch.bucket_of(0.5), slowest: sketch.bucket_of(1.0) },
        }
    }

    pub fn checks(&self) -> u32 {
        match self {
            Self::Nothing => 0,
            Self::Checks { checks, .. } => *checks,
            Self::Folded { failed, sketch } => failed.saturating_add(u32::try_from(sketch.count()).unwrap_or(u32::MAX)),
        }
    }

    pub fn failed(&self) -> u32 {
        match self {
            Self::Nothing => 0,
            Self::Checks { failed, .. } | Self::Folded { failed, .. } => *failed,
        }
    }

    /// Microseconds. Of several checks only the median is known.
    pub fn quantile(&self, q: f64) -> Option<i32> {
        match self {
            Self::Folded { sketch, .. } => sketch.quantile(q),
            Self::Checks { median, .. } if (q - 0.5).abs() < 1e-9 => median.map(sketch::value),
            Self::Checks { slowest, .. } if q >= 1.0 => slowest.map(sketch::value),
            Self::Checks { checks: 1, median, .. } => median.map(sketch::value),
            Self::Nothing | Self::Checks { .. } => None,
        }
    }
}

/// What is kept of an hour. Times of those that succeeded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hour {
    pub checks: u32,
    pub failed: u32,
    /// Sum, microseconds.
    pub total: u64,
    /// Microseconds.
    pub slowest: u32,
    pub sketch: Sketch,
}

impl Hour {
    /// A check that succeeded, microseconds.
    pub fn add(&mut self, us: i32) {
        let us = us.max(0);
        self.checks += 1;
        self.total += u64::from(us.unsigned_abs());
        self.slowest = self.slowest.max(us.unsigned_abs());
        self.sketch.add(us);
    }

    pub fn add_failed(&mut self) {
        self.checks += 1;
        self.failed += 1;
    }

    pub fn merge(&mut self, other: &Self) {
        self.checks = self.checks.saturating_add(other.checks);
        self.failed = self.failed.saturating_add(other.failed);
        self.total += other.total;
        self.slowest = self.slowest.max(other.slowest);
        self.sketch.merge(&other.sketch);
    }
}

/// What is after the last minute with something is left out.
pub fn write_minutes(minutes: &[Minute]) -> Vec<u8> {
    let used = minutes.iter().rposition(|minute| *minute != Minute::Nothing).map_or(0, |last| last + 1);
    let mut bytes = vec![VERSION];
    for minute in &minutes[..used] {
        let optional = |bucket: &Option<u16>| bucket.map_or(0, |bucket| u64::from(bucket) + 1);
        match minute {
            Minute::Nothing => varint::put(&mut bytes, NOTHING),
            Minute::Checks { checks: 1, failed: 0, median: Some(bucket), .. } => {
                varint::put(&mut bytes, SINGLE + u64::from(*bucket));
            }
            Minute::Checks { checks, failed, median, slowest } => {
                let numbers = [SEVERAL, u64::from(*checks), u64::from(*failed), optional(median), optional(slowest)];
                for number in numbers {
                    varint::put(&mut bytes, number);
                }
            }
            Minute::Folded { failed, sketch } => {
                varint::put(&mut bytes, FOLDED);
                varint::put(&mut bytes, u64::from(*failed));
                sketch.put(&mut bytes);
            }
        }
    }
    bytes
}

/// Always [`MINUTES`]. No bytes at all are an hour without a check.
pub fn read_minutes(bytes: &[u8]) -> Result<Vec<Minute>, BadSketch> {
    let mut minutes = Vec::with_capacity(MINUTES);
    if let Some((version, mut rest)) = bytes.split_first() {
        if *version != VERSION {
            return Err(BadSketch);
        }
        while !rest.is_empty() {
            minutes.push(minute(&mut rest).ok_or(BadSketch)?);
        }
    }
    if minutes.len() > MINUTES {
        return Err(BadSketch);
    }
    minutes.resize(MINUTES, Minute::Nothing);
    Ok(minutes)
}

fn minute(bytes: &mut &[u8]) -> Option<Minute> {
    let optional = |number: u64| match number.checked_sub(1) {
        None => Some(None),
        Some(bucket) => u16::try_from(bucket).ok().map(Some),
    };
    Some(match varint::take(bytes)? {
        NOTHING => Minute::Nothing,
        SEVERAL => Minute::Checks {
            checks: u32::try_from(varint::take(bytes)?).ok()?,
            failed: u32::try_from(varint::take(bytes)?).ok()?,
            median: optional(varint::take(bytes)?)?,
            slowest: optional(varint::take(bytes)?)?,
        },
        FOLDED => Minute::Folded { failed: u32::try_from(varint::take(bytes)?).ok()?, sketch: Sketch::take(bytes)? },
        single => {
            let bucket = Some(u16::try_from(single - SINGLE).ok()?);
            Minute::Checks { checks: 1, failed: 0, median: bucket, slowest: bucket }
        }
    })
}

/// `hours`: at most [`HOURS`].
pub fn write_hours(hours: &[Hour]) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    for hour in hours {
        varint::put(&mut bytes, u64::from(hour.checks));
        if hour.checks > 0 {
            varint::put(&mut bytes, u64::from(hour.failed));
            varint::put(&mut bytes, hour.total);
            varint::put(&mut bytes, u64::from(hour.slowest));
            hour.sketch.put(&mut bytes);
        }
    }
    bytes
}

/// Always [`HOURS`]. No bytes at all are a day without a check.
pub fn read_hours(bytes: &[u8]) -> Result<Vec<Hour>, BadSketch> {
    let mut hours = Vec::with_capacity(HOURS);
    if let Some((version, mut rest)) = bytes.split_first() {
        if *version != VERSION {
            return Err(BadSketch);
        }
        while !rest.is_empty() {
            hours.push(hour(&mut rest).ok_or(BadSketch)?);
        }
    }
    if hours.len() > HOURS {
        return Err(BadSketch);
    }
    hours.resize(HOURS, Hour::default());
    Ok(hours)
}

fn hour(bytes: &mut &[u8]) -> Option<Hour> {
    let checks = u32::try_from(varint::take(bytes)?).ok()?;
    if checks == 0 {
        return Some(Hour::default());
    }
    Some(Hour {
        checks,
        failed: u32::try_from(varint::take(bytes)?).ok()?,
        total: varint::take(bytes)?,
        slowest: u32::try_from(varint::take(bytes)?).ok()?,
        sketch: Sketch::take(bytes)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use platform::crypto::random_below;

    fn sketch(count: usize) -> Sketch {
        let mut sketch = Sketch::default();
        (0..count).for_each(|_| sketch.add(i32::try_from(40_000 + random_below(20_000)).unwrap()));
        sketch
    }

    #[test]
    fn minutes_come_back() {
        for _ in 0..50 {
            let minutes: Vec<Minute> = (0..MINUTES)
                .map(|_| match random_below(5) {
                    0 => Minute::Nothing,
                    1 => Minute::of(1, 0, &sketch(1)),
                    2 => Minute::of(1, 1, &Sketch::default()),
                    3 => Minute::of(6, 2, &sketch(4)),
                    _ => Minute::Folded { failed: 3, sketch: sketch(9) },
                })
                .collect();
            assert_eq!(read_minutes(&write_minutes(&minutes)), Ok(minutes));
        }
        let quiet = vec![Minute::of(1, 0, &sketch(1)); MINUTES];
        assert!(write_minutes(&quiet).len() <= 121, "two bytes a minute");
        assert_eq!(write_minutes(&vec![Minute::Nothing; MINUTES]), [VERSION]);
    }

    #[test]
    fn hours_come_back() {
        let mut hours = vec![Hour::default(); HOURS];
        for hour in hours.iter_mut().step_by(2) {
            (0..60).for_each(|_| hour.add(i32::try_from(40_000 + random_below(20_000)).unwrap()));
            hour.add_failed();
        }
        let bytes = write_hours(&hours);
        assert!(bytes.len() < 1300, "{}", bytes.len());
        assert_eq!(read_hours(&bytes), Ok(hours));
    }

    #[test]
    fn strange_bytes_are_refused() {
        assert_eq!(read_minutes(&[]).map(|minutes| minutes.len()), Ok(MINUTES));
        assert_eq!(read_hours(&[]).map(|hours| hours.len()), Ok(HOURS));
        for wrong in [&[9][..], &[VERSION, 1, 1], &[VERSION, 2, 1, 5], &[[VERSION].as_slice(), &[3; 61]].concat()] {
            assert_eq!(read_minutes(wrong), Err(BadSketch), "{wrong:?}");
        }
        for wrong in [&[9][..], &[VERSION, 1, 1], &[[VERSION].as_slice(), &[0; 25]].concat()] {
            assert_eq!(read_hours(wrong), Err(BadSketch), "{wrong:?}");
        }
    }

    #[test]
    fn a_minute_with_one_check_has_all_percentiles_and_one_with_more_its_median() {
        let one = Minute::of(1, 0, &sketch(1));
        assert!(one.quantile(0.5).is_some() && one.quantile(0.5) == one.quantile(0.99));
        let several = Minute::of(6, 1, &sketch(5));
        assert!(several.quantile(0.5).is_some() && several.quantile(1.0).is_some() && several.quantile(0.95).is_none());
        let folded = Minute::Folded { failed: 1, sketch: sketch(5) };
        assert!(folded.quantile(0.95).is_some());
        assert_eq!((folded.checks(), folded.failed()), (6, 1));
    }
}
