//! Conversations and answers.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::sse;
use crate::{
    model::{AgentId, Conversation, ConversationId, Message},
    service::{Agents, AnswerEvent, Ask, Failure, Joined},
};
use llm::INFERENCE;
use platform::{
    error::{ApiError, Problem},
    http::{Auth, Json, ListQuery, Page, Path, Query},
};

const TAG: &str = "Conversations";

/// A conversation with its messages, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Whole {
    #[serde(flatten)]
    conversation: Conversation,
    messages: Vec<Message>,
}

/// Start a conversation
#[utoipa::path(post, path = "/api/v1/agents/{agent}/conversations", tag = TAG, params(("agent" = AgentId, Path)),
    responses((status = 201, body = Conversation), (status = 404, body = Problem)))]
pub(super) async fn start_conversation(
    State(agents): State<Agents>,
    Auth(who): Auth,
    Path(agent): Path<AgentId>,
) -> Result<(StatusCode, Json<Conversation>), ApiError> {
    who.require(INFERENCE)?;
    Ok((StatusCode::CREATED, Json(agents.start_conversation(&who, agent).await?)))
}

/// List your conversations with an agent, newest first
#[utoipa::path(get, path = "/api/v1/agents/{agent}/conversations", tag = TAG,
    params(("agent" = AgentId, Path), ListQuery,
        ("q" = Option<String>, Query, description = "A part of the title, or words of one message: each as it stands, as the beginning of a longer one, or with another ending (English, Russian).")),
    responses((status = 200, body = Page<Conversation>), (status = 404, body = Problem)))]
pub(super) async fn list_conversations(
    State(agents): State<Agents>,
    Auth(who): Auth,
    Path(agent): Path<AgentId>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Conversation>>, ApiError> {
    who.require(INFERENCE)?;
    let slice = query.slice()?;
    let found = agents.conversations(&who, agent, query.search(), &slice).await?;
    Ok(Json(slice.page(found, |c| c.id.0)))
}

/// Read a conversation with its messages
#[utoipa::path(get, path = "/api/v1/agents/{agent}/conversations/{conversation}", tag = TAG,
    params(("agent" = AgentId, Path), ("conversation" = ConversationId, Path)),
    responses((status = 200, body = Whole), (status = 404, body = Problem)))]
pub(super) async fn get_conversation(
    State(agents): State<Agents>,
    Auth(who): Auth,
    Path((agent, id)): Path<(AgentId, ConversationId)>,
) -> Result<Json<Whole>, ApiError> {
    who.require(INFERENCE)?;
    let (conversation, messages) = agents.conversation(&who, agent, id).await?;
    Ok(Json(Whole { conversation, messages }))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rename {
    #[schema(min_length = 1, max_length = 200, pattern = r"\S")]
    title: String,
}

/// Rename a conversation
#[utoipa::path(patch, path = "/api/v1/agents/{agent}/conversations/{conversation}", tag = TAG,
    params(("agent" = AgentId, Path), ("conversation" = ConversationId, Path)), request_body = Rename,
    responses((status = 200, body = Conversation), (status = 404, body = Problem)))]
pub(super) async fn rename_conversation(
    State(agents): State<Agents>,
    Auth(who): Auth,
    Path((agent, id)): Path<(AgentId, ConversationId)>,
    Json(body): Json<Rename>,
) -> Result<Json<Conversation>, ApiError> {
    who.require(INFERENCE)?;
    Ok(Json(agents.rename_conversation(&who, agent, id, &body.title).await?))
}

