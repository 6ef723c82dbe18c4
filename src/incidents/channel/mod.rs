//! The form in which each kind of channel wants its messages, and what its answers mean. Pure.

mod discord;
mod judge;
mod limits;
mod mattermost;
mod slack;
mod teams;
mod telegram;
#[cfg(test)]
mod tests;
mod words;

use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    message::Message,
    model::{ChannelKind, ChannelSettings},
};
use platform::error::FieldError;
use webhooks::{Judge, SigningKey, by_status};

pub use judge::migrated;
pub use words::Words;

/// Prefix of the names under which room webhooks knows channels.
pub const PREFIX: &str = "incidents.";
/// An endpoint that was away gets everything so soon after it is back.
pub const LONGEST_WAIT: Duration = Duration::from_mins(5);
/// A message is given up after this long.
pub const GIVE_UP_HOURS: u32 = 72;

/// What is secret of a channel: sealed with the master key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Secrets {
    /// Of all but mail and Telegram.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub url: String,
    /// Of Telegram: the bot's.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub token: String,
    /// Of `webhook`: `whsec_...`, with which messages are signed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub secret: String,
}

impl Secrets {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The last four characters by which people know an address or a token; `None`: it is too short to show any of it.
    pub fn ends_with(&self) -> Option<String> {
        let secret = if self.token.is_empty() { &self.url } else { &self.token };
        let length = secret.chars().count();
        (length >= 16).then(|| secret.chars().skip(length - 4).collect())
    }
}

/// The address that messages are posted to. Telegram's chat is in it, not in the body: what waits goes to the new one when a chat gets another id.
pub fn address(kind: ChannelKind, settings: &ChannelSettings, secrets: &Secrets, telegram_url: &str) -> SecretString {
    if kind != ChannelKind::Telegram {
        return secrets.url.clone().into();
    }
    let base = telegram_url.trim_end_matches('/');
    // A number, or `@` and letters: the only sign to be encoded is that.
    let chat = settings.chat.as_deref().unwrap_or_default().replace('@', "%40");
    format!("{base}/bot{}/sendMessage?chat_id={chat}", secrets.token).into()
}

/// The body of a message; `None`: this kind of channel has another way.
pub fn body(kind: ChannelKind, message: &Message, words: &Words, settings: &ChannelSettings) -> Option<Value> {
    match kind {
        ChannelKind::Mail | ChannelKind::Webhook => None,
        ChannelKind::Slack => Some(slack::body(message, words)),
        ChannelKind::Mattermost => Some(mattermost::body(message, words)),
        ChannelKind::Discord => Some(discord::body(message, words)),
        ChannelKind::Teams => Some(teams::body(message, words)),
        ChannelKind::Telegram => Some(telegram::body(message, words, settings)),
    }
}

/// Who reads the answers.
pub fn judge(kind: ChannelKind) -> Judge {
    match kind {
        ChannelKind::Mail | ChannelKind::Webhook => by_status,
        ChannelKind::Slack => judge::slack,
        ChannelKind::Mattermost => judge::mattermost,
        ChannelKind::Discord => judge::discord,
        ChannelKind::Teams => judge::teams,
        ChannelKind::Telegram => judge::telegram,
    }
}

/// Least time from one message to the next, as the services ask for.
pub fn gap(kind: ChannelKind) -> Duration {
    match kind {
        ChannelKind::Mail | ChannelKind::Webhook | ChannelKind::Mattermost => Duration::ZERO,
        // Slack: one a second. Telegram: one a second for a chat; in groups it says so with 429.
        ChannelKind::Slack | ChannelKind::Telegram => Duration::from_secs(1),
        // Discord: five in two seconds.
        ChannelKind::Discord => Duration::from_millis(400),
        // Teams: four a second.
        ChannelKind::Teams => Duration::from_millis(250),
    }
}

/// What is wrong with a channel's settings and secrets. `is_new`: without secrets it keeps those that it has.
pub fn check(kind: ChannelKind, settings: &ChannelSettings, secrets: &Secrets, is_new: bool) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut wrong = |pointer: &str, code, text: &str| errors.push(FieldError::new(pointer, code, text));
    let has_url = !matches!(kind, ChannelKind::Mail | ChannelKind::Telegram);
    if kind != ChannelKind::Mail && !settings.to.is_empty() {
        wrong("/settings/to", "invalid", "only a channel of kind mail has addresses");
    }
    if settings.to.len() > 20 {
        wrong("/settings/to", "too_many", "at most 20 addresses");
    }
    for address in &settings.to {
        if mail::Address::parse(address).is_err() {
            wrong("/settings/to", "invalid", "one of the addresses is no mail address");
        }
    }
    if kind == ChannelKind::Telegram {
        if settings.chat.as_deref().is_none_or(|chat| !is_chat(chat)) {
            wrong(
                "/settings/chat",
                "invalid",
                "a channel of kind telegram has a chat: its number, or @name of a public one",
            );
        }
    } else if settings.chat.is_some() || settings.topic.is_some() {
        wrong("/settings/chat", "invalid", "only a channel of kind telegram has a chat and a topic");
    }
    let keeps = !is_new && secrets.is_empty();
    if has_url && secrets.url.is_empty() && !keeps {
        wrong("/url", "required", "this kind of channel has an address");
    }
    if !has_url && !secrets.url.is_empty() {
        wrong("/url", "invalid", "this kind of channel has no address");
    }
    if secrets.url.len() > 2000 {
        wrong("/url", "too_long", "at most 2000 characters");
    }
    if kind == ChannelKind::Telegram && secrets.token.is_empty() && !keeps {
        wrong("/token", "required", "a channel of kind telegram has the token of a bot");
    } else if kind != ChannelKind::Telegram && !secrets.token.is_empty() {
        wrong("/token", "invalid", "only a channel of kind telegram has a token");
    } else if !secrets.token.is_empty() && !is_token(&secrets.token) {
        wrong("/token", "invalid", "expected the token of a bot, such as 123456:ABC-DEF");
    }
    if kind != ChannelKind::Webhook && !secrets.secret.is_empty() {
        wrong("/secret", "invalid", "only a channel of kind webhook is signed");
    }
    if !secrets.secret.is_empty() && SigningKey::parse(&secrets.secret.clone().into()).is_err() {
        wrong("/secret", "invalid", "expected whsec_ and 24 to 64 bytes in base64");
    }
    errors
}

fn is_chat(chat: &str) -> bool {
    let name =
        |name: &str| (5..=64).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    chat.strip_prefix('@').map_or_else(|| chat.parse::<i64>().is_ok(), name)
}

/// It stands in the path of an address: nothing else may be in it.
fn is_token(token: &str) -> bool {
    let rest = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    token.len() <= 200
        && token.split_once(':').is_some_and(|(id, secret)| {
            !id.is_empty() && id.chars().all(|c| c.is_ascii_digit()) && !secret.is_empty() && secret.chars().all(rest)
        })
}
