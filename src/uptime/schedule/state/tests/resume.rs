//! What is known after a restart.

use super::*;
use crate::model::Check;

fn check(seconds: i64, outcome: Outcome) -> Check {
    Check {
        at: start() + TimeDelta::seconds(seconds),
        outcome,
        reason: (outcome == Outcome::Unconfirmed).then_some(Reason::Status),
        attempt: 1,
        total: 1,
        phases: Phases::default(),
        code: None,
        lag: 0,
        maintenance: false,
        address: None,
        error: None,
    }
}

fn stored(status: Status) -> Stored {
    Stored {
        status,
        since: start(),
        cause: Cause::Check,
        because_of: None,
        outage: None,
        degraded: None,
        flapping_since: None,
        error: None,
        certificate: None,
        certificate_ends_at: None,
        domain_ends_at: None,
    }
}

#[test]
fn suspect_two_of_three_survives_a_restart() {
    let mut bench = Bench::new(2, 1);
    let last = [check(70, Outcome::Unconfirmed), check(60, Outcome::Unconfirmed), check(0, Outcome::Up)];
    bench.state = State::resume(&bench.rules, stored(Status::Up), &last);
    bench.now = start() + TimeDelta::seconds(70);
    let (_, effects) = bench.step(|at| seen(at, Some(Reason::Status)));
    let down = change(&effects);
    assert_eq!((down.told, down.started_at), (true, start() + TimeDelta::seconds(60)));
    // A failure that was followed by a success is none.
    let last = [check(70, Outcome::Up), check(60, Outcome::Unconfirmed)];
    let state = State::resume(&bench.rules, stored(Status::Up), &last);
    assert_eq!((state.suspect, state.last_ok_at), (None, Some(start() + TimeDelta::seconds(70))));
}

#[test]
fn a_told_outage_is_not_told_again_after_a_restart() {
    let mut bench = Bench::new(0, 2);
    let id = SpanId(uuid::Uuid::from_u128(5));
    let outage = Some(StoredOutage { id, started_at: Some(start()), told: true });
    let before = Stored { outage, ..stored(Status::Down) };
    let last = [check(60, Outcome::Up), check(0, Outcome::Down)];
    bench.state = State::resume(&bench.rules, before.clone(), &last);
    bench.now = start() + TimeDelta::seconds(60);
    assert_eq!(bench.up(), ["down>up!"], "one of two successes was before the restart");
    bench.state = State::resume(&bench.rules, before, &last[1..]);
    assert_eq!(bench.down(), [""; 0]);
}

#[test]
fn a_window_that_was_open_is_open_after_a_restart() {
    let mut bench = Bench::new(0, 1);
    let window = uuid::Uuid::from_u128(77);
    let before = Stored { cause: Cause::Window, because_of: Some(window), ..stored(Status::Maintenance) };
    bench.state = State::resume(&bench.rules, before, &[check(60, Outcome::Down)]);
    assert_eq!(bench.window(true), [""; 0]);
    assert_eq!(bench.window(false), ["maintenance>down!"]);
}
