//! Reports of providers, through the real router: what counts, and what forged, repeated, late and foreign ones do not change.

use aws_lc_rs::{
    encoding::AsDer as _,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::TimeDelta;
use holdfast::platform::{crypto, ids::OrgId};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use super::outbox::{execute, number};
use crate::support::app::{Answer, Client, TestApp};

pub(super) const SOURCES: &str = "/api/v1/mail/sources";
/// Webhook signing key of the Mailgun account.
pub(super) const KEY: &str = "1f2e3d4c5b6a79880716253443526170";

pub(super) async fn org(app: &TestApp, slug: &str) -> OrgId {
    let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
    let id = sqlx::query_scalar("SELECT id FROM organisations WHERE slug = $1").bind(slug).fetch_one(&mut db).await;
    OrgId(id.unwrap())
}

fn reports(app: &TestApp, source: &str, outcome: &str) -> f64 {
    app.metric(&format!("holdfast_mail_reports_total{{source=\"{source}\",outcome=\"{outcome}\"}}"))
}

fn counted(app: &TestApp, kind: &str) -> f64 {
    app.metric(&format!("holdfast_mail_bounces_total{{kind=\"{kind}\"}}"))
}

fn ignored(app: &TestApp, reason: &str) -> f64 {
    app.metric(&format!("holdfast_mail_bounces_ignored_total{{reason=\"{reason}\"}}"))
}

/// A mail that was sent so long ago (an interval of PostgreSQL); `None` is the installation's. Its Message-ID is `<name>@example.org`.
pub(super) async fn sent(app: &TestApp, org: Option<OrgId>, name: &str, to: &str, ago: &str) {
    let org = org.map_or_else(|| "NULL".to_owned(), |org| format!("'{org}'"));
    let sql = format!(
        "INSERT INTO mail_messages (id, created_at, org_id, kind, language, to_address, to_key, to_name, subject, message_id, lane, state,
           attempts, send_at, sent_at, created_by)
         SELECT overlay(gen_random_uuid()::text placing overlay(lpad(to_hex((extract(epoch FROM t.at) * 1000)::bigint), 12, '0')
             placing '-' from 9 for 0) from 1 for 13)::uuid, t.at, {org}, 'alert', 'en', '{to}', lower('{to}'), '', 'An alert', '{name}@example.org', 'a/b', 'sent', 1,
           t.at, t.at, 'test'
         FROM (SELECT now() - interval '{ago}' AS at) t"
    );
    execute(app, sql).await;
}

/// What the mail of this name is marked with.
pub(super) async fn mark(app: &TestApp, name: &str) -> Option<String> {
    let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
    let sql = "SELECT bounce FROM mail_messages WHERE message_id = $1";
    sqlx::query_scalar(sql).bind(format!("{name}@example.org")).fetch_one(&mut db).await.unwrap()
}

/// `<organisation's slug>/<address>/<kind>/<reason>` of everything that is suppressed.
pub(super) async fn suppressed(app: &TestApp) -> Vec<String> {
    let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
    let sql = "SELECT concat_ws('/', coalesce(o.slug, ''), s.address, s.kind, s.reason)
               FROM mail_suppressions s LEFT JOIN organisations o ON o.id = s.org_id ORDER BY 1";
    sqlx::query_scalar(sql).fetch_all(&mut db).await.unwrap()
}

/// Path of a new source.
pub(super) async fn source(admin: &Client, provider: &str, secret: &str, installation: bool) -> String {
    let body = json!({"provider": provider, "secret": secret, "installation": installation});
    let made = admin.post(SOURCES, &body).await.expect(201);
    let url = made["url"].as_str().unwrap();
    url[url.find("/hooks/mail/").unwrap()..].to_owned()
}

pub(super) async fn post(app: &TestApp, path: &str, body: &str) -> Answer {
    post_with(app, path, body, |request| request).await
}

pub(super) async fn post_with(
    app: &TestApp,
    path: &str,
    body: &str,
    with: impl Fn(RequestBuilder) -> RequestBuilder,
) -> Answer {
    let client = app.anonymous();
    let request = client.request(Method::POST, path).header("content-type", "application/json").body(body.to_owned());
    client.send(with(request)).await
}

