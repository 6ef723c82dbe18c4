//! Mailgun: webhooks.
//!
//! The signature is in the body: HMAC-SHA256 of timestamp and token with the webhook signing key. It does not cover the event, so whoever
//! sees one request could sign others with it: a token is accepted for one body only.

use chrono::TimeDelta;
use serde_json::Value;

use super::{
    Bounce, BounceKind, Report, Unsigned, address, digest, enhanced, failure, message_id, refusal, text, time,
};
use platform::{crypto, error::ApiError, http};

/// Requests that fail are repeated for eight hours. Tokens are remembered for longer than this.
pub(super) const AGE: TimeDelta = TimeDelta::hours(24);

/// The token, which may have been used for this body only.
pub(super) fn verify(key: &str, report: &Report<'_>) -> Result<String, Unsigned> {
    let body: Value = serde_json::from_slice(report.body).map_err(|_| Unsigned::Missing("the JSON body"))?;
    let get = |name: &'static str| text(&body, name).ok_or(Unsigned::Missing(name));
    let (timestamp, token) = (get("/signature/timestamp")?, get("/signature/token")?);
    let expected = crypto::hex(&crypto::hmac_sha256(key.trim().as_bytes(), format!("{timestamp}{token}").as_bytes()));
    // An event of a subaccount is also signed with the key of the account.
    let holds = ["/signature/signature", "/signature/parent-signature"].into_iter().any(|name| {
        text(&body, name).is_some_and(|signature| {
            crypto::constant_time_eq(signature.to_ascii_lowercase().as_bytes(), expected.as_bytes())
        })
    });
    if !holds {
        get("/signature/signature")?;
        return Err(Unsigned::Signature);
    }
    report.within(&timestamp, AGE)?;
    Ok(token)
}

pub(super) fn read(body: &[u8]) -> Result<Vec<Bounce>, ApiError> {
    let body: Value = http::decode(body)?;
    Ok(body.pointer("/event-data").and_then(bounce).into_iter().collect())
}

/// `None` for events that are none: delivered, failed for now (it is tried again), opened, clicked, ...
fn bounce(event: &Value) -> Option<Bounce> {
    let get = |name: &str| text(event, name);
    let reason = get("/reason").unwrap_or_default();
    let said = [get("/delivery-status/message"), get("/delivery-status/description"), get("/reject/reason")];
    let said = said.into_iter().flatten().next().unwrap_or_default();
    let enhanced = get("/delivery-status/enhanced-code").or_else(|| enhanced(&said));
    let kind = match get("/event")?.as_str() {
        "failed" if get("/severity").as_deref() == Some("temporary") => return None,
        "failed" => failed(event, &reason, enhanced.as_deref(), &said),
        "rejected" => BounceKind::Refused,
        "complained" => BounceKind::Complaint,
        "unsubscribed" => BounceKind::Unsubscribe,
        _ => return None,
    };
    Some(Bounce {
        message_id: get("/message/headers/message-id").as_deref().and_then(message_id),
        provider_id: None,
        address: get("/recipient").or_else(|| get("/message/headers/to")).as_deref().and_then(address),
        kind,
        status: enhanced.or_else(|| get("/delivery-status/code")).unwrap_or_else(|| reason.clone()),
        detail: if said.is_empty() { reason } else { said },
        // An id is unique within a day.
        event_id: match (get("/id"), get("/timestamp")) {
            (Some(id), Some(at)) => format!("{id} {}", at.split('.').next().unwrap_or_default()),
            _ => digest(event),
        },
        at: time(event, "/timestamp"),
        raw: event.to_string(),
    })
}

/// A permanent failure. `suppress-...`: Mailgun did not try, because the address is on a list there.
fn failed(event: &Value, reason: &str, enhanced: Option<&str>, said: &str) -> BounceKind {
    match (reason, text(event, "/delivery-status/bounce-type").as_deref()) {
        ("suppress-bounce", _) => BounceKind::Hard,
        ("suppress-complaint", _) => BounceKind::Complaint,
        ("suppress-unsubscribe", _) => BounceKind::Unsubscribe,
        (_, Some("soft")) => refusal(enhanced, said),
        // The code says nothing of the address, but Outlook.com answers so for users that do not exist.
        ("bounce", Some("hard")) if enhanced == Some("5.5.0") => BounceKind::Hard,
        _ => failure(enhanced, said),
    }
}
