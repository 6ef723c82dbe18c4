//! Sending a receiver's queued messages.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::{Instant, sleep};

use super::{Webhooks, endpoints::DISABLED};
use crate::{
    BadSecret, SigningKey, WebhooksError,
    events::EndpointDisabled,
    metrics::{DeliveryOutcome, Origin},
    model::{DeliveryDetail, DeliveryState, DisabledReason, EndpointId, Owner},
    receivers::{Form, Judge, Receivers, by_status},
    sender::{Attempt, Attempted, By, SendError},
    store::{
        deliveries::{self, Outcome},
        endpoints,
    },
};
use jobs::{JobContext, JobError};
use platform::{crypto, db::Tx, error::chain, ids::OrgId};

/// Deliveries per run of a job: other jobs wait for a worker, too.
const TURN: usize = 25;
/// After this long a job lets others run, too: otherwise a few slow receivers keep the workers for minutes.
const TURN_TIME: Duration = Duration::from_secs(5);
/// Wait before the second attempt; doubles with each further one.
const BACKOFF: Duration = Duration::from_secs(10);
/// Longest wait between attempts.
const LONGEST: Duration = Duration::from_secs(3600);
/// How long messages to a receiver that this process cannot serve wait for one with another configuration.
const ELSEWHERE: TimeDelta = TimeDelta::hours(1);
/// Why messages to another room's receiver are given up.
const NO_RECEIVER: &str = "its receiver was deleted or disabled";
/// A job snoozed until the next attempt may run this much earlier, by another clock.
const EARLY: TimeDelta = TimeDelta::seconds(5);

/// What an attempt needs of a receiver.
struct Receiver {
    name: String,
    /// `None`: a configured receiver, or one of another room.
    endpoint: Option<EndpointId>,
    /// The room that has it, and its name there.
    room: Option<(Arc<dyn Receivers>, String)>,
    owner: Owner,
    url: SecretString,
    form: Form,
    judge: Judge,
    gap: Duration,
    longest: Duration,
    retry_at: Option<DateTime<Utc>>,
    give_up_hours: u32,
}

impl Receiver {
    /// For whom its rows are written: what is known of a receiver without an endpoint belongs to no organisation.
    fn writes_as(&self) -> Owner {
        if self.endpoint.is_some() { self.owner } else { Owner::Installation }
    }
}

/// Outcome of an attempt.
enum Turn {
    /// The next one comes after this time.
    Sent(Duration),
    /// Nothing is sent there for this long.
    PutOff(Duration),
    /// No queued message, or nothing is sent there any more.
    Over,
}

