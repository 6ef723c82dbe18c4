//! Who waits for whom: slow domains, long queues, limits, times to come, and addresses that get nothing.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use holdfast::mail::{Address, MailError, NewMail, NewSuppression, Owner, SuppressionId, kinds};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::time::{Instant, sleep};

use super::outbox::{
    FROM, UNLIMITED, enqueue, execute, hurry, mail, operator, org, row, send, start, start_with, until_put_off,
    until_state,
};
use crate::support::{
    app::TestApp,
    cluster::cluster,
    process::Site,
    smtp::{Act, Smtp, Step},
    wait::until,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_domain_holds_up_no_other() {
    let smtp = Smtp::start().await;
    let app = start_with(&smtp, &[("HOLDFAST_MAIL__CONNECTIONS", "3")]).await;
    smtp.for_recipients("slow.example", Step::RcptTo, Act::Wait(Duration::from_secs(3)));
    for n in 0..60 {
        send(&app, &format!("reader{n}@slow.example"), "Hello").await;
    }
    until("the slow domain is not asked", async || smtp.reached(Step::RcptTo) > 0).await;
    let mut quick = Vec::new();
    for n in 0..10 {
        quick.push(send(&app, &format!("reader{n}@quick.example"), "Hello").await);
    }
    for id in quick {
        until_state(&app, id, "sent").await;
    }
    let slow = smtp.recipients().iter().filter(|to| to.ends_with("slow.example")).count();
    assert!(slow < 60, "the slow domain's mail went first");
    assert!(smtp.most_open() <= 6, "{} connections for two domains", smtp.most_open());
    app.kill().await;
}

/// More slow domains than the worker has slots: each gives way after its turn.
#[tokio::test(flavor = "multi_thread")]
async fn many_slow_domains_let_others_pass() {
    let smtp = Smtp::start().await;
    let app = start_with(&smtp, &[("HOLDFAST_MAIL__CONNECTIONS", "1"), ("HOLDFAST_JOBS__CONCURRENCY", "4")]).await;
    smtp.for_recipients("slow", Step::RcptTo, Act::Wait(Duration::from_secs(2)));
    for n in 0..10 {
        for domain in 0..8 {
            send(&app, &format!("reader{n}@slow{domain}.example"), "Hello").await;
        }
    }
    until("the slow domains are not asked", async || smtp.reached(Step::RcptTo) >= 4).await;
    let quick = send(&app, "ada@quick.example", "Hello").await;
    until_state(&app, quick, "sent").await;
    let slow = smtp.recipients().len() - 1;
    assert!(slow < 60, "after {slow} of 80 messages of others");
    app.kill().await;
}

/// The same mail `count` times, to addresses of a domain of their own, as if it had been put into the outbox as often.
const CROWD: &str = "
    WITH model AS (
      SELECT m AS message, b AS body FROM mail_messages m JOIN mail_bodies b USING (id, created_at) WHERE m.id = '{id}'),
    made AS (
      SELECT format('00000000-0000-7000-8000-%s', lpad(to_hex({first} + n), 12, '0'))::uuid AS id, n FROM generate_series(1, {count}) AS n),
    messages AS (
      INSERT INTO mail_messages SELECT r.* FROM model, made, LATERAL jsonb_populate_record(model.message, jsonb_build_object(
        'id', made.id, 'to_address', format('reader%s@crowd.example', n), 'to_key', format('reader%s@crowd.example', n), 'message_id', format('%s@example.com', made.id),
        'lane', replace((model.message).lane, 'model.example', 'crowd.example'), 'state', 'queued', 'attempts', 0,
        'idempotency_key', NULL, 'sent_at', NULL, 'tried_since', NULL, 'status', NULL, 'send_at', {due})) AS r)
    INSERT INTO mail_bodies
      SELECT r.* FROM model, made, LATERAL jsonb_populate_record(model.body, jsonb_build_object('id', made.id)) AS r";

/// `first`: the first of their ids, which are older than all others.
fn crowd(model: &str, first: usize, count: usize, due: &str) -> String {
    let numbers = [("{first}", first), ("{count}", count)];
    let sql = numbers.iter().fold(CROWD.to_owned(), |sql, (name, number)| sql.replace(name, &number.to_string()));
    sql.replace("{id}", model).replace("{due}", due)
}

/// A hundred thousand messages wait, half of them due: mail of others is found at once, and the process does not hold them in memory.
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_waiting_messages_cost_neither_memory_nor_time() {
    let smtp = Smtp::start().await;
    let database = cluster().await.empty_database().await;
    let mut site = Site::with([
        ("HOLDFAST_MAIL__FROM", FROM.to_owned()),
        ("HOLDFAST_DATABASE__URL", cluster().await.url(&database)),
        ("HOLDFAST_DATABASE__ROLE_PREFIX", "hfcrowd".to_owned()),
    ]);
    for (name, value) in smtp.settings() {
        site.set(name, &value);
    }
    for name in UNLIMITED {
        site.set(name, "1000000");
    }
    let running = site.start().await;
    let admin = site.admin().await;
    let post = async |to: String| {
        let body = json!({"to": to, "subject": "Hello", "text": "The tide turns at noon. ".repeat(80)});
        admin.post("/api/v1/mail/messages", &body).await.expect(201)["id"].as_str().unwrap().to_owned()
    };
    let is_sent =
        async |id: &String| admin.get(&format!("/api/v1/mail/messages/{id}")).await.expect(200)["state"] == "sent";
    let model = post("ada@model.example".into()).await;
    until("the model is not sent", async || is_sent(&model).await).await;
    let before = running.resident();
    // The crowd's own server is so slow that it stays a crowd.
    smtp.for_recipients("crowd.example", Step::RcptTo, Act::Wait(Duration::from_secs(1)));
    let target = cluster().await.target(&database);
    let mut db = PgConnection::connect_with(&target.admin).await.unwrap();
    for (first, due) in
        [(0, "now() - interval '5 minutes' + n * interval '1 millisecond'"), (50_000, "now() + interval '1 day'")]
    {
        sqlx::raw_sql(AssertSqlSafe(crowd(&model, first, 50_000, due))).execute(&mut db).await.unwrap();
    }
    until("the crowd's turn does not come", async || smtp.recipients().iter().any(|to| to.contains("crowd"))).await;
    let began = Instant::now();
    for n in 0..20 {
        let id = post(format!("reader{n}@quick.example")).await;
        until("the quick one waits", async || is_sent(&id).await).await;
    }
    let took = began.elapsed();
    assert!(took < Duration::from_secs(30), "twenty messages took {took:?} beside a crowd");
    let began = Instant::now();
    let page = admin.get("/api/v1/mail/messages?limit=50").await.expect(200);
    assert_eq!(page["data"].as_array().unwrap().len(), 50);
    assert!(began.elapsed() < Duration::from_secs(2), "a page took {:?}", began.elapsed());
    let grown = running.resident().saturating_sub(before);
    assert!(grown < 96 << 20, "{} MB more for what waits in the database", grown >> 20);
    let (status, output) = running.stop().await;
    assert!(status.success(), "{status}:\n{output}");
    cluster().await.drop_database(&database).await;
}

/// As `MailError::Limited`, which the API answers with 429.
#[track_caller]
fn limited<T: std::fmt::Debug>(result: &Result<T, MailError>) {
    let wait = match result {
        Err(MailError::Limited(_, wait)) => *wait,
        other => panic!("{other:?}"),
    };
    assert!(wait > Duration::ZERO && wait <= Duration::from_secs(3600), "{wait:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_gets_no_more_than_its_share_of_an_hour() {
    let smtp = Smtp::start().await;
    let app = start_with(&smtp, &[("HOLDFAST_MAIL__PER_RECIPIENT_PER_HOUR", "3")]).await;
    let owner = Owner::Org(org(&app).await);
    let to = Address::parse("ada@example.org").unwrap();
    for _ in 0..3 {
        let id = enqueue(&app, owner, &mail(&to, "Hello")).await.unwrap();
        until_state(&app, id, "sent").await;
    }
    // It is the same person, however the address is written.
    let loud = Address::parse("ADA@Example.org").unwrap();
    limited(&enqueue(&app, owner, &mail(&loud, "Hello")).await);
    let other = Address::parse("bob@example.org").unwrap();
    let id = enqueue(&app, owner, &mail(&other, "Hello")).await.unwrap();
    until_state(&app, id, "sent").await;
    // Nobody is there to come back with a notice: it waits by itself.
    let notice = NewMail { kind: &kinds::ALERT, ..mail(&to, "Alert") };
    let id = enqueue(&app, owner, &notice).await.unwrap();
    // Long enough for it to be sent, if it did not wait.
    sleep(Duration::from_secs(2)).await;
    let waiting = row(&app, id).await;
    assert_eq!(waiting["state"], "queued", "{waiting}");
    assert_eq!(smtp.recipients().len(), 4);
    app.clock.advance(TimeDelta::minutes(61));
    until_state(&app, id, "sent").await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_sends_no_more_than_its_share_of_an_hour() {
    let smtp = Smtp::start().await;
    let app = start_with(&smtp, &[("HOLDFAST_MAIL__PER_ORG_PER_HOUR", "3")]).await;
    let owner = Owner::Org(org(&app).await);
    let other = app.app.auth.create_organisation("other", Some("other"), None).await.unwrap();
    for n in 0..3 {
        let to = Address::parse(&format!("reader{n}@example.org")).unwrap();
        enqueue(&app, owner, &mail(&to, "Hello")).await.unwrap();
    }
    let to = Address::parse("ada@example.org").unwrap();
    limited(&enqueue(&app, owner, &mail(&to, "Hello")).await);
    let id = enqueue(&app, Owner::Org(other.id), &mail(&to, "Hello")).await.unwrap();
    until_state(&app, id, "sent").await;
    app.clock.advance(TimeDelta::minutes(61));
    let id = enqueue(&app, owner, &mail(&to, "Hello")).await.unwrap();
    until_state(&app, id, "sent").await;
    app.stop().await;
}

/// Whoever may invite decides whom: nobody's mailbox is filled with it.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_gets_five_invitations_of_an_organisation_in_an_hour() {
    let smtp = Smtp::start().await;
    let app = start(&smtp).await;
    let ours = Owner::Org(org(&app).await);
    let theirs = Owner::Org(app.app.auth.create_organisation("other", Some("other"), None).await.unwrap().id);
    let invite = async |owner: Owner, to: &str| {
        let to = Address::parse(to).unwrap();
        enqueue(&app, owner, &NewMail { kind: &kinds::INVITATION, ..mail(&to, "You are invited") }).await
    };
    for _ in 0..5 {
        invite(ours, "ada@example.org").await.unwrap();
    }
    limited(&invite(ours, "ADA@example.org").await);
    invite(ours, "bob@example.org").await.unwrap();
    invite(theirs, "ada@example.org").await.unwrap();
    // Other mail to her goes on.
    let to = Address::parse("ada@example.org").unwrap();
    enqueue(&app, ours, &mail(&to, "Hello")).await.unwrap();
    app.clock.advance(TimeDelta::minutes(61));
    let id = invite(ours, "ada@example.org").await.unwrap();
    until_state(&app, id, "sent").await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whether_an_address_gets_mail_is_known_before_it_is_sent() {
    let smtp = Smtp::start().await;
    let app = start(&smtp).await;
    let (ours, installation) = (Owner::Org(org(&app).await), Owner::Installation);
    let takes = async |owner: Owner, kind: &holdfast::mail::Kind| {
        app.app.mail.takes(owner, kind, &Address::parse("Ada@example.org").unwrap()).await.unwrap()
    };
    assert!(takes(ours, &kinds::ALERT).await && takes(installation, &kinds::ALERT).await);
    suppress(&app, ours, "ada@example.org", "alert").await;
    assert!(!takes(ours, &kinds::ALERT).await && takes(ours, &kinds::DIGEST).await);
    assert!(takes(installation, &kinds::ALERT).await, "that is another owner's");
    // What the installation suppresses for a kind is its own, for all mail it is everybody's.
    suppress(&app, installation, "ada@example.org", "digest").await;
    assert!(!takes(installation, &kinds::DIGEST).await && takes(ours, &kinds::DIGEST).await);
    suppress(&app, installation, "ada@example.org", "*").await;
    assert!(!takes(ours, &kinds::DIGEST).await && !takes(installation, &kinds::ALERT).await);
    app.stop().await;
}

async fn suppress(app: &TestApp, owner: Owner, address: &str, kind: &str) -> SuppressionId {
    let new = NewSuppression { address, kind, detail: "asked by telephone" };
    app.app.mail.add_suppression(&operator(app).await, owner, &new).await.unwrap().id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suppressed_address_gets_nothing_until_it_is_released() {
    let smtp = Smtp::start().await;
    let app = start(&smtp).await;
    let (who, owner) = (operator(&app).await, Owner::Installation);
    let suppression = suppress(&app, owner, "Ada@Bücher.example", "*").await;
    let id = send(&app, "ADA@bücher.example", "Hello").await;
    let kept = row(&app, id).await;
    assert_eq!((&kept["state"], &kept["attempts"]), (&json!("suppressed"), &json!(0)), "{kept}");
    let other = send(&app, "ada@example.org", "Hello").await;
    until_state(&app, other, "sent").await;
    assert_eq!(app.metric("holdfast_mail_messages_total{outcome=\"suppressed\"}"), 1.0);
    app.app.mail.remove_suppression(&who, suppression).await.unwrap();
    app.app.mail.retry(&who, id).await.unwrap();
    until_state(&app, id, "sent").await;
    // Suppressed while it waits.
    let to = Address::parse("bob@example.org").unwrap();
    let later = NewMail { send_at: Some(Utc::now() + TimeDelta::hours(1)), ..mail(&to, "Hello") };
    let id = enqueue(&app, owner, &later).await.unwrap();
    suppress(&app, owner, "bob@example.org", "*").await;
    hurry(&app).await;
    until_state(&app, id, "suppressed").await;
    assert_eq!(smtp.recipients().len(), 2);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_unsubscribed_from_one_kind_gets_the_others() {
    let smtp = Smtp::start().await;
    let app = start(&smtp).await;
    let owner = Owner::Installation;
    suppress(&app, owner, "ada@example.org", "weekly_report").await;
    let to = Address::parse("ada@example.org").unwrap();
    let mut states = Vec::new();
    for kind in [&kinds::WEEKLY_REPORT, &kinds::ALERT, &kinds::PASSWORD_RESET] {
        let id = enqueue(&app, owner, &NewMail { kind, ..mail(&to, kind.name) }).await.unwrap();
        let is_decided = async || ![json!("queued"), json!("sending")].contains(&row(&app, id).await["state"]);
        until("undecided", is_decided).await;
        states.push(row(&app, id).await["state"].as_str().unwrap().to_owned());
    }
    assert_eq!(states, ["suppressed", "sent", "sent"]);
    app.stop().await;
}

/// Each organisation decides for itself; what the installation suppresses holds for all.
#[tokio::test(flavor = "multi_thread")]
async fn an_organisations_suppression_is_its_own() {
    let smtp = Smtp::start().await;
    let app = start(&smtp).await;
    let ours = Owner::Org(org(&app).await);
    let theirs = Owner::Org(app.app.auth.create_organisation("other", Some("other"), None).await.unwrap().id);
    suppress(&app, ours, "ada@example.org", "*").await;
    let to = Address::parse("ada@example.org").unwrap();
    let id = enqueue(&app, ours, &mail(&to, "Hello")).await.unwrap();
    assert_eq!(row(&app, id).await["state"], "suppressed");
    let id = enqueue(&app, theirs, &mail(&to, "Hello")).await.unwrap();
    until_state(&app, id, "sent").await;
    suppress(&app, Owner::Installation, "ada@example.org", "*").await;
    let id = enqueue(&app, theirs, &mail(&to, "Hello again")).await.unwrap();
    until_state(&app, id, "suppressed").await;
    assert_eq!(smtp.recipients().len(), 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_mail_waits_for_its_time_and_a_cancelled_one_is_not_sent() {
    let smtp = Smtp::start().await;
    let app = start(&smtp).await;
    let (who, to) = (operator(&app).await, Address::parse("ada@example.org").unwrap());
    let at = |hours| NewMail { send_at: Some(Utc::now() + TimeDelta::hours(hours)), ..mail(&to, "Later") };
    let kept = enqueue(&app, Owner::Installation, &at(2)).await.unwrap();
    let cancelled = enqueue(&app, Owner::Installation, &at(2)).await.unwrap();
    let too_late = enqueue(&app, Owner::Installation, &at(24 * 31)).await;
    assert!(matches!(too_late, Err(MailError::Invalid(_))), "{too_late:?}");
    app.app.mail.cancel(&who, cancelled).await.unwrap();
    app.app.mail.wake_waiting().await.unwrap();
    app.wait_for_jobs().await;
    assert_eq!((row(&app, kept).await["state"].clone(), smtp.kept().len()), (json!("queued"), 0));
    // What is not due does not count as waiting.
    app.app.mail.refresh_gauges().await.unwrap();
    assert_eq!(app.metric("holdfast_mail_waiting"), 0.0);
    hurry(&app).await;
    until_state(&app, kept, "sent").await;
    app.wait_for_jobs().await;
    assert_eq!((row(&app, cancelled).await["state"].clone(), smtp.kept().len()), (json!("cancelled"), 1));
    let sent = app.app.mail.cancel(&who, kept).await;
    assert!(matches!(sent, Err(MailError::Conflict(..))), "{sent:?}");
    // On second thoughts.
    app.app.mail.retry(&who, cancelled).await.unwrap();
    until_state(&app, cancelled, "sent").await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_counted() {
    let smtp = Smtp::start().await;
    let app = start(&smtp).await;
    smtp.always(Step::RcptTo, Act::Say("451 4.3.0 Later"));
    let id = send(&app, "ada@example.org", "Hello").await;
    until_put_off(&app, id, 1).await;
    let is_counted = async || {
        // The leader may find it meanwhile, and put it off again.
        execute(&app, "UPDATE mail_messages SET send_at = now() - interval '10 minutes'".into()).await;
        app.app.mail.refresh_gauges().await.unwrap();
        let oldest = app.metric("holdfast_mail_oldest_waiting_seconds");
        app.metric("holdfast_mail_waiting") == 1.0
            && (590.0..700.0).contains(&oldest)
            && app.metric("holdfast_mail_put_off") == 1.0
            && app.metric("holdfast_mail_waiting_lasting") == 1.0
    };
    until("the gauges do not say so", is_counted).await;
    app.kill().await;
}
