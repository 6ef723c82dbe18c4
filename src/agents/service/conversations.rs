//! Conversations: their owners, and asking questions.

use uuid::Uuid;

use super::{Agents, Joined, writing::Job};
use crate::{
    answer::{Begun, Overrides, Via},
    error::AgentError,
    events::ConversationDeleted,
    model::{
        Agent, AgentId, Attachment, AttachmentId, Conversation, ConversationId, Message, MessageId, MessageStatus,
        Speaker,
    },
    store::{attachments, conversations as store, conversations::Owner, feedback},
};
use llm::RefusedModel;
use platform::{
    db::{self, DbError, Tx},
    error::FieldError,
    http::{Principal, Slice},
    lifecycle::uncancelled,
    names::{tidy, tidy_text},
};

/// What to do in a conversation.
#[derive(Clone, Debug)]
pub enum Ask {
    /// A new question.
    Question { text: String, attachments: Vec<AttachmentId> },
    /// The question `message` in other words; what followed it is hidden.
    Edit { message: MessageId, text: String, attachments: Vec<AttachmentId> },
    /// Regenerate the last answer, with this model if one is named; the previous one is hidden.
    Again { model: Option<String> },
    /// Continue the last answer.
    Continue,
}

impl Agents {
    /// Most messages to read: a full conversation, and the answer that fills it.
    pub(super) fn shown(&self) -> i64 {
        i64::from(self.0.config.max_messages) + 1
    }

    /// Whether a conversation of `messages` accepts another question.
    fn check_room(&self, messages: usize) -> Result<(), AgentError> {
        let most = self.0.config.max_messages;
        if u32::try_from(messages).is_ok_and(|n| n < most) { Ok(()) } else { Err(AgentError::ConversationFull(most)) }
    }

    /// Cleans a question; `Err` when it is empty or longer than `max_question_chars`.
    pub(crate) fn check_question(&self, text: &str) -> Result<String, String> {
        let text = tidy_text(text);
        // Only invisible characters count as empty.
        let text = if tidy(&text).is_empty() { String::new() } else { text };
        let (length, most) = (text.chars().count(), self.0.config.max_question_chars);
        if (1..=most).contains(&length) {
            Ok(text)
        } else {
            Err(format!("{length} characters; 1 to {most} are allowed"))
        }
    }

    /// The first of these messages that is shown to the model with the next question, if earlier ones are left out.
    pub fn seen_from(&self, messages: &[Message]) -> Option<MessageId> {
        let all = answered(messages.to_vec(), u32::MAX);
        let shown = answered(messages.to_vec(), self.0.config.history_messages);
        if shown.len() < all.len() { shown.first().map(|m| m.id) } else { None }
    }

    pub async fn start_conversation(&self, who: &Principal, agent: AgentId) -> Result<Conversation, AgentError> {
        let agent = self.get(who.org_id, agent).await?;
        let now = self.0.clock.now();
        let conversation = Conversation {
            id: ConversationId::generate(&self.0.clock),
            agent_id: agent.id,
            title: String::new(),
            pinned: false,
            shared: false,
            created_at: now,
            updated_at: now,
        };
        let mut tx = self.0.db.tenant(who.org_id).await?;
        store::insert(&mut tx, who.org_id, &conversation, &who.subject()).await?;
        tx.commit().await?;
        Ok(conversation)
    }

    /// Newest first; the rows of `slice`.
    pub async fn conversations(
        &self,
        who: &Principal,
        agent: AgentId,
        search: Option<&str>,
        slice: &Slice,
    ) -> Result<Vec<Conversation>, AgentError> {
        self.get(who.org_id, agent).await?;
        let subject = who.subject();
        let mut tx = self.0.db.tenant(who.org_id).await?;
        let found = store::list(&mut tx, Owner { agent, subject: &subject }, search, slice).await?;
        tx.commit().await?;
        Ok(found)
    }

