//! Postmark: webhooks, which are not signed.
//!
//! What proves them is the secret in their address, and a user name and password if the user wants them: Postmark sends those of an address
//! `https://user:password@host/...` as basic authentication.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::{Bounce, BounceKind, Report, Unsigned, address, digest, enhanced, hard, refusal, short, text, time};
use platform::{crypto, error::ApiError, http};

/// `password` is `user:password`; empty: the address is enough.
pub(super) fn verify(password: &str, report: &Report<'_>) -> Result<(), Unsigned> {
    if password.is_empty() {
        return Ok(());
    }
    let given = report.header("authorization")?.split_once(' ');
    let given = given.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
    let given = given.and_then(|(_, text)| STANDARD.decode(text.trim()).ok()).ok_or(Unsigned::Password)?;
    if crypto::constant_time_eq(&given, password.as_bytes()) { Ok(()) } else { Err(Unsigned::Password) }
}

pub(super) fn read(body: &[u8]) -> Result<Vec<Bounce>, ApiError> {
    let record: Value = http::decode(body)?;
    Ok(bounce(&record).into_iter().collect())
}

/// `None` for records that are none: deliveries, opens, clicks, automatic answers, ...
fn bounce(record: &Value) -> Option<Bounce> {
    let get = |name: &str| text(record, name);
    let record_type = get("/RecordType")?;
    let detail = get("/Details").or_else(|| get("/Description")).or_else(|| get("/SuppressionReason"));
    let detail = detail.unwrap_or_default();
    let kind = match record_type.as_str() {
        "Bounce" => match of_type(&get("/Type")?)? {
            BounceKind::Hard => hard(enhanced(&detail).as_deref(), &detail),
            BounceKind::Soft => refusal(enhanced(&detail).as_deref(), &detail),
            kind => kind,
        },
        "SpamComplaint" => BounceKind::Complaint,
        "SubscriptionChange" => of_change(record)?,
        _ => return None,
    };
    let address = get("/Email").or_else(|| get("/Recipient")).as_deref().and_then(address);
    let event_id = match get("/ID") {
        Some(id) => format!("{record_type} {id}"),
        None => digest(record),
    };
    Some(Bounce {
        // Postmark reports its own id, not the Message-ID.
        message_id: None,
        provider_id: short(record, "/MessageID"),
        address,
        kind,
        status: enhanced(&detail).or_else(|| get("/Type")).unwrap_or_default(),
        detail,
        event_id,
        at: time(record, "/BouncedAt").or_else(|| time(record, "/ChangedAt")),
        raw: record.to_string(),
    })
}

/// By the types of Postmark's bounce API; a `Transient` one is tried again.
fn of_type(name: &str) -> Option<BounceKind> {
    Some(match name {
        "HardBounce" | "BadEmailAddress" | "ManuallyDeactivated" => BounceKind::Hard,
        "Blocked" | "DMARCPolicy" | "SpamNotification" | "VirusNotification" => BounceKind::Refused,
        "SpamComplaint" => BounceKind::Complaint,
        "Unsubscribe" => BounceKind::Unsubscribe,
        "Transient"
        | "AutoResponder"
        | "AddressChange"
        | "ChallengeVerification"
        | "Subscribe"
        | "OpenRelayTest"
        | "InboundError" => return None,
        _ => BounceKind::Soft,
    })
}

/// A change of Postmark's suppression list. What an operator changes there by hand is no wish of the recipient.
fn of_change(record: &Value) -> Option<BounceKind> {
    if record.pointer("/SuppressSending").and_then(Value::as_bool) != Some(true) {
        return None;
    }
    match text(record, "/SuppressionReason")?.as_str() {
        "HardBounce" => Some(BounceKind::Hard),
        "SpamComplaint" => Some(BounceKind::Complaint),
        _ => (text(record, "/Origin")? == "Recipient").then_some(BounceKind::Unsubscribe),
    }
}
