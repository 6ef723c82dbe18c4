//! Console pages of agents: list, form, versions, and the playground.

pub(super) mod chat;
mod edit;
mod list;
pub(super) mod reasons;

use axum::{
    Router,
    routing::{get, post},
};

use super::service::Agents;

pub fn router() -> Router<Agents> {
    Router::new()
        .route("/agents", get(list::list).post(edit::create))
        .route("/agents/new", get(edit::new))
        .route("/agents/{agent}", get(chat::open))
        .route("/agents/{agent}/edit", get(edit::edit).post(edit::update))
        .route("/agents/{agent}/versions", get(list::versions).post(list::roll_back))
        .route("/agents/{agent}/delete", post(list::delete))
        .route("/agents/{agent}/ask", post(chat::ask))
        .route("/agents/{agent}/conversations/{conversation}", get(chat::conversation))
        .route("/agents/{agent}/conversations/{conversation}/ask", post(chat::ask_in))
        .route("/agents/{agent}/conversations/{conversation}/regenerate", post(chat::regenerate))
        .route("/agents/{agent}/conversations/{conversation}/continue", post(chat::go_on))
        .route("/agents/{agent}/conversations/{conversation}/stop", post(chat::stop))
        .route("/agents/{agent}/conversations/{conversation}/rename", post(chat::rename))
        .route("/agents/{agent}/conversations/{conversation}/delete", post(chat::delete))
}
