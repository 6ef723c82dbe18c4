//! Reports in the forms that the providers document, and forged ones.

mod dsn;
mod mailgun;
mod postmark;
mod resend;
mod sendgrid;
mod ses;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::{
    Bounce, BounceKind, LONGEST_ID, Report, address, enhanced, failure, hard, hooks::checked_secret, is_of_address,
    message_id, short, text, time,
};
use crate::model::Provider;

/// Our Message-ID in all samples.
const OURS: &str = "01933f2a-7c1e-7d33-9a51-0c6e5b2f4a10@example.org";

fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())).collect()
}

/// What matters most of each bounce.
fn told(bounces: &[Bounce]) -> Vec<(BounceKind, &str, Option<&str>)> {
    bounces.iter().map(|b| (b.kind, b.status.as_str(), b.address.as_deref())).collect()
}

#[test]
fn an_enhanced_status_code_is_found_in_what_servers_say() {
    for (said, code) in [
        ("550 5.1.1 <ann@example.com>... User unknown", Some("5.1.1")),
        ("smtp; 550-5.7.26 This message is unauthenticated", Some("5.7.26")),
        ("552 5.2.2 over quota, see 203.0.113.7", Some("5.2.2")),
        ("host mx.example.com[203.0.113.7] said: 450 4.2.0 greylisted", Some("4.2.0")),
        ("5.1.10", Some("5.1.10")),
        ("550 no such user", None),
        ("250 2.0.0 OK", None),
        ("version 3.14.15", None),
        ("5.1.1.1", None),
        ("550 Error 5.1.1.", Some("5.1.1")),
        ("550 User unknown (exim 4.96.2)", None),
        ("550 User unknown (exim 4.96.2) 5.1.1", Some("5.1.1")),
        ("550 5.8.1", None),
        ("550 5.1.1234", None),
        ("", None),
    ] {
        assert_eq!(enhanced(said).as_deref(), code, "{said}");
    }
}

#[test]
fn only_a_failure_of_the_address_suppresses_it() {
    // In Postfix's words the first has one that is about the sender with others.
    for said in [
        "550 5.1.1 <a@b>: Recipient address rejected: User unknown in relay recipient table",
        "550 5.1.6 Recipient no longer on server",
        "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
        "550 5.2.1 The email account that you tried to reach is disabled.",
        "550 5.0.0 Unknown user",
        "550 5.1.0 <a@b>: Address unknown",
        "550 5.5.0 No such  MAILBOX",
        "550 No such user here",
        "550 <a@b>: Recipient address rejected: User unknown in virtual alias table",
        "553 sorry, no mailbox here by that name (#5.7.1)",
        "550 5.7.1 No such user!",
        "550 5.7.0 user unknown",
        "550 5.2.0 Unknown user x",
        "550 5.1.351 Remote server returned unknown recipient or mailbox unavailable -> 550 Unknown user x",
        "550 5.3.0 Other mail system problem 550-'Unknown user x' (delivery attempts: 0)",
        "554 delivery error: user doesn't exist",
    ] {
        let code = said.split(' ').nth(1).filter(|word| word.starts_with("5."));
        assert!(is_of_address(code, said), "{said}");
    }
    // Spam, a policy, a limit, a full mailbox, a bad sender, a domain that cannot be found for now: the next message may arrive.
    for said in [
        "554 5.0.0 Message rejected as spam",
        "554 Message not allowed - [299]",
        "550 ip in prison",
        "550 5.0.0 Access denied",
        "550 Requested action not taken: mailbox unavailable",
        "550 5.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages",
        "550 5.1.90 Your message can't be sent because you've reached your daily limit for message recipients",
        "550 5.1.8 Access denied, bad outbound sender",
        "550 5.1.7 Sender address rejected: user unknown",
        "550 Sender address rejected: user unknown",
        "550 5.1.2 Domain not found",
        "550 5.4.4 Host or domain name not found",
        "550 5.4.1 Recipient address rejected: Access denied",
        "550 user unknown to our reputation service",
        "552 5.2.2 Mailbox of this user is full",
        "552 5.3.4 Message too big",
        "550 5.7.1 Recipient address rejected: Access denied",
        "550 5.7.1 Unable to relay for this user: unknown user",
        "550 5.7.1 Message rejected under suspicion of SPAM; no such user wants it",
        "550 5.7.26 unauthenticated",
        "450 4.1.1 user unknown",
        // A clear code, and words that say something else.
        "550 5.1.1 <a@b> - 203.0.113.222 has sent to too many recipients this hour. IB607",
        "550 5.1.1 <a@b>: rejected because of spam content, see our policy",
        "550 5.1.1 Sender IP listed at DNSBL zen.example",
        "550 5.1.1 RCP-P2 http://postmaster.example/ Refused due to recipient preferences",
        "550 5.1.1 Mailbox quota exceeded",
        "550",
        "",
    ] {
        let code = said.split(' ').nth(1).filter(|word| word.starts_with(['4', '5']));
        assert!(!is_of_address(code, said), "{said}");
    }
}

