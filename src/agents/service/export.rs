//! A conversation as a file.

use std::fmt::Write as _;

use serde_json::json;

use super::Agents;
use crate::{
    error::AgentError,
    model::{AgentId, ConversationId, ExportFormat, Exported, Message, Speaker},
};
use platform::http::Principal;

impl Agents {
    /// A conversation that one may read, as a file.
    pub async fn export(
        &self,
        who: &Principal,
        agent: AgentId,
        id: ConversationId,
        format: ExportFormat,
    ) -> Result<Exported, AgentError> {
        let (_, conversation, messages) = self.readable(who, agent, id).await?;
        Ok(match format {
            ExportFormat::Markdown => Exported {
                filename: format!("conversation-{id}.md"),
                media_type: "text/markdown; charset=utf-8",
                bytes: markdown(&conversation.title, &messages).into(),
            },
            ExportFormat::Json => Exported {
                filename: format!("conversation-{id}.json"),
                media_type: "application/json",
                bytes: serde_json::to_vec_pretty(&json!({"conversation": conversation, "messages": messages}))?.into(),
            },
        })
    }
}

fn markdown(title: &str, messages: &[Message]) -> String {
    let mut text = format!("# {title}\n");
    for message in messages {
        let who = if message.role == Speaker::User { "Question" } else { "Answer" };
        let _ = write!(text, "\n## {who}, {}\n\n{}\n", message.created_at.to_rfc3339(), message.content);
        for source in &message.citations {
            let page = source.page.map(|page| format!(", page {page}")).unwrap_or_default();
            let _ = write!(text, "\n- [{}] {}{page}", source.mark, source.title);
        }
        if !message.citations.is_empty() {
            text.push('\n');
        }
    }
    text
}
