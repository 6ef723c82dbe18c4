//! Writing into `mail_messages`, `mail_bodies` and `mail_keys`, and what decides whether and when a new message is sent.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, types::Json};

use crate::{
    Address,
    model::{Attachment, MessageId, State},
};
use platform::ids::OrgId;

/// End of a Message-ID that has no domain yet: it was written while no sender was set, and gets the sender's with its first attempt. This one is
/// nobody's (RFC 6761).
pub const NO_DOMAIN: &str = "@unset.invalid";

/// A message to insert.
pub struct NewMessage<'a> {
    pub id: MessageId,
    pub now: DateTime<Utc>,
    pub org: Option<OrgId>,
    pub kind: &'a str,
    pub template: Option<&'a str>,
    pub language: &'a str,
    pub from: Option<&'a Address>,
    pub from_name: &'a str,
    pub reply_to: Option<&'a str>,
    pub to: &'a Address,
    pub subject: &'a str,
    pub message_id: &'a str,
    pub lane: &'a str,
    /// See [`crate::Kind::priority`].
    pub priority: i16,
    pub state: State,
    pub send_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub idempotency_key: Option<&'a str>,
    pub created_by: &'a str,
    pub text: &'a str,
    pub html: Option<&'a str>,
    pub headers: &'a BTreeMap<String, String>,
    pub attachments: &'a [Attachment],
}

/// Inserts the message and its body.
pub async fn insert(conn: &mut PgConnection, new: &NewMessage<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "WITH body AS (
           INSERT INTO mail_bodies (id, created_at, org_id, text, html, headers, attachments) VALUES ($1, $2, $3, $18, $19, $20, $21)
         )
         INSERT INTO mail_messages (id, created_at, org_id, kind, template, language, from_address, from_name, reply_to, to_address, to_name,
           subject, message_id, lane, state, send_at, idempotency_key, created_by, to_key, expires_at, priority)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $22, $23, $24, $25)",
        new.id.0,
        new.now,
        new.org.map(|org| org.0),
        new.kind,
        new.template,
        new.language,
        new.from.map(Address::address),
        new.from_name,
        new.reply_to,
        new.to.address(),
        new.to.name(),
        new.subject,
        new.message_id,
        new.lane,
        new.state.as_str(),
        new.send_at,
        new.idempotency_key,
        new.text,
        new.html,
        Json(new.headers) as _,
        Json(new.attachments) as _,
        new.created_by,
        new.to.key(),
        new.expires_at,
        new.priority,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// The message that has an idempotency key.
#[derive(Clone, Debug)]
pub struct Keyed {
    pub id: MessageId,
    /// Of the request that made it; `None`: no request did.
    pub digest: Option<Vec<u8>>,
}

/// The message that has this idempotency key.
pub async fn keyed(conn: &mut PgConnection, org: Option<OrgId>, key: &str) -> sqlx::Result<Option<Keyed>> {
    let found = sqlx::query!(
        "SELECT message_id, request_digest FROM mail_keys WHERE org_id IS NOT DISTINCT FROM $1 AND key = $2",
        org.map(|org| org.0),
        key,
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.map(|row| Keyed { id: MessageId(row.message_id), digest: row.request_digest }))
}

/// Takes an idempotency key for a message. Returns the message that has it: another one if the key was taken before; one that takes it at the
/// same time is waited for.
pub async fn take_key(
    conn: &mut PgConnection,
    org: Option<OrgId>,
    key: &str,
    new: &Keyed,
    now: DateTime<Utc>,
) -> sqlx::Result<Keyed> {
    loop {
        let taken = sqlx::query_scalar!(
            "INSERT INTO mail_keys (org_id, key, message_id, created_at, request_digest) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (org_id, key) DO NOTHING RETURNING message_id",
            org.map(|org| org.0),
            key,
            new.id.0,
            now,
            new.digest.as_deref(),
        )
        .fetch_optional(&mut *conn)
        .await?;
        if taken.is_some() {
            return Ok(new.clone());
        }
        // Retention may remove it between the two.
        if let Some(first) = keyed(conn, org, key).await? {
            return Ok(first);
        }
    }
}

/// What decides whether and when a new message is sent.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    pub suppressed: bool,
    /// Messages of the organisation in the last hour, as far as they are counted; 0 for the installation. Those to subscribers of status pages
    /// are counted for themselves.
    pub of_org: i64,
    /// Messages of this owner to the address in the last hour, as far as they are counted.
    pub to_recipient: i64,
    /// Those of this kind among them.
    pub of_kind: i64,
}

/// `since` is an id: ids are ordered by time. `most`: up to how many messages of the organisation, and of those to the address, are counted.
pub async fn standing(
    conn: &mut PgConnection,
    org: Option<OrgId>,
    to: &Address,
    kind: &str,
    since: MessageId,
    (most_of_org, most_to_recipient): (i64, i64),
) -> sqlx::Result<Standing> {
    sqlx::query_as!(
        Standing,
        r#"SELECT
             EXISTS (SELECT FROM mail_suppressions s
                     WHERE s.address = $2 AND s.kind IN ('*', $3) AND s.org_id IS NOT DISTINCT FROM $1) AS "suppressed!",
             (SELECT count(*) FROM (SELECT FROM mail_messages m
                                    WHERE m.org_id = $1 AND m.id >= $4 AND (m.kind = 'status_update') = ($3 = 'status_update') LIMIT $5) few)
               AS "of_org!",
             (SELECT count(*) FROM (SELECT FROM mail_messages m
                                    WHERE m.to_key = $2 AND m.id >= $4 AND m.org_id IS NOT DISTINCT FROM $1 LIMIT $6) few)
               AS "to_recipient!",
             (SELECT count(*) FROM (SELECT FROM mail_messages m
                                    WHERE m.to_key = $2 AND m.id >= $4 AND m.org_id IS NOT DISTINCT FROM $1 AND m.kind = $3 LIMIT $6) few)
               AS "of_kind!""#,
        org.map(|org| org.0),
        to.key(),
        kind,
        since.0,
        most_of_org,
        most_to_recipient,
    )
    .fetch_one(conn)
    .await
}
