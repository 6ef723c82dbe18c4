//! Servers that refuse, hesitate and hang up: each mail arrives once, except where the protocol cannot know, and everything is said.

use std::time::Duration;

use chrono::TimeDelta;
use holdfast::platform::health::Status;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::outbox::{
    HASTY, admin, attempts, check, check_settled, execute, hurry, number, outcomes, row, send, start, start_with,
    until_put_off, until_state,
};
use crate::support::{
    app::TestApp,
    cluster::terminate_sessions,
    smtp::{Act, Options, Smtp, Step},
    wait::until,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_holds_mail_up_until_it_is_back() {
    let smtp = Smtp::absent(Options::default());
    let app = start_with(&smtp, &HASTY).await;
    let ids = [send(&app, "ada@one.example", "Hello").await, send(&app, "bob@two.example", "Hello").await];
    until("nobody tried", async || app.metric("holdfast_mail_account_failing") == 1.0).await;
    let found = check(&app, "mail.smtp").await;
    assert_ne!(found.status, Status::Pass, "{found:?}");
    let account = app.app.mail.account().await.unwrap();
    assert!(account.failing_since.is_some() && account.retry_at.is_some() && account.error.is_some(), "{account:?}");
    // Each mail waits; the server is tried again by one of them, not by all.
    smtp.come_back().await;
    hurry(&app).await;
    for id in ids {
        let sent = until_state(&app, id, "sent").await;
        assert_eq!(sent["maybe_sent"], json!(false));
    }
    assert_eq!(smtp.recipients().len(), 2);
    until("still failing", async || app.metric("holdfast_mail_account_failing") == 0.0).await;
    assert!(app.app.mail.account().await.unwrap().failing_since.is_none());
    assert_eq!(check(&app, "mail.smtp").await.status, Status::Pass);
    assert!(app.metric("holdfast_mail_last_success_timestamp_seconds") > 0.0);
    check_settled(&app).await;
    app.stop().await;
}

/// It refuses what it does not know, and takes it at the second attempt.
#[tokio::test(flavor = "multi_thread")]
async fn greylisting_costs_a_second_attempt_and_holds_up_no_other_mail() {
    let smtp = Smtp::start().await;
    let app = start(&smtp).await;
    smtp.once(Step::RcptTo, Act::Say("451 4.7.1 Greylisted, try again in 60 seconds"));
    let first = send(&app, "ada@example.org", "First").await;
    let waiting = until_put_off(&app, first, 1).await;
    assert_eq!((&waiting["status"], &waiting["enhanced"]), (&json!(451), &json!("4.7.1")));
    assert!(waiting["error"].as_str().unwrap().contains("Greylisted"), "{waiting}");
    let wait = waiting["send_at"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap() - app.clock.now();
    assert!(wait > TimeDelta::seconds(20) && wait < TimeDelta::minutes(3), "the second attempt comes in {wait}");
    let second = send(&app, "bob@example.org", "Second").await;
    until_state(&app, second, "sent").await;
    assert_eq!(smtp.recipients(), ["bob@example.org"]);
    hurry(&app).await;
    let sent = until_state(&app, first, "sent").await;
    assert_eq!((&sent["attempts"], &sent["maybe_sent"]), (&json!(2), &json!(false)));
    assert_eq!(outcomes(&app, first).await, ["deferred", "sent"]);
    assert_eq!(smtp.recipients(), ["bob@example.org", "ada@example.org"]);
    assert_eq!(app.metric("holdfast_mail_attempts_total{outcome=\"deferred\"}"), 1.0);
    check_settled(&app).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_does_not_exist_fails_at_once_and_is_not_asked_again() {
    let smtp = Smtp::start().await;
    let app = start(&smtp).await;
    smtp.for_recipients("obody@example.org", Step::RcptTo, Act::Say("550 5.1.1 No such user here"));
    let id = send(&app, "Nobody@example.org", "Hello").await;
    let failed = until_state(&app, id, "failed").await;
    assert_eq!((&failed["status"], &failed["enhanced"]), (&json!(550), &json!("5.1.1")));
    assert!(failed["error"].as_str().unwrap().contains("No such user here"), "{failed}");
    assert_eq!(outcomes(&app, id).await, ["rejected"]);
    let again = send(&app, "nobody@example.org", "Hello again").await;
    assert_eq!(row(&app, again).await["state"], "suppressed");
    // The connection is as good as before.
    let other = send(&app, "ada@example.org", "Hello").await;
    until_state(&app, other, "sent").await;
    assert_eq!((smtp.recipients(), smtp.reached(Step::RcptTo)), (vec!["ada@example.org".to_owned()], 2));
    let reason =
        "SELECT count(*) FROM mail_suppressions WHERE reason = 'hard_bounce' AND address = 'nobody@example.org'";
    assert_eq!(number(&app, reason).await, 1);
    assert_eq!(app.metric("holdfast_mail_suppressions_total{reason=\"hard_bounce\"}"), 1.0);
    assert_eq!(app.metric("holdfast_mail_messages_total{outcome=\"failed\"}"), 1.0);
    assert_eq!(number(&app, "SELECT count(*) FROM events WHERE topic = 'mail.message.failed'").await, 1);
    app.stop().await;
}

/// What is refused for its content or for its sender says nothing about the address.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_by_policy_does_not_suppress_the_address() {
    let smtp = Smtp::start().await;
    let app = start(&smtp).await;
    for (step, said, enhanced) in [
        (Step::Content, "554 5.7.1 Message looks like spam", json!("5.7.1")),
        (Step::Content, "554 5.0.0 Message rejected as spam", json!("5.0.0")),
        (Step::RcptTo, "554 ip in prison", json!(null)),
    ] {
        smtp.once(step, Act::Say(said));
        let id = send(&app, "ada@example.org", "Hello").await;
        let failed = until_state(&app, id, "failed").await;
        assert_eq!((&failed["status"], &failed["enhanced"]), (&json!(554), &enhanced), "{said}");
        assert_eq!(number(&app, "SELECT count(*) FROM mail_suppressions").await, 0, "{said}");
    }
    let other = send(&app, "ada@example.org", "Hello again").await;
    until_state(&app, other, "sent").await;
    assert_eq!(smtp.recipients().len(), 1);
    app.stop().await;
}

/// The account has sent its share of the day: that is no fault of the mail, nor of its recipient.
#[tokio::test(flavor = "multi_thread")]
async fn a_quota_that_is_used_up_holds_mail_up_and_loses_none() {
    let smtp = Smtp::start().await;
    let app = start(&smtp).await;
    for (step, said) in [
        (Step::RcptTo, "550 5.1.90 Your message can't be sent because you've reached your daily limit"),
        (Step::Content, "552 Daily sending quota exceeded"),
    ] {
        smtp.once(step, Act::Say(said));
        let id = send(&app, "ada@example.org", "Hello").await;
        let waiting = until_put_off(&app, id, 1).await;
        assert_eq!(outcomes(&app, id).await, ["account"], "{waiting}");
        let fails = async || app.app.mail.account().await.unwrap().failing_since.is_some();
        until("the account does not fail", async || fails().await).await;
        hurry(&app).await;
        until_state(&app, id, "sent").await;
        until("the account still fails", async || !fails().await).await;
    }
    assert_eq!(number(&app, "SELECT count(*) FROM mail_suppressions").await, 0);
    app.stop().await;
}

/// Its text may be missing, in any encoding, or longer than anybody reads (RFC 5321 section 4.2).
#[tokio::test(flavor = "multi_thread")]
async fn only_the_code_of_an_answer_decides() {
    let smtp = Smtp::start().await;
    let app = start_with(&smtp, &HASTY).await;
    let long: &'static str = format!("250 2.0.0 {}\r\n", "k".repeat(20_000)).leak();
    for (step, said, state) in [
        (Step::Kept, b"250 2.0.0 \xd3\xca\xbc\xfe\r\n".as_slice(), "sent"),
        (Step::Kept, b"250\r\n", "sent"),
        (Step::Kept, b"250 2.0.0 ok\n", "sent"),
        (Step::Kept, long.as_bytes(), "sent"),
        (Step::Kept, b"250-2.0.0 one\r\n550 5.7.1 two\r\n", "failed"),
        (Step::RcptTo, b"250\r\n", "sent"),
        (Step::RcptTo, b"550 5.7.1 d\xe9sactiv\xe9\r\n", "failed"),
        (Step::RcptTo, b"571 blocked\r\n", "failed"),
        (Step::Data, b"354\r\n", "sent"),
    ] {
        smtp.once(step, Act::Instead(said));
        let id = send(&app, "ada@example.org", "Hello").await;
        let ended = until_state(&app, id, state).await;
        let said = String::from_utf8_lossy(&said[..said.len().min(60)]);
        assert_eq!((&ended["attempts"], &ended["maybe_sent"]), (&json!(1), &json!(false)), "{step:?} {said}");
    }
    check_settled(&app).await;
    app.stop().await;
    for greeting in [b"220\r\n".as_slice(), b"220 Bienvenue \xe0 vous\r\n"] {
        let smtp = Smtp::start().await;
        smtp.always(Step::Connected, Act::Instead(greeting));
        let app = start_with(&smtp, &HASTY).await;
        let id = send(&app, "ada@example.org", "Hello").await;
        until_state(&app, id, "sent").await;
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_in_another_encoding_is_read_by_people() {
    let smtp = Smtp::with(Options { account: Some(("holdfast", "correct horse")), ..Options::default() }).await;
    let app = start(&smtp).await;
    smtp.always(Step::Auth, Act::Instead(b"535 Error: \xc7\xeb\xca\xb9\xd3\xc3\r\n"));
    let found = check(&app, "mail.smtp").await;
    assert!(found.status == Status::Fail && found.summary.contains("535 Error: "), "{found:?}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_an_end_is_given_up_before_it_fills_the_memory() {
    let smtp = Smtp::start().await;
    let app = start_with(&smtp, &HASTY).await;
    smtp.once(Step::RcptTo, Act::Instead(vec![b'2'; 4 << 20].leak()));
    let id = send(&app, "ada@example.org", "Hello").await;
    let waiting = until_put_off(&app, id, 1).await;
    assert!(waiting["error"].as_str().unwrap().contains("has no end"), "{waiting}");
    hurry(&app).await;
    until_state(&app, id, "sent").await;
    app.stop().await;
}

/// Where it falls silent, and what is known then: before the content nothing can have arrived.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_falls_silent_is_given_up_in_time() {
    for (step, known) in [
        (Step::Connected, true),
        (Step::Ehlo, true),
        (Step::MailFrom, true),
        (Step::RcptTo, true),
        (Step::Data, true),
        (Step::Content, false),
    ] {
        let smtp = Smtp::start().await;
        let app = start_with(&smtp, &HASTY).await;
        smtp.once(step, Act::Silence);
        let began = Instant::now();
        let id = send(&app, "ada@example.org", "Hello").await;
        let waiting = until_put_off(&app, id, 1).await;
        let took = began.elapsed();
        assert!(took < Duration::from_secs(20), "{step:?}: {took:?} for a limit of 2 s");
        assert_eq!(waiting["maybe_sent"], json!(!known), "{step:?}: {waiting}");
        assert!(!waiting["error"].is_null(), "{step:?}: {waiting}");
        hurry(&app).await;
        let sent = until_state(&app, id, "sent").await;
        let kept = smtp.kept();
        assert_eq!(kept.len(), 1, "{step:?}");
        assert_eq!(kept[0].message_id(), format!("<{}>", sent["message_id"].as_str().unwrap()));
        let history = attempts(&app, id).await;
        let first = history[0]["outcome"].as_str().unwrap();
        assert_eq!(first == "unknown", !known, "{step:?}: {history:?}");
        check_settled(&app).await;
        app.stop().await;
    }
}

/// A byte every 200 ms keeps a connection alive for ever, if each byte counts as a sign of life.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_answers_a_byte_at_a_time_is_given_up_in_time() {
    for step in [Step::Connected, Step::RcptTo] {
        let smtp = Smtp::start().await;
        let app = start_with(&smtp, &HASTY).await;
        smtp.once(step, Act::Drip(Duration::from_millis(200)));
        let began = Instant::now();
        let id = send(&app, "ada@example.org", "Hello").await;
        until_put_off(&app, id, 1).await;
        assert!(began.elapsed() < Duration::from_secs(20), "{step:?}: {:?} for a limit of 2 s", began.elapsed());
        hurry(&app).await;
        until_state(&app, id, "sent").await;
        assert_eq!(smtp.kept().len(), 1, "{step:?}");
        app.stop().await;
    }
}

/// The one thing that SMTP cannot know: whether a server that hung up after the content has kept it.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_the_content_is_asked_for_again_under_the_same_message_id() {
    for (step, arrivals) in [(Step::Content, 1), (Step::Kept, 2)] {
        for act in [Act::Close, Act::Silence] {
            let smtp = Smtp::start().await;
            let app = start_with(&smtp, &HASTY).await;
            smtp.once(step, act);
            let id = send(&app, "ada@example.org", "Hello").await;
            let waiting = until_put_off(&app, id, 1).await;
            assert_eq!(waiting["maybe_sent"], json!(true), "{step:?} {act:?}: {waiting}");
            hurry(&app).await;
            let sent = until_state(&app, id, "sent").await;
            // It stays written down that it may have arrived twice.
            assert_eq!(sent["maybe_sent"], json!(true));
            assert_eq!(outcomes(&app, id).await, ["unknown", "sent"]);
            let kept = smtp.kept();
            assert_eq!(kept.len(), arrivals, "{step:?} {act:?}");
            let wanted = format!("<{}>", sent["message_id"].as_str().unwrap());
            assert!(kept.iter().all(|kept| kept.message_id() == wanted), "another Message-ID");
            // A reader that knows the first knows the second: it is the same, byte by byte.
            assert!(kept.iter().all(|other| other.raw == kept[0].raw), "another content");
            app.stop().await;
        }
    }
}

/// Servers close connections that lie idle, or that have brought enough; the next mail must not pay for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_stale_when_it_is_used_again_costs_no_attempt() {
    for act in [
        Act::SayAndClose("421 4.4.2 Idle for too long, closing"),
        Act::SayAndClose("421 4.7.0 Too many messages in this session"),
        Act::Close,
    ] {
        let smtp = Smtp::start().await;
        let app = start(&smtp).await;
        let first = send(&app, "ada@example.org", "First").await;
        until_state(&app, first, "sent").await;
        smtp.once(Step::Reused, act);
        let second = send(&app, "ada@example.org", "Second").await;
        let sent = until_state(&app, second, "sent").await;
        assert_eq!((&sent["attempts"], &sent["maybe_sent"]), (&json!(1), &json!(false)), "{act:?}");
        assert_eq!(
            (smtp.reached(Step::Reused), smtp.connections()),
            (1, 2),
            "{act:?}: the connection was not used again"
        );
        assert_eq!(smtp.recipients().len(), 2);
        app.stop().await;
    }
}

/// Some servers take ten mails on a connection, and say so to the eleventh: the others go over a new one at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_limits_the_mails_of_a_connection_gets_them_over_several() {
    let smtp = Smtp::with(Options { most_messages: Some(10), ..Options::default() }).await;
    let app = start_with(&smtp, &[("HOLDFAST_MAIL__CONNECTIONS", "1")]).await;
    let mut ids = Vec::new();
    for n in 0..25 {
        ids.push(send(&app, &format!("reader{n}@example.org"), "Hello").await);
    }
    for id in ids {
        let sent = until_state(&app, id, "sent").await;
        assert_eq!(sent["attempts"], json!(1), "{sent}");
    }
    assert_eq!((smtp.kept().len(), smtp.connections()), (25, 3));
    smtp.check_conversations();
    app.stop().await;
}

