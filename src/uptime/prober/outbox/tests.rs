//! What waits to be written, and what is left of it.

use super::*;
use crate::model::{Cause, Owner, SpanId};
use prometheus_client::registry::Registry;

fn start() -> DateTime<Utc> {
    "2026-11-30T12:00:00Z".parse().unwrap()
}

fn outbox(bytes: usize) -> Outbox {
    let metrics = ProberMetrics::register(&mut Registry::default());
    Outbox { most_bytes: bytes, ..Outbox::new(1, metrics) }
}

fn row(second: i64, error: Option<&str>) -> CheckRow {
    let check = Check {
        at: start() + TimeDelta::seconds(second),
        outcome: if error.is_some() { Outcome::Down } else { Outcome::Up },
        reason: error.map(|_| Reason::Status),
        attempt: 1,
        total: 1234,
        phases: Phases { connect: Some(7), ..Phases::default() },
        code: Some(200),
        lag: 3,
        maintenance: false,
        address: None,
        error: error.map(str::to_owned),
    };
    CheckRow { number: 1, org: None, check }
}

fn changed(monitor: u128, second: i64, is: Status) -> (Changed, StateWrite) {
    let (id, at) = (MonitorId(Uuid::from_u128(monitor)), start() + TimeDelta::seconds(second));
    let span = SpanRow {
        id: SpanId(Uuid::from_u128(u128::try_from(second).unwrap())),
        org: None,
        monitor: id.0,
        status: is.as_str(),
        starts_at: at,
        ends_at: None,
        confirmed_at: at,
        cause: Cause::Check.as_str(),
        because_of: None,
        outage: None,
        told: true,
        error: None,
    };
    let transition = Transition {
        span: span.id,
        monitor: id,
        owner: Owner::Installation,
        key: "shop".into(),
        name: "Shop".into(),
        group: None,
        parent: None,
        host: None,
        tags: Vec::new(),
        was: Status::Unknown,
        is,
        cause: Cause::Check,
        outage: Some(span.id),
        told: true,
        started_at: at,
        confirmed_at: at,
        degraded: None,
        error: None,
        late: false,
    };
    let state = StateWrite {
        monitor: id,
        status: is.as_str(),
        because_of: None,
        since: at,
        outage: None,
        outage_told: false,
        degraded: None,
        flapping_since: None,
        error: None,
        certificate: None,
        certificate_ends_at: None,
        domain_ends_at: None,
    };
    (Changed { span, transition, outage_started_at: None }, state)
}

#[test]
fn the_ring_overflows_and_says_so() {
    // Room for about two minutes of one check a second.
    let outbox = outbox(120 * size_of::<CheckRow>());
    for second in 0..600 {
        outbox.check(row(second, (second % 10 == 0).then_some("it failed")));
    }
    let mut all = Vec::new();
    loop {
        let batch = outbox.take();
        if batch.is_empty() {
            break;
        }
        all.extend(batch.checks);
    }
    let seconds: Vec<i64> = all.iter().map(|row| (row.check.at - start()).num_seconds()).collect();
    assert!(seconds.is_sorted() && seconds.last() == Some(&599), "{seconds:?}");
    let (thin, whole): (Vec<_>, Vec<_>) = all.iter().partition(|row| row.check.code.is_none());
    assert!(whole.len() >= 60 && thin.len() > whole.len(), "{} thin, {} whole", thin.len(), whole.len());
    // What is thin still says when, how long, how and why.
    let failed = thin.iter().find(|row| row.check.outcome == Outcome::Down).unwrap();
    assert_eq!((failed.check.reason, failed.check.total, &failed.check.error), (Some(Reason::Status), 1234, &None));
    let folded = outbox.metrics.folded_so_far();
    assert_eq!(folded, u64::try_from(thin.len()).unwrap() + (600 - u64::try_from(all.len()).unwrap()));
}

#[test]
fn a_change_goes_with_the_checks_of_its_time_and_its_state_with_the_last_change() {
    let outbox = outbox(usize::MAX);
    for second in 0..6000 {
        outbox.check(row(second, None));
    }
    for (second, is) in [(100, Status::Down), (5500, Status::Up)] {
        let (changed, state) = changed(1, second, is);
        outbox.change(changed, state);
    }
    let first = outbox.take();
    assert_eq!((first.checks.len(), first.changes.len(), first.states.len()), (5000, 1, 0));
    assert!(first.changes[0].down().is_some() && first.changes[0].up().is_none());
    let second = outbox.take();
    assert_eq!((second.checks.len(), second.changes.len(), second.states.len()), (1000, 1, 1));
    assert_eq!((second.states[0].status, second.changes[0].up().is_some()), ("up", true));
    assert!(outbox.take().is_empty());
}

#[test]
fn of_too_many_changes_the_first_and_the_last_of_each_monitor_stay() {
    let mut changes: VecDeque<Changed> = (0..10).map(|second| changed(1, second, Status::Down).0).collect();
    changes.push_back(changed(2, 20, Status::Down).0);
    assert_eq!(merge(&mut changes), 8);
    let left: Vec<i64> = changes.iter().map(|one| (one.transition.started_at - start()).num_seconds()).collect();
    assert_eq!(left, [0, 9, 20]);
}

#[test]
fn changes_of_a_lost_term_go_and_checks_stay() {
    let outbox = outbox(usize::MAX);
    outbox.check(row(0, None));
    let (changed, state) = changed(1, 1, Status::Down);
    outbox.change(changed, state);
    outbox.forget_changes();
    let batch = outbox.take();
    assert_eq!((batch.checks.len(), batch.changes.len(), batch.states.len()), (1, 0, 0));
}

#[test]
fn a_batch_keeps_the_term_for_which_it_was_found() {
    let outbox = outbox(usize::MAX);
    outbox.begin(1);
    let (old, state) = changed(1, 1, Status::Down);
    outbox.change(old, state);
    let batch = outbox.take();
    outbox.begin(2);
    let (new, state) = changed(1, 2, Status::Up);
    outbox.change(new, state);
    assert_eq!((batch.term, outbox.take().term), (Some(1), Some(2)));
    outbox.forget_changes();
    assert_eq!(outbox.take().term, None);
}
