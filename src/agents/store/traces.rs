//! `agent_traces`, `agent_trace_details`, `agent_document_uses`, `agent_privacy`

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{answer::TraceRow, model::MessageId};

/// Since when the organisation lets its administrators read what is asked; `None`: they may not.
pub async fn visible_since(conn: &mut PgConnection) -> sqlx::Result<Option<DateTime<Utc>>> {
    let row = sqlx::query_scalar!("SELECT conversations_since FROM agent_privacy").fetch_optional(conn).await?;
    Ok(row.flatten())
}

/// Inserts the figures of an answer; the key of its question only where its text is kept, too.
pub async fn insert(conn: &mut PgConnection, row: &TraceRow, is_kept: bool) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO agent_traces (id, org_id, agent_id, agent_version, subject, via, conversation_id, message_id, trace_id, status, \
           error_code, model, grounded, sources, cited, question_key, prompt_tokens, completion_tokens, cost, search_ms, first_token_ms, \
           duration_ms, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, agents_question_key($16), $17, $18, $19, $20, $21, $22, $23)",
        row.id.0,
        row.org.0,
        row.agent.0,
        row.agent_version,
        row.subject,
        row.via.as_str(),
        row.conversation.map(|id| id.0),
        row.message.map(|id| id.0),
        row.trace_id,
        row.status.word(),
        row.error_code,
        row.model,
        row.grounded,
        row.sources,
        row.cited,
        is_kept.then_some(row.question.as_str()),
        row.prompt_tokens,
        row.completion_tokens,
        row.cost,
        row.search_ms,
        row.first_token_ms,
        row.duration_ms,
        row.asked_at
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Inserts what was asked, searched, given and answered.
pub async fn insert_detail(conn: &mut PgConnection, row: &TraceRow) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO agent_trace_details (trace_id, org_id, message_id, question, answer, detail, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        row.id.0,
        row.org.0,
        row.message.map(|id| id.0),
        row.question,
        row.answer,
        row.detail(),
        row.asked_at
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Counts an answer that cites these documents; those that were deleted meanwhile are not counted. In the order of ids: two answers wait for each
/// other instead of dying.
pub async fn count_uses(conn: &mut PgConnection, documents: &[Uuid], at: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO agent_document_uses AS u (document_id, org_id, uses, last_used_at) \
         SELECT d.id, d.org_id, 1, $2 \
         FROM (SELECT id, org_id FROM knowledge_documents WHERE id = ANY($1) ORDER BY id FOR KEY SHARE) AS d \
         ON CONFLICT ON CONSTRAINT agent_document_uses_pkey \
         DO UPDATE SET uses = u.uses + 1, last_used_at = greatest(u.last_used_at, excluded.last_used_at)",
        documents,
        at
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Copies what somebody thinks of an answer to the figures of its runs: -1, 0 or 1.
pub async fn set_feedback(conn: &mut PgConnection, message: MessageId, feedback: i16) -> sqlx::Result<()> {
    sqlx::query!("UPDATE agent_traces SET feedback = $2 WHERE message_id = $1", message.0, feedback)
        .execute(conn)
        .await
        .map(drop)
}
