//! Webhooks on the real router, worker and PostgreSQL, to a server of somebody else.

mod faults;

use std::{process::Stdio, time::Duration};

use chrono::TimeDelta;
use holdfast::platform::health::{CheckResult, Status as Health, run_all};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::io::AsyncWriteExt as _;

use crate::{
    alerting::pages::{open, submit},
    support::{
        app::{Client, TestApp},
        documents::{add_document, make_base},
        receiver::{Received, Receiver},
        wait::until,
    },
};

const PATH: &str = "/api/v1/webhooks";

/// An appliance whose organisations may reach this host.
async fn start() -> TestApp {
    start_with(&[]).await
}

async fn start_with(settings: &[(&str, &str)]) -> TestApp {
    TestApp::start_with(&[&[("HOLDFAST_WEBHOOKS__PRIVATE_NETWORKS", "127.0.0.1/32")], settings].concat()).await
}

fn id(value: &Value) -> String {
    value["id"].as_str().unwrap_or_else(|| panic!("no id in {value}")).to_owned()
}

async fn make(client: &Client, body: Value) -> (String, String) {
    let made = client.post(PATH, &body).await.expect(201);
    (id(&made), made["secret"].as_str().unwrap().to_owned())
}

async fn endpoint(client: &Client, id: &str) -> Value {
    client.get(&format!("{PATH}/{id}")).await.expect(200)
}

/// Newest first.
async fn deliveries(client: &Client, id: &str, query: &str) -> Vec<Value> {
    let answer = client.get(&format!("{PATH}/{id}/deliveries?{query}")).await.expect(200);
    answer["data"].as_array().unwrap().clone()
}

async fn test_message(client: &Client, endpoint: &str) -> String {
    id(&client.post(&format!("{PATH}/{endpoint}/test"), &json!({})).await.expect(202))
}

async fn replay(client: &Client, delivery: &str) -> Value {
    client.post(&format!("/api/v1/webhook-deliveries/{delivery}/replay"), &json!({})).await.expect(202)
}

async fn check(app: &TestApp) -> CheckResult {
    let checks = app.app.checks();
    let checks: Vec<_> = checks.into_iter().filter(|check| check.name() == "webhooks.endpoints").collect();
    run_all(&checks).await.remove(0).result
}

async fn execute(app: &TestApp, sql: String) {
    let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut db).await.unwrap();
}

/// What a receiver does that is written in another language and by the words of the standard alone.
const VERIFY: &str = r#"
import base64, hashlib, hmac, json, sys
got = json.load(sys.stdin)
key = base64.b64decode(got["secret"].removeprefix("whsec_"))
signed = f'{got["id"]}.{got["timestamp"]}.{got["body"]}'.encode()
expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
print(sum(hmac.compare_digest(expected, one) for one in got["signature"].split(" ")), len(got["signature"].split(" ")))
"#;

/// How many of the signatures hold for this secret, and how many there are.
#[expect(clippy::disallowed_methods, reason = "tests are told by the environment which Python there is")]
async fn verify(received: &Received, secret: &str) -> (usize, usize) {
    let python = std::env::var("HOLDFAST_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let said = json!({
        "secret": secret, "id": received.header("webhook-id"), "timestamp": received.header("webhook-timestamp"),
        "signature": received.header("webhook-signature"), "body": received.body,
    });
    let mut command = tokio::process::Command::new(python);
    let mut child = command.args(["-c", VERIFY]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(said.to_string().as_bytes()).await.unwrap();
    let output = child.wait_with_output().await.unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let (held, all) = text.trim().split_once(' ').unwrap();
    (held.parse().unwrap(), all.parse().unwrap())
}

