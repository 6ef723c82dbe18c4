//! The rules that need no database: cron in time zones, backoff, how an attempt's result is judged.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::{
    CatchUp, Config, Cron, JobState,
    model::Reason,
    schedule::{fires, missed},
    worker::delay,
};
use platform::config::ConfigErrors;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn ticks(pattern: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
    let cron = Cron::parse(pattern, zone).unwrap();
    let mut now = at(from);
    (0..count)
        .map(|_| {
            now = cron.next(now).unwrap();
            now.format("%m-%d %H:%M").to_string()
        })
        .collect()
}

#[test]
fn a_fixed_time_in_the_gap_of_spring_fires_once_at_its_end() {
    // Berlin, 29 March 2026: 02:00 CET becomes 03:00 CEST at 01:00 UTC.
    assert_eq!(
        ticks("30 2 * * *", "Europe/Berlin", "2026-03-27T12:00:00Z", 3),
        ["03-28 01:30", "03-29 01:00", "03-30 00:30"]
    );
}

#[test]
fn a_fixed_time_that_autumn_repeats_fires_once() {
    // Berlin, 25 October 2026: 03:00 CEST becomes 02:00 CET at 01:00 UTC; 02:30 is 00:30 and again 01:30 UTC.
    assert_eq!(ticks("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2), ["10-25 00:30", "10-26 01:30"]);
}

#[test]
fn patterns_with_steps_go_by_elapsed_time_through_both() {
    assert_eq!(
        ticks("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:15:00Z", 4),
        ["03-29 00:30", "03-29 01:00", "03-29 01:30", "03-29 02:00"]
    );
    assert_eq!(
        ticks("*/30 * * * *", "Europe/Berlin", "2026-10-25T00:15:00Z", 4),
        ["10-25 00:30", "10-25 01:00", "10-25 01:30", "10-25 02:00"]
    );
}

#[test]
fn leap_day_comes_every_four_years() {
    let cron = Cron::parse("0 0 29 2 *", "UTC").unwrap();
    assert_eq!(cron.next(at("2026-01-01T00:00:00Z")).unwrap(), at("2028-02-29T00:00:00Z"));
}

#[test]
fn a_wrong_pattern_or_zone_is_refused_by_name() {
    for (pattern, zone, expected) in [
        ("61 * * * *", "UTC", "61"),
        ("* * * * *", "Europe/Atlantis", "Atlantis"),
        ("nonsense", "UTC", "nonsense"),
        ("0 0 31 2 *", "UTC", "never fires"),
        ("0 0 2 * * *", "UTC", "it has 6 fields"),
        ("daily", "UTC", "it has 1 field;"),
        ("@every 6h", "UTC", "@every 6h is not understood; five fields are needed"),
        ("@reboot", "UTC", "or one of @hourly, @daily, @midnight, @weekly"),
        ("@daily 5 * * *", "UTC", "is not understood"),
        ("*/90 * * * *", "UTC", "the step 90 of its minute is larger"),
        ("0 1-5,*/36 * * *", "UTC", "the step 36 of its hour is larger"),
    ] {
        let error = Cron::parse(pattern, zone).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn the_names_of_vixie_cron_are_understood() {
    assert_eq!(ticks(" @Midnight ", "Europe/Berlin", "2026-06-01T12:00:00Z", 2), ["06-01 22:00", "06-02 22:00"]);
    assert_eq!(ticks("@weekly", "UTC", "2026-06-01T12:00:00Z", 2), ["06-07 00:00", "06-14 00:00"]);
    assert_eq!(ticks("@annually", "UTC", "2026-06-01T12:00:00Z", 1), ["01-01 00:00"]);
}

#[test]
fn a_missed_tick_fires_only_where_it_is_made_up_for() {
    let tick = at("2026-06-01T12:00:00Z");
    assert!(fires(tick, tick + TimeDelta::seconds(30), CatchUp::Skip), "late is not missed");
    assert!(!fires(tick, tick + TimeDelta::hours(3), CatchUp::Skip));
    assert!(fires(tick, tick + TimeDelta::hours(3), CatchUp::One));
}

#[test]
fn states_are_read_as_they_are_written() {
    for state in JobState::ALL {
        assert_eq!(state.as_str().parse::<JobState>().unwrap(), state);
        assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
    }
    assert!("failed".parse::<JobState>().is_err());
}

#[test]
fn the_default_configuration_is_valid_and_a_wrong_one_named() {
    let mut errors = ConfigErrors::default();
    Config::default().validate(&mut errors);
    assert!(errors.is_empty(), "{errors}");
    assert!(Config::default().slots() >= 4);
    errors.enter("jobs");
    Config { poll_interval_ms: 0, ..Config::default() }.validate(&mut errors);
    assert!(errors.to_string().contains("jobs.poll_interval_ms"), "{errors}");
}

#[test]
fn a_reason_says_nothing_of_an_errors_chain() {
    for reason in Reason::ALL {
        assert_eq!(Reason::of(reason.text()), reason);
        assert_eq!(Reason::of(&format!("{}: more than 5 s", reason.text())), reason);
    }
    for chain in ["", "cannot reach http://10.0.0.7:8000: connection refused", "reading it: it took too long"] {
        assert_eq!(Reason::of(chain), Reason::Internal);
    }
}

proptest! {
    #[test]
    fn backoff_doubles_up_to_an_hour_and_is_never_the_same_for_all(base_ms in 1u64..100_000, attempt in 1i32..100) {
        let full = Duration::from_millis(base_ms).saturating_mul(1u32 << (attempt - 1).min(20)).min(Duration::from_secs(3600));
        let waits: Vec<_> = (0..8).map(|_| delay(Duration::from_millis(base_ms), attempt)).collect();
        prop_assert!(waits.iter().all(|w| *w >= full.mul_f64(0.5) && *w <= full));
        prop_assert!(waits.iter().any(|w| *w != waits[0]));
    }

    #[test]
    fn the_next_tick_is_always_later(minute in 0u32..60, hour in 0u32..24, from in 0i64..4_000_000_000) {
        let now = DateTime::from_timestamp(from, 0).unwrap();
        for pattern in [format!("{minute} {hour} * * *"), format!("*/{} * * * *", minute + 1)] {
            for zone in ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"] {
                let next = Cron::parse(&pattern, zone).unwrap().next(now).unwrap();
                prop_assert!(next > now, "{} {}: {} after {}", pattern, zone, next, now);
                // A day of a fixed time is at most 25 hours long, and a clock change can move it by one more.
                prop_assert!(next - now <= TimeDelta::hours(26), "{} {}: {} after {}", pattern, zone, next, now);
            }
        }
    }
}

#[test]
fn ticks_that_nobody_was_there_for_are_counted() {
    let cron = Cron::parse("*/15 * * * *", "UTC").unwrap();
    let count = |tick, now| missed(&cron, at(tick), at(now)).unwrap();
    assert_eq!(count("2026-11-23T03:00:00Z", "2026-11-23T03:00:40Z"), 0, "busy, not away");
    assert_eq!(count("2026-11-23T03:00:00Z", "2026-11-23T03:01:30Z"), 1);
    assert_eq!(count("2026-11-23T03:00:00Z", "2026-11-23T04:00:30Z"), 4, "the fifth is on time");
    assert_eq!(count("2020-11-23T03:00:00Z", "2026-11-23T04:00:30Z"), 10_000);
}
