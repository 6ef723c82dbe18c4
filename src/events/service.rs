//! Publishing, and creating the jobs of subscribers.

use std::{sync::Arc, time::Duration};

use sqlx::PgConnection;

use super::{
    Config, EventsError, Metrics,
    model::{Event, EventId, EventType, Subscription},
    store::{self, NewEvent, Reader},
};
use jobs::Loops;
use platform::{clock::Clock, db::Db, ids::OrgId, trace};

/// The reader that creates subscribers' jobs.
const SUBSCRIBERS: Reader = Reader { name: "subscribers" };
/// Longest delay until an event reaches its subscribers, while there is a leader.
const EVERY: Duration = Duration::from_secs(1);
const GAUGES_EVERY: Duration = Duration::from_secs(15);
/// Events per transaction.
const BATCH: i64 = 500;

/// Publishes `event` in the caller's transaction: it takes effect if and when that commits. `org` is the transaction's organisation; `None`
/// (an event of the installation) needs `db.system()`. Call it after the statement that locks the event's subject.
pub async fn publish<E: Event>(
    conn: &mut PgConnection,
    clock: &Clock,
    org: Option<OrgId>,
    event: &E,
) -> sqlx::Result<EventId> {
    let (id, key) = (EventId::generate(clock), event.key());
    let payload = serde_json::to_value(event).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let new = NewEvent { id, org, topic: E::TOPIC, version: E::VERSION, key: &key, payload };
    store::insert(conn, &new, trace::current().as_ref()).await?;
    Ok(id)
}

/// What the service is built from.
#[derive(Clone, Debug)]
pub struct Deps {
    pub config: Config,
    pub db: Db,
    pub clock: Clock,
    pub metrics: Metrics,
    /// Every kind of event.
    pub types: Vec<EventType>,
    pub subscriptions: Vec<Subscription>,
}

/// The events service. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Events {
    pub(super) inner: Arc<Deps>,
}

impl Events {
    pub fn new(deps: Deps) -> Self {
        deps.metrics.create(&deps.types);
        Self { inner: Arc::new(deps) }
    }

    /// Every kind of event.
    pub fn types(&self) -> &[EventType] {
        &self.inner.types
    }

    /// Starts dispatching and the gauges.
    pub fn start_loops(&self, loops: &Loops) {
        let this = self.clone();
        loops.every("events.dispatch", EVERY, jobs::By::Leader, move || {
            let this = this.clone();
            async move {
                while this.dispatch().await? == BATCH {}
                Ok(())
            }
        });
        let (this, forget) = (self.clone(), self.inner.metrics.clone());
        let read = move || {
            let this = this.clone();
            async move { Ok(this.refresh_gauges().await?) }
        };
        loops.figures("events.gauges", GAUGES_EVERY, read, move || forget.forget_figures());
    }

    /// Creates the jobs for new events, in the same transaction that moves the cursor. Returns how many events there were.
    pub async fn dispatch(&self) -> Result<i64, EventsError> {
        let Deps { db, clock, metrics, types, subscriptions, .. } = &*self.inner;
        let mut tx = db.system().await?;
        let events = SUBSCRIBERS.next(&mut tx, BATCH).await?;
        for event in &events {
            for subscription in subscriptions.iter().filter(|s| s.topics.contains(&event.topic.as_str())) {
                (subscription.queue)(&mut tx, clock, event).await?;
            }
        }
        tx.commit().await?;
        for event in &events {
            // A newer version that runs beside this one may publish unknown topics.
            if let Some(known) = types.iter().find(|known| known.topic == event.topic) {
                metrics.published(known.topic);
            }
        }
        Ok(i64::try_from(events.len()).unwrap_or(i64::MAX))
    }

    async fn refresh_gauges(&self) -> Result<(), EventsError> {
        let mut tx = self.inner.db.system().await?;
        let backlogs = store::backlogs(&mut tx).await?;
        tx.commit().await?;
        self.inner.metrics.backlogs(&backlogs);
        Ok(())
    }

    /// Returns how many partitions were created and dropped.
    pub(super) async fn maintain(&self) -> Result<(i32, i32), EventsError> {
        let mut tx = self.inner.db.system().await?;
        let done = store::maintain(&mut tx, self.inner.config.retention_days).await?;
        tx.commit().await?;
        Ok(done)
    }
}
