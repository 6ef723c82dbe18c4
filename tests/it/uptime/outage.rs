//! The database is away: checks go on, and what they found is written when it is back. Real processes, and a real PostgreSQL that is frozen.

use std::{fs, net::Ipv4Addr, time::Duration};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{
    manage::{MONITORS, OPEN, id},
    watch::{Away, execute, number},
};
use crate::support::{
    app::Client,
    odd_target::{Answer, Http},
    process::Site,
    wait::until,
};

/// All processes of a private cluster.
fn processes(postmaster: Pid) -> Vec<Pid> {
    let pid = postmaster.as_raw_nonzero();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    let children = children.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?));
    std::iter::once(postmaster).chain(children).collect()
}

/// A cluster that takes connections and answers nothing, until this is dropped.
struct Frozen(Pid);

impl Frozen {
    fn freeze(postmaster: Pid) -> Self {
        for pid in processes(postmaster) {
            kill_process(pid, Signal::STOP).unwrap();
        }
        Self(postmaster)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        for pid in processes(self.0) {
            // One that has ended meanwhile needs no signal.
            let _ = kill_process(pid, Signal::CONT);
        }
    }
}

/// What the API lists below a monitor; nothing while it cannot answer.
async fn listed(admin: &Client, monitor: &str, what: &str) -> Vec<Value> {
    let answer = admin.get(&format!("{MONITORS}/{monitor}/{what}?limit=200")).await;
    if answer.status == 200 { answer.json()["data"].as_array().unwrap().clone() } else { Vec::new() }
}