/// What one server says about the answer of another is a guess, the same for any answer.
#[test]
fn the_answer_of_the_recipients_server_decides() {
    for (said, code, kind) in [
        (
            "5.1.0 - Unknown address error 550-'5.1.1 <a@b>... User unknown' (delivery attempts: 0)",
            Some("5.1.1"),
            BounceKind::Hard,
        ),
        ("5.1.0 - Unknown address error 550-'5.2.2 <a@b>... Mailbox Full'", Some("5.2.2"), BounceKind::Soft),
        ("5.1.1 - Bad destination 552-'5.3.4 Message size exceeds fixed limit'", Some("5.3.4"), BounceKind::Soft),
        (
            "5.1.0 - Unknown address error 554-'5.3.2 System not accepting network messages'",
            Some("5.3.2"),
            BounceKind::Soft,
        ),
        ("5.1.0 - Unknown address error 550-'Mailbox quota exceeded'", None, BounceKind::Soft),
        ("5.3.0 - Other mail system problem 550-'Unknown user x'", None, BounceKind::Hard),
        (
            "5.1.1 Remote server returned unknown recipient -> 550 5.7.1 rejected as spam",
            Some("5.7.1"),
            BounceKind::Refused,
        ),
        ("5.1.351 Remote server returned unknown recipient -> 550 Unknown user x", None, BounceKind::Hard),
        // Nothing is passed on.
        ("550 5.1.1 'x' -> y: User unknown", Some("5.1.1"), BounceKind::Hard),
    ] {
        let found = enhanced(said);
        assert_eq!(found.as_deref(), code, "{said}");
        assert_eq!((failure(code, said), hard(code, said)), (kind, kind), "{said}");
        // Whatever the other server says of it.
        if code.is_none() {
            assert_eq!(failure(Some("5.1.1"), said), kind, "{said}");
        }
    }
    // A provider that calls it a hard bounce, with a code that means that: the words say something else.
    for (said, kind) in [
        ("550 5.1.1 <a@b> - 203.0.113.222 has sent to too many recipients this hour", BounceKind::Soft),
        ("550 5.1.1 <a@b> rejected because of spam content", BounceKind::Refused),
        ("550 5.1.1 <spam@policy.example>: no", BounceKind::Hard),
    ] {
        assert_eq!(hard(Some("5.1.1"), said), kind, "{said}");
    }
    // The same with a code that says it of the moment, too, and with codes that say nothing, or too little.
    for (code, said, kind) in [
        ("5.2.1", "550 5.2.1 The user is receiving mail at a rate that prevents additional messages", BounceKind::Soft),
        ("5.2.1", "550 5.2.1 The email account that you tried to reach is disabled.", BounceKind::Hard),
        ("5.0.0", "550 5.0.0 rejected as spam", BounceKind::Refused),
        ("5.1.0", "550 5.1.0 sender rejected", BounceKind::Refused),
        ("5.5.0", "550 5.5.0 too many messages", BounceKind::Soft),
        ("5.5.0", "550 5.5.0 Requested action not taken: mailbox unavailable", BounceKind::Hard),
        ("5.1.2", "550 5.1.2 bad destination", BounceKind::Hard),
    ] {
        assert_eq!(hard(Some(code), said), kind, "{said}");
    }
}

