//! Alerts on the real router and PostgreSQL: received, stored, shown and forwarded.

mod alertmanager;
mod intake;
pub mod pages;
mod passing;

use chrono::{DateTime, SubsecRound as _, Utc};
use holdfast::platform::health::{CheckResult, run_all};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    app::{Answer, Client, TestApp},
    receiver::{Received, Receiver},
};

const TOKEN: &str = "a-token-for-alertmanager";
const PATH: &str = "/api/v1/alerts";

/// A server that accepts alerts.
async fn start(settings: &[(&str, &str)]) -> TestApp {
    TestApp::start_with(&[&[("HOLDFAST_ALERTING__TOKEN", TOKEN)], settings].concat()).await
}

/// A notification as Alertmanager sends it, unused fields included.
fn notification(alerts: &[Value]) -> Value {
    json!({
        "version": "4", "groupKey": "{}:{alertname=\"X\"}", "truncatedAlerts": 0, "status": "firing", "receiver": "holdfast",
        "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "http://alertmanager:9093", "alerts": alerts,
    })
}

fn firing(name: &str, severity: &str, starts_at: DateTime<Utc>) -> Value {
    json!({
        "status": "firing", "labels": {"alertname": name, "severity": severity, "instance": "holdfast:9464"},
        "annotations": {"summary": format!("{name} is wrong"), "description": "It went from 1 to 2.", "runbook_url": ""},
        "startsAt": starts_at, "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "http://prometheus:9090/graph?g0.expr=up",
        "fingerprint": format!("{:016x}", name.bytes().fold(7_u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()))),
    })
}

fn resolved(mut alert: Value, ends_at: DateTime<Utc>) -> Value {
    alert["status"] = json!("resolved");
    alert["endsAt"] = json!(ends_at);
    alert
}

async fn send_raw(app: &TestApp, token: &str, body: String) -> Answer {
    let client = app.anonymous();
    let request = client.request(Method::POST, PATH).bearer_auth(token).header("content-type", "application/json");
    client.send(request.body(body)).await
}

async fn send(app: &TestApp, alerts: &[Value]) -> Value {
    send_raw(app, TOKEN, notification(alerts).to_string()).await.expect(200)
}

/// All alerts that match the query.
async fn list(admin: &Client, query: &str) -> Vec<Value> {
    let answer = admin.get(&format!("{PATH}?{query}")).await.expect(200);
    answer["data"].as_array().unwrap().clone()
}

async fn check(app: &TestApp, name: &str) -> CheckResult {
    let checks: Vec<_> = app.app.checks().into_iter().filter(|check| check.name() == name).collect();
    run_all(&checks).await.remove(0).result
}

/// Without its fraction.
fn metric(app: &TestApp, series: &str) -> i64 {
    app.metric(series) as i64
}

fn now(app: &TestApp) -> DateTime<Utc> {
    app.clock.now().trunc_subsecs(0)
}