    /// A conversation with its messages, oldest first.
    pub async fn conversation(
        &self,
        who: &Principal,
        agent: AgentId,
        id: ConversationId,
    ) -> Result<(Conversation, Vec<Message>), AgentError> {
        let subject = who.subject();
        let mut tx = self.0.db.tenant(who.org_id).await?;
        let conversation = store::get(&mut tx, Owner { agent, subject: &subject }, id)
            .await?
            .ok_or(AgentError::NotFound("conversation"))?;
        let mut messages = store::messages(&mut tx, id, self.shown()).await?;
        furnish(&mut tx, &subject, &mut messages).await?;
        tx.commit().await?;
        Ok((conversation, messages))
    }

    pub async fn rename_conversation(
        &self,
        who: &Principal,
        agent: AgentId,
        id: ConversationId,
        title: &str,
    ) -> Result<Conversation, AgentError> {
        let title = check_title(title)?;
        let (mut conversation, _) = self.conversation(who, agent, id).await?;
        conversation.title = title;
        conversation.updated_at = self.0.clock.now();
        let mut tx = self.0.db.tenant(who.org_id).await?;
        store::rename(&mut tx, id, &conversation.title, conversation.updated_at).await?;
        tx.commit().await?;
        Ok(conversation)
    }

    pub async fn delete_conversation(
        &self,
        who: &Principal,
        agent: AgentId,
        id: ConversationId,
    ) -> Result<(), AgentError> {
        let subject = who.subject();
        let mut tx = self.0.db.tenant(who.org_id).await?;
        if !store::delete(&mut tx, Owner { agent, subject: &subject }, id).await? {
            return Err(AgentError::NotFound("conversation"));
        }
        let event = ConversationDeleted { conversation_id: id, agent_id: agent };
        events::publish(&mut tx, &self.0.clock, Some(who.org_id), &event).await?;
        tx.commit().await?;
        // Only after the ownership check: an id alone must not stop somebody else's answer.
        self.0.writers.stop(id);
        Ok(())
    }

    /// Stops the answer being written in one's own conversation; its text so far is kept.
    pub async fn stop_answer(&self, who: &Principal, agent: AgentId, id: ConversationId) -> Result<bool, AgentError> {
        self.conversation(who, agent, id).await?;
        Ok(self.0.writers.stop(id))
    }

    /// Stores the question and starts its answer, in a task of its own; dropping the returned value stops it.
    pub async fn ask(
        &self,
        who: &Principal,
        agent: AgentId,
        id: ConversationId,
        ask: Ask,
    ) -> Result<Joined, AgentError> {
        let (agents, who) = (self.clone(), who.clone());
        // A client that disconnects midway must not leave behind an answer without a writer.
        uncancelled(async move { agents.begin(&who, agent, id, ask).await }).await.map_err(DbError::from)?
    }

