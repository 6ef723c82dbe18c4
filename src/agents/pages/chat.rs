//! The playground: conversations with an agent. Works with plain forms; `chat.js` adds streaming.

use askama::Template;
use axum::{
    Router,
    extract::State,
    response::Response,
    routing::{get, post},
};
use serde::Deserialize;

use super::reasons;
use crate::{
    error::AgentError,
    model::{
        Agent, AgentId, Citation, Conversation, ConversationId, Message, MessageId, MessageStatus, Shortfall, Speaker,
    },
    render::{Words, draw},
    service::{Agents, Ask},
};
use console::{Flash, Form, Nothing, PageResult, Pager, Shell};
use llm::INFERENCE;
use platform::{
    error::ApiError,
    http::{ListQuery, Path, Query},
    names::with_directions_shown,
};

pub(super) fn router() -> Router<Agents> {
    Router::new()
        .route("/agents/{agent}", get(open))
        .route("/agents/{agent}/ask", post(ask))
        .route("/agents/{agent}/conversations/{conversation}", get(conversation))
        .route("/agents/{agent}/conversations/{conversation}/ask", post(ask_in))
        .route("/agents/{agent}/conversations/{conversation}/regenerate", post(regenerate))
        .route("/agents/{agent}/conversations/{conversation}/continue", post(go_on))
        .route("/agents/{agent}/conversations/{conversation}/stop", post(stop))
        .route("/agents/{agent}/conversations/{conversation}/rename", post(rename))
        .route("/agents/{agent}/conversations/{conversation}/delete", post(delete))
}

/// A message as shown on the page.
struct Shown {
    message: Message,
    /// The text as HTML, with marks as links to the sources below it.
    html: String,
    /// Numbers of its sources in the order in which the text names them.
    order: String,
}

impl Shown {
    fn new(message: Message) -> Self {
        let drawn = draw(&message.content, &message.citations, false, &Words::default());
        let order: Vec<String> = drawn.order.iter().map(ToString::to_string).collect();
        Self { message, html: drawn.blocks.concat(), order: order.join(" ") }
    }

    /// The question as it was asked.
    fn asked(&self) -> String {
        with_directions_shown(&self.message.content)
    }

    fn thinking(&self) -> String {
        with_directions_shown(&self.message.thinking)
    }

    /// Notes on parts of the search that the model did not see.
    fn notes(&self, shell: &Shell) -> Vec<String> {
        let Shortfall { passages_left_out, question_cut_to, words_only } = self.message.shortfall;
        let left_out = (passages_left_out > 0).then(|| shell.tn("agents-left-out", passages_left_out).to_string());
        let cut = question_cut_to.map(|n| shell.t("agents-question-cut").with("n", n).to_string());
        let words = words_only.then(|| shell.t("agents-words-only").to_string());
        [left_out, cut, words].into_iter().flatten().collect()
    }

    fn is_user(&self) -> bool {
        self.message.role == Speaker::User
    }

    fn is_failed(&self) -> bool {
        self.message.status == MessageStatus::Failed
    }

    fn is_stopped(&self) -> bool {
        self.message.status == MessageStatus::Stopped
    }

    /// Why it failed, in words.
    fn why(&self) -> String {
        reasons::key(self.message.error_code.as_deref().unwrap_or_default())
    }

    /// The error code, if it has no text of its own.
    fn odd_code(&self) -> Option<&str> {
        self.message.error_code.as_deref().filter(|code| !reasons::CODES.contains(code))
    }

    /// An unusual finish reason: a filter in the middle, or a word only its provider knows.
    fn odd_ending(&self) -> Option<&str> {
        let complete = self.message.status == MessageStatus::Complete;
        self.message.finish_reason.as_deref().filter(|reason| complete && !matches!(*reason, "stop" | "length"))
    }

    fn is_streaming(&self) -> bool {
        self.message.status == MessageStatus::Streaming
    }

    fn seconds(&self) -> Option<f64> {
        self.message.duration_ms.map(|ms| ms as f64 / 1e3)
    }
}

pub fn place(citation: &Citation) -> String {
    with_directions_shown(&citation.heading.join(" › "))
}

#[derive(Template)]
#[template(path = "agents/templates/chat.html")]
struct Chat<'a> {
    shell: &'a Shell,
    agent: Agent,
    conversation: Option<Conversation>,
    messages: Vec<Shown>,
    /// The first message shown to the model with the next question, if earlier ones are left out.
    seen_from: Option<MessageId>,
    /// How many of the agent's knowledge bases are deleted.
    gone: usize,
    conversations: Vec<Conversation>,
    query: ListQuery,
    pager: Pager,
    model: String,
}

impl Chat<'_> {
    fn ask_action(&self) -> String {
        match &self.conversation {
            Some(c) => format!("/agents/{}/conversations/{}/ask", self.agent.id, c.id),
            None => format!("/agents/{}/ask", self.agent.id),
        }
    }

    fn reasons(&self) -> String {
        reasons::words(self.shell)
    }

    fn is_seen_from(&self, message: &Message) -> bool {
        self.seen_from == Some(message.id)
    }

    fn is_open(&self, id: &ConversationId) -> bool {
        self.conversation.as_ref().is_some_and(|c| c.id == *id)
    }
}

