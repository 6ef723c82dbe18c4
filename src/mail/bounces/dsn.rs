//! Reports that come as mail: delivery status notifications (RFC 3464) and complaints of feedback loops (RFC 5965).
//!
//! Anybody can send such a mail, so it only counts with the Message-ID of one of our messages, which nobody but its recipient knows: it is in
//! the returned message or its headers.

use mailparse::{MailHeader, MailHeaderMap as _, ParsedMail, parse_headers, parse_mail};

use super::{Bounce, BounceKind, address, enhanced, failure, message_id};
use platform::crypto;

/// Parts that a report may have: `mailparse` calls itself for each level of nesting.
const MOST_PARTS: usize = 64;
const CONTENT_TYPE: &[u8] = b"content-type";

/// Why a mail is no report that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotUnderstood {
    #[error("it is no delivery report and no complaint")]
    NoReport,
    #[error("it has more than {MOST_PARTS} parts")]
    TooManyParts,
    #[error("its form is wrong")]
    Malformed,
    #[error("it does not contain the Message-ID of the returned message")]
    NoMessageId,
}

impl From<mailparse::MailParseError> for NotUnderstood {
    fn from(_: mailparse::MailParseError) -> Self {
        Self::Malformed
    }
}

/// The bounces of a report; empty if it reports a delay, a delivery, or that something is no spam.
pub(crate) fn read(raw: &[u8]) -> Result<Vec<Bounce>, NotUnderstood> {
    // Every nested part has this header, so this bounds the depth, too.
    if raw.windows(CONTENT_TYPE.len()).filter(|word| word.eq_ignore_ascii_case(CONTENT_TYPE)).count() > MOST_PARTS {
        return Err(NotUnderstood::TooManyParts);
    }
    let mail = parse_mail(raw)?;
    let part = |kinds: &[&str]| mail.parts().find(|part| kinds.contains(&part.ctype.mimetype.as_str()));
    let reports: Vec<Reported> =
        if let Some(status) = part(&["message/delivery-status", "message/global-delivery-status"]) {
            groups(status)?.iter().filter_map(|fields| undelivered(fields)).collect()
        } else if let Some(feedback) = part(&["message/feedback-report"]) {
            groups(feedback)?.iter().filter_map(|fields| complaint(fields)).collect()
        } else {
            return Err(NotUnderstood::NoReport);
        };
    returned(reports, part(RETURNED), raw)
}

/// Types of the returned message, or of its headers alone.
const RETURNED: &[&str] =
    &["message/rfc822", "text/rfc822-headers", "message/rfc822-headers", "message/global", "message/global-headers"];

/// What a report says of a recipient.
struct Reported {
    address: Option<String>,
    kind: BounceKind,
    status: String,
    detail: String,
    raw: String,
}

/// Adds what all recipients of the report have in common.
fn returned(
    reports: Vec<Reported>,
    original: Option<&ParsedMail<'_>>,
    raw: &[u8],
) -> Result<Vec<Bounce>, NotUnderstood> {
    if reports.is_empty() {
        return Ok(Vec::new());
    }
    let original = original.ok_or(NotUnderstood::NoMessageId)?.get_body_raw()?;
    let headers = parse_headers(original.trim_ascii_start())?.0;
    let id = headers.get_first_value("Message-ID").as_deref().and_then(message_id);
    let id = id.ok_or(NotUnderstood::NoMessageId)?;
    let digest = crypto::sha256_hex(raw);
    let bounces =
        reports.into_iter().enumerate().map(|(number, Reported { address, kind, status, detail, raw })| Bounce {
            message_id: Some(id.clone()),
            provider_id: None,
            address,
            kind,
            status,
            detail,
            event_id: format!("{digest} {number}"),
            at: None,
            raw,
        });
    Ok(bounces.collect())
}

/// Name and value of each field, by groups: blank lines separate them. The first is about the whole report.
fn groups(part: &ParsedMail<'_>) -> Result<Vec<Vec<(String, String)>>, NotUnderstood> {
    let body = part.get_body_raw()?;
    let (mut groups, mut rest) = (Vec::new(), body.as_slice());
    while !rest.is_empty() {
        let (headers, read) = parse_headers(rest)?;
        rest = rest.get(read.max(1)..).unwrap_or_default();
        if !headers.is_empty() {
            groups.push(headers.iter().map(field).collect());
        }
    }
    Ok(groups)
}

fn field(header: &MailHeader<'_>) -> (String, String) {
    (header.get_key().trim().to_ascii_lowercase(), header.get_value().trim().replace('\0', ""))
}

fn get<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    fields.iter().find(|(field, value)| field == name && !value.is_empty()).map(|(_, value)| value.as_str())
}

fn lines(fields: &[(String, String)]) -> String {
    fields.iter().flat_map(|(name, value)| [name.as_str(), ": ", value.as_str(), "\n"]).collect()
}

/// The address of a recipient: `rfc822; ann@example.com`.
fn recipient(field: &str) -> Option<String> {
    address(field.split_once(';').map_or(field, |(_, rest)| rest))
}

/// A recipient whom the message did not reach (RFC 3464 section 2.3); `None` for a group about something else.
fn undelivered(fields: &[(String, String)]) -> Option<Reported> {
    // Delayed: it is tried again. Delivered, relayed, expanded: no failure.
    if !get(fields, "action")?.eq_ignore_ascii_case("failed") {
        return None;
    }
    let (original, last) = (get(fields, "original-recipient"), get(fields, "final-recipient"));
    let diagnostic =
        get(fields, "diagnostic-code").map(|text| text.split_once(';').map_or(text, |(_, said)| said).trim());
    let status = get(fields, "status").and_then(enhanced);
    // Some servers say 5.0.0 where the answer that they got says more.
    let better =
        diagnostic.and_then(enhanced).filter(|_| status.as_deref().is_none_or(|status| status.ends_with(".0.0")));
    let status = better.or(status);
    Some(Reported {
        address: original.and_then(recipient).or_else(|| last.and_then(recipient)),
        kind: failure(status.as_deref(), diagnostic.unwrap_or_default()),
        status: status.unwrap_or_default(),
        detail: diagnostic.unwrap_or_default().to_owned(),
        raw: lines(fields),
    })
}

/// A complaint (RFC 5965 section 3); `None` if it is about something else.
fn complaint(fields: &[(String, String)]) -> Option<Reported> {
    let kind = get(fields, "feedback-type")?;
    let (kind, status) = match kind.to_ascii_lowercase().as_str() {
        "not-spam" | "auth-failure" | "dmarc" | "virus" => return None,
        "opt-out" | "opt-out-list" => (BounceKind::Unsubscribe, kind),
        _ => (BounceKind::Complaint, kind),
    };
    let to = get(fields, "original-rcpt-to").or_else(|| get(fields, "removal-recipient"));
    let agent = get(fields, "user-agent").unwrap_or_default();
    Some(Reported {
        address: to.and_then(recipient),
        kind,
        status: status.to_owned(),
        detail: agent.to_owned(),
        raw: lines(fields),
    })
}