fn body(received: &Received) -> Value {
    serde_json::from_str(&received.body).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisations_events_come_signed_and_in_order() {
    let (receiver, app) = (Receiver::start().await, start().await);
    let admin = app.admin().await;
    let (endpoint, secret) = make(&admin, json!({"url": format!("{}/hook", receiver.url), "description": "CRM"})).await;
    let wanted = ["knowledge.document.deleted"];
    make(&admin, json!({"url": format!("{}/some", receiver.url), "topics": wanted})).await;
    let base = make_base(&admin, "Harbour").await;
    let document = add_document(&admin, &base, "tides.md", b"# Tides\n\nThe tide turns at noon.\n").await;
    app.wait_for_jobs().await;
    let of = |path: &str| receiver.seen().into_iter().filter(|seen| seen.path == path).collect::<Vec<_>>();
    until("no event of the document", async || of("/hook").len() == 1).await;
    admin.delete(&format!("/api/v1/knowledge-bases/{base}/documents/{document}")).await.expect(204);
    admin.post("/api/v1/agents", &json!({"name": "Harbour master"})).await.expect(201);
    until("no event of the deletion", async || of("/hook").len() == 3 && of("/some").len() == 1).await;
    let all = of("/hook");
    let topics: Vec<Value> = all.iter().map(|seen| body(seen)["type"].clone()).collect();
    assert_eq!(topics, ["knowledge.document.ready", "knowledge.document.deleted", "agents.agent.created"]);
    for seen in &all {
        assert_eq!(verify(seen, &secret).await, (1, 1), "{seen:?}");
        assert_eq!(verify(seen, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").await, (0, 1));
        assert_eq!((&seen.method, seen.header("content-type")), (&Method::POST, "application/json"));
    }
    let said = body(&all[0]);
    assert_eq!(said["data"]["document_id"], document.as_str());
    assert!(said["id"].is_string() && said["timestamp"].is_string(), "{said}");
    assert_eq!(body(&of("/some")[0])["type"], "knowledge.document.deleted");
    // The log of it.
    app.wait_for_jobs().await;
    let log = deliveries(&admin, &endpoint, "").await;
    assert_eq!(log.len(), 3);
    let (newest, delivered) = (&log[0], (json!("delivered"), json!(1), json!(200)));
    assert_eq!((newest["state"].clone(), newest["attempts"].clone(), newest["status"].clone()), delivered);
    assert_eq!(deliveries(&admin, &endpoint, "q=agents").await.len(), 1);
    assert_eq!(deliveries(&admin, &endpoint, "state=dead").await.len(), 0);
    let page = admin.get(&format!("{PATH}/{endpoint}/deliveries?limit=2")).await.expect(200);
    let cursor = page["next_cursor"].as_str().unwrap().to_owned();
    assert_eq!(deliveries(&admin, &endpoint, &format!("limit=2&cursor={cursor}")).await.len(), 1);
    let one = admin.get(&format!("/api/v1/webhook-deliveries/{}", id(newest))).await.expect(200);
    assert_eq!(one["body"].as_str().unwrap(), all[2].body);
    // The secret is shown once, and sealed where it is kept.
    let shown = admin.get(&format!("{PATH}/{endpoint}")).await;
    assert!(!shown.text.contains("secret\":\"whsec") && shown.status == 200);
    let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
    let kept: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT secret FROM webhook_endpoints").fetch_all(&mut db).await.unwrap();
    assert!(kept.iter().all(|sealed| !sealed.windows(8).any(|w| secret.as_bytes().windows(8).any(|s| s == w))));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_tried_again_and_nothing_overtakes_it() {
    let (receiver, app) = (Receiver::start().await, start().await);
    let admin = app.admin().await;
    let (endpoint_id, secret) = make(&admin, json!({"url": receiver.url, "topics": ["auth.member.added"]})).await;
    receiver.answer_with(503);
    let first = test_message(&admin, &endpoint_id).await;
    until("no first attempt", async || deliveries(&admin, &endpoint_id, "").await[0]["attempts"] == 1).await;
    let failing = endpoint(&admin, &endpoint_id).await;
    assert_eq!(failing["state"], "failing");
    assert!(failing["retry_at"].is_string(), "{failing}");
    // A newer message waits behind it, though its receiver would take it by now.
    receiver.answer_with(200);
    app.person("default", holdfast::platform::http::Role::Member).await;
    until("no second message", async || deliveries(&admin, &endpoint_id, "").await.len() == 2).await;
    // Long enough for it to be delivered, if it did not wait.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(receiver.seen().len(), 1, "it overtook");
    let second = deliveries(&admin, &endpoint_id, "").await[0].clone();
    assert_eq!((&second["state"], &second["attempts"]), (&json!("queued"), &json!(0)));
    // By hand, or when its time has come: first the one that failed.
    replay(&admin, &first).await;
    until("not delivered", async || receiver.seen().len() == 3).await;
    app.wait_for_jobs().await;
    let seen = receiver.seen();
    assert_eq!(seen[0].header("webhook-id"), seen[1].header("webhook-id"));
    assert_eq!(seen[0].body, seen[1].body);
    assert_eq!(body(&seen[2])["type"], "auth.member.added");
    assert_eq!(verify(&seen[2], &secret).await, (1, 1));
    let now = endpoint(&admin, &endpoint_id).await;
    assert_eq!((&now["state"], &now["failing_since"]), (&json!("enabled"), &Value::Null));
    let counted = |outcome: &str| {
        app.metric(&format!("holdfast_webhooks_deliveries_total{{origin=\"organisation\",outcome=\"{outcome}\"}}"))
    };
    assert_eq!((counted("retried"), counted("delivered"), counted("dead")), (1.0, 2.0, 0.0));
    admin
        .post(&format!("/api/v1/webhook-deliveries/{first}/give-up"), &json!({}))
        .await
        .problem(409, "delivery_not_queued");
    // Again: the same message under the same id, as a delivery of its own.
    let again = replay(&admin, &first).await;
    assert_ne!(id(&again), first);
    until("not sent again", async || receiver.seen().len() == 4).await;
    app.wait_for_jobs().await;
    assert_eq!(receiver.seen()[3].header("webhook-id"), seen[0].header("webhook-id"));
    assert_eq!(receiver.seen()[3].body, seen[0].body);
    app.stop().await;
}

/// The job that should have sent it is gone: the leader sees that something waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_job_is_lost_is_sent_all_the_same() {
    let (receiver, app) = (Receiver::start().await, start().await);
    let admin = app.admin().await;
    let (endpoint_id, _) = make(&admin, json!({"url": receiver.url})).await;
    receiver.answer_with(500);
    test_message(&admin, &endpoint_id).await;
    until("no attempt", async || receiver.seen().len() == 1).await;
    until("not settled", async || endpoint(&admin, &endpoint_id).await["retry_at"].is_string()).await;
    receiver.answer_with(200);
    execute(
        &app,
        "DELETE FROM jobs WHERE kind = 'webhooks.deliver';
         UPDATE webhook_deliveries SET created_at = now() - interval '2 minutes';
         UPDATE webhook_endpoints SET retry_at = now() - interval '90 seconds'"
            .into(),
    )
    .await;
    app.app.webhooks.wake_waiting().await.unwrap();
    until("nobody sent it", async || receiver.seen().len() == 2).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_secret_signs_beside_the_former_for_a_day() {
    let (receiver, app) = (Receiver::start().await, start().await);
    let admin = app.admin().await;
    let (endpoint_id, former) = make(&admin, json!({"url": receiver.url})).await;
    let rotated = admin.post(&format!("{PATH}/{endpoint_id}/secret"), &json!({})).await.expect(200);
    let secret = rotated["secret"].as_str().unwrap().to_owned();
    assert_ne!(secret, former);
    test_message(&admin, &endpoint_id).await;
    until("no message", async || receiver.seen().len() == 1).await;
    let seen = receiver.seen();
    assert_eq!((verify(&seen[0], &secret).await, verify(&seen[0], &former).await), ((1, 2), (1, 2)));
    app.clock.advance(TimeDelta::hours(25));
    test_message(&app.admin().await, &endpoint_id).await;
    until("no second message", async || receiver.seen().len() == 2).await;
    let seen = receiver.seen();
    assert_eq!((verify(&seen[1], &secret).await, verify(&seen[1], &former).await), ((1, 1), (0, 1)));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_fails_for_days_is_disabled_and_said_to_be() {
    let (receiver, other, app) = (Receiver::start().await, Receiver::start().await, start().await);
    let admin = app.admin().await;
    let (broken, _) = make(&admin, json!({"url": receiver.url, "topics": ["auth.member.added"]})).await;
    let (watching, _) = make(&admin, json!({"url": other.url, "topics": ["webhooks.endpoint.disabled"]})).await;
    receiver.answer_with(500);
    test_message(&admin, &broken).await;
    until("not failing", async || endpoint(&admin, &broken).await["state"] == "failing").await;
    assert_eq!(check(&app).await.status, Health::Warn);
    // Not yet: it fails for a day only.
    app.clock.advance(TimeDelta::hours(24));
    let admin = app.admin().await;
    let second = test_message(&admin, &broken).await;
    until("no second attempt", async || receiver.seen().len() == 2).await;
    until("not settled", async || metric_retried(&app) >= 2.0).await;
    assert_eq!(endpoint(&admin, &broken).await["state"], "failing");
    // Nobody knows whether it worked in a month in which nothing was sent: it has not failed for days.
    app.clock.advance(TimeDelta::days(30));
    replay(&app.admin().await, &second).await;
    app.wait_for_jobs().await;
    assert_eq!(endpoint(&app.admin().await, &broken).await["state"], "failing");
    for _ in 0..6 {
        app.clock.advance(TimeDelta::hours(20));
        replay(&app.admin().await, &second).await;
        app.wait_for_jobs().await;
    }
    let admin = app.admin().await;
    until("not disabled", async || endpoint(&admin, &broken).await["state"] == "disabled").await;
    // What it counts it counts after its commit.
    app.wait_for_jobs().await;
    let now = endpoint(&admin, &broken).await;
    assert_eq!(now["disabled_reason"], "failing", "{now}");
    let log = deliveries(&admin, &broken, "").await;
    assert!(log.iter().all(|delivery| delivery["state"] == "dead"), "{log:?}");
    assert_eq!(app.metric("holdfast_webhooks_endpoints_disabled_total"), 1.0);
    let found = check(&app).await;
    assert!(found.status == Health::Warn && found.summary.contains("1 were disabled"), "{found:?}");
    until("nobody said so", async || other.seen().len() == 1).await;
    let said = body(&other.seen()[0]);
    assert_eq!((&said["type"], &said["data"]["endpoint_id"]), (&json!("webhooks.endpoint.disabled"), &json!(broken)));
    // Nothing more goes there, until somebody enables it.
    admin.post(&format!("{PATH}/{broken}/test"), &json!({})).await.problem(409, "endpoint_disabled");
    let attempts = receiver.seen().len();
    app.person("default", holdfast::platform::http::Role::Viewer).await;
    // Long enough for it to be delivered, if it were sent.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(receiver.seen().len(), attempts);
    receiver.answer_with(200);
    let enabled = admin.patch(&format!("{PATH}/{broken}"), &json!({"enabled": true})).await.expect(200);
    assert_eq!((&enabled["state"], &enabled["failing_since"]), (&json!("enabled"), &Value::Null));
    test_message(&admin, &broken).await;
    until("not told again", async || receiver.seen().len() == attempts + 1).await;
    // Gone is gone at once.
    other.answer_with(410);
    test_message(&admin, &watching).await;
    until("not gone", async || endpoint(&admin, &watching).await["disabled_reason"] == "gone").await;
    app.stop().await;
}

fn metric_retried(app: &TestApp) -> f64 {
    app.metric("holdfast_webhooks_deliveries_total{origin=\"organisation\",outcome=\"retried\"}")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_too_long_is_given_up() {
    let (receiver, app) = (Receiver::start().await, start_with(&[("HOLDFAST_WEBHOOKS__GIVE_UP_HOURS", "2")]).await);
    let admin = app.admin().await;
    let (endpoint_id, _) = make(&admin, json!({"url": receiver.url})).await;
    receiver.answer_with(500);
    let old = test_message(&admin, &endpoint_id).await;
    until("no attempt", async || deliveries(&admin, &endpoint_id, "").await[0]["attempts"] == 1).await;
    app.clock.advance(TimeDelta::hours(3));
    let admin = app.admin().await;
    replay(&admin, &old).await;
    until("not given up", async || deliveries(&admin, &endpoint_id, "").await[0]["state"] == "dead").await;
    app.wait_for_jobs().await;
    let dead = deliveries(&admin, &endpoint_id, "").await[0].clone();
    assert!(dead["error"].as_str().unwrap().contains("500"), "{dead}");
    assert_eq!(app.metric("holdfast_webhooks_deliveries_total{origin=\"organisation\",outcome=\"dead\"}"), 1.0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_neither_sees_nor_hears_of_another() {
    let (receiver, app) = (Receiver::start().await, start().await);
    let admin = app.admin().await;
    let (ours, _) = make(&admin, json!({"url": format!("{}/ours", receiver.url)})).await;
    let other = app.other_org("other").await;
    make(&other, json!({"url": format!("{}/theirs", receiver.url)})).await;
    let delivery = test_message(&admin, &ours).await;
    for path in [
        format!("{PATH}/{ours}"),
        format!("{PATH}/{ours}/deliveries"),
        format!("/api/v1/webhook-deliveries/{delivery}"),
    ] {
        other.get(&path).await.expect(404);
    }
    other.patch(&format!("{PATH}/{ours}"), &json!({"enabled": false})).await.expect(404);
    other.delete(&format!("{PATH}/{ours}")).await.expect(404);
    other.post(&format!("{PATH}/{ours}/secret"), &json!({})).await.expect(404);
    other.post(&format!("/api/v1/webhook-deliveries/{delivery}/replay"), &json!({})).await.expect(404);
    let list = other.get(PATH).await.expect(200);
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
    other.post("/api/v1/agents", &json!({"name": "Theirs"})).await.expect(201);
    until("no event", async || receiver.seen().iter().any(|seen| body(seen)["type"] == "agents.agent.created")).await;
    app.wait_for_jobs().await;
    let agents: Vec<_> =
        receiver.seen().into_iter().filter(|seen| body(seen)["type"] == "agents.agent.created").collect();
    assert_eq!(agents.iter().map(|seen| seen.path.as_str()).collect::<Vec<_>>(), ["/theirs"]);
    // Of the installation: operators only, and its own events only.
    other.post(PATH, &json!({"url": receiver.url, "installation": true})).await.expect(403);
    other.get(&format!("{PATH}?installation=true")).await.expect(403);
    let member = app.person("default", holdfast::platform::http::Role::Member).await;
    member.get(PATH).await.expect(403);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_installations_endpoints_are_told_of_alerts_and_not_of_organisations() {
    let receiver = Receiver::start().await;
    let app = start_with(&[("HOLDFAST_ALERTING__TOKEN", "a-token-for-alertmanager")]).await;
    let admin = app.admin().await;
    let (house, secret) = make(
        &admin,
        json!({
            "url": format!("{}/house", receiver.url), "installation": true, "topics": ["alerting.alert.firing"],
        }),
    )
    .await;
    make(&admin, json!({"url": format!("{}/org", receiver.url), "topics": ["alerting.alert.firing"]})).await;
    admin.post("/api/v1/agents", &json!({"name": "Not theirs"})).await.expect(201);
    let alert = json!({
        "version": "4", "groupKey": "x", "truncatedAlerts": 0, "status": "firing", "receiver": "holdfast", "groupLabels": {},
        "commonLabels": {}, "commonAnnotations": {}, "externalURL": "http://alertmanager:9093",
        "alerts": [{"status": "firing", "labels": {"alertname": "DiskFull", "severity": "critical"}, "annotations": {},
            "startsAt": app.clock.now(), "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "", "fingerprint": "00000000000000aa"}],
    });
    let request = app.anonymous().request(Method::POST, "/api/v1/alerts").bearer_auth("a-token-for-alertmanager");
    app.anonymous().send(request.json(&alert)).await.expect(200);
    until("no alert", async || !receiver.seen().is_empty()).await;
    app.wait_for_jobs().await;
    let seen = receiver.seen();
    assert_eq!(seen.iter().map(|seen| seen.path.as_str()).collect::<Vec<_>>(), ["/house"]);
    let said = body(&seen[0]);
    assert_eq!((&said["type"], &said["data"]["name"]), (&json!("alerting.alert.firing"), &json!("DiskFull")));
    assert_eq!(verify(&seen[0], &secret).await, (1, 1));
    assert_eq!(deliveries(&admin, &house, "").await.len(), 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_inside_are_not_asked_for_an_organisation() {
    let (receiver, app) = (Receiver::start().await, TestApp::start().await);
    let admin = app.admin().await;
    for (url, code) in [
        (receiver.url.as_str(), "not_public"),
        ("http://169.254.169.254/latest/meta-data/", "not_public"),
        ("http://[::ffff:10.0.0.1]/", "not_public"),
        ("http://2130706433/", "not_public"),
        ("ftp://example.com/", "invalid"),
        ("", "invalid"),
    ] {
        let refused = admin.post(PATH, &json!({"url": url})).await.expect(422);
        assert_eq!(
            (&refused["errors"][0]["pointer"], &refused["errors"][0]["code"]),
            (&json!("/url"), &json!(code)),
            "{url}"
        );
    }
    let unknown = admin.post(PATH, &json!({"url": "https://example.com/", "topics": ["no.such.thing"]})).await;
    assert_eq!(unknown.expect(422)["errors"][0]["code"], "unknown_topic");
    // A name that leads inside is seen when it is resolved.
    let port = receiver.url.rsplit(':').next().unwrap().to_owned();
    let (endpoint_id, _) = make(&admin, json!({"url": format!("http://localhost:{port}/")})).await;
    test_message(&admin, &endpoint_id).await;
    until("no attempt", async || deliveries(&admin, &endpoint_id, "").await[0]["attempts"] == 1).await;
    let failed = deliveries(&admin, &endpoint_id, "").await[0].clone();
    assert!(failed["error"].as_str().unwrap().contains("localhost has no public address"), "{failed}");
    assert!(receiver.seen().is_empty());
    // Operators' own addresses may be inside.
    let (house, _) = make(&admin, json!({"url": receiver.url, "installation": true})).await;
    test_message(&admin, &house).await;
    until("not told", async || receiver.seen().len() == 1).await;
    app.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_make_show_and_change_webhooks() {
    let (receiver, app) = (Receiver::start().await, start().await);
    let admin = app.admin().await;
    let form = async |path: String, fields: &[(&str, &str)]| submit(&admin, &path, fields).await;
    let empty = admin.get("/settings/webhooks").await;
    assert!(empty.status == 200 && empty.text.contains("No webhooks yet"), "{}", empty.text);
    let refused = form("/settings/webhooks".into(), &[("url", "http://10.0.0.1/")]).await;
    assert!(refused.status == 422 && refused.text.contains("10.0.0.1"), "{}", refused.text);
    let made = form(
        "/settings/webhooks".into(),
        &[("url", &format!("{}/page", receiver.url)), ("description", "By hand"), ("topics", "agents.agent.created")],
    )
    .await;
    assert!(made.status == 200 && made.text.contains("whsec_"), "{}", made.text);
    let list = admin.get("/settings/webhooks?q=by+hand").await.text;
    assert!(list.contains("/page") && list.contains("agents.agent.created") && !list.contains("whsec_"), "{list}");
    assert!(admin.get("/settings/webhooks?q=nothing").await.text.contains("/settings/webhooks\""));
    let id = admin.get(PATH).await.expect(200)["data"][0]["id"].as_str().unwrap().to_owned();
    let page = format!("/settings/webhooks/{id}");
    assert!(admin.get(&page).await.text.contains("Nothing has been sent yet"));
    assert!(form(format!("{page}/test"), &[]).await.status.is_redirection());
    until("no test message", async || receiver.seen().len() == 1).await;
    app.wait_for_jobs().await;
    let delivery = deliveries(&admin, &id, "").await[0]["id"].as_str().unwrap().to_owned();
    let shown = admin.get(&page).await.text;
    assert!(shown.contains("webhooks.test") && shown.contains(&delivery), "{shown}");
    let one = admin.get(&format!("/settings/webhook-deliveries/{delivery}")).await.text;
    assert!(one.contains("webhook-id") && one.contains("endpoint_id"), "{one}");
    assert!(form(format!("/settings/webhook-deliveries/{delivery}/replay"), &[]).await.status.is_redirection());
    until("not sent again", async || receiver.seen().len() == 2).await;
    let rotated = form(format!("{page}/secret"), &[]).await;
    assert!(rotated.status == 200 && rotated.text.contains("whsec_"));
    assert!(form(format!("{page}/enabled"), &[("enabled", "false")]).await.status.is_redirection());
    assert!(admin.get(&page).await.text.contains("This webhook is disabled"));
    let fields = [("url", receiver.url.as_str()), ("description", "Changed")];
    assert!(form(page.clone(), &fields).await.status.is_redirection());
    assert!(admin.get(&page).await.text.contains("Changed"));
    let russian = open(&admin, &page, "ru").await.text;
    assert!(russian.contains("Вебхук отключён"), "{russian}");
    assert!(form(format!("{page}/delete"), &[]).await.status.is_redirection());
    assert_eq!(admin.get(&page).await.status, 404);
    let viewer = app.person("default", holdfast::platform::http::Role::Viewer).await;
    assert_eq!(viewer.get("/settings/webhooks").await.status, 403);
    app.stop().await;
}
