//! `holdfast_incidents_*`

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::model::{CauseSource, ChannelKind, Held, IncidentId, Severity, What};
use platform::label_enum;

/// 2 s (the usual group wait) to half an hour.
const BUCKETS: [f64; 9] = [1.0, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0];

label_enum! {
    /// What became of a message.
    pub enum ToldOutcome {
        /// Written into the outbox of mail or webhooks.
        Enqueued = "enqueued",
        /// It has no address, is disabled, or its message could not be written.
        Unable = "unable",
    }
}

label_enum! {
    /// How a step of an escalation ended.
    pub enum EscalationOutcome {
        Told = "told",
        /// Somebody had acknowledged, or it was resolved.
        Ended = "ended",
        /// Nobody was on call, or has no address: the next step came at once.
        Nobody = "nobody",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SeverityLabels {
    severity: Severity,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabels {
    source: CauseSource,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ToldLabels {
    channel: ChannelKind,
    outcome: ToldOutcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HeldLabels {
    reason: Held,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EscalationLabels {
    outcome: EscalationOutcome,
}

/// A gauge of whole tables, exported by the leader; NaN in other processes.
type Figure = Gauge<f64, AtomicU64>;

#[derive(Clone, Debug)]
pub struct Metrics {
    open: Family<SeverityLabels, Figure>,
    opened: Family<SourceLabels, Counter>,
    merged: Counter,
    told: Family<ToldLabels, Counter>,
    held: Family<HeldLabels, Counter>,
    delay: Histogram,
    failing: Figure,
    of_organisations: Figure,
    unacknowledged: Figure,
    escalations: Family<EscalationLabels, Counter>,
}

/// What is read of whole tables.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    pub open: Vec<(Severity, i64)>,
    /// Channels of the installation.
    pub failing: i64,
    /// Channels of organisations.
    pub of_organisations: i64,
    pub unacknowledged_seconds: f64,
}

impl Metrics {
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            open: Family::default(),
            opened: Family::default(),
            merged: Counter::default(),
            told: Family::default(),
            held: Family::default(),
            delay: Histogram::new(BUCKETS),
            failing: Figure::default(),
            of_organisations: Figure::default(),
            unacknowledged: Figure::default(),
            escalations: Family::default(),
        };
        metrics.forget_figures();
        for source in CauseSource::ALL {
            let _ = metrics.opened.get_or_create(&SourceLabels { source });
        }
        for channel in ChannelKind::ALL {
            for &outcome in ToldOutcome::ALL {
                let _ = metrics.told.get_or_create(&ToldLabels { channel, outcome });
            }
        }
        for reason in Held::ALL {
            let _ = metrics.held.get_or_create(&HeldLabels { reason });
        }
        for &outcome in EscalationOutcome::ALL {
            let _ = metrics.escalations.get_or_create(&EscalationLabels { outcome });
        }
        let m = &metrics;
        registry.register("open", "Open incidents by severity; exported by the leader", m.open.clone());
        registry.register(
            "opened",
            "Incidents that monitors, alerts, or certificates and domains that end opened",
            m.opened.clone(),
        );
        registry.register(
            "merged",
            "Causes that joined an incident, and incidents that became part of another",
            m.merged.clone(),
        );
        registry.register("told", "Messages to channels, by what became of them", m.told.clone());
        registry.register("held", "Messages that were held back, by reason", m.held.clone());
        registry.register_with_unit(
            "tell_delay",
            "From the opening of an incident to the moment when its first message is in the outbox",
            Unit::Seconds,
            m.delay.clone(),
        );
        registry.register(
            "channels_failing",
            "Channels of the installation of which every attempt has failed for five minutes, or that do not exist any more; exported by the leader",
            m.failing.clone(),
        );
        registry.register(
            "organisations_channels_failing",
            "The same of channels of organisations, whose administrators are told; exported by the leader",
            m.of_organisations.clone(),
        );
        registry.register_with_unit(
            "unacknowledged",
            "How long the oldest critical incident of the installation has waited for somebody, those of alerts apart; exported by the leader",
            Unit::Seconds,
            m.unacknowledged.clone(),
        );
        registry.register("escalations", "Steps of escalations, by their end", m.escalations.clone());
        metrics
    }

    pub(super) fn opened(&self, source: CauseSource, incident: IncidentId) {
        self.opened.get_or_create(&SourceLabels { source }).inc();
        tracing::info!(incident_id = %incident, source = source.as_str(), "incident opened");
    }

    pub(super) fn merged(&self, incident: IncidentId) {
        self.merged.inc();
        tracing::info!(incident_id = %incident, "incident has a further cause");
    }

    pub(super) fn told(&self, channel: ChannelKind, outcome: ToldOutcome, what: What, incident: Option<IncidentId>) {
        self.told.get_or_create(&ToldLabels { channel, outcome }).inc();
        let incident = incident.map(|incident| incident.to_string());
        let (channel, outcome, what) = (channel.as_str(), outcome.as_str(), what.as_str());
        tracing::info!(incident_id = incident, channel, outcome, what, "incident told");
    }

    #[expect(clippy::unused_self, reason = "said where the others are counted")]
    pub(super) fn told_nobody(&self, incident: IncidentId) {
        tracing::warn!(incident_id = %incident, "no rule matches an incident: nobody is told of it");
    }

    /// The others are told nevertheless.
    #[expect(clippy::unused_self, reason = "said where the others are counted")]
    pub(super) fn not_written(&self, incident: Option<IncidentId>, receiver: &str, why: &str) {
        let incident = incident.map(|incident| incident.to_string());
        tracing::error!(incident_id = incident, receiver, why, "a message about an incident could not be written");
    }

    pub(super) fn first_told(&self, seconds: f64) {
        self.delay.observe(seconds.max(0.0));
    }

    pub(super) fn held(&self, reason: Held, incident: IncidentId) {
        self.held.get_or_create(&HeldLabels { reason }).inc();
        tracing::info!(incident_id = %incident, reason = reason.as_str(), "message about an incident held back");
    }

    pub(super) fn escalated(&self, outcome: EscalationOutcome, incident: IncidentId, step: usize) {
        self.escalations.get_or_create(&EscalationLabels { outcome }).inc();
        tracing::info!(incident_id = %incident, step, outcome = outcome.as_str(), "step of an escalation");
    }

    /// A channel has said that it does not exist any more.
    #[expect(clippy::unused_self, reason = "said where the others are counted")]
    pub(super) fn channel_gone(&self, channel: &str, why: &str) {
        tracing::error!(channel_id = channel, why, "a channel does not exist any more: it is disabled");
    }

    pub(super) fn set(&self, figures: &Figures) {
        for severity in Severity::ALL {
            let open = figures.open.iter().find(|(of, _)| *of == severity).map_or(0, |(_, count)| *count);
            self.open.get_or_create(&SeverityLabels { severity }).set(open as f64);
        }
        self.failing.set(figures.failing as f64);
        self.of_organisations.set(figures.of_organisations as f64);
        self.unacknowledged.set(figures.unacknowledged_seconds);
    }

    /// Makes the gauges of whole tables unknown: another process exports them, or they were not read yet.
    pub(super) fn forget_figures(&self) {
        for severity in Severity::ALL {
            self.open.get_or_create(&SeverityLabels { severity }).set(f64::NAN);
        }
        self.failing.set(f64::NAN);
        self.of_organisations.set(f64::NAN);
        self.unacknowledged.set(f64::NAN);
    }
}
