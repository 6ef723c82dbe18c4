//! `holdfast_status_page_*`

use std::{sync::atomic::AtomicU64, time::Duration};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::model::Render;
use platform::label_enum;

/// 0.1 ms (from memory) to 1 s.
const ANSWERS: [f64; 9] = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.025, 0.1, 0.5, 1.0];
/// 1 ms to 10 s.
const RENDERS: [f64; 8] = [0.001, 0.005, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0];

label_enum! {
    /// What is asked for.
    pub enum What {
        Page = "page",
        Json = "json",
        Feed = "feed",
        Badge = "badge",
        Gatus = "gatus",
        /// For plain pollers.
        Up = "up",
        Logo = "logo",
        /// Subscribing, passwords.
        Form = "form",
    }
}

label_enum! {
    /// How it was answered.
    pub enum Answered {
        Current = "current",
        Stale = "stale",
        NotModified = "not_modified",
        NotFound = "not_found",
        Refused = "refused",
    }
}

label_enum! {
    /// Why a page was rendered.
    pub enum Why {
        /// The page itself was changed, or is new.
        Page = "page",
        /// A component or an incident was changed.
        Changed = "changed",
        /// To say what is true now.
        Minute = "minute",
    }
}

label_enum! {
    /// Whether somebody who asked for updates has confirmed it.
    pub enum Subscribed { Confirmed = "confirmed", Waiting = "waiting" }
}

label_enum! {
    /// What became of a mail to a subscriber.
    pub enum Told {
        /// It is in the outbox.
        Queued = "queued",
        /// It could not be written: tried again.
        Failed = "failed",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    what: What,
    result: Answered,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WhatLabels {
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WhyLabels {
    reason: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SubscriberLabels {
    state: Subscribed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ToldLabels {
    outcome: Told,
}

/// A number that may be unknown (NaN).
type Figure = Gauge<f64, AtomicU64>;

#[derive(Clone, Debug)]
pub struct Metrics {
    requests: Family<RequestLabels, Counter>,
    durations: Family<WhatLabels, Histogram, fn() -> Histogram>,
    render_duration: Histogram,
    renders: Family<WhyLabels, Counter>,
    age: Figure,
    stale: Gauge,
    largest: Gauge,
    subscribers: Family<SubscriberLabels, Figure>,
    told: Family<ToldLabels, Counter>,
}

impl Metrics {
    pub fn register(registry: &mut Registry) -> Self {
        let answers: fn() -> Histogram = || Histogram::new(ANSWERS);
        let metrics = Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(answers),
            render_duration: Histogram::new(RENDERS),
            renders: Family::default(),
            age: Figure::default(),
            stale: Gauge::default(),
            largest: Gauge::default(),
            subscribers: Family::default(),
            told: Family::default(),
        };
        for &what in What::ALL {
            let _ = metrics.durations.get_or_create(&WhatLabels { what });
            for &result in Answered::ALL {
                let _ = metrics.requests.get_or_create(&RequestLabels { what, result });
            }
        }
        for &reason in Why::ALL {
            let _ = metrics.renders.get_or_create(&WhyLabels { reason });
        }
        for &outcome in Told::ALL {
            let _ = metrics.told.get_or_create(&ToldLabels { outcome });
        }
        metrics.age.set(f64::NAN);
        metrics.forget_figures();
        let m = &metrics;
        registry.register(
            "requests",
            "Requests for status pages, by what was asked for and how it was answered",
            m.requests.clone(),
        );
        registry.register_with_unit(
            "request_duration",
            "Time in the handler of a status page, without the connection",
            Unit::Seconds,
            m.durations.clone(),
        );
        registry.register_with_unit(
            "render_duration",
            "Time to read a status page and render all of its answers",
            Unit::Seconds,
            m.render_duration.clone(),
        );
        registry.register("renders", "Status pages that were rendered, by reason", m.renders.clone());
        registry.register_with_unit(
            "age",
            "Age of the oldest status page that this process serves, or has to serve since it was made; NaN: it has not looked yet",
            Unit::Seconds,
            m.age.clone(),
        );
        registry.register(
            "stale",
            "1 while this process serves a status page with the words that it could not be brought up to date",
            m.stale.clone(),
        );
        registry.register_with_unit(
            "largest_page",
            "Size of the largest page of HTML that this process has rendered last, before compression",
            Unit::Bytes,
            m.largest.clone(),
        );
        registry.register(
            "subscribers",
            "People who asked for updates by mail; exported by the leader",
            m.subscribers.clone(),
        );
        registry.register(
            "subscriber_mails",
            "Mails to subscribers, by outcome; one that could not be written counts at each attempt",
            m.told.clone(),
        );
        metrics
    }

    pub(super) fn answered(&self, what: What, result: Answered, took: Duration) {
        self.requests.get_or_create(&RequestLabels { what, result }).inc();
        self.durations.get_or_create(&WhatLabels { what }).observe(took.as_secs_f64());
    }

    pub(super) fn rendered(&self, reason: Why, took: Duration, all: &[Render]) {
        self.renders.get_or_create(&WhyLabels { reason }).inc();
        self.render_duration.observe(took.as_secs_f64());
        let pages = all.iter().filter(|render| render.content_type == super::render::HTML);
        let largest = pages.map(|render| render.body.len()).max().unwrap_or_default();
        self.largest.set(i64::try_from(largest).unwrap_or(i64::MAX));
    }

    /// `age`: of the oldest page, seconds. Logs when pages become stale, and current again.
    pub(super) fn served(&self, age: f64, stale: bool) {
        self.age.set(age);
        let before = self.stale.set(i64::from(stale));
        match (before, stale) {
            (0, true) => tracing::warn!(
                age_seconds = age,
                "status pages are served as stale: they could not be brought up to date"
            ),
            (1, false) => tracing::info!("status pages are current again"),
            _ => {}
        }
    }

    pub(super) fn told(&self, outcome: Told, mails: u64) {
        self.told.get_or_create(&ToldLabels { outcome }).inc_by(mails);
    }

    #[expect(clippy::unused_self, reason = "said where the others are counted")]
    pub(super) fn confirmed(&self) {
        tracing::info!("somebody has confirmed a subscription to a status page");
    }

    pub(super) fn set_subscribers(&self, confirmed: i64, waiting: i64) {
        for (state, number) in [(Subscribed::Confirmed, confirmed), (Subscribed::Waiting, waiting)] {
            self.subscribers.get_or_create(&SubscriberLabels { state }).set(number as f64);
        }
    }

    /// Another process exports them.
    pub(super) fn forget_figures(&self) {
        for &state in Subscribed::ALL {
            self.subscribers.get_or_create(&SubscriberLabels { state }).set(f64::NAN);
        }
    }
}
