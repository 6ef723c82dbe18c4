//! Messages, attempts, suppressions, domains.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

pub use platform::ids::Owner;
use platform::{id_type, text_enum};

id_type!(MessageId, "A mail in the outbox.");
id_type!(SuppressionId, "An address to which nothing is sent.");
id_type!(DomainId, "A domain that mail is sent from.");
id_type!(SourceId, "A provider that reports bounces.");
id_type!(OwnTemplateId, "A template that an organisation has named and written itself.");
id_type!(TemplateId, "A template that an organisation has changed.");

impl MessageId {
    /// The first id of a time: a `UUIDv7` begins with its time in milliseconds, 48 bits.
    pub fn first_at(at: DateTime<Utc>) -> Self {
        let millis = u128::try_from(at.timestamp_millis()).unwrap_or_default().min((1 << 48) - 1);
        Self(Uuid::from_u128(millis << 80))
    }
}

text_enum! {
    /// State of a mail.
    #[schema(as = MailState)]
    pub enum State {
        /// Waits for its time, for its turn or for the next attempt.
        Queued = "queued",
        /// Is being given to the server.
        Sending = "sending",
        /// The server has accepted it.
        Sent = "sent",
        /// Refused for good, or for too long; or it waited until it was of no use any more.
        Failed = "failed",
        /// Not sent: its recipient is suppressed.
        Suppressed = "suppressed",
        Cancelled = "cancelled",
    }
}

impl State {
    /// Badge colour.
    pub fn tone(self) -> &'static str {
        match self {
            Self::Queued | Self::Sending | Self::Cancelled => "neutral",
            Self::Sent => "ok",
            Self::Failed => "error",
            Self::Suppressed => "warn",
        }
    }
}

text_enum! {
    /// How an attempt ended.
    #[schema(as = MailAttemptOutcome)]
    pub enum AttemptOutcome {
        /// The server accepted the mail.
        Sent = "sent",
        /// Refused for now (4xx), or the connection failed before the content was sent: tried again.
        Deferred = "deferred",
        /// Refused for good (5xx), or it cannot be sent as it is.
        Rejected = "rejected",
        /// The content was sent, but no answer came: the server may have accepted it. Tried again with the same Message-ID.
        Unknown = "unknown",
        /// The account failed (connection, TLS, sign-in): every mail waits until it works.
        Account = "account",
        /// Not tried: the recipient was suppressed meanwhile.
        Suppressed = "suppressed",
        /// The process ended during the attempt: the server may have accepted it. Tried again with the same Message-ID.
        Lost = "lost",
    }
}

text_enum! {
    /// How a delivered mail came back.
    #[schema(as = MailBounceKind)]
    pub enum Bounced {
        /// The address does not exist or refuses mail for good.
        Hard = "hard",
        /// A temporary problem at the recipient.
        Soft = "soft",
        /// Refused for its sender or its content: a policy, spam, no authentication.
        Refused = "refused",
        /// The recipient called it spam.
        Complaint = "complaint",
    }
}

text_enum! {
    /// Why nothing is sent to an address.
    #[schema(as = MailSuppressionReason)]
    pub enum Reason {
        HardBounce = "hard_bounce",
        Complaint = "complaint",
        Unsubscribed = "unsubscribed",
        Manual = "manual",
    }
}

/// A file that is sent with a mail. Its content is an object in this room's storage: see [`super::Mail::keep_attachment`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = MailAttachment)]
pub struct Attachment {
    pub name: String,
    pub content_type: String,
    /// Bytes.
    pub size: u64,
    #[schema(ignore)]
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub object: String,
}

/// A mail as the log shows it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = MailMessage)]
pub struct Message {
    pub id: MessageId,
    /// Belongs to the installation instead of the organisation.
    pub installation: bool,
    /// Such as `welcome`, `alert`, `api`.
    pub kind: String,
    /// Null: the caller gave the text.
    pub template: Option<String>,
    pub language: String,
    /// Null: the configured sender.
    pub from_address: Option<String>,
    pub from_name: String,
    pub reply_to: Option<String>,
    pub to_address: String,
    pub to_name: String,
    pub subject: String,
    /// `Message-ID` of every attempt, without angle brackets. Ends with `@unset.invalid` until it is sent, if no sender was configured when it was
    /// written.
    pub message_id: String,
    /// `<account>/<domain of the recipient>`
    pub lane: String,
    pub state: State,
    pub attempts: i32,
    /// When the next attempt is due.
    pub send_at: DateTime<Utc>,
    /// From then on no attempt begins, and it fails; null: never.
    pub expires_at: Option<DateTime<Utc>>,
    /// Reply code of the last attempt.
    pub status: Option<i32>,
    /// Enhanced status code of the last attempt, such as `5.1.1`.
    pub enhanced: Option<String>,
    pub error: Option<String>,
    /// An attempt ended without an answer after the content was sent: it may arrive twice.
    pub maybe_sent: bool,
    pub sent_at: Option<DateTime<Utc>>,
    pub bounced_at: Option<DateTime<Utc>>,
    pub bounce: Option<Bounced>,
    pub idempotency_key: Option<String>,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
}

/// An attempt to send a mail.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = MailAttempt)]
pub struct Attempt {
    /// 1 for the first.
    pub attempt: i32,
    pub began_at: DateTime<Utc>,
    /// Null while it runs.
    pub ended_at: Option<DateTime<Utc>>,
    pub outcome: Option<AttemptOutcome>,
    /// The server's reply code.
    pub status: Option<i32>,
    /// The server's answer, or the error.
    pub answer: Option<String>,
    pub milliseconds: Option<i32>,
}