/// Each refusal puts the mail off by half a minute, so that it is never due for long.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_never_has_a_connection_is_seen_and_given_up() {
    let smtp = Smtp::start().await;
    let app = start_with(&smtp, &[("HOLDFAST_MAIL__RETRY_HOURS", "2")]).await;
    smtp.always(Step::Connected, Act::SayAndClose("421 4.7.0 too many connections"));
    let id = send(&app, "ada@example.org", "Hello").await;
    let waiting = until_put_off(&app, id, 1).await;
    assert!(waiting["busy_since"].is_string() && waiting["tried_since"].is_null(), "{waiting}");
    let before = outcomes(&app, id).await.len();
    app.clock.advance(TimeDelta::minutes(40));
    hurry(&app).await;
    until_put_off(&app, id, before + 1).await;
    app.app.mail.refresh_gauges().await.unwrap();
    let oldest = app.metric("holdfast_mail_oldest_waiting_seconds");
    assert!((2350.0..3000.0).contains(&oldest), "{oldest}");
    // After an hour its time runs.
    app.clock.advance(TimeDelta::minutes(25));
    let runs = async || {
        hurry(&app).await;
        row(&app, id).await["tried_since"].is_string()
    };
    until("its time does not run", runs).await;
    assert_ne!(row(&app, id).await["state"], "failed");
    app.clock.advance(TimeDelta::hours(3));
    let is_failed = async || {
        hurry(&app).await;
        row(&app, id).await["state"] == "failed"
    };
    until("it is tried for ever", is_failed).await;
    app.stop().await;
}

