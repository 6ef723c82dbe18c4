//! Lanes with mail that is due, and accounts that fail (`mail_accounts`).

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::model::Backlog;
use platform::ids::OrgId;

/// The database's clock.
pub async fn clock(conn: &mut PgConnection) -> sqlx::Result<DateTime<Utc>> {
    sqlx::query_scalar!(r#"SELECT clock_timestamp() AS "now!""#).fetch_one(conn).await
}

/// Lanes with mail whose time came after `since`, up to `now`: scheduled mail, and next attempts. Mail that is sent at once has a job of its own.
pub async fn fallen_due(
    conn: &mut PgConnection,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"SELECT DISTINCT lane AS "lane!" FROM mail_messages
           WHERE state = 'queued' AND send_at > $1 AND send_at <= $2 AND (attempts > 0 OR send_at > created_at)"#,
        since,
        now,
    )
    .fetch_all(conn)
    .await
}

/// Up to `most` lanes with mail that has been due since before `before`, those with the oldest first, and all with mail that was being sent before
/// `cut`: their job is lost. Costs what is due, by index alone, and nothing for what is for later.
pub async fn overdue(
    conn: &mut PgConnection,
    before: DateTime<Utc>,
    cut: DateTime<Utc>,
    most: i64,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"(SELECT lane AS "lane!" FROM mail_messages WHERE state = 'queued' AND send_at <= $1
            GROUP BY lane ORDER BY min(send_at) LIMIT $3)
           UNION
           SELECT m.lane FROM mail_messages m JOIN mail_attempts a
             ON a.message_id = m.id AND a.created_at = m.created_at AND a.attempt = m.attempts
           WHERE m.state = 'sending' AND a.began_at < $2"#,
        before,
        cut,
        most,
    )
    .fetch_all(conn)
    .await
}

/// Whether mail waits at which the account has failed: it tries the account when it is due.
pub async fn has_failed_mail(conn: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM mail_messages WHERE state = 'queued' AND account_failures > 0) AS "has!""#
    )
    .fetch_one(conn)
    .await
}

/// What waits, of one owner.
pub async fn backlog(conn: &mut PgConnection, org: Option<OrgId>, now: DateTime<Utc>) -> sqlx::Result<Backlog> {
    sqlx::query_as!(
        Backlog,
        r#"SELECT count(*) FILTER (WHERE send_at <= $2) AS "waiting!",
             coalesce(extract(epoch FROM $2 - min(send_at) FILTER (WHERE send_at <= $2)), 0)::float8 AS "oldest_seconds!",
             count(*) FILTER (WHERE send_at > $2) AS "later!"
           FROM mail_messages WHERE state = 'queued' AND org_id IS NOT DISTINCT FROM $1"#,
        org.map(|org| org.0),
        now,
    )
    .fetch_one(conn)
    .await
}

/// What waits, of all owners. Read by index alone: mail for later is not looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Waiting {
    /// Mails whose time has come.
    pub due: i64,
    /// How long the oldest of them has waited, or the oldest for which the server has no connection, seconds.
    pub oldest_seconds: f64,
    /// Those of them that wait for as long as it takes: mail of programs and tests. Notices and links expire.
    pub lasting: i64,
    /// Mails that the server has put off, for the next attempt.
    pub put_off: i64,
    /// How long the oldest of them is tried, seconds.
    pub tried_seconds: f64,
}

pub async fn waiting(conn: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<Waiting> {
    sqlx::query_as!(
        Waiting,
        r#"SELECT d.due AS "due!", greatest(d.oldest, b.oldest) AS "oldest_seconds!", d.lasting AS "lasting!", p.put_off AS "put_off!",
             p.tried AS "tried_seconds!"
           FROM (SELECT count(*) AS due, count(*) FILTER (WHERE expires_at IS NULL) AS lasting,
                   coalesce(extract(epoch FROM $1 - min(send_at)), 0)::float8 AS oldest
                 FROM mail_messages WHERE state = 'queued' AND send_at <= $1) d,
             (SELECT count(*) AS put_off, coalesce(extract(epoch FROM $1 - min(tried_since)), 0)::float8 AS tried
              FROM mail_messages WHERE state = 'queued' AND tried_since IS NOT NULL) p,
             (SELECT coalesce(extract(epoch FROM $1 - min(busy_since)), 0)::float8 AS oldest
              FROM mail_messages WHERE state IN ('queued', 'sending') AND busy_since IS NOT NULL) b"#,
        now,
    )
    .fetch_one(conn)
    .await
}

/// An account that fails.
#[derive(Clone, Debug)]
pub struct Failing {
    pub failures: i32,
    pub failing_since: DateTime<Utc>,
    pub retry_at: DateTime<Utc>,
    pub error: String,
}

pub async fn failing(conn: &mut PgConnection, account: &str) -> sqlx::Result<Option<Failing>> {
    sqlx::query_as!(
        Failing,
        "SELECT failures, failing_since, retry_at, error FROM mail_accounts WHERE account = $1",
        account
    )
    .fetch_optional(conn)
    .await
}

/// Whether the caller may try a failing account whose time has come. Nobody else may until `until`.
pub async fn may_try(
    conn: &mut PgConnection,
    account: &str,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "UPDATE mail_accounts SET retry_at = $3 WHERE account = $1 AND retry_at <= $2",
        account,
        now,
        until
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Notes that an account fails, for the `failures`th time in a row.
pub async fn failed(
    conn: &mut PgConnection,
    account: &str,
    failures: i32,
    now: DateTime<Utc>,
    retry_at: DateTime<Utc>,
    error: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO mail_accounts (account, failures, failing_since, retry_at, error) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (account) DO UPDATE SET failures = $2, retry_at = $4, error = $5",
        account,
        failures,
        now,
        retry_at,
        error,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Notes that an account works; false if it did before.
pub async fn works(conn: &mut PgConnection, account: &str) -> sqlx::Result<bool> {
    let done = sqlx::query!("DELETE FROM mail_accounts WHERE account = $1", account).execute(conn).await?;
    Ok(done.rows_affected() > 0)
}

/// Lets an account be tried now.
pub async fn retry_now(conn: &mut PgConnection, account: &str, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("UPDATE mail_accounts SET retry_at = $2 WHERE account = $1 AND retry_at > $2", account, now)
        .execute(conn)
        .await
        .map(drop)
}
