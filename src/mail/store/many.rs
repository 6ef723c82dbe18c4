//! Changing many messages by hand.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::model::{MessageId, State};

/// A message that was changed with others.
pub struct Touched {
    pub id: MessageId,
    pub kind: String,
    pub lane: String,
}

/// As [`super::messages::requeue`], of those of `ids` that are in this state. What somebody else is changing is left out.
pub async fn requeue_all(
    conn: &mut PgConnection,
    ids: &[Uuid],
    state: State,
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<Touched>> {
    sqlx::query_as!(
        Touched,
        r#"WITH mine AS (
             SELECT id, created_at FROM mail_messages WHERE id = ANY ($1) AND state = $2 AND (expires_at IS NULL OR expires_at > $3)
             ORDER BY id FOR UPDATE SKIP LOCKED
           )
           UPDATE mail_messages m SET state = 'queued', send_at = $3, tried_since = NULL, busy_since = NULL, account_failures = 0
           FROM mine WHERE m.id = mine.id AND m.created_at = mine.created_at
             AND EXISTS (SELECT FROM mail_bodies b WHERE b.id = m.id AND b.created_at = m.created_at AND b.text <> '')
           RETURNING m.id AS "id!: MessageId", m.kind AS "kind!", m.lane AS "lane!""#,
        ids,
        state.as_str(),
        now,
    )
    .fetch_all(conn)
    .await
}

/// As [`super::messages::cancel`], of those of `ids` that are queued.
pub async fn cancel_all(conn: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<Vec<Touched>> {
    sqlx::query_as!(
        Touched,
        r#"WITH mine AS (
             SELECT id, created_at FROM mail_messages WHERE id = ANY ($1) AND state = 'queued' ORDER BY id FOR UPDATE SKIP LOCKED
           )
           UPDATE mail_messages m SET state = 'cancelled' FROM mine WHERE m.id = mine.id AND m.created_at = mine.created_at
           RETURNING m.id AS "id!: MessageId", m.kind AS "kind!", m.lane AS "lane!""#,
        ids,
    )
    .fetch_all(conn)
    .await
}
