//! Queueing, listing and replaying deliveries.

use serde::Serialize;
use serde_json::json;
use sqlx::PgConnection;

use super::{Webhooks, endpoints::owners};
use crate::{
    WebhooksError,
    jobs::Deliver,
    model::{Delivery, DeliveryDetail, DeliveryId, EndpointId, Message, Owner},
    store::{
        deliveries::{self, Filter, NewDelivery},
        endpoints,
    },
};
use jobs::Enqueue;
use platform::{
    db::Tx,
    http::{Principal, Slice},
    ids::OrgId,
};

/// Topic of test messages; no event has it.
const TEST: &str = "webhooks.test";

/// A posted message.
#[derive(Serialize)]
pub(super) struct Posted<'a> {
    pub id: uuid::Uuid,
    #[serde(rename = "type")]
    pub topic: &'a str,
    pub timestamp: chrono::DateTime<chrono::Utc>,
    pub data: &'a serde_json::Value,
}

impl Webhooks {
    /// Queues a message for a configured receiver, in the caller's system transaction. Does nothing if one with this id exists.
    pub async fn send(&self, tx: &mut Tx, name: &str, id: DeliveryId, message: &Message) -> Result<(), WebhooksError> {
        let receiver = format!("alerting.{name}");
        let Message { topic, subject, body } = message;
        if deliveries::get(tx, None, id).await?.is_some() {
            return Ok(());
        }
        self.queue(tx, &NewDelivery { id, message_id: id.0, org: None, receiver: &receiver, topic, subject, body })
            .await
    }

    /// Queues a message for another room's receiver, by its whole name, in a transaction of its owner. Does nothing if one with this id exists.
    pub async fn post(
        &self,
        conn: &mut PgConnection,
        owner: Owner,
        receiver: &str,
        id: DeliveryId,
        message: &Message,
    ) -> Result<(), WebhooksError> {
        let Message { topic, subject, body } = message;
        if deliveries::get(conn, owner.org(), id).await?.is_some() {
            return Ok(());
        }
        self.queue(conn, &NewDelivery { id, message_id: id.0, org: owner.org(), receiver, topic, subject, body }).await
    }

    /// A message in the form of all signed ones.
    pub fn signed_body(&self, id: DeliveryId, topic: &str, data: &serde_json::Value) -> Result<String, WebhooksError> {
        let posted = Posted { id: id.0, topic, timestamp: self.inner.clock.now(), data };
        Ok(serde_json::to_string(&posted)?)
    }

    /// What was sent to another room's receiver, newest first. The caller has checked that the user may see it.
    pub async fn sent_to(&self, owner: Owner, receiver: &str, slice: &Slice) -> Result<Vec<Delivery>, WebhooksError> {
        let mut tx = self.begin(owner).await?;
        let filter = Filter { receiver, ..Filter::default() };
        let found = deliveries::list(&mut tx, &filter, slice).await?;
        tx.commit().await?;
        Ok(found)
    }

    /// A delivery of this owner.
    pub async fn sent(&self, owner: Owner, id: DeliveryId) -> Result<Option<DeliveryDetail>, WebhooksError> {
        let mut tx = self.begin(owner).await?;
        let found = deliveries::get(&mut tx, owner.org(), id).await?;
        tx.commit().await?;
        Ok(found)
    }

    /// Since when every attempt at another room's receivers fails: names with this prefix.
    pub async fn failing(&self, prefix: &str) -> Result<Vec<(String, chrono::DateTime<chrono::Utc>)>, WebhooksError> {
        let mut tx = self.begin(Owner::Installation).await?;
        let found = deliveries::failing_receivers(&mut tx, prefix).await?;
        tx.commit().await?;
        Ok(found)
    }

