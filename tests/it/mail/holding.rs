//! What holds mail up, and whose: the account's failures that of all, a sender's or a mail's own only its own.

use std::time::Duration;

use chrono::TimeDelta;
use holdfast::mail::{Address, MailError, MessageId, NewMail, Owner, kinds};
use serde_json::json;

use super::outbox::{
    HASTY, admin, enqueue, execute, hurry, mail, number, operator, org, outcomes, row, send, start, start_with,
    until_put_off, until_state,
};
use crate::support::{
    app::TestApp,
    smtp::{Act, Options, Smtp, Step},
    wait::until,
};

async fn fails(app: &TestApp) -> bool {
    app.app.mail.account().await.unwrap().failing_since.is_some()
}

/// The organisation's mail from a domain that it has verified.
async fn send_as(app: &TestApp, from: &str, to: &str, wait: TimeDelta) -> Result<MessageId, MailError> {
    let (from, to) = (Address::parse(from).unwrap(), Address::parse(to).unwrap());
    let owner = Owner::Org(org(app).await);
    app.app.mail.make_domain(owner, from.domain()).await.unwrap();
    execute(app, "UPDATE mail_domains SET verified_at = now()".into()).await;
    let new = NewMail { from: Some(from), send_at: Some(app.clock.now() + wait), ..mail(&to, "Your order") };
    enqueue(app, owner, &new).await
}

/// Servers say so to the recipient, services to the content: nothing is lost, and all is sent when the operator has repaired it.
#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_the_server_does_not_know_loses_no_mail() {
    for (step, said) in [
        (Step::RcptTo, "554 5.7.1 <ada@example.org>: Relay access denied"),
        (Step::RcptTo, "553 5.7.1 <holdfast@example.com>: Sender address rejected: not owned by user x"),
        (Step::Content, "550 The from address does not match a verified Sender Identity"),
        (Step::Content, "554 Transaction failed: Sending paused for this account."),
    ] {
        let smtp = Smtp::start().await;
        let app = start(&smtp).await;
        smtp.always(step, Act::Say(said));
        let ids = [send(&app, "ada@example.org", "Hello").await, send(&app, "bob@two.example", "Hello").await];
        until("the account does not fail", async || fails(&app).await).await;
        for _ in 0..3 {
            hurry(&app).await;
            app.wait_for_jobs().await;
        }
        for id in ids {
            assert_eq!(row(&app, id).await["state"], "queued", "{said}");
        }
        smtp.behave();
        let is_sent = async || {
            hurry(&app).await;
            row(&app, ids[0]).await["state"] == "sent" && row(&app, ids[1]).await["state"] == "sent"
        };
        until(&format!("they are not sent after {said}"), is_sent).await;
        assert_eq!((smtp.kept().len(), fails(&app).await), (2, false), "{said}");
        app.stop().await;
    }
}

