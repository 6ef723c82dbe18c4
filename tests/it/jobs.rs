//! The queue on a real PostgreSQL, with real workers: nothing is lost, nothing is finished twice, order and limits hold.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Method, Request, StatusCode},
};
use chrono::{TimeDelta, Utc};
use holdfast::{
    console::{Console, Overview, OverviewSource, Parts},
    jobs::{
        CatchUp, Config, Cron, Enqueue, Job, JobContext, JobError, JobId, Jobs, JobsError, Metrics, Registry, doctor,
        enqueue, pages, routes,
    },
    platform::{
        clock::Clock,
        db::{self, Db, Target},
        health::Status,
        http::{Actor, Principal, Role, SessionUser},
        ids::{OrgId, UserId},
        lifecycle::Lifecycle,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{Connection as _, PgConnection};
use tower::ServiceExt as _;

use crate::support::cluster::{cluster, terminate_sessions};

/// Work that does what the test says.
#[derive(Debug, Serialize, Deserialize)]
struct Probe {
    tag: String,
}

impl Job for Probe {
    const KIND: &'static str = "test.probe";
    const QUEUE: &'static str = "test";
    const MAX_ATTEMPTS: i32 = 3;
    const TIMEOUT: Duration = Duration::from_secs(30);
    const BACKOFF: Duration = Duration::from_millis(20);
}

/// Work that may take half a second, in a queue of its own.
#[derive(Debug, Serialize, Deserialize)]
struct Hasty {}

impl Job for Hasty {
    const KIND: &'static str = "test.hasty";
    const QUEUE: &'static str = "hasty";
    const MAX_ATTEMPTS: i32 = 2;
    const TIMEOUT: Duration = Duration::from_millis(500);
    const BACKOFF: Duration = Duration::from_millis(20);
}

/// A database with the queue's tables, and what a test does to it.
struct Bench {
    name: String,
    target: Target,
    db: Db,
    clock: Clock,
}

/// A worker with what has run on it.
struct Worker {
    jobs: Jobs,
    lifecycle: Lifecycle,
}

impl Bench {
    async fn new() -> Self {
        let name = cluster().await.database().await;
        let target = cluster().await.target(&name);
        let db = Db::new(&target, &db::Config::default());
        Self { name, target, db, clock: Clock::system() }
    }

    async fn end(self) {
        self.db.close().await;
        cluster().await.drop_database(&self.name).await;
    }

    async fn admin(&self) -> PgConnection {
        PgConnection::connect_with(&self.target.admin).await.unwrap()
    }

    async fn execute(&self, sql: &'static str) {
        sqlx::raw_sql(sql).execute(&mut self.admin().await).await.unwrap();
    }

    async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&mut self.admin().await).await.unwrap()
    }

    async fn until(&self, sql: &'static str, expected: i64) {
        let started = std::time::Instant::now();
        loop {
            let found = self.count(sql).await;
            if found == expected {
                return;
            }
            assert!(started.elapsed() < Duration::from_secs(30), "{sql}: {found}, expected {expected}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn enqueue<J: Job>(&self, org: Option<OrgId>, job: &J, options: &Enqueue) -> Result<JobId, JobsError> {
        let mut tx = match org {
            Some(org) => self.db.tenant(org).await?,
            None => self.db.system().await?,
        };
        let id = enqueue(&mut tx, &self.clock, org, job, options).await?;
        tx.commit().await?;
        Ok(id)
    }

    async fn probe(&self, tag: &str) -> JobId {
        self.enqueue(None, &probe(tag), &Enqueue::default()).await.unwrap()
    }

    fn jobs(&self, config: Config) -> Jobs {
        let metrics = Metrics::register(&mut prometheus_client::registry::Registry::default());
        Jobs::new(self.db.clone(), self.clock.clone(), config, metrics)
    }

    fn worker(&self, config: Config, registry: Registry) -> Worker {
        let (jobs, lifecycle) = (self.jobs(config), Lifecycle::new());
        jobs.start_worker(registry, &lifecycle).unwrap();
        Worker { jobs, lifecycle }
    }
}

impl Worker {
    async fn stop(self) {
        assert!(self.lifecycle.drain(Duration::from_secs(20)).await, "the worker did not end by itself");
    }
}

fn probe(tag: &str) -> Probe {
    Probe { tag: tag.into() }
}

fn config(concurrency: usize) -> Config {
    Config { concurrency, poll_interval_ms: 50, ..Config::default() }
}

type Seen = Arc<Mutex<Vec<String>>>;

/// Runs probes with `body` after writing down their tags.
fn probes<F, Fut>(seen: &Seen, body: F) -> Registry
where
    F: Fn(JobContext, String) -> Fut + Send + Sync + Clone + 'static,
    Fut: Future<Output = Result<(), JobError>> + Send + 'static,
{
    let (seen, mut registry) = (seen.clone(), Registry::default());
    registry.register::<Probe, _, _>(move |context, job: Probe| {
        seen.lock().unwrap().push(job.tag.clone());
        body(context, job.tag)
    });
    registry
}

fn fine() -> impl Fn(JobContext, String) -> std::future::Ready<Result<(), JobError>> + Send + Sync + Clone + 'static {
    |_, _| std::future::ready(Ok(()))
}

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
    // A stream of urgent jobs, one each minute; the idle one comes first and lets exactly nine of them pass.
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
    for _ in 0..80 {
        bench.probe("x").await;
    }
    let started = std::time::Instant::now();
    bench.until("SELECT count(*) FROM job_history WHERE kind = 'test.probe'", 100).await;
    assert!(
        (1.5..8.0).contains(&started.elapsed().as_secs_f64()),
        "20 jobs beyond the burst at 10/s: {:?}",
        started.elapsed()
    );
    for worker in workers {
        worker.stop().await;
    }
    bench.end().await;
}

