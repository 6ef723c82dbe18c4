//! What notices are made of.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, de::DeserializeOwned};

use super::NoticesError;
use alerting::AlertId;
use auth::SessionId;
use backup::BackupId;
use console::Lang;
use events::{EventId, Occurred};
use mail::{Address, is_public_host};
use platform::{ids::UserId, label_enum, names::turns_direction};
use webhooks::EndpointId;

/// Longest name of an alert, and longest summary in a list, characters.
pub const LONGEST_NAME: usize = 200;
pub const LONGEST_SUMMARY: usize = 500;
/// Longest name of a person or an organisation in an invitation, characters.
const LONGEST_STRANGER: usize = 80;
/// Longest text of a mail about one alert or one backup, characters.
pub const LONGEST_TEXT: usize = 5000;

label_enum! {
    /// A kind of notice.
    pub enum NoticeKind {
        Welcome = "welcome",
        Invitation = "invitation",
        PasswordReset = "password_reset",
        NewDevice = "new_device",
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
            Self::Invitation => &mail::kinds::INVITATION,
            Self::PasswordReset => &mail::kinds::PASSWORD_RESET,
            Self::NewDevice => &mail::kinds::NEW_DEVICE,
            Self::Alert => &mail::kinds::ALERT,
            Self::Digest => &mail::kinds::DIGEST,
            Self::BackupReport => &mail::kinds::BACKUP_REPORT,
            Self::WeeklyReport => &mail::kinds::WEEKLY_REPORT,
        }
    }

    /// Whether it is written while no server is configured, to be sent when there is one. Of the others nobody has any use later, and in an
    /// installation without mail the outbox would never be empty. A link is passed on by its maker, who sees it.
    pub fn waits_for_a_server(self) -> bool {
        self == Self::Welcome
    }

    /// How long it is of use. A mail that waits for longer, because no server is configured or the server is away, is not sent any more: whoever
    /// switches mail on after months does not get the alerts of months.
    pub fn lives(self) -> TimeDelta {
        match self {
            Self::NewDevice | Self::Alert | Self::Digest | Self::BackupReport => TimeDelta::days(1),
            // Those with a link live as long as their link.
            Self::Welcome | Self::Invitation | Self::PasswordReset | Self::WeeklyReport => TimeDelta::days(7),
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
        /// No mail server is configured, and it would be of no use later.
        MailOff = "mail_off",
        /// What it is about does not exist any more.
        Gone = "gone",
        /// It happened so long ago that nobody needs it now.
        Late = "late",
        /// One like it was made a short while ago.
        Often = "often",
        /// The mailer does not take it.
        Refused = "refused",
    }
}

/// Of `auth.member.added`.
#[derive(Debug, Deserialize)]
pub struct AboutMember {
    pub user_id: UserId,
}

/// Of `auth.device.added`.
#[derive(Debug, Deserialize)]
pub struct AboutDevice {
    pub user_id: UserId,
    pub session_id: SessionId,
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
    /// Mailed within minutes instead of with the next digest.
    pub urgent: bool,
    pub created_at: DateTime<Utc>,
}

/// Alerts of one rule that began, or that ended: an entry of a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub state: String,
    pub name: String,
    pub severity: String,
    pub count: i64,
    /// When the first began or ended.
    pub at: DateTime<Utc>,
    /// Of the first.
    pub summary: String,
    pub alert_id: AlertId,
    /// When the first item of all groups was kept, and how many items all groups have, also those that were left out.
    pub since: DateTime<Utc>,
    pub of_all: i64,
}

/// How many notices of a name were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    pub since: DateTime<Utc>,
    pub count: i32,
}

/// Who is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipients {
    /// In the order of their domains: mail locks the lane of each, and two transactions must do so in the same order.
    pub addresses: Vec<Address>,
    /// People whose address cannot be sent to.
    pub unusable: u64,
    /// The languages that are known, by [`Address::key`].
    pub languages: HashMap<String, Lang>,
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

/// Names for documents and tests (RFC 6761, RFC 2606).
const FOR_EXAMPLES: [&str; 2] = [".test", ".example"];

/// Whether mail to it can arrive. Installers put in a first administrator such as `admin@localhost` or `admin@holdfast.local`: nobody reads that mail,
/// and a relay takes it all the same.
fn has_mailbox(address: &Address) -> bool {
    let domain = address.domain();
    is_public_host(domain) && !FOR_EXAMPLES.iter().any(|end| domain.ends_with(end))
}

/// At most so many characters of a text that other programs wrote: a mail has a greatest size, and one long text must not cost the others.
pub fn short(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// A name for a mail to somebody who may not know who wrote it: mail programs make links of what looks like an address.
pub fn unlinked(name: &str) -> String {
    let name = short(&name.replace("://", " "), LONGEST_STRANGER);
    let mut plain = String::with_capacity(name.len());
    let mut rest = name.chars().peekable();
    while let Some(c) = rest.next() {
        plain.push(c);
        if matches!(c, '.' | '@') && rest.peek().is_some_and(|next| next.is_alphanumeric()) {
            plain.push(' ');
        }
    }
    plain
}

/// The address of a runbook, as mail takes links; empty if it is none. Other people's rules write it.
pub fn link(text: &str) -> &str {
    let is_visible = |c: char| !c.is_control() && !c.is_whitespace() && !turns_direction(c);
    let is_link = (text.starts_with("https://") || text.starts_with("http://")) && text.chars().all(is_visible);
    if is_link { text } else { "" }
}
