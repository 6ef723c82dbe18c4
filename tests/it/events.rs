//! Events between rooms, on a real PostgreSQL: none is skipped, none comes twice to a cursor, and those of one key are handled in order.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures::future::join_all;
use holdfast::{
    events::{
        Config, Cursor, Deps, Event, EventType, Events, Metrics, Occurred, Reader, Subscriber, Subscription, publish,
        read_after,
    },
    jobs::{Job, JobError, Registry},
    platform::{clock::Clock, crypto, db::Tx, ids::OrgId},
};
use serde::{Deserialize, Serialize};
use sqlx::Executor as _;
use utoipa::ToSchema;

use crate::jobs::bench::{Bench, config};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
struct Happened {
    key: String,
    number: i64,
}

impl Event for Happened {
    const TOPIC: &'static str = "test.thing.happened";
    const ABOUT: &'static str = "A thing happened.";
    fn key(&self) -> String {
        self.key.clone()
    }
}

fn happened(key: &str, number: i64) -> Happened {
    Happened { key: key.into(), number }
}

async fn say(tx: &mut Tx, key: &str, number: i64) {
    publish(tx, &Clock::system(), None, &happened(key, number)).await.unwrap();
}

fn numbers(events: &[Occurred]) -> Vec<i64> {
    events.iter().map(|event| event.payload::<Happened>().unwrap().unwrap().number).collect()
}

/// What a reader at this cursor is given.
async fn read(bench: &Bench, cursor: &mut Cursor) -> Vec<i64> {
    let mut tx = bench.db.system().await.unwrap();
    let (events, after) = read_after(&mut tx, *cursor, 1000).await.unwrap();
    tx.commit().await.unwrap();
    *cursor = after;
    numbers(&events)
}

