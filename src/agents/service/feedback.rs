//! What people think of answers.

use super::Agents;
use crate::{
    error::AgentError,
    model::{AgentId, ConversationId, MessageId, Rating, Speaker},
    store,
};
use platform::{error::FieldError, http::Principal, names::tidy_text};

/// Longest comment, characters.
const LONGEST: usize = 2000;

impl Agents {
    /// Says what one thinks of an answer that one may read; `None` takes it back.
    pub async fn rate(
        &self,
        who: &Principal,
        agent: AgentId,
        id: ConversationId,
        message: MessageId,
        rating: Option<Rating>,
    ) -> Result<(), AgentError> {
        let (_, _, messages) = self.readable(who, agent, id).await?;
        if !messages.iter().any(|m| m.id == message && m.role == Speaker::Assistant) {
            return Err(AgentError::NotFound("message"));
        }
        let rating = rating.map(|rating| Rating { comment: tidy_text(&rating.comment), ..rating });
        if let Some(length) = rating.as_ref().map(|rating| rating.comment.chars().count()).filter(|n| *n > LONGEST) {
            let text = format!("{length} characters; at most {LONGEST}");
            return Err(AgentError::Invalid(vec![FieldError::new("/comment", "too_long", text)]));
        }
        let (subject, now) = (who.subject(), self.0.clock.now());
        let mut tx = self.0.db.tenant(who.org_id).await?;
        match &rating {
            Some(rating) => store::feedback::put(&mut tx, who.org_id, message, &subject, rating, now).await?,
            None => store::feedback::delete(&mut tx, message, &subject).await?,
        }
        let figure = rating.map_or(0, |rating| if rating.good { 1 } else { -1 });
        store::traces::set_feedback(&mut tx, message, figure).await?;
        tx.commit().await?;
        Ok(())
    }
}
