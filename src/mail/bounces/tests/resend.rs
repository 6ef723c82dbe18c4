//! Webhooks, after Resend's documentation; their signature after Svix's.

use serde_json::{Value, json};

use super::*;
use crate::bounces::{
    Unsigned,
    resend::{is_secret, read, verify},
};

/// Example of Svix's documentation: <https://docs.svix.com/receiving/verifying-payloads/how-manual>
const SECRET: &str = "whsec_plJ3nmyCDGBKInavdOK15jsl";
const ID: &str = "msg_loFOjxBNrRLzqYUf";
/// 2024-11-15T21:12:01Z
const SECONDS: &str = "1731705121";
const BODY: &str = r#"{"event_type":"ping","data":{"success":true}}"#;
const SIGNATURE: &str = "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=";
const NOW: &str = "2024-11-15T21:12:02Z";

fn checked(secret: &str, pairs: &[(&'static str, &str)], body: &str, now: &str) -> Result<(), Unsigned> {
    verify(secret, &Report { headers: &headers(pairs), body: body.as_bytes(), now: at(now) })
}

#[test]
fn a_signature_holds_for_its_id_time_and_body_only() {
    let with = |id: &'static str, timestamp: &'static str, signature: &'static str| {
        [("svix-id", id), ("svix-timestamp", timestamp), ("svix-signature", signature)]
    };
    let right = with(ID, SECONDS, SIGNATURE);
    assert_eq!(checked(SECRET, &right, BODY, NOW), Ok(()));
    assert_eq!(checked(SECRET, &right, &BODY.replace("true", "True"), NOW), Err(Unsigned::Signature));
    assert_eq!(checked("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", &right, BODY, NOW), Err(Unsigned::Signature));
    assert_eq!(checked(SECRET, &with("msg_other", SECONDS, SIGNATURE), BODY, NOW), Err(Unsigned::Signature));
    assert_eq!(checked(SECRET, &with(ID, "1731705122", SIGNATURE), BODY, NOW), Err(Unsigned::Signature));
    // During a rotation there are several; other versions are not known.
    let many = with(ID, SECONDS, "v1,AAAA v2,BBBB v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=");
    assert_eq!(checked(SECRET, &many, BODY, NOW), Ok(()));
    let other_version = with(ID, SECONDS, "v1a,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=");
    assert_eq!(checked(SECRET, &other_version, BODY, NOW), Err(Unsigned::Signature));
    for missing in 0..3 {
        let mut pairs = right.to_vec();
        let (name, _) = pairs.remove(missing);
        assert_eq!(checked(SECRET, &pairs, BODY, NOW), Err(Unsigned::Missing(name)));
    }
    for late in ["2024-11-15T21:18:02Z", "2024-11-15T21:06:02Z"] {
        assert!(matches!(checked(SECRET, &right, BODY, late), Err(Unsigned::Stale(_))), "{late}");
    }
}

#[test]
fn a_secret_is_known_by_its_form() {
    assert!(is_secret(SECRET));
    assert!(!is_secret("plJ3nmyCDGBKInavdOK15jsl") && !is_secret("whsec_!"));
}

fn event(kind: &str, more: &Value) -> Vec<u8> {
    let mut event = json!({
        "type": kind,
        "created_at": "2026-11-22T23:41:12.126Z",
        "data": {
            "created_at": "2026-11-22T23:41:11.894719+00:00",
            "email_id": "56761188-7520-42d8-8898-ff6fc54ce618",
            "from": "Acme <onboarding@resend.dev>",
            "to": ["Ann <delivered@resend.dev>"],
            "subject": "Sending this example"
        }
    });
    for (name, value) in more.as_object().unwrap() {
        event["data"][name] = value.clone();
    }
    event.to_string().into_bytes()
}

fn read_all(kind: &str, more: &Value) -> Vec<Bounce> {
    let body = event(kind, more);
    read(&Report { headers: &headers(&[("svix-id", ID)]), body: &body, now: at(NOW) }).unwrap()
}

#[test]
fn a_bounce_is_read_whole() {
    let message = "The recipient's email address is on the suppression list because it has a recent history of producing hard bounces.";
    let told = json!({"message": message, "subType": "Suppressed", "type": "Permanent"});
    let bounces = read_all("email.bounced", &json!({"bounce": told}));
    let [bounce] = bounces.as_slice() else { panic!("{bounces:?}") };
    assert_eq!((bounce.message_id.as_deref(), bounce.address.as_deref()), (None, Some("delivered@resend.dev")));
    assert_eq!(bounce.provider_id.as_deref(), Some("56761188-7520-42d8-8898-ff6fc54ce618"));
    assert_eq!(
        (bounce.kind, bounce.status.as_str(), bounce.detail.as_str()),
        (BounceKind::Hard, "Suppressed", message)
    );
    assert_eq!(bounce.event_id, format!("{ID} delivered@resend.dev"));
    assert_eq!(bounce.at, Some(at("2026-11-22T23:41:12.126Z")));
    // The documented events have no Message-ID; those of some mails have its headers.
    let headers = json!([{"name": "Reply-To", "value": "reply@example.com"}, {"name": "Message-ID", "value": format!("<{OURS}>")}]);
    for more in [json!({"headers": headers}), json!({"message_id": format!("<{OURS}>")})] {
        assert_eq!(read_all("email.bounced", &more)[0].message_id.as_deref(), Some(OURS), "{more}");
    }
}

#[test]
fn each_event_is_what_it_says() {
    for (kind, more, expected) in [
        ("email.bounced", json!({}), Some(BounceKind::Hard)),
        ("email.bounced", json!({"bounce": {"type": "Transient", "subType": "MailboxFull"}}), Some(BounceKind::Soft)),
        ("email.bounced", json!({"bounce": {"type": "Undetermined"}}), Some(BounceKind::Soft)),
        (
            "email.bounced",
            json!({"bounce": {"type": "Transient", "subType": "ContentRejected"}}),
            Some(BounceKind::Refused),
        ),
        (
            "email.bounced",
            json!({"bounce": {"type": "Permanent", "message": "550 5.7.1 blocked by policy"}}),
            Some(BounceKind::Refused),
        ),
        ("email.suppressed", json!({"suppressed": {"type": "OnAccountSuppressionList"}}), Some(BounceKind::Hard)),
        ("email.failed", json!({"failed": {"reason": "reached_daily_quota"}}), Some(BounceKind::Soft)),
        ("email.complained", json!({}), Some(BounceKind::Complaint)),
        ("email.delivery_delayed", json!({}), None),
        ("email.delivered", json!({}), None),
        ("contact.created", json!({}), None),
    ] {
        assert_eq!(read_all(kind, &more).first().map(|bounce| bounce.kind), expected, "{kind} {more}");
    }
    // Each recipient has its own.
    let two = read_all("email.complained", &json!({"to": ["a@example.com", "b@example.com"]}));
    assert_eq!(
        two.iter().map(|b| b.event_id.as_str()).collect::<Vec<_>>(),
        [format!("{ID} a@example.com"), format!("{ID} b@example.com")]
    );
    assert!(read_all("email.complained", &json!({"to": null})).is_empty());
}
