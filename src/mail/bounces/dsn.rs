//! Reports that come as mail: delivery status notifications (RFC 3464) and complaints of feedback loops (RFC 5965).
//!
//! Anybody can send such a mail, so it only counts with the Message-ID of one of our messages, which nobody but its recipient knows: it is in
//! the returned message or its headers, or, where neither is returned, in a field of the report.

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
    #[error("it does not say the Message-ID of the returned message")]
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
    let names_type = |line: &&[u8]| {
        line.trim_ascii_start().get(..CONTENT_TYPE.len()).is_some_and(|name| name.eq_ignore_ascii_case(CONTENT_TYPE))
    };
    if raw.split(|byte| *byte == b'\n').filter(names_type).count() > MOST_PARTS {
        return Err(NotUnderstood::TooManyParts);
    }
    let mail = parse_mail(raw)?;
    let part = |kinds: &[&str]| mail.parts().find(|part| kinds.contains(&part.ctype.mimetype.as_str()));
    let mut named = None;
    let reports: Vec<Reported> =
        if let Some(status) = part(&["message/delivery-status", "message/global-delivery-status"]) {
            let groups = groups(status)?;
            if groups.iter().all(|fields| outcome(fields) == Outcome::Unsaid) {
                return Err(NotUnderstood::NoReport);
            }
            // As Gmail writes it.
            named = groups.iter().find_map(|fields| message_id(get(fields, "x-original-message-id")?));
            groups.iter().filter_map(|fields| undelivered(fields)).collect()
        } else if let Some(feedback) = part(&["message/feedback-report"]) {
            groups(feedback)?.iter().filter_map(|fields| complaint(fields)).collect()
        } else {
            return Err(NotUnderstood::NoReport);
        };
    if reports.is_empty() {
        return Ok(Vec::new());
    }
    let id = part(RETURNED).map(id_of).transpose()?.flatten().or(named).or_else(|| answered(&mail));
    let digest = crypto::sha256_hex(raw);
    Ok(bounces(reports, &id.ok_or(NotUnderstood::NoMessageId)?, &digest))
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
fn bounces(reports: Vec<Reported>, id: &str, digest: &str) -> Vec<Bounce> {
    let bounce = |(number, Reported { address, kind, status, detail, raw })| Bounce {
        message_id: Some(id.to_owned()),
        provider_id: None,
        address,
        kind,
        status,
        detail,
        event_id: format!("{digest} {number}"),
        at: None,
        raw,
    };
    reports.into_iter().enumerate().map(bounce).collect()
}

/// The Message-ID of the returned message.
fn id_of(original: &ParsedMail<'_>) -> Result<Option<String>, NotUnderstood> {
    let original = original.get_body_raw()?;
    let headers = parse_headers(original.trim_ascii_start())?.0;
    Ok(headers.get_first_value("Message-ID").as_deref().and_then(message_id))
}

/// The message that the report answers, as Exchange and Gmail say. The last of several is the nearest.
fn answered(report: &ParsedMail<'_>) -> Option<String> {
    ["In-Reply-To", "References"].into_iter().find_map(|name| {
        let ids = report.headers.get_first_value(name)?;
        ids.split_whitespace().rev().find_map(message_id)
    })
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

/// What a group of fields says of its recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Failed,
    /// Delayed: it is tried again. Delivered, relayed, expanded: no failure.
    Other,
    /// It is about the whole report, or says nothing.
    Unsaid,
}

/// By the action (RFC 3464 section 2.3.3). Some servers leave it out, or invent one: then the status decides.
fn outcome(fields: &[(String, String)]) -> Outcome {
    let status = get(fields, "status").unwrap_or_default();
    match first_word(get(fields, "action").unwrap_or_default()).to_ascii_lowercase().as_str() {
        "failed" => Outcome::Failed,
        "delayed" | "delivered" | "relayed" | "expanded" => Outcome::Other,
        _ if enhanced(status).is_some_and(|status| status.starts_with('5')) => Outcome::Failed,
        _ if status.starts_with(['2', '4']) => Outcome::Other,
        _ => Outcome::Unsaid,
    }
}

/// The first word of a field: most may have comments (RFC 3464 section 2.1.1).
fn first_word(field: &str) -> &str {
    let field = field.strip_prefix('(').and_then(|rest| rest.split_once(')')).map_or(field, |(_, rest)| rest);
    field.trim_start().split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default()
}

/// A recipient whom the message did not reach; `None` for a group about something else.
fn undelivered(fields: &[(String, String)]) -> Option<Reported> {
    if outcome(fields) != Outcome::Failed {
        return None;
    }
    let (original, last) = (get(fields, "original-recipient"), get(fields, "final-recipient"));
    let diagnostic =
        get(fields, "diagnostic-code").map(|text| text.split_once(';').map_or(text, |(_, said)| said).trim());
    let status = get(fields, "status").and_then(enhanced);
    // The status is what the reporting server makes of the answer that it got.
    let status = diagnostic.and_then(enhanced).or(status);
    Some(Reported {
        // The first may be a group, of which the last is a member.
        address: last.and_then(recipient).or_else(|| original.and_then(recipient)),
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
