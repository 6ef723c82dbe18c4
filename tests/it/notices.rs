//! Events that become mail, on the real router, worker and PostgreSQL. The mail server refuses connections: what was written waits in the outbox.

use chrono::{DateTime, TimeDelta, Utc};
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
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    alerting::pages::{open, submit},
    support::{
        app::{ADMIN_EMAIL, ADMIN_PASSWORD, Client, TestApp},
        vault::Vault,
        wait::until,
    },
};

const TOKEN: &str = "a-token-for-alertmanager";
/// The digest is made when a test asks for it.
const WITHOUT_MAIL: [(&str, &str); 2] =
    [("HOLDFAST_ALERTING__TOKEN", TOKEN), ("HOLDFAST_NOTICES__DIGEST_SCHEDULE", "0 0 1 1 *")];
/// Nobody listens on port 1.
const MAIL: [(&str, &str); 4] = [
    ("HOLDFAST_MAIL__FROM", "Holdfast <holdfast@example.com>"),
    ("HOLDFAST_MAIL__SMTP_HOST", "127.0.0.1"),
    ("HOLDFAST_MAIL__SMTP_PORT", "1"),
    ("HOLDFAST_MAIL__SMTP_SECURITY", "none"),
];

/// With a mail server; settings named later win.
async fn start(settings: &[(&str, &str)]) -> TestApp {
    TestApp::start_with(&[&WITHOUT_MAIL[..], &MAIL[..], settings].concat()).await
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

/// An alert as Alertmanager reports it.
struct Alert {
    name: &'static str,
    severity: &'static str,
    began: DateTime<Utc>,
    ended: Option<DateTime<Utc>>,
    /// Of how many hosts.
    hosts: usize,
}

/// One that began an hour ago.
fn alert(app: &TestApp, name: &'static str, severity: &'static str) -> Alert {
    Alert { name, severity, began: app.clock.now() - TimeDelta::hours(1), ended: None, hosts: 1 }
}

async fn report(app: &TestApp, alert: &Alert) {
    let Alert { name, severity, began, ended, hosts } = alert;
    let of_host = |host: usize| {
        json!({
            "status": if ended.is_some() { "resolved" } else { "firing" },
            "labels": {"alertname": name, "severity": severity, "host": host.to_string(), "service": name.to_lowercase()},
            "annotations": {"summary": format!("{name} is wrong"), "description": "It went from 1 to 2."},
            "startsAt": began, "endsAt": ended, "generatorURL": "", "fingerprint": format!("{name}{host:0>16}"),
        })
    };
    let alerts: Vec<Value> = (0..*hosts).map(of_host).collect();
    let body = json!({"version": "4", "status": "firing", "receiver": "holdfast", "alerts": alerts});
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

/// Notices of a kind that were not made for this reason.
fn unmade(app: &TestApp, kind: &str, reason: &str) -> i64 {
    app.metric(&format!("holdfast_notices_unmade_total{{kind=\"{kind}\",reason=\"{reason}\"}}")) as i64
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
    // Its link leads to this host only.
    let result = check(&app).await;
    assert!(
        result.status == Health::Warn && result.remedy.unwrap().contains("server.public_url"),
        "{}",
        result.summary
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_critical_alert_is_told_at_once_and_never_twice() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    // An alert whose runbook comes with the program.
    let mut fires = alert(&app, "WebhookEndpointDisabled", "critical");
    report(&app, &fires).await;
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
    fires.ended = Some(app.clock.now());
    report(&app, &fires).await;
    until("no mail about its end", async || mails(&admin, true, "alert").await.len() == 2).await;
    assert!(text(&admin, &mails(&admin, true, "alert").await).await.contains("has ended"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_alerts_come_together() {
    let app = start(&[("HOLDFAST_NOTICES__TO", r#"["Ops <ops@a.example.com>", "boss@b.example.com"]"#)]).await;
    let admin = app.admin().await;
    let mut disk = alert(&app, "DiskFills", "warning");
    report(&app, &disk).await;
    report(&app, &alert(&app, "CertificateEnds", "info")).await;
    disk.ended = Some(app.clock.now());
    report(&app, &disk).await;
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

/// Ten thousand alerts must not be ten thousand mails for each person.
#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_alerts_is_a_few_mails() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    report(&app, &Alert { hosts: 40, ..alert(&app, "NodeDown", "critical") }).await;
    until("events are not told", async || told(&app).await >= 40).await;
    assert_eq!(mails(&admin, true, "alert").await.len(), 5);
    assert!(mails(&admin, true, "digest").await.is_empty());
    // The job that waits does this at the end of the window.
    let waiting = "SELECT count(*) FROM jobs WHERE kind = 'notices.together' AND run_at > now()";
    assert_eq!(number(&app, waiting).await, 1);
    app.app.notices.together().await.unwrap();
    let found = mails(&admin, true, "digest").await;
    assert_eq!(found.len(), 1);
    let said = text(&admin, &found).await;
    assert_eq!(said.matches("NodeDown fires (critical) × 35").count(), 1, "{said}");
    assert_eq!(number(&app, "SELECT count(*) FROM notice_items").await, 0);
    // After the window, which is longer while the mail server does not answer, single alerts are told at once again.
    app.clock.advance(TimeDelta::hours(7));
    report(&app, &alert(&app, "DatabaseDown", "critical")).await;
    until("no mail", async || mails(&admin, true, "alert").await.len() == 6).await;
    app.stop().await;
}

/// More rules than a mail lists: it says how many alerts there are besides.
#[tokio::test(flavor = "multi_thread")]
async fn a_digest_has_an_end() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
    let many = "INSERT INTO notice_items (event_id, alert_id, state, name, severity, summary, at, urgent, created_at)
                SELECT gen_random_uuid(), gen_random_uuid(), 'firing', 'Rule' || (n % 60), 'info', '', now(), false, now()
                FROM generate_series(1, 6000) n";
    sqlx::query(many).execute(&mut db).await.unwrap();
    // From before yesterday: nobody needs them.
    let old = "INSERT INTO notice_items (event_id, alert_id, state, name, severity, summary, at, urgent, created_at)
               SELECT gen_random_uuid(), gen_random_uuid(), 'firing', 'Old', 'critical', '', now(), false, now() - interval '2 days'
               FROM generate_series(1, 7) n";
    sqlx::query(old).execute(&mut db).await.unwrap();
    app.app.notices.digest().await.unwrap();
    let found = mails(&admin, true, "digest").await;
    assert_eq!(found.len(), 1);
    let said = text(&admin, &found).await;
    assert_eq!(said.matches("fires (info) × 100").count(), 50, "{said}");
    assert!(said.contains("1,000 more") && !said.contains("Old"), "{said}");
    assert_eq!(unmade(&app, "digest", "late"), 7);
    assert_eq!(number(&app, "SELECT count(*) FROM notice_items").await, 0);
    app.stop().await;
}

/// The same event again, under another id and topic, and at another time.
fn as_event(event: &Occurred, topic: &str, created_at: DateTime<Utc>, app: &TestApp) -> Occurred {
    Occurred { id: EventId::generate(&app.clock), topic: topic.to_owned(), created_at, ..event.clone() }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_handled_days_later_is_not_told() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    report(&app, &alert(&app, "DatabaseDown", "critical")).await;
    until("no mail", async || mails(&admin, true, "alert").await.len() == 1).await;
    let event = events(&app, "alerting.alert.firing").await.remove(0);
    let late = as_event(&event, &event.topic, app.clock.now() - TimeDelta::hours(25), &app);
    app.app.notices.tell(&late).await.unwrap();
    assert_eq!(mails(&admin, true, "alert").await.len(), 1);
    assert_eq!(unmade(&app, "alert", "late"), 1);
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
    // Whoever makes a backup every five minutes is not told each time, but of what goes wrong and when it works again.
    let (finished, failed) = ("backup.backup.finished", "backup.backup.failed");
    let event = events(&app, finished).await.remove(0);
    for (topic, mailed) in [(finished, 1), (failed, 2), (failed, 2), (finished, 3), (finished, 3)] {
        app.app.notices.tell(&as_event(&event, topic, app.clock.now(), &app)).await.unwrap();
        assert_eq!(mails(&admin, true, "backup_report").await.len(), mailed, "after {topic}");
    }
    assert_eq!(unmade(&app, "backup_report", "often"), 3);
    app.clock.advance(TimeDelta::hours(21));
    app.app.notices.tell(&as_event(&event, finished, app.clock.now(), &app)).await.unwrap();
    assert_eq!(mails(&admin, true, "backup_report").await.len(), 4);
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
    // Five hours and three quarters from UTC.
    let app = start(&[("HOLDFAST_NOTICES__TIME_ZONE", "Asia/Kathmandu")]).await;
    let admin = app.admin().await;
    let fires = alert(&app, "DiskFills", "warning");
    report(&app, &fires).await;
    // It began long before the week, and still lasts.
    let disk = alert(&app, "CertificateEnds", "info");
    report(&app, &Alert { began: disk.began - TimeDelta::days(30), ..disk }).await;
    let job = JobId::generate(&app.clock);
    app.app.notices.report(job).await.unwrap();
    app.app.notices.report(job).await.unwrap();
    let found = mails(&admin, true, "weekly_report").await;
    assert_eq!(found.len(), 1, "{found:?}");
    let said = text(&admin, &found).await;
    let there = (fires.began + TimeDelta::minutes(345)).format("%Y, %H:%M Asia/Kathmandu").to_string();
    assert!(said.contains(&there) && !said.contains("UTC"), "no {there} in {said}");
    for part in ["Answers: 0", "Last trial restore: never", "DiskFills (warning)", "CertificateEnds (info)"] {
        assert!(said.contains(part), "no {part} in {said}");
    }
    assert_eq!(said.matches("still lasts").count(), 2, "{said}");
    app.stop().await;
}

/// Of all organisations, once for each person; nothing is cut off in silence.
#[tokio::test(flavor = "multi_thread")]
async fn the_weekly_report_counts_everything() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    app.other_org("other").await;
    report(&app, &Alert { hosts: 130, ..alert(&app, "DiskFills", "warning") }).await;
    let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
    // In each of two organisations two people with two answers of this week, one of the week before and one of earlier.
    for sql in [
        "INSERT INTO agents (id, org_id, slug, name, current_version, created_at, updated_at)
         SELECT gen_random_uuid(), id, 'report', 'Report', 1, now(), now() FROM organisations",
        "INSERT INTO conversations (id, org_id, agent_id, subject, created_at, updated_at)
         SELECT gen_random_uuid(), org_id, id, 'user:' || n, now(), now() FROM agents, generate_series(1, 2) n",
        "INSERT INTO messages (id, org_id, conversation_id, role, status, content, created_at)
         SELECT gen_random_uuid(), c.org_id, c.id, m.role, m.status, 'x', now() - m.ago
         FROM conversations c, (VALUES ('assistant', 'complete', interval '1 day'), ('assistant', 'failed', interval '2 days'),
           ('user', 'complete', interval '1 day'), ('assistant', 'complete', interval '8 days'),
           ('assistant', 'complete', interval '15 days')) AS m (role, status, ago)",
        "INSERT INTO backups (id, sequence, kind, status, started_at, finished_at)
         SELECT gen_random_uuid(), n, 'manual', CASE n WHEN 1 THEN 'failed' ELSE 'verified' END, at, at
         FROM generate_series(1, 2501) n, (VALUES (now() - interval '1 day')) AS t (at)",
    ] {
        sqlx::query(sql).execute(&mut db).await.unwrap();
    }
    app.app.notices.report(JobId::generate(&app.clock)).await.unwrap();
    let found = mails(&admin, true, "weekly_report").await;
    assert_eq!(found[0]["subject"], "Your week: 8 answers, 130 incidents");
    let said = text(&admin, &found).await;
    for part in [
        "Answers: 8 (the week before: 4)",
        "Failed: 4",
        "People who asked: 2",
        "Made and verified: 2,500",
        "Failed or not verified: 1",
        "And 30 more that this mail does not list.",
    ] {
        assert!(said.contains(part), "no {part} in {said}");
    }
    assert_eq!(said.matches("DiskFills (warning)").count(), 100, "{said}");
    app.stop().await;
}

/// The preference is the mailer's; this proves that notices go through it.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_unsubscribed_from_a_kind_is_left_out() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    assert_ne!(check(&app).await.status, Health::Fail);
    let refused = json!({"address": ADMIN_EMAIL, "kind": "alert", "detail": "on holiday", "installation": true});
    admin.post("/api/v1/mail/suppressions", &refused).await.expect(201);
    // Nobody is left.
    let result = check(&app).await;
    assert!(result.status == Health::Fail && result.summary.contains("suppressed"), "{result:?}");
    report(&app, &alert(&app, "DatabaseDown", "critical")).await;
    until("no row", async || mails(&admin, true, "alert").await.len() == 1).await;
    assert_eq!(mails(&admin, true, "alert").await[0]["state"], "suppressed");
    app.stop().await;
}

/// As behind the link in a notice, for whoever is signed in.
#[tokio::test(flavor = "multi_thread")]
async fn people_choose_their_notices_on_a_page_of_their_account() {
    const PAGE: &str = "/account/notices";
    let app = start(&[]).await;
    let (admin, owner) = (app.admin().await, app.other_org("other").await);
    let member = app.person("default", Role::Member).await;
    let shown = async |client: &Client| open(client, PAGE, "en").await.text;
    // An operator who owns an organisation, the owner of another one, and somebody who gets none.
    let all = shown(&admin).await;
    for part in ["About this installation", "Weekly report", "A webhook was disabled", ADMIN_EMAIL] {
        assert!(all.contains(part), "no {part} in {all}");
    }
    assert!(open(&admin, "/account", "en").await.text.contains(PAGE));
    let some = shown(&owner).await;
    assert!(some.contains("A webhook was disabled") && !some.contains("About this installation"), "{some}");
    assert!(shown(&member).await.contains("No notices to choose"));
    // No alerts, but the rest.
    let wanted = ["digest", "backup_report", "weekly_report"].map(|kind| ("wanted", kind));
    assert_eq!(submit(&admin, PAGE, &[&[("whose", "")], &wanted[..]].concat()).await.status, 303);
    let off =
        "SELECT count(*) FROM mail_suppressions WHERE org_id IS NULL AND kind = 'alert' AND reason = 'unsubscribed'";
    assert_eq!((number(&app, off).await, number(&app, "SELECT count(*) FROM mail_suppressions").await), (1, 1));
    report(&app, &alert(&app, "DatabaseDown", "critical")).await;
    until("no row", async || mails(&admin, true, "alert").await.len() == 1).await;
    assert_eq!(mails(&admin, true, "alert").await[0]["state"], "suppressed");
    // Again, and nothing of what is somebody else's.
    let again = [&[("whose", ""), ("wanted", "alert")], &wanted[..]].concat();
    assert_eq!(submit(&admin, PAGE, &again).await.status, 303);
    let org = owner.get("/api/v1/auth/me").await.expect(200)["organisation_id"].as_str().unwrap().to_owned();
    for (client, whose) in [(&owner, ""), (&admin, &*org), (&member, "x")] {
        assert_eq!(submit(client, PAGE, &[("whose", whose)]).await.status, 409, "{whose}");
    }
    assert_eq!(number(&app, "SELECT count(*) FROM mail_suppressions").await, 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_for_nobody_is_counted_and_the_check_fails() {
    // As the compose file has it, unless one says otherwise.
    let app = start(&[("HOLDFAST_ADMIN__EMAIL", "admin@holdfast.local")]).await;
    let result = check(&app).await;
    assert_eq!(result.status, Health::Fail, "{result:?}");
    report(&app, &alert(&app, "DatabaseDown", "critical")).await;
    until("it is not counted", async || unmade(&app, "alert", "no_recipient") >= 1).await;
    assert_eq!(number(&app, "SELECT count(*) FROM mail_messages").await, 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_made_while_notices_are_off() {
    let app = start(&[("HOLDFAST_NOTICES__ENABLED", "false")]).await;
    report(&app, &alert(&app, "DatabaseDown", "critical")).await;
    until("the event is not handled", async || told(&app).await >= 1).await;
    assert_eq!(number(&app, "SELECT count(*) FROM mail_messages").await, 0);
    assert_eq!(check(&app).await.status, Health::Pass);
    app.stop().await;
}

/// An installation that wants no mail must not have a queue that is never empty, and an alert about it.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_mail_server_only_what_is_of_use_later_waits() {
    let app = TestApp::start_with(&WITHOUT_MAIL).await;
    let admin = app.admin().await;
    report(&app, &Alert { hosts: 10, ..alert(&app, "DatabaseDown", "critical") }).await;
    report(&app, &alert(&app, "DiskFills", "warning")).await;
    until("the events are not handled", async || told(&app).await >= 11).await;
    app.app.notices.digest().await.unwrap();
    app.app.notices.report(JobId::generate(&app.clock)).await.unwrap();
    for what in ["mail_messages", "notice_items", "jobs WHERE kind = 'notices.together'"] {
        let sql = AssertSqlSafe(format!("SELECT count(*) FROM {what}"));
        let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
        let found: i64 = sqlx::query_scalar(sql).fetch_one(&mut db).await.unwrap();
        assert_eq!(found, 0, "{what}");
    }
    // Not in silence.
    assert_eq!((unmade(&app, "alert", "mail_off"), unmade(&app, "weekly_report", "mail_off")), (11, 1));
    // The address to sign in at is still right when a server is set, within a week.
    app.person("default", Role::Member).await;
    until("no welcome", async || mails(&admin, false, "welcome").await.len() == 1).await;
    assert_eq!(mails(&admin, false, "welcome").await[0]["state"], "queued");
    let ends = "SELECT count(*) FROM mail_messages WHERE expires_at <= created_at + interval '7 days'";
    assert_eq!(number(&app, ends).await, 1);
    let result = check(&app).await;
    assert!(result.status == Health::Pass && result.summary.contains("not configured"), "{result:?}");
    app.stop().await;
}

/// Language of the newest mail of a kind.
async fn language(admin: &Client, installation: bool, kind: &str) -> Value {
    mails(admin, installation, kind).await[0]["language"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_written_to_in_their_language() {
    let app = start(&[("HOLDFAST_NOTICES__LANGUAGE", "ru")]).await;
    let admin = app.admin().await;
    let invite = async |email: &str| {
        let new = json!({"email": email, "role": "member"});
        let url = admin.post("/api/v1/members/links", &new).await.expect(201)["url"].as_str().unwrap().to_owned();
        url.split_once("token=").unwrap().1.to_owned()
    };
    let choose = async |lang: &str| {
        let chosen = submit(&admin, "/console/preferences", &[("lang", lang), ("back", "/")]).await;
        assert_eq!(chosen.status, 303, "{}", chosen.text);
    };
    // Nothing is known of anybody.
    invite("first@example.com").await;
    assert_eq!(language(&admin, false, "invitation").await, "ru");
    // An invitation speaks as whoever invites does in the console.
    choose("en").await;
    let token = invite("ada@example.com").await;
    assert_eq!(language(&admin, false, "invitation").await, "en");
    // The newcomer speaks as their browser.
    let stranger = app.anonymous();
    let body = json!({"token": token, "name": "Ada", "password": ADMIN_PASSWORD});
    let accept = stranger.request(Method::POST, "/api/v1/auth/links/accept").json(&body);
    let me = stranger.send(accept.header("accept-language", "en-GB, ru;q=0.5")).await.expect(200);
    until("no welcome", async || mails(&admin, false, "welcome").await.len() == 1).await;
    assert_eq!(language(&admin, false, "welcome").await, "en");
    choose("ru").await;
    let reset = format!("/api/v1/members/{}/reset-link", me["user"]["id"].as_str().unwrap());
    admin.post(&reset, &json!({})).await.expect(201);
    assert_eq!(language(&admin, true, "password_reset").await, "en", "not its maker's");
    // A browser that asks for another language changes nothing; one in which another was chosen does.
    let credentials = json!({"email": "ada@example.com", "password": ADMIN_PASSWORD});
    for (name, value, spoken) in [("accept-language", "ru", "en"), ("cookie", "hf_lang=ru", "ru")] {
        let login = stranger.request(Method::POST, "/api/v1/auth/login").json(&credentials);
        stranger.send(login.header(name, value)).await.expect(200);
        admin.post(&reset, &json!({})).await.expect(201);
        assert_eq!(language(&admin, true, "password_reset").await, spoken, "{name}: {value}");
    }
    // The operator's digest, and what it says.
    choose("en").await;
    report(&app, &alert(&app, "DiskFills", "warning")).await;
    until("no item", async || number(&app, "SELECT count(*) FROM notice_items").await == 1).await;
    app.app.notices.digest().await.unwrap();
    assert_eq!(language(&admin, true, "digest").await, "en");
    assert!(text(&admin, &mails(&admin, true, "digest").await).await.contains("DiskFills fires (warning)"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn links_are_mailed_to_whom_they_are_for() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    let member = app.person("default", Role::Member).await;
    let new = json!({"email": "new@example.com", "role": "member"});
    let made = admin.post("/api/v1/members/links", &new).await.expect(201);
    assert_eq!(made["mailed"], true);
    let invitations = mails(&admin, false, "invitation").await;
    assert_eq!((invitations.len(), &invitations[0]["to_address"]), (1, &json!("new@example.com")));
    // The link is in the mail, and in no log: an administrator could become the owner who was invited.
    let token = made["url"].as_str().unwrap().split_once("token=").unwrap().1;
    let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
    let kept: i64 =
        sqlx::query_scalar("SELECT count(*) FROM mail_bodies WHERE strpos(text, $1) > 0 AND strpos(html, $1) > 0")
            .bind(token)
            .fetch_one(&mut db)
            .await
            .unwrap();
    assert_eq!(kept, 1);
    let path = format!("/api/v1/mail/messages/{}", invitations[0]["id"].as_str().unwrap());
    let shown = admin.get(&path).await;
    shown.expect(200);
    assert!(!shown.text.contains(token) && shown.text.contains("not shown"), "{}", shown.text);

    let me = member.get("/api/v1/auth/me").await.expect(200);
    let path = format!("/api/v1/members/{}/reset-link", me["user"]["id"].as_str().unwrap());
    assert_eq!(admin.post(&path, &json!({})).await.expect(201)["mailed"], true);
    assert!(mails(&admin, false, "password_reset").await.is_empty(), "it is the installation's");
    let resets = mails(&admin, true, "password_reset").await;
    assert_eq!((resets.len(), &resets[0]["to_address"]), (1, &json!("member@default.example.com")));
    // Whoever may invite cannot send mail to all the world.
    let mut mailed = 2;
    for n in 0..25 {
        let new = json!({"email": format!("stranger{n}@example.com"), "role": "viewer"});
        mailed += usize::from(admin.post("/api/v1/members/links", &new).await.expect(201)["mailed"] == true);
    }
    assert!((20..=22).contains(&mailed), "{mailed}");
    app.stop().await;

    // Without a mail server no secret waits for a mail that may never be sent.
    let app = TestApp::start_with(&WITHOUT_MAIL).await;
    let admin = app.admin().await;
    let made = admin.post("/api/v1/members/links", &new).await.expect(201);
    assert_eq!(made["mailed"], false);
    assert_eq!(number(&app, "SELECT count(*) FROM mail_messages").await, 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_signs_in_from_a_new_device_is_told() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    app.admin().await;
    let firefox = |version: u32| {
        format!("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:{version}.0) Gecko/20100101 Firefox/{version}.0")
    };
    for version in [139, 140] {
        let client = app.anonymous();
        let body = json!({"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD});
        let request = client.request(Method::POST, "/api/v1/auth/login").json(&body);
        client.send(request.header("user-agent", firefox(version))).await.expect(200);
    }
    until("no mail", async || !mails(&admin, true, "new_device").await.is_empty()).await;
    // Neither the first sign-in, nor a second one from the same place, nor a newer version of the browser.
    assert_eq!(events(&app, "auth.device.added").await.len(), 1);
    let found = mails(&admin, true, "new_device").await;
    assert_eq!((found.len(), &found[0]["to_address"]), (1, &json!(ADMIN_EMAIL)));
    let said = text(&admin, &found).await;
    assert!(said.contains("Firefox · Windows") && said.contains("127.0.0.1") && said.contains("/account"), "{said}");
    app.stop().await;
}
