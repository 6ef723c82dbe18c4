//! Who reads an answer that is being written.

use tokio::sync::mpsc;

use super::{Agents, AnswerEvent};
use crate::{
    error::AgentError,
    model::{AgentId, ConversationId, Message},
};
use platform::http::Principal;

/// A question and its answer in progress.
#[derive(Debug)]
pub struct Joined {
    pub question: Message,
    /// The answer's message as it was when its writing began.
    pub answer: Message,
    pub events: Reader,
}

/// Events of an answer, each with its number, from 1 on. Dropping it stops the answer.
#[derive(Debug)]
pub struct Reader {
    events: mpsc::Receiver<AnswerEvent>,
    at: u64,
}

impl Reader {
    pub(super) fn new(events: mpsc::Receiver<AnswerEvent>) -> Self {
        Self { events, at: 0 }
    }

    /// `None` after [`AnswerEvent::End`].
    pub async fn next(&mut self) -> Option<(u64, AnswerEvent)> {
        let event = self.events.recv().await?;
        self.at += 1;
        Some((self.at, event))
    }
}

impl Agents {
    /// The answer that is being written in a conversation, from the event after `after` on; `None` where nothing is being written, or where
    /// nobody but the asker can read it, which is so for all answers yet.
    pub async fn join(
        &self,
        who: &Principal,
        agent: AgentId,
        id: ConversationId,
        after: u64,
    ) -> Result<Option<Joined>, AgentError> {
        self.access(who, agent, id).await?;
        tracing::debug!(conversation_id = %id, after, "an answer is read by its asker alone");
        Ok(None)
    }
}
