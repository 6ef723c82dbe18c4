//! Resend: webhooks signed by Svix.
//!
//! `svix-signature` is a list of `v1,<base64>`: HMAC-SHA256 of `<svix-id>.<svix-timestamp>.<body>` with the bytes behind `whsec_`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::TimeDelta;
use serde_json::Value;

use super::{
    Bounce, BounceKind, Report, Unsigned, address, enhanced, hard, message_id, pasted, refusal, short, text, time,
};
use platform::{crypto, error::ApiError, http};

/// As the libraries of Svix have it: each attempt is signed anew.
const AGE: TimeDelta = TimeDelta::minutes(5);
const ID: &str = "svix-id";

/// Whether this is a signing secret: `whsec_` and base64.
pub(super) fn is_secret(secret: &str) -> bool {
    secret.trim().strip_prefix("whsec_").and_then(pasted).is_some()
}

pub(super) fn verify(secret: &str, report: &Report<'_>) -> Result<(), Unsigned> {
    let (id, timestamp) = (report.header(ID)?, report.header("svix-timestamp")?);
    let signatures = report.header("svix-signature")?;
    let key = pasted(secret.trim().trim_start_matches("whsec_")).ok_or(Unsigned::Signature)?;
    let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", report.body].concat();
    let expected = STANDARD.encode(crypto::hmac_sha256(&key, &signed));
    let mut given = signatures.split(' ').filter_map(|one| one.strip_prefix("v1,"));
    if !given.any(|one| crypto::constant_time_eq(one.as_bytes(), expected.as_bytes())) {
        return Err(Unsigned::Signature);
    }
    report.within(timestamp, AGE)
}

/// A bounce for each recipient.
pub(super) fn read(report: &Report<'_>) -> Result<Vec<Bounce>, ApiError> {
    let event: Value = http::decode(report.body)?;
    let Some(kind) = kind(&event) else { return Ok(Vec::new()) };
    // Verified before: it is there.
    let id = report.header(ID).unwrap_or_default();
    let recipients = event.pointer("/data/to").and_then(Value::as_array).cloned().unwrap_or_default();
    let recipients = recipients.iter().filter_map(Value::as_str).filter_map(address);
    Ok(recipients.map(|address| bounce(&event, kind, id, address)).collect())
}

/// `None` for events that are none: delivered, delayed (it is tried again), opened, clicked, ...
fn kind(event: &Value) -> Option<BounceKind> {
    Some(match text(event, "/type")?.as_str() {
        "email.bounced" => {
            let get = |name: &str| text(event, name).unwrap_or_default();
            let said = get("/data/bounce/message");
            match text(event, "/data/bounce/type").as_deref() {
                None | Some("Permanent") => hard(enhanced(&said).as_deref(), &said),
                // With a subtype such as ContentRejected.
                Some(_) => refusal(enhanced(&said).as_deref(), &format!("{} {said}", get("/data/bounce/subType"))),
            }
        }
        // Resend did not try: the address is on its list.
        "email.suppressed" => BounceKind::Hard,
        "email.failed" => BounceKind::Soft,
        "email.complained" => BounceKind::Complaint,
        _ => return None,
    })
}

fn bounce(event: &Value, kind: BounceKind, id: &str, address: String) -> Bounce {
    let get = |name: &str| text(event, name);
    let said = ["/data/bounce/message", "/data/suppressed/message", "/data/failed/reason"].into_iter().find_map(get);
    let said = said.unwrap_or_default();
    let status = enhanced(&said).or_else(|| get("/data/bounce/subType")).or_else(|| get("/data/bounce/type"));
    Bounce {
        message_id: get("/data/message_id").or_else(|| header(event, "message-id")).as_deref().and_then(message_id),
        provider_id: short(event, "/data/email_id"),
        event_id: format!("{id} {address}"),
        address: Some(address),
        kind,
        status: status.unwrap_or_default(),
        detail: said,
        at: time(event, "/created_at"),
        raw: event.to_string(),
    }
}

/// A header of the message, where the event has them.
fn header(event: &Value, name: &str) -> Option<String> {
    let headers = event.pointer("/data/headers")?.as_array()?;
    let found = headers.iter().find(|header| text(header, "/name").is_some_and(|n| n.eq_ignore_ascii_case(name)))?;
    text(found, "/value")
}
