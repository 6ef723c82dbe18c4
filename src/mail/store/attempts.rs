//! Attempts: taking due messages of a lane, and recording the results. A message's number of attempts is its fencing token: whoever took it
//! with that number may record the result, as long as nobody else took it after that.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use super::outbox::NO_DOMAIN;
use crate::model::{Attachment, AttemptOutcome, DomainId, MessageId, State};
use platform::ids::OrgId;

/// A message that was taken, with all that sending it needs.
pub struct Taken {
    pub id: Uuid,
    pub created_at: DateTime<Utc>,
    pub org_id: Option<Uuid>,
    pub kind: String,
    pub from_address: Option<String>,
    pub from_name: String,
    pub reply_to: Option<String>,
    pub to_address: String,
    pub to_name: String,
    pub subject: String,
    pub message_id: String,
    pub attempts: i32,
    /// How often the account failed at this mail.
    pub account_failures: i32,
    pub tried_since: Option<DateTime<Utc>>,
    /// Since when the server has had no connection for it, attempt after attempt.
    pub busy_since: Option<DateTime<Utc>>,
    pub text: String,
    pub html: Option<String>,
    pub headers: Json<BTreeMap<String, String>>,
    pub attachments: Json<Vec<Attachment>>,
    /// The recipient was suppressed after the message was queued, or is for all mail of the installation.
    pub suppressed: bool,
    /// The sender's domain and its sealed keys, if it is verified.
    pub domain_id: Option<Uuid>,
    pub domain: Option<String>,
    pub selector: Option<String>,
    pub rsa_private: Option<Vec<u8>>,
    pub ed25519_private: Option<Vec<u8>>,
    /// Whether the sender's domain is a verified one of the message's owner.
    pub owns_domain: bool,
    /// Whether the record of the Ed25519 key is there.
    pub has_ed25519: bool,
}

impl Taken {
    pub fn org(&self) -> Option<OrgId> {
        self.org_id.map(OrgId)
    }
}

/// Takes up to `most` due messages, the most urgent first and of those the oldest; none that is of no use any more. `sender` is the configured
/// one, whose domain a Message-ID gets that has none yet: it stays so, whatever the settings become.
pub async fn take(
    conn: &mut PgConnection,
    lane: &str,
    sender: &str,
    most: i64,
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<Taken>> {
    sqlx::query_as!(
        Taken,
        r#"WITH due AS (
             SELECT id, created_at FROM mail_messages
             WHERE lane = $1 AND state = 'queued' AND send_at <= $3 AND (expires_at IS NULL OR expires_at > $3)
             ORDER BY priority, send_at LIMIT $4 FOR UPDATE SKIP LOCKED
           ), taken AS (
             UPDATE mail_messages m SET state = 'sending', attempts = m.attempts + 1,
               message_id = replace(m.message_id, $5, '@' || split_part($2, '@', 2))
             FROM due WHERE m.id = due.id AND m.created_at = due.created_at
             RETURNING m.*
           ), noted AS (
             INSERT INTO mail_attempts (message_id, attempt, created_at, org_id, began_at)
             SELECT t.id, t.attempts, t.created_at, t.org_id, $3 FROM taken t
           )
           SELECT t.id AS "id!", t.created_at AS "created_at!", t.org_id, t.kind AS "kind!", t.from_address, t.from_name AS "from_name!",
             t.reply_to, t.to_address AS "to_address!", t.to_name AS "to_name!", t.subject AS "subject!", t.message_id AS "message_id!",
             t.attempts AS "attempts!", t.account_failures AS "account_failures!", t.tried_since, t.busy_since, b.text AS "text!", b.html,
             b.headers AS "headers!: Json<BTreeMap<String, String>>", b.attachments AS "attachments!: Json<Vec<Attachment>>",
             EXISTS (SELECT FROM mail_suppressions s WHERE s.address = t.to_key
                       AND (s.org_id IS NOT DISTINCT FROM t.org_id AND s.kind IN ('*', t.kind) OR s.org_id IS NULL AND s.kind = '*'))
               AS "suppressed!",
             d.id AS "domain_id?", d.domain AS "domain?", d.selector AS "selector?", d.rsa_private AS "rsa_private?",
             d.ed25519_private AS "ed25519_private?", coalesce(d.ed25519_published, false) AS "has_ed25519!",
             (d.id IS NOT NULL AND d.org_id IS NOT DISTINCT FROM t.org_id) AS "owns_domain!"
           FROM taken t JOIN mail_bodies b ON b.id = t.id AND b.created_at = t.created_at
             LEFT JOIN mail_domains d ON d.domain = split_part(coalesce(t.from_address, $2), '@', 2) AND d.verified_at IS NOT NULL
               AND (d.org_id = t.org_id OR d.org_id IS NULL)
           ORDER BY t.priority, t.send_at, t.id"#,
        lane,
        sender,
        now,
        most,
        NO_DOMAIN,
    )
    .fetch_all(conn)
    .await
}

