//! What is queued, and in which order and at what rate it runs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use chrono::{TimeDelta, Utc};
use holdfast::{
    jobs::{Enqueue, Job, Registry, enqueue},
    platform::ids::OrgId,
};

use serde::{Deserialize, Serialize};

use super::bench::{Bench, Gate, Hasty, Seen, config, fine, probe, probes};

#[tokio::test]
async fn a_job_exists_when_its_transaction_commits_and_runs_once() {
    let bench = Bench::new().await;
    let seen = Seen::default();
    let worker = bench.worker(config(4), probes(&seen, fine()));
    let org = OrgId::generate(&bench.clock);
    let mut tx = bench.db.tenant(org).await.unwrap();
    enqueue(&mut tx, &bench.clock, Some(org), &probe("rolled back"), &Enqueue::default()).await.unwrap();
    tx.rollback().await.unwrap();
    bench.enqueue(Some(org), &probe("committed"), &Enqueue::default()).await.unwrap();
    bench.until("SELECT count(*) FROM job_history WHERE state = 'succeeded' AND kind = 'test.probe'", 1).await;
    assert_eq!(*seen.lock().unwrap(), ["committed"]);
    assert_eq!(bench.count("SELECT count(*) FROM jobs").await, 0);
    assert_eq!(bench.count("SELECT count(*) FROM job_attempts WHERE outcome = 'succeeded' AND attempt = 1").await, 1);
    worker.stop().await;
    bench.end().await;
}

#[tokio::test]
async fn an_organisation_cannot_queue_for_another_or_for_the_system() {
    let bench = Bench::new().await;
    let (ours, theirs) = (OrgId::generate(&bench.clock), OrgId::generate(&bench.clock));
    for wrong in [Some(theirs), None] {
        let mut tx = bench.db.tenant(ours).await.unwrap();
        let error = enqueue(&mut tx, &bench.clock, wrong, &probe("x"), &Enqueue::default()).await.unwrap_err();
        assert!(format!("{:#}", anyhow::Error::new(error)).contains("row-level security"));
    }
    bench.end().await;
}

#[tokio::test]
async fn a_unique_key_gives_the_waiting_job_within_its_organisation() {
    let bench = Bench::new().await;
    let (ours, theirs) = (OrgId::generate(&bench.clock), OrgId::generate(&bench.clock));
    let key = Enqueue { unique_key: Some("document 1".into()), ..Enqueue::default() };
    let first = bench.enqueue(Some(ours), &probe("a"), &key).await.unwrap();
    assert_eq!(bench.enqueue(Some(ours), &probe("b"), &key).await.unwrap(), first);
    assert_ne!(bench.enqueue(Some(theirs), &probe("c"), &key).await.unwrap(), first);
    let system = bench.enqueue(None, &probe("d"), &key).await.unwrap();
    assert_eq!(bench.enqueue(None, &probe("e"), &key).await.unwrap(), system);
    // Racing for the same key: one job.
    let key = Enqueue { unique_key: Some("document 2".into()), ..Enqueue::default() };
    let racers = (0..16).map(|_| bench.enqueue(Some(ours), &Hasty {}, &key));
    let ids: std::collections::BTreeSet<_> =
        futures::future::join_all(racers).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(ids.len(), 1);
    // Once it is over, the key is free.
    let worker = bench.worker(config(4), probes(&Seen::default(), fine()));
    bench.until("SELECT count(*) FROM job_history WHERE kind = 'test.probe'", 3).await;
    let key = Enqueue { unique_key: Some("document 1".into()), ..Enqueue::default() };
    assert_ne!(bench.enqueue(Some(ours), &probe("f"), &key).await.unwrap(), first);
    worker.stop().await;
    bench.end().await;
}

/// A job whose key is free from its start on.
#[derive(Debug, Serialize, Deserialize)]
struct Sweep {}

impl Job for Sweep {
    const KIND: &'static str = "test.sweep";
    const QUEUE: &'static str = "test";
    const UNIQUE_UNTIL_START: bool = true;
}