/// A request of Mailgun; `age` is how long ago it was signed.
pub(super) fn mailgun(app: &TestApp, key: &str, token: &str, age: TimeDelta, event: &Value) -> String {
    let timestamp = (app.clock.now() - age).timestamp().to_string();
    let signature = crypto::hex(&crypto::hmac_sha256(key.as_bytes(), format!("{timestamp}{token}").as_bytes()));
    json!({"signature": {"token": token, "timestamp": timestamp, "signature": signature}, "event-data": event})
        .to_string()
}

/// An event of Mailgun about the mail of this name.
pub(super) fn event(app: &TestApp, id: &str, name: &str, changes: &Value) -> Value {
    let mut event = json!({
        "event": "failed", "id": id, "timestamp": app.clock.now().timestamp(), "severity": "permanent", "reason": "bounce",
        "recipient": "Ann@example.com", "message": {"headers": {"message-id": format!("{name}@example.org"), "to": "Ann@example.com"}},
        "delivery-status": {"code": 550, "enhanced-code": "5.1.1", "message": "5.1.1 no such user", "bounce-type": "hard"}
    });
    for (name, value) in changes.as_object().unwrap() {
        event[name] = value.clone();
    }
    event
}

pub(super) const NOW: TimeDelta = TimeDelta::zero();

#[tokio::test(flavor = "multi_thread")]
async fn a_hard_bounce_marks_its_mail_and_suppresses_its_recipient_once() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let org = org(&app, "default").await;
    sent(&app, Some(org), "first", "Ann@example.com", "1 hour").await;
    let path = source(&admin, "mailgun", KEY, false).await;
    let body = mailgun(&app, KEY, "token-1", NOW, &event(&app, "a", "first", &json!({})));
    assert_eq!(post(&app, &path, &body).await.text, "ok\n");
    assert_eq!(mark(&app, "first").await.as_deref(), Some("hard"));
    assert_eq!(suppressed(&app).await, ["default/ann@example.com/*/hard_bounce"]);
    assert_eq!((counted(&app, "hard"), reports(&app, "mailgun", "taken")), (1.0, 1.0));
    let published = "SELECT count(*) FROM events WHERE topic = 'mail.message.bounced'";
    assert_eq!(number(&app, published).await, 1);
    // The provider repeats what it got no answer to; other bodies and tokens can report the same event, or the same mail.
    assert_eq!(post(&app, &path, &body).await.status, 200);
    let again = mailgun(&app, KEY, "token-2", NOW, &event(&app, "a", "first", &json!({})));
    assert_eq!(post(&app, &path, &again).await.status, 200);
    let other = mailgun(&app, KEY, "token-3", NOW, &event(&app, "b", "first", &json!({})));
    assert_eq!(post(&app, &path, &other).await.status, 200);
    assert_eq!((counted(&app, "hard"), ignored(&app, "duplicate")), (1.0, 3.0));
    // Somebody has taken the address off the list: an old report does not put it there again.
    execute(&app, "DELETE FROM mail_suppressions".into()).await;
    assert_eq!(post(&app, &path, &body).await.status, 200);
    assert_eq!(suppressed(&app).await, Vec::<String>::new());
    // A complaint about the same mail is worse.
    let complaint = event(&app, "c", "first", &json!({"event": "complained"}));
    assert_eq!(post(&app, &path, &mailgun(&app, KEY, "token-4", NOW, &complaint)).await.status, 200);
    assert_eq!(mark(&app, "first").await.as_deref(), Some("complaint"));
    assert_eq!(suppressed(&app).await, ["default/ann@example.com/*/complaint"]);
    assert_eq!(number(&app, published).await, 2);
    let listed = admin.get(SOURCES).await.expect(200);
    assert!(listed["data"][0]["last_at"].is_string(), "{listed}");
    app.stop().await;
}

