//! `webhook_deliveries`, and the state of configured receivers.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::model::{Delivery, DeliveryDetail, DeliveryId, DeliveryState};
use platform::{http::Slice, ids::OrgId};

/// A delivery to insert.
pub struct NewDelivery<'a> {
    pub id: DeliveryId,
    pub message_id: Uuid,
    pub org: Option<OrgId>,
    pub receiver: &'a str,
    pub topic: &'a str,
    pub subject: &'a str,
    pub body: &'a str,
}

pub async fn insert(conn: &mut PgConnection, new: &NewDelivery<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO webhook_deliveries (id, message_id, org_id, receiver, topic, subject, body, state)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'queued')",
        new.id.0,
        new.message_id,
        new.org.map(|org| org.0),
        new.receiver,
        new.topic,
        new.subject,
        new.body,
    )
    .execute(conn)
    .await
    .map(drop)
}

struct Row {
    id: Uuid,
    message_id: Uuid,
    receiver: String,
    topic: String,
    subject: String,
    body: String,
    state: String,
    attempts: i32,
    status: Option<i32>,
    milliseconds: Option<i32>,
    error: Option<String>,
    created_at: DateTime<Utc>,
    attempted_at: Option<DateTime<Utc>>,
}

impl From<Row> for DeliveryDetail {
    fn from(row: Row) -> Self {
        let delivery = Delivery {
            id: DeliveryId(row.id),
            message_id: row.message_id,
            receiver: row.receiver,
            topic: row.topic,
            subject: row.subject,
            // The table's check constraint permits only known values.
            state: row.state.parse().unwrap_or(DeliveryState::Dead),
            attempts: row.attempts,
            status: row.status,
            milliseconds: row.milliseconds,
            error: row.error,
            created_at: row.created_at,
            attempted_at: row.attempted_at,
        };
        Self { delivery, body: row.body }
    }
}

/// The oldest that waits for this receiver.
pub async fn next(conn: &mut PgConnection, receiver: &str) -> sqlx::Result<Option<DeliveryDetail>> {
    let row = sqlx::query_as!(
        Row,
        "SELECT id, message_id, receiver, topic, subject, body, state, attempts, status, milliseconds, error, created_at, attempted_at
         FROM webhook_deliveries WHERE receiver = $1 AND state = 'queued' ORDER BY id LIMIT 1",
        receiver
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(DeliveryDetail::from))
}

/// An organisation's, or (`None`) one that has no organisation.
pub async fn get(conn: &mut PgConnection, org: Option<OrgId>, id: DeliveryId) -> sqlx::Result<Option<DeliveryDetail>> {
    let row = sqlx::query_as!(
        Row,
        "SELECT id, message_id, receiver, topic, subject, body, state, attempts, status, milliseconds, error, created_at, attempted_at
         FROM webhook_deliveries WHERE id = $1 AND org_id IS NOT DISTINCT FROM $2",
        id.0,
        org.map(|org| org.0),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(DeliveryDetail::from))
}

/// Filter of deliveries.
#[derive(Clone, Debug, Default)]
pub struct Filter<'a> {
    pub receiver: &'a str,
    pub state: Option<DeliveryState>,
    /// Substring of the topic, the subject, the error or the message.
    pub search: Option<&'a str>,
}

/// Newest first.
pub async fn list(conn: &mut PgConnection, filter: &Filter<'_>, slice: &Slice) -> sqlx::Result<Vec<Delivery>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id, message_id, receiver, topic, subject, '' AS "body!", state, attempts, status, milliseconds, error, created_at,
             attempted_at
           FROM webhook_deliveries
           WHERE receiver = $1 AND id < $2 AND ($3::text IS NULL OR state = $3)
             AND ($4::text IS NULL OR strpos(lower(concat_ws(' ', topic, subject, error, body)), lower($4)) > 0)
           ORDER BY id DESC LIMIT $5"#,
        filter.receiver,
        slice.beyond(),
        filter.state.map(DeliveryState::as_str),
        filter.search,
        slice.rows(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| DeliveryDetail::from(row).delivery).collect())
}

/// About this subject to receivers of the configuration, oldest first.
pub async fn about(conn: &mut PgConnection, subject: &str) -> sqlx::Result<Vec<Delivery>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id, message_id, receiver, topic, subject, '' AS "body!", state, attempts, status, milliseconds, error, created_at,
             attempted_at
           FROM webhook_deliveries WHERE subject = $1 AND org_id IS NULL AND receiver LIKE 'alerting.%' ORDER BY id"#,
        subject,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| DeliveryDetail::from(row).delivery).collect())
}

/// What an attempt came to.
pub struct Outcome<'a> {
    pub state: DeliveryState,
    pub status: Option<i32>,
    pub milliseconds: i32,
    pub error: Option<&'a str>,
    pub now: DateTime<Utc>,
}