/// The result of an attempt.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "columns")]
pub struct Settled {
    pub id: MessageId,
    pub created_at: DateTime<Utc>,
    pub attempt: i32,
    pub began_at: DateTime<Utc>,
    pub state: State,
    /// Next attempt; `None`: as before.
    pub send_at: Option<DateTime<Utc>>,
    pub outcome: AttemptOutcome,
    pub status: Option<i32>,
    pub enhanced: Option<String>,
    /// The server's answer, or the error.
    pub answer: String,
    pub maybe_sent: bool,
    /// Whether the mail itself was tried: from the first such attempt on its time runs.
    pub tried: bool,
    /// The account failed when the server had been told of this mail.
    pub account_failed: bool,
    /// The server had no connection for it.
    pub busy: bool,
    pub milliseconds: i32,
}

/// Records results. Returns the messages whose result was taken: not those that another run has taken over meanwhile. That a mail was sent is also
/// recorded if [`recover`] has queued it again, as long as nobody has begun a further attempt.
pub async fn settle(conn: &mut PgConnection, settled: &[Settled], now: DateTime<Utc>) -> sqlx::Result<Vec<MessageId>> {
    let ids: Vec<Uuid> = settled.iter().map(|s| s.id.0).collect();
    let created: Vec<DateTime<Utc>> = settled.iter().map(|s| s.created_at).collect();
    let attempts: Vec<i32> = settled.iter().map(|s| s.attempt).collect();
    let began: Vec<DateTime<Utc>> = settled.iter().map(|s| s.began_at).collect();
    let states: Vec<String> = settled.iter().map(|s| s.state.as_str().to_owned()).collect();
    let send_at: Vec<Option<DateTime<Utc>>> = settled.iter().map(|s| s.send_at).collect();
    let outcomes: Vec<String> = settled.iter().map(|s| s.outcome.as_str().to_owned()).collect();
    let statuses: Vec<Option<i32>> = settled.iter().map(|s| s.status).collect();
    let enhanced: Vec<Option<String>> = settled.iter().map(|s| s.enhanced.clone()).collect();
    let answers: Vec<String> = settled.iter().map(|s| s.answer.clone()).collect();
    let maybe_sent: Vec<bool> = settled.iter().map(|s| s.maybe_sent).collect();
    let tried: Vec<bool> = settled.iter().map(|s| s.tried).collect();
    let account_failed: Vec<bool> = settled.iter().map(|s| s.account_failed).collect();
    let busy: Vec<bool> = settled.iter().map(|s| s.busy).collect();
    let milliseconds: Vec<i32> = settled.iter().map(|s| s.milliseconds).collect();
    let kept = sqlx::query_scalar!(
        r#"WITH said AS (
             SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::integer[], $4::timestamptz[], $5::text[], $6::timestamptz[], $7::text[],
                 $8::integer[], $9::text[], $10::text[], $11::boolean[], $12::boolean[], $13::integer[], $15::boolean[], $16::boolean[])
               AS s (id, created_at, attempt, began_at, state, send_at, outcome, status, enhanced, answer, maybe_sent, tried, milliseconds,
                 account_failed, busy)
           ), noted AS (
             UPDATE mail_attempts a SET ended_at = $14, outcome = s.outcome, status = s.status, answer = s.answer, milliseconds = s.milliseconds
             FROM said s WHERE a.message_id = s.id AND a.created_at = s.created_at AND a.attempt = s.attempt
           )
           UPDATE mail_messages m SET state = s.state, send_at = coalesce(s.send_at, m.send_at), status = s.status, enhanced = s.enhanced,
             error = CASE WHEN s.state <> 'sent' THEN s.answer END, maybe_sent = m.maybe_sent OR s.maybe_sent,
             tried_since = CASE WHEN s.tried THEN coalesce(m.tried_since, s.began_at) ELSE m.tried_since END,
             sent_at = CASE WHEN s.state = 'sent' THEN $14::timestamptz END,
             account_failures = m.account_failures + s.account_failed::integer,
             busy_since = CASE WHEN s.busy THEN coalesce(m.busy_since, s.began_at) END
           FROM said s WHERE m.id = s.id AND m.created_at = s.created_at AND m.attempts = s.attempt
             AND (m.state = 'sending' OR m.state = 'queued' AND s.state = 'sent')
           RETURNING m.id AS "id!""#,
        &ids,
        &created,
        &attempts,
        &began,
        &states,
        &send_at as &[Option<DateTime<Utc>>],
        &outcomes,
        &statuses as &[Option<i32>],
        &enhanced as &[Option<String>],
        &answers,
        &maybe_sent,
        &tried,
        &milliseconds,
        now,
        &account_failed,
        &busy,
    )
    .fetch_all(conn)
    .await?;
    Ok(kept.into_iter().map(MessageId).collect())
}