/// Whatever a server says to one mail, and means by it: others are sent, and at the end that mail is refused like any other.
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_fails_the_account_again_and_again_stops_no_others() {
    let smtp = Smtp::start().await;
    let app = start(&smtp).await;
    smtp.for_recipients("poison@", Step::RcptTo, Act::Say("550 5.4.5 Daily user sending limit exceeded"));
    let poison = send(&app, "poison@zero.example", "Hello").await;
    let waiting = until_put_off(&app, poison, 1).await;
    assert_eq!(outcomes(&app, poison).await, ["account"]);
    // It is not the next to try the account.
    let until_next = waiting["send_at"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    assert!(until_next - app.clock.now() > TimeDelta::seconds(30), "{waiting}");
    for n in 0.. {
        let other = send(&app, &format!("reader{n}@one.example"), "Hello").await;
        let is_sent = async || {
            hurry(&app).await;
            row(&app, other).await["state"] == "sent"
        };
        until("the others wait for one mail", is_sent).await;
        if outcomes(&app, poison).await.contains(&"deferred".to_owned()) {
            break;
        }
        assert!(n < 20, "{:?}", outcomes(&app, poison).await);
    }
    assert!(!fails(&app).await, "it fails the account still");
    assert!(row(&app, poison).await["tried_since"].is_string(), "its time does not run");
    let last = send(&app, "ada@one.example", "Hello").await;
    until_state(&app, last, "sent").await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_refusal_of_an_organisations_own_sender_is_that_senders() {
    for said in [
        "553 5.7.1 <orders@a.example>: Sender address rejected: not owned by user x",
        "450 4.7.1 sending limit per hour exceeded for orders@a.example",
    ] {
        let smtp = Smtp::start().await;
        let app = start(&smtp).await;
        smtp.for_recipients("ada@", Step::RcptTo, Act::Say(said));
        let id = send_as(&app, "orders@a.example", "ada@example.org", TimeDelta::zero()).await.unwrap();
        until_put_off(&app, id, 1).await;
        assert_eq!((outcomes(&app, id).await, fails(&app).await), (vec!["deferred".to_owned()], false), "{said}");
        let other = send(&app, "bob@example.org", "Hello").await;
        until_state(&app, other, "sent").await;
        app.stop().await;
    }
}

/// What was scheduled for a domain that is another's by now.
#[tokio::test(flavor = "multi_thread")]
async fn mail_from_a_domain_that_is_not_verified_any_more_is_not_sent() {
    let smtp = Smtp::start().await;
    let app = start(&smtp).await;
    let id = send_as(&app, "orders@a.example", "ada@example.org", TimeDelta::hours(1)).await.unwrap();
    execute(&app, "UPDATE mail_domains SET verified_at = NULL".into()).await;
    hurry(&app).await;
    let failed = until_state(&app, id, "failed").await;
    assert!(failed["error"].as_str().unwrap().contains("is not a verified domain of this organisation"), "{failed}");
    assert_eq!((smtp.kept().len(), smtp.reached(Step::MailFrom)), (0, 0));
    app.stop().await;
}

/// However many lanes and connections for each there may be.
#[tokio::test(flavor = "multi_thread")]
async fn there_are_no_more_connections_than_the_server_permits() {
    let smtp = Smtp::start().await;
    let settings = [("HOLDFAST_MAIL__SMTP_CONNECTIONS", "2"), ("HOLDFAST_JOBS__CONCURRENCY", "8")];
    let app = start_with(&smtp, &settings).await;
    smtp.always(Step::RcptTo, Act::Wait(Duration::from_millis(50)));
    let mut ids = Vec::new();
    for n in 0..40 {
        ids.push(send(&app, &format!("reader{n}@example{}.org", n % 8), "Hello").await);
    }
    for id in ids {
        assert_eq!(until_state(&app, id, "sent").await["attempts"], 1);
    }
    assert_eq!(smtp.most_open(), 2);
    app.stop().await;
}

/// Other processes of the installation have them all.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_a_free_connection_is_no_fault_of_the_mail_or_the_account() {
    let smtp = Smtp::start().await;
    let app = start(&smtp).await;
    smtp.once(Step::Connected, Act::SayAndClose("421 4.7.0 Error: too many connections from 127.0.0.1"));
    let id = send(&app, "ada@example.org", "Hello").await;
    let waiting = until_put_off(&app, id, 1).await;
    assert_eq!((outcomes(&app, id).await, &waiting["tried_since"]), (vec!["deferred".to_owned()], &json!(null)));
    assert!(!fails(&app).await);
    hurry(&app).await;
    until_state(&app, id, "sent").await;
    app.stop().await;
}

/// The database holds the result up for longer than the job has its lease.
#[tokio::test(flavor = "multi_thread")]
async fn a_result_outlives_the_lease_of_its_job() {
    let smtp = Smtp::start().await;
    let app = start(&smtp).await;
    smtp.once(Step::Kept, Act::Wait(Duration::from_secs(1)));
    let id = send(&app, "ada@example.org", "Hello").await;
    until("nothing arrives", async || smtp.kept().len() == 1).await;
    let mut db = admin(&app).await;
    sqlx::raw_sql("BEGIN; LOCK TABLE mail_messages IN ACCESS EXCLUSIVE MODE").execute(&mut db).await.unwrap();
    let taken = "UPDATE jobs SET lease_no = lease_no + 1, leased_until = now() - interval '1 minute'
                 WHERE kind = 'mail.deliver' AND state = 'running'";
    execute(&app, taken.into()).await;
    let is_lost = async || app.metric("holdfast_jobs_finished_total{queue=\"mail\",outcome=\"lost\"}") >= 1.0;
    until("the job keeps its lease", is_lost).await;
    sqlx::raw_sql("COMMIT").execute(&mut db).await.unwrap();
    let sent = until_state(&app, id, "sent").await;
    assert_eq!((&sent["attempts"], &sent["maybe_sent"]), (&json!(1), &json!(false)), "{sent}");
    assert_eq!((outcomes(&app, id).await, smtp.kept().len()), (vec!["sent".to_owned()], 1));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_goes_before_what_an_organisation_sends_to_the_same_domain() {
    let smtp = Smtp::start().await;
    let app = start_with(&smtp, &[("HOLDFAST_MAIL__CONNECTIONS", "1")]).await;
    smtp.always(Step::RcptTo, Act::Wait(Duration::from_millis(200)));
    for n in 0..60 {
        send(&app, &format!("reader{n}@example.org"), "Offers").await;
    }
    let to = Address::parse("ada@example.org").unwrap();
    let link = NewMail { kind: &kinds::PASSWORD_RESET, ..mail(&to, "Set a new password") };
    let id = enqueue(&app, Owner::Installation, &link).await.unwrap();
    until_state(&app, id, "sent").await;
    let before = smtp.recipients().len();
    assert!(before < 40, "it was sent after {before} of 60");
    app.kill().await;
}

/// By name it would come last each time, while others fall due again and again.
#[tokio::test(flavor = "multi_thread")]
async fn the_lane_that_waits_longest_is_woken_first() {
    let smtp = Smtp::start().await;
    let app = start(&smtp).await;
    let pause =
        "INSERT INTO job_queues (name, paused) VALUES ('mail', true) ON CONFLICT (name) DO UPDATE SET paused = true";
    execute(&app, pause.into()).await;
    let due = "INSERT INTO mail_messages (id, created_at, kind, language, to_address, to_name, to_key, subject, message_id, lane, state, send_at,
                 created_by)
               SELECT gen_random_uuid(), now(), 'api', 'en', 'a@b.example', '', 'a@b.example', 'Hello', n || '@example.com', lane, 'queued',
                 now() - wait, 'test'
               FROM (SELECT n, format('smtp/%s.example', n) AS lane, interval '2 minutes' AS wait FROM generate_series(1, 1100) n
                     UNION ALL SELECT 0, 'smtp/zulu.example', interval '1 hour') AS made";
    execute(&app, due.into()).await;
    app.app.mail.wake_waiting().await.unwrap();
    assert_eq!(number(&app, "SELECT count(*) FROM jobs WHERE unique_key = 'smtp/zulu.example'").await, 1);
    app.kill().await;
}

/// The operator's network is nothing for the log of an organisation.
#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_reads_that_the_server_fails_and_operators_why() {
    let smtp = Smtp::absent(Options::default());
    let app = start_with(&smtp, &HASTY).await;
    let to = Address::parse("ada@example.org").unwrap();
    let id = enqueue(&app, Owner::Org(org(&app).await), &mail(&to, "Hello")).await.unwrap();
    let waiting = until_put_off(&app, id, 1).await;
    let error = waiting["error"].as_str().unwrap();
    assert!(error.starts_with("the mail server cannot be used at the moment"), "{waiting}");
    until("the account does not fail", async || fails(&app).await).await;
    let why = app.app.mail.account().await.unwrap().error.unwrap();
    assert!(why.contains("the mail server cannot be reached"), "{why}");
    app.kill().await;
}

/// What failed was cancelled: nothing is left that could try the server.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_recovers_without_mail_to_try_it() {
    let smtp = Smtp::absent(Options::default());
    let app = start_with(&smtp, &HASTY).await;
    let id = send(&app, "ada@example.org", "Hello").await;
    until("the account does not fail", async || fails(&app).await).await;
    until_put_off(&app, id, 1).await;
    app.app.mail.cancel(&operator(&app).await, id).await.unwrap();
    smtp.come_back().await;
    execute(&app, "UPDATE mail_accounts SET retry_at = now() - interval '1 minute'".into()).await;
    until("it fails for ever", async || !fails(&app).await).await;
    assert_eq!(smtp.kept().len(), 0);
    app.stop().await;
}
