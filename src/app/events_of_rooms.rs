//! Every kind of event that rooms publish, and who reacts to them.

use crate::{
    agents, alerting, auth, backup,
    events::{EventType, Subscription},
    knowledge, webhooks,
};

/// Every kind of event.
pub fn types() -> Vec<EventType> {
    let rooms = [agents::EVENTS, alerting::EVENTS, auth::EVENTS, backup::EVENTS, knowledge::EVENTS, webhooks::EVENTS];
    rooms.concat()
}

/// Who reacts with jobs. None of ours does yet; webhooks reads with a cursor of its own.
pub fn subscriptions() -> Vec<Subscription> {
    Vec::new()
}
