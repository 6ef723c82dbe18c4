//! Webhooks, after Mailgun's manual.

use serde_json::{Value, json};

use super::*;
use crate::bounces::{
    Unsigned,
    mailgun::{read, verify},
};
use platform::crypto;

const KEY: &str = "1f2e3d4c5b6a79880716253443526170";
const TOKEN: &str = "e0b5477167110d68991efc6b9f89f0a11066af27834600e123";
/// 2026-11-20T09:30:00Z
const SECONDS: &str = "1795167000";

fn signature(key: &str, timestamp: &str, token: &str) -> String {
    crypto::hex(&crypto::hmac_sha256(key.as_bytes(), format!("{timestamp}{token}").as_bytes()))
}

fn checked(body: &Value, now: &str) -> Result<String, Unsigned> {
    let body = body.to_string();
    verify(KEY, &Report { headers: &HeaderMap::new(), body: body.as_bytes(), now: at(now) })
}

#[test]
fn a_signature_holds_for_its_time_and_token_only() {
    let now = "2026-11-20T09:30:02Z";
    let with = |key: &str, timestamp: &str, token: &str| json!({"signature": {"token": TOKEN, "timestamp": SECONDS, "signature": signature(key, timestamp, token)}, "event-data": {}});
    let right = with(KEY, SECONDS, TOKEN);
    assert_eq!(checked(&right, now).as_deref(), Ok(TOKEN));
    // The timestamp may be a number.
    let mut number = right.clone();
    number["signature"]["timestamp"] = json!(1_795_167_000);
    assert_eq!(checked(&number, now).as_deref(), Ok(TOKEN));
    for wrong in [
        with("other", SECONDS, TOKEN),
        with(KEY, "1795167001", TOKEN),
        with(KEY, SECONDS, "other"),
        with(KEY, TOKEN, SECONDS),
    ] {
        assert_eq!(checked(&wrong, now), Err(Unsigned::Signature));
    }
    // An event of a subaccount: signed with its own key and with that of the account.
    let mut of_subaccount = with("subaccount", SECONDS, TOKEN);
    of_subaccount["signature"]["parent-signature"] = signature(KEY, SECONDS, TOKEN).into();
    assert_eq!(checked(&of_subaccount, now).as_deref(), Ok(TOKEN));
    for (missing, name) in
        [("token", "/signature/token"), ("timestamp", "/signature/timestamp"), ("signature", "/signature/signature")]
    {
        let mut body = right.clone();
        body["signature"].as_object_mut().unwrap().remove(missing);
        assert_eq!(checked(&body, now), Err(Unsigned::Missing(name)));
    }
    // Repeated for eight hours, not for ever.
    assert!(checked(&right, "2026-11-20T18:00:00Z").is_ok());
    assert!(matches!(checked(&right, "2026-11-21T09:30:01Z"), Err(Unsigned::Stale(_))));
    assert!(matches!(checked(&right, "2026-11-20T09:20:00Z"), Err(Unsigned::Stale(_))));
    let report = Report { headers: &HeaderMap::new(), body: b"not JSON", now: at(now) };
    assert_eq!(verify(KEY, &report), Err(Unsigned::Missing("the JSON body")));
}

fn failed(changes: &Value) -> Value {
    let mut event = json!({
        "event": "failed", "id": "G9Bn5sl1TC6nu79C8C0bwg", "timestamp": 1_795_166_990.389_832, "log-level": "error", "severity": "permanent",
        "reason": "bounce", "recipient": "alice@example.com", "recipient-domain": "example.com", "tags": [], "user-variables": [],
        "delivery-status": {
            "attempt-no": 1, "bounce-type": "hard", "certificate-verified": true, "code": 550, "description": null, "enhanced-code": "5.1.1",
            "first-delivery-attempt-seconds": 0.066, "message": "5.1.1 The email account that you tried to reach does not exist.",
            "mx-host": "mx.example.com", "session-seconds": 0.43, "tls": true, "utf8": true
        },
        "envelope": {"sender": "bounce@example.org", "sending-ip": "203.0.113.3", "targets": "alice@example.com", "transport": "smtp"},
        "flags": {"is-authenticated": true, "is-routed": false, "is-system-test": false, "is-test-mode": false},
        "message": {"attachments": [], "headers": {"from": "Bob <bob@example.org>", "message-id": OURS, "subject": "Test", "to": "Alice <alice@example.com>"}, "size": 111}
    });
    for (pointer, value) in changes.as_object().unwrap() {
        match event.pointer_mut(pointer) {
            Some(place) => *place = value.clone(),
            None => event[pointer.trim_start_matches('/')] = value.clone(),
        }
    }
    event
}

