//! `holdfast_webhooks_*`

use std::{sync::atomic::AtomicU64, time::Duration};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::model::{Delivery, DisabledReason, EndpointState};
use platform::label_enum;

/// 10 ms (same host) to 10 s (the timeout of an attempt).
const BUCKETS: [f64; 8] = [0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

label_enum! {
    /// Who configured the receiver.
    pub enum Origin {
        /// `[alerting.webhooks]`
        Alerting = "alerting",
        Organisation = "organisation",
        Installation = "installation",
    }
}

label_enum! {
    /// How a delivery attempt ended; `dead` is counted once for each message that was given up.
    pub enum DeliveryOutcome { Delivered = "delivered", Retried = "retried", Dead = "dead" }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DeliveryLabels {
    origin: Origin,
    outcome: DeliveryOutcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    /// Endpoints disabled by hand are not counted.
    state: EndpointState,
}

/// A gauge of whole tables, exported by the leader; NaN in other processes.
type Figure = Gauge<f64, AtomicU64>;

#[derive(Clone, Debug)]
pub struct Metrics {
    deliveries: Family<DeliveryLabels, Counter>,
    duration: Histogram,
    disabled: Counter,
    endpoints: Family<StateLabels, Figure>,
    queued: Figure,
    oldest: Figure,
}

impl Metrics {
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            deliveries: Family::default(),
            duration: Histogram::new(BUCKETS),
            disabled: Counter::default(),
            endpoints: Family::default(),
            queued: Figure::default(),
            oldest: Figure::default(),
        };
        for &origin in Origin::ALL {
            for &outcome in DeliveryOutcome::ALL {
                let _ = metrics.deliveries.get_or_create(&DeliveryLabels { origin, outcome });
            }
        }
        metrics.forget_figures();
        let m = &metrics;
        registry.register("deliveries", "Attempts to deliver a message, by outcome", m.deliveries.clone());
        let duration = "Duration of a delivery attempt";
        registry.register_with_unit("attempt_duration", duration, Unit::Seconds, m.duration.clone());
        registry.register(
            "endpoints_disabled",
            "Endpoints disabled because they failed for days or answered 410",
            m.disabled.clone(),
        );
        registry.register("endpoints", "Endpoints by state; exported by the leader", m.endpoints.clone());
        registry.register("queued", "Messages waiting to be delivered; exported by the leader", m.queued.clone());
        registry.register_with_unit(
            "oldest_queued",
            "Age of the oldest queued message whose receiver does not fail; exported by the leader",
            Unit::Seconds,
            m.oldest.clone(),
        );
        metrics
    }

    fn count(&self, origin: Origin, outcome: DeliveryOutcome, times: u64) {
        self.deliveries.get_or_create(&DeliveryLabels { origin, outcome }).inc_by(times);
    }

    /// Records the end of an attempt.
    pub(super) fn attempted(
        &self,
        origin: Origin,
        delivery: &Delivery,
        outcome: DeliveryOutcome,
        took: Duration,
        error: Option<&str>,
    ) {
        self.count(origin, outcome, 1);
        self.duration.observe(took.as_secs_f64());
        let (id, receiver, topic) = (delivery.id, delivery.receiver.as_str(), delivery.topic.as_str());
        let attempt = delivery.attempts + 1;
        match outcome {
            DeliveryOutcome::Delivered => {
                tracing::info!(delivery_id = %id, receiver, topic, attempt, "webhook message delivered");
            }
            DeliveryOutcome::Retried => {
                tracing::warn!(delivery_id = %id, receiver, topic, attempt, error, "webhook message not delivered yet");
            }
            DeliveryOutcome::Dead => {
                tracing::error!(delivery_id = %id, receiver, topic, attempt, error, "webhook message given up");
            }
        }
    }

    /// Records messages that were given up without another attempt: they are too old, or their receiver was disabled or removed.
    pub(super) fn given_up(&self, origin: Origin, receiver: &str, messages: u64, reason: &str) {
        if messages > 0 {
            self.count(origin, DeliveryOutcome::Dead, messages);
            tracing::error!(receiver, messages, reason, "webhook messages given up");
        }
    }

    /// Records that an endpoint was disabled.
    pub(super) fn disabled(&self, endpoint: &str, why: DisabledReason, error: &str) {
        self.disabled.inc();
        tracing::error!(endpoint_id = endpoint, why = why.as_str(), error, "webhook endpoint disabled");
    }

    /// Sets the gauges.
    pub(super) fn set(&self, (enabled, failing, disabled): (i64, i64, i64), (queued, oldest): (i64, f64)) {
        let counts =
            [(EndpointState::Enabled, enabled), (EndpointState::Failing, failing), (EndpointState::Disabled, disabled)];
        for (state, count) in counts {
            self.endpoints.get_or_create(&StateLabels { state }).set(count as f64);
        }
        self.queued.set(queued as f64);
        self.oldest.set(oldest);
    }

    /// Makes the gauges of whole tables unknown: another process exports them, or they were not read yet.
    pub(super) fn forget_figures(&self) {
        for state in EndpointState::ALL {
            self.endpoints.get_or_create(&StateLabels { state }).set(f64::NAN);
        }
        self.queued.set(f64::NAN);
        self.oldest.set(f64::NAN);
    }
}
