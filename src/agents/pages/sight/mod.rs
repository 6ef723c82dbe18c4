//! Answers of the whole organisation, for those whom it lets see them.

use axum::Router;

use crate::service::Agents;

pub(super) fn router() -> Router<Agents> {
    Router::new()
}