impl Webhooks {
    /// Sends queued messages, oldest first, until none is left or an attempt fails. After [`TURN`] or [`TURN_TIME`] it leaves the rest to the
    /// receiver's waiting job. It does not go back to the queue itself: it has given up its key, so the next message would add a job beside it,
    /// and each turn one more.
    pub(crate) async fn deliver(&self, context: &JobContext, org: Option<OrgId>, name: &str) -> Result<(), JobError> {
        let begin = Instant::now();
        for _ in 0..TURN {
            if context.cancel.is_cancelled() {
                return Err(JobError::snooze(Duration::ZERO));
            }
            if begin.elapsed() > TURN_TIME {
                break;
            }
            match self.turn(context, org, name).await? {
                Turn::Sent(gap) => tokio::select! {
                    () = sleep(gap) => {}
                    () = context.cancel.cancelled() => {}
                },
                Turn::Over => return Ok(()),
                Turn::PutOff(wait) => return Err(JobError::snooze(wait)),
            }
        }
        let mut tx = self.begin(Owner::of(org)).await?;
        self.wake(&mut tx, org, name).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn turn(&self, context: &JobContext, org: Option<OrgId>, name: &str) -> Result<Turn, WebhooksError> {
        let owner = Owner::of(org);
        let now = self.inner.clock.now();
        let receiver = match self.receiver(owner, name).await {
            Ok(Some(receiver)) => receiver,
            Ok(None) => return Ok(Turn::Over),
            Err(Refused::Unable(error)) => return self.refused(owner, name, &error).await,
            Err(Refused::Other(error)) => return Err(error),
        };
        // After a failure the failed job runs again at that time, and jobs for newer messages leave it to that one. A job that is run again by
        // the queue may be the failed one: its worker was lost before it was put off.
        if let Some(wait) = receiver.retry_at.map(|at| at - now).filter(|wait| *wait > EARLY) {
            return Ok(if context.attempt > 1 { Turn::PutOff(wait.to_std().unwrap_or_default()) } else { Turn::Over });
        }
        let mut tx = self.begin(owner).await?;
        let next = deliveries::next(&mut tx, name).await?;
        tx.commit().await?;
        let Some(DeliveryDetail { delivery, body }) = next else { return Ok(Turn::Over) };
        let by = if matches!(owner, Owner::Org(_)) { By::Organisation } else { By::Operator };
        let attempt = Attempt {
            by,
            url: receiver.url.expose_secret(),
            form: &receiver.form,
            judge: receiver.judge,
            reads: receiver.room.is_some(),
            message_id: delivery.message_id,
            timestamp: now.timestamp(),
            body: &body,
        };
        let attempted = self.inner.sender.send(&attempt).await;
        self.settle(&receiver, &delivery, attempted).await
    }

    /// The receiver; `None` if the endpoint is disabled or deleted.
    async fn receiver(&self, owner: Owner, name: &str) -> Result<Option<Receiver>, Refused> {
        let Ok(id) = name.parse::<EndpointId>() else {
            return match self.room_of(name) {
                Some((room, short)) => self.of_room(owner, name, room, short).await,
                None => self.configured(name).await.map(Some),
            };
        };
        let mut tx = self.begin(owner).await?;
        let row = endpoints::get(&mut tx, owner.org(), id).await?;
        let exists = row.is_some();
        let Some(row) = row.filter(|row| row.disabled_at.is_none()) else {
            self.discard(tx, owner, name, exists).await?;
            return Ok(None);
        };
        tx.commit().await?;
        let now = self.inner.clock.now();
        let previous = row.previous_secret.as_deref().filter(|_| row.previous_until.is_some_and(|until| now < until));
        let keys = [Some(row.secret.as_slice()), previous].into_iter().flatten();
        let keys = keys.map(|sealed| Ok(SigningKey::parse(&self.open_secret(id, sealed)?)?));
        let keys =
            keys.collect::<anyhow::Result<Vec<_>>>().map_err(|error| Refused::Unable(SendError::Secret(error)))?;
        Ok(Some(Receiver {
            name: name.to_owned(),
            endpoint: Some(id),
            room: None,
            owner,
            url: row.url.into(),
            form: Form::Signed(keys),
            judge: by_status,
            gap: Duration::ZERO,
            longest: LONGEST,
            retry_at: row.retry_at,
            give_up_hours: self.inner.config.give_up_hours,
        }))
    }

    /// Discards messages that were queued for an endpoint after it was disabled or deleted: their events were matched with it before.
    async fn discard(&self, mut tx: Tx, owner: Owner, name: &str, exists: bool) -> Result<(), WebhooksError> {
        let mut given_up = 0;
        if exists {
            given_up = deliveries::give_up(&mut tx, name, None, DISABLED).await?;
        } else {
            let deleted = deliveries::delete_of(&mut tx, name).await?;
            tracing::info!(
                receiver = name,
                deleted,
                "messages deleted that were queued for a deleted webhook endpoint"
            );
        }
        tx.commit().await?;
        self.inner.metrics.given_up(origin(owner, name), name, given_up, DISABLED);
        Ok(())
    }

    async fn configured(&self, name: &str) -> Result<Receiver, Refused> {
        let known = name.strip_prefix("alerting.").and_then(|name| self.inner.configured.get(name));
        let known = known.ok_or(Refused::Unable(SendError::Unknown))?;
        let key = known.secret.as_ref().ok_or(BadSecret).and_then(SigningKey::parse);
        let key = key.map_err(|error| Refused::Unable(SendError::Secret(error.into())))?;
        let mut tx = self.begin(Owner::Installation).await?;
        let retry_at = deliveries::retry_at(&mut tx, name).await?;
        tx.commit().await?;
        Ok(Receiver {
            name: name.to_owned(),
            endpoint: None,
            room: None,
            owner: Owner::Installation,
            url: known.url.clone().into(),
            form: Form::Signed(vec![key]),
            judge: by_status,
            gap: Duration::ZERO,
            longest: LONGEST,
            retry_at,
            give_up_hours: known.give_up_hours,
        })
    }

    /// The room whose prefix this name has, and the name without it.
    fn room_of(&self, name: &str) -> Option<(Arc<dyn Receivers>, String)> {
        let rooms = self.inner.receivers.read().unwrap_or_else(PoisonError::into_inner);
        rooms.iter().find_map(|room| Some((room.clone(), name.strip_prefix(room.prefix())?.to_owned())))
    }

    async fn of_room(
        &self,
        owner: Owner,
        name: &str,
        room: Arc<dyn Receivers>,
        short: String,
    ) -> Result<Option<Receiver>, Refused> {
        let Some(target) = room.get(owner, &short).await? else {
            let mut tx = self.begin(owner).await?;
            let given_up = deliveries::give_up(&mut tx, name, None, NO_RECEIVER).await?;
            tx.commit().await?;
            self.inner.metrics.given_up(origin(owner, name), name, given_up, NO_RECEIVER);
            return Ok(None);
        };
        let mut tx = self.begin(Owner::Installation).await?;
        let retry_at = deliveries::retry_at(&mut tx, name).await?;
        tx.commit().await?;
        Ok(Some(Receiver {
            name: name.to_owned(),
            endpoint: None,
            room: Some((room, short)),
            owner,
            url: target.url,
            form: target.form,
            judge: target.judge,
            gap: target.gap,
            longest: target.longest,
            retry_at,
            give_up_hours: target.give_up_hours,
        }))
    }

    /// This process cannot send to this receiver: its configuration or its key may be outdated. Leaves the messages to other processes
    /// ([`Self::wake_waiting`] offers them again), and gives up those that none has sent.
    async fn refused(&self, owner: Owner, name: &str, error: &SendError) -> Result<Turn, WebhooksError> {
        let reason = chain(error);
        let mut tx = self.begin(owner).await?;
        let before = self.inner.clock.now() - ELSEWHERE;
        let given_up = deliveries::give_up(&mut tx, name, Some(before), &reason).await?;
        tx.commit().await?;
        tracing::warn!(receiver = name, reason, "this process cannot send to this webhook: leaving it to another");
        self.inner.metrics.given_up(origin(owner, name), name, given_up, &reason);
        Ok(Turn::Over)
    }

    /// Records the result of an attempt and its consequences.
    async fn settle(
        &self,
        receiver: &Receiver,
        delivery: &crate::Delivery,
        attempted: Attempted,
    ) -> Result<Turn, WebhooksError> {
        let Attempted { status, took, retry_after, result } = attempted;
        let (now, name) = (self.inner.clock.now(), receiver.name.as_str());
        let origin = origin(receiver.owner, name);
        let error = result.as_ref().err().map(|error| chain(error));
        let is_final = matches!(result, Err(SendError::Gone(_) | SendError::Refused(_) | SendError::Address(_)));
        let state = match &result {
            Ok(()) => DeliveryState::Delivered,
            Err(_) if is_final => DeliveryState::Dead,
            Err(_) => DeliveryState::Queued,
        };
        let outcome = Outcome {
            state,
            status: status.map(|status| i32::from(status.as_u16())),
            milliseconds: i32::try_from(took.as_millis()).unwrap_or(i32::MAX),
            error: error.as_deref(),
            now,
        };
        let mut tx = self.begin(receiver.writes_as()).await?;
        // The endpoint's row first, as whoever disables or deletes it locks it: the other way round the two wait for each other.
        if let Some(id) = receiver.endpoint
            && endpoints::get(&mut tx, receiver.owner.org(), id).await?.is_none()
        {
            return Ok(Turn::Over);
        }
        if !deliveries::attempted(&mut tx, delivery.id, &outcome).await? {
            return Ok(Turn::Sent(receiver.gap));
        }
        let Err(error) = result else {
            match receiver.endpoint {
                Some(id) => endpoints::succeeded(&mut tx, id).await?,
                None => deliveries::receiver_succeeded(&mut tx, name).await?,
            }
            tx.commit().await?;
            self.inner.metrics.attempted(origin, delivery, DeliveryOutcome::Delivered, took, None);
            return Ok(Turn::Sent(receiver.gap));
        };
        let (failures, since) = match receiver.endpoint {
            Some(id) => endpoints::failed(&mut tx, id, now).await?,
            None if matches!(error, SendError::Refused(_)) => {
                (deliveries::receiver_refused(&mut tx, name, now).await?, now)
            }
            None => (deliveries::receiver_failed(&mut tx, name, now).await?, now),
        };
        let reason = chain(&error);
        let disabled = self.should_disable(receiver, &error, since, now);
        if let (Some(id), Some(why)) = (receiver.endpoint, disabled) {
            endpoints::disable(&mut tx, id, why, now).await?;
            let event = EndpointDisabled { endpoint_id: id, reason: why.as_str() };
            events::publish(&mut tx, &self.inner.clock, receiver.owner.org(), &event).await?;
        }
        let old = now - TimeDelta::hours(i64::from(receiver.give_up_hours));
        // A room's receiver that is gone gets nothing more.
        let gone = receiver.room.as_ref().filter(|_| matches!(error, SendError::Gone(_)));
        let before = if disabled.is_some() || gone.is_some() { None } else { Some(old) };
        let given_up = deliveries::give_up(&mut tx, name, before, &reason).await?;
        let wait = backoff(failures).min(receiver.longest).max(retry_after.unwrap_or_default().min(LONGEST));
        let retry_at = now + TimeDelta::from_std(wait).unwrap_or_default();
        match receiver.endpoint {
            // Every message to an address that may not be asked fails: none has to wait.
            Some(_) if disabled.is_some() || is_final => {}
            Some(id) => endpoints::set_retry(&mut tx, id, retry_at).await?,
            // The receiver may want other messages: it can answer 410 to a single one.
            None if is_final => deliveries::set_receiver_retry(&mut tx, name, None).await?,
            None => deliveries::set_receiver_retry(&mut tx, name, Some(retry_at)).await?,
        }
        tx.commit().await?;
        let outcome = if state == DeliveryState::Dead { DeliveryOutcome::Dead } else { DeliveryOutcome::Retried };
        self.inner.metrics.attempted(origin, delivery, outcome, took, Some(&reason));
        self.inner.metrics.given_up(origin, name, given_up, &reason);
        if let Some(why) = disabled {
            self.inner.metrics.disabled(name, why, &reason);
            return Ok(Turn::Over);
        }
        if let Some((room, short)) = &receiver.room {
            if gone.is_some() {
                room.gone(receiver.owner, short, &reason).await?;
                return Ok(Turn::Over);
            }
            room.failed(receiver.owner, short, &reason).await?;
        }
        Ok(if is_final { Turn::Sent(receiver.gap) } else { Turn::PutOff(wait) })
    }

    /// Whether this failure disables the endpoint.
    fn should_disable(
        &self,
        receiver: &Receiver,
        error: &SendError,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Option<DisabledReason> {
        receiver.endpoint?;
        if matches!(error, SendError::Gone(_)) {
            return Some(DisabledReason::Gone);
        }
        let longest = TimeDelta::hours(i64::from(self.inner.config.disable_after_hours));
        (now - since >= longest).then_some(DisabledReason::Failing)
    }
}

/// Why nothing can be sent.
enum Refused {
    /// Nothing can be sent to the receiver.
    Unable(SendError),
    Other(WebhooksError),
}

impl<E: Into<WebhooksError>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

fn origin(owner: Owner, name: &str) -> Origin {
    match owner {
        Owner::Org(_) => Origin::Organisation,
        Owner::Installation if name.starts_with("alerting.") => Origin::Alerting,
        Owner::Installation => Origin::Installation,
    }
}

/// 10 s, 20 s, ... an hour, with jitter: receivers stopped by one outage would otherwise all be retried at the same instants.
pub(crate) fn backoff(failures: i32) -> Duration {
    let doublings = u32::try_from(failures.saturating_sub(1)).unwrap_or(0).min(16);
    (BACKOFF * 2_u32.pow(doublings)).min(LONGEST).mul_f64(0.85 + 0.3 * crypto::random_unit())
}