    async fn begin(&self, who: &Principal, agent: AgentId, id: ConversationId, ask: Ask) -> Result<Joined, AgentError> {
        let (agent, subject) = (self.get(who.org_id, agent).await?, who.subject());
        let model = self.chosen_model(&ask).await?;
        let mut tx = self.0.db.tenant(who.org_id).await?;
        let conversation = store::get(&mut tx, Owner { agent: agent.id, subject: &subject }, id)
            .await?
            .ok_or(AgentError::NotFound("conversation"))?;
        // After the ownership check, so that a stranger cannot block the conversation. Before the messages are read, so
        // that they do not change.
        let turn = self.0.writers.enter(id)?;
        let permit = self.0.engine.enter()?;
        let mut history = store::messages(&mut tx, id, self.shown()).await?;
        let new = || self.message(Speaker::Assistant, MessageStatus::Streaming, String::new(), Some(&agent));
        let mut replaces = Vec::new();
        let (question, answer, begun) = match ask {
            Ask::Question { text, attachments } => {
                self.check_room(history.len())?;
                let question = self.write_question(&mut tx, who, &conversation, &text).await?;
                (claim(&mut tx, agent.id, &subject, question, &attachments).await?, new(), None)
            }
            Ask::Edit { message, text, attachments } => {
                let is_edited = |m: &Message| m.id == message && m.role == Speaker::User;
                let at = history.iter().position(is_edited).ok_or(AgentError::NotFound("message"))?;
                for old in history.split_off(at) {
                    store::supersede(&mut tx, old.id).await?;
                }
                let question = self.write_question(&mut tx, who, &conversation, &text).await?;
                (claim(&mut tx, agent.id, &subject, question, &attachments).await?, new(), None)
            }
            Ask::Again { .. } => {
                let (question, old) = take_back(&mut tx, &mut history).await?;
                replaces = old;
                (question, new(), None)
            }
            Ask::Continue => {
                let (question, mut answer) = to_continue(&mut history)?;
                let reopened = store::reopen_answer(&mut tx, answer.id, self.0.clock.now()).await;
                if !reopened.map_err(refused_meanwhile)? {
                    return Err(AgentError::Busy);
                }
                let begun = Begun { text: answer.content.clone(), citations: answer.citations.clone() };
                answer.status = MessageStatus::Streaming;
                answer.error_code = None;
                answer.agent_version = Some(agent.version);
                (question, answer, Some(begun))
            }
        };
        if begun.is_none() {
            store::insert_message(&mut tx, who.org_id, id, &answer).await.map_err(refused_meanwhile)?;
        }
        tx.commit().await?;
        let history = answered(history, self.0.config.history_messages);
        Ok(self.write(Job {
            org: who.org_id,
            actor: subject,
            agent,
            conversation: id,
            history,
            question,
            answer,
            begun,
            replaces,
            overrides: Overrides { model, ..Overrides::default() },
            via: Via::of(who),
            turn,
            permit,
        }))
    }

    /// The model that a new answer is wanted from, if one is named.
    async fn chosen_model(&self, ask: &Ask) -> Result<Option<String>, AgentError> {
        let Ask::Again { model: Some(model) } = ask else { return Ok(None) };
        match self.llm().check_chat_model(model).await {
            Ok(()) => Ok(Some(model.clone())),
            Err(RefusedModel { code, message }) => {
                Err(AgentError::Invalid(vec![FieldError::new("/model", code, message)]))
            }
        }
    }

    async fn write_question(
        &self,
        tx: &mut Tx,
        who: &Principal,
        conversation: &Conversation,
        text: &str,
    ) -> Result<Message, AgentError> {
        let text = self
            .check_question(text)
            .map_err(|why| AgentError::Invalid(vec![FieldError::new("/content", "invalid_length", why)]))?;
        let message = self.message(Speaker::User, MessageStatus::Complete, text, None);
        store::insert_message(tx, who.org_id, conversation.id, &message).await.map_err(refused_meanwhile)?;
        if conversation.title.is_empty() {
            store::rename(tx, conversation.id, &title_of(&message.content), message.created_at).await?;
        }
        Ok(message)
    }

    pub(super) fn message(
        &self,
        role: Speaker,
        status: MessageStatus,
        content: String,
        agent: Option<&Agent>,
    ) -> Message {
        let message = Message::new(MessageId::generate(&self.0.clock), role, status, content, self.0.clock.now());
        Message { agent_version: agent.map(|a| a.version), ..message }
    }
}

/// The last question, and the answers to hide when the new one has text: a model that fails must not remove a good
/// answer. Empty ones are hidden at once. `history` ends before the question.
async fn take_back(tx: &mut Tx, history: &mut Vec<Message>) -> Result<(Message, Vec<MessageId>), AgentError> {
    let at = history.iter().rposition(|m| m.role == Speaker::User).ok_or(AgentError::NothingToRegenerate)?;
    let mut tail = history.split_off(at);
    let (saying, empty): (Vec<_>, Vec<_>) = tail[1..].iter().partition(|answer| !answer.content.trim().is_empty());
    for answer in empty {
        store::supersede(tx, answer.id).await?;
    }
    let replaced = saying.iter().map(|answer| answer.id).collect();
    Ok((tail.swap_remove(0), replaced))
}