async fn page(
    shell: Shell,
    agents: Agents,
    id: AgentId,
    conversation: Option<ConversationId>,
    query: ListQuery,
) -> PageResult {
    shell.principal().require(INFERENCE)?;
    let agent = agents.get(shell.org_id(), id).await?;
    let (conversation, messages) = match conversation {
        Some(c) => {
            let (conversation, messages) = agents.conversation(shell.principal(), id, c).await?;
            (Some(conversation), messages)
        }
        None => (None, Vec::new()),
    };
    let query = query.sized(20);
    let slice = query.slice()?;
    let list = slice.page(agents.conversations(shell.principal(), id, query.search(), &slice).await?, |c| c.id.0);
    let pager = Pager::new(&format!("/agents/{id}"), &[], &query, list.next_cursor.as_deref());
    let model = if agent.settings.model.is_empty() { agents.default_model() } else { agent.settings.model.clone() };
    let (seen_from, gone) = (agents.seen_from(&messages), agents.bases_gone(shell.org_id(), &agent).await?);
    let messages = messages.into_iter().map(Shown::new).collect();
    shell.render(&Chat {
        shell: &shell,
        agent,
        conversation,
        messages,
        seen_from,
        gone,
        conversations: list.data,
        query,
        pager,
        model,
    })
}

pub async fn open(
    shell: Shell,
    State(agents): State<Agents>,
    Path(id): Path<AgentId>,
    Query(query): Query<ListQuery>,
) -> PageResult {
    page(shell, agents, id, None, query).await
}

pub async fn conversation(
    shell: Shell,
    State(agents): State<Agents>,
    Path((id, conversation)): Path<(AgentId, ConversationId)>,
    Query(query): Query<ListQuery>,
) -> PageResult {
    page(shell, agents, id, Some(conversation), query).await
}

#[derive(Debug, Deserialize)]
pub struct Question {
    content: String,
}

fn question(form: Question) -> Ask {
    Ask::Question { text: form.content, attachments: Vec::new() }
}

pub async fn ask(
    shell: Shell,
    State(agents): State<Agents>,
    Path(id): Path<AgentId>,
    Form(form): Form<Question>,
) -> PageResult {
    shell.principal().require(INFERENCE)?;
    if form.content.trim().is_empty() {
        return Ok(shell.redirect(&format!("/agents/{id}"), &Flash::warn("agents-ask-something")));
    }
    let conversation = agents.start_conversation(shell.principal(), id).await?;
    answered(&shell, &agents, id, conversation.id, question(form)).await
}

pub async fn ask_in(
    shell: Shell,
    State(agents): State<Agents>,
    Path((id, conversation)): Path<(AgentId, ConversationId)>,
    Form(form): Form<Question>,
) -> PageResult {
    shell.principal().require(INFERENCE)?;
    answered(&shell, &agents, id, conversation, question(form)).await
}

pub async fn regenerate(
    shell: Shell,
    State(agents): State<Agents>,
    Path((id, conversation)): Path<(AgentId, ConversationId)>,
    Form(_): Form<Nothing>,
) -> PageResult {
    shell.principal().require(INFERENCE)?;
    answered(&shell, &agents, id, conversation, Ask::Again { model: None }).await
}

pub async fn go_on(
    shell: Shell,
    State(agents): State<Agents>,
    Path((id, conversation)): Path<(AgentId, ConversationId)>,
    Form(_): Form<Nothing>,
) -> PageResult {
    shell.principal().require(INFERENCE)?;
    answered(&shell, &agents, id, conversation, Ask::Continue).await
}

/// Stops an answer, also one started in another window.
pub async fn stop(
    shell: Shell,
    State(agents): State<Agents>,
    Path((id, conversation)): Path<(AgentId, ConversationId)>,
    Form(_): Form<Nothing>,
) -> PageResult {
    shell.principal().require(INFERENCE)?;
    agents.stop_answer(shell.principal(), id, conversation).await?;
    Ok(console::see_other(&format!("/agents/{id}/conversations/{conversation}")))
}

/// Without JavaScript: waits for the whole answer, then shows the conversation.
async fn answered(
    shell: &Shell,
    agents: &Agents,
    id: AgentId,
    conversation: ConversationId,
    ask: Ask,
) -> Result<Response, ApiError> {
    let back = format!("/agents/{id}/conversations/{conversation}");
    let mut asked = match agents.ask(shell.principal(), id, conversation, ask).await {
        Ok(asked) => asked,
        Err(
            error @ (AgentError::Invalid(_)
            | AgentError::Busy
            | AgentError::Overloaded
            | AgentError::ConversationFull(_)
            | AgentError::NothingToRegenerate
            | AgentError::NothingToContinue),
        ) => return Ok(shell.redirect(&back, &Flash::error(&reasons::key(&ApiError::from(error).code)))),
        Err(error) => return Err(error.into()),
    };
    // A failed answer shows its error in the conversation.
    while asked.events.next().await.is_some() {}
    Ok(console::see_other(&back))
}

#[derive(Debug, Deserialize)]
pub struct Title {
    title: String,
}

pub async fn rename(
    shell: Shell,
    State(agents): State<Agents>,
    Path((id, conversation)): Path<(AgentId, ConversationId)>,
    Form(form): Form<Title>,
) -> PageResult {
    shell.principal().require(INFERENCE)?;
    let back = format!("/agents/{id}/conversations/{conversation}");
    match agents.rename_conversation(shell.principal(), id, conversation, &form.title).await {
        Ok(_) => Ok(shell.redirect(&back, &Flash::ok("agents-conversation-renamed"))),
        Err(error @ AgentError::Invalid(_)) => {
            Ok(shell.redirect(&back, &Flash::error(&reasons::key(&ApiError::from(error).code))))
        }
        Err(error) => Err(error.into()),
    }
}

pub async fn delete(
    shell: Shell,
    State(agents): State<Agents>,
    Path((id, conversation)): Path<(AgentId, ConversationId)>,
    Form(_): Form<Nothing>,
) -> PageResult {
    shell.principal().require(INFERENCE)?;
    agents.delete_conversation(shell.principal(), id, conversation).await?;
    Ok(shell.redirect(&format!("/agents/{id}"), &Flash::ok("agents-conversation-deleted")))
}
