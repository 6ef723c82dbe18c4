//! Alerts, as Alertmanager sends them and as they are stored.

use std::collections::BTreeMap;

use chrono::{DateTime, SubsecRound as _, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use platform::{crypto, error::FieldError, id_type, label_enum};
use webhooks::DeliveryId;

id_type!(AlertId, "An alert: one time that it fired.");

/// The alert that always fires.
pub const WATCHDOG: &str = "Watchdog";

/// Label names and values.
pub type Labels = BTreeMap<String, String>;

label_enum! {
    /// Severity, worst first.
    pub enum Severity { Critical = "critical", Warning = "warning", Info = "info", None = "none" }
}

impl Severity {
    /// Ignores case: other people's rules write `Critical` and `WARNING`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        Self::ALL.iter().copied().find(|severity| severity.as_str().eq_ignore_ascii_case(text))
    }

    /// From an alert's labels; unknown values count as `None`.
    fn of(labels: &Labels) -> Self {
        labels.get("severity").and_then(|text| Self::parse(text)).unwrap_or(Self::None)
    }

    /// Badge colour.
    pub fn tone(self) -> &'static str {
        match self {
            Self::Critical => "error",
            Self::Warning => "warn",
            Self::Info => "info",
            Self::None => "neutral",
        }
    }
}

impl Serialize for Severity {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}

label_enum! {
    /// Whether an alert is firing.
    pub enum Status { Firing = "firing", Resolved = "resolved" }
}

/// A notification in Alertmanager's webhook format version 4, with the fields used here: later versions may add fields.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Notification {
    /// `4`
    #[serde(deserialize_with = "text")]
    pub version: String,
    /// Alerts that did not fit into this notification (`max_alerts` of the receiver).
    #[serde(default, rename = "truncatedAlerts", deserialize_with = "or_default")]
    pub truncated_alerts: u64,
    /// Undecoded: one unreadable alert must not reject the others.
    #[schema(value_type = Vec<NotifiedAlert>)]
    pub alerts: Vec<Value>,
}

/// An alert in a notification.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotifiedAlert {
    #[schema(value_type = String)]
    pub status: NotifiedStatus,
    #[serde(default, deserialize_with = "texts")]
    pub labels: Labels,
    #[serde(default, deserialize_with = "texts")]
    pub annotations: Labels,
    /// Missing: the time of its first notification.
    #[serde(default, deserialize_with = "time")]
    pub starts_at: Option<DateTime<Utc>>,
    /// The year 1 while it fires.
    #[serde(default, deserialize_with = "time")]
    pub ends_at: Option<DateTime<Utc>>,
    #[serde(default, rename = "generatorURL", deserialize_with = "text")]
    pub generator_url: String,
    #[serde(default, deserialize_with = "text")]
    pub fingerprint: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotifiedStatus {
    Firing,
    Resolved,
}

impl<'de> Deserialize<'de> for NotifiedStatus {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let status = String::deserialize(d)?;
        match status.trim().to_ascii_lowercase().as_str() {
            "firing" => Ok(Self::Firing),
            "resolved" => Ok(Self::Resolved),
            _ => Err(serde::de::Error::custom(format!("status {status:?} is neither firing nor resolved"))),
        }
    }
}

/// A text for storage. Other people's templates may give numbers (kept as text) and `null` (empty).
fn plain(value: Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => clean(text),
        other => clean(other.to_string()),
    }
}

fn text<'de, D: Deserializer<'de>>(d: D) -> Result<String, D::Error> {
    Value::deserialize(d).map(plain)
}

fn texts<'de, D: Deserializer<'de>>(d: D) -> Result<Labels, D::Error> {
    let named = Option::<BTreeMap<String, Value>>::deserialize(d)?.unwrap_or_default();
    Ok(named.into_iter().map(|(name, value)| (clean(name), plain(value))).collect())
}

fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(d: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(d)?.unwrap_or_default())
}

/// An empty or missing time is `None`; an unreadable one is an error.
fn time<'de, D: Deserializer<'de>>(d: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let text = Option::<String>::deserialize(d)?.unwrap_or_default();
    if text.trim().is_empty() {
        return Ok(None);
    }
    text.trim().parse().map(Some).map_err(|e| serde::de::Error::custom(format!("{text:?} is not a time: {e}")))
}