/// As [`read`], after a gap. Transactions of other databases of the same server, here those of other tests, keep a gap undecided while they
/// are open.
async fn read_when_decided(bench: &Bench, cursor: &mut Cursor) -> Vec<i64> {
    let began = Instant::now();
    loop {
        let found = read(bench, cursor).await;
        if !found.is_empty() {
            return found;
        }
        assert!(began.elapsed() < Duration::from_mins(2), "the gap is never decided");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn an_event_of_a_transaction_that_commits_late_is_not_skipped() {
    let bench = Bench::new().await;
    let mut cursor = Cursor::default();
    let mut late = bench.db.system().await.unwrap();
    say(&mut late, "a", 1).await;
    let mut early = bench.db.system().await.unwrap();
    say(&mut early, "b", 2).await;
    early.commit().await.unwrap();
    for _ in 0..3 {
        assert_eq!(read(&bench, &mut cursor).await, Vec::<i64>::new(), "the first is still open");
    }
    late.commit().await.unwrap();
    assert_eq!(read(&bench, &mut cursor).await, [1, 2]);
    assert_eq!(read(&bench, &mut cursor).await, Vec::<i64>::new());

    // One that ends without its event holds nobody up when it has ended, and not longer than that.
    let mut undone = bench.db.system().await.unwrap();
    say(&mut undone, "a", 3).await;
    let mut early = bench.db.system().await.unwrap();
    say(&mut early, "b", 4).await;
    early.commit().await.unwrap();
    assert_eq!(read(&bench, &mut cursor).await, Vec::<i64>::new());
    undone.rollback().await.unwrap();
    assert_eq!(read_when_decided(&bench, &mut cursor).await, [4]);

    // Others that write, and a backup's snapshot, hold nobody up.
    let mut busy = bench.db.system().await.unwrap();
    busy.execute("INSERT INTO job_queues (name) VALUES ('busy')").await.unwrap();
    let mut dump = bench.admin().await;
    dump.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM events").await.unwrap();
    let mut tx = bench.db.system().await.unwrap();
    say(&mut tx, "c", 5).await;
    tx.commit().await.unwrap();
    assert_eq!(read(&bench, &mut cursor).await, [5]);
    busy.rollback().await.unwrap();
    bench.end().await;
}

/// A gap that a cursor remembers from another server's numbers, as after a restore, must not hold it for ever.
#[tokio::test]
async fn a_gap_from_before_a_restore_does_not_hold_a_reader_for_ever() {
    let bench = Bench::new().await;
    let reader = Reader { name: "subscribers" };
    let mut undone = bench.db.system().await.unwrap();
    say(&mut undone, "a", 1).await;
    let mut tx = bench.db.system().await.unwrap();
    say(&mut tx, "b", 2).await;
    tx.commit().await.unwrap();
    undone.rollback().await.unwrap();
    bench
        .execute("INSERT INTO event_cursors (reader, ordinal, gap_xid, gap_upto) VALUES ('subscribers', 0, 4000000000000, 2)")
        .await;
    let (mut seen, began) = (Vec::new(), Instant::now());
    while seen.is_empty() && began.elapsed() < Duration::from_mins(2) {
        let mut tx = bench.db.system().await.unwrap();
        seen.extend(numbers(&reader.next(&mut tx, 10).await.unwrap()));
        tx.commit().await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(seen, [2]);
    bench.end().await;
}

/// Many publishers that take turns for a key, some of which give up, and a reader in between.
#[tokio::test(flavor = "multi_thread")]
async fn with_many_publishers_each_committed_event_comes_once_and_in_order_for_its_key() {
    let bench = Arc::new(Bench::new().await);
    let (left, kept) = (Arc::new(AtomicUsize::new(6)), Arc::new(Mutex::new(BTreeMap::<String, Vec<i64>>::new())));
    let publishers = (0..6).map(|publisher| {
        let (bench, left, kept) = (bench.clone(), left.clone(), kept.clone());
        async move {
            for _ in 0..40 {
                let mut tx = bench.db.system().await.unwrap();
                // It has its number before its turn: the order of numbers is not the order of events.
                tx.execute("SELECT pg_current_xact_id()").await.unwrap();
                let key = format!("k{}", crypto::random_below(3));
                let lock = format!("SELECT pg_advisory_xact_lock(hashtext('{key}'))");
                tx.execute(sqlx::AssertSqlSafe(lock)).await.unwrap();
                let number = i64::try_from(crypto::random_below(1 << 40)).unwrap();
                say(&mut tx, &key, number).await;
                tokio::time::sleep(Duration::from_millis(crypto::random_below(8) as u64)).await;
                if crypto::random_below(4) == 0 {
                    tx.rollback().await.unwrap();
                } else {
                    kept.lock().unwrap().entry(key).or_default().push(number);
                    tx.commit().await.unwrap();
                }
            }
            left.fetch_sub(1, Ordering::SeqCst);
            let _ = publisher;
        }
    });
    let reading = async {
        let (mut cursor, mut seen) = (Cursor::default(), BTreeMap::<String, Vec<i64>>::new());
        let mut quiet = 0;
        while quiet < 5 {
            let mut tx = bench.db.system().await.unwrap();
            let (events, after) = read_after(&mut tx, cursor, 7).await.unwrap();
            tx.commit().await.unwrap();
            cursor = after;
            for event in &events {
                seen.entry(event.key.clone()).or_default().extend(numbers(std::slice::from_ref(event)));
            }
            let all = left.load(Ordering::SeqCst) == 0 && cursor.gap.is_none();
            quiet = if events.is_empty() && all { quiet + 1 } else { 0 };
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        seen
    };
    let (_, seen) = tokio::join!(join_all(publishers), reading);
    let kept = kept.lock().unwrap().clone();
    assert!(kept.values().map(Vec::len).sum::<usize>() > 100, "{kept:?}");
    assert_eq!(seen, kept);
    Arc::into_inner(bench).unwrap().end().await;
}

/// A subscriber that notes what it is told.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
struct Listen(Occurred);

impl Job for Listen {
    const KIND: &'static str = "test.listen";
    const QUEUE: &'static str = "test";
    const MAX_ATTEMPTS: i32 = 3;
    const BACKOFF: Duration = Duration::from_millis(300);
}

impl From<Occurred> for Listen {
    fn from(event: Occurred) -> Self {
        Self(event)
    }
}

impl Subscriber for Listen {
    const TOPICS: &'static [&'static str] = &[Happened::TOPIC];
}

fn house(bench: &Bench) -> Events {
    Events::new(Deps {
        config: Config::default(),
        db: bench.db.clone(),
        clock: bench.clock.clone(),
        metrics: Metrics::register(&mut prometheus_client::registry::Registry::default()),
        types: vec![EventType::of::<Happened>()],
        subscriptions: vec![Subscription::of::<Listen>()],
    })
}

#[tokio::test]
async fn subscribers_are_told_in_order_for_each_key_and_a_failure_is_not_overtaken() {
    let bench = Bench::new().await;
    let events = house(&bench);
    let (told, mut registry) = (Arc::new(Mutex::new(Vec::new())), Registry::default());
    let (noted, failed) = (told.clone(), Arc::new(AtomicUsize::new(0)));
    registry.register::<Listen, _, _>(move |_, job: Listen| {
        let event: Happened = job.0.payload().unwrap().unwrap();
        // The first of key `a` fails twice; its successors must wait, those of `b` need not. The one with 9 never works.
        let fails = event.number == 9 || (event == happened("a", 1) && failed.fetch_add(1, Ordering::SeqCst) < 2);
        if !fails {
            noted.lock().unwrap().push((event.key, event.number));
        }
        std::future::ready(if fails { Err(JobError::retry(anyhow::anyhow!("not yet"))) } else { Ok(()) })
    });
    let mut tx = bench.db.system().await.unwrap();
    for (key, number) in [("a", 1), ("a", 2), ("b", 1), ("a", 3), ("b", 2), ("c", 9), ("c", 10)] {
        say(&mut tx, key, number).await;
    }
    tx.commit().await.unwrap();
    assert_eq!(events.dispatch().await.unwrap(), 7);
    assert_eq!(events.dispatch().await.unwrap(), 0, "each event makes its jobs once");
    let worker = bench.worker(config(8), registry);
    bench.until("SELECT count(*) FROM job_history WHERE kind = 'test.listen'", 7).await;
    let of = |key: &str| {
        let told = told.lock().unwrap();
        told.iter().filter(|(found, _)| found == key).map(|(_, number)| *number).collect::<Vec<_>>()
    };
    assert_eq!((of("a"), of("b")), (vec![1, 2, 3], vec![1, 2]), "{told:?}");
    assert_eq!(of("c"), [10], "one that gave up is in the dead letters, and the next goes on");
    assert_eq!(bench.count("SELECT count(*) FROM job_dead_letters WHERE kind = 'test.listen'").await, 1);
    worker.stop().await;
    bench.end().await;
}

/// What waits behind an earlier job of its order is not due: no alert and no readiness takes it for work that nobody does.
#[tokio::test]
async fn jobs_that_wait_for_their_order_are_not_due() {
    let bench = Bench::new().await;
    let events = house(&bench);
    let mut tx = bench.db.system().await.unwrap();
    for number in 1..=3 {
        say(&mut tx, "a", number).await;
    }
    tx.commit().await.unwrap();
    events.dispatch().await.unwrap();
    assert_eq!(bench.count("SELECT count(*) FROM jobs WHERE ordinal IS NOT NULL").await, 3);
    bench.execute("INSERT INTO job_queues (name) VALUES ('test')").await;
    assert_eq!(bench.jobs(config(1)).unfinished().await.unwrap(), 1);
    bench.end().await;
}

#[tokio::test]
async fn an_organisation_writes_and_sees_its_own_events_only() {
    let bench = Bench::new().await;
    let orgs = [OrgId::generate(&bench.clock), OrgId::generate(&bench.clock)];
    for org in orgs {
        let mut tx = bench.db.tenant(org).await.unwrap();
        publish(&mut tx, &bench.clock, Some(org), &happened("a", 1)).await.unwrap();
        tx.commit().await.unwrap();
    }
    let mut tx = bench.db.tenant(orgs[0]).await.unwrap();
    let seen: i64 = sqlx::query_scalar("SELECT count(*) FROM events").fetch_one(&mut *tx).await.unwrap();
    assert_eq!(seen, 1);
    assert!(publish(&mut tx, &bench.clock, Some(orgs[1]), &happened("a", 2)).await.is_err());
    drop(tx);
    bench.end().await;
}
