//! Workers that die, pause or are told to stop, and a database that becomes unreachable.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI32, Ordering},
    },
    time::Duration,
};

use holdfast::{
    jobs::{Config, Enqueue, JobContext, JobError},
    platform::health::Status,
};

use super::bench::{Bench, Gate, Seen, config, fine, probe, probes};
use crate::support::cluster::terminate_sessions;

#[tokio::test]
async fn a_killed_workers_job_runs_again_on_another() {
    let bench = Bench::new().await;
    let gate = Gate::default();
    let killed = bench.worker(config(4), gate.deaf());
    let id = bench.probe("x").await;
    gate.begun(1).await;
    // Like kill -9: all tasks of the worker are gone, its leases remain.
    killed.lifecycle.hard().cancel();
    bench.execute("UPDATE jobs SET leased_until = now() - interval '1 second' WHERE state = 'running'").await;
    let seen = Seen::default();
    let started = std::time::Instant::now();
    let worker = bench.worker(config(4), probes(&seen, fine()));
    bench
        .until("SELECT count(*) FROM job_history WHERE kind = 'test.probe' AND state = 'succeeded' AND attempts = 2", 1)
        .await;
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "rescued within five seconds of the lease's end: {:?}",
        started.elapsed()
    );
    assert_eq!(bench.count("SELECT count(*) FROM job_attempts WHERE outcome = 'lost'").await, 1);
    assert_eq!((seen.lock().unwrap().len(), gate.ended.load(Ordering::SeqCst)), (1, 0), "job {id}");
    worker.stop().await;
    bench.end().await;
}

/// A job may be what kills its process: the next attempt has to know how many workers were lost.
#[tokio::test]
async fn an_attempt_knows_of_those_before_it_that_were_killed() {
    let bench = Bench::new().await;
    bench.probe("x").await;
    for _ in 0..2 {
        let gate = Gate::default();
        let worker = bench.worker(config(4), gate.deaf());
        gate.begun(1).await;
        worker.lifecycle.hard().cancel();
        bench.execute("UPDATE jobs SET leased_until = now() - interval '1 second' WHERE state = 'running'").await;
    }
    let lost = Arc::new(AtomicI32::new(-1));
    let seen = lost.clone();
    let body = move |context: JobContext, _| {
        seen.store(context.lost, Ordering::SeqCst);
        std::future::ready(Ok(()))
    };
    let worker = bench.worker(config(4), probes(&Seen::default(), body));
    bench.until("SELECT count(*) FROM job_history WHERE kind = 'test.probe' AND state = 'succeeded'", 1).await;
    assert_eq!(lost.load(Ordering::SeqCst), 2);
    worker.stop().await;
    bench.end().await;
}

#[tokio::test]
async fn a_job_that_kills_its_workers_is_given_up() {
    let bench = Bench::new().await;
    bench.probe("x").await;
    for attempt in 1..=3 {
        let gate = Gate::default();
        let worker = bench.worker(config(4), gate.deaf());
        gate.begun(1).await;
        worker.lifecycle.hard().cancel();
        assert_eq!(bench.count("SELECT max(attempt)::bigint FROM jobs").await, attempt);
        bench.execute("UPDATE jobs SET leased_until = now() - interval '1 second' WHERE state = 'running'").await;
    }
    let worker = bench.worker(config(4), probes(&Seen::default(), fine()));
    bench
        .until("SELECT count(*) FROM job_dead_letters WHERE attempts = 3 AND error LIKE 'the worker stopped%'", 1)
        .await;
    worker.stop().await;
    bench.end().await;
}

#[tokio::test]
async fn a_paused_worker_that_comes_back_cannot_finish_a_job_that_another_has() {
    let bench = Bench::new().await;
    let (paused, second) = (Gate::default(), Gate::default());
    let first = bench.worker(config(1), paused.deaf());
    bench.probe("x").await;
    paused.begun(1).await;
    bench.execute("UPDATE jobs SET leased_until = now() - interval '1 second' WHERE state = 'running'").await;
    let other = bench.worker(config(1), second.deaf());
    second.begun(1).await;
    // The first attempt ends while the second runs: it must change nothing.
    paused.open.cancel();
    // Long enough for it to write its end.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(bench.count("SELECT count(*) FROM jobs WHERE state = 'running' AND lease_no = 2").await, 1);
    assert_eq!(bench.count("SELECT count(*) FROM job_history WHERE kind = 'test.probe'").await, 0);
    second.open.cancel();
    bench
        .until("SELECT count(*) FROM job_history WHERE kind = 'test.probe' AND state = 'succeeded' AND attempts = 2", 1)
        .await;
    assert_eq!(bench.count("SELECT count(*) FROM job_attempts WHERE outcome = 'succeeded' AND lease_no = 2").await, 1);
    first.stop().await;
    other.stop().await;
    bench.end().await;
}

