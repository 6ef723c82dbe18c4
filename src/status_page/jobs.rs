//! The jobs of status pages and their schedules.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    StatusPages,
    service::{Closed, Place},
};
use events::{Event, Occurred, Subscriber};
use incidents::IncidentUpdated;
use jobs::{CatchUp, Cron, Job, JobError, JobsError, Registry};

/// Forgets those who asked for updates and never confirmed it, and pages that were removed.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Maintain {}

impl Job for Maintain {
    const KIND: &'static str = "status_page.maintain";
    const QUEUE: &'static str = "system";
    const TIMEOUT: Duration = Duration::from_mins(1);
}

/// An incident has an update: begins to tell subscribers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Updated(Occurred);

impl Job for Updated {
    const KIND: &'static str = "status_page.updated";
    const QUEUE: &'static str = "system";
    const MAX_ATTEMPTS: i32 = 10;
    const BACKOFF: Duration = Duration::from_secs(5);
    const TIMEOUT: Duration = Duration::from_mins(1);
}

impl From<Occurred> for Updated {
    fn from(event: Occurred) -> Self {
        Self(event)
    }
}

impl Subscriber for Updated {
    const TOPICS: &'static [&'static str] = &[IncidentUpdated::TOPIC];
}

/// Mails an update to the next subscribers of a page.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct TellSubscribers(pub Place);

impl Job for TellSubscribers {
    const KIND: &'static str = "status_page.tell_subscribers";
    const QUEUE: &'static str = "system";
    const MAX_ATTEMPTS: i32 = 20;
    const BACKOFF: Duration = Duration::from_secs(30);
    const TIMEOUT: Duration = Duration::from_mins(5);
    const UNIQUE_UNTIL_START: bool = true;
}

/// Tells the next subscribers that a page's updates are not mailed any more.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct TellClosed(pub Closed);

impl Job for TellClosed {
    const KIND: &'static str = "status_page.tell_closed";
    const QUEUE: &'static str = "system";
    const MAX_ATTEMPTS: i32 = 20;
    const BACKOFF: Duration = Duration::from_secs(30);
    const TIMEOUT: Duration = Duration::from_mins(5);
    const UNIQUE_UNTIL_START: bool = true;
}

/// Registers what runs these jobs, and their schedules.
pub fn register(registry: &mut Registry, pages: &StatusPages) -> Result<(), JobsError> {
    let this = pages.clone();
    registry.register::<Maintain, _, _>(move |_, _| {
        let this = this.clone();
        async move {
            let forgotten = this.maintain().await?;
            if forgotten > 0 {
                tracing::info!(forgotten, "subscriptions that nobody confirmed, and removed status pages");
            }
            Ok(())
        }
    });
    let this = pages.clone();
    registry.register::<Updated, _, _>(move |_, Updated(event)| {
        let this = this.clone();
        async move {
            if let Some(update) = event.payload::<IncidentUpdated>()? {
                this.begin_telling(event.org_id, &update).await?;
            }
            Ok(())
        }
    });
    let this = pages.clone();
    registry.register::<TellSubscribers, _, _>(move |context, TellSubscribers(place)| {
        let this = this.clone();
        async move {
            // A transaction for each part: what is told is told, wherever the next one fails.
            let mut next = Some(place);
            while let Some(place) = next {
                if context.cancel.is_cancelled() {
                    this.go_on_telling(context.org_id, place).await?;
                    return Ok::<(), JobError>(());
                }
                next = this.tell(&place).await?;
            }
            Ok(())
        }
    });
    let this = pages.clone();
    registry.register::<TellClosed, _, _>(move |_, TellClosed(place)| {
        let this = this.clone();
        async move {
            // Begun anew after a stop, it mails nobody twice: each mail has a key.
            let mut next = Some(place);
            while let Some(place) = next {
                next = this.tell_closed(&place).await?;
            }
            Ok(())
        }
    });
    registry.schedule(Maintain::KIND, Cron::parse("53 * * * *", "UTC")?, CatchUp::One, &Maintain {})
}
