//! SendGrid: the signed event webhook.
//!
//! `X-Twilio-Email-Event-Webhook-Signature` is an ECDSA signature (P-256, SHA-256, DER in base64) of the timestamp in
//! `X-Twilio-Email-Event-Webhook-Timestamp` and the body. The body is an array of events.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ParsedPublicKey, UnparsedPublicKey};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::TimeDelta;
use serde_json::Value;

use super::{
    Bounce, BounceKind, Report, Unsigned, address, digest, enhanced, failure, hard, message_id, pasted, refusal, short,
    text, time,
};
use platform::{error::ApiError, http};

const SIGNATURE: &str = "x-twilio-email-event-webhook-signature";
const TIMESTAMP: &str = "x-twilio-email-event-webhook-timestamp";
/// Requests that fail are repeated for 24 hours. Within that time a recorded one does no harm: its events were counted already.
const AGE: TimeDelta = TimeDelta::hours(26);

/// Whether this is a verification key as SendGrid shows it: a P-256 key, DER in base64.
pub(super) fn is_key(key: &str) -> bool {
    pasted(key).is_some_and(|der| ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, der).is_ok())
}

pub(super) fn verify(key: &str, report: &Report<'_>) -> Result<(), Unsigned> {
    let (signature, timestamp) = (report.header(SIGNATURE)?, report.header(TIMESTAMP)?);
    let signature = STANDARD.decode(signature.trim()).map_err(|_| Unsigned::Signature)?;
    let signed = [timestamp.as_bytes(), report.body].concat();
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, pasted(key).ok_or(Unsigned::Signature)?);
    key.verify(&signed, &signature).map_err(|_| Unsigned::Signature)?;
    report.within(timestamp, AGE)
}

pub(super) fn read(body: &[u8]) -> Result<Vec<Bounce>, ApiError> {
    let events: Vec<Value> = http::decode(body)?;
    Ok(events.iter().filter_map(bounce).collect())
}

/// `None` for events that are none: delivered, deferred (it is tried again), opened, clicked, ...
fn bounce(event: &Value) -> Option<Bounce> {
    let get = |name: &str| text(event, name);
    let (reason, status) = (get("/reason").or_else(|| get("/response")).unwrap_or_default(), get("/status"));
    // The status is what SendGrid makes of the answer that it got.
    let enhanced = enhanced(&reason).or_else(|| status.as_deref().and_then(enhanced));
    let kind = match get("/event")?.as_str() {
        "bounce" => bounced(event, enhanced.as_deref(), &reason),
        "dropped" => dropped(&reason),
        "spamreport" => BounceKind::Complaint,
        "unsubscribe" | "group_unsubscribe" => BounceKind::Unsubscribe,
        _ => return None,
    };
    Some(Bounce {
        message_id: get("/smtp-id").as_deref().and_then(message_id),
        // `<id of the request>.<host and number>`; only the first part is in the answer to the message.
        provider_id: short(event, "/sg_message_id").and_then(|id| id.split('.').next().map(str::to_owned)),
        address: get("/email").as_deref().and_then(address),
        kind,
        status: enhanced.or(status).or_else(|| get("/type")).unwrap_or_default(),
        detail: reason,
        event_id: get("/sg_event_id").unwrap_or_else(|| digest(event)),
        at: time(event, "/timestamp"),
        raw: event.to_string(),
    })
}

/// `type` is `bounce`, or `blocked` for a refusal that is not about the address; the classification is newer and more exact.
fn bounced(event: &Value, enhanced: Option<&str>, reason: &str) -> BounceKind {
    let other_type = text(event, "/type").filter(|kind| kind != "bounce");
    match (other_type, text(event, "/bounce_classification").as_deref()) {
        (Some(kind), _) => refusal(enhanced, &format!("{kind} {reason}")),
        (None, Some("Invalid Address")) => hard(enhanced, reason),
        (None, None | Some("Unclassified" | "Mailbox Unavailable")) => failure(enhanced, reason),
        // Content, Reputation, Frequency or Volume Too High, Technical Failure.
        (None, Some(class)) => refusal(enhanced, &format!("{class} {reason}")),
    }
}

/// SendGrid did not try: the address is on a list there, or something is wrong with the message.
fn dropped(reason: &str) -> BounceKind {
    match reason.to_ascii_lowercase().as_str() {
        "bounced address" | "invalid" => BounceKind::Hard,
        "spam reporting address" => BounceKind::Complaint,
        "unsubscribed address" => BounceKind::Unsubscribe,
        reason => refusal(None, reason),
    }
}
