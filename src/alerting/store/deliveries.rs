//! `alert_deliveries`

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::alerting::model::{AlertId, Delivery, DeliveryId, DeliveryState};

/// A delivery to insert.
pub struct NewDelivery {
    pub id: DeliveryId,
    pub alert_id: AlertId,
    pub webhook: String,
    pub event: &'static str,
    pub body: String,
}

/// What a delivery attempt needs.
pub struct Outgoing {
    pub webhook: String,
    pub body: String,
    pub state: String,
}

/// Inserts all in one statement.
pub async fn insert(conn: &mut PgConnection, new: &[NewDelivery], now: DateTime<Utc>) -> sqlx::Result<()> {
    let ids: Vec<uuid::Uuid> = new.iter().map(|d| d.id.0).collect();
    let alerts: Vec<uuid::Uuid> = new.iter().map(|d| d.alert_id.0).collect();
    let webhooks: Vec<String> = new.iter().map(|d| d.webhook.clone()).collect();
    let events: Vec<String> = new.iter().map(|d| d.event.to_owned()).collect();
    let bodies: Vec<String> = new.iter().map(|d| d.body.clone()).collect();
    sqlx::query!(
        "INSERT INTO alert_deliveries (id, alert_id, webhook, event, body, state, created_at) \
         SELECT id, alert_id, webhook, event, body, 'queued', $6 \
         FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[]) AS d (id, alert_id, webhook, event, body)",
        &ids,
        &alerts,
        &webhooks,
        &events,
        &bodies,
        now
    )
    .execute(conn)
    .await
    .map(drop)
}

pub async fn outgoing(conn: &mut PgConnection, id: DeliveryId) -> sqlx::Result<Option<Outgoing>> {
    sqlx::query_as!(Outgoing, "SELECT webhook, body, state FROM alert_deliveries WHERE id = $1", id.0)
        .fetch_optional(conn)
        .await
}

/// Records an attempt.
pub async fn attempted(
    conn: &mut PgConnection,
    id: DeliveryId,
    state: DeliveryState,
    error: Option<&str>,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE alert_deliveries SET state = $2, attempts = attempts + 1, error = $3, attempted_at = $4 WHERE id = $1",
        id.0,
        state.as_str(),
        error,
        now
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Deliveries of an alert, oldest first.
pub async fn deliveries(conn: &mut PgConnection, alert: AlertId) -> sqlx::Result<Vec<Delivery>> {
    sqlx::query_as!(
        Delivery,
        r#"SELECT id AS "id: DeliveryId", webhook, event, state, attempts, error, created_at, attempted_at
           FROM alert_deliveries WHERE alert_id = $1 ORDER BY id"#,
        alert.0
    )
    .fetch_all(conn)
    .await
}