    /// Another room's receiver was changed: what waits for it is tried now.
    pub async fn try_now(&self, owner: Owner, receiver: &str) -> Result<(), WebhooksError> {
        let mut tx = self.begin(Owner::Installation).await?;
        deliveries::set_receiver_retry(&mut tx, receiver, None).await?;
        self.wake(&mut tx, owner.org(), receiver).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Another room's receiver was deleted.
    pub async fn forget(&self, receiver: &str) -> Result<(), WebhooksError> {
        let mut tx = self.begin(Owner::Installation).await?;
        deliveries::delete_of(&mut tx, receiver).await?;
        deliveries::receiver_succeeded(&mut tx, receiver).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Stores the delivery and enqueues a job that sends it.
    async fn queue(&self, conn: &mut PgConnection, new: &NewDelivery<'_>) -> Result<(), WebhooksError> {
        deliveries::insert(conn, new).await?;
        self.wake(conn, new.org, new.receiver).await
    }

    /// Enqueues a job that sends this receiver's queued messages, unless one waits to start: a backlog of one receiver has one job, behind
    /// which those of others need not queue.
    pub(super) async fn wake(
        &self,
        conn: &mut PgConnection,
        org: Option<OrgId>,
        receiver: &str,
    ) -> Result<(), WebhooksError> {
        let options = Enqueue {
            unique_key: Some(receiver.to_owned()),
            // One at a time per receiver: keeps the order, and a hanging receiver does not use up the worker's slots.
            concurrency_key: Some(format!("webhooks:{receiver}")),
            ..Enqueue::default()
        };
        let job = Deliver { receiver: receiver.to_owned() };
        jobs::enqueue(conn, &self.inner.clock, org, &job, &options).await?;
        Ok(())
    }

    /// Queues a test message.
    pub async fn test_endpoint(&self, who: &Principal, id: EndpointId) -> Result<Delivery, WebhooksError> {
        let (mut tx, owner, row) = self.find(who, id).await?;
        if row.disabled_at.is_some() {
            return Err(WebhooksError::Disabled);
        }
        let (delivery, receiver) = (DeliveryId::generate(&self.inner.clock), id.to_string());
        let data = json!({"endpoint_id": id});
        let posted = Posted { id: delivery.0, topic: TEST, timestamp: self.inner.clock.now(), data: &data };
        let body = serde_json::to_string(&posted)?;
        let new = NewDelivery {
            id: delivery,
            message_id: delivery.0,
            org: owner.org(),
            receiver: &receiver,
            topic: TEST,
            subject: &receiver,
            body: &body,
        };
        endpoints::retry_now(&mut tx, id, self.inner.clock.now()).await?;
        self.queue(&mut tx, &new).await?;
        let made = deliveries::get(&mut tx, owner.org(), delivery).await?;
        tx.commit().await?;
        made.map(|made| made.delivery).ok_or(WebhooksError::NotFound("webhook_delivery"))
    }

    /// Newest first. Fails if the caller may not see the endpoint.
    pub async fn list_deliveries(
        &self,
        who: &Principal,
        filter: &Filter<'_>,
        slice: &Slice,
    ) -> Result<Vec<Delivery>, WebhooksError> {
        let id = filter.receiver.parse().map_err(|_| WebhooksError::NotFound("webhook_endpoint"))?;
        let (tx, owner, _) = self.find(who, id).await?;
        // A search may take long: attempts need the endpoint's row, which is locked until here.
        tx.commit().await?;
        let mut tx = self.begin(owner).await?;
        let found = deliveries::list(&mut tx, filter, slice).await?;
        tx.commit().await?;
        Ok(found)
    }

    /// Deliveries about a subject to configured receivers, oldest first. The caller must have checked that the user is an operator.
    pub async fn deliveries_about(&self, subject: &str) -> Result<Vec<Delivery>, WebhooksError> {
        let mut tx = self.begin(Owner::Installation).await?;
        let found = deliveries::about(&mut tx, subject).await?;
        tx.commit().await?;
        Ok(found)
    }

    pub async fn get_delivery(&self, who: &Principal, id: DeliveryId) -> Result<DeliveryDetail, WebhooksError> {
        let (_, _, detail) = self.find_delivery(who, id).await?;
        Ok(detail)
    }

    /// Sends the message again with the same `webhook-id` and body, as a new delivery; a queued one is tried immediately.
    pub async fn replay(&self, who: &Principal, id: DeliveryId) -> Result<Delivery, WebhooksError> {
        let (mut tx, owner, DeliveryDetail { delivery, body }) = self.find_delivery(who, id).await?;
        match delivery.receiver.parse::<EndpointId>() {
            Ok(endpoint) => {
                let row = endpoints::get(&mut tx, owner.org(), endpoint).await?;
                if row.ok_or(WebhooksError::NotFound("webhook_endpoint"))?.disabled_at.is_some() {
                    return Err(WebhooksError::Disabled);
                }
                endpoints::retry_now(&mut tx, endpoint, self.inner.clock.now()).await?;
            }
            Err(_) => {
                tx = self.begin_anew(tx).await?;
                deliveries::set_receiver_retry(&mut tx, &delivery.receiver, None).await?;
            }
        }
        let id = if delivery.state == crate::DeliveryState::Queued {
            self.wake(&mut tx, owner.org(), &delivery.receiver).await?;
            id
        } else {
            let new = NewDelivery {
                id: DeliveryId::generate(&self.inner.clock),
                message_id: delivery.message_id,
                org: owner.org(),
                receiver: &delivery.receiver,
                topic: &delivery.topic,
                subject: &delivery.subject,
                body: &body,
            };
            self.queue(&mut tx, &new).await?;
            new.id
        };
        let again = deliveries::get(&mut tx, owner.org(), id).await?;
        tx.commit().await?;
        tracing::info!(delivery_id = %id, message_id = %delivery.message_id, by = who.subject(), "webhook message sent again");
        again.map(|again| again.delivery).ok_or(WebhooksError::NotFound("webhook_delivery"))
    }

    /// Gives up a queued message that its receiver refuses again and again, so that the next one is tried.
    pub async fn give_up(&self, who: &Principal, id: DeliveryId) -> Result<Delivery, WebhooksError> {
        let (mut tx, owner, DeliveryDetail { delivery, .. }) = self.find_delivery(who, id).await?;
        match delivery.receiver.parse::<EndpointId>() {
            Ok(endpoint) => {
                // Locked before its deliveries, as everywhere.
                endpoints::get(&mut tx, owner.org(), endpoint).await?;
                endpoints::retry_now(&mut tx, endpoint, self.inner.clock.now()).await?;
            }
            Err(_) => {
                tx = self.begin_anew(tx).await?;
                deliveries::set_receiver_retry(&mut tx, &delivery.receiver, None).await?;
            }
        }
        if !deliveries::give_up_one(&mut tx, id, "it was given up by hand").await? {
            return Err(WebhooksError::NotQueued);
        }
        self.wake(&mut tx, owner.org(), &delivery.receiver).await?;
        let given_up = deliveries::get(&mut tx, owner.org(), id).await?;
        tx.commit().await?;
        tracing::info!(delivery_id = %id, receiver = delivery.receiver, by = who.subject(), "webhook message given up by hand");
        given_up.map(|given_up| given_up.delivery).ok_or(WebhooksError::NotFound("webhook_delivery"))
    }

    /// What is known of a receiver without an endpoint belongs to no organisation: a transaction that may write it.
    async fn begin_anew(&self, tx: Tx) -> Result<Tx, WebhooksError> {
        tx.commit().await?;
        self.begin(Owner::Installation).await
    }

    async fn find_delivery(
        &self,
        who: &Principal,
        id: DeliveryId,
    ) -> Result<(Tx, Owner, DeliveryDetail), WebhooksError> {
        for owner in owners(who) {
            let mut tx = self.begin(owner).await?;
            if let Some(found) = deliveries::get(&mut tx, owner.org(), id).await? {
                return Ok((tx, owner, found));
            }
        }
        Err(WebhooksError::NotFound("webhook_delivery"))
    }
}
