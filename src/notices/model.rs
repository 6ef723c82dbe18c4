//! What notices are made of.

use chrono::{DateTime, Utc};
use serde::{Deserialize, de::DeserializeOwned};

use super::NoticesError;
use alerting::AlertId;
use backup::BackupId;
use events::{EventId, Occurred};
use mail::Address;
use platform::{ids::UserId, label_enum, names::turns_direction};
use webhooks::EndpointId;

/// Longest name of an alert, and longest summary in a list, characters.
pub const LONGEST_NAME: usize = 200;
pub const LONGEST_SUMMARY: usize = 500;
/// Longest text of a mail about one alert or one backup, characters.
pub const LONGEST_TEXT: usize = 5000;

label_enum! {
    /// A kind of notice.
    pub enum NoticeKind {
        Welcome = "welcome",
        Alert = "alert",
        Digest = "digest",
        BackupReport = "backup_report",
        WeeklyReport = "weekly_report",
    }
}

impl NoticeKind {
    /// The kind of its mail, which is also the name of its template.
    pub fn of_mail(self) -> &'static mail::Kind {
        match self {
            Self::Welcome => &mail::kinds::WELCOME,
            Self::Alert => &mail::kinds::ALERT,
            Self::Digest => &mail::kinds::DIGEST,
            Self::BackupReport => &mail::kinds::BACKUP_REPORT,
            Self::WeeklyReport => &mail::kinds::WEEKLY_REPORT,
        }
    }
}

label_enum! {
    /// Why a notice was not made.
    pub enum Unmade {
        /// Nobody who is to be told has an address that mail can be sent to.
        NoRecipient = "no_recipient",
        /// One of several recipients has no such address.
        BadAddress = "bad_address",
        /// No mail server or sender is configured.
        MailOff = "mail_off",
        /// What it is about does not exist any more.
        Gone = "gone",
    }
}

/// Of `auth.member.added`.
#[derive(Debug, Deserialize)]
pub struct AboutMember {
    pub user_id: UserId,
}

/// Of `backup.backup.*`.
#[derive(Debug, Deserialize)]
pub struct AboutBackup {
    pub backup_id: BackupId,
}

/// Of `alerting.alert.*`.
#[derive(Debug, Deserialize)]
pub struct AboutAlert {
    pub alert_id: AlertId,
}

/// Of `webhooks.endpoint.disabled`.
#[derive(Debug, Deserialize)]
pub struct AboutEndpoint {
    pub endpoint_id: EndpointId,
    /// `failing` or `gone`
    pub reason: String,
}

/// What the event is about.
pub fn about<T: DeserializeOwned>(event: &Occurred) -> Result<T, NoticesError> {
    serde_json::from_value(event.payload.clone())
        .map_err(|error| NoticesError::Unreadable(event.id.to_string(), error.to_string()))
}

/// An alert that began or ended and waits for the next digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub event_id: EventId,
    pub alert_id: AlertId,
    /// `firing` or `resolved`
    pub state: String,
    pub name: String,
    pub severity: String,
    pub summary: String,
    /// When it began or ended.
    pub at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
}

/// Who is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipients {
    /// In the order of their domains: mail locks the lane of each, and two transactions must do so in the same order.
    pub addresses: Vec<Address>,
    /// People whose address cannot be sent to.
    pub unusable: u64,
}

impl Recipients {
    /// From names and addresses.
    pub fn of<'a>(people: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut found = Self::default();
        for (name, email) in people {
            match Address::new(name, email).or_else(|_| Address::new("", email)) {
                Ok(address) if has_mailbox(&address) => found.addresses.push(address),
                _ => found.unusable += 1,
            }
        }
        found.addresses.sort_by_key(|address| (address.domain().to_owned(), address.key()));
        found.addresses.dedup_by_key(|address| address.key());
        found
    }
}

/// The first administrator is `admin@localhost` unless the settings say otherwise: nobody reads that mail.
fn has_mailbox(address: &Address) -> bool {
    let domain = address.domain();
    domain != "localhost" && !domain.ends_with(".localhost")
}

/// At most so many characters of a text that other programs wrote: a mail has a greatest size, and one long text must not cost the others.
pub fn short(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// The address of a runbook, as mail takes links; empty if it is none. Other people's rules write it.
pub fn link(text: &str) -> &str {
    let is_visible = |c: char| !c.is_control() && !c.is_whitespace() && !turns_direction(c);
    let is_link = (text.starts_with("https://") || text.starts_with("http://")) && text.chars().all(is_visible);
    if is_link { text } else { "" }
}
