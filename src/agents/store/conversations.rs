//! Conversations and messages.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, types::Json};

use crate::model::{
    AgentId, Citation, Conversation, ConversationId, Message, MessageId, MessageStatus, Shortfall, Speaker,
};
use platform::{db::contains, http::Slice, ids::OrgId};

/// Owner of conversations: people and keys see their own.
#[derive(Clone, Copy, Debug)]
pub struct Owner<'a> {
    pub agent: AgentId,
    pub subject: &'a str,
}

pub async fn insert(
    conn: &mut PgConnection,
    org: OrgId,
    conversation: &Conversation,
    subject: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO conversations (id, org_id, agent_id, title, subject, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $6)",
        conversation.id.0,
        org.0,
        conversation.agent_id.0,
        conversation.title,
        subject,
        conversation.created_at
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Conversations of the agent `$1` that are the subject `$2`'s.
macro_rules! select {
    ($rest:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            Conversation,
            r#"SELECT id AS "id: ConversationId", agent_id AS "agent_id: AgentId", title, pinned_at IS NOT NULL AS "pinned!",
                 shared_at IS NOT NULL AS "shared!", created_at, updated_at
               FROM conversations WHERE agent_id = $1 AND subject = $2 AND "# + $rest,
            $($argument),+
        )
    };
}

pub async fn get(conn: &mut PgConnection, owner: Owner<'_>, id: ConversationId) -> sqlx::Result<Option<Conversation>> {
    select!("id = $3", owner.agent.0, owner.subject, id.0).fetch_optional(conn).await
}

/// A conversation, whoever's, with the subject of its owner.
pub async fn of_anybody(
    conn: &mut PgConnection,
    agent: AgentId,
    id: ConversationId,
) -> sqlx::Result<Option<(Conversation, String)>> {
    let row = sqlx::query!(
        r#"SELECT title, subject, pinned_at IS NOT NULL AS "pinned!", shared_at IS NOT NULL AS "shared!", created_at, updated_at
           FROM conversations WHERE id = $1 AND agent_id = $2"#,
        id.0,
        agent.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|r| {
        let conversation = Conversation {
            id,
            agent_id: agent,
            title: r.title,
            pinned: r.pinned,
            shared: r.shared,
            created_at: r.created_at,
            updated_at: r.updated_at,
        };
        (conversation, r.subject)
    }))
}

