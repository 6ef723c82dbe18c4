//! `agent/<slug>` as a model: the same answers, for any client that speaks OpenAI's chat format.

use std::sync::Arc;

use async_trait::async_trait;
use futures::stream;
use serde_json::{Map, Value, json};

use super::{
    answer::{Answer, Overrides, Question},
    error::AgentError,
    model::{Agent, Citation, Message, MessageId, MessageStatus, Speaker},
    service::{Agents, WeakAgents},
};
use crate::llm::{
    self, BackendKind, CallContext, ChatChunk, ChatRequest, ChatStream, Chunk, ChunkChoice, Delta, LlmError,
    ModelBackend, ModelInfo,
};
use crate::platform::error::ApiError;

/// Answers for `agent/<slug>`. Holds the service weakly: the service holds the gateway, which holds this.
#[derive(Debug)]
pub struct AgentBackend {
    agents: WeakAgents,
}

impl AgentBackend {
    pub fn new(agents: &Agents) -> Self {
        Self { agents: agents.downgrade() }
    }

    fn agents(&self) -> Result<Agents, LlmError> {
        self.agents.upgrade().ok_or_else(|| LlmError::Api(ApiError::internal(anyhow::anyhow!("the agents are gone"))))
    }
}

#[async_trait]
impl ModelBackend for AgentBackend {
    fn kind(&self) -> BackendKind {
        BackendKind::Agent
    }

    async fn models(&self, org: crate::platform::ids::OrgId) -> Result<Vec<ModelInfo>, LlmError> {
        let agents = self.agents()?.list(org, None, None, 500).await.map_err(gateway_error)?;
        Ok(agents.into_iter().map(|a| ModelInfo { id: a.model_name(), owned_by: "agents".into() }).collect())
    }

    async fn stream(&self, call: &CallContext, model: &str, request: ChatRequest) -> Result<ChatStream, LlmError> {
        if call.agent_id.is_some() {
            return Err(LlmError::invalid("model", "agent_recursion", "an agent cannot be another agent's model"));
        }
        let agents = self.agents()?;
        let mut agent = agents.get_by_slug(call.org_id, model).await.map_err(|error| match error {
            AgentError::NotFound(_) => LlmError::UnknownModel(format!("agent/{model}")),
            other => gateway_error(other),
        })?;
        let (history, question) = split(&mut agent, &request.messages)?;
        let question = agents
            .check_question(&question)
            .map_err(|why| LlmError::invalid("messages", "invalid_length", format!("the question has {why}")))?;
        let asked = Question {
            org: call.org_id,
            actor: call.actor.clone(),
            agent: &agent,
            history: &history,
            text: &question,
            conversation: None,
            overrides: overrides(request)?,
        };
        let place = agents.engine().enter().map_err(gateway_error)?;
        let answer = agents.engine().start(&asked, place).await.map_err(gateway_error)?;
        let head = ChatChunk {
            id: format!("chatcmpl-{}", MessageId::generate(agents.clock()).0.simple()),
            object: "chat.completion.chunk".into(),
            created: agents.clock().now().timestamp(),
            model: agent.model_name(),
            ..ChatChunk::default()
        };
        Ok(ChatStream::new(stream::unfold(State { answer, head, phase: Phase::Role }, step)))
    }
}

/// What a client may say about how the model behind an agent writes.
const PASSED_ON: [&str; 9] = [
    "top_p",
    "stop",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "reasoning_effort",
    "verbosity",
    "user",
];

/// The request's own settings. What would change what an agent is, is refused: an answer that silently ignores it would
/// look as if it had been done.
fn overrides(request: ChatRequest) -> Result<Overrides, LlmError> {
    let refuse = |param: &str, why: &str| Err(LlmError::invalid(param, "unsupported_parameter", why));
    let extra = &request.extra;
    if extra.get("n").is_some_and(|n| !n.is_null() && *n != json!(1)) {
        return refuse("n", "an agent gives one answer: leave `n` out");
    }
    for name in ["tools", "functions"] {
        if extra.get(name).and_then(Value::as_array).is_some_and(|list| !list.is_empty()) {
            return refuse(name, "an agent takes no tools from its caller: ask the model itself for that");
        }
    }
    if extra.get("response_format").is_some_and(|f| !f.is_null() && f["type"] != "text") {
        return refuse("response_format", "an agent answers in text with citations: ask the model itself for that");
    }
    let others =
        request.extra.into_iter().filter(|(name, value)| PASSED_ON.contains(&name.as_str()) && !value.is_null());
    Ok(Overrides {
        temperature: request.temperature,
        max_output_tokens: request.max_completion_tokens.or(request.max_tokens),
        others: others.collect(),
    })
}