/// Whoever lifts the bounces of a domain that was misconfigured for an hour must not lift a complaint with them.
#[tokio::test(flavor = "multi_thread")]
async fn a_complaint_about_a_suppressed_address_is_noted() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let org = org(&app, "default").await;
    let path = source(&admin, "mailgun", KEY, false).await;
    let report = async |token: &str, name: &str, changes: &Value| {
        let body = mailgun(&app, KEY, token, NOW, &event(&app, token, name, changes));
        assert_eq!(post(&app, &path, &body).await.status, 200);
    };
    for name in ["first", "second"] {
        sent(&app, Some(org), name, "Ann@example.com", "1 hour").await;
    }
    report("t1", "first", &json!({})).await;
    assert_eq!(suppressed(&app).await, ["default/ann@example.com/*/hard_bounce"]);
    report("t2", "first", &json!({"event": "complained"})).await;
    assert_eq!(suppressed(&app).await, ["default/ann@example.com/*/complaint"]);
    // It stays one, whatever comes after it.
    report("t3", "second", &json!({})).await;
    assert_eq!(suppressed(&app).await, ["default/ann@example.com/*/complaint"]);
    let counted = |reason: &str| app.metric(&format!("holdfast_mail_suppressions_total{{reason=\"{reason}\"}}"));
    assert_eq!((counted("hard_bounce"), counted("complaint")), (1.0, 0.0), "one address");
    // The same over one that somebody has entered; what it says stays readable.
    execute(&app, "UPDATE mail_suppressions SET reason = 'manual', detail = 'asked by telephone'".into()).await;
    sent(&app, Some(org), "third", "ann@example.com", "1 hour").await;
    report("t4", "third", &json!({"event": "complained"})).await;
    assert_eq!(suppressed(&app).await, ["default/ann@example.com/*/complaint"]);
    let told = "SELECT count(*) FROM mail_suppressions WHERE detail LIKE 'asked by telephone%'";
    assert_eq!(number(&app, told).await, 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_report_has_its_consequence() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let org = org(&app, "default").await;
    let path = source(&admin, "mailgun", KEY, false).await;
    for (name, changes) in [
        ("soft", json!({"delivery-status": {"code": 552, "enhanced-code": "5.2.2", "message": "full"}})),
        ("refused", json!({"delivery-status": {"code": 550, "enhanced-code": "5.7.26", "message": "unauthenticated"}})),
        ("later", json!({"severity": "temporary"})),
        ("unsubscribed", json!({"event": "unsubscribed"})),
        ("delivered", json!({"event": "delivered"})),
    ] {
        sent(&app, Some(org), name, &format!("{name}@example.com"), "1 hour").await;
        let body = mailgun(&app, KEY, &format!("token-{name}"), NOW, &event(&app, name, name, &changes));
        assert_eq!(post(&app, &path, &body).await.status, 200);
    }
    assert_eq!(suppressed(&app).await, ["default/unsubscribed@example.com/alert/unsubscribed"]);
    assert_eq!(mark(&app, "soft").await.as_deref(), Some("soft"));
    assert_eq!(mark(&app, "refused").await.as_deref(), Some("refused"));
    for name in ["later", "unsubscribed", "delivered"] {
        assert_eq!(mark(&app, name).await, None, "{name}");
    }
    assert_eq!(counted(&app, "refused"), 1.0);
    assert_eq!((counted(&app, "soft"), counted(&app, "unsubscribe"), counted(&app, "hard")), (1.0, 1.0, 0.0));
    // A hard bounce after a soft one counts.
    let hard = mailgun(&app, KEY, "token-hard", NOW, &event(&app, "hard", "soft", &json!({})));
    assert_eq!(post(&app, &path, &hard).await.status, 200);
    assert_eq!(mark(&app, "soft").await.as_deref(), Some("hard"));
    // One after a refusal as well; a soft one changes nothing then.
    for (token, changes, marked) in [
        ("full", json!({"delivery-status": {"code": 552, "enhanced-code": "5.2.2", "message": "full"}}), "refused"),
        ("gone", json!({}), "hard"),
    ] {
        let body = mailgun(&app, KEY, token, NOW, &event(&app, token, "refused", &changes));
        assert_eq!(post(&app, &path, &body).await.status, 200);
        assert_eq!(mark(&app, "refused").await.as_deref(), Some(marked));
    }
    app.stop().await;
}