#[tokio::test]
async fn work_that_arrives_while_a_job_runs_gets_a_job_of_its_own() {
    let bench = Bench::new().await;
    let key = Enqueue { unique_key: Some("k".into()), ..Enqueue::default() };
    let first = bench.enqueue(None, &Sweep {}, &key).await.unwrap();
    // Found while it waits, it waits until the work that found it is committed.
    let mut tx = bench.db.system().await.unwrap();
    assert_eq!(enqueue(&mut tx, &bench.clock, None, &Sweep {}, &key).await.unwrap(), first);
    let (gate, mut registry) = (Gate::default(), Registry::default());
    let at_gate = gate.clone();
    registry.register::<Sweep, _, _>(move |_, _| {
        let gate = at_gate.clone();
        async move {
            gate.begun.fetch_add(1, Ordering::SeqCst);
            gate.open.cancelled().await;
            Ok(())
        }
    });
    let worker = bench.worker(config(4), registry);
    // It holds up no other.
    let other = Enqueue { unique_key: Some("other".into()), ..Enqueue::default() };
    bench.enqueue(None, &Sweep {}, &other).await.unwrap();
    gate.begun(1).await;
    // Eight polls.
    for _ in 0..20 {
        assert_eq!(gate.begun.load(Ordering::SeqCst), 1, "it must not start yet");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tx.commit().await.unwrap();
    gate.begun(2).await;
    let second = bench.enqueue(None, &Sweep {}, &key).await.unwrap();
    assert_ne!(second, first, "the running one may have read its rows before");
    gate.begun(3).await;
    gate.open.cancel();
    bench.until("SELECT count(*) FROM job_history WHERE kind = 'test.sweep' AND state = 'succeeded'", 3).await;
    worker.stop().await;
    bench.end().await;
}

#[tokio::test]
async fn a_job_that_a_transaction_holds_takes_no_slot() {
    let bench = Bench::new().await;
    let key = |key: &str| Enqueue { unique_key: Some(key.into()), ..Enqueue::default() };
    let mut tx = bench.db.system().await.unwrap();
    // As many as the worker has slots, and older than what is free.
    for held in ["a", "b"] {
        let first = bench.enqueue(None, &Sweep {}, &key(held)).await.unwrap();
        assert_eq!(enqueue(&mut tx, &bench.clock, None, &Sweep {}, &key(held)).await.unwrap(), first);
    }
    bench.enqueue(None, &Sweep {}, &key("free")).await.unwrap();
    let mut registry = Registry::default();
    registry.register::<Sweep, _, _>(|_, _| async { Ok(()) });
    let worker = bench.worker(config(2), registry);
    let done = "SELECT count(*) FROM job_history WHERE kind = 'test.sweep' AND state = 'succeeded'";
    bench.until(done, 1).await;
    assert_eq!(bench.count("SELECT count(*) FROM jobs WHERE unique_key IN ('a', 'b') AND state = 'queued'").await, 2);
    tx.commit().await.unwrap();
    bench.until(done, 3).await;
    worker.stop().await;
    bench.end().await;
}

#[tokio::test]
async fn priority_goes_first_and_waiting_outweighs_it() {
    let bench = Bench::new().await;
    let ago = |minutes| Some(Utc::now() - TimeDelta::minutes(minutes));
    for (tag, minutes, priority) in
        [("normal", 0, 0), ("urgent", 0, 5), ("old and idle", 20, -9), ("old", 8, 0), ("idle", 0, -9), ("older", 9, 0)]
    {
        let options = Enqueue { run_at: ago(minutes), priority, ..Enqueue::default() };
        bench.enqueue(None, &probe(tag), &options).await.unwrap();
    }
    let later = Enqueue { run_at: Some(Utc::now() + TimeDelta::hours(1)), priority: 9, ..Enqueue::default() };
    bench.enqueue(None, &probe("not yet"), &later).await.unwrap();
    let seen = Seen::default();
    let worker = bench.worker(config(1), probes(&seen, fine()));
    bench.until("SELECT count(*) FROM job_history WHERE kind = 'test.probe'", 6).await;
    assert_eq!(*seen.lock().unwrap(), ["old and idle", "older", "old", "urgent", "normal", "idle"]);
    assert_eq!(bench.count("SELECT count(*) FROM jobs").await, 1);
    worker.stop().await;
    bench.end().await;
}

#[tokio::test]
async fn starvation_ends_after_as_many_minutes_as_there_are_steps_of_priority() {
    let bench = Bench::new().await;
    // A stream of urgent jobs, one each minute; the ordinary one was queued first and lets exactly nine of them pass.
    for minute in 0..30 {
        let options =
            Enqueue { run_at: Some(Utc::now() - TimeDelta::minutes(60 - minute)), priority: 4, ..Enqueue::default() };
        bench.enqueue(None, &probe("urgent"), &options).await.unwrap();
    }
    let options =
        Enqueue { run_at: Some(Utc::now() - TimeDelta::seconds(60 * 60 + 30)), priority: -5, ..Enqueue::default() };
    bench.enqueue(None, &probe("idle"), &options).await.unwrap();
    let seen = Seen::default();
    let worker = bench.worker(config(1), probes(&seen, fine()));
    bench.until("SELECT count(*) FROM job_history WHERE kind = 'test.probe'", 31).await;
    assert_eq!(seen.lock().unwrap().iter().position(|tag| tag == "idle"), Some(9));
    worker.stop().await;
    bench.end().await;
}

#[tokio::test]
async fn a_concurrency_key_runs_one_job_at_a_time_in_order_over_all_workers() {
    let bench = Bench::new().await;
    let (running, most, seen) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)), Seen::default());
    for n in 0..12 {
        let options = Enqueue { concurrency_key: Some("kb".into()), ..Enqueue::default() };
        bench.enqueue(None, &probe(&format!("k{n:02}")), &options).await.unwrap();
        bench.probe("free").await;
    }
    let registry = {
        let (running, most) = (running.clone(), most.clone());
        probes(&seen, move |_, tag: String| {
            let (running, most) = (running.clone(), most.clone());
            async move {
                if tag == "free" {
                    return Ok(());
                }
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(15)).await;
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            }
        })
    };
    let workers: Vec<_> = (0..3).map(|_| bench.worker(config(4), registry.clone())).collect();
    bench.until("SELECT count(*) FROM job_history WHERE kind = 'test.probe'", 24).await;
    assert_eq!(most.load(Ordering::SeqCst), 1);
    let seen = seen.lock().unwrap().clone();
    let keyed: Vec<_> = seen.iter().filter(|t| *t != "free").collect();
    assert!(keyed.is_sorted(), "{keyed:?}");
    assert!(
        seen.iter().rposition(|t| t == "free").unwrap() < seen.len() - 4,
        "free jobs waited behind the key: {seen:?}"
    );
    for worker in workers {
        worker.stop().await;
    }
    bench.end().await;
}