fn read_one(event: &Value) -> Option<Bounce> {
    let mut bounces = read(json!({"signature": {}, "event-data": event}).to_string().as_bytes()).unwrap();
    assert!(bounces.len() <= 1);
    bounces.pop()
}

#[test]
fn a_bounce_is_read_whole() {
    let bounce = read_one(&failed(&json!({}))).unwrap();
    assert_eq!(bounce.message_id.as_deref(), Some(OURS));
    assert_eq!(bounce.address.as_deref(), Some("alice@example.com"));
    assert_eq!((bounce.kind, bounce.status.as_str()), (BounceKind::Hard, "5.1.1"));
    assert_eq!(bounce.detail, "5.1.1 The email account that you tried to reach does not exist.");
    assert_eq!(bounce.event_id, "G9Bn5sl1TC6nu79C8C0bwg 1795166990", "an id is unique within a day");
    assert!((bounce.at.unwrap() - at("2026-11-20T09:29:50.389832Z")).abs() < TimeDelta::milliseconds(1));
}

#[test]
fn each_event_is_what_it_says() {
    let no_code = json!({"/delivery-status/enhanced-code": null, "/delivery-status/message": "no such user", "/delivery-status/bounce-type": null});
    for (changes, kind) in [
        (json!({}), Some(BounceKind::Hard)),
        (no_code, Some(BounceKind::Hard)),
        (
            json!({"/delivery-status/enhanced-code": null, "/delivery-status/message": "554 ip in prison"}),
            Some(BounceKind::Refused),
        ),
        (json!({"/severity": "temporary"}), None),
        (json!({"/delivery-status/bounce-type": "soft"}), Some(BounceKind::Soft)),
        (
            json!({"/delivery-status/bounce-type": "soft", "/delivery-status/enhanced-code": "5.7.26"}),
            Some(BounceKind::Refused),
        ),
        (json!({"/delivery-status/enhanced-code": "5.7.1"}), Some(BounceKind::Refused)),
        (json!({"/delivery-status/enhanced-code": "5.2.2"}), Some(BounceKind::Soft)),
        // Yandex
        (
            json!({"/delivery-status/enhanced-code": "5.7.1", "/delivery-status/message": "5.7.1 No such user!"}),
            Some(BounceKind::Hard),
        ),
        // Outlook.com: "Requested action not taken: mailbox unavailable"
        (json!({"/delivery-status/enhanced-code": "5.5.0"}), Some(BounceKind::Hard)),
        (
            json!({"/delivery-status/enhanced-code": "5.5.0", "/delivery-status/bounce-type": null}),
            Some(BounceKind::Soft),
        ),
        (
            json!({"/reason": "old", "/delivery-status/enhanced-code": null, "/delivery-status/message": "Too old", "/delivery-status/code": 602}),
            Some(BounceKind::Soft),
        ),
        (json!({"/reason": "suppress-bounce"}), Some(BounceKind::Hard)),
        (json!({"/reason": "suppress-complaint"}), Some(BounceKind::Complaint)),
        (json!({"/reason": "suppress-unsubscribe"}), Some(BounceKind::Unsubscribe)),
        (json!({"/event": "complained"}), Some(BounceKind::Complaint)),
        (json!({"/event": "unsubscribed"}), Some(BounceKind::Unsubscribe)),
        (
            json!({"/event": "rejected", "/reject": {"reason": "Sandbox subdomains are for test purposes only."}}),
            Some(BounceKind::Refused),
        ),
        (json!({"/event": "delivered"}), None),
        (json!({"/event": "opened"}), None),
    ] {
        assert_eq!(read_one(&failed(&changes)).map(|bounce| bounce.kind), kind, "{changes}");
    }
    // A rejected message has no recipient of its own.
    let rejected = read_one(&failed(&json!({"/event": "rejected", "/recipient": null}))).unwrap();
    assert_eq!(rejected.address.as_deref(), Some("alice@example.com"));
    assert!(read(b"{\"signature\": {}}").unwrap().is_empty());
    assert!(read(b"[1]").unwrap().is_empty());
}