/// Services put a link of their own into every mail, also into one about an account.
#[tokio::test(flavor = "multi_thread")]
async fn a_providers_unsubscription_ends_no_mail_about_an_account() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let org = org(&app, "default").await;
    let path = source(&admin, "mailgun", KEY, false).await;
    for kind in ["password_reset", "invitation", "new_device", "digest", "api"] {
        sent(&app, Some(org), kind, &format!("{kind}@example.com"), "1 hour").await;
        execute(&app, format!("UPDATE mail_messages SET kind = '{kind}' WHERE message_id = '{kind}@example.org'"))
            .await;
        let body = mailgun(&app, KEY, kind, NOW, &event(&app, kind, kind, &json!({"event": "unsubscribed"})));
        assert_eq!(post(&app, &path, &body).await.status, 200);
    }
    // Notices, and what the organisation sends on its own.
    let wanted = ["default/api@example.com/api/unsubscribed", "default/digest@example.com/digest/unsubscribed"];
    assert_eq!(suppressed(&app).await, wanted);
    assert_eq!(counted(&app, "unsubscribe"), 5.0, "each is counted");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_report_is_refused_and_counted() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    sent(&app, Some(org(&app, "default").await), "first", "ann@example.com", "1 hour").await;
    let path = source(&admin, "mailgun", KEY, false).await;
    let bounce = event(&app, "a", "first", &json!({}));
    // Another key, no signature, a signature of yesterday or of the future.
    let unsigned = json!({"event-data": bounce}).to_string();
    for body in [
        mailgun(&app, "other", "t1", NOW, &bounce),
        mailgun(&app, "", "t1", NOW, &bounce),
        unsigned,
        mailgun(&app, KEY, "t1", TimeDelta::hours(25), &bounce),
        mailgun(&app, KEY, "t1", TimeDelta::minutes(-10), &bounce),
        "{".to_owned(),
    ] {
        post(&app, &path, &body).await.problem(401, "unauthorized");
    }
    assert_eq!(reports(&app, "mailgun", "unsigned"), 6.0);
    // The signature does not cover the body. Whoever has seen one that is about nothing cannot use it for another.
    let seen = mailgun(&app, KEY, "t2", NOW, &event(&app, "b", "first", &json!({"event": "delivered"})));
    assert_eq!(post(&app, &path, &seen).await.status, 200);
    let mut stolen: Value = serde_json::from_str(&seen).unwrap();
    stolen["event-data"] = bounce.clone();
    post(&app, &path, &stolen.to_string()).await.problem(401, "unauthorized");
    assert_eq!(post(&app, &path, &seen).await.status, 200, "repeated by the provider itself");
    assert_eq!((suppressed(&app).await.len(), mark(&app, "first").await), (0, None));
    assert_eq!(counted(&app, "hard"), 0.0);
    // What is signed and is about nothing changes nothing.
    let timestamp = app.clock.now().timestamp().to_string();
    let signature = crypto::hex(&crypto::hmac_sha256(KEY.as_bytes(), format!("{timestamp}t3").as_bytes()));
    let odd = format!(
        r#"{{"signature": {{"token": "t3", "timestamp": "{timestamp}", "signature": "{signature}"}}, "event-data": 7}}"#
    );
    assert_eq!(post(&app, &path, &odd).await.status, 200);
    assert_eq!((suppressed(&app).await.len(), reports(&app, "mailgun", "taken")), (0, 3.0));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_counts_for_mail_of_its_owner_alone() {
    let app = TestApp::start().await;
    let (admin, other) = (app.admin().await, app.other_org("other").await);
    sent(&app, Some(org(&app, "default").await), "first", "ann@example.com", "1 hour").await;
    sent(&app, None, "own", "ann@example.com", "1 hour").await;
    // Another organisation, which has learnt the Message-ID.
    let foreign = source(&other, "mailgun", KEY, false).await;
    for (token, name) in [("t1", "first"), ("t2", "own")] {
        let body = mailgun(&app, KEY, token, NOW, &event(&app, token, name, &json!({})));
        assert_eq!(post(&app, &foreign, &body).await.status, 200);
    }
    assert_eq!((suppressed(&app).await.len(), mark(&app, "first").await, mark(&app, "own").await), (0, None, None));
    assert_eq!(ignored(&app, "unmatched"), 2.0);
    other.post(SOURCES, &json!({"provider": "mailgun", "secret": KEY, "installation": true})).await.expect(403);
    // The installation's account sends the mail of all: what it reports counts for the mail's owner.
    let house = source(&admin, "mailgun", KEY, true).await;
    for (token, name) in [("t3", "first"), ("t4", "own")] {
        let body = mailgun(&app, KEY, token, NOW, &event(&app, token, name, &json!({})));
        assert_eq!(post(&app, &house, &body).await.status, 200);
    }
    assert_eq!(suppressed(&app).await, ["/ann@example.com/*/hard_bounce", "default/ann@example.com/*/hard_bounce"]);
    // Nobody sees or removes a source of somebody else.
    let listed = admin.get(&format!("{SOURCES}?installation=true")).await.expect(200);
    let id = listed["data"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(other.get(SOURCES).await.expect(200)["data"].as_array().unwrap().len(), 1);
    other.delete(&format!("{SOURCES}/{id}")).await.expect(404);
    admin.delete(&format!("{SOURCES}/{id}")).await.expect(204);
    post(&app, &house, "{}").await.problem(404, "bounce_source_not_found");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_address_is_404_and_a_known_one_takes_only_what_a_provider_sends() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let path = source(&admin, "mailgun", KEY, false).await;
    let token = path.rsplit('/').next().unwrap();
    for unknown in [
        "/hooks/mail/mailgun/guessed".to_owned(),
        format!("/hooks/mail/sendgrid/{token}"),
        format!("/hooks/mail/other/{token}"),
        format!("/hooks/mail/mailgun/{}", token.to_uppercase()),
    ] {
        post(&app, &unknown, "{}").await.problem(404, "bounce_source_not_found");
    }
    assert_eq!((reports(&app, "mailgun", "unknown"), reports(&app, "sendgrid", "unknown")), (2.0, 1.0));
    assert_eq!(app.anonymous().get(&path).await.status, 405);
    post(&app, &path, &"x".repeat(1024 * 1024 + 1)).await.problem(413, "payload_too_large");
    assert_eq!(reports(&app, "mailgun", "unreadable"), 1.0);
    // Only a hash of the token is kept, and the secret is sealed.
    let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
    let kept: String = sqlx::query_scalar("SELECT string_agg(s::text, '') FROM mail_bounce_sources s")
        .fetch_one(&mut db)
        .await
        .unwrap();
    assert!(!kept.contains(token) && !kept.contains(KEY) && !kept.contains(&hex::encode(KEY)), "{kept}");
    // A secret of the wrong form is refused when it is added.
    for (provider, secret) in
        [("sendgrid", "SG.key"), ("resend", "re_1"), ("mailgun", ""), ("ses", "topic"), ("ses", ""), ("postmark", "x")]
    {
        let refused = admin.post(SOURCES, &json!({"provider": provider, "secret": secret})).await;
        assert_eq!(refused.expect(422)["errors"][0]["pointer"], "/secret", "{provider}");
    }
    app.person("default", holdfast::platform::http::Role::Member)
        .await
        .post(SOURCES, &json!({"provider": "ses"}))
        .await
        .expect(403);
    app.stop().await;
}

/// Postmark reports its own id and the address, but no Message-ID.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_message_id_the_last_mail_to_the_address_counts_unless_it_is_too_old() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let org = org(&app, "default").await;
    let path = source(&admin, "postmark", "hook:secret", false).await;
    let record = |id: i64, to: &str, provider_id: &str, age: TimeDelta| {
        json!({"RecordType": "Bounce", "ID": id, "Type": "HardBounce", "Email": to, "MessageID": provider_id,
            "Details": "smtp;550 5.1.1 no such user", "BouncedAt": (app.clock.now() - age).to_rfc3339()})
        .to_string()
    };
    let signed = |request: RequestBuilder| request.basic_auth("hook", Some("secret"));
    let body = record(1, "old@example.com", "x", NOW);
    post(&app, &path, &body).await.problem(401, "unauthorized");
    post_with(&app, &path, &body, |request| request.basic_auth("hook", Some("Secret")))
        .await
        .problem(401, "unauthorized");
    // A month lies between this mail and its bounce: it is about another one, of another system.
    sent(&app, Some(org), "old", "old@example.com", "31 days").await;
    assert_eq!(post_with(&app, &path, &body, signed).await.status, 200);
    assert_eq!((mark(&app, "old").await, ignored(&app, "unmatched")), (None, 1.0));
    // A report that comes late is about what was sent when it happened.
    assert_eq!(
        post_with(&app, &path, &record(2, "old@example.com", "x", TimeDelta::days(30)), signed).await.status,
        200
    );
    assert_eq!(mark(&app, "old").await.as_deref(), Some("hard"));
    // Of several, the one whose server answered with the provider's id; otherwise the last.
    for (name, ago) in [("one", "3 hours"), ("two", "2 hours"), ("three", "1 hour")] {
        sent(&app, Some(org), name, "Ann@Example.com", ago).await;
    }
    execute(
        &app,
        "INSERT INTO mail_attempts (message_id, attempt, created_at, org_id, began_at, ended_at, outcome, answer)
         SELECT id, 1, created_at, org_id, created_at, created_at, 'sent', '250 2.0.0 Ok: queued as 883953f4-6105' FROM mail_messages
         WHERE message_id = 'one@example.org'"
            .into(),
    )
    .await;
    assert_eq!(post_with(&app, &path, &record(3, "ann@example.com", "883953f4-6105", NOW), signed).await.status, 200);
    assert_eq!((mark(&app, "one").await.as_deref(), mark(&app, "three").await), (Some("hard"), None));
    assert_eq!(post_with(&app, &path, &record(4, "ann@example.com", "other", NOW), signed).await.status, 200);
    assert_eq!((mark(&app, "three").await.as_deref(), mark(&app, "two").await), (Some("hard"), None));
    assert_eq!(
        suppressed(&app).await,
        ["default/ann@example.com/*/hard_bounce", "default/old@example.com/*/hard_bounce"]
    );
    // Somebody to whom nothing was sent.
    assert_eq!(post_with(&app, &path, &record(5, "bob@example.com", "x", NOW), signed).await.status, 200);
    assert_eq!(ignored(&app, "unmatched"), 2.0);
    app.stop().await;
}

