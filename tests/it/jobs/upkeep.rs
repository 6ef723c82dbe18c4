//! Schedules, retention, and the results of the checks.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use holdfast::{
    jobs::{CatchUp, Config, Cron, Enqueue, JobError, Jobs, Metrics, doctor},
    platform::{
        health::{CheckResult, Status},
        lifecycle::Lifecycle,
        telemetry::Telemetry,
    },
};

use sqlx::Connection as _;

use super::bench::{Bench, Seen, config, fine, probe, probes};
use crate::support::wait::until;

#[tokio::test]
async fn of_many_schedulers_one_enqueues_each_tick() {
    let bench = Bench::new().await;
    let seen = Seen::default();
    let mut registry = probes(&seen, fine());
    registry
        .schedule("test.tick", Cron::parse("0 0 1 1 *", "Europe/Berlin").unwrap(), CatchUp::Skip, &probe("tick"))
        .unwrap();
    let workers: Vec<_> = (0..4).map(|_| bench.worker(config(2), registry.clone())).collect();
    bench.until("SELECT count(*) FROM job_schedules WHERE name = 'test.tick' AND next_at > now()", 1).await;
    for fired in 1..=4 {
        bench.execute("UPDATE job_schedules SET next_at = now() WHERE name = 'test.tick'").await;
        bench.until("SELECT count(*) FROM job_schedules WHERE name = 'test.tick' AND next_at > now() AND last_at IS NOT NULL", 1).await;
        until("the tick does not run", async || seen.lock().unwrap().len() >= fired).await;
        // Long enough for a scheduler that looks each second to fire it again.
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert_eq!(seen.lock().unwrap().len(), fired);
    }
    // This schedule has been off for hours and does not catch up.
    bench.execute("UPDATE job_schedules SET next_at = now() - interval '3 hours' WHERE name = 'test.tick'").await;
    bench.until("SELECT count(*) FROM job_schedules WHERE name = 'test.tick' AND next_at > now()", 1).await;
    // Several polls long: enough for a job that was enqueued for a missed tick.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(seen.lock().unwrap().len(), 4);
    for worker in workers {
        worker.stop().await;
    }
    bench.end().await;
}

#[tokio::test]
async fn a_schedule_with_catch_up_makes_up_once() {
    let bench = Bench::new().await;
    let seen = Seen::default();
    let mut registry = probes(&seen, fine());
    // Once a year, so that no real tick falls into the test.
    registry.schedule("test.tick", Cron::parse("0 0 1 1 *", "UTC").unwrap(), CatchUp::One, &probe("tick")).unwrap();
    bench
        .execute(
            "INSERT INTO job_schedules (name, kind, cron, time_zone, catch_up, next_at) \
             VALUES ('test.tick', 'test.probe', '0 0 1 1 *', 'UTC', 'one', now() - interval '3 years')",
        )
        .await;
    let worker = bench.worker(config(2), registry);
    bench.until("SELECT count(*) FROM job_history WHERE kind = 'test.probe'", 1).await;
    // Long enough for a scheduler that looks each second to make up another.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(seen.lock().unwrap().len(), 1);
    worker.stop().await;
    bench.end().await;
}

#[tokio::test]
async fn a_schedule_that_a_clock_ahead_put_off_comes_back() {
    let bench = Bench::new().await;
    let mut registry = probes(&Seen::default(), fine());
    registry.schedule("test.tick", Cron::parse("0 0 1 1 *", "UTC").unwrap(), CatchUp::Skip, &probe("tick")).unwrap();
    bench
        .execute(
            "INSERT INTO job_schedules (name, kind, cron, time_zone, catch_up, next_at) \
             VALUES ('test.tick', 'test.probe', '0 0 1 1 *', 'UTC', 'skip', now() + interval '40 years')",
        )
        .await;
    let worker = bench.worker(config(2), registry);
    bench
        .until("SELECT count(*) FROM job_schedules WHERE name = 'test.tick' AND next_at < now() + interval '1 year'", 1)
        .await;
    assert_eq!(bench.count("SELECT count(*) FROM job_history WHERE kind = 'test.probe'").await, 0, "it did not fire");
    worker.stop().await;
    bench.end().await;
}