#[tokio::test]
async fn failures_are_retried_then_given_up_and_run_again_on_request() {
    let bench = Bench::new().await;
    let org = OrgId::generate(&bench.clock);
    let healthy = Arc::new(AtomicBool::new(false));
    let registry = {
        let healthy = healthy.clone();
        probes(&Seen::default(), move |context, tag| {
            let healthy = healthy.load(Ordering::SeqCst);
            async move {
                assert!(tag != "panics" || context.attempt > 1, "out of order");
                match tag.as_str() {
                    _ if healthy => Ok(()),
                    "flaky" if context.attempt > 1 => Ok(()),
                    "panics" => Ok(()),
                    "hopeless" => Err(JobError::permanent(anyhow::anyhow!("bad\0 file").context("cannot extract"))),
                    "snoozes" => Err(JobError::snooze(Duration::from_hours(1))),
                    _ => Err(anyhow::anyhow!("connection refused").context("cannot reach the provider").into()),
                }
            }
        })
    };
    let worker = bench.worker(config(4), registry);
    let mut ids = BTreeMap::new();
    for tag in ["fails", "flaky", "panics", "hopeless", "snoozes"] {
        ids.insert(tag, bench.enqueue(Some(org), &probe(tag), &Enqueue::default()).await.unwrap());
    }
    bench.until("SELECT count(*) FROM job_dead_letters", 2).await;
    bench.until("SELECT count(*) FROM job_history WHERE state = 'succeeded' AND kind = 'test.probe'", 2).await;
    bench.until("SELECT count(*) FROM jobs WHERE state = 'queued' AND attempt = 0 AND run_at > now()", 1).await;
    let api = Api::new(&worker.jobs, &principal(org, Role::Admin, false));

    let failed = api.get(&format!("/api/v1/jobs/{}", ids["fails"])).await;
    assert_eq!(
        (&failed["state"], &failed["attempts"], &failed["replayable"]),
        (&"dead".into(), &3.into(), &true.into())
    );
    assert_eq!(failed["last_error"], "cannot reach the provider: connection refused");
    let outcomes: Vec<_> =
        failed["history"].as_array().unwrap().iter().map(|a| (a["number"].clone(), a["outcome"].clone())).collect();
    assert_eq!(outcomes, [(1.into(), "failed".into()), (2.into(), "failed".into()), (3.into(), "failed".into())]);
    assert_eq!(failed["payload"]["tag"], "fails");
    let hopeless = api.get(&format!("/api/v1/jobs/{}", ids["hopeless"])).await;
    assert_eq!((&hopeless["attempts"], &hopeless["last_error"]), (&1.into(), &"cannot extract: bad file".into()));
    let panicked = api.get(&format!("/api/v1/jobs/{}", ids["panics"])).await;
    assert!(panicked["history"][0]["error"].as_str().unwrap().contains("panicked: out of order"), "{panicked}");

    healthy.store(true, Ordering::SeqCst);
    let (status, again) = api.send(Method::POST, &format!("/api/v1/jobs/{}/retry", ids["fails"])).await;
    assert_eq!(status, StatusCode::OK);
    assert_ne!(again["id"], failed["id"]);
    bench.until("SELECT count(*) FROM job_history WHERE state = 'succeeded' AND kind = 'test.probe'", 3).await;
    assert_eq!(api.send(Method::POST, &format!("/api/v1/jobs/{}/retry", ids["fails"])).await.0, StatusCode::CONFLICT);
    assert_eq!(api.send(Method::DELETE, &format!("/api/v1/jobs/{}", ids["hopeless"])).await.0, StatusCode::NO_CONTENT);
    assert_eq!(bench.count("SELECT count(*) FROM job_dead_letters").await, 0);
    // A job that put itself off runs at once when asked to.
    assert_eq!(api.send(Method::POST, &format!("/api/v1/jobs/{}/retry", ids["snoozes"])).await.0, StatusCode::OK);
    bench.until("SELECT count(*) FROM jobs", 0).await;
    worker.stop().await;
    bench.end().await;
}

