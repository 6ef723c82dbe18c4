//! Events, for publishers and subscribers.

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::{
    ToSchema,
    openapi::{RefOr, schema::Schema},
};

use jobs::{Enqueue, Job, JobsError};
use platform::{clock::Clock, id_type, ids::OrgId};

id_type!(EventId, "Something that happened.");

/// Something that happened. The value is the payload: it names things by id, contains no secret and no user's text, and later versions only
/// add fields; an incompatible change needs another [`Event::VERSION`].
pub trait Event: Serialize + ToSchema + Send + Sync {
    /// `<room>.<thing>.<what happened>`, e.g. `knowledge.document.ready`.
    const TOPIC: &'static str;
    const VERSION: i16 = 1;
    /// When it is published: one sentence for the catalogue.
    const ABOUT: &'static str;

    /// The subject: events with the same key are handled in order.
    fn key(&self) -> String;
}

/// A kind of event, for the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct EventType {
    pub topic: &'static str,
    pub version: i16,
    pub about: &'static str,
    /// Schema of the payload.
    pub schema: fn() -> RefOr<Schema>,
}

impl EventType {
    pub const fn of<E: Event>() -> Self {
        Self { topic: E::TOPIC, version: E::VERSION, about: E::ABOUT, schema: E::schema }
    }
}

/// An event as readers get it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Occurred {
    pub id: EventId,
    /// `None`: an event of the installation.
    pub org_id: Option<OrgId>,
    pub topic: String,
    pub version: i16,
    pub key: String,
    pub payload: serde_json::Value,
    pub created_at: DateTime<Utc>,
    /// The publisher's trace.
    pub trace_id: Option<String>,
}

impl Occurred {
    /// The payload; `None` if the event is of another type.
    pub fn payload<E: Event + serde::de::DeserializeOwned>(&self) -> Result<Option<E>, serde_json::Error> {
        if (self.topic.as_str(), self.version) != (E::TOPIC, E::VERSION) {
            return Ok(None);
        }
        serde_json::from_value(self.payload.clone()).map(Some)
    }
}

/// A job type that reacts to events: one job per event. Jobs with the same event key run one after another in the order of the events; one that
/// fails for good becomes a dead letter, and the next starts.
pub trait Subscriber: Job + From<Occurred> {
    const TOPICS: &'static [&'static str];
}

type Queue = for<'a> fn(&'a mut PgConnection, &'a Clock, &'a Occurred) -> BoxFuture<'a, Result<(), JobsError>>;

/// A [`Subscriber`], for the dispatcher.
#[derive(Clone, Copy, Debug)]
pub struct Subscription {
    pub(super) topics: &'static [&'static str],
    pub(super) queue: Queue,
}

impl Subscription {
    pub const fn of<S: Subscriber>() -> Self {
        Self {
            topics: S::TOPICS,
            queue: |conn, clock, event| {
                Box::pin(async move {
                    let key = Some(format!("{}:{}", S::KIND, event.key));
                    let options = Enqueue { concurrency_key: key, ordered: !platform::mutant(3), ..Enqueue::default() };
                    jobs::enqueue(conn, clock, event.org_id, &S::from(event.clone()), &options).await.map(drop)
                })
            },
        }
    }
}

/// A reader's position: everything up to `ordinal` is processed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    pub ordinal: i64,
    /// An ordinal is missing after it.
    pub gap: Option<Gap>,
}

/// Ordinals up to `upto` without a row were drawn by transactions with ids below `xid`: once those have all ended, missing rows will never
/// appear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    pub xid: i64,
    pub upto: i64,
}