#[tokio::test]
async fn metrics_say_when_a_schedule_last_succeeded_what_it_missed_and_that_it_is_late() {
    let bench = Bench::new().await;
    let mut registry = probes(&Seen::default(), fine());
    // Once a month, so that no real tick falls into the test.
    registry.schedule("test.tick", Cron::parse("0 0 1 * *", "UTC").unwrap(), CatchUp::One, &probe("tick")).unwrap();
    bench
        .execute(
            "INSERT INTO job_schedules (name, kind, cron, time_zone, catch_up, next_at) \
             VALUES ('test.tick', 'test.probe', '0 0 1 * *', 'UTC', 'one', date_trunc('month', now()) - interval '1 year')",
        )
        .await;
    let telemetry = Telemetry::new();
    let jobs =
        Jobs::new(bench.db.clone(), bench.clock.clone(), config(2), telemetry.register("jobs", Metrics::register));
    let lifecycle = Lifecycle::new();
    jobs.start_worker(registry.clone(), &lifecycle).unwrap();
    jobs.start_figures(registry, &jobs.start_loops(&lifecycle)).unwrap();
    let sample = |name: &str| sample(&telemetry, &format!("holdfast_jobs_schedule_{name}{{schedule=\"test.tick\"}} "));
    assert!(sample("last_success_timestamp_seconds").is_nan(), "not known yet is not never");
    bench.until("SELECT count(*) FROM job_schedules WHERE last_success_at > now() - interval '1 minute'", 1).await;
    assert!(sample("missed_total") >= 11.0, "{}", sample("missed_total"));
    let waited = std::time::Instant::now();
    let succeeded = || Some(sample("last_success_timestamp_seconds")).filter(|at| *at > 1.7e9);
    while succeeded().is_none() {
        assert!(waited.elapsed() < Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(sample("overdue_seconds"), 0.0);
    // Its queue is paused: the tick makes a job that does not start.
    bench
        .execute(
            "UPDATE job_queues SET paused = true; UPDATE job_schedules SET next_at = now() WHERE name = 'test.tick'",
        )
        .await;
    bench.until("SELECT count(*) FROM jobs WHERE state = 'queued' AND kind = 'test.probe'", 1).await;
    bench.execute("UPDATE job_schedules SET last_at = now() - interval '10 minutes'").await;
    while sample("overdue_seconds") < 600.0 {
        assert!(waited.elapsed() < Duration::from_secs(60), "{}", sample("overdue_seconds"));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    lifecycle.drain(Duration::from_secs(20)).await;
    bench.end().await;
}

/// The value of the series whose line starts with `begin`.
fn sample(telemetry: &Telemetry, begin: &str) -> f64 {
    let text = telemetry.encode();
    text.lines().find_map(|line| line.strip_prefix(begin)).unwrap_or_else(|| panic!("no {begin}")).parse().unwrap()
}

/// The API process exports the queue's state after the last worker is gone.
#[tokio::test]
async fn a_process_without_a_worker_exports_the_queue_and_how_many_workers_live() {
    let bench = Bench::new().await;
    let registry = probes(&Seen::default(), fine());
    let telemetry = Telemetry::new();
    let api =
        Jobs::new(bench.db.clone(), bench.clock.clone(), config(2), telemetry.register("jobs", Metrics::register));
    let lifecycle = Lifecycle::new();
    api.start_figures(registry.clone(), &api.start_loops(&lifecycle)).unwrap();
    let sees = async |figure: &str, expected: f64| {
        let begin = format!("holdfast_jobs_{figure}{{queue=\"test\"}} ");
        let waited = std::time::Instant::now();
        while sample(&telemetry, &begin) != expected {
            let found = sample(&telemetry, &begin);
            assert!(waited.elapsed() < Duration::from_secs(45), "{figure} is {found}, not {expected}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    sees("workers", 0.0).await;
    let worker = bench.worker(config(2), registry.clone());
    sees("workers", 1.0).await;
    // A clean stop is visible at once, not only when the worker's row expires.
    worker.stop().await;
    assert_eq!(bench.count("SELECT count(*) FROM job_workers").await, 0);
    sees("workers", 0.0).await;
    // A killed one leaves its row behind.
    bench
        .execute(
            "INSERT INTO job_workers (id, queues, seen_at) VALUES (gen_random_uuid(), '{test}', now() - interval '31 seconds')",
        )
        .await;
    bench.probe("nobody takes it").await;
    bench.execute("UPDATE job_queues SET paused = true WHERE name = 'test'").await;
    sees("queued", 1.0).await;
    sees("paused", 1.0).await;
    sees("workers", 0.0).await;
    lifecycle.drain(Duration::from_secs(5)).await;
    bench.end().await;
}

#[tokio::test]
async fn a_schedule_that_no_code_has_is_removed_at_the_start() {
    let bench = Bench::new().await;
    bench
        .execute(
            "INSERT INTO job_schedules (name, kind, cron, time_zone, catch_up, next_at) VALUES \
               ('test.gone', 'test.gone', '0 3 * * *', 'UTC', 'one', now() - interval '2 days'), \
               ('test.newer', 'test.newer', '0 3 * * *', 'UTC', 'one', now() + interval '1 hour'), \
               ('test.tick', 'test.probe', '0 0 1 1 *', 'UTC', 'skip', now() - interval '2 days')",
        )
        .await;
    let mut registry = probes(&Seen::default(), fine());
    registry.schedule("test.tick", Cron::parse("0 0 1 1 *", "UTC").unwrap(), CatchUp::Skip, &probe("tick")).unwrap();
    let worker = bench.worker(config(2), registry);
    bench.until("SELECT count(*) FROM job_schedules WHERE name = 'test.gone'", 0).await;
    // Kept: what a newer version beside this one may have created, and what this version knows, however late.
    assert_eq!(bench.count("SELECT count(*) FROM job_schedules WHERE name IN ('test.newer', 'test.tick')").await, 2);
    worker.stop().await;
    bench.end().await;
}

/// Runs a check of the queue by name, for a build that runs probes.
fn checker(jobs: &Jobs) -> impl AsyncFn(&str) -> CheckResult + use<> {
    let (jobs, registry) = (jobs.clone(), probes(&Seen::default(), fine()));
    async move |name| doctor::checks(&jobs, &registry).into_iter().find(|c| c.name() == name).unwrap().run().await
}

/// A newer version beside this one, during a rolling upgrade or after a downgrade.
#[tokio::test]
async fn jobs_that_this_build_does_not_know_make_nobody_unready() {
    let bench = Bench::new().await;
    bench
        .execute(
            "INSERT INTO job_queues (name) VALUES ('test'), ('newer');
             INSERT INTO jobs (id, queue, kind, max_attempts, run_at, order_at) VALUES
               (gen_random_uuid(), 'test', 'test.newer', 5, now() - interval '1 hour', now() - interval '1 hour'),
               (gen_random_uuid(), 'newer', 'test.probe', 5, now() - interval '1 hour', now() - interval '1 hour')",
        )
        .await;
    let worker = bench.worker(Config { stalled_seconds: 2, ..config(4) }, probes(&Seen::default(), fine()));
    let run = checker(&worker.jobs);
    assert_eq!(run("jobs.progress").await.status, Status::Pass);
    let unknown = run("jobs.unknown_kinds").await;
    assert_eq!(unknown.status, Status::Warn);
    assert!(unknown.summary.contains("test.newer (1 due)"), "{}", unknown.summary);
    // The worker reads the queue metrics at its start; the job it cannot run has been due for longer than the limit.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(worker.jobs.progress().status, Status::Pass, "{}", worker.jobs.progress().summary);
    worker.stop().await;
    bench.end().await;
}

/// The opposite case: a due job that the worker can run and does not take makes it unready, with the reason.
#[tokio::test]
async fn due_jobs_that_are_known_and_not_taken_make_a_worker_unready() {
    let bench = Bench::new().await;
    bench.execute("INSERT INTO job_queues (name) VALUES ('test')").await;
    bench.probe("x").await;
    // Another session holds the queue's lock, so that no lease succeeds.
    let mut admin = bench.admin().await;
    let mut lock = admin.begin().await.unwrap();
    sqlx::query("SELECT FROM job_queues WHERE name = 'test' FOR UPDATE").execute(&mut *lock).await.unwrap();
    let worker = bench.worker(Config { stalled_seconds: 2, ..config(4) }, probes(&Seen::default(), fine()));
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while worker.jobs.progress().status != Status::Fail {
        assert!(tokio::time::Instant::now() < deadline, "{}", worker.jobs.progress().summary);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(worker.jobs.progress().summary.contains("takes none"), "{}", worker.jobs.progress().summary);
    lock.rollback().await.unwrap();
    bench.until("SELECT count(*) FROM job_history WHERE kind = 'test.probe'", 1).await;
    assert_eq!(worker.jobs.progress().status, Status::Pass);
    worker.stop().await;
    bench.end().await;
}

#[tokio::test]
async fn checks_tell_a_queue_without_workers_from_an_idle_one() {
    let bench = Bench::new().await;
    let jobs = bench.jobs(config(4));
    let run = checker(&jobs);
    assert_eq!(run("jobs.progress").await.status, Status::Pass);
    assert_eq!(jobs.progress().status, Status::Pass);
    bench.execute("INSERT INTO job_queues (name) VALUES ('test')").await;
    let old = Enqueue { run_at: Some(Utc::now() - TimeDelta::hours(1)), ..Enqueue::default() };
    bench.enqueue(None, &probe("x"), &old).await.unwrap();
    assert_eq!(run("jobs.progress").await.status, Status::Fail);
    bench.execute("UPDATE job_queues SET paused = true").await;
    assert_eq!(run("jobs.progress").await.status, Status::Warn);
    bench.execute("UPDATE job_queues SET paused = false").await;
    let worker = bench
        .worker(config(4), probes(&Seen::default(), |_, _| async { Err(JobError::permanent(anyhow::anyhow!("no"))) }));
    bench.until("SELECT count(*) FROM job_dead_letters", 1).await;
    assert_eq!(run("jobs.progress").await.status, Status::Pass);
    assert_eq!(run("jobs.dead_letters").await.status, Status::Warn);
    worker.stop().await;
    bench.end().await;
}

#[tokio::test]
async fn old_weeks_are_dropped_but_not_what_a_waiting_job_needs() {
    let bench = Bench::new().await;
    let seen = Seen::default();
    // Two old weeks of each kind, with a job of the second still waiting; the coming weeks are missing, as after a long
    // stop.
    bench
        .execute(
            "SET ROLE hftest_owner;
             DO $$ DECLARE p text; k text; w text; BEGIN
               FOR p, k IN VALUES ('job_payloads', 'created_at'), ('job_history', 'finished_at'), ('job_attempts', 'finished_at') LOOP
                 FOR w IN SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = p::regclass AND inhrelid::regclass::text !~ 'default' LOOP
                   EXECUTE format('DROP TABLE %I', w);
                 END LOOP;
                 EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (''2020-01-06 00:00Z'') TO (''2020-01-13 00:00Z'')', p || '_20200106', p);
                 EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (''2020-01-13 00:00Z'') TO (''2020-01-20 00:00Z'')', p || '_20200113', p);
               END LOOP;
             END $$",
        )
        .await;
    bench.probe("old").await;
    bench.execute("UPDATE jobs SET created_at = '2020-01-15'; UPDATE job_payloads SET created_at = '2020-01-15'").await;
    bench.probe("new").await;
    assert_eq!(bench.count("SELECT count(*) FROM job_payloads_default").await, 1);
    bench.execute("INSERT INTO job_queues (name, paused) VALUES ('test', true)").await;
    let worker = bench.worker(config(4), probes(&seen, fine()));
    bench.until("SELECT count(*) FROM pg_class WHERE relname ~ '^job_(payloads|history|attempts)_20200106$'", 0).await;
    bench.until("SELECT count(*) FROM pg_class WHERE relname ~ '^job_(payloads|history|attempts)_20200113$'", 1).await;
    assert_eq!(bench.count("SELECT count(*) FROM job_payloads_default").await, 0, "moved to its week");
    bench.execute("UPDATE job_queues SET paused = false").await;
    bench.until("SELECT count(*) FROM job_history WHERE kind = 'test.probe' AND state = 'succeeded'", 2).await;
    worker.stop().await;
    bench.end().await;
}