/// The installation's account sends the mail of all, so its service reports about the mail of all.
#[tokio::test(flavor = "multi_thread")]
async fn a_report_with_the_services_own_id_counts_for_mail_of_any_organisation() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    app.other_org("other").await;
    let (ours, theirs) = (org(&app, "default").await, org(&app, "other").await);
    let path = source(&admin, "postmark", "hook:secret", true).await;
    let signed = |request: RequestBuilder| request.basic_auth("hook", Some("secret"));
    let record = |id: i64, provider_id: &str| {
        json!({"RecordType": "Bounce", "ID": id, "Type": "HardBounce", "Email": "ann@example.com", "MessageID": provider_id,
            "Details": "smtp;550 5.1.1 no such user", "BouncedAt": app.clock.now().to_rfc3339()})
        .to_string()
    };
    sent(&app, Some(ours), "ours", "ann@example.com", "3 hours").await;
    sent(&app, Some(theirs), "theirs", "ann@example.com", "2 hours").await;
    execute(
        &app,
        "INSERT INTO mail_attempts (message_id, attempt, created_at, org_id, began_at, ended_at, outcome, answer)
         SELECT id, 1, created_at, org_id, created_at, created_at, 'sent', '250 2.0.0 Ok: queued as id-of-' || split_part(message_id, '@', 1)
         FROM mail_messages"
            .into(),
    )
    .await;
    // An id that no answer had is about mail of another system: the last mail to the address is somebody else's.
    assert_eq!(post_with(&app, &path, &record(1, "id-of-nothing"), signed).await.status, 200);
    assert_eq!((ignored(&app, "unmatched"), suppressed(&app).await.len()), (1.0, 0));
    assert_eq!(post_with(&app, &path, &record(2, "id-of-ours"), signed).await.status, 200);
    assert_eq!((mark(&app, "ours").await.as_deref(), mark(&app, "theirs").await), (Some("hard"), None));
    assert_eq!(suppressed(&app).await, ["default/ann@example.com/*/hard_bounce"]);
    // A source of one organisation learns nothing of the other's mail, whatever id it names.
    let own = source(&admin, "postmark", "hook:secret", false).await;
    assert_eq!(post_with(&app, &own, &record(3, "id-of-theirs"), signed).await.status, 200);
    assert_eq!(mark(&app, "theirs").await, None);
    app.stop().await;
}

