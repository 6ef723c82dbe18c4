//! Reports as mail, in the forms of common servers.

use super::*;
use crate::bounces::dsn::{NotUnderstood, read};

/// As Postfix writes it.
const POSTFIX: &str = "Return-Path: <>
Received: by mail.example.org (Postfix) id 4XyZ1a2b3c; Fri, 20 Nov 2026 09:30:00 +0000 (UTC)
Date: Fri, 20 Nov 2026 09:30:00 +0000 (UTC)
From: MAILER-DAEMON@mail.example.org (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: holdfast@example.org
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary=\"4XyZ1a2b3c.1795167000/mail.example.org\"
Message-Id: <20261120093000.4XyZ1a2b3d@mail.example.org>

This is a MIME-encapsulated message.

--4XyZ1a2b3c.1795167000/mail.example.org
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mail.example.org.

<jane@example.com>: host mx.example.com[203.0.113.7] said: 550 5.1.1
    <jane@example.com>: Recipient address rejected: User unknown in virtual
    mailbox table (in reply to RCPT TO command)

--4XyZ1a2b3c.1795167000/mail.example.org
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.example.org
X-Postfix-Queue-ID: 4XyZ1a2b3c
X-Postfix-Sender: rfc822; holdfast@example.org
Arrival-Date: Fri, 20 Nov 2026 09:29:58 +0000 (UTC)

Final-Recipient: rfc822; jane@example.com
Original-Recipient: rfc822;jane@example.com
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.example.com
Diagnostic-Code: smtp; 550 5.1.1 <jane@example.com>: Recipient address
    rejected: User unknown in virtual mailbox table

--4XyZ1a2b3c.1795167000/mail.example.org
Content-Description: Undelivered Message Headers
Content-Type: text/rfc822-headers

Return-Path: <holdfast@example.org>
From: Holdfast <holdfast@example.org>
To: jane@example.com
Subject: Welcome
Message-ID: <01933f2a-7c1e-7d33-9a51-0c6e5b2f4a10@example.org>
Date: Fri, 20 Nov 2026 09:29:57 +0000

--4XyZ1a2b3c.1795167000/mail.example.org--
";

/// A complaint, after RFC 5965 appendix B.2.
const COMPLAINT: &str = "From: <abusedesk@example.com>
Date: Thu, 8 Mar 2005 17:40:36 EDT
Subject: FW: Earn money
To: <abuse@example.net>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report;
     boundary=\"part1_13d.2e68ed54_boundary\"

--part1_13d.2e68ed54_boundary
Content-Type: text/plain; charset=\"US-ASCII\"
Content-Transfer-Encoding: 7bit

This is an email abuse report for an email message received from IP
192.0.2.1 on Thu, 8 Mar 2005 14:00:00 EDT.

--part1_13d.2e68ed54_boundary
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: SomeGenerator/1.0
Version: 1
Original-Mail-From: <holdfast@example.org>
Original-Rcpt-To: <user@example.com>
Arrival-Date: Thu, 8 Mar 2005 14:00:00 EDT
Source-IP: 192.0.2.1

--part1_13d.2e68ed54_boundary
Content-Type: message/rfc822
Content-Disposition: inline

Received: from mailserver.example.net by example.com with ESMTP id M63d4137594e46
From: <holdfast@example.org>
To: <Undisclosed Recipients>
Subject: Weekly report
MIME-Version: 1.0
Content-type: text/plain
Message-ID: <01933f2a-7c1e-7d33-9a51-0c6e5b2f4a10@example.org>
Date: Thu, 02 Sep 2004 12:31:03 -0500

Spam Spam Spam
--part1_13d.2e68ed54_boundary--
";

fn crlf(text: &str) -> String {
    text.replace('\n', "\r\n")
}

#[test]
fn a_bounce_is_read_whole() {
    for raw in [POSTFIX.to_owned(), crlf(POSTFIX)] {
        let bounces = read(raw.as_bytes()).unwrap();
        let [bounce] = bounces.as_slice() else { panic!("{bounces:?}") };
        assert_eq!((bounce.message_id.as_deref(), bounce.address.as_deref()), (Some(OURS), Some("jane@example.com")));
        assert_eq!((bounce.kind, bounce.status.as_str()), (BounceKind::Hard, "5.1.1"));
        assert!(bounce.detail.starts_with("550 5.1.1 <jane@example.com>: Recipient address"), "{}", bounce.detail);
        assert!(bounce.detail.ends_with("virtual mailbox table"), "{}", bounce.detail);
        assert!(bounce.raw.contains("remote-mta: dns; mx.example.com\n"), "{}", bounce.raw);
    }
}

#[test]
fn the_same_report_has_the_same_event_id_and_another_one_has_not() {
    let id = |raw: &str| read(raw.as_bytes()).unwrap().remove(0).event_id;
    assert_eq!(id(POSTFIX), id(POSTFIX));
    assert_ne!(id(POSTFIX), id(&POSTFIX.replace("4XyZ1a2b3d", "other")));
}

#[test]
fn each_action_and_status_is_what_it_says() {
    let with = |action: &str, status: &str, diagnostic: &str| {
        let raw = POSTFIX
            .replace("Action: failed", &format!("Action: {action}"))
            .replace("Status: 5.1.1", &format!("Status: {status}"));
        raw.replace("550 5.1.1 <jane@example.com>: Recipient address\n    rejected", diagnostic)
    };
    for (action, status, diagnostic, expected) in [
        ("failed", "5.1.1", "550 5.1.1 no", Some((BounceKind::Hard, "5.1.1"))),
        ("Failed", "5.1.1 (bad address)", "550 no", Some((BounceKind::Hard, "5.1.1"))),
        ("failed", "5.2.2", "552 5.2.2 full", Some((BounceKind::Soft, "5.2.2"))),
        ("failed", "5.7.1", "550 5.7.1 policy", Some((BounceKind::Refused, "5.7.1"))),
        ("failed", "5.7.1", "550 5.7.1 No such user!", Some((BounceKind::Hard, "5.7.1"))),
        ("failed", "4.4.7", "timed out", Some((BounceKind::Soft, "4.4.7"))),
        // What the server said is more exact than what its client made of it.
        ("failed", "5.0.0", "550 5.7.26 unauthenticated", Some((BounceKind::Refused, "5.7.26"))),
        ("failed", "5.1.1", "550 5.7.1 IP address blacklisted by recipient", Some((BounceKind::Refused, "5.7.1"))),
        ("failed", "5.1.1", "552 5.2.2 Mailbox full", Some((BounceKind::Soft, "5.2.2"))),
        ("failed", "5.1.1", "554 5.7.1 rejected as spam", Some((BounceKind::Refused, "5.7.1"))),
        (
            "failed",
            "5.1.0",
            "5.1.0 - Unknown address error 550-'5.2.2 Mailbox Full'",
            Some((BounceKind::Soft, "5.2.2")),
        ),
        ("failed", "5.0.0", "550 no such user", Some((BounceKind::Hard, "5.0.0"))),
        ("failed", "5.0.0", "554 Message rejected as spam", Some((BounceKind::Refused, "5.0.0"))),
        ("failed", "5.4.4", "Host or domain name not found", Some((BounceKind::Soft, "5.4.4"))),
        ("failed", "", "550 5.1.1 no", Some((BounceKind::Hard, "5.1.1"))),
        // Behind each of these texts stands that the user is unknown.
        ("failed", "", "no", Some((BounceKind::Hard, ""))),
        ("failed", "", "550 ip in prison", Some((BounceKind::Refused, ""))),
        // With a comment, in the wrong case, or without an action: the status decides.
        ("failed (permanent)", "5.1.1", "550 no", Some((BounceKind::Hard, "5.1.1"))),
        ("(permanent) FAILED", "5.1.1", "550 no", Some((BounceKind::Hard, "5.1.1"))),
        ("", "5.1.1", "550 no", Some((BounceKind::Hard, "5.1.1"))),
        ("bounced", "5.1.1 (no user)", "550 no", Some((BounceKind::Hard, "5.1.1"))),
        ("", "4.4.1", "451 4.4.1 later", None),
        ("", "2.0.0", "250 2.0.0 ok", None),
        ("delayed (again)", "5.1.1", "451 4.4.1 later", None),
        ("delayed", "4.4.1", "451 4.4.1 later", None),
        ("delivered", "2.0.0", "250 2.0.0 ok", None),
        ("relayed", "2.0.0", "250 2.0.0 ok", None),
        ("expanded", "2.0.0", "250 2.0.0 ok", None),
    ] {
        let bounces = read(with(action, status, diagnostic).as_bytes()).unwrap();
        let found = bounces.first().map(|bounce| (bounce.kind, bounce.status.as_str()));
        assert_eq!(found, expected, "{action} {status} {diagnostic}");
    }
}

#[test]
fn a_report_about_several_recipients_has_a_bounce_for_each_that_failed() {
    let second = "Final-Recipient: rfc822; delayed@example.com\nAction: delayed\nStatus: 4.2.0\n\nFinal-Recipient: rfc822; bob@example.com\nAction: failed\nStatus: 5.2.1\n\n\n--4XyZ1a2b3c.1795167000/mail.example.org\nContent-Description: Undelivered Message Headers";
    let raw = POSTFIX
        .replace("--4XyZ1a2b3c.1795167000/mail.example.org\nContent-Description: Undelivered Message Headers", second);
    let bounces = read(raw.as_bytes()).unwrap();
    assert_eq!(
        told(&bounces),
        [(BounceKind::Hard, "5.1.1", Some("jane@example.com")), (BounceKind::Hard, "5.2.1", Some("bob@example.com"))]
    );
    assert_ne!(bounces[0].event_id, bounces[1].event_id);
}

#[test]
fn the_returned_message_may_be_whole_cut_off_or_encoded() {
    let headers = "Content-Type: text/rfc822-headers\n";
    let whole = POSTFIX.replace(headers, "Content-Type: message/rfc822\n");
    assert_eq!(read(whole.as_bytes()).unwrap()[0].message_id.as_deref(), Some(OURS));
    // Cut off behind the Message-ID, within a header and without the last boundary.
    let end = POSTFIX.find("Date: Fri, 20 Nov 2026 09:29:57").unwrap();
    assert_eq!(read(&POSTFIX.as_bytes()[..end + 3]).unwrap()[0].message_id.as_deref(), Some(OURS));
    let encoded = POSTFIX.replace(headers, "Content-Type: message/global-headers\nContent-Transfer-Encoding: base64\n");
    let at = encoded.find("Return-Path: <holdfast@").unwrap();
    let encoded = format!(
        "{}TWVzc2FnZS1JRDogPDAxOTMzZjJhLTdjMWUtN2QzMy05YTUxLTBjNmU1YjJmNGExMEBleGFtcGxlLm9yZz4K\n",
        &encoded[..at]
    );
    assert_eq!(read(encoded.as_bytes()).unwrap()[0].message_id.as_deref(), Some(OURS));
    // Exchange has a blank line before the headers.
    let blank = POSTFIX.replace("Return-Path: <holdfast@", "\nReturn-Path: <holdfast@");
    assert_eq!(read(blank.as_bytes()).unwrap()[0].message_id.as_deref(), Some(OURS));
}

#[test]
fn the_address_is_the_one_that_does_not_work() {
    let address = |raw: &str| read(raw.as_bytes()).unwrap().remove(0).address;
    let of_member = POSTFIX.replace("Final-Recipient: rfc822; jane@", "Final-Recipient: rfc822; member@");
    assert_eq!(address(&of_member).as_deref(), Some("member@example.com"));
    let without = POSTFIX.replace("Final-Recipient: rfc822; jane@example.com\n", "");
    assert_eq!(address(&without).as_deref(), Some("jane@example.com"));
}

/// The third part of a report may be missing (RFC 6522 section 3).
#[test]
fn a_report_without_the_returned_message_names_it_in_another_field() {
    let at = POSTFIX.find("--4XyZ1a2b3c.1795167000/mail.example.org\nContent-Description: Undelivered").unwrap();
    let short = format!("{}--4XyZ1a2b3c.1795167000/mail.example.org--\n", &POSTFIX[..at]);
    let with = |before: &str, field: &str| short.replacen(before, &format!("{field}\n{before}"), 1);
    for raw in [
        with("MIME-Version", &format!("In-Reply-To: <{OURS}>")),
        with("MIME-Version", &format!("References: <another@example.net>\n <{OURS}>")),
        with("Reporting-MTA", &format!("X-Original-Message-ID: <{OURS}>")),
        with("Final-Recipient", &format!("X-Original-Message-ID: <{OURS}>")),
    ] {
        let bounces = read(raw.as_bytes()).unwrap();
        assert_eq!(told(&bounces), [(BounceKind::Hard, "5.1.1", Some("jane@example.com"))], "{raw}");
        assert_eq!(bounces[0].message_id.as_deref(), Some(OURS));
    }
    // What was returned is better evidence.
    let both = POSTFIX.replacen("MIME-Version", "In-Reply-To: <another@example.net>\nMIME-Version", 1);
    assert_eq!(read(both.as_bytes()).unwrap()[0].message_id.as_deref(), Some(OURS));
}

#[test]
fn a_complaint_names_the_message_and_its_recipient() {
    let bounces = read(crlf(COMPLAINT).as_bytes()).unwrap();
    assert_eq!(told(&bounces), [(BounceKind::Complaint, "abuse", Some("user@example.com"))]);
    assert_eq!(bounces[0].message_id.as_deref(), Some(OURS));
    assert_eq!(bounces[0].detail, "SomeGenerator/1.0");
    for (kind, expected) in [
        ("fraud", Some(BounceKind::Complaint)),
        ("Abuse", Some(BounceKind::Complaint)),
        ("opt-out", Some(BounceKind::Unsubscribe)),
        ("not-spam", None),
        ("auth-failure", None),
    ] {
        let raw = COMPLAINT.replace("Feedback-Type: abuse", &format!("Feedback-Type: {kind}"));
        assert_eq!(read(raw.as_bytes()).unwrap().first().map(|bounce| bounce.kind), expected, "{kind}");
    }
    // Some feedback loops leave the recipient out.
    let redacted = COMPLAINT.replace("Original-Rcpt-To: <user@example.com>\n", "");
    assert_eq!(told(&read(redacted.as_bytes()).unwrap()), [(BounceKind::Complaint, "abuse", None)]);
}

#[test]
fn what_is_no_usable_report_is_said_to_be_none() {
    let ordinary = "From: ann@example.com\nSubject: Question\nContent-Type: text/plain\n\nHow do I sign in?\n";
    // As qmail writes it: for people.
    let qmail = "From: MAILER-DAEMON@example.com\nSubject: failure notice\n\nHi. This is the qmail-send program at example.com.\n<jane@example.com>:\nSorry, no mailbox here by that name. (#5.1.1)\n";
    for raw in [ordinary, qmail, "", "\n", "\r", "x", "Content-Type: multipart/report; boundary=x\n\n--x--\n"] {
        assert!(read(raw.as_bytes()).is_err(), "{raw:?}");
    }
    assert_eq!(read(ordinary.as_bytes()), Err(NotUnderstood::NoReport));
    let unsaid = POSTFIX.replace("Action: failed\n", "").replace("Status: 5.1.1\n", "");
    assert_eq!(read(unsaid.as_bytes()), Err(NotUnderstood::NoReport), "nobody would learn of it");
    let (start, end) = (
        POSTFIX.find("Reporting-MTA").unwrap(),
        POSTFIX.find("--4XyZ1a2b3c.1795167000/mail.example.org\nContent-Description: Undelivered").unwrap(),
    );
    let empty = format!("{}\n{}", &POSTFIX[..start], &POSTFIX[end..]);
    assert_eq!(read(empty.as_bytes()), Err(NotUnderstood::NoReport));
    let without = POSTFIX.replace("Message-ID: <01933f2a-7c1e-7d33-9a51-0c6e5b2f4a10@example.org>\n", "");
    assert_eq!(read(without.as_bytes()), Err(NotUnderstood::NoMessageId));
    let at = POSTFIX.find("--4XyZ1a2b3c.1795167000/mail.example.org\nContent-Description: Undelivered").unwrap();
    assert_eq!(read(&POSTFIX.as_bytes()[..at]), Err(NotUnderstood::NoMessageId));
}

/// Each level of a nested mail is a call: as many as fit into a mail would use up the stack, which ends the process.
#[test]
fn a_mail_that_is_nested_without_end_is_refused() {
    let nested = (0..4000)
        .map(|n| format!("CONTENT-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n"))
        .collect::<Vec<_>>()
        .concat();
    assert_eq!(read(nested.as_bytes()), Err(NotUnderstood::TooManyParts));
    let text =
        POSTFIX.replace("Subject: Welcome", &format!("Subject: Welcome\nX-Note: {}", "Content-Type ".repeat(70)));
    assert_eq!(read(text.as_bytes()).unwrap().len(), 1, "words are no parts");
    assert!(read(&nested.as_bytes()[..nested.find("=b60\n").unwrap()]).is_err(), "as deep as is allowed");
    let wide =
        format!("Content-Type: multipart/mixed; boundary=b\n\n{}", "--b\nContent-Type: text/plain\n\nx\n".repeat(64));
    assert_eq!(read(wide.as_bytes()), Err(NotUnderstood::TooManyParts));
}

/// Whatever is cut, changed or doubled: an answer, and no panic.
#[test]
fn damaged_reports_are_read_or_refused() {
    for text in [crlf(POSTFIX), crlf(COMPLAINT)] {
        let raw = text.as_bytes();
        for at in 0..raw.len() {
            let _ = read(&raw[..at]);
            let _ = read(&raw[at..]);
        }
        for at in (0..raw.len()).step_by(7) {
            for byte in [0, b'\n', b'\r', b':', b' ', 0xff] {
                let mut changed = raw.to_vec();
                changed[at] = byte;
                let _ = read(&changed);
            }
        }
    }
}
