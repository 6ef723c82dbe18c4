//! Console pages of agents: list, form, versions, the playground, and sight of answers.

pub(super) mod chat;
mod edit;
mod list;
pub(super) mod reasons;
mod sight;

use axum::Router;

use super::service::Agents;

pub fn router() -> Router<Agents> {
    list::router().merge(edit::router()).merge(chat::router()).merge(sight::router())
}