#[test]
fn ids_and_addresses_are_read_in_the_forms_that_occur() {
    for (given, id) in [
        ("<a@b>", Some("a@b")),
        (" a@b ", Some("a@b")),
        ("<a@b> (added)", Some("a@b")),
        ("<a@b", Some("a@b")),
        ("no id", None),
        ("a b@c", None),
        ("<>", None),
        ("a\0@b", None),
    ] {
        assert_eq!(message_id(given).as_deref(), id, "{given:?}");
    }
    for (given, mailbox) in [
        ("ann@example.com", Some("ann@example.com")),
        ("Ann <ann@example.com>", Some("ann@example.com")),
        ("\"A <b>\" <ann@example.com>", Some("ann@example.com")),
        ("undisclosed-recipients:;", None),
        ("ann\n@example.com", None),
    ] {
        assert_eq!(address(given).as_deref(), mailbox, "{given:?}");
    }
}

#[test]
fn values_are_read_whatever_type_they_come_as() {
    let value = json!({"a": " x\u{0}y ", "n": 5, "e": "", "l": [1], "s": 1_700_000_000, "f": 1_700_000_000.25, "t": "2026-11-20T09:30:00.123+02:00"});
    assert_eq!(text(&value, "/a").as_deref(), Some("xy"), "PostgreSQL stores no NUL");
    assert_eq!(text(&value, "/n").as_deref(), Some("5"));
    assert_eq!((text(&value, "/e"), text(&value, "/l"), text(&value, "/none")), (None, None, None));
    assert_eq!(time(&value, "/s"), Some(at("2023-11-14T22:13:20Z")));
    assert_eq!(time(&value, "/f"), Some(at("2023-11-14T22:13:20.25Z")));
    assert_eq!(time(&value, "/t"), Some(at("2026-11-20T07:30:00.123Z")));
    assert_eq!(time(&value, "/a"), None);
    for none in [json!(1e300), json!(-8_334_601_228_800_i64), json!(8_210_266_876_799_i64), json!(-213_000_000_000_i64)]
    {
        assert_eq!(time(&json!({"s": none}), "/s"), None, "a week before or after it is no time: {none}");
    }
    for none in ["1999-12-31T23:59:59Z", "2100-01-01T00:00:00Z", "+262000-01-01T00:00:00Z"] {
        assert_eq!(time(&json!({"t": none}), "/t"), None, "{none}");
    }
    let long = "x".repeat(LONGEST_ID);
    assert_eq!(short(&json!({"i": long}), "/i").map(|id| id.len()), Some(LONGEST_ID));
    assert_eq!(short(&json!({"i": format!("{long}y")}), "/i"), None, "it does not fit into an index");
    assert_eq!((message_id(&format!("{long}@b")), address(&format!("{long}@b"))), (None, None));
}

#[test]
fn a_secret_of_the_wrong_form_is_refused_when_it_is_pasted() {
    let topic = "arn:aws:sns:eu-west-1:123456789012:ses-feedback";
    for (provider, secret) in [
        (Provider::Mailgun, "key-3ax6xnjp29jd6fds4gc373sgvjxteol0"),
        (Provider::Resend, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        (Provider::Ses, topic),
        (Provider::Ses, "arn:aws-cn:sns:cn-north-1:123456789012:bounces"),
        (Provider::Postmark, ""),
        (Provider::Postmark, "hook:s3cret:with colon"),
    ] {
        assert_eq!(checked_secret(provider, &format!(" {secret}\n")), Ok(secret), "{provider:?}");
    }
    for (provider, secret) in [
        (Provider::Sendgrid, ""),
        (Provider::Sendgrid, "SG.api-key"),
        (Provider::Sendgrid, "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE"),
        (Provider::Mailgun, "  "),
        (Provider::Resend, "re_123456789"),
        (Provider::Resend, "whsec_"),
        (Provider::Ses, ""),
        (Provider::Ses, "123456789012"),
        (Provider::Postmark, "only-a-password"),
        (Provider::Postmark, ":"),
    ] {
        assert!(checked_secret(provider, secret).is_err(), "{provider:?} {secret:?}");
    }
    assert!(checked_secret(Provider::Mailgun, &"x".repeat(1001)).is_err());
}