/// PostgreSQL stores no NUL: one in a label would get the whole notification rejected, for ever.
fn clean(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

/// An alert from a notification, ready to be stored.
#[derive(Clone, Debug)]
pub struct Report {
    pub fingerprint: String,
    pub starts_at: DateTime<Utc>,
    /// `None` while it fires.
    pub ends_at: Option<DateTime<Utc>>,
    pub name: String,
    pub severity: Severity,
    pub labels: Labels,
    pub annotations: Labels,
    pub generator_url: String,
}

impl Notification {
    /// The readable alerts, and errors for the others.
    pub fn read(self) -> (Vec<NotifiedAlert>, Vec<FieldError>) {
        let (mut alerts, mut unreadable) = (Vec::new(), Vec::new());
        for (at, value) in self.alerts.into_iter().enumerate() {
            match serde_path_to_error::deserialize(value) {
                Ok(alert) => alerts.push(alert),
                Err(error) => {
                    let path = error.path().to_string().replace('.', "/");
                    let pointer = format!("/alerts/{at}/{path}");
                    let reason = error.inner().to_string();
                    unreadable.push(FieldError::new(pointer.trim_end_matches("/?"), "invalid_value", reason));
                }
            }
        }
        (alerts, unreadable)
    }
}

impl NotifiedAlert {
    pub fn is_watchdog(&self) -> bool {
        self.labels.get("alertname").is_some_and(|name| name == WATCHDOG)
    }

    /// `now` is the end of alerts resolved without an end time.
    pub fn report(self, now: DateTime<Utc>) -> Report {
        // To PostgreSQL's precision: Alertmanager sends nanoseconds, and the start is part of the key.
        let started = self.starts_at.filter(|start| *start > DateTime::UNIX_EPOCH).unwrap_or(now);
        let starts_at = started.trunc_subsecs(6);
        let said = self.ends_at.filter(|end| *end > DateTime::UNIX_EPOCH).map_or(now, |end| end.trunc_subsecs(6));
        let fingerprint = if self.fingerprint.is_empty() { fingerprint_of(&self.labels) } else { self.fingerprint };
        Report {
            fingerprint,
            starts_at,
            ends_at: (self.status == NotifiedStatus::Resolved).then(|| said.max(starts_at)),
            name: self.labels.get("alertname").cloned().unwrap_or_default(),
            severity: Severity::of(&self.labels),
            labels: self.labels,
            annotations: self.annotations,
            generator_url: self.generator_url,
        }
    }
}

/// For senders without fingerprints: any stable name for the label set will do.
fn fingerprint_of(labels: &Labels) -> String {
    let all: Vec<&str> = labels.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]).collect();
    crypto::sha256_hex(all.join("\u{ff}"))[..16].to_owned()
}

/// One report for each fingerprint and start, in a fixed order. Of two, the resolved one counts as the later.
pub fn distinct(reports: impl IntoIterator<Item = Report>) -> Vec<Report> {
    let mut kept: BTreeMap<(String, DateTime<Utc>), Report> = BTreeMap::new();
    for report in reports {
        let key = (report.fingerprint.clone(), report.starts_at);
        if kept.get(&key).is_none_or(|known| known.ends_at.is_none()) {
            kept.insert(key, report);
        }
    }
    kept.into_values().collect()
}

/// A stored alert.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Alert {
    pub id: AlertId,
    /// Alertmanager's hash of the labels.
    pub fingerprint: String,
    pub name: String,
    #[schema(value_type = String, example = "critical")]
    pub severity: Severity,
    pub starts_at: DateTime<Utc>,
    /// Null while it fires.
    pub ends_at: Option<DateTime<Utc>>,
    pub labels: Labels,
    pub annotations: Labels,
    /// Link to the expression in Prometheus.
    pub generator_url: String,
    /// Time of its first notification.
    pub received_at: DateTime<Utc>,
    /// Time of its latest notification.
    pub heard_at: DateTime<Utc>,
}

impl Alert {
    pub fn summary(&self) -> &str {
        self.annotation("summary")
    }

    pub fn annotation(&self, name: &str) -> &str {
        self.annotations.get(name).map_or("", String::as_str)
    }

    pub fn status(&self) -> Status {
        if self.ends_at.is_some() { Status::Resolved } else { Status::Firing }
    }
}

/// A delivery of an alert to a webhook.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Delivery {
    /// The `webhook-id` of every attempt.
    pub id: DeliveryId,
    /// Its name in `[alerting.webhooks]`.
    pub webhook: String,
    /// `firing` or `resolved`
    pub event: String,
    /// `queued` (or waiting for the next attempt), `delivered`, `dead`
    pub state: String,
    pub attempts: i32,
    /// Why the last attempt failed.
    pub error: Option<String>,
    pub created_at: DateTime<Utc>,
    /// End of the last attempt.
    pub attempted_at: Option<DateTime<Utc>>,
}

impl From<webhooks::Delivery> for Delivery {
    fn from(delivery: webhooks::Delivery) -> Self {
        let last = |text: &str| text.rsplit('.').next().unwrap_or_default().to_owned();
        Self {
            id: delivery.id,
            webhook: last(&delivery.receiver),
            event: last(&delivery.topic),
            state: delivery.state.as_str().to_owned(),
            attempts: delivery.attempts,
            error: delivery.error,
            created_at: delivery.created_at,
            attempted_at: delivery.attempted_at,
        }
    }
}

/// An alert with its deliveries.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AlertDetail {
    #[serde(flatten)]
    pub alert: Alert,
    pub deliveries: Vec<Delivery>,
}

/// Filters of the alert list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub status: Option<Status>,
    pub severity: Option<Severity>,
    /// In the name, the summary or a label's value.
    pub search: Option<String>,
    /// Only alerts that started after.
    pub since: Option<DateTime<Utc>>,
    /// Only alerts that started before.
    pub until: Option<DateTime<Utc>>,
}

/// Result of a notification.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Taken {
    /// Newly firing alerts.
    pub firing: usize,
    /// Newly resolved alerts.
    pub resolved: usize,
    /// Alerts without news.
    pub repeated: usize,
    /// Alerts that could not be read; the log says why.
    pub unreadable: usize,
    /// Whether the Watchdog was among them.
    pub watchdog: bool,
}
