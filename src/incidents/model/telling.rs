//! Who is told of what, when and how: channels, rules, rotas.

use chrono::{DateTime, NaiveDateTime, NaiveTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{CauseSource, IncidentId, Severity};
use platform::{id_type, ids::UserId, text_enum};
use uptime::{GroupId, ManagedBy, MonitorId};

id_type!(ChannelId, "Where people are told.");
id_type!(RuleId, "Who is told of what.");
id_type!(RotaId, "Who is on call when.");
id_type!(OverrideId, "Somebody stands in on a rota.");
id_type!(ToldId, "A message that was decided on.");

text_enum! {
    /// Form of a channel.
    #[schema(as = IncidentChannelKind)]
    pub enum ChannelKind {
        Mail = "mail",
        /// Signed, as Standard Webhooks.
        Webhook = "webhook",
        Slack = "slack",
        Mattermost = "mattermost",
        Discord = "discord",
        Teams = "teams",
        Telegram = "telegram",
    }
}

text_enum! {
    /// Why nothing is sent to a channel.
    #[schema(as = IncidentChannelDisabledReason)]
    pub enum DisabledReason {
        ByHand = "by_hand",
        /// It answered that it does not exist any more.
        Gone = "gone",
    }
}

/// A channel. Its secrets are never shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = IncidentChannel)]
pub struct Channel {
    pub id: ChannelId,
    /// Belongs to the installation instead of the organisation.
    pub installation: bool,
    pub key: String,
    pub name: String,
    pub kind: ChannelKind,
    pub settings: ChannelSettings,
    /// The last four characters of its address or token; null: it has none.
    pub ends_with: Option<String>,
    /// `en` or `ru`
    pub language: String,
    /// Time zone, such as `Europe/Berlin`.
    pub zone: String,
    pub disabled_at: Option<DateTime<Utc>>,
    pub disabled_reason: Option<DisabledReason>,
    pub managed_by: Option<ManagedBy>,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// What is not secret of a channel; which fields it has depends on its kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = IncidentChannelSettings)]
pub struct ChannelSettings {
    /// Of `mail`: addresses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// Of `telegram`: id of the chat, or `@name` of a public one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat: Option<String>,
    /// Of `telegram`: topic of the chat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<i64>,
}

/// Who is told of what.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = IncidentRule)]
pub struct Rule {
    pub id: RuleId,
    /// Belongs to the installation instead of the organisation.
    pub installation: bool,
    pub key: String,
    pub name: String,
    /// The first that matches is taken.
    pub position: i32,
    pub matches: Matches,
    /// Of the escalation.
    pub steps: Vec<Step>,
    /// It must have been down for this long.
    pub after_seconds: i32,
    /// What comes within this time is one message.
    pub group_wait_ms: i32,
    /// A further message about what joined comes after this time at the earliest.
    pub group_interval_seconds: i32,
    /// So many changes within `flap_minutes` are flapping.
    pub flap_changes: i32,
    pub flap_minutes: i32,
    pub quiet: Vec<Quiet>,
    /// The next rule that matches is taken, too.
    pub proceed: bool,
    pub disabled: bool,
    pub managed_by: Option<ManagedBy>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl Rule {
    /// With nothing but defaults.
    pub fn blank(id: RuleId, installation: bool, key: &str, now: DateTime<Utc>) -> Self {
        Self {
            id,
            installation,
            key: key.to_owned(),
            name: String::new(),
            position: 100,
            matches: Matches::default(),
            steps: Vec::new(),
            after_seconds: 0,
            group_wait_ms: 2000,
            group_interval_seconds: 300,
            flap_changes: 6,
            flap_minutes: 30,
            quiet: Vec::new(),
            proceed: false,
            disabled: false,
            managed_by: None,
            created_at: now,
            updated_at: now,
        }
    }

    /// Whether there are hours in which not even critical ones are told.
    pub fn holds_critical(&self) -> bool {
        self.quiet.iter().any(|quiet| quiet.least.is_none())
    }
}

/// What a rule is for: any of each list; an empty list is all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = IncidentRuleMatches)]
pub struct Matches {
    pub groups: Vec<GroupId>,
    pub monitors: Vec<MonitorId>,
    pub tags: Vec<String>,
    pub severities: Vec<Severity>,
    /// Empty: monitors and alerts. Certificates and domains that end soon open an incident only where a rule names `ending`.
    pub sources: Vec<CauseSource>,
}

/// A step of the escalation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = IncidentRuleStep)]
pub struct Step {
    /// After the opening, if nobody has acknowledged by then.
    pub after_seconds: i32,
    #[serde(default)]
    pub channels: Vec<ChannelId>,
    /// Whoever is on call then.
    #[serde(default)]
    pub rota: Option<RotaId>,
    /// Reminders while nobody has acknowledged; null: none.
    #[serde(default)]
    pub repeat_seconds: Option<i32>,
}

text_enum! {
    #[derive(PartialOrd, Ord)]
    pub enum Weekday {
        Monday = "mon",
        Tuesday = "tue",
        Wednesday = "wed",
        Thursday = "thu",
        Friday = "fri",
        Saturday = "sat",
        Sunday = "sun",
    }
}

/// Hours in which less urgent messages wait. `until` before `from` is on the next day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = IncidentQuietHours)]
pub struct Quiet {
    /// Days on which they begin; empty: each day.
    #[serde(default)]
    pub days: Vec<Weekday>,
    #[schema(value_type = String)]
    pub from: NaiveTime,
    #[schema(value_type = String)]
    pub until: NaiveTime,
    /// Time zone, such as `Europe/Berlin`.
    pub zone: String,
    /// The least severity that is told nevertheless; null: none, not even critical.
    pub least: Option<Severity>,
}

/// Who is on call when.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = IncidentRota)]
pub struct Rota {
    pub id: RotaId,
    /// Belongs to the installation instead of the organisation.
    pub installation: bool,
    pub key: String,
    pub name: String,
    /// Time zone of its layers.
    pub zone: String,
    /// Of two that cover a moment the later one has it.
    pub layers: Vec<Layer>,
    pub managed_by: Option<ManagedBy>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// People who take turns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = IncidentRotaLayer)]
pub struct Layer {
    /// In their order.
    pub people: Vec<UserId>,
    /// When the first turn begins, in the rota's zone; its time of day is that of every handover.
    #[schema(value_type = String)]
    pub starts: NaiveDateTime,
    pub turn: Turn,
    /// Only in these hours; empty: always.
    #[serde(default)]
    pub hours: Vec<OnHours>,
}

/// Hours that a layer covers. `until` before `from` is on the next day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = IncidentRotaHours)]
pub struct OnHours {
    /// Empty: each day.
    #[serde(default)]
    pub days: Vec<Weekday>,
    #[schema(value_type = String)]
    pub from: NaiveTime,
    #[schema(value_type = String)]
    pub until: NaiveTime,
}

/// How long a turn is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = IncidentRotaTurn)]
pub enum Turn {
    Day,
    Week,
    /// So many hours, whatever the clocks do.
    Hours(u16),
}

/// Somebody stands in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = IncidentRotaOverride)]
pub struct Override {
    pub id: OverrideId,
    pub rota_id: RotaId,
    pub user_id: UserId,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
}

text_enum! {
    /// What a message is about.
    #[schema(as = IncidentMessageKind)]
    pub enum What {
        Opened = "opened",
        /// More joined.
        Grown = "grown",
        /// Nobody has acknowledged.
        Reminder = "reminder",
        Escalated = "escalated",
        Flapping = "flapping",
        Updated = "updated",
        Resolved = "resolved",
        /// Sent by hand, to try a channel.
        Test = "test",
    }
}

text_enum! {
    /// Why a message was not sent, or not yet.
    #[schema(as = IncidentHeldReason)]
    pub enum Held {
        /// Quiet hours: told when they end, if it is true then.
        Quiet = "quiet",
        Flapping = "flapping",
        /// Part of the next message.
        Grouped = "grouped",
        /// The channel is disabled.
        Disabled = "disabled",
        /// The person has no address.
        NoAddress = "no_address",
        /// It would be a mail, and no server is configured.
        NoMail = "no_mail",
        /// It could not be written: the log of the process says why.
        Failed = "failed",
    }
}

/// A message that was decided on.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = IncidentTold)]
pub struct Told {
    pub id: ToldId,
    /// Null: a test.
    pub incident_id: Option<IncidentId>,
    pub rule_id: Option<RuleId>,
    pub channel_id: Option<ChannelId>,
    pub user_id: Option<UserId>,
    pub what: What,
    /// The mail or the delivery; null: it was held back.
    pub delivery_id: Option<Uuid>,
    pub held: Option<Held>,
    pub created_at: DateTime<Utc>,
}
