//! Events that become mail, on the real router, worker and PostgreSQL. The mail server refuses connections: what was written waits in the outbox.

use chrono::{DateTime, Utc};
use holdfast::{
    backup::{Kind, ProgressReporter},
    events::{EventId, Occurred},
    jobs::JobId,
    platform::{
        health::{CheckResult, Status as Health, run_all},
        http::Role,
        ids::OrgId,
    },
    webhooks::{EndpointDisabled, EndpointId},
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::{
    app::{ADMIN_EMAIL, Client, TestApp},
    vault::Vault,
    wait::until,
};

const TOKEN: &str = "a-token-for-alertmanager";
/// Nobody listens on port 1.
const MAIL: [(&str, &str); 4] = [
    ("HOLDFAST_MAIL__FROM", "Holdfast <holdfast@example.com>"),
    ("HOLDFAST_MAIL__SMTP_HOST", "127.0.0.1"),
    ("HOLDFAST_MAIL__SMTP_PORT", "1"),
    ("HOLDFAST_MAIL__SMTP_SECURITY", "none"),
];

/// With a mail server; settings named later win.
async fn start(settings: &[(&str, &str)]) -> TestApp {
    TestApp::start_with(&[&[("HOLDFAST_ALERTING__TOKEN", TOKEN)], &MAIL[..], settings].concat()).await
}

/// Mails of this kind, of the installation or of the organisation.
async fn mails(admin: &Client, installation: bool, kind: &str) -> Vec<Value> {
    let path = format!("/api/v1/mail/messages?kind={kind}&installation={installation}");
    admin.get(&path).await.expect(200)["data"].as_array().unwrap().clone()
}

/// Its text, of the newest.
async fn text(admin: &Client, mails: &[Value]) -> String {
    let path = format!("/api/v1/mail/messages/{}", mails[0]["id"].as_str().unwrap());
    admin.get(&path).await.expect(200)["text"].as_str().unwrap().to_owned()
}

/// An alert that began an hour ago; it ends with `ends_at`.
async fn alert(app: &TestApp, name: &str, severity: &str, ends_at: Option<DateTime<Utc>>) {
    let alert = json!({
        "status": if ends_at.is_some() { "resolved" } else { "firing" },
        "labels": {"alertname": name, "severity": severity},
        "annotations": {"summary": format!("{name} is wrong"), "description": "It went from 1 to 2."},
        "startsAt": "2026-01-01T00:00:00Z", "endsAt": ends_at, "generatorURL": "", "fingerprint": format!("{name:0>16}"),
    });
    let body = json!({"version": "4", "status": "firing", "receiver": "holdfast", "alerts": [alert]});
    let client = app.anonymous().with_key(TOKEN);
    client.post("/api/v1/alerts", &body).await.expect(200);
}

/// The events of a topic, as subscribers get them.
async fn events(app: &TestApp, topic: &str) -> Vec<Occurred> {
    type Row = (Uuid, Option<Uuid>, String, i16, String, Value, DateTime<Utc>);
    let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, org_id, topic, version, key, payload, created_at FROM events WHERE topic = $1 ORDER BY id",
    )
    .bind(topic)
    .fetch_all(&mut db)
    .await
    .unwrap();
    let event = |(id, org, topic, version, key, payload, created_at): Row| Occurred {
        id: EventId(id),
        org_id: org.map(OrgId),
        topic,
        version,
        key,
        payload,
        created_at,
        trace_id: None,
    };
    rows.into_iter().map(event).collect()
}

async fn number(app: &TestApp, sql: &'static str) -> i64 {
    let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut db).await.unwrap()
}

/// Jobs about events that have ended.
async fn told(app: &TestApp) -> i64 {
    number(app, "SELECT count(*) FROM job_history WHERE kind = 'notices.tell'").await
}

