//! Times of a zone as instants, with the house's rules for changes of clocks: a time that is skipped is at the end of the gap, one that comes twice
//! is the first. Pure.

use chrono::{DateTime, MappedLocalTime, NaiveDateTime, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;

/// The longest gap that a zone has had is a day.
const LONGEST_GAP_MINUTES: i64 = 24 * 60 + 1;

/// The instant of a time of this zone.
pub fn instant(local: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    for minutes in 0..LONGEST_GAP_MINUTES {
        match zone.from_local_datetime(&(local + TimeDelta::minutes(minutes))) {
            MappedLocalTime::Single(at) => {
                return match minutes {
                    0 => at.with_timezone(&Utc),
                    // The first time that exists after the gap, to the minute.
                    _ => at.with_timezone(&Utc) - TimeDelta::seconds(i64::from(seconds_of(local))),
                };
            }
            MappedLocalTime::Ambiguous(first, _) => return first.with_timezone(&Utc),
            MappedLocalTime::None => {}
        }
    }
    local.and_utc()
}

fn seconds_of(local: NaiveDateTime) -> u32 {
    use chrono::Timelike as _;
    local.second()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instant_of(local: &str) -> String {
        instant(local.parse().unwrap(), chrono_tz::Europe::Berlin).to_rfc3339()
    }

    #[test]
    fn skipped_times_are_at_the_end_of_the_gap_and_doubled_ones_are_the_first() {
        assert_eq!(instant_of("2026-12-01T09:00:00"), "2026-12-01T08:00:00+00:00");
        assert_eq!(instant_of("2027-03-28T02:30:00"), "2027-03-28T01:00:00+00:00");
        assert_eq!(instant_of("2026-10-25T02:30:00"), "2026-10-25T00:30:00+00:00");
    }
}
