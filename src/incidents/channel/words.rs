//! The words of messages, in a channel's language and zone.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;

use crate::{
    message::Message,
    model::{Severity, What},
};
use console::{Lang, Texts};

/// Language and zone of a channel.
#[derive(Clone)]
pub struct Words {
    pub texts: Arc<Texts>,
    pub lang: Lang,
    pub zone: Tz,
}

impl Words {
    pub fn new(texts: Arc<Texts>, language: &str, zone: &str) -> Self {
        let lang = Lang::from_code(language).unwrap_or(Lang::En);
        Self { texts, lang, zone: zone.parse().unwrap_or(Tz::UTC) }
    }

    pub fn text(&self, key: &str) -> String {
        self.texts.text(self.lang, key).to_string()
    }

    /// `Opened: Shop is down`
    pub fn title(&self, message: &Message) -> String {
        format!("{}: {}", self.kind(message.kind), message.name)
    }

    pub fn kind(&self, kind: What) -> String {
        self.text(&format!("incidents-what-{}", kind.as_str()))
    }

    pub fn severity(&self, severity: Severity) -> String {
        self.text(&format!("incidents-severity-{}", severity.as_str()))
    }

    /// `2026-12-01 13:05 CET`
    pub fn time(&self, at: DateTime<Utc>) -> String {
        at.with_timezone(&self.zone).format("%Y-%m-%d %H:%M %Z").to_string()
    }

    /// As templates of mails take times: with the name of a zone behind it they are shown as they are there (RFC 9557).
    pub fn mail_time(&self, at: DateTime<Utc>) -> String {
        if self.zone == Tz::UTC {
            return at.to_rfc3339_opts(SecondsFormat::Secs, true);
        }
        let there = at.with_timezone(&self.zone).to_rfc3339_opts(SecondsFormat::Secs, false);
        format!("{there}[{}]", self.zone.name())
    }

    /// `and 480 more`; empty: nothing was left out.
    pub fn more(&self, more: usize) -> String {
        if more == 0 {
            return String::new();
        }
        self.texts.text(self.lang, "incidents-and-more").with("count", more).to_string()
    }

    /// What a message says besides its title and its list: name and value.
    pub fn facts(&self, message: &Message) -> Vec<(String, String)> {
        let mut facts = vec![
            (self.text("incidents-severity"), self.severity(message.severity)),
            (self.text("incidents-began"), self.time(message.started_at)),
        ];
        if let Some(ended_at) = message.ended_at {
            facts.push((self.text("incidents-ended"), self.time(ended_at)));
        }
        if !message.components.is_empty() {
            facts.push((self.text("incidents-affected"), message.components.join(", ")));
        }
        if message.late {
            facts.push((self.text("incidents-note"), self.text("incidents-late")));
        }
        facts
    }
}

/// Colour by which chats mark a message.
pub fn color(message: &Message) -> u32 {
    match (message.is_over(), message.severity) {
        (true, _) => u32::from_be_bytes([0, 0x2e, 0x7d, 0x32]),
        (false, Severity::Critical) => u32::from_be_bytes([0, 0xc6, 0x28, 0x28]),
        (false, Severity::Warning) => u32::from_be_bytes([0, 0xef, 0x6c, 0x00]),
        (false, Severity::Info) => u32::from_be_bytes([0, 0x15, 0x65, 0xc0]),
    }
}

/// The list of what is wrong, each line made by `line`, as long as it fits; with the count of the others.
pub fn listed(
    message: &Message,
    words: &Words,
    most: usize,
    length: impl Fn(&str) -> usize,
    line: impl Fn(&str, &str) -> String,
) -> String {
    let (mut text, mut shown) = (String::new(), 0);
    // Room for the count of the others.
    let most = most.saturating_sub(60);
    for monitor in &message.monitors {
        let entry = line(&monitor.name, &monitor.error);
        if length(&text) + length(&entry) + 1 > most {
            break;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&entry);
        shown += 1;
    }
    let rest = words.more(message.more + message.monitors.len() - shown);
    if !rest.is_empty() {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&rest);
    }
    text
}