#[tokio::test]
async fn an_attempt_ends_with_its_time() {
    let bench = Bench::new().await;
    let mut registry = Registry::default();
    registry.register::<Hasty, _, _>(|_, _| async { std::future::pending().await });
    let worker = bench.worker(config(4), registry);
    bench.enqueue(None, &Hasty {}, &Enqueue::default()).await.unwrap();
    bench.until("SELECT count(*) FROM job_attempts WHERE error = 'timed out after 0.5 s'", 2).await;
    bench.until("SELECT count(*) FROM job_dead_letters", 1).await;
    worker.stop().await;
    bench.end().await;
}

/// A handler that a test holds back until it is released; counts begins and ends.
#[derive(Clone, Default)]
struct Gate {
    open: tokio_util::sync::CancellationToken,
    begun: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
}

impl Gate {
    /// Waits for the gate alone: a paused process does not hear its cancellation.
    fn deaf(&self) -> Registry {
        let gate = self.clone();
        probes(&Seen::default(), move |_, _| {
            let gate = gate.clone();
            async move {
                gate.begun.fetch_add(1, Ordering::SeqCst);
                gate.open.cancelled().await;
                gate.ended.fetch_add(1, Ordering::SeqCst);
                Ok(())
            }
        })
    }

    async fn begun(&self, n: usize) {
        let begun = async {
            while self.begun.load(Ordering::SeqCst) < n {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), begun).await.expect("the worker takes the job");
    }
}

#[tokio::test]
async fn a_killed_workers_job_runs_again_on_another() {
    let bench = Bench::new().await;
    let gate = Gate::default();
    let killed = bench.worker(config(4), gate.deaf());
    let id = bench.probe("x").await;
    gate.begun(1).await;
    // As kill -9: every task of the worker is gone, its lease is not.
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
    // The first comes to its end while the second works: it must change nothing.
    paused.open.cancel();
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
        // Leases that run out under working and dead workers alike; sometimes a worker is killed and replaced.
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
    bench.probe("after").await;
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
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert_eq!(seen.lock().unwrap().len(), fired);
    }
    // Off for hours: this one is not made up for.
    bench.execute("UPDATE job_schedules SET next_at = now() - interval '3 hours' WHERE name = 'test.tick'").await;
    bench.until("SELECT count(*) FROM job_schedules WHERE name = 'test.tick' AND next_at > now()", 1).await;
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
    registry.schedule("test.tick", Cron::parse("*/5 * * * *", "UTC").unwrap(), CatchUp::One, &probe("tick")).unwrap();
    bench
        .execute(
            "INSERT INTO job_schedules (name, kind, cron, time_zone, catch_up, next_at) \
             VALUES ('test.tick', 'test.probe', '*/5 * * * *', 'UTC', 'one', now() - interval '3 days')",
        )
        .await;
    let worker = bench.worker(config(2), registry);
    bench.until("SELECT count(*) FROM job_history WHERE kind = 'test.probe'", 1).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(seen.lock().unwrap().len(), 1);
    worker.stop().await;
    bench.end().await;
}

