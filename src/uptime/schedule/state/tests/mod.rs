//! What the state machine does, step by step.

use chrono::{DateTime, TimeDelta, Utc};

mod resume;

use super::*;
use crate::model::{Certificate, Failure, Phases, Reason, WindowId};

/// A monitor with its clock: each step is ten seconds.
struct Bench {
    state: State,
    rules: Rules,
    now: DateTime<Utc>,
    made: u128,
    parent: Option<Parent>,
}

fn start() -> DateTime<Utc> {
    "2026-11-30T12:00:00Z".parse().unwrap()
}

fn seen(at: DateTime<Utc>, reason: Option<Reason>) -> Observation {
    let failures = reason.map(|reason| Failure { reason, text: "it failed".into() }).into_iter().collect();
    Observation {
        at,
        failures,
        total: 1000,
        phases: Phases::default(),
        address: None,
        code: None,
        certificate: None,
        domain_ends_at: None,
        http: None,
        degraded: None,
        note: None,
    }
}

impl Bench {
    fn new(retries: u16, successes: u16) -> Self {
        let rules = Rules { retries, successes, slow_ms: Some(500), certificate_days: 21, domain_days: None };
        let mut bench = Self { state: State::new(start()), rules, now: start(), made: 0, parent: None };
        assert_eq!(bench.up(), ["unknown>up"]);
        bench
    }

    fn step(&mut self, observation: impl FnOnce(DateTime<Utc>) -> Observation) -> (Outcome, Vec<Effect>) {
        self.now += TimeDelta::seconds(10);
        let seen = observation(self.now);
        let mut ids = ids(&mut self.made);
        self.state.observe(&self.rules, &seen, self.now, self.parent.as_ref(), &mut ids)
    }

    fn up(&mut self) -> Vec<String> {
        told(&self.step(|at| seen(at, None)).1)
    }

    fn down(&mut self) -> Vec<String> {
        told(&self.step(|at| seen(at, Some(Reason::Status))).1)
    }

    fn cover(&mut self, cover: Cover) -> Vec<String> {
        self.now += TimeDelta::seconds(10);
        let mut ids = ids(&mut self.made);
        told(&self.state.set_cover(cover, self.now, &mut ids))
    }

    fn window(&mut self, is_open: bool) -> Vec<String> {
        let window = is_open.then(|| WindowId(uuid::Uuid::from_u128(77)));
        self.cover(Cover { window, ..Cover::default() })
    }
}

fn ids(made: &mut u128) -> impl FnMut() -> SpanId {
    move || {
        *made += 1;
        SpanId(uuid::Uuid::from_u128(*made))
    }
}

/// `was>is`, with `!` if people are told.
fn told(effects: &[Effect]) -> Vec<String> {
    let text = |effect: &Effect| match effect {
        Effect::Status(change) => {
            let mark = if change.told { "!" } else { "" };
            Some(format!("{}>{}{mark}", change.was.as_str(), change.is.as_str()))
        }
        _ => None,
    };
    effects.iter().filter_map(text).collect()
}

