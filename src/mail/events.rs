//! The events of mail.

use serde::Serialize;
use utoipa::ToSchema;

use super::model::{Bounced, DomainId, MessageId};
use events::{Event, EventType};

pub const EVENTS: &[EventType] = &[
    EventType::of::<MessageSent>(),
    EventType::of::<MessageFailed>(),
    EventType::of::<MessageBounced>(),
    EventType::of::<DomainWithdrawn>(),
];

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventMailSent)]
pub struct MessageSent {
    pub message_id: MessageId,
    /// 1: accepted at once.
    pub attempts: i32,
}

impl Event for MessageSent {
    const TOPIC: &'static str = "mail.message.sent";
    const ABOUT: &'static str = "The mail server has accepted a mail that was sent by the API. It may still bounce.";
    fn key(&self) -> String {
        self.message_id.to_string()
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventMailFailed)]
pub struct MessageFailed {
    pub message_id: MessageId,
    /// Kind of the mail, such as `welcome`.
    pub kind: String,
    /// The server's reply code; null: it gave none.
    pub status: Option<i32>,
    /// Enhanced status code, such as `5.1.1`.
    pub enhanced: Option<String>,
}

impl Event for MessageFailed {
    const TOPIC: &'static str = "mail.message.failed";
    const ABOUT: &'static str =
        "A mail was refused for good or for too long, or waited until it was of no use any more.";
    fn key(&self) -> String {
        self.message_id.to_string()
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventMailBounced)]
pub struct MessageBounced {
    pub message_id: MessageId,
    /// Kind of the mail, such as `welcome`.
    pub kind: String,
    /// `hard`, `refused`, `soft` or `complaint`
    #[schema(inline)]
    pub bounce: Bounced,
    /// Enhanced status code, such as `5.1.1`; may be empty.
    pub status: String,
}

impl Event for MessageBounced {
    const TOPIC: &'static str = "mail.message.bounced";
    const ABOUT: &'static str = "A mail that was sent came back, or its recipient called it spam.";
    fn key(&self) -> String {
        self.message_id.to_string()
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventMailDomainWithdrawn)]
pub struct DomainWithdrawn {
    pub domain_id: DomainId,
    pub domain: String,
}

impl Event for DomainWithdrawn {
    const TOPIC: &'static str = "mail.domain.withdrawn";
    const ABOUT: &'static str = "A domain is not verified any more: its DKIM record was missing for three days, or another organisation has \
                                 shown that the domain is its own. Mail is not sent from it.";
    fn key(&self) -> String {
        self.domain_id.to_string()
    }
}
