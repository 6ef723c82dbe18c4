//! What comes back about mail that was sent: bounces, complaints and unsubscriptions.
//!
//! They come as webhooks of providers ([`hooks`]), or as mail to the mailbox of bounces ([`imap`]): delivery status notifications (RFC 3464)
//! and complaints of feedback loops (RFC 5965), which [`dsn`] reads. Each becomes a [`Bounce`]; `Mail::bounced` finds its message and does
//! what follows. Only this folder knows the forms of the providers.

mod bounded;
mod dsn;
mod evidence;
mod hooks;
mod imap;
mod mailgun;
mod metrics;
mod postmark;
mod resend;
mod sendgrid;
pub(crate) mod ses;
mod stuck;
#[cfg(test)]
mod tests;
mod unsubscribe;
mod utf7;

use axum::{Router, http::HeaderMap};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use chrono::{DateTime, Datelike as _, TimeDelta, Utc};
use serde_json::Value;

use crate::Mail;
use platform::{crypto, error::ApiError, text_enum};

pub(crate) use evidence::is_of_address;
use evidence::{failure, hard, passed_on, refusal};
pub(crate) use hooks::{Known, checked_secret};
pub use metrics::BounceMetrics;
pub(crate) use metrics::{IgnoredBounce, ReportSource};
pub(crate) use stuck::Stuck;

/// What needs no sign-in: webhooks of providers, and the page behind the link to unsubscribe.
pub fn router() -> Router<Mail> {
    hooks::router().merge(unsubscribe::router())
}

text_enum! {
    /// What a bounce says about its recipient.
    #[schema(as = MailReportKind)]
    pub enum BounceKind {
        /// The address does not work: nothing more is sent there.
        Hard = "hard",
        /// This message was not delivered; the next may be.
        Soft = "soft",
        /// Refused for its sender or its content (a policy, spam, no authentication): the address may work, and the next message is like this one.
        Refused = "refused",
        /// The recipient marked the message as spam: nothing more is sent there.
        Complaint = "complaint",
        /// The recipient wants no more mail of this kind.
        Unsubscribe = "unsubscribe",
    }
}

/// A bounce as reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounce {
    /// Without angle brackets.
    pub message_id: Option<String>,
    /// The provider's own id of the message: part of its answer when it accepted the message.
    pub provider_id: Option<String>,
    pub address: Option<String>,
    pub kind: BounceKind,
    /// Enhanced status code (RFC 3463) such as `5.1.1`, or the provider's word.
    pub status: String,
    pub detail: String,
    /// The same for each report of the same thing, and unique within its source.
    pub event_id: String,
    /// When it happened.
    pub at: Option<DateTime<Utc>>,
    /// The report, for people who look into it.
    pub raw: String,
}

/// A request of a provider.
#[derive(Clone, Copy)]
pub(crate) struct Report<'a> {
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
    pub now: DateTime<Utc>,
}

impl Report<'_> {
    fn header(&self, name: &'static str) -> Result<&str, Unsigned> {
        self.headers.get(name).and_then(|value| value.to_str().ok()).ok_or(Unsigned::Missing(name))
    }

    /// Err if the signature is older than `age` or from the future: what was recorded once could otherwise be sent again at any time.
    fn within(&self, seconds: &str, age: TimeDelta) -> Result<(), Unsigned> {
        let at = seconds.trim().parse().ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        let at = at.ok_or(Unsigned::Missing("timestamp"))?;
        if at < self.now - age || at > self.now + AHEAD { Err(Unsigned::Stale(at)) } else { Ok(()) }
    }
}

/// How far a provider's clock may be ahead of ours.
const AHEAD: TimeDelta = TimeDelta::minutes(5);

/// Why a request is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unsigned {
    #[error("{0} is missing or unreadable")]
    Missing(&'static str),
    #[error("the signature is not that of this request: compare the key here with the provider's")]
    Signature,
    #[error("the signature was made at {0}, too far from now by this host's clock")]
    Stale(DateTime<Utc>),
    #[error("this signature was used before, for another body")]
    Replayed,
    #[error("the user name or the password is wrong")]
    Password,
    #[error("{0:?} is not an https address of Amazon SNS")]
    ForeignAddress(String),
    #[error("the topic {0:?} is not the one that this address is for")]
    OtherTopic(String),
}

