//! `mail_bounces`, and the mail that a bounce without a Message-ID is about.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{bounces::BounceKind, model::MessageId};
use platform::ids::OrgId;

/// A bounce to insert.
pub struct NewBounce<'a> {
    pub id: Uuid,
    /// The message's owner.
    pub org: Option<OrgId>,
    pub source: &'a str,
    pub event_id: &'a str,
    /// Without angle brackets.
    pub message_id: Option<&'a str>,
    pub address: Option<&'a str>,
    pub kind: BounceKind,
    pub status: &'a str,
    pub detail: &'a str,
    pub raw: &'a str,
    pub now: DateTime<Utc>,
}

/// False where this source has reported it before.
pub async fn insert(conn: &mut PgConnection, new: &NewBounce<'_>) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "INSERT INTO mail_bounces (id, org_id, source, provider_event_id, message_id, address, kind, status, detail, raw, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
         ON CONFLICT (source, provider_event_id) DO NOTHING",
        new.id,
        new.org.map(|org| org.0),
        new.source,
        new.event_id,
        new.message_id,
        new.address,
        new.kind.as_str(),
        new.status,
        new.detail,
        new.raw,
        new.now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// A mail that came back.
#[derive(Clone, Debug)]
pub struct Returned {
    pub id: MessageId,
    pub org: Option<OrgId>,
    pub kind: String,
    pub to_address: String,
}

/// What is known of a mail besides its Message-ID.
pub struct Clues<'a> {
    pub org: Option<OrgId>,
    /// Its recipient, in lower case.
    pub address: &'a str,
    /// Part of the server's answer to it.
    pub provider_id: Option<&'a str>,
    /// Whether only such an answer is enough.
    pub needs_answer: bool,
    /// When it was sent.
    pub after: DateTime<Utc>,
    pub before: DateTime<Utc>,
}

/// The mail of this owner that the server answered with the provider's id; otherwise the last one to this address. For the installation, whose account
/// sends the mail of all: the one of any owner that was answered so; otherwise the last of its own.
pub async fn by_clues(conn: &mut PgConnection, clues: &Clues<'_>) -> sqlx::Result<Option<Returned>> {
    let found = sqlx::query!(
        r#"SELECT m.id AS "id!", m.org_id AS "org_id?", m.kind AS "kind!", m.to_address AS "to_address!"
           FROM (
             SELECT s.id, s.org_id, s.kind, s.to_address,
               EXISTS (SELECT FROM mail_attempts a
                 WHERE a.message_id = s.id AND a.created_at = s.created_at AND strpos(a.answer, $3::text) > 0) AS answered
             FROM mail_messages s
             WHERE s.to_key = $1 AND (s.org_id IS NOT DISTINCT FROM $2 OR $2::uuid IS NULL AND $3::text IS NOT NULL)
               AND (s.sent_at IS NOT NULL OR s.maybe_sent) AND coalesce(s.sent_at, s.send_at) BETWEEN $5 AND $6
             ORDER BY s.id DESC LIMIT 200) m
           WHERE m.answered OR NOT $4::boolean AND m.org_id IS NOT DISTINCT FROM $2
           ORDER BY m.answered DESC, m.id DESC LIMIT 1"#,
        clues.address,
        clues.org.map(|org| org.0),
        clues.provider_id,
        clues.needs_answer,
        clues.after,
        clues.before,
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.map(|row| Returned {
        id: MessageId(row.id),
        org: row.org_id.map(OrgId),
        kind: row.kind,
        to_address: row.to_address,
    }))
}
