//! A real Alertmanager in front of Holdfast: firing, repeating, resolved, Holdfast down and up again, silences.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use holdfast::platform::{health::Status as Health, lifecycle::Lifecycle};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::{PATH, TOKEN, check, list, metric, now, pages::page, start};
use crate::support::{
    alertmanager::Alertmanager,
    app::{Client, TestApp},
    wait::until,
};

/// An address in front of Holdfast that can be switched off, as if Holdfast were down.
struct Gate {
    address: String,
    /// Cancelled while it is switched off.
    closed: Arc<Mutex<CancellationToken>>,
    /// Connections that it lets through.
    passing: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
}

impl Gate {
    async fn start() -> (Self, TcpListener) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        (Self { address, closed: Arc::default(), passing: Arc::default(), refused: Arc::default() }, listener)
    }

    fn lead_to(&self, listener: TcpListener, target: String) {
        let (closed, passing, refused) = (self.closed.clone(), self.passing.clone(), self.refused.clone());
        let lifecycle = Lifecycle::new();
        lifecycle.clone().spawn("gate", async move {
            loop {
                let (mut inside, _) = listener.accept().await.unwrap();
                // Counted before it is asked whether the gate is open: `close` must not miss a connection.
                passing.fetch_add(1, Ordering::SeqCst);
                let closed = closed.lock().unwrap().clone();
                if closed.is_cancelled() {
                    passing.fetch_sub(1, Ordering::SeqCst);
                    refused.fetch_add(1, Ordering::SeqCst);
                    continue;
                }
                let (target, passing) = (target.clone(), passing.clone());
                lifecycle.spawn("gate.connection", async move {
                    let mut outside = TcpStream::connect(target).await.unwrap();
                    tokio::select! {
                        biased;
                        () = closed.cancelled() => {}
                        _ = tokio::io::copy_bidirectional(&mut inside, &mut outside) => {}
                    }
                    passing.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
    }

    /// Nothing passes after this: Alertmanager keeps connections, and would send on them what it is told next.
    async fn close(&self) {
        self.closed.lock().unwrap().cancel();
        until("a connection passes", async || self.passing.load(Ordering::SeqCst) == 0).await;
    }

    fn open(&self) {
        *self.closed.lock().unwrap() = CancellationToken::new();
    }
}

async fn start_both() -> (TestApp, Alertmanager, Gate) {
    let (gate, listener) = Gate::start().await;
    let alertmanager = Alertmanager::start(&gate.address, TOKEN).await;
    let app = start(&[("HOLDFAST_ALERTING__ALERTMANAGER_URL", &alertmanager.url)]).await;
    gate.lead_to(listener, app.base_url.trim_start_matches("http://").to_owned());
    (app, alertmanager, gate)
}

async fn count(admin: &Client, query: &str) -> usize {
    list(admin, query).await.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_says_whether_anybody_outside_is_told() {
    let (app, alertmanager, _gate) = start_both().await;
    let alone = check(&app, "alerting.outside").await;
    assert!(alone.status == Health::Warn && alone.summary.contains("nobody is notified"), "{alone:?}");
    let config = std::fs::read_to_string(&alertmanager.config).unwrap();
    let outside = format!("{config}- name: outside\n  webhook_configs:\n  - url: http://127.0.0.1:1/\n");
    std::fs::write(&alertmanager.config, outside).unwrap();
    assert_eq!(Client::new(&alertmanager.url).post("/-/reload", &json!({})).await.status, 200);
    let told = check(&app, "alerting.outside").await;
    assert!(told.status == Health::Pass && told.summary.contains("outside"), "{told:?}");
    drop(alertmanager);
    assert_eq!(check(&app, "alerting.outside").await.status, Health::Warn);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn alertmanagers_alerts_arrive_repeat_end_and_survive_our_absence() {
    let (app, alertmanager, gate) = start_both().await;
    let admin = app.admin().await;
    assert_eq!(check(&app, "alerting.alertmanager").await.status, Health::Pass);
    let began = now(&app) - TimeDelta::minutes(1);
    alertmanager.tell("QueueStuck", began, None).await;
    until("nothing arrives", async || count(&admin, "status=firing").await == 1).await;
    let first = list(&admin, "").await.remove(0);
    assert_eq!((first["name"].as_str(), first["severity"].as_str()), (Some("QueueStuck"), Some("critical")));
    assert_eq!(first["annotations"]["summary"], "QueueStuck happened");
    assert_eq!(first["starts_at"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap(), began);
    // It repeats after two seconds: the same row with a newer `heard_at`.
    until("it does not repeat", async || list(&admin, "").await[0]["heard_at"] != first["heard_at"]).await;
    assert_eq!(count(&admin, "").await, 1);

    // We are down, one alert ends meanwhile and another starts: we are notified of both afterwards.
    gate.close().await;
    alertmanager.tell("QueueStuck", began, Some(now(&app))).await;
    alertmanager.tell("DiskWillFill", now(&app), None).await;
    until("nobody tried", async || gate.refused.load(Ordering::SeqCst) >= 3).await;
    assert_eq!(count(&admin, "status=firing").await, 1);
    gate.open();
    until("what happened meanwhile is lost", async || {
        count(&admin, "status=firing&q=DiskWillFill").await == 1
            && count(&admin, "status=resolved&q=QueueStuck").await == 1
    })
    .await;
    assert_eq!(count(&admin, "").await, 2);
    alertmanager.tell("DiskWillFill", now(&app), Some(now(&app))).await;
    until("it does not end", async || count(&admin, "status=firing").await == 0).await;
    // Counted after the commit.
    let counted = |status: &str| metric(&app, &format!("holdfast_alerting_alerts_total{{status=\"{status}\"}}"));
    until("they are not counted", async || counted("resolved") >= 2).await;
    assert_eq!((counted("firing"), counted("resolved")), (2, 2));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silences_are_made_seen_and_ended_at_alertmanager() {
    let (app, alertmanager, _gate) = start_both().await;
    let admin = app.admin().await;
    let began = now(&app);
    alertmanager.tell("Noisy", began, None).await;
    until("nothing arrives", async || count(&admin, "status=firing").await == 1).await;
    let path = format!("{PATH}/silences");
    let new = json!({"matchers": [{"name": "alertname", "value": "Noisy"}, {"name": "job", "operator": "=~", "value": "hold.*"}], "duration_seconds": 3600, "comment": "known"});
    let made = admin.post(&path, &new).await.expect(201);
    assert_eq!((made["state"].as_str(), made["created_by"].as_str()), (Some("active"), Some("admin@example.com")));
    assert_eq!(made["matchers"][1], json!({"name": "job", "operator": "=~", "value": "hold.*"}));
    let known = Client::new(&alertmanager.url).get("/api/v2/silences").await.expect(200);
    assert_eq!((known.as_array().unwrap().len(), known[0]["comment"].as_str()), (1, Some("known")));
    assert_eq!(admin.get(&path).await.expect(200)["data"][0]["id"], made["id"]);
    let silenced = Client::new(&alertmanager.url).get("/api/v2/alerts?silenced=true").await.expect(200);
    assert_eq!(silenced[0]["status"]["state"], "suppressed", "{silenced}");
    let shown = page(&admin, "/alerts").await;
    assert!(shown.contains(">silenced<") && !shown.contains("Silence 2 h"), "{shown}");
    alertmanager.tell("Heard", began, None).await;
    until("nothing arrives", async || count(&admin, "status=firing").await == 2).await;
    let shown = page(&admin, "/alerts").await;
    assert_eq!((shown.matches(">silenced<").count(), shown.matches("Silence 2 h").count()), (1, 1), "{shown}");
    alertmanager.tell("Heard", began, Some(now(&app))).await;
    until("it does not end", async || count(&admin, "status=firing").await == 1).await;

    // It ends while silenced: Alertmanager sends nothing, and the comparison finds it.
    alertmanager.tell("Noisy", began, Some(now(&app))).await;
    until("it is still there", async || {
        Client::new(&alertmanager.url).get("/api/v2/alerts").await.expect(200) == json!([])
    })
    .await;
    // Long enough for a message about the end, if Alertmanager sent one.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(count(&admin, "status=firing").await, 1, "nothing was said");
    assert_eq!(app.app.alerting.compare().await.unwrap(), 0, "Alertmanager has just started: it may not know yet");
    app.clock.advance(TimeDelta::minutes(11));
    assert_eq!(app.app.alerting.compare().await.unwrap(), 1);
    assert_eq!(count(&admin, "status=firing").await, 0);

    let one = format!("{path}/{}", made["id"].as_str().unwrap());
    admin.delete(&one).await.expect(204);
    let over: Value = admin.get(&path).await.expect(200)["data"][0].clone();
    assert_eq!(over["state"], "expired", "{over}");
    admin.delete(&format!("{path}/00000000-0000-0000-0000-000000000000")).await.problem(404, "silence_not_found");
    admin.delete(&format!("{path}/..%2Fstatus")).await.problem(404, "silence_not_found");
    // Alertmanager's own error message is returned: it refuses a matcher that matches everything.
    let all = json!({"matchers": [{"name": "alertname", "operator": "=~", "value": ".*"}], "duration_seconds": 3600, "comment": "all"});
    let refused = admin.post(&path, &all).await;
    refused.problem(422, "alertmanager_refused");
    for (field, value) in [
        ("duration_seconds", json!(5)),
        ("comment", json!(" ")),
        ("matchers", json!([])),
        ("matchers", json!([{"name": "a b", "value": ""}])),
    ] {
        let mut bad = new.clone();
        bad[field] = value;
        admin.post(&path, &bad).await.problem(422, "validation_failed");
    }
    app.stop().await;
}
