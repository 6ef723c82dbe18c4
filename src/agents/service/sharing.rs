//! Who may read a conversation, and conversations for others: shared, pinned, copied.

use super::{
    Agents,
    conversations::{check_title, furnish},
};
use crate::{
    error::AgentError,
    model::{Access, AgentId, Conversation, ConversationChange, ConversationId, Message, MessageId, Speaker},
    store::{self, conversations as rows},
};
use platform::http::{Principal, Role};

impl Agents {
    /// Who may read this conversation, and how; `NotFound` for all others.
    pub(crate) async fn access(
        &self,
        who: &Principal,
        agent: AgentId,
        id: ConversationId,
    ) -> Result<Access, AgentError> {
        Ok(self.conversation_of(who, agent, id).await?.0)
    }

    async fn conversation_of(
        &self,
        who: &Principal,
        agent: AgentId,
        id: ConversationId,
    ) -> Result<(Access, Conversation), AgentError> {
        let mut tx = self.0.db.tenant(who.org_id).await?;
        let found = rows::of_anybody(&mut tx, agent, id).await?;
        let since = if who.role >= Role::Admin { store::traces::visible_since(&mut tx).await? } else { None };
        drop(tx);
        let (conversation, owner) = found.ok_or(AgentError::NotFound("conversation"))?;
        let access = match since {
            _ if owner == who.subject() => Access::Own,
            _ if conversation.shared => Access::Shared,
            Some(since) => Access::Sight(since),
            None => return Err(AgentError::NotFound("conversation")),
        };
        Ok((access, conversation))
    }

    /// A conversation that one may read, with the messages that one may see, oldest first.
    pub(crate) async fn readable(
        &self,
        who: &Principal,
        agent: AgentId,
        id: ConversationId,
    ) -> Result<(Access, Conversation, Vec<Message>), AgentError> {
        let (access, conversation) = self.conversation_of(who, agent, id).await?;
        let mut tx = self.0.db.tenant(who.org_id).await?;
        let mut messages = rows::messages(&mut tx, id, self.shown()).await?;
        furnish(&mut tx, &who.subject(), &mut messages).await?;
        drop(tx);
        if let Access::Sight(since) = access {
            messages.retain(|message| message.created_at >= since);
        }
        Ok((access, conversation, messages))
    }

    /// Renames, pins and shares one's own conversation.
    pub async fn change_conversation(
        &self,
        who: &Principal,
        agent: AgentId,
        id: ConversationId,
        change: ConversationChange,
    ) -> Result<Conversation, AgentError> {
        let title = change.title.as_deref().map(check_title).transpose()?;
        self.conversation(who, agent, id).await?;
        let now = self.0.clock.now();
        let mut tx = self.0.db.tenant(who.org_id).await?;
        if let Some(title) = &title {
            rows::rename(&mut tx, id, title, now).await?;
        }
        rows::mark(&mut tx, id, change.pinned, change.shared, now).await?;
        tx.commit().await?;
        Ok(self.conversation(who, agent, id).await?.0)
    }

    /// An own copy of a conversation that is one's own or shared: what is shown of it, with its attachments.
    pub async fn copy_conversation(
        &self,
        who: &Principal,
        agent: AgentId,
        id: ConversationId,
    ) -> Result<Conversation, AgentError> {
        let (access, from, messages) = self.readable(who, agent, id).await?;
        if matches!(access, Access::Sight(_)) {
            return Err(AgentError::NotFound("conversation"));
        }
        let (subject, now) = (who.subject(), self.0.clock.now());
        let copy = Conversation {
            id: ConversationId::generate(&self.0.clock),
            pinned: false,
            shared: false,
            created_at: now,
            updated_at: now,
            ..from
        };
        let mut tx = self.0.db.tenant(who.org_id).await?;
        rows::insert(&mut tx, who.org_id, &copy, &subject).await?;
        rows::set_copied_from(&mut tx, copy.id, id).await?;
        for message in messages.into_iter().filter(|message| !message.is_being_written()) {
            let from = message.id;
            let message = Message { id: MessageId::generate(&self.0.clock), parent_id: None, ..message };
            rows::insert_message(&mut tx, who.org_id, copy.id, &message).await?;
            if message.role == Speaker::Assistant {
                rows::finish_message(&mut tx, &message).await?;
            }
            store::attachments::copy(&mut tx, from, message.id, &subject, now).await?;
        }
        tx.commit().await?;
        Ok(copy)
    }
}
