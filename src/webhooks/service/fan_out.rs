//! Creates deliveries from events.

use std::collections::BTreeMap;

use super::{Webhooks, deliveries::Posted};
use crate::{
    WebhooksError,
    model::DeliveryId,
    store::{
        deliveries::{self, NewDelivery},
        endpoints,
    },
};
use events::{Occurred, Reader};

/// This room's cursor over the events.
const READER: Reader = Reader { name: "webhooks" };
/// Events per transaction.
pub(super) const BATCH: i64 = 200;

impl Webhooks {
    /// Creates the deliveries for new events: an organisation's events go to its endpoints, those of the installation to the installation's.
    /// They commit together with the cursor. Returns how many events there were.
    pub async fn fan_out(&self) -> Result<i64, WebhooksError> {
        let mut tx = self.inner.db.system().await?;
        let events = READER.next(&mut tx, BATCH).await?;
        if events.is_empty() {
            // Moving over a gap is a step, too.
            tx.commit().await?;
            return Ok(0);
        }
        let endpoints = endpoints::enabled(&mut tx).await?;
        let mut receivers = BTreeMap::new();
        for event in &events {
            let wanting = endpoints.iter().filter(|(_, org, topics)| {
                (*org == event.org_id || platform::mutant(12)) && (topics.is_empty() || topics.contains(&event.topic))
            });
            let mut body = None;
            for (endpoint, org, _) in wanting {
                let body = match &body {
                    Some(body) => body,
                    None => body.insert(message(event)?),
                };
                let (id, receiver) = (DeliveryId::generate(&self.inner.clock), endpoint.to_string());
                let new = NewDelivery {
                    id,
                    message_id: id.0,
                    org: *org,
                    receiver: &receiver,
                    topic: &event.topic,
                    subject: &event.key,
                    body,
                };
                deliveries::insert(&mut tx, &new).await?;
                receivers.insert(receiver, *org);
            }
        }
        // Once each, and last: until the commit the jobs that wait for these receivers do not start.
        for (receiver, org) in &receivers {
            self.wake(&mut tx, *org, receiver).await?;
        }
        tx.commit().await?;
        Ok(i64::try_from(events.len()).unwrap_or(i64::MAX))
    }
}

fn message(event: &Occurred) -> Result<String, serde_json::Error> {
    let Occurred { id, topic, payload, created_at, .. } = event;
    serde_json::to_string(&Posted { id: id.0, topic, timestamp: *created_at, data: payload })
}