/// False where the delivery is not queued any more: another worker did it, or its endpoint was deleted.
pub async fn attempted(conn: &mut PgConnection, id: DeliveryId, outcome: &Outcome<'_>) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "UPDATE webhook_deliveries SET state = $2, attempts = attempts + 1, status = $3, milliseconds = $4, error = $5, attempted_at = $6
         WHERE id = $1 AND state = 'queued'",
        id.0,
        outcome.state.as_str(),
        outcome.status,
        outcome.milliseconds,
        outcome.error,
        outcome.now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Gives up this receiver's queued messages from before `before` (`None`: all); returns how many.
pub async fn give_up(
    conn: &mut PgConnection,
    receiver: &str,
    before: Option<DateTime<Utc>>,
    error: &str,
) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "UPDATE webhook_deliveries SET state = 'dead', error = coalesce(error, $3)
         WHERE receiver = $1 AND state = 'queued' AND ($2::timestamptz IS NULL OR created_at < $2)",
        receiver,
        before,
        error,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Gives up one message; false where it is not queued.
pub async fn give_up_one(conn: &mut PgConnection, id: DeliveryId, error: &str) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "UPDATE webhook_deliveries SET state = 'dead', error = coalesce(error, $2) WHERE id = $1 AND state = 'queued'",
        id.0,
        error,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Deletes a receiver's messages; returns how many.
pub async fn delete_of(conn: &mut PgConnection, receiver: &str) -> sqlx::Result<u64> {
    let done = sqlx::query!("DELETE FROM webhook_deliveries WHERE receiver = $1", receiver).execute(conn).await?;
    Ok(done.rows_affected())
}

/// Receivers that something waits for since a minute although they may be asked: the job that should have done it is lost.
pub async fn waiting(conn: &mut PgConnection) -> sqlx::Result<Vec<(Option<OrgId>, String)>> {
    let rows = sqlx::query!(
        "SELECT DISTINCT d.org_id, d.receiver FROM webhook_deliveries d
           LEFT JOIN webhook_endpoints e ON e.id::text = d.receiver LEFT JOIN webhook_receivers r ON r.receiver = d.receiver
         WHERE d.state = 'queued' AND d.created_at < now() - interval '1 minute'
           AND coalesce(e.retry_at, r.retry_at, '-infinity') < now() - interval '1 minute'
         LIMIT 100"
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.org_id.map(OrgId), row.receiver)).collect())
}

/// `(how many wait, age of the oldest that waits though its receiver may be asked, seconds)`.
pub async fn backlog(conn: &mut PgConnection) -> sqlx::Result<(i64, f64)> {
    let row = sqlx::query!(
        r#"SELECT count(*) AS "waiting!",
             coalesce(extract(epoch FROM now() - min(d.created_at) FILTER (WHERE e.failing_since IS NULL AND r.failing_since IS NULL)), 0)::float8
               AS "seconds!"
           FROM webhook_deliveries d
             LEFT JOIN webhook_endpoints e ON e.id::text = d.receiver LEFT JOIN webhook_receivers r ON r.receiver = d.receiver
           WHERE d.state = 'queued'"#
    )
    .fetch_one(conn)
    .await?;
    Ok((row.waiting, row.seconds))
}

/// When a receiver of the configuration may be asked again.
pub async fn retry_at(conn: &mut PgConnection, receiver: &str) -> sqlx::Result<Option<DateTime<Utc>>> {
    let found = sqlx::query_scalar!("SELECT retry_at FROM webhook_receivers WHERE receiver = $1", receiver);
    Ok(found.fetch_optional(conn).await?.flatten())
}

/// Notes that every attempt at a receiver of the configuration fails: how many have, one after another.
pub async fn receiver_failed(conn: &mut PgConnection, receiver: &str, now: DateTime<Utc>) -> sqlx::Result<i32> {
    sqlx::query_scalar!(
        "INSERT INTO webhook_receivers AS r (receiver, failing_since, failures) VALUES ($1, $2, 1)
         ON CONFLICT (receiver) DO UPDATE SET failures = r.failures + 1, failing_since = coalesce(r.failing_since, $2)
         RETURNING failures",
        receiver,
        now,
    )
    .fetch_one(conn)
    .await
}

/// Notes that a receiver did not take a message and answers otherwise: how often in a row. It fails from the second time on: the first may be the fault of
/// that one message.
pub async fn receiver_refused(conn: &mut PgConnection, receiver: &str, now: DateTime<Utc>) -> sqlx::Result<i32> {
    sqlx::query_scalar!(
        "INSERT INTO webhook_receivers AS r (receiver, failures) VALUES ($1, 1)
         ON CONFLICT (receiver) DO UPDATE SET failures = r.failures + 1, failing_since = coalesce(r.failing_since, $2)
         RETURNING failures",
        receiver,
        now,
    )
    .fetch_one(conn)
    .await
}

/// Receivers whose names begin so and of which every attempt fails, and since when.
pub async fn failing_receivers(conn: &mut PgConnection, prefix: &str) -> sqlx::Result<Vec<(String, DateTime<Utc>)>> {
    let rows = sqlx::query!(
        r#"SELECT receiver, failing_since AS "since!" FROM webhook_receivers
           WHERE failing_since IS NOT NULL AND starts_with(receiver, $1) ORDER BY receiver"#,
        prefix,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.receiver, row.since)).collect())
}

pub async fn set_receiver_retry(
    conn: &mut PgConnection,
    receiver: &str,
    at: Option<DateTime<Utc>>,
) -> sqlx::Result<()> {
    sqlx::query!("UPDATE webhook_receivers SET retry_at = $2 WHERE receiver = $1", receiver, at)
        .execute(conn)
        .await
        .map(drop)
}

pub async fn receiver_succeeded(conn: &mut PgConnection, receiver: &str) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM webhook_receivers WHERE receiver = $1", receiver).execute(conn).await.map(drop)
}

/// Makes coming partitions and drops those older than `days`; how many of each.
pub async fn maintain(conn: &mut PgConnection, days: i32) -> sqlx::Result<(i32, i32)> {
    let done = sqlx::query!(
        r#"SELECT created AS "created!", dropped AS "dropped!" FROM holdfast_webhooks_maintain(make_interval(days => $1))"#,
        days,
    )
    .fetch_one(conn)
    .await?;
    Ok((done.created, done.dropped))
}
