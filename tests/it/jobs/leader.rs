//! One process leads: it alone sweeps and tells the figures of whole tables, and another takes over when it is lost.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use holdfast::{
    jobs::By,
    platform::{crypto, lifecycle::Lifecycle},
};
use rustix::process::{Signal, kill_process};
use tokio::time::{Instant, sleep};

use super::bench::{Bench, config};
use crate::support::{app::Client, cluster::cluster, process::Site, s3::S3};

/// As in the code: another leads this much later at most.
const LEASE: Duration = Duration::from_secs(15);
/// A look at the clock and at the metrics.
const SLACK: Duration = Duration::from_secs(4);

/// A process in miniature: its loops, and how often its sweep ran.
struct Process {
    lifecycle: Lifecycle,
    sweeps: Arc<AtomicUsize>,
    forgot: Arc<AtomicUsize>,
}

impl Process {
    fn start(bench: &Bench) -> Self {
        let (lifecycle, sweeps, forgot) = (Lifecycle::new(), Arc::new(AtomicUsize::new(0)), Arc::default());
        let loops = bench.jobs(config(1)).start_loops(&lifecycle);
        let counted = sweeps.clone();
        loops.every("test.sweep", Duration::from_millis(50), By::Leader, move || {
            counted.fetch_add(1, Ordering::SeqCst);
            std::future::ready(Ok(()))
        });
        let forgets: Arc<AtomicUsize> = forgot;
        let counted = forgets.clone();
        let forget = move || {
            counted.fetch_add(1, Ordering::SeqCst);
        };
        loops.figures("test.figures", Duration::from_millis(50), || std::future::ready(Ok(())), forget);
        Self { lifecycle, sweeps, forgot: forgets }
    }

    fn sweeps(&self) -> usize {
        self.sweeps.load(Ordering::SeqCst)
    }

    async fn sweeps_again(&self) -> Duration {
        let (before, asked) = (self.sweeps(), Instant::now());
        while self.sweeps() == before {
            assert!(asked.elapsed() < LEASE + SLACK, "nobody took over");
            sleep(Duration::from_millis(20)).await;
        }
        asked.elapsed()
    }
}

#[tokio::test]
async fn a_sweep_runs_in_one_process_and_goes_on_in_another() {
    let bench = Bench::new().await;
    let first = Process::start(&bench);
    first.sweeps_again().await;
    let second = Process::start(&bench);
    // Longer than the 4 s after which each of them asks for the lease again.
    sleep(Duration::from_secs(6)).await;
    assert_eq!(second.sweeps(), 0, "two of them sweep");
    assert_eq!(
        (first.forgot.load(Ordering::SeqCst), second.forgot.load(Ordering::SeqCst)),
        (1, 1),
        "not known at first"
    );
    // One that is stopped in order says so: nobody waits for its lease.
    first.lifecycle.drain(Duration::from_secs(5)).await;
    let took = second.sweeps_again().await;
    assert!(took < Duration::from_secs(7), "{took:?}");
    second.lifecycle.drain(Duration::from_secs(5)).await;
    // A clock that was ahead wrote an end that no holder can have asked for: it holds nobody off.
    bench.execute("UPDATE job_leases SET holder = gen_random_uuid(), expires_at = now() + interval '1 hour'").await;
    let third = Process::start(&bench);
    third.sweeps_again().await;
    third.lifecycle.drain(Duration::from_secs(5)).await;
    bench.end().await;
}

/// Another process has the lease, as after a pause that this one slept through.
#[tokio::test]
async fn a_leader_that_was_replaced_stops_and_forgets_its_figures() {
    let bench = Bench::new().await;
    let former = Process::start(&bench);
    former.sweeps_again().await;
    bench
        .execute(
            "UPDATE job_leases SET holder = gen_random_uuid(), term = term + 1, expires_at = now() + interval '20 s'",
        )
        .await;
    let waited = Instant::now();
    while former.forgot.load(Ordering::SeqCst) < 2 {
        assert!(waited.elapsed() < Duration::from_secs(7), "it goes on");
        sleep(Duration::from_millis(20)).await;
    }
    let swept = former.sweeps();
    // Twenty sweeps long.
    sleep(Duration::from_secs(1)).await;
    assert_eq!(former.sweeps(), swept, "it sweeps without the lease");
    former.lifecycle.drain(Duration::from_secs(5)).await;
    bench.end().await;
}

/// What a process exports: whether it leads for the duty, and how many knowledge bases it says that there are.
async fn exported(site: &Site, duty: &str) -> (f64, f64) {
    let text = Client::new(&format!("http://{}", site.ops)).get("/metrics").await.text;
    let value = |begin: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(begin));
        line.unwrap_or_else(|| panic!("no {begin}")).trim().parse().unwrap()
    };
    (value(&format!("holdfast_jobs_leader{{lease=\"{duty}\"}}")), value("holdfast_knowledge_bases "))
}

/// Waits until the process leads for both duties and tells its figures; how long that took.
async fn leads(site: &Site) -> Duration {
    let asked = Instant::now();
    loop {
        let (upkeep, bases) = exported(site, "upkeep").await;
        let (schedules, _) = exported(site, "schedules").await;
        if upkeep + schedules > 1.5 && !bases.is_nan() {
            return asked.elapsed();
        }
        assert!(asked.elapsed() < 3 * LEASE, "it does not take over: {upkeep} {schedules} {bases}");
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_killed_or_frozen_is_replaced_within_its_lease() {
    let (s3, dir) = (S3::start(), tempfile::tempdir().unwrap());
    let name = cluster().await.empty_database().await;
    let url = cluster().await.url(&name);
    let key = dir.path().join("key");
    fs::write(&key, crypto::hex(&crypto::random_bytes::<32>())).unwrap();
    let host = || {
        let mut site = Site::with(s3.settings());
        site.set("HOLDFAST_DATABASE__URL", &url);
        site.set("HOLDFAST_DATABASE__ROLE_PREFIX", "hflead");
        site.set("HOLDFAST_SECRET_KEY_FILE", &key.display().to_string());
        site
    };
    let (one, two) = (host(), host());
    let first = one.start().await;
    leads(&one).await;
    let second = two.start().await;
    for duty in ["upkeep", "schedules"] {
        let (leads, bases) = exported(&two, duty).await;
        assert!(leads < 0.5 && bases.is_nan(), "{duty}: two lead, or two tell the same table: {leads} {bases}");
    }

    kill_process(first.pid(), Signal::STOP).unwrap();
    let took = leads(&two).await;
    assert!(took < LEASE + SLACK, "frozen: {took:?}");
    kill_process(first.pid(), Signal::CONT).unwrap();
    let woken = Instant::now();
    loop {
        let (leads, bases) = exported(&one, "upkeep").await;
        if leads < 0.5 && bases.is_nan() {
            break;
        }
        assert!(woken.elapsed() < SLACK, "it has not noticed: {leads} {bases}");
        sleep(Duration::from_millis(50)).await;
    }
    assert!(first.output().contains("no longer the leader"), "{}", first.output());

    second.kill();
    let took = leads(&one).await;
    assert!(took < LEASE + SLACK, "killed: {took:?}");
    let (status, output) = first.stop().await;
    assert!(status.success() && output.contains("has released the lease"), "{output}");
    cluster().await.drop_database(&name).await;
}
