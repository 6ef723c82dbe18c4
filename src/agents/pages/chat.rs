//! The playground: conversations with an agent. Works with plain forms; `chat.js` makes it stream.

use askama::Template;
use axum::{extract::State, response::Response};
use serde::Deserialize;

use crate::{
    agents::{
        error::AgentError,
        model::{Agent, AgentId, Citation, Conversation, ConversationId, Message, MessageStatus, Speaker},
        service::{Agents, AnswerEvent, Ask},
    },
    console::{Flash, Form, ListQuery, PageResult, Pager, Shell, markdown},
    platform::{
        error::ApiError,
        http::{Page, PageQuery, Path, Query, Scope},
    },
};

/// A message as the page shows it.
struct Shown {
    message: Message,
    /// The text as HTML, marks turned into links to the sources below it.
    html: String,
}

impl Shown {
    fn new(message: Message) -> Self {
        let html = link_marks(&markdown(&message.content), &message.citations);
        Self { message, html }
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

    fn is_streaming(&self) -> bool {
        self.message.status == MessageStatus::Streaming
    }

    fn seconds(&self) -> Option<String> {
        self.message.duration_ms.map(|ms| format!("{}.{}", ms / 1000, ms % 1000 / 100))
    }
}

/// Turns each `[n]` that cites a source into a link to the passage in its document. Only in text: a mark inside a tag is
/// part of an attribute.
pub(in crate::agents) fn link_marks(html: &str, citations: &[Citation]) -> String {
    let linked = |text: &str| {
        citations.iter().fold(text.to_owned(), |text, citation| {
            let link = if citation.deleted {
                format!("<span class=\"citation\">{}</span>", citation.mark)
            } else {
                format!("<a class=\"citation\" href=\"{}\">{}</a>", citation.path(), citation.mark)
            };
            text.replace(&format!("[{}]", citation.mark), &link)
        })
    };
    // Markdown's renderer escapes `<` and `>` in text and attributes: what stands between them is a tag.
    html.split_inclusive('>')
        .map(|part| match part.find('<') {
            Some(tag) => format!("{}{}", linked(&part[..tag]), &part[tag..]),
            None => linked(part),
        })
        .collect()
}

pub fn place(citation: &Citation) -> String {
    citation.heading.join(" › ")
}

#[derive(Template)]
#[template(path = "agents/templates/chat.html")]
struct Chat<'a> {
    shell: &'a Shell,
    agent: Agent,
    conversation: Option<Conversation>,
    messages: Vec<Shown>,
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
    shell.principal().require(Scope::Inference)?;
    let agent = agents.get(shell.org_id(), id).await?;
    let (conversation, messages) = match conversation {
        Some(c) => {
            let (conversation, messages) = agents.conversation(shell.principal(), id, c).await?;
            (Some(conversation), messages)
        }
        None => (None, Vec::new()),
    };
    let paging = PageQuery { limit: Some(20), cursor: query.cursor().map(str::to_owned) };
    let limit = paging.limit()?;
    let found = agents.conversations(shell.principal(), id, query.search(), paging.after()?, limit).await?;
    let list = Page::cut(found, limit, |c| c.id.0);
    let pager = query.pager(&format!("/agents/{id}"), list.next_cursor.as_deref());
    let model =
        if agent.settings.model.is_empty() { agents.default_model().to_owned() } else { agent.settings.model.clone() };
    let messages = messages.into_iter().map(Shown::new).collect();
    shell.render(&Chat { shell: &shell, agent, conversation, messages, conversations: list.data, query, pager, model })
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

pub async fn ask(
    shell: Shell,
    State(agents): State<Agents>,
    Path(id): Path<AgentId>,
    Form(form): Form<Question>,
) -> PageResult {
    shell.principal().require(Scope::Inference)?;
    if form.content.trim().is_empty() {
        return Ok(shell.redirect(&format!("/agents/{id}"), &Flash::warn("agents-ask-something")));
    }
    let conversation = agents.start_conversation(shell.principal(), id).await?;
    answered(&shell, &agents, id, conversation.id, Ask::Question(form.content)).await
}

pub async fn ask_in(
    shell: Shell,
    State(agents): State<Agents>,
    Path((id, conversation)): Path<(AgentId, ConversationId)>,
    Form(form): Form<Question>,
) -> PageResult {
    shell.principal().require(Scope::Inference)?;
    answered(&shell, &agents, id, conversation, Ask::Question(form.content)).await
}

#[derive(Debug, Deserialize)]
pub struct Nothing {}

pub async fn regenerate(
    shell: Shell,
    State(agents): State<Agents>,
    Path((id, conversation)): Path<(AgentId, ConversationId)>,
    Form(_): Form<Nothing>,
) -> PageResult {
    shell.principal().require(Scope::Inference)?;
    answered(&shell, &agents, id, conversation, Ask::Again).await
}

/// Stops an answer that another window waits for.
pub async fn stop(
    shell: Shell,
    State(agents): State<Agents>,
    Path((id, conversation)): Path<(AgentId, ConversationId)>,
    Form(_): Form<Nothing>,
) -> PageResult {
    shell.principal().require(Scope::Inference)?;
    agents.stop_answer(shell.principal(), id, conversation).await?;
    Ok(crate::console::see_other(&format!("/agents/{id}/conversations/{conversation}")))
}

/// Waits for the whole answer, then shows the conversation: the way without JavaScript.
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
            | AgentError::NothingToRegenerate),
        ) => {
            let error = ApiError::from(error);
            return Ok(shell.redirect(&back, &Flash::error("agents-not-asked").with("reason", &error.detail)));
        }
        Err(error) => return Err(error.into()),
    };
    while let Some(event) = asked.events.recv().await {
        if let AnswerEvent::End { error: Some(detail), .. } = event {
            return Ok(shell.redirect(&back, &Flash::error("agents-not-answered").with("reason", &detail)));
        }
    }
    Ok(crate::console::see_other(&back))
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
    shell.principal().require(Scope::Inference)?;
    let back = format!("/agents/{id}/conversations/{conversation}");
    match agents.rename_conversation(shell.principal(), id, conversation, &form.title).await {
        Ok(_) => Ok(shell.redirect(&back, &Flash::ok("agents-conversation-renamed"))),
        Err(error @ AgentError::Invalid(_)) => {
            Ok(shell.redirect(&back, &Flash::error("agents-not-asked").with("reason", &ApiError::from(error).detail)))
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
    shell.principal().require(Scope::Inference)?;
    agents.delete_conversation(shell.principal(), id, conversation).await?;
    Ok(shell.redirect(&format!("/agents/{id}"), &Flash::ok("agents-conversation-deleted")))
}