/// A Message-ID that is not ours is about mail of another system, unless the server's answer shows that the provider has replaced ours.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_sendgrid_is_read_event_by_event() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let org = org(&app, "default").await;
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let key = STANDARD.encode(pair.public_key().as_der().unwrap().as_ref());
    let path = source(&admin, "sendgrid", &key, false).await;
    for (name, to) in [("one", "ann@example.com"), ("two", "bob@example.com"), ("three", "eve@example.com")] {
        sent(&app, Some(org), name, to, "1 hour").await;
    }
    let event = |id: &str, event: &str, smtp_id: &str, to: &str| {
        json!({"email": to, "timestamp": app.clock.now().timestamp(), "smtp-id": smtp_id, "event": event, "sg_event_id": id,
            "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0", "status": "5.1.1", "type": "bounce", "reason": "550 5.1.1 no"})
    };
    let body = json!([
        event("a", "bounce", "<one@example.org>", "ann@example.com"),
        event("b", "delivered", "<two@example.org>", "bob@example.com"),
        event("c", "spamreport", "<two@example.org>", "bob@example.com"),
        event("d", "bounce", "<elsewhere@example.net>", "eve@example.com"),
    ])
    .to_string();
    let timestamp = app.clock.now().timestamp().to_string();
    let signature = |body: &str| {
        let signed = format!("{timestamp}{body}");
        STANDARD.encode(pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap())
    };
    let signed = |signature: String| {
        let timestamp = timestamp.clone();
        move |request: RequestBuilder| {
            request
                .header("x-twilio-email-event-webhook-signature", signature.clone())
                .header("x-twilio-email-event-webhook-timestamp", timestamp.clone())
        }
    };
    let right = signature(&body);
    post_with(&app, &path, &format!("{body} "), signed(right.clone())).await.problem(401, "unauthorized");
    assert_eq!(suppressed(&app).await, Vec::<String>::new());
    assert_eq!(post_with(&app, &path, &body, signed(right.clone())).await.status, 200);
    assert_eq!(
        suppressed(&app).await,
        ["default/ann@example.com/*/hard_bounce", "default/bob@example.com/*/complaint"]
    );
    assert_eq!((mark(&app, "three").await, ignored(&app, "unmatched")), (None, 1.0));
    execute(
        &app,
        "INSERT INTO mail_attempts (message_id, attempt, created_at, org_id, began_at, ended_at, outcome, answer)
         SELECT id, 1, created_at, org_id, created_at, created_at, 'sent', '250 Ok: queued as 14c5d75ce93' FROM mail_messages
         WHERE message_id = 'three@example.org'"
            .into(),
    )
    .await;
    assert_eq!(post_with(&app, &path, &body, signed(right)).await.status, 200);
    assert_eq!(mark(&app, "three").await.as_deref(), Some("hard"));
    assert_eq!((ignored(&app, "duplicate"), counted(&app, "hard"), counted(&app, "complaint")), (2.0, 2.0, 1.0));
    let no_list = "{}";
    post_with(&app, &path, no_list, signed(signature(no_list))).await.problem(400, "invalid_value");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn resend_signs_each_attempt_and_an_old_one_is_refused() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    sent(&app, Some(org(&app, "default").await), "first", "ann@example.com", "1 hour").await;
    let secret = format!("whsec_{}", STANDARD.encode([7_u8; 24]));
    let path = source(&admin, "resend", &secret, false).await;
    let body = json!({"type": "email.complained", "created_at": app.clock.now().to_rfc3339(), "data": {"email_id": "x", "to": ["ann@example.com"]}}).to_string();
    let signed = |id: &'static str, age: TimeDelta| {
        let timestamp = (app.clock.now() - age).timestamp().to_string();
        let mac = crypto::hmac_sha256(&[7; 24], format!("{id}.{timestamp}.{body}").as_bytes());
        let signature = format!("v1,{}", STANDARD.encode(mac));
        move |request: RequestBuilder| {
            request.header("svix-id", id).header("svix-timestamp", &timestamp).header("svix-signature", &signature)
        }
    };
    for age in [TimeDelta::minutes(6), TimeDelta::minutes(-6)] {
        post_with(&app, &path, &body, signed("msg_1", age)).await.problem(401, "unauthorized");
    }
    post(&app, &path, &body).await.problem(401, "unauthorized");
    assert_eq!(reports(&app, "resend", "unsigned"), 3.0);
    for _ in 0..2 {
        assert_eq!(post_with(&app, &path, &body, signed("msg_1", NOW)).await.status, 200);
    }
    assert_eq!((counted(&app, "complaint"), ignored(&app, "duplicate")), (1.0, 1.0));
    assert_eq!(suppressed(&app).await, ["default/ann@example.com/*/complaint"]);
    app.stop().await;
}