/// Delete a conversation with its messages
#[utoipa::path(delete, path = "/api/v1/agents/{agent}/conversations/{conversation}", tag = TAG,
    params(("agent" = AgentId, Path), ("conversation" = ConversationId, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub(super) async fn delete_conversation(
    State(agents): State<Agents>,
    Auth(who): Auth,
    Path((agent, id)): Path<(AgentId, ConversationId)>,
) -> Result<StatusCode, ApiError> {
    who.require(INFERENCE)?;
    agents.delete_conversation(&who, agent, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewMessage {
    /// The question.
    #[schema(min_length = 1, pattern = r"\S")]
    content: String,
    /// Stream the answer as server-sent events; also with `Accept: text/event-stream`.
    #[serde(default)]
    stream: bool,
}

/// Ask a question
///
/// With `stream` the answer comes as server-sent events: `start`, `sources`, `thinking` and `delta`..., `end`;
/// otherwise as one message. `rewrite` replaces all `delta` and `thinking` so far: a model's thinking cannot always be
/// recognised from its beginning. The message's `finish_reason` is `length` if the answer was cut off at the limit.
/// Closing the connection stops the answer; the text so far is kept.
///
/// `sources` also reports parts of the search that the model did not see (`shortfall`). `Idempotency-Key` is not
/// supported (400): if you do not know whether a question arrived, read the conversation.
#[utoipa::path(post, path = "/api/v1/agents/{agent}/conversations/{conversation}/messages", tag = TAG,
    params(("agent" = AgentId, Path), ("conversation" = ConversationId, Path)), request_body = NewMessage,
    responses((status = 200, body = Message), (status = 404, body = Problem), (status = 409, body = Problem), (status = 429, body = Problem)))]
pub(super) async fn post_message(
    State(agents): State<Agents>,
    Auth(who): Auth,
    Path((agent, id)): Path<(AgentId, ConversationId)>,
    headers: HeaderMap,
    Json(body): Json<NewMessage>,
) -> Result<Response, ApiError> {
    who.require(INFERENCE)?;
    refuse_key(&headers)?;
    let ask = Ask::Question { text: body.content, attachments: Vec::new() };
    let asked = agents.ask(&who, agent, id, ask).await?;
    answer(&agents, asked, body.stream || wants_events(&headers)).await
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Regenerate {
    stream: bool,
}

/// Answer the last question again
#[utoipa::path(post, path = "/api/v1/agents/{agent}/conversations/{conversation}/regenerate", tag = TAG,
    params(("agent" = AgentId, Path), ("conversation" = ConversationId, Path)), request_body = Regenerate,
    responses((status = 200, body = Message), (status = 409, body = Problem), (status = 429, body = Problem)))]
pub(super) async fn regenerate_answer(
    State(agents): State<Agents>,
    Auth(who): Auth,
    Path((agent, id)): Path<(AgentId, ConversationId)>,
    headers: HeaderMap,
    Json(body): Json<Regenerate>,
) -> Result<Response, ApiError> {
    who.require(INFERENCE)?;
    refuse_key(&headers)?;
    let asked = agents.ask(&who, agent, id, Ask::Again { model: None }).await?;
    answer(&agents, asked, body.stream || wants_events(&headers)).await
}

/// Continue an incomplete answer
///
/// For an answer that was cut off at the limit (`finish_reason` is `length`), stopped, or interrupted: the model
/// continues the same message. In a stream, `delta` contains only the added text.
#[utoipa::path(post, path = "/api/v1/agents/{agent}/conversations/{conversation}/continue", tag = TAG,
    params(("agent" = AgentId, Path), ("conversation" = ConversationId, Path)), request_body = Regenerate,
    responses((status = 200, body = Message), (status = 404, body = Problem), (status = 409, body = Problem), (status = 429, body = Problem)))]
pub(super) async fn continue_answer(
    State(agents): State<Agents>,
    Auth(who): Auth,
    Path((agent, id)): Path<(AgentId, ConversationId)>,
    headers: HeaderMap,
    Json(body): Json<Regenerate>,
) -> Result<Response, ApiError> {
    who.require(INFERENCE)?;
    refuse_key(&headers)?;
    let asked = agents.ask(&who, agent, id, Ask::Continue).await?;
    answer(&agents, asked, body.stream || wants_events(&headers)).await
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Stopped {
    /// Whether an answer was being written.
    stopped: bool,
}

/// Stop the answer that is being written
#[utoipa::path(post, path = "/api/v1/agents/{agent}/conversations/{conversation}/stop", tag = TAG,
    params(("agent" = AgentId, Path), ("conversation" = ConversationId, Path)),
    responses((status = 200, body = Stopped), (status = 404, body = Problem)))]
pub(super) async fn stop_answer(
    State(agents): State<Agents>,
    Auth(who): Auth,
    Path((agent, id)): Path<(AgentId, ConversationId)>,
) -> Result<Json<Stopped>, ApiError> {
    who.require(INFERENCE)?;
    Ok(Json(Stopped { stopped: agents.stop_answer(&who, agent, id).await? }))
}

/// Answers cannot be stored and replayed under a key: they are streamed and may take minutes. A client that relies on a
/// key learns so before it asks twice.
fn refuse_key(headers: &HeaderMap) -> Result<(), ApiError> {
    if !headers.contains_key("idempotency-key") {
        return Ok(());
    }
    let text = "answers take no Idempotency-Key: leave it out, and where it is not known whether a question arrived, read the conversation: \
                a question that was taken stands in it, with its answer";
    Err(ApiError::bad_request("idempotency_key_not_supported", text))
}

fn wants_events(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("text/event-stream"))
}

async fn answer(agents: &Agents, asked: Joined, stream: bool) -> Result<Response, ApiError> {
    if stream {
        return Ok(sse::respond(asked, agents.llm().heartbeat()));
    }
    let mut events = asked.events;
    while let Some((_, event)) = events.next().await {
        if let AnswerEvent::End { message, error, failure } = event {
            return match failure {
                None => Ok(Json(message).into_response()),
                Some(Failure { status, retry_after }) => Err(ApiError {
                    retry_after,
                    ..ApiError::new(status, message.error_code.unwrap_or_default(), error.unwrap_or_default())
                }),
            };
        }
    }
    Err(ApiError::internal(anyhow::anyhow!("the task that writes the answer has ended")))
}
