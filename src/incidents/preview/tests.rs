//! Rules against outages of the past.

use chrono::NaiveTime;

use super::*;
use crate::model::{CauseSource, Quiet, RuleId, Traits};

fn at(minute: i64) -> DateTime<Utc> {
    "2026-12-01T12:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minute)
}

fn rule() -> Rule {
    Rule::blank(RuleId(Uuid::nil()), false, "all", at(0))
}

/// Down from one minute to another, known at once.
fn outage(number: u128, host: &str, from: i64, until: Option<i64>) -> Past {
    let cause = Cause {
        source: CauseSource::Monitor,
        reference: Uuid::from_u128(number * 1000 + u128::try_from(from).unwrap()),
        subject: Uuid::from_u128(number),
        name: format!("Monitor {number}"),
        traits: Traits { host: Some(host.to_owned()), ..Traits::default() },
        opened_at: at(from),
        closed_at: until.map(at),
    };
    Past { cause, severity: Severity::Critical, known_at: at(from), components: Vec::new() }
}

fn told(rule: &Rule, all: &[Past]) -> Vec<(What, bool, usize)> {
    let (_, messages) = run(rule, all, TimeDelta::minutes(2), at(600));
    messages.iter().map(|message| (message.what, message.held.is_some(), message.incident)).collect()
}

#[test]
fn what_shares_a_host_is_one_incident_that_grows_and_ends() {
    let all = [outage(1, "a", 0, Some(20)), outage(2, "a", 1, Some(21)), outage(3, "b", 2, Some(4))];
    let expected = [
        (What::Opened, false, 0),
        (What::Opened, false, 1),
        // Five minutes after the opening.
        (What::Grown, false, 0),
        (What::Resolved, false, 1),
        (What::Resolved, false, 0),
    ];
    assert_eq!(told(&rule(), &all), expected);
    let (incidents, _) = run(&rule(), &all, TimeDelta::minutes(2), at(600));
    assert_eq!(incidents[1].name, "Monitor 3 is down");
}

#[test]
fn a_storm_is_told_once() {
    let all: Vec<Past> = (1..=30).map(|n| outage(n, &format!("host-{n}"), 0, Some(30))).collect();
    assert_eq!(told(&rule(), &all), [(What::Opened, false, 0), (What::Resolved, false, 0)]);
    let (incidents, _) = run(&rule(), &all, TimeDelta::minutes(2), at(600));
    assert_eq!(incidents[0].name, "30 monitors are down");
}

#[test]
fn quiet_hours_hold_and_short_outages_are_none() {
    let night = Quiet {
        days: Vec::new(),
        from: NaiveTime::from_hms_opt(11, 0, 0).unwrap(),
        until: NaiveTime::from_hms_opt(13, 0, 0).unwrap(),
        zone: "UTC".into(),
        least: None,
    };
    let quiet = Rule { quiet: vec![night], ..rule() };
    let all = [outage(1, "a", 0, Some(10)), outage(2, "b", 20, Some(90))];
    let expected =
        [(What::Opened, true, 0), (What::Opened, true, 1), (What::Opened, false, 1), (What::Resolved, false, 1)];
    assert_eq!(told(&quiet, &all), expected);
    let patient = Rule { after_seconds: 900, ..rule() };
    assert_eq!(told(&patient, &all), [(What::Opened, false, 1), (What::Resolved, false, 1)]);
}

#[test]
fn what_changes_all_the_time_flaps() {
    let all: Vec<Past> = (0..6).map(|n| outage(1, "a", n * 3, Some(n * 3 + 2))).collect();
    let kinds: Vec<What> = told(&rule(), &all).into_iter().map(|(what, ..)| what).collect();
    assert_eq!(kinds.iter().filter(|what| **what == What::Flapping).count(), 1, "{kinds:?}");
    assert_eq!(kinds.iter().filter(|what| **what == What::Opened).count(), 1, "{kinds:?}");
}

#[test]
fn what_comes_back_while_it_settles_is_the_same_incident() {
    // It was down for longer than others join, and shares nothing with anybody.
    let alone = |from, until| {
        let mut past = outage(1, "a", from, Some(until));
        past.cause.traits = Traits::default();
        past
    };
    let again = [alone(0, 8), alone(9, 12)];
    assert_eq!(told(&rule(), &again), [(What::Opened, false, 0), (What::Resolved, false, 0)]);
    let (incidents, _) = run(&rule(), &again, TimeDelta::minutes(2), at(600));
    assert_eq!(incidents.len(), 1, "{incidents:?}");
    let later = [alone(0, 8), alone(11, 12)];
    assert_eq!(run(&rule(), &later, TimeDelta::minutes(2), at(600)).0.len(), 2);
}

#[test]
fn what_shares_nothing_flaps_too() {
    let all: Vec<Past> = (0..7)
        .map(|n| {
            let mut past = outage(1, "a", n * 2, Some(n * 2 + 1));
            past.cause.traits = Traits::default();
            past
        })
        .collect();
    let kinds: Vec<What> = told(&rule(), &all).into_iter().map(|(what, ..)| what).collect();
    assert_eq!(kinds, [What::Opened, What::Flapping, What::Resolved]);
}
