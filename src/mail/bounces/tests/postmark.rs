//! Webhooks, after Postmark's documentation.

use serde_json::{Value, json};

use super::*;
use crate::bounces::{
    Unsigned,
    postmark::{read, verify},
};

fn checked(password: &str, pairs: &[(&'static str, &str)]) -> Result<(), Unsigned> {
    verify(password, &Report { headers: &headers(pairs), body: b"{}", now: at("2026-11-20T09:30:00Z") })
}

#[test]
fn a_password_is_demanded_where_there_is_one() {
    // user:pass, user:Pass
    let (right, wrong) = ("Basic dXNlcjpwYXNz", "Basic dXNlcjpQYXNz");
    assert_eq!(checked("", &[]), Ok(()));
    assert_eq!(checked("", &[("authorization", wrong)]), Ok(()));
    assert_eq!(checked("user:pass", &[("authorization", right)]), Ok(()));
    assert_eq!(checked("user:pass", &[("authorization", "basic  dXNlcjpwYXNz ")]), Ok(()));
    assert_eq!(checked("user:pass", &[]), Err(Unsigned::Missing("authorization")));
    for other in [wrong, "Bearer dXNlcjpwYXNz", "Basic", "Basic !!", "dXNlcjpwYXNz"] {
        assert_eq!(checked("user:pass", &[("authorization", other)]), Err(Unsigned::Password), "{other}");
    }
}

fn record(changes: &Value) -> Value {
    let mut record = json!({
        "RecordType": "Bounce", "MessageStream": "outbound", "ID": 4_323_372_036_854_775_807_i64, "Type": "HardBounce", "TypeCode": 1,
        "Name": "Hard bounce", "Tag": "Test", "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483", "Metadata": {}, "ServerID": 23,
        "Description": "The server was unable to deliver your message (ex: unknown user, mailbox not found).",
        "Details": "smtp;550 5.1.1 The email account that you tried to reach does not exist.", "Email": "john@example.com",
        "From": "sender@example.com", "BouncedAt": "2019-11-05T16:33:54.9070259Z", "DumpAvailable": true, "Inactive": true,
        "CanActivate": true, "Subject": "Test subject", "Content": "<Full dump of bounce>"
    });
    for (name, value) in changes.as_object().unwrap() {
        record[name] = value.clone();
    }
    record
}

fn read_one(record: &Value) -> Option<Bounce> {
    let mut bounces = read(record.to_string().as_bytes()).unwrap();
    assert!(bounces.len() <= 1);
    bounces.pop()
}

#[test]
fn a_bounce_is_read_whole() {
    let bounce = read_one(&record(&json!({}))).unwrap();
    assert_eq!((bounce.message_id.as_deref(), bounce.address.as_deref()), (None, Some("john@example.com")));
    assert_eq!(bounce.provider_id.as_deref(), Some("883953f4-6105-42a2-a16a-77a8eac79483"));
    assert_eq!((bounce.kind, bounce.status.as_str()), (BounceKind::Hard, "5.1.1"));
    assert_eq!(bounce.detail, "smtp;550 5.1.1 The email account that you tried to reach does not exist.");
    assert_eq!(bounce.event_id, "Bounce 4323372036854775807");
    assert_eq!(bounce.at, Some(at("2019-11-05T16:33:54.9070259Z")));
}

#[test]
fn each_record_is_what_it_says() {
    let change = |reason: Value, origin: &str, suppress: bool| {
        json!({"RecordType": "SubscriptionChange", "MessageID": "a4909a96-73d7-4c49-b148-a54522d3f7ac", "Recipient": "john@example.com",
            "ChangedAt": "2022-06-05T17:17:32Z", "Origin": origin, "SuppressSending": suppress, "SuppressionReason": reason, "ID": null,
            "Email": null, "Type": null, "Details": null, "Description": null})
    };
    for (changes, kind) in [
        (json!({}), Some(BounceKind::Hard)),
        (json!({"Type": "BadEmailAddress"}), Some(BounceKind::Hard)),
        (json!({"Details": "smtp;550 5.7.1 No such user!"}), Some(BounceKind::Hard)),
        (json!({"Details": "smtp;550 5.7.1 Message blocked"}), Some(BounceKind::Refused)),
        (json!({"Type": "SoftBounce"}), Some(BounceKind::Soft)),
        (json!({"Type": "SoftBounce", "Details": "smtp;554 5.7.1 spam"}), Some(BounceKind::Refused)),
        (json!({"Type": "DMARCPolicy"}), Some(BounceKind::Refused)),
        (json!({"Type": "DnsError"}), Some(BounceKind::Soft)),
        (json!({"Type": "Blocked"}), Some(BounceKind::Refused)),
        (json!({"Type": "SpamNotification"}), Some(BounceKind::Refused)),
        (json!({"Type": "A new one"}), Some(BounceKind::Soft)),
        (json!({"Type": "SpamComplaint"}), Some(BounceKind::Complaint)),
        (json!({"Type": "Unsubscribe"}), Some(BounceKind::Unsubscribe)),
        (json!({"Type": "Transient"}), None),
        (json!({"Type": "AutoResponder"}), None),
        (json!({"RecordType": "SpamComplaint", "Type": "SpamComplaint", "TypeCode": 512}), Some(BounceKind::Complaint)),
        (json!({"RecordType": "Delivery"}), None),
        (json!({"RecordType": "Open"}), None),
        (change(json!("ManualSuppression"), "Recipient", true), Some(BounceKind::Unsubscribe)),
        (change(json!("ManualSuppression"), "Customer", true), None),
        (change(json!("HardBounce"), "Recipient", true), Some(BounceKind::Hard)),
        (change(json!("SpamComplaint"), "Recipient", true), Some(BounceKind::Complaint)),
        (change(json!(null), "Recipient", false), None),
    ] {
        assert_eq!(read_one(&record(&changes)).map(|bounce| bounce.kind), kind, "{changes}");
    }
    let unsubscribed = read_one(&record(&change(json!("ManualSuppression"), "Recipient", true))).unwrap();
    assert_eq!(unsubscribed.address.as_deref(), Some("john@example.com"));
    assert_eq!(unsubscribed.event_id.len(), 64, "without an id, a hash");
    // Of the same number, another kind of record.
    let complaint = read_one(&record(&json!({"RecordType": "SpamComplaint"}))).unwrap();
    assert_eq!(complaint.event_id, "SpamComplaint 4323372036854775807");
    assert!(read(b"{}").unwrap().is_empty() && read(b"[").is_err());
}