fn change(effects: &[Effect]) -> Change {
    let found = effects.iter().find_map(|effect| match effect {
        Effect::Status(change) => Some(change.clone()),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("no change in {effects:?}"))
}

#[test]
fn retries_and_successes_are_counted() {
    let mut bench = Bench::new(2, 2);
    let first = bench.now + TimeDelta::seconds(10);
    for _ in 0..2 {
        let (outcome, effects) = bench.step(|at| seen(at, Some(Reason::Status)));
        assert_eq!((outcome, told(&effects).len()), (Outcome::Unconfirmed, 0));
    }
    let (outcome, effects) = bench.step(|at| seen(at, Some(Reason::Status)));
    let down = change(&effects);
    assert_eq!((outcome, down.started_at, down.confirmed_at), (Outcome::Down, first, bench.now));
    assert!(down.told && down.outage.is_some_and(|outage| outage.id == down.span));
    assert_eq!(bench.down(), [""; 0], "it is down already");
    assert_eq!(bench.up(), [""; 0]);
    assert_eq!(bench.down(), [""; 0]);
    assert_eq!(bench.up(), [""; 0], "counted anew");
    let first = bench.now;
    let (_, effects) = bench.step(|at| seen(at, None));
    let up = change(&effects);
    assert_eq!((up.is, up.told, up.started_at), (Status::Up, true, first));
    assert_eq!(up.outage.map(|outage| outage.id), Some(down.span));
    assert_eq!(bench.state.outage, None);
}

#[test]
fn a_failure_that_is_not_confirmed_is_no_outage() {
    let mut bench = Bench::new(1, 1);
    assert_eq!((bench.down(), bench.up(), bench.down(), bench.up()), (vec![], vec![], vec![], vec![]));
    assert_eq!((bench.down(), bench.down()), (vec![], vec!["up>down!".to_owned()]));
}

#[test]
fn a_first_failure_is_said_once() {
    let mut bench = Bench::new(2, 1);
    let suspected = |effects: &[Effect]| effects.contains(&Effect::Suspected);
    assert!(suspected(&bench.step(|at| seen(at, Some(Reason::Status))).1));
    assert!(!suspected(&bench.step(|at| seen(at, Some(Reason::Status))).1));
}

#[test]
fn a_window_silences_and_nothing_is_told_twice_after_it() {
    let mut bench = Bench::new(0, 1);
    assert_eq!(bench.down(), ["up>down!"]);
    assert_eq!(bench.window(true), ["down>maintenance"]);
    assert_eq!(bench.down(), [""; 0]);
    let outage = bench.state.outage;
    assert_eq!(bench.window(false), ["maintenance>down"], "it was told before the window");
    assert_eq!(bench.state.outage, outage);
    assert_eq!(bench.up(), ["down>up!"]);
    // What begins in a window is told when that ends.
    assert_eq!(bench.window(true), ["up>maintenance"]);
    assert_eq!(bench.down(), [""; 0]);
    assert_eq!(bench.window(false), ["maintenance>down!"]);
    // What is over by then is told as over.
    assert_eq!(bench.window(true), ["down>maintenance"]);
    assert_eq!(bench.up(), [""; 0]);
    assert_eq!(bench.window(false), ["maintenance>up!"]);
    // And what began and ended in it is not told at all.
    assert_eq!(bench.window(true), ["up>maintenance"]);
    assert_eq!((bench.down(), bench.up()), (vec![], vec![]));
    assert_eq!(bench.window(false), ["maintenance>up"]);
}

#[test]
fn pause_and_resume() {
    let mut bench = Bench::new(0, 1);
    let paused = Cover { is_paused: true, ..Cover::default() };
    assert_eq!(bench.cover(paused), ["up>paused"]);
    assert_eq!(bench.cover(Cover::default()), ["paused>unknown"]);
    assert_eq!(bench.up(), ["unknown>up"]);
    assert_eq!(bench.down(), ["up>down!"]);
    assert_eq!(bench.cover(paused), ["down>paused"]);
    assert_eq!(bench.cover(Cover::default()), ["paused>unknown"]);
    assert_eq!(bench.down(), ["unknown>down"], "as before the pause");
    assert_eq!(bench.cover(paused), ["down>paused"]);
    assert_eq!(bench.cover(Cover::default()), ["paused>unknown"]);
    assert_eq!(bench.up(), ["unknown>up!"], "other than before the pause");
}

#[test]
fn a_gap_interrupts_an_outage_and_does_not_end_it() {
    let mut bench = Bench::new(1, 1);
    bench.down();
    assert_eq!(bench.down(), ["up>down!"]);
    let outage = bench.state.outage;
    bench.now += TimeDelta::hours(1);
    let (from, now) = (bench.now - TimeDelta::minutes(50), bench.now);
    let effects = bench.state.lose(from, now, Cause::ProberStopped, &mut ids(&mut bench.made));
    let gap = change(&effects);
    assert_eq!((gap.is, gap.cause, gap.started_at, gap.told), (Status::Unknown, Cause::ProberStopped, from, false));
    assert_eq!(bench.down(), [""; 0], "after a gap all retries are needed");
    assert_eq!(bench.down(), ["unknown>down"]);
    assert_eq!(bench.state.outage, outage);
}

#[test]
fn children_are_silent_while_the_parent_is_down_also_if_seen_first() {
    let id = MonitorId(uuid::Uuid::from_u128(9));
    let well = Parent {
        id,
        checked: Status::Up,
        is_suspect: false,
        last_ok_at: Some(start()),
        patience: TimeDelta::seconds(25),
    };
    let mut bench = Bench::new(0, 1);
    bench.parent = Some(well);
    let (outcome, effects) = bench.step(|at| seen(at, Some(Reason::ConnectTimeout)));
    let until = bench.now + TimeDelta::seconds(25);
    assert_eq!((outcome, effects), (Outcome::Down, vec![Effect::Suspected, Effect::Waits(until)]));
    let down = Parent { checked: Status::Down, ..well };
    let said = bench.state.judge_again(bench.now, Some(&down), &mut ids(&mut bench.made));
    let silent = change(&said);
    assert_eq!((silent.is, silent.cause, silent.told), (Status::Down, Cause::Parent, false));
    assert_eq!(silent.because_of, Some(id.0));
    bench.parent = Some(down);
    assert_eq!(bench.down(), [""; 0]);
    // The parent is well again and this one is not: one full judgement, then it is its own.
    bench.rules.retries = 1;
    bench.parent = Some(Parent { last_ok_at: Some(bench.now + TimeDelta::days(1)), ..well });
    assert_eq!(bench.down(), [""; 0]);
    let (_, effects) = bench.step(|at| seen(at, Some(Reason::Status)));
    let own = change(&effects);
    assert_eq!((own.was, own.is, own.cause, own.told), (Status::Down, Status::Down, Cause::Check, true));
    assert_ne!(own.outage.map(|outage| outage.id), silent.outage.map(|outage| outage.id));
    assert_eq!(bench.up(), ["down>up!"]);
}

#[test]
fn a_recovery_without_a_told_outage_is_not_told() {
    let mut bench = Bench::new(0, 1);
    bench.parent = Some(Parent {
        id: MonitorId(uuid::Uuid::from_u128(9)),
        checked: Status::Down,
        is_suspect: false,
        last_ok_at: None,
        patience: TimeDelta::seconds(1),
    });
    assert_eq!(bench.down(), ["up>down"]);
    assert_eq!(bench.up(), ["down>up"]);
}

#[test]
fn a_parent_is_not_waited_for_without_end() {
    let mut bench = Bench::new(0, 1);
    let parent = Parent {
        id: MonitorId(uuid::Uuid::from_u128(9)),
        checked: Status::Up,
        is_suspect: true,
        last_ok_at: Some(start()),
        patience: TimeDelta::seconds(5),
    };
    bench.parent = Some(parent);
    assert_eq!(bench.down(), [""; 0]);
    assert!(bench.state.is_waiting());
    bench.now += TimeDelta::seconds(5);
    let effects = bench.state.judge_again(bench.now, Some(&parent), &mut ids(&mut bench.made));
    assert_eq!(told(&effects), ["up>down!"]);
}

#[test]
fn what_cannot_be_checked_is_unknown_and_not_down() {
    let mut bench = Bench::new(0, 1);
    let (outcome, effects) = bench.step(|at| seen(at, Some(Reason::NotPermitted)));
    let change = change(&effects);
    assert_eq!((outcome, change.is, change.cause), (Outcome::Unconfirmed, Status::Unknown, Cause::Unable));
    assert_eq!(change.error.as_deref(), Some("it failed"));
    assert_eq!(bench.up(), ["unknown>up"]);
}

#[test]
fn slow_is_degraded_after_three_and_at_once_well_again() {
    let mut bench = Bench::new(0, 1);
    let slow = |at| Observation { total: 600_000, ..seen(at, None) };
    assert_eq!(bench.step(slow).0, Outcome::Up);
    assert_eq!(bench.step(slow).0, Outcome::Up);
    assert_eq!((bench.step(slow).0, bench.state.degraded), (Outcome::Degraded, Some(Degraded::Slow)));
    bench.up();
    assert_eq!((bench.state.degraded, bench.state.status), (None, Status::Up));
}

#[test]
fn each_threshold_of_a_certificate_is_told_once_for_each_certificate() {
    let mut bench = Bench::new(0, 1);
    let mut ending = |fingerprint: &str, days: i64| {
        let certificate = |now: DateTime<Utc>| Certificate {
            fingerprint: fingerprint.into(),
            subject: "CN=x".into(),
            issuer: "CN=y".into(),
            names: vec!["example.com".into()],
            starts_at: now,
            ends_at: now + TimeDelta::days(days),
            is_verified: true,
            tls: "1.3".into(),
            chain: Vec::new(),
        };
        let (_, effects) = bench.step(|at| Observation { certificate: Some(certificate(at)), ..seen(at, None) });
        let days = effects.iter().filter_map(|effect| match effect {
            Effect::Ending { days, .. } => Some(*days),
            _ => None,
        });
        days.collect::<Vec<_>>()
    };
    assert_eq!(ending("a", 60), [0_i16; 0]);
    assert_eq!(ending("a", 21), [21]);
    assert_eq!(ending("a", 20), [0_i16; 0]);
    assert_eq!(ending("a", 3), [7]);
    assert_eq!(ending("a", 2), [0_i16; 0]);
    assert_eq!(ending("a", 0), [0]);
    assert_eq!(ending("b", 5), [7], "of several thresholds only the nearest");
    assert_eq!(ending("b", 5), [0_i16; 0]);
    // Two servers behind one name, of which one is renewed already.
    for _ in 0..3 {
        assert_eq!(ending("c", 90), [0_i16; 0]);
        assert_eq!(ending("b", 5), [0_i16; 0], "it was told");
    }
    assert_eq!(bench.state.degraded, Some(Degraded::Certificate));
}

#[test]
fn what_a_part_that_is_well_says_of_itself_is_kept() {
    let mut bench = Bench::new(0, 1);
    let with = |note: &str| {
        let note = Some(note.to_owned());
        move |at| Observation { note, ..seen(at, None) }
    };
    assert_eq!(bench.step(with("proven on 2026-11-29")).1, [Effect::Row]);
    assert_eq!(bench.state.error.as_deref(), Some("proven on 2026-11-29"));
    assert!(bench.step(with("proven on 2026-11-29")).1.is_empty());
    bench.up();
    assert_eq!(bench.state.error, None);
}

#[test]
fn flapping_begins_after_six_changes_and_ends_in_quiet() {
    let mut bench = Bench::new(0, 1);
    let mut flapping = Vec::new();
    for _ in 0..3 {
        flapping.extend(bench.step(|at| seen(at, Some(Reason::Status))).1);
        flapping.extend(bench.step(|at| seen(at, None)).1);
    }
    assert_eq!(flapping.iter().filter(|effect| **effect == Effect::Flapping(true)).count(), 1);
    assert!(bench.state.calm(bench.now + TimeDelta::minutes(29)).is_empty());
    assert_eq!(bench.state.calm(bench.now + TimeDelta::minutes(31)), [Effect::Flapping(false)]);
}

#[test]
fn a_span_never_begins_before_the_one_before_it() {
    let mut bench = Bench::new(0, 1);
    bench.down();
    let since = bench.state.since;
    // The clock was turned back by an hour.
    bench.now -= TimeDelta::hours(1);
    let (_, effects) = bench.step(|at| seen(at, None));
    let up = change(&effects);
    assert_eq!(up.started_at, since + TimeDelta::microseconds(1));
    assert!(up.confirmed_at >= up.started_at);
}