impl From<Unsigned> for ApiError {
    fn from(error: Unsigned) -> Self {
        Self::unauthorized(error.to_string())
    }
}

/// A key that the user pasted, without white space and PEM lines.
fn pasted(key: &str) -> Option<Vec<u8>> {
    let lines = key.lines().filter(|line| !line.trim_start().starts_with("-----"));
    let text: String = lines.flat_map(str::chars).filter(|c| !c.is_whitespace()).collect();
    STANDARD.decode(&text).or_else(|_| STANDARD_NO_PAD.decode(&text)).ok().filter(|bytes| !bytes.is_empty())
}

/// Bytes of an id or an address: what is longer is none, and does not fit into an index.
const LONGEST_ID: usize = 1000;

/// Text or number at a JSON pointer; `None` where it is empty. Without NUL, which PostgreSQL does not store.
fn text(value: &Value, pointer: &str) -> Option<String> {
    match value.pointer(pointer)? {
        Value::String(text) => Some(text.trim().replace('\0', "")).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Text at a JSON pointer that can be an id.
fn short(value: &Value, pointer: &str) -> Option<String> {
    text(value, pointer).filter(|id| id.len() <= LONGEST_ID)
}

/// A time at a JSON pointer: RFC 3339, or Unix seconds. One of another century is a mistake, with which nothing can be reckoned.
fn time(value: &Value, pointer: &str) -> Option<DateTime<Utc>> {
    let at = match value.pointer(pointer)? {
        Value::Number(seconds) => {
            #[expect(clippy::cast_possible_truncation, reason = "it saturates, and what is too large is no time")]
            let micros = (seconds.as_f64()? * 1e6).round() as i64;
            DateTime::from_timestamp_micros(micros)
        }
        Value::String(text) => DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc()),
        _ => None,
    };
    at.filter(|at| (2000..2100).contains(&at.year()))
}

/// A Message-ID in the form that is stored: some providers leave the angle brackets out.
fn message_id(text: &str) -> Option<String> {
    let text = text.trim();
    let inner = text.split_once('<').map_or(text, |(_, rest)| rest);
    let inner = inner.split('>').next().unwrap_or_default().trim();
    is_whole(inner).then(|| inner.to_owned())
}

fn is_whole(id: &str) -> bool {
    let is_no_part = |c: char| c.is_whitespace() || c.is_control();
    id.contains('@') && !id.contains(is_no_part) && id.len() <= LONGEST_ID
}

/// The address of a mailbox such as `Ann <ann@example.com>`.
fn address(text: &str) -> Option<String> {
    let inner = text.rsplit_once('<').map_or(text, |(_, rest)| rest);
    let inner = inner.split('>').next().unwrap_or_default().trim();
    is_whole(inner).then(|| inner.to_owned())
}

/// The enhanced status code of a failure in a server's answer: in the one that it passes on, if it does.
fn enhanced(text: &str) -> Option<String> {
    let text = passed_on(text).unwrap_or(text);
    let numbers = text.split(|c: char| !c.is_ascii_digit() && c != '.').map(|word| word.trim_matches('.'));
    numbers.filter(|word| !word.starts_with('2')).find(|word| is_status(word)).map(str::to_owned)
}

/// Whether this is an enhanced status code (RFC 3463): a class, one of the eight subjects, a detail. A program's version such as 4.96.2 is none.
pub(crate) fn is_status(word: &str) -> bool {
    let parts: Vec<&[u8]> = word.split('.').map(str::as_bytes).collect();
    let is_number = |part: &[u8]| (1..=3).contains(&part.len()) && part.iter().all(u8::is_ascii_digit);
    matches!(parts.as_slice(), [[b'2' | b'4' | b'5'], [b'0'..=b'7'], detail] if is_number(detail))
}

/// An event id for reports that have none.
fn digest(report: &Value) -> String {
    crypto::sha256_hex(report.to_string())
}
