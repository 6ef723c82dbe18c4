//! Cron: when a schedule fires next, and what happens to missed ticks.

use chrono::{DateTime, TimeDelta, Utc};

use super::JobsError;
use platform::text_enum;

/// A tick later than this was missed: no worker was running, as opposed to a busy one.
pub(super) const LATE: TimeDelta = TimeDelta::seconds(60);

text_enum! {
    /// What happens to ticks that passed while no worker ran.
    pub enum CatchUp {
        /// Missed ticks are dropped; the next one fires.
        Skip = "skip",
        /// One job replaces all missed ticks.
        One = "one",
    }
}

/// Names for common patterns, as in Vixie cron.
const NAMED: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// The five fields of `pattern`; `Err` says what is accepted. The library would also accept seconds and years, and
/// would read a pattern of six fields differently than its writer meant.
fn fields(pattern: &str) -> Result<&str, String> {
    let name = pattern.trim();
    if let Some((_, fields)) = NAMED.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
        return Ok(fields);
    }
    let count = pattern.split_whitespace().count();
    if count == 5 && !name.starts_with('@') {
        return Ok(pattern);
    }
    let begin = if name.starts_with('@') {
        format!("{name} is not understood")
    } else {
        format!("it has {count} field{}", if count == 1 { "" } else { "s" })
    };
    let names: Vec<&str> = NAMED.iter().map(|(name, _)| *name).collect();
    Err(format!(
        "{begin}; five fields are needed (minute hour day month weekday, such as \"0 */6 * * *\" for every six hours), or one of {}",
        names.join(", ")
    ))
}

/// `*/90` minutes would fire at minute 0 of every hour, not every 90 minutes. `*/60` does what it says.
fn check_steps(fields: &str) -> Result<(), String> {
    for (field, (most, name)) in
        fields.split_whitespace().zip([(60, "minute"), (24, "hour"), (31, "day"), (12, "month"), (7, "weekday")])
    {
        let steps = field.split(',').filter_map(|part| part.split_once('/')?.1.parse::<u32>().ok());
        if let Some(step) = steps.max().filter(|step| *step > most) {
            return Err(format!("the step {step} of its {name} is larger than the range, so it would have no effect"));
        }
    }
    Ok(())
}

/// A cron pattern in a time zone.
///
/// Where the clock jumps forward, a fixed time inside the gap fires at the gap's end; where it is turned back, a fixed
/// time fires once, at its first occurrence. Patterns with `*` or steps go by elapsed time (Vixie cron's rules).
#[derive(Clone, Debug)]
pub struct Cron {
    pattern: croner::Cron,
    text: String,
    zone: chrono_tz::Tz,
}

impl Cron {
    /// `pattern`: five fields (minute hour day month weekday) or one of the names in `NAMED`; `zone`: an IANA name.
    /// A pattern that can never fire, like the 31st of February, is an error.
    pub fn parse(pattern: &str, zone: &str) -> Result<Self, JobsError> {
        let wrong = |reason: String| JobsError::Schedule { name: format!("{pattern:?} in {zone:?}"), reason };
        let fields = fields(pattern).map_err(wrong)?;
        check_steps(fields).map_err(wrong)?;
        let cron = Self {
            pattern: fields.parse().map_err(|e: croner::errors::CronError| wrong(e.to_string()))?,
            text: pattern.to_owned(),
            zone: zone.parse().map_err(|e: chrono_tz::ParseError| wrong(e.to_string()))?,
        };
        // Every pattern of five fields repeats within the calendar's cycle of 28 years, whatever the starting point.
        match cron.next(DateTime::UNIX_EPOCH) {
            Ok(_) => Ok(cron),
            Err(_) => Err(wrong("it never fires; write \"off\" to disable the schedule".into())),
        }
    }

    /// Whether `name` is an IANA time zone.
    pub fn is_zone(name: &str) -> bool {
        name.parse::<chrono_tz::Tz>().is_ok()
    }

    /// Like `parse`, for a setting that may switch its schedule off: `None` for "off", "never" and an empty value.
    pub fn parse_or_off(pattern: &str, zone: &str) -> Result<Option<Self>, JobsError> {
        if matches!(pattern.trim().to_ascii_lowercase().as_str(), "" | "off" | "never") {
            return Ok(None);
        }
        Self::parse(pattern, zone).map(Some)
    }

    /// The first tick after `after`.
    pub fn next(&self, after: DateTime<Utc>) -> Result<DateTime<Utc>, JobsError> {
        self.pattern
            .find_next_occurrence(&after.with_timezone(&self.zone), false)
            .map(|tick| tick.with_timezone(&Utc))
            .map_err(|e| JobsError::Schedule { name: self.text.clone(), reason: e.to_string() })
    }

    /// The pattern as given.
    pub fn pattern(&self) -> &str {
        &self.text
    }

    /// IANA name of the time zone.
    pub fn zone(&self) -> &'static str {
        self.zone.name()
    }
}

/// Whether a tick seen at `now` still fires.
pub(super) fn fires(tick: DateTime<Utc>, now: DateTime<Utc>, catch_up: CatchUp) -> bool {
    catch_up == CatchUp::One || now - tick <= LATE
}

/// How many ticks from `tick` on were missed at `now`, i.e. are later than [`LATE`]. Stops counting at 10 000 (a week
/// of a schedule that fires each minute).
pub(super) fn missed(cron: &Cron, tick: DateTime<Utc>, now: DateTime<Utc>) -> Result<u64, JobsError> {
    let (mut tick, mut missed) = (tick, 0);
    while now - tick > LATE && missed < 10_000 {
        missed += 1;
        tick = cron.next(tick)?;
    }
    Ok(missed)
}
