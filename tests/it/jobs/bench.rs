//! Shared by the tests of the queue: a database, workers whose jobs run a test's closure, and the routes as a given
//! user.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Method, Request, StatusCode},
};
use holdfast::{
    jobs::{Config, Enqueue, Job, JobContext, JobError, JobId, Jobs, JobsError, Metrics, Registry, enqueue, routes},
    platform::{
        clock::Clock,
        db::{self, Db, Target},
        http::{Actor, Principal, Role, SessionUser},
        ids::{OrgId, UserId},
        lifecycle::Lifecycle,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{Connection as _, PgConnection};
use tower::ServiceExt as _;

use crate::support::cluster::cluster;

/// A job that runs the test's closure.
#[derive(Debug, Serialize, Deserialize)]
pub struct Probe {
    pub tag: String,
}

impl Job for Probe {
    const KIND: &'static str = "test.probe";
    const QUEUE: &'static str = "test";
    const MAX_ATTEMPTS: i32 = 3;
    const TIMEOUT: Duration = Duration::from_secs(30);
    const BACKOFF: Duration = Duration::from_millis(20);
}

/// A job with a timeout of half a second, in a queue of its own.
#[derive(Debug, Serialize, Deserialize)]
pub struct Hasty {}

impl Job for Hasty {
    const KIND: &'static str = "test.hasty";
    const QUEUE: &'static str = "hasty";
    const MAX_ATTEMPTS: i32 = 2;
    const TIMEOUT: Duration = Duration::from_millis(500);
    const BACKOFF: Duration = Duration::from_millis(20);
}

/// A database with the queue's tables, and helpers.
pub struct Bench {
    pub name: String,
    pub target: Target,
    pub db: Db,
    pub clock: Clock,
}

/// A running worker.
pub struct Worker {
    pub jobs: Jobs,
    pub lifecycle: Lifecycle,
}

impl Bench {
    pub async fn new() -> Self {
        let name = cluster().await.database().await;
        let target = cluster().await.target(&name);
        let db = Db::new(&target, &db::Config::default());
        Self { name, target, db, clock: Clock::system() }
    }

    pub async fn end(self) {
        self.db.close().await;
        cluster().await.drop_database(&self.name).await;
    }

    pub async fn admin(&self) -> PgConnection {
        PgConnection::connect_with(&self.target.admin).await.unwrap()
    }

    pub async fn execute(&self, sql: &'static str) {
        sqlx::raw_sql(sql).execute(&mut self.admin().await).await.unwrap();
    }

    pub async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&mut self.admin().await).await.unwrap()
    }

    pub async fn until(&self, sql: &'static str, expected: i64) {
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

    pub async fn enqueue<J: Job>(&self, org: Option<OrgId>, job: &J, options: &Enqueue) -> Result<JobId, JobsError> {
        let mut tx = match org {
            Some(org) => self.db.tenant(org).await?,
            None => self.db.system().await?,
        };
        let id = enqueue(&mut tx, &self.clock, org, job, options).await?;
        tx.commit().await?;
        Ok(id)
    }

    pub async fn probe(&self, tag: &str) -> JobId {
        self.enqueue(None, &probe(tag), &Enqueue::default()).await.unwrap()
    }

    pub fn jobs(&self, config: Config) -> Jobs {
        let metrics = Metrics::register(&mut prometheus_client::registry::Registry::default());
        Jobs::new(self.db.clone(), self.clock.clone(), config, metrics)
    }

    pub fn worker(&self, config: Config, registry: Registry) -> Worker {
        let (jobs, lifecycle) = (self.jobs(config), Lifecycle::new());
        jobs.start_worker(registry, &lifecycle).unwrap();
        Worker { jobs, lifecycle }
    }
}

impl Worker {
    pub async fn stop(self) {
        assert!(self.lifecycle.drain(Duration::from_secs(20)).await, "the worker did not end by itself");
    }
}

pub fn probe(tag: &str) -> Probe {
    Probe { tag: tag.into() }
}

pub fn config(concurrency: usize) -> Config {
    Config { concurrency, poll_interval_ms: 50, ..Config::default() }
}

pub type Seen = Arc<Mutex<Vec<String>>>;

/// Registers a probe that records its tag, then runs `body`.
pub fn probes<F, Fut>(seen: &Seen, body: F) -> Registry
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

pub fn fine() -> impl Fn(JobContext, String) -> std::future::Ready<Result<(), JobError>> + Send + Sync + Clone + 'static
{
    |_, _| std::future::ready(Ok(()))
}

#[derive(Clone, Default)]
pub struct Gate {
    pub open: tokio_util::sync::CancellationToken,
    pub begun: Arc<AtomicUsize>,
    pub ended: Arc<AtomicUsize>,
}

impl Gate {
    /// Waits only for the gate: a paused process does not notice its cancellation.
    pub fn deaf(&self) -> Registry {
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

    pub async fn begun(&self, n: usize) {
        let begun = async {
            while self.begun.load(Ordering::SeqCst) < n {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), begun).await.expect("the worker takes the job");
    }
}

/// The routes of this capability for a given principal.
pub struct Api {
    router: Router,
    who: Principal,
}

impl Api {
    pub fn new(jobs: &Jobs, who: &Principal) -> Self {
        let (router, _) = routes::router().with_state(jobs.clone()).split_for_parts();
        Self { router, who: who.clone() }
    }

    pub async fn send(&self, method: Method, path: &str) -> (StatusCode, Value) {
        let request =
            Request::builder().method(method).uri(path).extension(self.who.clone()).body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = self.send(Method::GET, path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }
}

pub fn principal(org_id: OrgId, role: Role, is_operator: bool) -> Principal {
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
