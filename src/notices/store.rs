//! The only SQL on what waits for the next digest. As role `system`.

use sqlx::PgConnection;

use super::model::Item;
use alerting::AlertId;
use events::EventId;

/// Keeps an item; the same event is kept once.
pub async fn keep(conn: &mut PgConnection, item: &Item) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO notice_items (event_id, alert_id, state, name, severity, summary, at, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (event_id) DO NOTHING",
        item.event_id.0,
        item.alert_id.0,
        item.state,
        item.name,
        item.severity,
        item.summary,
        item.at,
        item.created_at
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Removes up to `most` items, the oldest first, and returns them.
pub async fn take(conn: &mut PgConnection, most: i64) -> sqlx::Result<Vec<Item>> {
    let mut items = sqlx::query_as!(
        Item,
        r#"DELETE FROM notice_items WHERE event_id = ANY (ARRAY(
             SELECT i.event_id FROM notice_items i ORDER BY i.created_at, i.event_id LIMIT $1 FOR UPDATE SKIP LOCKED))
           RETURNING event_id AS "event_id: EventId", alert_id AS "alert_id: AlertId", state, name, severity, summary, at, created_at"#,
        most
    )
    .fetch_all(conn)
    .await?;
    items.sort_by_key(|item| (item.created_at, item.event_id));
    Ok(items)
}