/// The test's host is called by its address, as every one without a public address is.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_our_name_is_said_to_do_so() {
    let smtp = Smtp::start().await;
    let app = start(&smtp).await;
    smtp.always(Step::Ehlo, Act::Say("501 5.5.2 invalid HELO"));
    let found = check(&app, "mail.smtp").await;
    assert_eq!(found.status, Status::Fail, "{found:?}");
    assert!(found.summary.contains("501 5.5.2 invalid HELO"), "{found:?}");
    assert!(found.remedy.as_ref().is_some_and(|remedy| remedy.contains("mail.hostname")), "{found:?}");
    app.stop().await;
}

/// With a limit of its own it would be given up before mail is.
#[tokio::test(flavor = "multi_thread")]
async fn the_check_waits_for_a_greeting_as_long_as_mail_does() {
    let smtp = Smtp::start().await;
    let app = start_with(&smtp, &[("HOLDFAST_MAIL__CONNECT_SECONDS", "20")]).await;
    smtp.once(Step::Connected, Act::Wait(Duration::from_secs(8)));
    let found = check(&app, "mail.smtp").await;
    assert_eq!(found.status, Status::Pass, "{found:?}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_busy_is_tried_again() {
    let smtp = Smtp::start().await;
    let app = start(&smtp).await;
    smtp.once(Step::Connected, Act::SayAndClose("421 4.3.2 Service not available"));
    let id = send(&app, "ada@example.org", "Hello").await;
    let waiting = until_put_off(&app, id, 1).await;
    assert_eq!((&waiting["maybe_sent"], smtp.kept().len()), (&json!(false), 0));
    hurry(&app).await;
    until_state(&app, id, "sent").await;
    assert_eq!(smtp.kept().len(), 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_for_too_long_has_failed() {
    let smtp = Smtp::start().await;
    let app = start_with(&smtp, &[("HOLDFAST_MAIL__RETRY_HOURS", "2")]).await;
    smtp.always(Step::RcptTo, Act::Say("452 4.2.2 Mailbox full"));
    let id = send(&app, "ada@example.org", "Hello").await;
    until_put_off(&app, id, 1).await;
    app.clock.advance(TimeDelta::hours(1));
    hurry(&app).await;
    until_put_off(&app, id, 2).await;
    app.clock.advance(TimeDelta::hours(2));
    hurry(&app).await;
    let failed = until_state(&app, id, "failed").await;
    assert!(failed["error"].as_str().unwrap().contains("Mailbox full"), "{failed}");
    // A full mailbox may be emptied.
    assert_eq!(number(&app, "SELECT count(*) FROM mail_suppressions").await, 0);
    assert_eq!(smtp.kept().len(), 0);
    app.stop().await;
}

/// The database ends sessions again and again while mail is sent: nothing is lost, and what arrives twice is marked.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_ends_sessions_loses_no_mail() {
    let smtp = Smtp::start().await;
    let app = start(&smtp).await;
    smtp.always(Step::RcptTo, Act::Wait(Duration::from_millis(60)));
    let mut ids = Vec::new();
    for n in 0..40 {
        ids.push(send(&app, &format!("reader{n}@example{}.org", n % 5), "Hello").await);
    }
    for _ in 0..6 {
        sleep(Duration::from_millis(250)).await;
        terminate_sessions(app.target()).await;
    }
    for id in &ids {
        let is_sent = async || {
            hurry_quietly(&app).await;
            row(&app, *id).await["state"] == "sent"
        };
        until(&format!("{id} is stuck"), is_sent).await;
    }
    arrived_at_least_once(&app, &smtp).await;
    check_settled(&app).await;
    app.stop().await;
}

/// As [`hurry`], while the database may be ending sessions.
async fn hurry_quietly(app: &TestApp) {
    execute(app, "UPDATE mail_messages SET send_at = now() - interval '1 minute' WHERE state = 'queued'".into()).await;
    let _ = app.app.mail.wake_waiting().await;
}

/// Every message of the outbox was kept by the server: once, or more often where its row says that this may be.
pub async fn arrived_at_least_once(app: &TestApp, smtp: &Smtp) {
    let kept = smtp.kept();
    let mut db = admin(app).await;
    let rows: Vec<(String, bool)> =
        sqlx::query_as("SELECT message_id, maybe_sent FROM mail_messages").fetch_all(&mut db).await.unwrap();
    for (message_id, maybe_sent) in &rows {
        let times = kept.iter().filter(|kept| kept.message_id() == format!("<{message_id}>")).count();
        assert!(
            times == 1 || (times > 1 && *maybe_sent),
            "{message_id} arrived {times} times; maybe_sent: {maybe_sent}"
        );
    }
    assert!(kept.len() >= rows.len());
    // None that is not in the outbox.
    let is_known = |id: String| rows.iter().any(|(known, _)| id == format!("<{known}>"));
    assert!(kept.iter().all(|kept| is_known(kept.message_id())));
}
