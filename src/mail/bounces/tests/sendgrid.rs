//! The event webhook, after SendGrid's event reference.

use aws_lc_rs::{
    encoding::AsDer as _,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::*;
use crate::bounces::{
    Unsigned,
    sendgrid::{is_key, read, verify},
};

const SIGNATURE: &str = "x-twilio-email-event-webhook-signature";
const TIMESTAMP: &str = "x-twilio-email-event-webhook-timestamp";
/// 2026-11-20T09:30:00Z
const SECONDS: &str = "1795167000";

struct Account {
    pair: EcdsaKeyPair,
}

impl Account {
    fn new() -> Self {
        Self { pair: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap() }
    }

    /// As the settings page shows it.
    fn key(&self) -> String {
        STANDARD.encode(self.pair.public_key().as_der().unwrap().as_ref())
    }

    fn sign(&self, timestamp: &str, body: &str) -> String {
        let signed = format!("{timestamp}{body}");
        STANDARD.encode(self.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap())
    }
}

fn checked(key: &str, pairs: &[(&'static str, &str)], body: &str, now: &str) -> Result<(), Unsigned> {
    verify(key, &Report { headers: &headers(pairs), body: body.as_bytes(), now: at(now) })
}

#[test]
fn a_signature_holds_for_its_time_body_and_key_only() {
    let (account, other) = (Account::new(), Account::new());
    let body = "[{\"email\":\"example@test.com\",\"event\":\"bounce\"}]\r\n";
    let signature = account.sign(SECONDS, body);
    let pairs = [(SIGNATURE, signature.as_str()), (TIMESTAMP, SECONDS)];
    let now = "2026-11-20T09:30:01Z";
    assert_eq!(checked(&account.key(), &pairs, body, now), Ok(()));
    // Pasted with line breaks, or as PEM.
    let key = account.key();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n{}\n-----END PUBLIC KEY-----\n", &key[..64], &key[64..]);
    assert_eq!(checked(&pem, &pairs, body, now), Ok(()));
    assert_eq!(
        checked(&account.key(), &pairs, body.trim_end(), now),
        Err(Unsigned::Signature),
        "the line break is signed"
    );
    assert_eq!(checked(&other.key(), &pairs, body, now), Err(Unsigned::Signature));
    assert_eq!(checked("", &pairs, body, now), Err(Unsigned::Signature));
    let later = [(SIGNATURE, signature.as_str()), (TIMESTAMP, "1795167001")];
    assert_eq!(checked(&account.key(), &later, body, now), Err(Unsigned::Signature));
    let garbage = [(SIGNATURE, "MEUCIQ=="), (TIMESTAMP, SECONDS)];
    assert_eq!(checked(&account.key(), &garbage, body, now), Err(Unsigned::Signature));
    assert_eq!(checked(&account.key(), &pairs[..1], body, now), Err(Unsigned::Missing(TIMESTAMP)));
    assert_eq!(checked(&account.key(), &[], body, now), Err(Unsigned::Missing(SIGNATURE)));
    // Repeated for a day, not for ever.
    assert_eq!(checked(&account.key(), &pairs, body, "2026-11-21T09:30:00Z"), Ok(()));
    assert!(matches!(checked(&account.key(), &pairs, body, "2026-11-22T09:30:00Z"), Err(Unsigned::Stale(_))));
    assert!(matches!(checked(&account.key(), &pairs, body, "2026-11-20T09:20:00Z"), Err(Unsigned::Stale(_))));
}

#[test]
fn a_key_is_known_by_its_form() {
    assert!(is_key(&Account::new().key()));
    assert!(!is_key("MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="), "Ed25519");
    assert!(!is_key("not a key"));
}

fn event(changes: &Value) -> Value {
    let mut event = json!({
        "email": "example@test.com", "timestamp": 1_795_166_990, "smtp-id": format!("<{OURS}>"), "event": "bounce", "category": ["cat facts"],
        "sg_event_id": "6g4ZI7SA-xmRDv57GoPIPw==", "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0",
        "reason": "500 unknown recipient", "status": "5.0.0", "type": "bounce", "bounce_classification": "Invalid Address"
    });
    for (name, value) in changes.as_object().unwrap() {
        event[name] = value.clone();
    }
    event
}

#[test]
fn a_bounce_is_read_whole() {
    let bounces = read(json!([event(&json!({}))]).to_string().as_bytes()).unwrap();
    let [bounce] = bounces.as_slice() else { panic!("{bounces:?}") };
    assert_eq!(bounce.message_id.as_deref(), Some(OURS));
    assert_eq!(bounce.provider_id.as_deref(), Some("14c5d75ce93"));
    assert_eq!(bounce.address.as_deref(), Some("example@test.com"));
    assert_eq!(
        (bounce.kind, bounce.status.as_str(), bounce.detail.as_str()),
        (BounceKind::Hard, "5.0.0", "500 unknown recipient")
    );
    assert_eq!((bounce.event_id.as_str(), bounce.at), ("6g4ZI7SA-xmRDv57GoPIPw==", Some(at("2026-11-20T09:29:50Z"))));
    assert!(bounce.raw.contains("cat facts"));
}

#[test]
fn each_event_is_what_it_says() {
    let policy = json!({"status": "5.7.1", "reason": "550 5.7.1 blocked", "bounce_classification": "Reputation"});
    for (changes, kind) in [
        (json!({}), Some(BounceKind::Hard)),
        (json!({"type": "blocked"}), Some(BounceKind::Refused)),
        (json!({"type": "blocked", "status": "5.2.2", "reason": "552 5.2.2 full"}), Some(BounceKind::Soft)),
        (json!({"bounce_classification": "Technical Failure", "status": "5.4.4"}), Some(BounceKind::Soft)),
        (json!({"type": "expired", "status": "4.4.7"}), Some(BounceKind::Soft)),
        (policy, Some(BounceKind::Refused)),
        (json!({"bounce_classification": "Mailbox Unavailable", "status": "5.2.2"}), Some(BounceKind::Soft)),
        (json!({"bounce_classification": "Unclassified", "status": "5.1.1"}), Some(BounceKind::Hard)),
        (json!({"bounce_classification": null, "status": "5.1.1"}), Some(BounceKind::Hard)),
        (json!({"bounce_classification": null, "status": "5.7.1", "reason": "550 blocked"}), Some(BounceKind::Refused)),
        (json!({"bounce_classification": null, "status": "5.7.1"}), Some(BounceKind::Hard)),
        (json!({"bounce_classification": "Unclassified"}), Some(BounceKind::Hard)),
        (
            json!({"bounce_classification": "Unclassified", "reason": "554 Message rejected as spam"}),
            Some(BounceKind::Refused),
        ),
        (
            json!({"bounce_classification": null, "status": null, "reason": "550 ip in prison"}),
            Some(BounceKind::Refused),
        ),
        (json!({"event": "dropped", "reason": "Bounced Address"}), Some(BounceKind::Hard)),
        (json!({"event": "dropped", "reason": "Spam Reporting Address"}), Some(BounceKind::Complaint)),
        (json!({"event": "dropped", "reason": "Unsubscribed Address"}), Some(BounceKind::Unsubscribe)),
        (
            json!({"event": "dropped", "reason": "Spam Content (if spam checker app enabled)"}),
            Some(BounceKind::Refused),
        ),
        (json!({"event": "spamreport"}), Some(BounceKind::Complaint)),
        (json!({"event": "unsubscribe"}), Some(BounceKind::Unsubscribe)),
        (json!({"event": "group_unsubscribe", "asm_group_id": 10}), Some(BounceKind::Unsubscribe)),
        (json!({"event": "group_resubscribe"}), None),
        (json!({"event": "deferred", "response": "400 try again later", "attempt": "5"}), None),
        (json!({"event": "delivered"}), None),
        (json!({"event": "open"}), None),
        (json!({"event": "account_status_change", "type": "compliance_suspend"}), None),
        (json!({"event": 5}), None),
    ] {
        let bounces = read(json!([event(&changes)]).to_string().as_bytes()).unwrap();
        assert_eq!(bounces.first().map(|bounce| bounce.kind), kind, "{changes}");
    }
}

#[test]
fn a_batch_is_read_event_by_event() {
    let (first, second) = (
        event(&json!({"sg_event_id": "a"})),
        event(&json!({"event": "spamreport", "email": "b@test.com", "sg_event_id": "b"})),
    );
    let odd = json!([first, {"event": "processed"}, 7, {"no": "event"}, second]);
    let bounces = read(odd.to_string().as_bytes()).unwrap();
    let expected =
        [(BounceKind::Hard, "5.0.0", Some("example@test.com")), (BounceKind::Complaint, "5.0.0", Some("b@test.com"))];
    assert_eq!(told(&bounces), expected);
    // Without an id the event itself is one.
    let nameless = event(&json!({"sg_event_id": null}));
    let of = |event: &Value| read(json!([event]).to_string().as_bytes()).unwrap().remove(0).event_id;
    assert_eq!(of(&nameless), of(&nameless));
    assert_ne!(of(&nameless), of(&event(&json!({"sg_event_id": null, "email": "c@test.com"}))));
    assert!(read(b"{}").is_err() && read(b"[").is_err() && read(b"").is_err());
}
