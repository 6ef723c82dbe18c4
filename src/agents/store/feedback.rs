//! `agent_feedback`

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::model::{MessageId, Rating};
use platform::ids::OrgId;

pub async fn put(
    conn: &mut PgConnection,
    org: OrgId,
    message: MessageId,
    subject: &str,
    rating: &Rating,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO agent_feedback (message_id, org_id, subject, good, comment, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $6) \
         ON CONFLICT ON CONSTRAINT agent_feedback_pkey \
         DO UPDATE SET good = excluded.good, comment = excluded.comment, updated_at = excluded.updated_at",
        message.0,
        org.0,
        subject,
        rating.good,
        rating.comment,
        now
    )
    .execute(conn)
    .await
    .map(drop)
}

pub async fn delete(conn: &mut PgConnection, message: MessageId, subject: &str) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM agent_feedback WHERE message_id = $1 AND subject = $2", message.0, subject)
        .execute(conn)
        .await
        .map(drop)
}

/// What the subject thinks of these messages.
pub async fn of(conn: &mut PgConnection, messages: &[Uuid], subject: &str) -> sqlx::Result<HashMap<MessageId, Rating>> {
    let rows = sqlx::query!(
        "SELECT message_id, good, comment FROM agent_feedback WHERE message_id = ANY($1) AND subject = $2",
        messages,
        subject
    )
    .fetch_all(conn)
    .await?;
    let rating = |good, comment| Rating { good, comment };
    Ok(rows.into_iter().map(|row| (MessageId(row.message_id), rating(row.good, row.comment))).collect())
}