/// The last answer with its question; `history` ends before both.
fn to_continue(history: &mut Vec<Message>) -> Result<(Message, Message), AgentError> {
    let answer = history.pop().filter(Message::can_continue).ok_or(AgentError::NothingToContinue)?;
    let question = history.pop().filter(|m| m.role == Speaker::User).ok_or(AgentError::NothingToContinue)?;
    Ok((question, answer))
}

/// The newest questions with their answers, `most` messages at most. A question without an answer is left out: many
/// models' templates refuse a conversation whose roles do not alternate.
pub(crate) fn answered(history: Vec<Message>, most: u32) -> Vec<Message> {
    let is_answer = |m: &Message| {
        m.role == Speaker::Assistant
            && matches!(m.status, MessageStatus::Complete | MessageStatus::Stopped)
            && !m.content.is_empty()
    };
    let mut kept: Vec<Message> = Vec::new();
    let mut question = None;
    for message in history {
        if message.role == Speaker::User {
            question = Some(message);
        } else if is_answer(&message) {
            kept.extend(question.take().map(|question| [question, message]).into_iter().flatten());
        }
    }
    let pairs = usize::try_from(most / 2).unwrap_or(usize::MAX);
    kept.drain(..kept.len().saturating_sub(pairs.saturating_mul(2)));
    kept
}

/// Gives what was uploaded for it to a question.
async fn claim(
    tx: &mut Tx,
    agent: AgentId,
    subject: &str,
    question: Message,
    ids: &[AttachmentId],
) -> Result<Message, AgentError> {
    if ids.is_empty() {
        return Ok(question);
    }
    let wanted: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let claimed = attachments::claim(tx, agent, subject, question.id, &wanted).await?;
    if claimed != wanted.len() as u64 {
        return Err(AgentError::NotFound("attachment"));
    }
    let attached = attachments::of(tx, &[question.id.0]).await?;
    Ok(Message { attachments: attached.into_iter().map(|(_, attachment)| attachment).collect(), ..question })
}

/// Adds what belongs to these messages: attachments, and what the subject thinks of them.
pub(super) async fn furnish(tx: &mut Tx, subject: &str, messages: &mut [Message]) -> Result<(), AgentError> {
    let ids: Vec<Uuid> = messages.iter().map(|message| message.id.0).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let mut ratings = feedback::of(tx, &ids, subject).await?;
    let mut attached = attachments::of(tx, &ids).await?;
    for message in messages {
        message.feedback = ratings.remove(&message.id);
        let (own, others) = attached.into_iter().partition(|(id, _)| *id == message.id);
        attached = others;
        let own: Vec<(MessageId, Attachment)> = own;
        message.attachments = own.into_iter().map(|(_, attachment)| attachment).collect();
    }
    Ok(())
}

/// A title as it is stored.
pub(super) fn check_title(title: &str) -> Result<String, AgentError> {
    let title = tidy(title);
    if title.is_empty() || title.chars().count() > 200 {
        return Err(AgentError::Invalid(vec![FieldError::new("/title", "invalid_length", "1 to 200 characters")]));
    }
    Ok(title)
}

/// The conversation existed a moment ago, and nothing was being written in it here.
fn refused_meanwhile(error: sqlx::Error) -> AgentError {
    match db::constraint(&error) {
        Some("messages_one_answer_idx") => AgentError::Busy,
        Some("messages_conversation_id_fkey") => AgentError::NotFound("conversation"),
        _ => error.into(),
    }
}

/// The first visible line of the first question.
pub(crate) fn title_of(question: &str) -> String {
    let line = question.lines().map(tidy).find(|line| !line.is_empty()).unwrap_or_default();
    let mut title: String = line.chars().take(80).collect();
    if line.chars().count() > 80 {
        title.push('…');
    }
    title
}