#[tokio::test]
async fn nobody_waits_for_all_of_anothers_large_upload() {
    let bench = Bench::new().await;
    let (large, small) = (OrgId::generate(&bench.clock), OrgId::generate(&bench.clock));
    for n in 0..60 {
        bench.enqueue(Some(large), &probe(&format!("large {n:02}")), &Enqueue::default()).await.unwrap();
    }
    for _ in 0..3 {
        bench.enqueue(Some(small), &probe("small"), &Enqueue::default()).await.unwrap();
    }
    bench.probe("system").await;
    let seen = Seen::default();
    let registry = probes(&seen, |_, _| async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        Ok(())
    });
    let worker = bench.worker(config(2), registry);
    bench.until("SELECT count(*) FROM job_history WHERE kind = 'test.probe'", 64).await;
    let seen = seen.lock().unwrap().clone();
    let others = seen.iter().rposition(|tag| tag == "small" || tag == "system").unwrap();
    assert!(others < 12, "the last of them was job {others}: {seen:?}");
    let large: Vec<_> = seen.iter().filter(|tag| tag.starts_with("large")).collect();
    // With two at a time, neighbours may be recorded in either order.
    assert!(large.windows(3).all(|three| three[0] < three[2]), "its own order holds: {large:?}");
    worker.stop().await;
    bench.end().await;
}

#[tokio::test]
async fn a_queue_does_not_wait_for_anothers_long_jobs() {
    let bench = Bench::new().await;
    let gate = Gate::default();
    let mut registry = gate.deaf();
    registry.register::<Hasty, _, _>(|_, _| async { Ok(()) });
    let worker = bench.worker(config(1), registry);
    bench.probe("long").await;
    bench.probe("next").await;
    gate.begun(1).await;
    for done in 1..=3 {
        bench.enqueue(None, &Hasty {}, &Enqueue::default()).await.unwrap();
        bench.until("SELECT count(*) FROM job_history WHERE kind = 'test.hasty'", done).await;
    }
    assert_eq!(gate.begun.load(Ordering::SeqCst), 1, "within a queue the limit of jobs at once holds");
    gate.open.cancel();
    bench.until("SELECT count(*) FROM job_history WHERE kind = 'test.probe'", 2).await;
    worker.stop().await;
    bench.end().await;
}

#[tokio::test]
async fn a_queue_keeps_to_its_limits() {
    let bench = Bench::new().await;
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let registry = {
        let (running, most) = (running.clone(), most.clone());
        probes(&Seen::default(), move |_, _| {
            let (running, most) = (running.clone(), most.clone());
            async move {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(20)).await;
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            }
        })
    };
    bench.execute("INSERT INTO job_queues (name, concurrency) VALUES ('test', 2)").await;
    for _ in 0..20 {
        bench.probe("x").await;
    }
    let workers: Vec<_> = (0..3).map(|_| bench.worker(config(8), registry.clone())).collect();
    bench.until("SELECT count(*) FROM job_history WHERE kind = 'test.probe'", 20).await;
    assert_eq!(most.load(Ordering::SeqCst), 2);
    // 600 a minute is ten a second with a burst of 60.
    workers[0].jobs.set_limits("test", None, Some(600)).await.unwrap();
    // Count from here: on a busy machine queueing takes as long as the limit's refill.
    let started = std::time::Instant::now();
    for _ in 0..80 {
        bench.probe("x").await;
    }
    bench.until("SELECT count(*) FROM job_history WHERE kind = 'test.probe'", 100).await;
    assert!(
        (1.5..20.0).contains(&started.elapsed().as_secs_f64()),
        "20 jobs beyond the burst at 10/s: {:?}",
        started.elapsed()
    );
    for worker in workers {
        worker.stop().await;
    }
    bench.end().await;
}