#[tokio::test]
async fn a_running_job_shows_progress_and_can_be_cancelled() {
    let bench = Bench::new().await;
    let org = OrgId::generate(&bench.clock);
    let registry = probes(&Seen::default(), |context, _| async move {
        context.progress(40, "page 2 of 5");
        context.cancel.cancelled().await;
        Err(JobError::retry(anyhow::anyhow!("interrupted")))
    });
    let worker = bench.worker(config(4), registry);
    let id = bench.enqueue(Some(org), &probe("x"), &Enqueue::default()).await.unwrap();
    let api = Api::new(&worker.jobs, &principal(org, Role::Admin, false));
    bench.until("SELECT count(*) FROM jobs WHERE progress = 40", 1).await;
    assert_eq!(api.get(&format!("/api/v1/jobs/{id}")).await["progress"]["note"], "page 2 of 5");
    let (status, job) = api.send(Method::POST, &format!("/api/v1/jobs/{id}/cancel")).await;
    assert_eq!((status, &job["cancel_requested"]), (StatusCode::OK, &true.into()));
    bench.until("SELECT count(*) FROM job_history WHERE state = 'cancelled'", 1).await;
    let waiting = Enqueue { run_at: Some(Utc::now() + TimeDelta::hours(1)), ..Enqueue::default() };
    let id = bench.enqueue(Some(org), &probe("y"), &waiting).await.unwrap();
    let (status, job) = api.send(Method::POST, &format!("/api/v1/jobs/{id}/cancel")).await;
    assert_eq!((status, &job["state"]), (StatusCode::OK, &"cancelled".into()));
    assert_eq!(api.send(Method::POST, &format!("/api/v1/jobs/{id}/cancel")).await.0, StatusCode::CONFLICT);
    worker.stop().await;
    bench.end().await;
}

