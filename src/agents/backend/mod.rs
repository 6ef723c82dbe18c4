//! `agent/<slug>` as a model: the same answers, for any client of OpenAI's chat API.

mod chunks;

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{
    answer::{Answer, Overrides, Question, Trace, Via},
    error::AgentError,
    model::{Agent, Message, MessageId, MessageStatus, Speaker},
    service::{Agents, WeakAgents},
};
use llm::{
    BackendKind, CallContext, ChatChunk, ChatRequest, ChatStream, Completion, LlmError, ModelBackend, ModelInfo,
};
use platform::{error::ApiError, http::Slice};

/// Answers for `agent/<slug>`. Holds a weak reference to the service: the service holds the gateway, which holds this.
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

    async fn models(&self, org: platform::ids::OrgId) -> Result<Vec<ModelInfo>, LlmError> {
        let agents = self.agents()?.list(org, None, &Slice::first(500)).await.map_err(gateway_error)?;
        Ok(agents.into_iter().map(|a| ModelInfo { id: a.model_name(), owned_by: "agents".into() }).collect())
    }

    async fn stream(&self, call: &CallContext, model: &str, request: ChatRequest) -> Result<ChatStream, LlmError> {
        let (answer, head) = self.start(call, model, request).await?;
        Ok(chunks::stream(answer, head))
    }

    async fn complete(&self, call: &CallContext, model: &str, request: ChatRequest) -> Result<Completion, LlmError> {
        let (answer, head) = self.start(call, model, request).await?;
        chunks::whole(answer, head).await
    }
}

impl AgentBackend {
    /// Starts an answer; with id, time and model, shared by all of its stream chunks.
    async fn start(
        &self,
        call: &CallContext,
        model: &str,
        request: ChatRequest,
    ) -> Result<(Answer, ChatChunk), LlmError> {
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
            begun: None,
        };
        let permit = agents.engine().enter().map_err(gateway_error)?;
        let mut trace = Trace::new(&asked, Via::Model, agents.clock().now());
        let answer = agents.engine().start(&asked, permit, &mut trace).await.map_err(gateway_error)?;
        let head = ChatChunk {
            id: format!("chatcmpl-{}", MessageId::generate(agents.clock()).0.simple()),
            object: "chat.completion.chunk".into(),
            created: agents.clock().now().timestamp(),
            model: agent.model_name(),
            ..ChatChunk::default()
        };
        Ok((answer, head))
    }
}

/// Parameters that are passed on to the agent's model.
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

/// The request's parameters. Those that would change what an agent does are refused: silently ignoring them would look
/// as if they had been applied.
fn overrides(request: ChatRequest) -> Result<Overrides, LlmError> {
    let refuse = |param: &str, why: &str| Err(LlmError::invalid(param, "unsupported_parameter", why));
    let extra = &request.extra;
    if extra.get("n").is_some_and(|n| !n.is_null() && *n != json!(1)) {
        return refuse("n", "an agent gives one answer: omit `n`");
    }
    for name in ["tools", "functions"] {
        if extra.get(name).and_then(Value::as_array).is_some_and(|list| !list.is_empty()) {
            return refuse(name, "an agent accepts no tools from its caller: call the model directly");
        }
    }
    if extra.get("response_format").is_some_and(|f| !f.is_null() && f["type"] != "text") {
        return refuse(
            "response_format",
            "an agent answers in text with citations: call the model directly for other formats",
        );
    }
    let others =
        request.extra.into_iter().filter(|(name, value)| PASSED_ON.contains(&name.as_str()) && !value.is_null());
    Ok(Overrides {
        temperature: request.temperature,
        max_output_tokens: request.max_completion_tokens.or(request.max_tokens),
        model: None,
        others: others.collect(),
    })
}

/// The user's last message is the question; those before it are history; system messages, also after the question, are
/// appended to the agent's instructions.
fn split(agent: &mut Agent, messages: &[llm::Message]) -> Result<(Vec<Message>, String), LlmError> {
    let is_ruling = |m: &llm::Message| matches!(m.role.as_str(), "system" | "developer");
    check(messages)?;
    // Some clients send an empty assistant message as a placeholder for the answer.
    let is_place = |m: &llm::Message| m.role == "assistant" && m.text().trim().is_empty();
    let asked = messages.iter().rposition(|m| !is_ruling(m) && !is_place(m));
    let Some(at) = asked.filter(|at| messages[*at].role == "user") else {
        let last = asked.unwrap_or(messages.len().saturating_sub(1));
        let text = "the last message must be the user's: an agent cannot continue an answer started by the caller";
        return Err(LlmError::invalid(format!("messages[{last}].role"), "last_message_not_user", text));
    };
    let mut history = Vec::new();
    for (n, message) in messages.iter().enumerate().filter(|(n, _)| *n != at) {
        match message.role.as_str() {
            "user" => history.push(spoken(Speaker::User, message)),
            "assistant" if n < at => history.push(spoken(Speaker::Assistant, message)),
            "system" | "developer" => {
                agent.settings.instructions.push_str("\n\n");
                agent.settings.instructions.push_str(&message.text());
            }
            _ => {}
        }
    }
    Ok((history, messages[at].text()))
}

/// Refuses messages that an agent would have to ignore.
fn check(messages: &[llm::Message]) -> Result<(), LlmError> {
    for (at, message) in messages.iter().enumerate() {
        let refuse =
            |field: &str, code, text: String| Err(LlmError::invalid(format!("messages[{at}].{field}"), code, text));
        if message.is_about_tools() {
            let field = if message.role == "assistant" { "tool_calls" } else { "role" };
            let text =
                "agents do not accept tool calls or tool results: send the results as text, or call the model directly";
            return refuse(field, "tools_not_supported", text.to_owned());
        }
        if !matches!(message.role.as_str(), "user" | "assistant" | "system" | "developer") {
            return refuse(
                "role",
                "invalid_value",
                format!("agents do not accept messages of role {:?}", message.role),
            );
        }
        if message.has_more_than_text() {
            let text = "agents read text only: for images, audio and files call the model directly";
            return refuse("content", "content_not_supported", text.to_owned());
        }
    }
    Ok(())
}

/// A message of the client's history, without thinking that it sends back (in its own field or in the text).
fn spoken(role: Speaker, message: &llm::Message) -> Message {
    let id = MessageId(uuid::Uuid::nil());
    let text = if role == Speaker::Assistant { llm::without_thinking(&message.text()) } else { message.text() };
    Message::new(id, role, MessageStatus::Complete, text, chrono::DateTime::UNIX_EPOCH)
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