#[tokio::test]
async fn whatever_expires_and_whoever_dies_every_job_is_finished_exactly_once() {
    let bench = Bench::new().await;
    let ran: Arc<Mutex<BTreeMap<String, usize>>> = Arc::default();
    let registry = {
        let ran = ran.clone();
        probes(&Seen::default(), move |context, tag| {
            let ran = ran.clone();
            async move {
                tokio::time::sleep(Duration::from_millis(u64::from(context.job_id.0.as_bytes()[15]) / 4)).await;
                *ran.lock().unwrap().entry(tag).or_default() += 1;
                Ok(())
            }
        })
    };
    for n in 0..300 {
        bench.probe(&n.to_string()).await;
    }
    bench.execute("UPDATE jobs SET max_attempts = 100").await;
    let mut workers: Vec<_> = (0..3).map(|_| bench.worker(config(4), registry.clone())).collect();
    for round in 0..12 {
        tokio::time::sleep(Duration::from_millis(120)).await;
        // Leases expire under live and dead workers alike; sometimes a worker is killed and replaced.
        bench
            .execute(
                "UPDATE jobs SET leased_until = now() - interval '1 second' WHERE state = 'running' AND random() < 0.5",
            )
            .await;
        if round % 4 == 1 {
            workers.remove(0).lifecycle.hard().cancel();
            workers.push(bench.worker(config(4), registry.clone()));
        }
        if round % 4 == 3 {
            terminate_sessions(&bench.target).await;
        }
    }
    bench.execute("UPDATE jobs SET leased_until = now() - interval '1 second' WHERE state = 'running'").await;
    bench.until("SELECT count(*) FROM jobs WHERE kind = 'test.probe'", 0).await;
    assert_eq!(
        bench.count("SELECT count(*) FROM job_history WHERE state = 'succeeded' AND kind = 'test.probe'").await,
        300
    );
    assert_eq!(bench.count("SELECT count(DISTINCT id) FROM job_history WHERE kind = 'test.probe'").await, 300);
    let succeeded = "SELECT count(*) FROM job_attempts a JOIN job_history h ON h.id = a.job_id AND h.kind = 'test.probe' WHERE a.outcome = 'succeeded'";
    assert_eq!(bench.count(succeeded).await, 300);
    assert_eq!(ran.lock().unwrap().len(), 300, "every job ran");
    for worker in workers {
        worker.stop().await;
    }
    bench.end().await;
}

#[tokio::test]
async fn a_restarted_database_costs_the_worker_nothing() {
    let bench = Bench::new().await;
    let gate = Gate::default();
    let worker = bench.worker(config(4), gate.deaf());
    for _ in 0..3 {
        bench.probe("x").await;
    }
    gate.begun(3).await;
    terminate_sessions(&bench.target).await;
    gate.open.cancel();
    terminate_sessions(&bench.target).await;
    // Sessions end a moment after they are told to. Interrupted calls are repeated, and the key keeps it one job.
    let once = Enqueue { unique_key: Some("after".into()), ..Enqueue::default() };
    while bench.enqueue(None, &probe("after"), &once).await.is_err() {}
    bench
        .until("SELECT count(*) FROM job_history WHERE state = 'succeeded' AND attempts = 1 AND kind = 'test.probe'", 4)
        .await;
    assert_eq!(worker.jobs.progress().status, Status::Pass);
    worker.stop().await;
    bench.end().await;
}

#[tokio::test]
async fn a_shutdown_lets_jobs_finish_and_takes_no_new_ones() {
    let bench = Bench::new().await;
    let gate = Gate::default();
    let worker = bench.worker(config(1), gate.deaf());
    bench.probe("first").await;
    gate.begun(1).await;
    bench.probe("second").await;
    worker.lifecycle.shutdown();
    // Two polls long: enough to take the second job, which it must not.
    tokio::time::sleep(Duration::from_millis(100)).await;
    gate.open.cancel();
    worker.stop().await;
    assert_eq!(
        bench.count("SELECT count(*) FROM job_history WHERE state = 'succeeded' AND kind = 'test.probe'").await,
        1
    );
    assert_eq!(bench.count("SELECT count(*) FROM jobs WHERE state = 'queued' AND kind = 'test.probe'").await, 1);
    assert_eq!(gate.begun.load(Ordering::SeqCst), 1);
    bench.end().await;
}

#[tokio::test]
async fn what_a_shutdown_cuts_is_taken_at_once_by_another_worker() {
    let bench = Bench::new().await;
    let registry = probes(&Seen::default(), |context, _| async move {
        context.cancel.cancelled().await;
        Err(JobError::retry(anyhow::anyhow!("interrupted")))
    });
    let worker = bench.worker(Config { drain_seconds: 0, ..config(4) }, registry);
    bench.probe("x").await;
    bench.until("SELECT count(*) FROM jobs WHERE state = 'running'", 1).await;
    worker.stop().await;
    assert_eq!(
        bench.count("SELECT count(*) FROM jobs WHERE state = 'queued' AND attempt = 0 AND run_at <= now()").await,
        1
    );
    let next = bench.worker(config(4), probes(&Seen::default(), fine()));
    let started = std::time::Instant::now();
    bench
        .until("SELECT count(*) FROM job_history WHERE state = 'succeeded' AND attempts = 1 AND kind = 'test.probe'", 1)
        .await;
    assert!(started.elapsed() < Duration::from_secs(2));
    next.stop().await;
    bench.end().await;
}