/// The last message is the question; those before it are history; what the client says as system is added to the
/// agent's instructions.
fn split(agent: &mut Agent, messages: &[llm::Message]) -> Result<(Vec<Message>, String), LlmError> {
    let Some((last, before)) = messages.split_last().filter(|(last, _)| last.role == "user") else {
        return Err(LlmError::invalid("messages", "invalid_value", "the last message must be the user's"));
    };
    if let Some(at) = messages.iter().position(|m| m.role == "user" && m.has_more_than_text()) {
        return Err(LlmError::invalid(
            format!("messages[{at}].content"),
            "content_not_supported",
            "agents read text only: pictures, sound and files go to the model itself",
        ));
    }
    let question = last.text();
    let mut history = Vec::new();
    for message in before {
        match message.role.as_str() {
            "user" => history.push(spoken(Speaker::User, message)),
            "assistant" => history.push(spoken(Speaker::Assistant, message)),
            "system" | "developer" => {
                agent.settings.instructions.push_str("\n\n");
                agent.settings.instructions.push_str(&message.text());
            }
            role => {
                return Err(LlmError::invalid(
                    "messages",
                    "invalid_value",
                    format!("agents take no messages of role {role:?}"),
                ));
            }
        }
    }
    Ok((history, question))
}

fn spoken(role: Speaker, message: &llm::Message) -> Message {
    Message {
        id: MessageId(uuid::Uuid::nil()),
        role,
        status: MessageStatus::Complete,
        content: message.text(),
        citations: Vec::new(),
        agent_version: None,
        model: None,
        error_code: None,
        prompt_tokens: None,
        completion_tokens: None,
        first_token_ms: None,
        duration_ms: None,
        created_at: chrono::DateTime::UNIX_EPOCH,
    }
}

struct State {
    answer: Answer,
    /// Id, time and model, which all chunks share.
    head: ChatChunk,
    phase: Phase,
}

enum Phase {
    Role,
    Text,
    Usage,
    Over,
}

/// One chunk: first the role, then text, then annotations with the reason of the end, then usage.
async fn step(mut state: State) -> Option<(Result<Chunk, LlmError>, State)> {
    let chunk = match state.phase {
        Phase::Role => {
            state.phase = Phase::Text;
            state.chunk(Delta { role: Some("assistant".into()), content: Some(String::new()), extra: Map::new() }, None)
        }
        Phase::Text => match state.answer.next().await {
            Some(Ok(text)) => state.chunk(Delta { content: Some(text), ..Delta::default() }, None),
            Some(Err(error)) => {
                state.phase = Phase::Over;
                return Some((Err(error), state));
            }
            None => {
                state.phase = Phase::Usage;
                let extra = Map::from_iter([("annotations".to_owned(), annotations(&state.answer))]);
                let reason = state.answer.finish_reason.clone().unwrap_or_else(|| "stop".into());
                state.chunk(Delta { extra, ..Delta::default() }, Some(reason))
            }
        },
        Phase::Usage => {
            state.phase = Phase::Over;
            let usage = state.answer.usage.clone()?;
            ChatChunk { usage: Some(usage), ..state.head.clone() }
        }
        Phase::Over => return None,
    };
    Some((Ok(Chunk::made(chunk)), state))
}

impl State {
    fn chunk(&self, delta: Delta, finish_reason: Option<String>) -> ChatChunk {
        let choice = ChunkChoice { index: 0, delta, finish_reason, extra: Map::new() };
        ChatChunk { choices: vec![choice], ..self.head.clone() }
    }
}

/// `file_citation` annotations: one for each mark in the text; `index` is where the mark stands, in characters.
fn annotations(answer: &Answer) -> Value {
    let cited = answer.citations();
    let places = marks(&answer.text);
    let found =
        places.iter().filter_map(|(index, mark)| Some(annotation(cited.iter().find(|c| c.mark == *mark)?, *index)));
    Value::Array(found.collect())
}

fn annotation(c: &Citation, index: usize) -> Value {
    json!({
        "type": "file_citation", "index": index, "file_id": c.document_id, "filename": c.filename, "title": c.title, "mark": c.mark,
        "knowledge_base_id": c.knowledge_base_id, "chunk_id": c.chunk_id, "page": c.page, "heading": c.heading, "table_header": c.table_header, "start": c.start,
        "end": c.end, "quote": c.text, "url": c.path(),
    })
}

/// `(character index, n)` of every `[n]`.
fn marks(text: &str) -> Vec<(usize, u32)> {
    let mut found = Vec::new();
    let mut chars = text.chars().enumerate().peekable();
    while let Some((at, c)) = chars.next() {
        if c != '[' {
            continue;
        }
        let mut digits = String::new();
        while let Some((_, d)) = chars.next_if(|(_, d)| d.is_ascii_digit()) {
            digits.push(d);
        }
        if let (Some((_, ']')), Ok(n)) = (chars.peek(), digits.parse()) {
            found.push((at, n));
        }
    }
    found
}

fn gateway_error(error: AgentError) -> LlmError {
    match error {
        AgentError::Llm(error) => error,
        AgentError::Db(error) => error.into(),
        other => LlmError::Api(other.into()),
    }
}

/// For [`Agents::new`].
pub fn backend(agents: &Agents) -> Arc<dyn ModelBackend> {
    Arc::new(AgentBackend::new(agents))
}
