//! `components`, `channels`, `rotas` and `rules` as the file writes them. Secrets are never in it: `*_file` names a file, `*_env` a variable.

use std::{collections::BTreeMap, path::PathBuf};

use chrono::{Datelike as _, NaiveDate, NaiveDateTime, NaiveTime};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use toml::value::Datetime;

use crate::{
    channel::Secrets,
    model::{ChannelKind, ChannelSettings, ComponentStatus, OnHours, Quiet, Severity, Turn, Weekday},
};
use platform::{config::secret, text_file};

/// `[components.<key>]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComponentEntry {
    pub name: String,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub announce: bool,
    /// Key of a monitor, and what its outage makes of the component.
    #[serde(default)]
    pub monitors: BTreeMap<String, ComponentStatus>,
}

/// `[channels.<key>]`: one of the kinds.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChannelEntry {
    /// Left out: the key.
    pub name: Option<String>,
    pub language: Option<String>,
    pub zone: Option<String>,
    pub mail: Option<MailEntry>,
    pub webhook: Option<UrlEntry>,
    pub slack: Option<UrlEntry>,
    pub mattermost: Option<UrlEntry>,
    pub discord: Option<UrlEntry>,
    pub teams: Option<UrlEntry>,
    pub telegram: Option<TelegramEntry>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MailEntry {
    pub to: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UrlEntry {
    /// Of `webhook` only: an address of a chat is a secret as a whole.
    pub url: Option<String>,
    pub url_file: Option<PathBuf>,
    pub url_env: Option<String>,
    pub secret_file: Option<PathBuf>,
    pub secret_env: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelegramEntry {
    pub token_file: Option<PathBuf>,
    pub token_env: Option<String>,
    pub chat: String,
    pub topic: Option<i64>,
}

/// `[rotas.<key>]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotaEntry {
    pub name: Option<String>,
    pub zone: String,
    pub layers: Vec<LayerEntry>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerEntry {
    /// Their mail addresses, in the order of their turns.
    pub people: Vec<String>,
    pub turn: TurnEntry,
    /// `Mon 09:00`, or `09:00` for turns of a day.
    #[serde(default)]
    pub handover: String,
    /// The day from which it counts.
    pub starts: Datetime,
    #[serde(default)]
    pub hours: Vec<HoursEntry>,
}

/// `day`, `week`, or so many hours.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum TurnEntry {
    Hours(u16),
    Named(String),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoursEntry {
    #[serde(default)]
    pub days: Vec<String>,
    pub from: String,
    pub until: String,
}

/// `[[rules]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleEntry {
    pub key: String,
    pub name: Option<String>,
    #[serde(default)]
    pub groups: Vec<String>,
    #[serde(default)]
    pub monitors: Vec<String>,
    #[serde(default)]
    pub tags: Vec<String>,
    #[serde(default)]
    pub severities: Vec<Severity>,
    #[serde(default)]
    pub sources: Vec<crate::model::CauseSource>,
    pub steps: Vec<StepEntry>,
    #[serde(default)]
    pub after: Option<String>,
    #[serde(default)]
    pub group_wait: Option<String>,
    #[serde(default)]
    pub group_interval: Option<String>,
    #[serde(default)]
    pub flap_changes: Option<i32>,
    #[serde(default)]
    pub flap_minutes: Option<i32>,
    #[serde(default)]
    pub quiet: Vec<QuietEntry>,
    #[serde(default)]
    pub proceed: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepEntry {
    #[serde(default)]
    pub after: Option<String>,
    #[serde(default)]
    pub channels: Vec<String>,
    #[serde(default)]
    pub rota: Option<String>,
    #[serde(default)]
    pub repeat: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuietEntry {
    #[serde(default)]
    pub days: Vec<String>,
    pub from: String,
    pub until: String,
    pub zone: String,
    /// `never`: not even critical ones are told.
    pub least: String,
}

/// A duration such as `500ms`, `30s`, `5m`, `1h`, `1d`, in milliseconds.
pub fn millis(text: &str) -> Result<i32, String> {
    let wrong = || format!("{text:?} is no duration such as 500ms, 30s, 5m, 1h or 1d");
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let number: i32 = text.get(..digits).unwrap_or_default().parse().map_err(|_| wrong())?;
    let unit = match text.get(digits..).unwrap_or_default() {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    number.checked_mul(unit).ok_or_else(wrong)
}

pub fn seconds(text: &str) -> Result<i32, String> {
    millis(text).map(|millis| millis / 1000)
}

pub fn days(names: &[String]) -> Result<Vec<Weekday>, String> {
    names.iter().map(|name| name.to_lowercase().parse()).collect()
}

pub fn time(text: &str) -> Result<NaiveTime, String> {
    NaiveTime::parse_from_str(text, "%H:%M").map_err(|_| format!("{text:?} is no time of day such as 09:00"))
}

impl QuietEntry {
    pub fn read(&self) -> Result<Quiet, String> {
        let least = match self.least.as_str() {
            "never" => None,
            least => Some(least.parse()?),
        };
        Ok(Quiet {
            days: days(&self.days)?,
            from: time(&self.from)?,
            until: time(&self.until)?,
            zone: self.zone.clone(),
            least,
        })
    }
}

impl HoursEntry {
    pub fn read(&self) -> Result<OnHours, String> {
        Ok(OnHours { days: days(&self.days)?, from: time(&self.from)?, until: time(&self.until)? })
    }
}

impl LayerEntry {
    pub fn turn(&self) -> Result<Turn, String> {
        match &self.turn {
            TurnEntry::Hours(hours) => Ok(Turn::Hours(*hours)),
            TurnEntry::Named(name) if name == "day" => Ok(Turn::Day),
            TurnEntry::Named(name) if name == "week" => Ok(Turn::Week),
            TurnEntry::Named(name) => Err(format!("{name:?} is no turn: day, week, or a number of hours")),
        }
    }

    /// The first handover on or after the day.
    pub fn first(&self) -> Result<NaiveDateTime, String> {
        let date = self.starts.date.ok_or_else(|| "`starts` has a day, such as 2026-12-07".to_owned())?;
        let day = NaiveDate::from_ymd_opt(i32::from(date.year), u32::from(date.month), u32::from(date.day));
        let mut day = day.ok_or_else(|| format!("{date} is no day"))?;
        if self.handover.is_empty() {
            return Ok(day.and_time(NaiveTime::MIN));
        }
        let (name, at) = self.handover.rsplit_once(' ').unwrap_or(("", &self.handover));
        let at = time(at)?;
        if !name.is_empty() {
            let wanted: chrono::Weekday =
                name.parse().map_err(|_| format!("{:?} is no handover such as Mon 09:00", self.handover))?;
            while day.weekday() != wanted {
                day = day.succ_opt().unwrap_or(day);
            }
        }
        Ok(day.and_time(at))
    }
}

impl ChannelEntry {
    /// Kind, settings and secrets.
    pub fn read(&self) -> Result<(ChannelKind, ChannelSettings, Secrets), String> {
        let urls = [
            (ChannelKind::Webhook, &self.webhook),
            (ChannelKind::Slack, &self.slack),
            (ChannelKind::Mattermost, &self.mattermost),
            (ChannelKind::Discord, &self.discord),
            (ChannelKind::Teams, &self.teams),
        ];
        let count = urls.iter().filter(|(_, entry)| entry.is_some()).count()
            + usize::from(self.mail.is_some())
            + usize::from(self.telegram.is_some());
        if count != 1 {
            return Err(
                "a channel has exactly one of mail, webhook, slack, mattermost, discord, teams, telegram".to_owned()
            );
        }
        if let Some(mail) = &self.mail {
            let settings = ChannelSettings { to: mail.to.clone(), ..ChannelSettings::default() };
            return Ok((ChannelKind::Mail, settings, Secrets::default()));
        }
        if let Some(telegram) = &self.telegram {
            let token = hidden("token", telegram.token_file.as_ref(), telegram.token_env.as_deref())?;
            let settings = ChannelSettings { chat: Some(telegram.chat.clone()), topic: telegram.topic, to: Vec::new() };
            return Ok((ChannelKind::Telegram, settings, Secrets { token, ..Secrets::default() }));
        }
        let found = urls.into_iter().find_map(|(kind, entry)| Some((kind, entry.as_ref()?)));
        let (kind, entry) = found.ok_or_else(|| "a channel has a kind".to_owned())?;
        let url = match &entry.url {
            Some(url) if kind == ChannelKind::Webhook => url.clone(),
            Some(_) => return Err("the address of a chat is a secret: write url_file or url_env".to_owned()),
            None => hidden("url", entry.url_file.as_ref(), entry.url_env.as_deref())?,
        };
        let secret = if kind == ChannelKind::Webhook {
            hidden("secret", entry.secret_file.as_ref(), entry.secret_env.as_deref())?
        } else {
            String::new()
        };
        Ok((kind, ChannelSettings::default(), Secrets { url, secret, ..Secrets::default() }))
    }
}

/// A secret that the file names.
fn hidden(name: &str, file: Option<&PathBuf>, variable: Option<&str>) -> Result<String, String> {
    match (file, variable) {
        (Some(file), None) => {
            let text = text_file::read(file).map_err(|error| format!("{name}_file: {error:#}"))?;
            Ok(text.trim().to_owned())
        }
        (None, Some(variable)) => secret::variable(variable)
            .map(|value| value.expose_secret().trim().to_owned())
            .ok_or_else(|| format!("{name}_env: the variable {variable} is not set")),
        (Some(_), Some(_)) => Err(format!("{name}_file and {name}_env exclude each other")),
        (None, None) => Err(format!("needs {name}_file or {name}_env: secrets are never in this file")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_handover_is_on_its_weekday() {
        let layer: LayerEntry =
            toml::from_str("people = ['a@b.example']\nturn = 'week'\nhandover = 'Mon 09:00'\nstarts = 2026-12-09")
                .unwrap();
        assert_eq!(layer.first().unwrap().to_string(), "2026-12-14 09:00:00");
        assert_eq!(layer.turn(), Ok(Turn::Week));
        let hours: LayerEntry = toml::from_str("people = ['a@b.example']\nturn = 12\nstarts = 2026-12-09").unwrap();
        assert_eq!(hours.first().unwrap().to_string(), "2026-12-09 00:00:00");
        assert_eq!(hours.turn(), Ok(Turn::Hours(12)));
    }

    #[test]
    fn quiet_hours_and_durations_are_read() {
        let quiet: QuietEntry = toml::from_str(
            "days = ['Sat', 'Sun']\nfrom = '22:00'\nuntil = '07:00'\nzone = 'Europe/Berlin'\nleast = 'critical'",
        )
        .unwrap();
        let read = quiet.read().unwrap();
        assert_eq!((read.days, read.least), (vec![Weekday::Saturday, Weekday::Sunday], Some(Severity::Critical)));
        assert_eq!((millis("500ms"), seconds("5m"), seconds("1d")), (Ok(500), Ok(300), Ok(86_400)));
        assert!(millis("5").is_err() && millis("m").is_err() && millis("99999999d").is_err());
    }

    #[test]
    fn a_channel_has_one_kind_and_its_secrets_elsewhere() {
        let read = |text: &str| toml::from_str::<ChannelEntry>(text).unwrap().read();
        assert_eq!(read("mail = { to = ['ops@example.com'] }").unwrap().0, ChannelKind::Mail);
        assert!(read("slack = { url = 'https://hooks.slack.com/x' }").unwrap_err().contains("url_file"));
        assert!(read("mail = {}\nslack = { url_file = '/x' }").unwrap_err().contains("exactly one"));
        assert!(read("").unwrap_err().contains("exactly one"));
    }
}
