//! `mail_mailboxes`

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// How reading a mailbox goes.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    pub read_at: Option<DateTime<Utc>>,
    pub failing_since: Option<DateTime<Utc>>,
    pub error: Option<String>,
}

/// `None`: it was never tried.
pub async fn get(conn: &mut PgConnection, mailbox: &str) -> sqlx::Result<Option<Reading>> {
    sqlx::query_as!(Reading, "SELECT read_at, failing_since, error FROM mail_mailboxes WHERE mailbox = $1", mailbox)
        .fetch_optional(conn)
        .await
}

/// Notes that it was read, or why it was not.
pub async fn note(conn: &mut PgConnection, mailbox: &str, error: Option<&str>, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO mail_mailboxes AS m (mailbox, read_at, failing_since, error)
         VALUES ($1, CASE WHEN $2::text IS NULL THEN $3::timestamptz END, CASE WHEN $2::text IS NOT NULL THEN $3::timestamptz END, $2)
         ON CONFLICT (mailbox) DO UPDATE SET read_at = coalesce(excluded.read_at, m.read_at), error = excluded.error,
           failing_since = CASE WHEN excluded.failing_since IS NOT NULL THEN coalesce(m.failing_since, excluded.failing_since) END",
        mailbox,
        error,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}
