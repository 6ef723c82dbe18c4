//! `alert_deliveries`, written by the version before webhooks, which may still run beside this one.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::model::AlertId;

/// An unfinished delivery of the version before webhooks.
pub struct Outgoing {
    pub alert_id: AlertId,
    pub webhook: String,
    pub event: String,
    pub body: String,
}

/// Takes a delivery over from that version.
pub async fn take_over(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<Outgoing>> {
    sqlx::query_as!(
        Outgoing,
        r#"UPDATE alert_deliveries SET state = 'delivered' WHERE id = $1 AND state = 'queued'
           RETURNING alert_id AS "alert_id: AlertId", webhook, event, body"#,
        id
    )
    .fetch_optional(conn)
    .await
}