async fn check(app: &TestApp) -> CheckResult {
    let checks: Vec<_> = app.app.checks().into_iter().filter(|check| check.name() == "notices.recipients").collect();
    run_all(&checks).await.remove(0).result
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_joins_is_welcomed_by_the_organisation() {
    let app = start(&[("HOLDFAST_NOTICES__LANGUAGE", "ru")]).await;
    let admin = app.admin().await;
    app.person("default", Role::Member).await;
    until("no welcome", async || mails(&admin, false, "welcome").await.len() == 1).await;
    let found = mails(&admin, false, "welcome").await;
    assert_eq!(found[0]["to_address"], "member@default.example.com");
    assert_eq!(found[0]["language"], "ru");
    assert!(text(&admin, &found).await.contains("/login"));
    assert!(mails(&admin, true, "welcome").await.is_empty(), "it belongs to the organisation");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_critical_alert_is_told_at_once_and_never_twice() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    // An alert whose runbook comes with the program.
    alert(&app, "WebhookEndpointDisabled", "critical", None).await;
    until("no mail", async || mails(&admin, true, "alert").await.len() == 1).await;
    let found = mails(&admin, true, "alert").await;
    assert_eq!(found[0]["to_address"], ADMIN_EMAIL);
    let said = text(&admin, &found).await;
    for part in
        ["WebhookEndpointDisabled is wrong", "It went from 1 to 2.", "/alerts/", "/runbooks/WebhookEndpointDisabled"]
    {
        assert!(said.contains(part), "no {part} in {said}");
    }
    let event = events(&app, "alerting.alert.firing").await.remove(0);
    app.app.notices.tell(&event).await.unwrap();
    assert_eq!(mails(&admin, true, "alert").await.len(), 1, "the same event was mailed twice");
    alert(&app, "WebhookEndpointDisabled", "critical", Some(app.clock.now())).await;
    until("no mail about its end", async || mails(&admin, true, "alert").await.len() == 2).await;
    assert!(text(&admin, &mails(&admin, true, "alert").await).await.contains("has ended"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_alerts_come_together() {
    let app = start(&[("HOLDFAST_NOTICES__TO", r#"["Ops <ops@a.example.com>", "boss@b.example.com"]"#)]).await;
    let admin = app.admin().await;
    alert(&app, "DiskFills", "warning", None).await;
    alert(&app, "CertificateEnds", "info", None).await;
    alert(&app, "DiskFills", "warning", Some(app.clock.now())).await;
    until("events are not told", async || told(&app).await >= 3).await;
    // Told of twice, it is listed once.
    let event = events(&app, "alerting.alert.resolved").await.remove(0);
    app.app.notices.tell(&event).await.unwrap();
    assert!(mails(&admin, true, "alert").await.is_empty());
    app.app.notices.digest().await.unwrap();
    let found = mails(&admin, true, "digest").await;
    let mut to: Vec<_> = found.iter().map(|mail| mail["to_address"].as_str().unwrap()).collect();
    to.sort_unstable();
    assert_eq!(to, ["boss@b.example.com", "ops@a.example.com"]);
    let said = text(&admin, &found).await;
    for part in ["DiskFills fires (warning)", "CertificateEnds fires (info)", "DiskFills has ended (warning)"] {
        assert_eq!(said.matches(part).count(), 1, "{part} in {said}");
    }
    app.app.notices.digest().await.unwrap();
    assert_eq!(mails(&admin, true, "digest").await.len(), 2, "nothing is new");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_hear_of_backups() {
    let vault = Vault::new();
    let settings = vault.settings();
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let app = start(&settings).await;
    let admin = app.admin().await;
    app.app.backups.run(Kind::Manual, &ProgressReporter::silent(CancellationToken::new())).await.unwrap();
    until("no report", async || mails(&admin, true, "backup_report").await.len() == 1).await;
    let found = mails(&admin, true, "backup_report").await;
    assert_eq!(
        (&found[0]["subject"], &found[0]["to_address"]),
        (&json!("Backup made and verified"), &json!(ADMIN_EMAIL))
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn admins_hear_of_a_disabled_webhook_of_their_organisation() {
    let app = start(&[]).await;
    let (admin, other) = (app.admin().await, app.other_org("other").await);
    app.person("other", Role::Member).await;
    let me = other.get("/api/v1/auth/me").await.expect(200);
    let org: OrgId = me["organisation_id"].as_str().unwrap().parse().unwrap();
    let endpoint_id = EndpointId::generate(&app.clock);
    let mut tx = app.app.db.tenant(org).await.unwrap();
    let event = EndpointDisabled { endpoint_id, reason: "gone" };
    holdfast::events::publish(&mut tx, &app.clock, Some(org), &event).await.unwrap();
    tx.commit().await.unwrap();
    until("no mail", async || !mails(&other, false, "alert").await.is_empty()).await;
    let found = mails(&other, false, "alert").await;
    let to: Vec<_> = found.iter().map(|mail| mail["to_address"].as_str().unwrap()).collect();
    assert_eq!(to, ["owner@other.example.com"]);
    let said = text(&other, &found).await;
    assert!(said.contains(&format!("/settings/webhooks/{endpoint_id}")) && said.contains("410 Gone"), "{said}");
    assert!(mails(&admin, true, "alert").await.is_empty());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_weekly_report_comes_once_for_its_job() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    alert(&app, "DiskFills", "warning", None).await;
    let job = JobId::generate(&app.clock);
    app.app.notices.report(job).await.unwrap();
    app.app.notices.report(job).await.unwrap();
    let found = mails(&admin, true, "weekly_report").await;
    assert_eq!(found.len(), 1, "{found:?}");
    let said = text(&admin, &found).await;
    for part in ["Answers: 0", "Last trial restore: never", "DiskFills (warning)", "still lasts"] {
        assert!(said.contains(part), "no {part} in {said}");
    }
    app.stop().await;
}

/// The preference is the mailer's; this proves that notices go through it.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_unsubscribed_from_a_kind_is_left_out() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    let refused = json!({"address": ADMIN_EMAIL, "kind": "alert", "detail": "on holiday", "installation": true});
    admin.post("/api/v1/mail/suppressions", &refused).await.expect(201);
    alert(&app, "DatabaseDown", "critical", None).await;
    until("no row", async || mails(&admin, true, "alert").await.len() == 1).await;
    assert_eq!(mails(&admin, true, "alert").await[0]["state"], "suppressed");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_for_nobody_is_counted_and_the_check_fails() {
    let app = start(&[("HOLDFAST_ADMIN__EMAIL", "admin@localhost")]).await;
    let result = check(&app).await;
    assert_eq!(result.status, Health::Fail, "{result:?}");
    alert(&app, "DatabaseDown", "critical", None).await;
    let unmade = r#"holdfast_notices_unmade_total{kind="alert",reason="no_recipient"}"#;
    until("it is not counted", async || app.metric(unmade) >= 1.0).await;
    assert_eq!(number(&app, "SELECT count(*) FROM mail_messages").await, 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_made_while_notices_or_mail_are_off() {
    let app = start(&[("HOLDFAST_NOTICES__ENABLED", "false")]).await;
    alert(&app, "DatabaseDown", "critical", None).await;
    until("the event is not handled", async || told(&app).await >= 1).await;
    assert_eq!(number(&app, "SELECT count(*) FROM mail_messages").await, 0);
    assert_eq!(check(&app).await.status, Health::Pass);
    app.stop().await;

    let app = TestApp::start_with(&[("HOLDFAST_ALERTING__TOKEN", TOKEN)]).await;
    alert(&app, "DatabaseDown", "critical", None).await;
    let unmade = r#"holdfast_notices_unmade_total{kind="alert",reason="mail_off"}"#;
    until("it is not counted", async || app.metric(unmade) >= 1.0).await;
    assert_eq!(number(&app, "SELECT count(*) FROM mail_messages").await, 0);
    app.stop().await;
}