/// A monitor of a target that fails for a while in the middle of an outage of the database.
async fn the_private_cluster_is_away_for(outage: Duration) {
    let mut site = Site::new();
    site.set(OPEN.0, OPEN.1);
    let running = site.start().await;
    let (admin, target) = (site.admin().await, Http::start().await);
    let body = json!({
        "name": "Shop", "spec": {"kind": "http", "url": target.url("/")}, "interval_seconds": 10, "timeout_ms": 2000, "retries": 0
    });
    let monitor = id(&admin.post(MONITORS, &body).await.expect(201));
    until("it is not checked", async || !listed(&admin, &monitor, "checks").await.is_empty()).await;

    let frozen = Frozen::freeze(site.postmaster().unwrap());
    let began = Instant::now();
    let asked = async |more: usize, otherwise: &str| {
        let before = target.asked().len();
        until(otherwise, async || target.asked().len() >= before + more).await;
    };
    // Beyond the lease: from then on it is in doubt whose the duty is.
    asked(3, "it is not checked while the database is away").await;
    target.answer(|_| Answer::status(500));
    asked(2, "its outage is not seen").await;
    target.answer(|_| Answer::ok("well"));
    asked(2, "its recovery is not seen").await;
    // The outage is as long as it is said to be.
    sleep(outage.saturating_sub(began.elapsed())).await;
    drop(frozen);

    until("what was seen is not written", async || listed(&admin, &monitor, "spans").await.len() >= 3).await;
    let mut spans = listed(&admin, &monitor, "spans").await;
    spans.reverse();
    let told: Vec<(&str, bool)> =
        spans.iter().map(|span| (span["status"].as_str().unwrap(), span["told"].as_bool().unwrap())).collect();
    assert_eq!(told, [("up", false), ("down", true), ("up", true)], "no gap, and no time that nobody checked");
    until("checks are missing", async || {
        // What is being asked just now is not written yet.
        let (stored, asked) = (listed(&admin, &monitor, "checks").await.len(), target.asked().len());
        stored > 0 && stored == asked
    })
    .await;
    let failed = listed(&admin, &monitor, "checks").await.iter().filter(|check| check["outcome"] == "down").count();
    assert!(failed >= 1, "the failures are among them");
    let (status, output) = running.stop().await;
    assert!(status.success(), "{output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_private_cluster_is_away_and_nothing_is_lost() {
    // Seven checks, and longer than the lease.
    the_private_cluster_is_away_for(Duration::from_secs(70)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "six minutes"]
async fn the_database_is_away_five_minutes_checks_are_written_afterwards() {
    the_private_cluster_is_away_for(Duration::from_secs(300)).await;
}

/// A figure of the process.
async fn series(ops: &Client, name: &str) -> Option<f64> {
    let metrics = ops.get("/metrics").await.text;
    metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

const FOLDED: &str = "holdfast_uptime_checks_folded_total";

#[tokio::test(flavor = "multi_thread")]
async fn the_ring_overflows_and_says_so() {
    let mut away = Away::new().await;
    let (mut site, target) = (away.site(), Http::on((Ipv4Addr::UNSPECIFIED, 0).into(), None).await);
    // The least: full after some thousand checks whose texts are long.
    site.set("HOLDFAST_UPTIME__MEMORY_MB", "1");
    let conditions: Vec<Value> =
        (0..8_u8).map(|n| json!({"on": "keyword", "text": n.to_string().repeat(70)})).collect();
    let spec = json!({"kind": "http", "expect": conditions});
    let running = site.start().await;
    // Those of the appliance itself would be folded, too.
    let own = "SELECT count(*) FROM uptime_state s JOIN uptime_monitors m ON m.id = s.monitor_id WHERE m.managed_by = 'builtin'";
    until("the appliance does not watch itself", async || number(&mut away.db, own).await > 0).await;
    let pause = "UPDATE uptime_monitors SET paused_at = now(), paused_by = 'test' WHERE managed_by = 'builtin'";
    execute(&mut away.db, pause).await;
    let active = format!("{own} AND s.status <> 'paused'");
    until("they are not paused", async || number(&mut away.db, &active).await == 0).await;
    let sql = format!(
        "INSERT INTO uptime_monitors (id, key, name, kind, spec, interval_seconds, timeout_ms, retries, successes, created_by, created_at, updated_at)
         SELECT gen_random_uuid(), 'm-' || n, 'm', 'http', '{spec}'::jsonb || jsonb_build_object('url', format('http://127.0.%s.%s:{}/', n / 250, 1 + n % 250)),
           10, 5000, 0, 1, 'x', now(), now() FROM generate_series(0, 599) n",
        target.address.port()
    );
    execute(&mut away.db, &sql).await;
    execute(&mut away.db, "INSERT INTO uptime_state (monitor_id, status, since, updated_at) SELECT id, 'unknown', now(), now() FROM uptime_monitors WHERE key LIKE 'm-%'").await;
    let down = "SELECT count(*) FROM uptime_state s JOIN uptime_monitors m ON m.id = s.monitor_id WHERE s.status = 'down' AND m.key LIKE 'm-%'";
    until("not all are down", async || number(&mut away.db, down).await == 600).await;
    away.relay.set_away(true);
    let ops = Client::new(&format!("http://{}", site.ops));
    until("memory does not become full", async || series(&ops, FOLDED).await.is_some_and(|folded| folded > 0.0)).await;
    away.relay.set_away(false);
    // Each is checked once more, and then for a day no more: what was asked is what must be stored.
    execute(&mut away.db, "UPDATE uptime_monitors SET interval_seconds = 86400 WHERE key LIKE 'm-%'").await;
    let stored =
        "SELECT count(*) FROM uptime_checks c JOIN uptime_monitors m ON m.number = c.monitor WHERE m.key LIKE 'm-%'";
    until("checks are missing", async || {
        number(&mut away.db, stored).await == i64::try_from(target.accepted()).unwrap()
    })
    .await;
    let folded = series(&ops, FOLDED).await.unwrap();
    // Of these the time, the duration, the outcome and the reason were kept, and no words.
    let without_words = format!("{stored} AND c.error IS NULL");
    let thin = number(&mut away.db, &without_words).await;
    assert!((folded - thin as f64).abs() < 0.5, "{folded} folded, {thin} without words");
    let kept = format!("{without_words} AND c.outcome = 1 AND c.reason > 0 AND c.total > 0");
    assert_eq!(number(&mut away.db, &kept).await, thin);
    let dropped = series(&ops, "holdfast_uptime_checks_dropped_total{reason=\"memory\"}").await;
    assert!(dropped.is_some_and(|dropped| dropped < 0.5), "{dropped:?}");
    let (status, output) = running.stop().await;
    assert!(status.success(), "{output}");
    away.end().await;
}
