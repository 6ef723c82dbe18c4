//! `agent_attachments`

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::model::{AgentId, Attachment, AttachmentId, AttachmentKind, ConversationId, MessageId};
use platform::ids::OrgId;

/// An attachment to insert; no question has it yet.
pub struct NewAttachment<'a> {
    pub org: OrgId,
    pub agent: AgentId,
    pub subject: &'a str,
    pub attachment: &'a Attachment,
    /// Of a picture: which object it is, and the hash of that.
    pub object: Option<(Uuid, [u8; 32])>,
    /// Of a document.
    pub text: &'a str,
}

pub async fn insert(conn: &mut PgConnection, new: &NewAttachment<'_>) -> sqlx::Result<()> {
    let attached = new.attachment;
    sqlx::query!(
        "INSERT INTO agent_attachments (id, org_id, agent_id, subject, kind, filename, media_type, size, object_id, sha256, width, height, \
           text, cut, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        attached.id.0,
        new.org.0,
        new.agent.0,
        new.subject,
        attached.kind.as_str(),
        attached.filename,
        attached.media_type,
        attached.size,
        new.object.map(|(object, _)| object),
        new.object.map(|(_, sha256)| sha256.to_vec()),
        attached.width,
        attached.height,
        new.text,
        attached.cut,
        attached.created_at
    )
    .execute(conn)
    .await
    .map(drop)
}

/// An attachment as it is stored.
pub struct Stored {
    pub attachment: Attachment,
    pub subject: String,
    /// Of a picture.
    pub object: Option<Uuid>,
    /// Where it was asked, if it was.
    pub conversation: Option<ConversationId>,
}

pub async fn get(conn: &mut PgConnection, agent: AgentId, id: AttachmentId) -> sqlx::Result<Option<Stored>> {
    let row = sqlx::query!(
        r#"SELECT a.kind AS "kind: AttachmentKind", a.filename, a.media_type, a.size, a.width, a.height, a.cut, a.created_at, a.subject,
             a.object_id, m.conversation_id AS "conversation_id?"
           FROM agent_attachments a LEFT JOIN messages m ON m.id = a.message_id WHERE a.id = $1 AND a.agent_id = $2"#,
        id.0,
        agent.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|r| Stored {
        attachment: Attachment {
            id,
            kind: r.kind,
            filename: r.filename,
            media_type: r.media_type,
            size: r.size,
            width: r.width,
            height: r.height,
            cut: r.cut,
            created_at: r.created_at,
        },
        subject: r.subject,
        object: r.object_id,
        conversation: r.conversation_id.map(ConversationId),
    }))
}

/// Those of these messages, in their order.
pub async fn of(conn: &mut PgConnection, messages: &[Uuid]) -> sqlx::Result<Vec<(MessageId, Attachment)>> {
    let rows = sqlx::query!(
        r#"SELECT message_id AS "message_id!", id, kind AS "kind: AttachmentKind", filename, media_type, size, width, height, cut, created_at
           FROM agent_attachments WHERE message_id = ANY($1) ORDER BY message_id, ordinal"#,
        messages
    )
    .fetch_all(conn)
    .await?;
    let found = rows.into_iter().map(|r| {
        let attachment = Attachment {
            id: AttachmentId(r.id),
            kind: r.kind,
            filename: r.filename,
            media_type: r.media_type,
            size: r.size,
            width: r.width,
            height: r.height,
            cut: r.cut,
            created_at: r.created_at,
        };
        (MessageId(r.message_id), attachment)
    });
    Ok(found.collect())
}

/// Gives what the subject has uploaded for this agent to a question, in this order; returns how many of them there are.
pub async fn claim(
    conn: &mut PgConnection,
    agent: AgentId,
    subject: &str,
    message: MessageId,
    ids: &[Uuid],
) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "UPDATE agent_attachments a SET message_id = $3, ordinal = (wanted.n)::smallint \
         FROM unnest($4::uuid[]) WITH ORDINALITY AS wanted (id, n) \
         WHERE a.id = wanted.id AND a.agent_id = $1 AND a.subject = $2 AND a.message_id IS NULL",
        agent.0,
        subject,
        message.0,
        ids
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Copies those of a message for another one; the pictures are the same objects.
pub async fn copy(
    conn: &mut PgConnection,
    from: MessageId,
    to: MessageId,
    subject: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO agent_attachments (id, org_id, agent_id, subject, message_id, ordinal, kind, filename, media_type, size, object_id, \
           sha256, width, height, text, cut, created_at) \
         SELECT gen_random_uuid(), org_id, agent_id, $3, $2, ordinal, kind, filename, media_type, size, object_id, sha256, width, height, \
           text, cut, $4 FROM agent_attachments WHERE message_id = $1",
        from.0,
        to.0,
        subject,
        now
    )
    .execute(conn)
    .await
    .map(drop)
}