#[tokio::test]
async fn members_see_their_organisations_jobs_and_only_operators_the_systems() {
    let bench = Bench::new().await;
    let (ours, theirs) = (OrgId::generate(&bench.clock), OrgId::generate(&bench.clock));
    let jobs = bench.jobs(config(4));
    let mut mine = Vec::new();
    for n in 0..5 {
        mine.push(bench.enqueue(Some(ours), &probe(&n.to_string()), &Enqueue::default()).await.unwrap().to_string());
    }
    let foreign = bench.enqueue(Some(theirs), &probe("x"), &Enqueue::default()).await.unwrap();
    let system = bench.probe("x").await;
    bench.execute("INSERT INTO job_queues (name) VALUES ('test')").await;

    let member = Api::new(&jobs, &principal(ours, Role::Admin, false));
    let (mut seen, mut path) = (Vec::new(), "/api/v1/jobs?limit=2".to_owned());
    loop {
        let page = member.get(&path).await;
        seen.extend(page["data"].as_array().unwrap().iter().map(|j| j["id"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/api/v1/jobs?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    mine.reverse();
    assert_eq!(seen, mine);
    assert_eq!(member.get("/api/v1/jobs?state=dead").await["data"], Value::Array(vec![]));
    assert_eq!(
        member.get("/api/v1/jobs?search=PROBE&queue=test&kind=test.probe&state=queued").await["data"]
            .as_array()
            .unwrap()
            .len(),
        5
    );
    for id in [foreign, system] {
        for (method, tail) in
            [(Method::GET, ""), (Method::DELETE, ""), (Method::POST, "/cancel"), (Method::POST, "/retry")]
        {
            let (status, _) = member.send(method.clone(), &format!("/api/v1/jobs/{id}{tail}")).await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{method} {tail}");
        }
    }
    assert_eq!(member.send(Method::GET, "/api/v1/jobs?system=true").await.0, StatusCode::FORBIDDEN);
    assert_eq!(member.get("/api/v1/queues").await["data"][0]["depth"], 5);
    assert_eq!(member.send(Method::POST, "/api/v1/queues/test/pause").await.0, StatusCode::FORBIDDEN);
    let viewer = Api::new(&jobs, &principal(ours, Role::Viewer, false));
    assert_eq!(viewer.send(Method::GET, "/api/v1/jobs").await.0, StatusCode::FORBIDDEN);

    let operator = Api::new(&jobs, &principal(ours, Role::Admin, true));
    assert_eq!(operator.get("/api/v1/jobs?system=true").await["data"][0]["id"], system.to_string());
    assert_eq!(operator.get("/api/v1/queues").await["data"][0]["depth"], 7);
    assert_eq!(operator.send(Method::GET, &format!("/api/v1/jobs/{foreign}")).await.0, StatusCode::NOT_FOUND);
    assert_eq!(operator.send(Method::POST, "/api/v1/queues/nothing/pause").await.0, StatusCode::NOT_FOUND);
    assert_eq!(operator.send(Method::POST, "/api/v1/queues/test/pause").await.0, StatusCode::NO_CONTENT);
    let registry = probes(&Seen::default(), fine());
    let worker = bench.worker(config(4), registry);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(bench.count("SELECT count(*) FROM jobs WHERE queue = 'test'").await, 7, "a paused queue starts nothing");
    assert_eq!(operator.send(Method::POST, "/api/v1/queues/test/resume").await.0, StatusCode::NO_CONTENT);
    bench.until("SELECT count(*) FROM job_history WHERE queue = 'test'", 7).await;
    worker.stop().await;
    bench.end().await;
}

#[tokio::test]
async fn checks_tell_a_queue_without_workers_from_an_idle_one() {
    let bench = Bench::new().await;
    let jobs = bench.jobs(config(4));
    let run = async |name: &str| doctor::checks(&jobs).into_iter().find(|c| c.name() == name).unwrap().run().await;
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
    // Two old weeks of each kind; a job of the second still waits. And the coming weeks are gone, as after a long stop.
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

struct NoNumbers;

#[async_trait::async_trait]
impl OverviewSource for NoNumbers {
    async fn overview(&self, _: &Principal) -> Result<Overview, holdfast::platform::error::ApiError> {
        Ok(Overview::default())
    }
}

#[tokio::test]
async fn the_pages_show_and_change_what_the_reader_may() {
    let bench = Bench::new().await;
    let org = OrgId::generate(&bench.clock);
    let registry = probes(&Seen::default(), |_, tag| async move {
        if tag == "bad" { Err(JobError::permanent(anyhow::anyhow!("<b>broken</b> file"))) } else { Ok(()) }
    });
    let worker = bench.worker(config(4), registry);
    let dead = bench.enqueue(Some(org), &probe("bad"), &Enqueue::default()).await.unwrap();
    let later = Enqueue { run_at: Some(Utc::now() + TimeDelta::hours(1)), ..Enqueue::default() };
    let waiting = bench.enqueue(Some(org), &probe("later"), &later).await.unwrap();
    bench.until("SELECT count(*) FROM job_dead_letters", 1).await;
    let parts = Parts { nav: vec![], overview: Arc::new(NoNumbers), openapi: serde_json::json!({}), https: false };
    let console = Console::new(parts).wrap(pages::router().with_state(worker.jobs.clone()));
    let send = async |who: &Principal, method: Method, path: &str, lang: &str| {
        let mut request =
            Request::builder().method(method.clone()).uri(path).header("accept-language", lang).extension(who.clone());
        if method == Method::POST {
            request = request.header("content-type", "application/x-www-form-urlencoded");
        }
        let response = console.clone().oneshot(request.body(Body::from("csrf=token")).unwrap()).await.unwrap();
        let status = response.status();
        let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    };
    let (admin, operator) = (principal(org, Role::Admin, false), principal(org, Role::Admin, true));

    let (status, page) = send(&admin, Method::GET, "/jobs", "en").await;
    assert_eq!(status, StatusCode::OK, "{page}");
    for expected in ["test.probe", "given up", "waiting", "&#60;b&#62;broken", &dead.to_string()] {
        assert!(page.contains(expected), "{expected} is missing in {page}");
    }
    assert!(!page.contains("/pause"), "only operators pause");
    let (_, page) = send(&admin, Method::GET, "/jobs?state=dead", "ru").await;
    assert!(
        page.contains("не удалось") && page.contains(&dead.to_string()) && !page.contains(&waiting.to_string()),
        "{page}"
    );
    let (_, page) = send(&admin, Method::GET, "/jobs?q=nothing+like+it", "en").await;
    assert!(page.contains("Nothing found"), "{page}");
    let (_, page) = send(&operator, Method::GET, "/jobs?whose=system", "en").await;
    assert!(page.contains("jobs.maintain") || page.contains("Nothing found"), "{page}");
    assert!(page.contains("/jobs/queues/test/pause"), "{page}");
    let (status, page) = send(&admin, Method::GET, &format!("/jobs/{dead}"), "en").await;
    assert!(
        status == StatusCode::OK && page.contains("/retry") && page.contains("/delete") && page.contains("bad"),
        "{page}"
    );

    assert_eq!(send(&admin, Method::POST, "/jobs/queues/test/pause", "en").await.0, StatusCode::FORBIDDEN);
    assert_eq!(send(&operator, Method::POST, "/jobs/queues/test/pause", "en").await.0, StatusCode::SEE_OTHER);
    assert_eq!(bench.count("SELECT count(*) FROM job_queues WHERE paused").await, 1);
    assert_eq!(send(&operator, Method::POST, "/jobs/queues/test/resume", "en").await.0, StatusCode::SEE_OTHER);
    assert_eq!(send(&admin, Method::POST, &format!("/jobs/{waiting}/cancel"), "en").await.0, StatusCode::SEE_OTHER);
    assert_eq!(bench.count("SELECT count(*) FROM job_history WHERE state = 'cancelled'").await, 1);
    assert_eq!(send(&admin, Method::POST, &format!("/jobs/{dead}/delete"), "en").await.0, StatusCode::SEE_OTHER);
    assert_eq!(bench.count("SELECT count(*) FROM job_dead_letters").await, 0);
    let stranger = principal(OrgId::generate(&bench.clock), Role::Owner, false);
    assert_eq!(send(&stranger, Method::GET, &format!("/jobs/{dead}"), "en").await.0, StatusCode::NOT_FOUND);
    assert_eq!(send(&principal(org, Role::Viewer, false), Method::GET, "/jobs", "en").await.0, StatusCode::FORBIDDEN);
    worker.stop().await;
    bench.end().await;
}

/// The routes of this capability as somebody sees them.
struct Api {
    router: Router,
    who: Principal,
}

impl Api {
    fn new(jobs: &Jobs, who: &Principal) -> Self {
        let (router, _) = routes::router().with_state(jobs.clone()).split_for_parts();
        Self { router, who: who.clone() }
    }

    async fn send(&self, method: Method, path: &str) -> (StatusCode, Value) {
        let request =
            Request::builder().method(method).uri(path).extension(self.who.clone()).body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.send(Method::GET, path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }
}

fn principal(org_id: OrgId, role: Role, is_operator: bool) -> Principal {
    let clock = Clock::system();
    let user = SessionUser {
        user_id: UserId::generate(&clock),
        email: "a@example.org".into(),
        name: "A".into(),
        session_id: UserId::generate(&clock).0,
        csrf: "token".into(),
        orgs: Arc::from([]),
        is_operator,
        must_change_password: false,
    };
    Principal { org_id, role, actor: Actor::User(user) }
}
