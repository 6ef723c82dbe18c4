//! `/api/v1/agents`: agents, versions, conversations, answers.

mod agents;
mod answers;
mod conversations;
pub(super) mod sse;

use utoipa_axum::{router::OpenApiRouter, routes};

use super::service::Agents;
use platform::http::idempotent;

/// The routes of this capability.
pub fn router() -> OpenApiRouter<Agents> {
    OpenApiRouter::new()
        .routes(idempotent(routes!(agents::create_agent, agents::list_agents)))
        .routes(routes!(agents::get_agent, agents::update_agent, agents::delete_agent))
        .routes(routes!(agents::list_versions))
        .routes(routes!(agents::roll_back_agent))
        .routes(idempotent(routes!(conversations::start_conversation, conversations::list_conversations)))
        .routes(routes!(
            conversations::get_conversation,
            conversations::rename_conversation,
            conversations::delete_conversation
        ))
        .routes(routes!(conversations::post_message))
        .routes(routes!(conversations::regenerate_answer))
        .routes(routes!(conversations::continue_answer))
        .routes(routes!(conversations::stop_answer))
        .merge(answers::router())
}
