//! Branches of a conversation: which of the messages that stand for each other is shown.

use super::Agents;
use crate::{
    error::AgentError,
    model::{AgentId, ConversationId, MessageId},
};
use platform::http::Principal;

impl Agents {
    /// Shows this message instead of its siblings, and what follows it.
    pub async fn show(
        &self,
        who: &Principal,
        agent: AgentId,
        id: ConversationId,
        message: MessageId,
    ) -> Result<(), AgentError> {
        let (_, messages) = self.conversation(who, agent, id).await?;
        if messages.iter().any(|m| m.id == message) { Ok(()) } else { Err(AgentError::NotFound("message")) }
    }
}