/// Pins and shares, or no longer; `None` leaves it as it is. The first time of each counts.
pub async fn mark(
    conn: &mut PgConnection,
    id: ConversationId,
    pinned: Option<bool>,
    shared: Option<bool>,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE conversations SET \
           pinned_at = CASE WHEN $2::boolean IS NULL THEN pinned_at WHEN $2 THEN coalesce(pinned_at, $4) END, \
           shared_at = CASE WHEN $3::boolean IS NULL THEN shared_at WHEN $3 THEN coalesce(shared_at, $4) END \
         WHERE id = $1",
        id.0,
        pinned,
        shared,
        now
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Notes which conversation this one was copied from.
pub async fn set_copied_from(conn: &mut PgConnection, id: ConversationId, from: ConversationId) -> sqlx::Result<()> {
    sqlx::query!("UPDATE conversations SET copied_from = $2 WHERE id = $1", id.0, from.0).execute(conn).await.map(drop)
}

/// Newest first; `search` is a substring of the title, or words of one message.
pub async fn list(
    conn: &mut PgConnection,
    owner: Owner<'_>,
    search: Option<&str>,
    slice: &Slice,
) -> sqlx::Result<Vec<Conversation>> {
    let (Owner { agent, subject }, beyond, rows) = (owner, slice.beyond(), slice.rows());
    let Some(search) = search else {
        return select!("id < $3 ORDER BY id DESC LIMIT $4", agent.0, subject, beyond, rows).fetch_all(conn).await;
    };
    select!(
        "id = ANY (ARRAY(SELECT agents_conversations_found($1, $2, $3, $4, $5, $6))) ORDER BY id DESC",
        agent.0,
        subject,
        contains(search),
        search,
        beyond,
        rows
    )
    .fetch_all(conn)
    .await
}

pub async fn rename(conn: &mut PgConnection, id: ConversationId, title: &str, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("UPDATE conversations SET title = $2, updated_at = $3 WHERE id = $1", id.0, title, now)
        .execute(conn)
        .await
        .map(drop)
}

pub async fn delete(conn: &mut PgConnection, owner: Owner<'_>, id: ConversationId) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "DELETE FROM conversations WHERE id = $1 AND agent_id = $2 AND subject = $3",
        id.0,
        owner.agent.0,
        owner.subject
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

pub async fn insert_message(
    conn: &mut PgConnection,
    org: OrgId,
    conversation: ConversationId,
    m: &Message,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO messages (id, org_id, conversation_id, role, status, content, citations, shortfall, agent_version, model, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        m.id.0,
        org.0,
        conversation.0,
        m.role as Speaker,
        m.status as MessageStatus,
        m.content,
        Json(&m.citations) as _,
        Json(&m.shortfall) as _,
        m.agent_version,
        m.model,
        m.created_at
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!("UPDATE conversations SET updated_at = $2 WHERE id = $1", conversation.0, m.created_at)
        .execute(conn)
        .await
        .map(drop)
}

/// Records that the answer is still being written.
pub async fn touch_answer(conn: &mut PgConnection, id: MessageId, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("UPDATE messages SET alive_at = $2 WHERE id = $1 AND status = 'streaming'", id.0, now)
        .execute(conn)
        .await
        .map(drop)
}

/// Reopens an answer for continuation; its text stays. False if it is already in progress.
pub async fn reopen_answer(conn: &mut PgConnection, id: MessageId, now: DateTime<Utc>) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "UPDATE messages SET status = 'streaming', error_code = NULL, alive_at = $2 WHERE id = $1 AND status <> 'streaming'",
        id.0,
        now
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Stores the end of an answer. False if it is not there any more: its conversation was deleted.
pub async fn finish_message(conn: &mut PgConnection, m: &Message) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "UPDATE messages SET status = $2, content = $3, citations = $4, model = $5, error_code = $6, prompt_tokens = $7, \
         completion_tokens = $8, first_token_ms = $9, duration_ms = $10, finish_reason = $11, thinking = $12, agent_version = $13, \
         shortfall = $14 WHERE id = $1",
        m.id.0,
        m.status as MessageStatus,
        m.content,
        Json(&m.citations) as _,
        m.model,
        m.error_code,
        m.prompt_tokens,
        m.completion_tokens,
        m.first_token_ms,
        m.duration_ms,
        m.finish_reason,
        m.thinking,
        m.agent_version,
        Json(&m.shortfall) as _
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Oldest first, without regenerated answers; the newest `limit` of them.
pub async fn messages(conn: &mut PgConnection, conversation: ConversationId, limit: i64) -> sqlx::Result<Vec<Message>> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id: MessageId", role AS "role: Speaker", status AS "status: MessageStatus", parent_id, content,
             citations AS "citations: Json<Vec<Citation>>", shortfall AS "shortfall: Json<Shortfall>", agent_version, model,
             error_code, finish_reason, thinking, prompt_tokens, completion_tokens, first_token_ms, duration_ms, created_at
           FROM messages WHERE conversation_id = $1 AND NOT superseded ORDER BY id DESC LIMIT $2"#,
        conversation.0,
        limit
    )
    .fetch_all(conn)
    .await?;
    let messages = rows.into_iter().rev().map(|r| Message {
        id: r.id,
        role: r.role,
        status: r.status,
        parent_id: r.parent_id.map(MessageId),
        siblings: Vec::new(),
        attachments: Vec::new(),
        feedback: None,
        content: r.content,
        thinking: r.thinking,
        citations: r.citations.0,
        shortfall: r.shortfall.0,
        agent_version: r.agent_version,
        model: r.model,
        error_code: r.error_code,
        finish_reason: r.finish_reason,
        prompt_tokens: r.prompt_tokens,
        completion_tokens: r.completion_tokens,
        first_token_ms: r.first_token_ms,
        duration_ms: r.duration_ms,
        created_at: r.created_at,
    });
    Ok(messages.collect())
}

/// Hides an answer that was regenerated.
pub async fn supersede(conn: &mut PgConnection, id: MessageId) -> sqlx::Result<()> {
    sqlx::query!("UPDATE messages SET superseded = true WHERE id = $1", id.0).execute(conn).await.map(drop)
}

/// Marks abandoned answers as failed: not recorded since `silent_since` and still `streaming`.
pub async fn fail_abandoned(conn: &mut PgConnection, silent_since: DateTime<Utc>) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "UPDATE messages SET status = 'failed', error_code = 'interrupted' \
         WHERE status = 'streaming' AND coalesce(alive_at, created_at) < $1",
        silent_since
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Answers of all organisations in a period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AnswerCounts {
    /// All, with those that failed.
    pub answers: i64,
    pub failed: i64,
    /// People and API keys that asked.
    pub askers: i64,
    /// Answers in the period of the same length before it.
    pub before: i64,
}

/// Answers that were begun in `[since, until)`, and in `[from, since)`. As role `system`.
pub async fn answers_between(
    conn: &mut PgConnection,
    from: DateTime<Utc>,
    since: DateTime<Utc>,
    until: DateTime<Utc>,
) -> sqlx::Result<AnswerCounts> {
    sqlx::query_as!(
        AnswerCounts,
        r#"SELECT count(*) FILTER (WHERE m.created_at >= $2) AS "answers!",
             count(*) FILTER (WHERE m.created_at >= $2 AND m.status = 'failed') AS "failed!",
             count(DISTINCT c.subject) FILTER (WHERE m.created_at >= $2) AS "askers!",
             count(*) FILTER (WHERE m.created_at < $2) AS "before!"
           FROM messages m JOIN conversations c ON c.id = m.conversation_id
           WHERE m.role = 'assistant' AND m.created_at >= $1 AND m.created_at < $3"#,
        from,
        since,
        until
    )
    .fetch_one(conn)
    .await
}
