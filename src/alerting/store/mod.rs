//! The only SQL on the alert tables.

mod deliveries;
mod intake;
mod view;

pub use deliveries::{Outgoing, take_over};
pub use intake::{close, lock, maintain, seen_watchdog, take, unheard};
pub use view::{alert, alerts, fired_between, firing, firing_counts, firing_fingerprints, watchdog};

use chrono::{DateTime, Utc};
use sqlx::types::Json;

use super::model::{Alert, AlertId, Labels, Severity};

/// A row with its severity as text; a check constraint allows only ours.
struct Row {
    id: AlertId,
    fingerprint: String,
    name: String,
    severity: String,
    starts_at: DateTime<Utc>,
    ends_at: Option<DateTime<Utc>>,
    labels: Json<Labels>,
    annotations: Json<Labels>,
    generator_url: String,
    received_at: DateTime<Utc>,
    heard_at: DateTime<Utc>,
}

impl From<Row> for Alert {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            fingerprint: row.fingerprint,
            name: row.name,
            severity: Severity::parse(&row.severity).unwrap_or(Severity::None),
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            labels: row.labels.0,
            annotations: row.annotations.0,
            generator_url: row.generator_url,
            received_at: row.received_at,
            heard_at: row.heard_at,
        }
    }
}
