//! `mail_messages` and `mail_bodies`: reading and changing by hand. Writing is in `outbox`, what attempts do in `attempts`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::{
    Address, Filter,
    model::{Attachment, Attempt, Bounced, Message, MessageId, Owner, State},
};
use platform::{db::contains, http::Slice, ids::OrgId};

struct Row {
    id: Uuid,
    created_at: DateTime<Utc>,
    org_id: Option<Uuid>,
    kind: String,
    template: Option<String>,
    language: String,
    from_address: Option<String>,
    from_name: String,
    reply_to: Option<String>,
    to_address: String,
    to_name: String,
    subject: String,
    message_id: String,
    lane: String,
    state: String,
    attempts: i32,
    send_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    status: Option<i32>,
    enhanced: Option<String>,
    error: Option<String>,
    maybe_sent: bool,
    sent_at: Option<DateTime<Utc>>,
    bounced_at: Option<DateTime<Utc>>,
    bounce: Option<String>,
    idempotency_key: Option<String>,
    created_by: String,
}

impl From<Row> for Message {
    fn from(row: Row) -> Self {
        Self {
            id: MessageId(row.id),
            installation: row.org_id.is_none(),
            kind: row.kind,
            template: row.template,
            language: row.language,
            from_address: row.from_address,
            from_name: row.from_name,
            reply_to: row.reply_to,
            to_address: row.to_address,
            to_name: row.to_name,
            subject: row.subject,
            message_id: row.message_id,
            lane: row.lane,
            // The table's check constraint permits only known values.
            state: row.state.parse().unwrap_or(State::Failed),
            attempts: row.attempts,
            send_at: row.send_at,
            expires_at: row.expires_at,
            status: row.status,
            enhanced: row.enhanced,
            error: row.error,
            maybe_sent: row.maybe_sent,
            sent_at: row.sent_at,
            bounced_at: row.bounced_at,
            bounce: row.bounce.as_deref().and_then(|bounce| bounce.parse().ok()),
            idempotency_key: row.idempotency_key,
            created_by: row.created_by,
            created_at: row.created_at,
        }
    }
}

/// Newest first.
pub async fn list(conn: &mut PgConnection, filter: &Filter<'_>, slice: &Slice) -> sqlx::Result<Vec<Message>> {
    let ids = found(&mut *conn, filter, slice.beyond(), slice.rows()).await?;
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, created_at, org_id, kind, template, language, from_address, from_name, reply_to, to_address, to_name, subject, message_id,
           lane, state, attempts, send_at, expires_at, status, enhanced, error, maybe_sent, sent_at, bounced_at, bounce, idempotency_key, created_by
         FROM mail_messages WHERE id = ANY ($1) ORDER BY id DESC",
        &ids,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Message::from).collect())
}

/// Ids of up to `most` messages below `beyond`, newest first.
pub async fn found(conn: &mut PgConnection, filter: &Filter<'_>, beyond: Uuid, most: i64) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        r#"SELECT mail_log_found($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) AS "id!""#,
        filter.installation,
        filter.state.map(State::as_str),
        filter.kind,
        filter.to.map(recipient_key),
        filter.bounced,
        filter.answer.map(contains),
        filter.since.map(|since| MessageId::first_at(since).0),
        message_id_in(filter),
        pattern(filter),
        below(filter, beyond),
        most,
    )
    .fetch_all(conn)
    .await
}

/// A search text that can be a whole Message-ID, as mail servers log it.
fn message_id_in<'a>(filter: &Filter<'a>) -> Option<&'a str> {
    let text = filter.search?.trim().trim_matches(['<', '>']);
    Some(text).filter(|text| text.contains('@'))
}

/// An error is part of what the search index has.
fn pattern(filter: &Filter<'_>) -> Option<String> {
    filter.search.or(filter.answer).map(contains)
}

/// The rows of a page that ends at `until`.
fn below(filter: &Filter<'_>, beyond: Uuid) -> Uuid {
    filter.until.map_or(beyond, |until| beyond.min(MessageId::first_at(until).0))
}

/// As [`Address::key`] writes it, whatever somebody typed.
fn recipient_key(typed: &str) -> String {
    Address::parse(typed).map_or_else(|_| typed.to_lowercase(), |address| address.key())
}

/// Not locked: who takes what is due passes over locked messages.
pub async fn get(conn: &mut PgConnection, org: Option<OrgId>, id: MessageId) -> sqlx::Result<Option<Message>> {
    let row = sqlx::query_as!(
        Row,
        "SELECT id, created_at, org_id, kind, template, language, from_address, from_name, reply_to, to_address, to_name, subject, message_id,
           lane, state, attempts, send_at, expires_at, status, enhanced, error, maybe_sent, sent_at, bounced_at, bounce, idempotency_key, created_by
         FROM mail_messages WHERE id = $1 AND org_id IS NOT DISTINCT FROM $2",
        id.0,
        org.map(|org| org.0),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Message::from))
}

