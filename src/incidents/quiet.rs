//! Hours in which less urgent messages wait. Pure.

use chrono::{DateTime, Datelike as _, NaiveDate, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::{
    local,
    model::{Quiet, Severity, Weekday},
};

/// Until when a message of this severity waits; `None`: it is told now.
pub fn held_until(quiet: &[Quiet], severity: Severity, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let mut until = None;
    // Hours may follow each other: what is told when the first end is in the second.
    for _ in 0..=quiet.len() {
        let now = until.unwrap_or(at);
        let ends = quiet
            .iter()
            .filter(|hours| hours.least.is_none_or(|least| severity < least))
            .filter_map(|hours| ends_of(hours, now))
            .max();
        match ends {
            Some(ends) if ends > now => until = Some(ends),
            _ => break,
        }
    }
    until
}

/// When the hours end that `at` is in.
fn ends_of(hours: &Quiet, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let zone = hours.zone.parse::<Tz>().ok()?;
    let today = at.with_timezone(&zone).date_naive();
    [today.pred_opt(), Some(today)].into_iter().flatten().find_map(|day| {
        let (from, until) = on_day(&hours.days, hours.from, hours.until, day, zone)?;
        (from <= at && at < until).then_some(until)
    })
}

/// The hours that begin on this day.
pub fn on_day(
    days: &[Weekday],
    from: NaiveTime,
    until: NaiveTime,
    day: NaiveDate,
    zone: Tz,
) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    if !days.is_empty() && !days.contains(&weekday(day)) {
        return None;
    }
    let last = if until <= from { day + TimeDelta::days(1) } else { day };
    Some((local::instant(day.and_time(from), zone), local::instant(last.and_time(until), zone)))
}

pub fn weekday(day: NaiveDate) -> Weekday {
    match day.weekday() {
        chrono::Weekday::Mon => Weekday::Monday,
        chrono::Weekday::Tue => Weekday::Tuesday,
        chrono::Weekday::Wed => Weekday::Wednesday,
        chrono::Weekday::Thu => Weekday::Thursday,
        chrono::Weekday::Fri => Weekday::Friday,
        chrono::Weekday::Sat => Weekday::Saturday,
        chrono::Weekday::Sun => Weekday::Sunday,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn nights(days: &[Weekday], least: Option<Severity>) -> Quiet {
        Quiet {
            days: days.to_vec(),
            from: NaiveTime::from_hms_opt(22, 0, 0).unwrap(),
            until: NaiveTime::from_hms_opt(7, 0, 0).unwrap(),
            zone: "Europe/Berlin".into(),
            least,
        }
    }

    #[test]
    fn a_warning_waits_for_the_morning_and_a_critical_one_does_not() {
        let quiet = [nights(&[], Some(Severity::Critical))];
        let (night, morning) = (at("2026-12-02T02:00:00Z"), at("2026-12-02T06:00:00Z"));
        assert_eq!(held_until(&quiet, Severity::Warning, night), Some(morning));
        assert_eq!(held_until(&quiet, Severity::Critical, night), None);
        assert_eq!(held_until(&quiet, Severity::Warning, morning), None);
        assert_eq!(held_until(&quiet, Severity::Warning, at("2026-12-01T21:00:00Z")), Some(morning));
        assert_eq!(held_until(&[nights(&[], None)], Severity::Critical, night), Some(morning), "never means never");
    }

    #[test]
    fn days_are_those_on_which_they_begin() {
        let quiet = [nights(&[Weekday::Saturday], None)];
        // The night from Saturday, 5 December, to Sunday.
        assert!(held_until(&quiet, Severity::Info, at("2026-12-06T02:00:00Z")).is_some());
        assert!(held_until(&quiet, Severity::Info, at("2026-12-05T02:00:00Z")).is_none());
    }

    #[test]
    fn hours_that_follow_each_other_are_one_time() {
        let first = nights(&[], None);
        let second = Quiet { from: first.until, until: NaiveTime::from_hms_opt(8, 0, 0).unwrap(), ..first.clone() };
        let until = held_until(&[first, second], Severity::Info, at("2026-12-02T02:00:00Z"));
        assert_eq!(until, Some(at("2026-12-02T07:00:00Z")));
    }

    #[test]
    fn a_night_with_a_change_of_clocks_ends_at_its_hour() {
        let until = held_until(&[nights(&[], None)], Severity::Info, at("2027-03-27T23:00:00Z"));
        assert_eq!(until, Some(at("2027-03-28T05:00:00Z")));
    }
}