/// A mail with its content and attempts.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = MailMessageDetail)]
pub struct MessageDetail {
    #[serde(flatten)]
    pub message: Message,
    pub text: String,
    pub html: Option<String>,
    /// Headers besides the usual ones.
    pub headers: BTreeMap<String, String>,
    pub attachments: Vec<Attachment>,
    /// Oldest first.
    pub history: Vec<Attempt>,
}

/// Errors and answers of mails that this program writes itself: pages say them in their own language.
pub mod errors {
    /// Begin of the error of mail that waited too long.
    pub const EXPIRED: &str = "expired: it could not be sent in time, and is of no use any more";
    /// What stands between it and the last answer of a server.
    pub const LAST: &str = "; the last attempt: ";
    /// Also in the statement that finds such mail.
    pub const CUT_OFF: &str = "the process ended during the attempt";
    pub const SUPPRESSED: &str = "the recipient was suppressed";
}

/// An address to which nothing is sent, or nothing of a kind.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = MailSuppression)]
pub struct Suppression {
    pub id: SuppressionId,
    /// Belongs to the installation instead of the organisation.
    pub installation: bool,
    pub address: String,
    /// `*`: everything.
    pub kind: String,
    pub reason: Reason,
    pub detail: String,
    /// The mail that led to it.
    pub message_id: Option<MessageId>,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
}

text_enum! {
    /// What a look into the DNS found.
    #[schema(as = MailDnsStatus)]
    pub enum DnsStatus {
        Pass = "pass",
        /// Works, but could be better.
        Warn = "warn",
        Fail = "fail",
        /// The name server did not answer.
        Unknown = "unknown",
    }
}

/// One record of a domain, as it is and as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = MailDnsCheck)]
pub struct DnsCheck {
    /// `dkim_rsa`, `dkim_ed25519`, `spf`, `dmarc`, `reverse`.
    pub name: String,
    pub status: DnsStatus,
    /// Name of the record.
    pub host: String,
    /// `TXT` or `PTR`.
    pub record: String,
    /// What is there.
    pub found: Vec<String>,
    /// What should be there; empty where there is no single right answer.
    pub expected: String,
    /// What is wrong, if anything.
    pub detail: String,
}

/// A domain that mail is sent from.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = MailDomain)]
pub struct Domain {
    pub id: DomainId,
    /// Belongs to the installation instead of the organisation.
    pub installation: bool,
    pub domain: String,
    pub selector: String,
    /// When its RSA record first had its key; null: mail is not sent from it.
    pub verified_at: Option<DateTime<Utc>>,
    /// Since when that record has not been found any more; null: it was there at the last look. After three days the domain is not verified.
    pub failing_since: Option<DateTime<Utc>>,
    /// The records to publish: name and value.
    pub records: Vec<DnsRecord>,
    /// Of the last look into the DNS; empty before the first.
    pub checks: Vec<DnsCheck>,
    pub checked_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// A TXT record to publish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = MailDnsRecord)]
pub struct DnsRecord {
    pub host: String,
    pub value: String,
}

/// How the SMTP account does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = MailAccount)]
pub struct Account {
    /// Whether `[mail]` names a server and a sender.
    pub configured: bool,
    /// `host:port`
    pub server: String,
    pub from: String,
    /// Null while it works.
    pub failing_since: Option<DateTime<Utc>>,
    /// When it is tried again.
    pub retry_at: Option<DateTime<Utc>>,
    pub error: Option<String>,
}

/// What waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, ToSchema)]
#[schema(as = MailBacklog)]
pub struct Backlog {
    /// Mails whose time has come.
    pub waiting: i64,
    /// How long the oldest of them has waited, seconds.
    pub oldest_seconds: f64,
    /// Mails for later: scheduled, or waiting for their next attempt.
    pub later: i64,
}

text_enum! {
    /// A provider that reports bounces by webhook.
    #[schema(as = MailProvider)]
    pub enum Provider {
        Sendgrid = "sendgrid",
        Mailgun = "mailgun",
        /// Amazon SES, by way of an SNS topic.
        Ses = "ses",
        Resend = "resend",
        Postmark = "postmark",
    }
}

impl Provider {
    /// As it writes itself.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sendgrid => "SendGrid",
            Self::Mailgun => "Mailgun",
            Self::Ses => "Amazon SES",
            Self::Resend => "Resend",
            Self::Postmark => "Postmark",
        }
    }
}

/// A provider that reports bounces here.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = MailBounceSource)]
pub struct Source {
    pub id: SourceId,
    /// Belongs to the installation instead of the organisation.
    pub installation: bool,
    pub provider: Provider,
    /// Whether reports are verified with a secret besides that in the address.
    pub has_secret: bool,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    /// When the last report was taken.
    pub last_at: Option<DateTime<Utc>>,
    /// Since when reports come to nothing: their signature does not hold, or their form is unknown; null: the last one was taken.
    pub refused_since: Option<DateTime<Utc>>,
    /// Why the last one came to nothing.
    pub refusal: Option<String>,
}

/// A source with its address, which is shown only once.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = MailBounceSourceWithUrl)]
pub struct SourceWithUrl {
    #[serde(flatten)]
    pub source: Source,
    /// Address that the provider posts to.
    pub url: String,
}

/// The mailbox that bounces come to, and how reading it goes.
#[derive(Clone, Debug)]
pub struct MailboxState {
    /// `host:port`
    pub server: String,
    pub user: String,
    /// When it was last read to its end.
    pub read_at: Option<DateTime<Utc>>,
    /// `None` while it can be read.
    pub failing_since: Option<DateTime<Utc>>,
    pub error: Option<String>,
}