/// A message whose attempt was cut off.
pub struct Cut {
    pub id: MessageId,
    pub org: Option<OrgId>,
    pub kind: String,
    /// It was tried for too long: not queued again.
    pub failed: bool,
}

/// Queues again what was being sent when its process ended: one run of a lane at a time, so what is `sending` when one begins is of a run that
/// is gone. What was tried several times waits, in case it is the mail that ends the process, and what was tried since before `oldest` has
/// failed.
pub async fn recover(
    conn: &mut PgConnection,
    lane: &str,
    now: DateTime<Utc>,
    oldest: DateTime<Utc>,
) -> sqlx::Result<Vec<Cut>> {
    let rows = sqlx::query!(
        r#"WITH cut AS (
             UPDATE mail_messages m SET maybe_sent = true, status = NULL, enhanced = NULL,
               state = CASE WHEN coalesce(m.tried_since, a.began_at) < $3 THEN 'failed' ELSE 'queued' END,
               error = 'the process ended during the attempt', tried_since = coalesce(m.tried_since, a.began_at),
               send_at = CASE WHEN m.attempts > 5 THEN $2::timestamptz + interval '5 minutes' ELSE $2 END
             FROM mail_attempts a
             WHERE m.lane = $1 AND m.state = 'sending'
               AND a.message_id = m.id AND a.created_at = m.created_at AND a.attempt = m.attempts
             RETURNING m.id, m.created_at, m.org_id, m.kind, m.state, m.attempts
           ), noted AS (
             UPDATE mail_attempts a SET ended_at = $2, outcome = 'lost', answer = 'the process ended during the attempt'
             FROM cut WHERE a.message_id = cut.id AND a.created_at = cut.created_at AND a.attempt = cut.attempts AND a.ended_at IS NULL
           )
           SELECT id AS "id!", org_id, kind AS "kind!", state = 'failed' AS "failed!" FROM cut"#,
        lane,
        now,
        oldest,
    )
    .fetch_all(conn)
    .await?;
    let cut = rows.into_iter().map(|row| Cut {
        id: MessageId(row.id),
        org: row.org_id.map(OrgId),
        kind: row.kind,
        failed: row.failed,
    });
    Ok(cut.collect())
}

/// A message that failed while nobody tried it.
pub struct Ended {
    pub id: MessageId,
    pub org: Option<OrgId>,
    pub kind: String,
}

/// Ends up to `most` queued messages that are of no use any more, whether or not mail can be sent. `why`: begin of the error to note.
pub async fn expire(conn: &mut PgConnection, now: DateTime<Utc>, why: &str, most: i64) -> sqlx::Result<Vec<Ended>> {
    let rows = sqlx::query!(
        r#"WITH late AS (
             SELECT id, created_at FROM mail_messages WHERE state = 'queued' AND expires_at <= $1
             ORDER BY expires_at LIMIT $3 FOR UPDATE SKIP LOCKED
           )
           UPDATE mail_messages m SET state = 'failed', error = concat_ws('; the last attempt: ', $2::text, m.error)
           FROM late WHERE m.id = late.id AND m.created_at = late.created_at
           RETURNING m.id AS "id!", m.org_id, m.kind AS "kind!""#,
        now,
        why,
        most,
    )
    .fetch_all(conn)
    .await?;
    let ended = rows.into_iter().map(|row| Ended { id: MessageId(row.id), org: row.org_id.map(OrgId), kind: row.kind });
    Ok(ended.collect())
}

/// Sealed keys of a domain.
pub struct SealedKeys<'a> {
    pub id: DomainId,
    pub domain: &'a str,
    pub selector: &'a str,
    pub rsa_private: &'a [u8],
    pub ed25519_private: &'a [u8],
}

impl Taken {
    /// The keys that sign it.
    pub fn keys(&self) -> Option<SealedKeys<'_>> {
        Some(SealedKeys {
            id: DomainId(self.domain_id?),
            domain: self.domain.as_deref()?,
            selector: self.selector.as_deref()?,
            rsa_private: self.rsa_private.as_deref()?,
            ed25519_private: self.ed25519_private.as_deref()?,
        })
    }
}
