//! `holdfast_mail_*`

use std::{sync::atomic::AtomicU64, time::Duration};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::{
    bounces::{BounceMetrics, ReportSource},
    model::{AttemptOutcome, MessageId, Reason},
    store::lanes::Waiting,
};
use platform::label_enum;

/// 5 ms (a server on this host) to 120 s (the limit for the content).
const BUCKETS: [f64; 12] = [0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 60.0, 90.0, 120.0];

label_enum! {
    /// How a mail ended.
    pub enum MessageOutcome {
        Sent = "sent",
        Failed = "failed",
        Suppressed = "suppressed",
        Cancelled = "cancelled",
        /// Not sent in time, and of no use any more.
        Expired = "expired",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MessageLabels {
    outcome: MessageOutcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AttemptLabels {
    outcome: AttemptOutcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: Reason,
}

/// A number that may be unknown (NaN): gauges of whole tables are exported by the leader alone.
type Figure = Gauge<f64, AtomicU64>;

#[derive(Clone, Debug)]
pub struct Metrics {
    messages: Family<MessageLabels, Counter>,
    attempts: Family<AttemptLabels, Counter>,
    duration: Histogram,
    pub(super) bounces: BounceMetrics,
    suppressions: Family<ReasonLabels, Counter>,
    connections: Gauge,
    configured: Gauge,
    last_success: Figure,
    waiting: Figure,
    oldest: Figure,
    lasting: Figure,
    put_off: Figure,
    suppressed: Figure,
    failing: Figure,
}

/// An open connection, counted while it lives.
#[derive(Debug)]
pub struct OpenConnection(Gauge);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// What the leader reads.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    pub waiting: Waiting,
    /// Suppressed addresses.
    pub suppressed: i64,
    pub account_failing: bool,
    /// Sources of reports that take nothing.
    pub sources_failing: Vec<(ReportSource, i64)>,
}

impl Metrics {
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            messages: Family::default(),
            attempts: Family::default(),
            duration: Histogram::new(BUCKETS),
            bounces: BounceMetrics::register(registry),
            suppressions: Family::default(),
            connections: Gauge::default(),
            configured: Gauge::default(),
            last_success: Figure::default(),
            waiting: Figure::default(),
            oldest: Figure::default(),
            lasting: Figure::default(),
            put_off: Figure::default(),
            suppressed: Figure::default(),
            failing: Figure::default(),
        };
        for &outcome in MessageOutcome::ALL {
            let _ = metrics.messages.get_or_create(&MessageLabels { outcome });
        }
        for outcome in AttemptOutcome::ALL {
            let _ = metrics.attempts.get_or_create(&AttemptLabels { outcome });
        }
        for reason in Reason::ALL {
            let _ = metrics.suppressions.get_or_create(&ReasonLabels { reason });
        }
        metrics.last_success.set(f64::NAN);
        metrics.forget_figures();
        let m = &metrics;
        registry.register("messages", "Mails that ended, by outcome", m.messages.clone());
        registry.register("attempts", "Attempts to send a mail, by outcome", m.attempts.clone());
        let duration = "Duration of an attempt to send a mail, with its connection if it needed a new one";
        registry.register_with_unit("send_duration", duration, Unit::Seconds, m.duration.clone());
        registry.register("suppressions", "Addresses that were suppressed, by reason", m.suppressions.clone());
        registry.register("smtp_connections", "Open connections to the SMTP server", m.connections.clone());
        registry.register("configured", "1 if an SMTP server and a sender are configured", m.configured.clone());
        registry.register_with_unit(
            "last_success_timestamp",
            "Unix time at which this process last sent a mail; NaN before the first",
            Unit::Seconds,
            m.last_success.clone(),
        );
        let waiting = "Mails whose time has come and that are not sent yet; exported by the leader";
        registry.register("waiting", waiting, m.waiting.clone());
        registry.register_with_unit(
            "oldest_waiting",
            "How long the oldest mail has waited whose time has come, or for which the server has no connection; exported by the leader",
            Unit::Seconds,
            m.oldest.clone(),
        );
        let lasting =
            "Mails of those waiting that do not expire: of programs and tests, not notices; exported by the leader";
        registry.register("waiting_lasting", lasting, m.lasting.clone());
        let put_off = "Mails that the server has put off, until the next attempt; exported by the leader";
        registry.register("put_off", put_off, m.put_off.clone());
        registry.register(
            "suppressed_addresses",
            "Addresses to which nothing is sent; exported by the leader",
            m.suppressed.clone(),
        );
        registry.register(
            "account_failing",
            "1 while the SMTP account fails (connection, TLS, sign-in) and all mail waits; exported by the leader",
            m.failing.clone(),
        );
        metrics
    }

    pub(super) fn configured(&self, is_configured: bool) {
        self.configured.set(i64::from(is_configured));
    }

    pub(super) fn connection(&self) -> OpenConnection {
        self.connections.inc();
        OpenConnection(self.connections.clone())
    }

    pub(super) fn open_connections(&self) -> i64 {
        self.connections.get()
    }

    /// Records the end of an attempt, and logs it.
    pub(super) fn attempted(&self, ended: &Attempted<'_>) {
        let Attempted { id, kind, lane, attempt, outcome, took, answer, end, now } = *ended;
        self.attempts.get_or_create(&AttemptLabels { outcome }).inc();
        if outcome != AttemptOutcome::Suppressed {
            self.duration.observe(took.as_secs_f64());
        }
        if let Some(end) = end {
            self.ended(end, 1);
        }
        match outcome {
            AttemptOutcome::Sent => {
                self.last_success.set(now);
                tracing::info!(message_id = %id, kind, lane, attempt, answer, "mail sent");
            }
            AttemptOutcome::Suppressed => {
                tracing::info!(message_id = %id, kind, lane, "mail not sent: its recipient is suppressed");
            }
            _ if end.is_some() => {
                // A warning: an address that does not exist is nothing that the operator can repair.
                tracing::warn!(message_id = %id, kind, lane, attempt, outcome = outcome.as_str(), answer, "mail failed");
            }
            _ => {
                tracing::warn!(
                    message_id = %id,
                    kind,
                    lane,
                    attempt,
                    outcome = outcome.as_str(),
                    answer,
                    "mail not sent yet"
                );
            }
        }
    }

    /// Records attempts whose process ended before it could note the result.
    pub(super) fn lost(&self, lane: &str, messages: u64) {
        if messages > 0 {
            self.attempts.get_or_create(&AttemptLabels { outcome: AttemptOutcome::Lost }).inc_by(messages);
            tracing::warn!(
                lane,
                messages,
                "attempts to send mail were cut off: trying again, with the same Message-IDs"
            );
        }
    }

    /// Records mails that ended because they were of no use any more.
    pub(super) fn expired(&self, messages: u64) {
        if messages > 0 {
            self.ended(MessageOutcome::Expired, messages);
            tracing::warn!(messages, "mail ended that could not be sent in time and is of no use any more");
        }
    }

    /// Records mails that ended.
    pub(super) fn ended(&self, outcome: MessageOutcome, messages: u64) {
        self.messages.get_or_create(&MessageLabels { outcome }).inc_by(messages);
    }

    /// Records that an address was suppressed. The log does not name it: it is in the list of suppressions.
    pub(super) fn suppressed(&self, reason: Reason) {
        self.suppressions.get_or_create(&ReasonLabels { reason }).inc();
        tracing::info!(reason = reason.as_str(), "address suppressed");
    }

    /// Records addresses that somebody imported: whatever the reason was elsewhere, no mail of this installation led to it.
    pub(super) fn imported(&self, addresses: u64) {
        self.suppressions.get_or_create(&ReasonLabels { reason: Reason::Manual }).inc_by(addresses);
    }

    /// Records that the account fails, or works again: at once in the process that exports the gauge, with its next reading otherwise.
    pub(super) fn account_fails(&self, fails: bool) {
        if !self.failing.get().is_nan() {
            self.failing.set(f64::from(u8::from(fails)));
        }
    }

    /// Sets the gauges of whole tables.
    pub(super) fn set(&self, figures: &Figures) {
        self.waiting.set(figures.waiting.due as f64);
        self.oldest.set(figures.waiting.oldest_seconds);
        self.lasting.set(figures.waiting.lasting as f64);
        self.put_off.set(figures.waiting.put_off as f64);
        self.suppressed.set(figures.suppressed as f64);
        self.failing.set(f64::from(u8::from(figures.account_failing)));
        self.bounces.set_failing(&figures.sources_failing);
    }

    /// Makes the gauges of whole tables unknown: another process exports them, or they were not read yet.
    pub(super) fn forget_figures(&self) {
        for figure in [&self.waiting, &self.oldest, &self.lasting, &self.put_off, &self.suppressed, &self.failing] {
            figure.set(f64::NAN);
        }
        self.bounces.forget_failing();
    }
}

/// An attempt that ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempted<'a> {
    pub id: MessageId,
    pub kind: &'a str,
    pub lane: &'a str,
    pub attempt: i32,
    pub outcome: AttemptOutcome,
    pub took: Duration,
    /// The server's answer, or the error.
    pub answer: &'a str,
    /// Unless it is tried again.
    pub end: Option<MessageOutcome>,
    /// Unix time, seconds.
    pub now: f64,
}