/// Nobody is asked for a certificate, or told that a subscription is wanted, at an address that a message names.
#[tokio::test(flavor = "multi_thread")]
async fn sns_is_believed_at_its_own_addresses_only() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let topic = "arn:aws:sns:eu-west-1:123456789012:bounces";
    let path = source(&admin, "ses", topic, false).await;
    let message = |changes: &Value| {
        let mut message = json!({
            "Type": "Notification", "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324", "TopicArn": topic, "Message": "{}",
            "Timestamp": "2026-11-20T09:30:01.123Z", "SignatureVersion": "2", "Signature": "AAAA",
            "SigningCertURL": "https://sns.eu-west-1.amazonaws.com.example.com/x.pem"
        });
        for (name, value) in changes.as_object().unwrap() {
            message[name] = value.clone();
        }
        message.to_string()
    };
    for changes in [
        json!({}),
        json!({"SigningCertURL": format!("{}/x.pem", app.base_url)}),
        json!({"SigningCertURL": "https://169.254.169.254/x.pem"}),
        json!({"SigningCertURL": "https://sns.eu-west-1.amazonaws.com/?Action=ListTopics&x=.pem"}),
        json!({"TopicArn": "arn:aws:sns:eu-west-1:999999999999:bounces", "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/x.pem"}),
        json!({"Type": "SubscriptionConfirmation", "SubscribeURL": format!("{}/", app.base_url), "Token": "t"}),
        json!({"Signature": null}),
    ] {
        post(&app, &path, &message(&changes)).await.problem(401, "unauthorized");
    }
    assert_eq!(reports(&app, "ses", "unsigned"), 7.0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_that_come_at_once_count_once() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    sent(&app, Some(org(&app, "default").await), "first", "ann@example.com", "1 hour").await;
    let path = source(&admin, "mailgun", KEY, false).await;
    let body = |n: i32| {
        let event = event(&app, &format!("e{}", n / 2), "first", &json!({}));
        mailgun(&app, KEY, &format!("t{n}"), NOW, &event)
    };
    let bodies: Vec<String> = (0..4).map(body).flat_map(|body| [body.clone(), body]).collect();
    let answers = futures::future::join_all(bodies.iter().map(|body| post(&app, &path, body))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    assert_eq!((counted(&app, "hard"), ignored(&app, "duplicate")), (1.0, 7.0));
    assert_eq!(number(&app, "SELECT count(*) FROM events WHERE topic = 'mail.message.bounced'").await, 1);
    app.stop().await;
}