/// The message with this Message-ID, with or without angle brackets, whoever owns it.
pub async fn by_message_id(conn: &mut PgConnection, message_id: &str) -> sqlx::Result<Option<(Owner, Message)>> {
    let row = sqlx::query_as!(
        Row,
        "SELECT id, created_at, org_id, kind, template, language, from_address, from_name, reply_to, to_address, to_name, subject, message_id,
           lane, state, attempts, send_at, expires_at, status, enhanced, error, maybe_sent, sent_at, bounced_at, bounce, idempotency_key, created_by
         FROM mail_messages WHERE message_id = trim(both '<> ' from $1::text) ORDER BY id LIMIT 1",
        message_id,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (Owner::of(row.org_id.map(OrgId)), row.into())))
}

/// The content of a message.
pub struct Content {
    pub text: String,
    pub html: Option<String>,
    pub headers: BTreeMap<String, String>,
    pub attachments: Vec<Attachment>,
}

pub async fn content(
    conn: &mut PgConnection,
    id: MessageId,
    created_at: DateTime<Utc>,
) -> sqlx::Result<Option<Content>> {
    let row = sqlx::query!(
        r#"SELECT text, html, headers AS "headers: Json<BTreeMap<String, String>>", attachments AS "attachments: Json<Vec<Attachment>>"
           FROM mail_bodies WHERE id = $1 AND created_at = $2"#,
        id.0,
        created_at,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Content {
        text: row.text,
        html: row.html,
        headers: row.headers.0,
        attachments: row.attachments.0,
    }))
}

/// Oldest first.
pub async fn history(conn: &mut PgConnection, id: MessageId, created_at: DateTime<Utc>) -> sqlx::Result<Vec<Attempt>> {
    let rows = sqlx::query!(
        "SELECT attempt, began_at, ended_at, outcome, status, answer, milliseconds FROM mail_attempts
         WHERE message_id = $1 AND created_at = $2 ORDER BY attempt",
        id.0,
        created_at,
    )
    .fetch_all(conn)
    .await?;
    let attempts = rows.into_iter().map(|row| Attempt {
        attempt: row.attempt,
        began_at: row.began_at,
        ended_at: row.ended_at,
        outcome: row.outcome.as_deref().and_then(|outcome| outcome.parse().ok()),
        status: row.status,
        answer: row.answer,
        milliseconds: row.milliseconds,
    });
    Ok(attempts.collect())
}

/// Deletes the texts of messages, and nothing else of them.
pub async fn delete_texts(conn: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<()> {
    sqlx::query!("UPDATE mail_bodies SET text = '', html = NULL WHERE id = ANY ($1)", ids).execute(conn).await.map(drop)
}

/// Queues a message again; false if it is being sent, was sent, is of no use any more, or has no text any more.
pub async fn requeue(conn: &mut PgConnection, id: MessageId, now: DateTime<Utc>) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "UPDATE mail_messages m SET state = 'queued', send_at = $2, tried_since = NULL, busy_since = NULL, account_failures = 0
         WHERE id = $1 AND state IN ('queued', 'failed', 'suppressed', 'cancelled') AND (expires_at IS NULL OR expires_at > $2)
           AND EXISTS (SELECT FROM mail_bodies b WHERE b.id = m.id AND b.created_at = m.created_at AND b.text <> '')",
        id.0,
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// False if it is not queued.
pub async fn cancel(conn: &mut PgConnection, id: MessageId) -> sqlx::Result<bool> {
    let done = sqlx::query!("UPDATE mail_messages SET state = 'cancelled' WHERE id = $1 AND state = 'queued'", id.0)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Notes that a message came back; false if it did before: something worse replaces what is known (soft, refused, hard, complaint).
pub async fn bounced(conn: &mut PgConnection, id: MessageId, kind: Bounced, now: DateTime<Utc>) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "UPDATE mail_messages SET bounce = $2, bounced_at = $3
         WHERE id = $1 AND (bounce IS NULL OR bounce = 'soft' AND $2 <> 'soft' OR bounce = 'refused' AND $2 IN ('hard', 'complaint')
           OR bounce = 'hard' AND $2 = 'complaint')",
        id.0,
        kind.as_str(),
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// What maintenance did.
#[derive(Clone, Copy, Debug)]
pub struct Maintained {
    /// Weeks that were created and dropped; `kept` ones are older than retention and have mail that waits.
    pub created: i32,
    pub dropped: i32,
    pub kept: i32,
    /// Start of the oldest week that is left.
    pub oldest: Option<DateTime<Utc>>,
}

/// Makes coming weeks and drops those older than `days`.
pub async fn maintain(conn: &mut PgConnection, days: i32) -> sqlx::Result<Maintained> {
    sqlx::query_as!(
        Maintained,
        r#"SELECT created AS "created!", dropped AS "dropped!", kept AS "kept!", oldest
           FROM holdfast_mail_maintain(make_interval(days => $1))"#,
        days,
    )
    .fetch_one(conn)
    .await
}
