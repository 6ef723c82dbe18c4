//! The mailbox of bounces, on a false IMAP server.

use std::time::Duration;

use holdfast::platform::health::Status;
use tokio::time::Instant;

use super::{
    bounces::{mark, org, sent, suppressed},
    outbox::{check, execute},
};
use crate::{
    alerting::pages::open,
    support::{
        app::TestApp,
        imap::{Fault, Imap},
        wait::until,
    },
};

/// A report as Postfix writes it, about the mail of this name to this address.
fn report(name: &str, to: &str, status: &str) -> String {
    report_of(name, &format!("{}Diagnostic-Code: smtp; 550 {status} no\n", group(to, "failed", status)))
}

/// What a report says of a recipient.
fn group(to: &str, action: &str, status: &str) -> String {
    format!("Final-Recipient: rfc822; {to}\nAction: {action}\nStatus: {status}\n")
}

/// A report about the mail of this name, with these groups of fields.
fn report_of(name: &str, groups: &str) -> String {
    format!(
        "Return-Path: <>
From: MAILER-DAEMON@mail.example.org (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: bounces@example.org
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=\"b1\"
Message-Id: <report-of-{name}@mail.example.org>

--b1
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mail.example.org.

--b1
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.example.org

{groups}
--b1
Content-Type: text/rfc822-headers

From: Holdfast <holdfast@example.org>
Message-ID: <{name}@example.org>

--b1--
"
    )
}

const QUESTION: &str = "From: ann@example.com\nSubject: Question\nContent-Type: text/plain\n\nHow do I sign in?\n";

async fn start(imap: &Imap, more: &[(&str, &str)]) -> TestApp {
    let settings = imap.settings();
    let own = settings.iter().map(|(name, value)| (*name, value.as_str()));
    let own = own.filter(|(name, _)| more.iter().all(|(other, _)| other != name));
    TestApp::start_with(&own.chain(more.iter().copied()).collect::<Vec<_>>()).await
}

fn reports(app: &TestApp, outcome: &str) -> f64 {
    app.metric(&format!("holdfast_mail_reports_total{{source=\"mailbox\",outcome=\"{outcome}\"}}"))
}

/// The first reading is that of the loop: it begins with the process.
async fn wait_for_first_reading(imap: &Imap) {
    until("the mailbox is not read", async || imap.said().iter().any(|said| said == "LOGOUT")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_are_read_and_the_rest_is_left_for_people() {
    let imap = Imap::start().await;
    let app = start(&imap, &[("HOLDFAST_MAIL__IMAP_DONE_FOLDER", "Done")]).await;
    wait_for_first_reading(&imap).await;
    let org = org(&app, "default").await;
    sent(&app, Some(org), "first", "ann@example.com", "1 hour").await;
    sent(&app, None, "own", "bob@example.com", "1 hour").await;
    let hard = imap.put(&report("first", "Ann@Example.com", "5.1.1"));
    let soft = imap.put(&report("own", "bob@example.com", "5.2.2"));
    let question = imap.put(QUESTION);
    let foreign = imap.put(&report("unknown", "eve@example.com", "5.1.1"));
    let read = app.app.mail.read_mailbox().await.unwrap();
    assert_eq!((read.reports, read.not_understood), (3, 1));
    assert_eq!(suppressed(&app).await, ["default/ann@example.com/*/hard_bounce"]);
    assert_eq!(
        (mark(&app, "first").await.as_deref(), mark(&app, "own").await.as_deref()),
        (Some("hard"), Some("soft"))
    );
    let kept = imap.kept();
    assert_eq!(kept.len(), 4, "nothing is deleted");
    for mail in &kept {
        let is_question = mail.uid == question;
        assert!(mail.has("\\Seen") && mail.has("\\Flagged") == is_question, "{mail:?}");
        assert_eq!(mail.folder, if is_question { "INBOX" } else { "Done" }, "{mail:?}");
    }
    assert!([hard, soft, foreign].iter().all(|uid| kept.iter().any(|mail| mail.uid == *uid)));
    assert_eq!((reports(&app, "taken"), reports(&app, "unreadable")), (3.0, 1.0));
    assert_eq!(app.metric("holdfast_mail_bounces_ignored_total{reason=\"unmatched\"}"), 1.0);
    // Nothing is read twice; and nobody asked the server to delete anything.
    let again = app.app.mail.read_mailbox().await.unwrap();
    assert_eq!((again.reports, again.not_understood), (0, 0));
    assert!(
        !imap.said().iter().any(|said| said.contains("EXPUNGE") || said.contains("Deleted") || said.contains("CLOSE"))
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_and_passwords_of_every_script_are_sent_as_imap_wants_them() {
    let imap = Imap::start().await;
    let settings = [
        ("HOLDFAST_MAIL__IMAP_FOLDER", "Отчёты & \"x\""),
        ("HOLDFAST_MAIL__IMAP_DONE_FOLDER", "Готово"),
        ("HOLDFAST_MAIL__IMAP_PASSWORD", "пароль"),
    ];
    let app = start(&imap, &settings).await;
    wait_for_first_reading(&imap).await;
    imap.put(&report("first", "ann@example.com", "5.1.1"));
    assert_eq!(app.app.mail.read_mailbox().await.unwrap().reports, 1);
    assert_eq!(imap.kept()[0].folder, "&BBMEPgRCBD4EMgQ+-");
    assert!(imap.said().iter().all(|said| said.is_ascii()), "{:?}", imap.said());
    app.stop().await;
}

/// Otherwise a team or a customer's group hears nothing more as soon as one of its members has left.
#[tokio::test(flavor = "multi_thread")]
async fn a_report_about_a_member_of_a_group_suppresses_nobody() {
    let imap = Imap::start().await;
    let app = start(&imap, &[]).await;
    wait_for_first_reading(&imap).await;
    let org = org(&app, "default").await;
    let (team, original) = ("team@company.example", "Original-Recipient: rfc822; team@company.example\n");
    let left = group("left@company.example", "failed", "5.1.1");
    for (name, groups) in [
        ("member", left.clone()),
        ("original", format!("{original}{left}")),
        ("relayed", format!("{original}{left}\n{}", group("here@company.example", "relayed", "2.0.0"))),
        ("full", format!("{}\n{left}", group(team, "failed", "5.2.2"))),
        ("delayed", format!("{}\n{left}", group(team, "delayed", "4.2.2"))),
    ] {
        sent(&app, Some(org), name, team, "1 hour").await;
        imap.put(&report_of(name, &groups));
        app.app.mail.read_mailbox().await.unwrap();
        assert_eq!(mark(&app, name).await.as_deref(), Some("soft"), "{name}");
        assert_eq!(suppressed(&app).await, Vec::<String>::new(), "{name}");
    }
    assert_eq!(app.metric("holdfast_mail_bounces_total{kind=\"hard\"}"), 0.0);
    // The group's own address decides, wherever it stands.
    sent(&app, Some(org), "gone", team, "1 hour").await;
    let other = group("full@company.example", "failed", "5.2.2");
    imap.put(&report_of("gone", &format!("{other}\n{}", group("Team@Company.Example", "failed", "5.1.1"))));
    app.app.mail.read_mailbox().await.unwrap();
    assert_eq!(mark(&app, "gone").await.as_deref(), Some("hard"));
    assert_eq!(suppressed(&app).await, ["default/team@company.example/*/hard_bounce"]);
    app.stop().await;
}

/// The process ended between counting a bounce and marking its mail, or the server refuses to mark it.
#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_is_read_again_counts_once() {
    let imap = Imap::start().await;
    let app = start(&imap, &[]).await;
    wait_for_first_reading(&imap).await;
    sent(&app, Some(org(&app, "default").await), "first", "ann@example.com", "1 hour").await;
    imap.put(&report("first", "ann@example.com", "5.1.1"));
    imap.read_only(true);
    app.app.mail.read_mailbox().await.unwrap_err();
    imap.read_only(false);
    app.app.mail.read_mailbox().await.unwrap();
    imap.forget_flags();
    app.app.mail.read_mailbox().await.unwrap();
    assert_eq!(app.metric("holdfast_mail_bounces_total{kind=\"hard\"}"), 1.0);
    // It was not even read again before the flags were gone.
    assert_eq!(app.metric("holdfast_mail_bounces_ignored_total{reason=\"duplicate\"}"), 1.0);
    assert_eq!(suppressed(&app).await, ["default/ann@example.com/*/hard_bounce"]);
    // Without a folder to move to, it stays.
    assert_eq!(imap.kept()[0].folder, "INBOX");
    app.stop().await;
}

/// Shared and read-only folders, and servers that refuse a flag: each report counts once, and people learn that nothing can be marked.
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_cannot_be_marked_hides_none_behind_it() {
    let imap = Imap::start().await;
    let app = start(&imap, &[]).await;
    wait_for_first_reading(&imap).await;
    let org = org(&app, "default").await;
    for name in ["first", "second", "third"] {
        sent(&app, Some(org), name, &format!("{name}@example.com"), "1 hour").await;
        imap.put(&report(name, &format!("{name}@example.com"), "5.1.1"));
    }
    imap.read_only(true);
    for _ in 0..4 {
        let error = app.app.mail.read_mailbox().await.unwrap_err();
        assert_eq!(error.to_string(), "the mail server refuses: [NOPERM] Permission denied");
        for name in ["first", "second", "third"] {
            assert_eq!(mark(&app, name).await.as_deref(), Some("hard"), "{name}");
        }
    }
    let fetched = imap.said().iter().filter(|said| said.starts_with("UID FETCH")).count();
    assert_eq!((fetched, reports(&app, "taken"), reports(&app, "unreadable")), (3, 0.0, 0.0));
    let found = check(&app, "mail.bounces").await;
    assert!(found.status == Status::Fail && found.summary.contains("Permission denied"), "{found:?}");
    let failing = async || {
        app.app.mail.refresh_gauges().await.unwrap();
        app.metric("holdfast_mail_sources_failing{source=\"mailbox\"}")
    };
    assert_eq!(failing().await, 1.0);
    imap.read_only(false);
    assert_eq!(app.app.mail.read_mailbox().await.unwrap().reports, 3);
    assert_eq!((failing().await, reports(&app, "taken")), (0.0, 3.0));
    assert_eq!(check(&app, "mail.bounces").await.status, Status::Pass);
    app.stop().await;
}

/// The database refuses the first of two bounces in a report: the second counts, and the report is read again.
#[tokio::test(flavor = "multi_thread")]
async fn a_bounce_that_cannot_be_stored_hides_none_in_its_report() {
    let imap = Imap::start().await;
    let app = start(&imap, &[]).await;
    wait_for_first_reading(&imap).await;
    let org = org(&app, "default").await;
    sent(&app, Some(org), "pair", "second@example.com", "1 hour").await;
    let refuse = "ALTER TABLE mail_bounces ADD CONSTRAINT refused CHECK (address <> 'first@example.com')";
    execute(&app, refuse.into()).await;
    let groups = ["first@example.com", "second@example.com"].map(|to| group(to, "failed", "5.1.1"));
    imap.put(&report_of("pair", &groups.join("\n")));
    app.app.mail.read_mailbox().await.unwrap_err();
    assert_eq!(mark(&app, "pair").await.as_deref(), Some("hard"));
    execute(&app, "ALTER TABLE mail_bounces DROP CONSTRAINT refused".into()).await;
    assert_eq!(app.app.mail.read_mailbox().await.unwrap().reports, 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_for_reading_alone_is_said_to_be_one() {
    let imap = Imap::start().await;
    let app = start(&imap, &[]).await;
    wait_for_first_reading(&imap).await;
    imap.opens_read_only(true);
    let found = check(&app, "mail.bounces").await;
    assert!(found.status == Status::Fail && found.summary.contains("for reading alone"), "{found:?}");
    // Also while there is nothing in it.
    let error = app.app.mail.read_mailbox().await.unwrap_err();
    assert!(error.to_string().contains("for reading alone"), "{error}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_move_keeps_reports_where_they_are() {
    let imap = Imap::start().await;
    imap.cannot_move();
    let app = start(&imap, &[("HOLDFAST_MAIL__IMAP_DONE_FOLDER", "Done")]).await;
    wait_for_first_reading(&imap).await;
    imap.put(&report("first", "ann@example.com", "5.1.1"));
    app.app.mail.read_mailbox().await.unwrap();
    let mail = imap.kept().remove(0);
    assert!(mail.folder == "INBOX" && mail.has("\\Seen") && !mail.has("\\Flagged"), "{mail:?}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_does_not_exist_holds_up_no_report() {
    let imap = Imap::start().await;
    let app = start(&imap, &[("HOLDFAST_MAIL__IMAP_DONE_FOLDER", "Missing")]).await;
    wait_for_first_reading(&imap).await;
    for name in ["first", "second", "third"] {
        imap.put(&report(name, "ann@example.com", "5.1.1"));
    }
    assert_eq!(app.app.mail.read_mailbox().await.unwrap().reports, 3);
    assert!(imap.kept().iter().all(|mail| mail.folder == "INBOX" && mail.has("\\Seen")), "{:?}", imap.kept());
    assert_eq!(imap.said().iter().filter(|said| said.contains("MOVE")).count(), 1, "it is tried once");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_says_nothing_is_given_up_and_read_later() {
    let imap = Imap::start().await;
    let app = start(&imap, &[("HOLDFAST_MAIL__CONNECT_SECONDS", "1")]).await;
    wait_for_first_reading(&imap).await;
    sent(&app, Some(org(&app, "default").await), "first", "ann@example.com", "1 hour").await;
    imap.put(&report("first", "ann@example.com", "5.1.1"));
    imap.silent(true);
    let began = Instant::now();
    let error = app.app.mail.read_mailbox().await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(10) && error.to_string().contains("connecting"), "{error}");
    imap.silent(false);
    app.app.mail.read_mailbox().await.unwrap();
    assert_eq!(mark(&app, "first").await.as_deref(), Some("hard"));
    app.stop().await;
}

/// Figures of bounces look perfect while nobody reads them.
#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_that_cannot_be_read_is_seen() {
    let imap = Imap::start().await;
    let app = start(&imap, &[("HOLDFAST_MAIL__CONNECT_SECONDS", "1")]).await;
    let admin = app.admin().await;
    let shown = async || open(&admin, "/settings/mail/sources", "en").await.text;
    wait_for_first_reading(&imap).await;
    until("it does not say that it is read", async || shown().await.contains("is read")).await;
    let found = check(&app, "mail.bounces").await;
    assert!(found.status == Status::Pass && found.summary.contains("bounces@example.org"), "{found:?}");
    assert_eq!(reports(&app, "failed"), 0.0);
    imap.silent(true);
    app.app.mail.read_mailbox().await.unwrap_err();
    assert!(reports(&app, "failed") >= 1.0);
    let page = shown().await;
    assert!(page.contains("cannot be read") && page.contains("connecting"), "{page}");
    let found = check(&app, "mail.bounces").await;
    assert!(found.status == Status::Fail && found.summary.contains("connecting"), "{found:?}");
    // It is the installation's.
    let stranger = app.other_org("other").await;
    assert!(!open(&stranger, "/settings/mail/sources", "en").await.text.contains("Mailbox of bounces"));
    imap.silent(false);
    app.app.mail.read_mailbox().await.unwrap();
    let page = shown().await;
    assert!(page.contains("is read") && !page.contains("cannot be read"), "{page}");
    app.stop().await;
}

/// Some servers hang up at one mail each time: what is behind it is read, and people find it flagged in the end.
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_cannot_be_fetched_does_not_hide_those_behind_it() {
    for fault in [Fault::Close, Fault::Lost, Fault::Huge] {
        let imap = Imap::start().await;
        let app = start(&imap, &[]).await;
        wait_for_first_reading(&imap).await;
        sent(&app, Some(org(&app, "default").await), "first", "ann@example.com", "1 hour").await;
        let broken = imap.put(QUESTION);
        imap.fault(broken, fault);
        imap.put(&report("first", "ann@example.com", "5.1.1"));
        let first = app.app.mail.read_mailbox().await;
        assert_eq!(first.is_ok(), fault == Fault::Lost, "{fault:?}: {first:?}");
        if fault == Fault::Huge {
            let error = holdfast::platform::error::chain(&first.unwrap_err());
            assert!(error.contains("more than"), "it is not read: {error}");
        }
        let _ = app.app.mail.read_mailbox().await;
        assert_eq!(mark(&app, "first").await.as_deref(), Some("hard"), "{fault:?}");
        for _ in 0..3 {
            let _ = app.app.mail.read_mailbox().await;
        }
        let kept = imap.kept();
        assert!(kept[0].has("\\Seen") && kept[0].has("\\Flagged"), "{fault:?}: {:?}", kept[0]);
        assert!(kept[1].has("\\Seen") && !kept[1].has("\\Flagged"), "{fault:?}: {:?}", kept[1]);
        let fetched = imap.said().iter().filter(|said| said.starts_with(&format!("UID FETCH {broken} "))).count();
        assert_eq!((fetched, reports(&app, "unreadable")), (3, 1.0), "{fault:?}");
        app.stop().await;
    }
}

/// A mail that is larger than what is fetched, one that is nested without end, and one that is no mail.
#[tokio::test(flavor = "multi_thread")]
async fn odd_mails_do_not_hold_up_the_others() {
    let imap = Imap::start().await;
    let app = start(&imap, &[]).await;
    wait_for_first_reading(&imap).await;
    sent(&app, Some(org(&app, "default").await), "first", "ann@example.com", "1 hour").await;
    sent(&app, Some(org(&app, "default").await), "large", "bob@example.com", "1 hour").await;
    imap.put(
        &(0..4000).map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n")).collect::<String>(),
    );
    imap.put("\0\u{1}");
    imap.put("");
    // The returned message is whole, and longer than what is read of it.
    let large = report("large", "bob@example.com", "5.1.1").replace("text/rfc822-headers", "message/rfc822");
    let large =
        large.replace("\n\n--b1--\n", &format!("\n\n{}\n--b1--\n", "A line of a long message.\n".repeat(20_000)));
    assert!(large.len() > 500_000);
    imap.put(&large);
    imap.put(&report("first", "ann@example.com", "5.1.1"));
    let read = app.app.mail.read_mailbox().await.unwrap();
    assert_eq!((read.reports, read.not_understood), (2, 3));
    assert_eq!(
        (mark(&app, "first").await.as_deref(), mark(&app, "large").await.as_deref()),
        (Some("hard"), Some("hard"))
    );
    app.stop().await;
}
