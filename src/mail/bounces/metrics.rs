//! Metrics of reports about mail that was sent; a part of `holdfast_mail_*`.

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::BounceKind;
use crate::model::Provider;
use platform::{error::ApiError, label_enum};

label_enum! {
    /// Where reports come from.
    pub enum ReportSource {
        Sendgrid = "sendgrid",
        Mailgun = "mailgun",
        Ses = "ses",
        Resend = "resend",
        Postmark = "postmark",
        /// Mail in the mailbox of bounces.
        Mailbox = "mailbox",
    }
}

impl From<Provider> for ReportSource {
    fn from(provider: Provider) -> Self {
        match provider {
            Provider::Sendgrid => Self::Sendgrid,
            Provider::Mailgun => Self::Mailgun,
            Provider::Ses => Self::Ses,
            Provider::Resend => Self::Resend,
            Provider::Postmark => Self::Postmark,
        }
    }
}

label_enum! {
    /// What became of a report.
    pub enum ReportOutcome {
        /// Read, whatever it reported.
        Taken = "taken",
        /// 401: its signature does not hold, or is too old.
        Unsigned = "unsigned",
        /// 404: its address is unknown.
        Unknown = "unknown",
        /// Its form is wrong. A mail stays in its folder, marked as read and flagged.
        Unreadable = "unreadable",
        /// The database or the provider did not answer: the provider repeats it. Or the mailbox could not be read.
        Failed = "failed",
    }
}

label_enum! {
    /// Why a bounce changes nothing.
    pub enum IgnoredBounce {
        /// It was reported before.
        Duplicate = "duplicate",
        /// It names no mail of the owner.
        Unmatched = "unmatched",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReportLabels {
    source: ReportSource,
    outcome: ReportOutcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabels {
    source: ReportSource,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: BounceKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct IgnoredLabels {
    reason: IgnoredBounce,
}

#[derive(Clone, Debug)]
pub struct BounceMetrics {
    reports: Family<ReportLabels, Counter>,
    bounces: Family<KindLabels, Counter>,
    ignored: Family<IgnoredLabels, Counter>,
    /// NaN where it is unknown.
    failing: Family<SourceLabels, Gauge<f64, AtomicU64>>,
}

impl BounceMetrics {
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            reports: Family::default(),
            bounces: Family::default(),
            ignored: Family::default(),
            failing: Family::default(),
        };
        for &source in ReportSource::ALL {
            for &outcome in ReportOutcome::ALL {
                let _ = metrics.reports.get_or_create(&ReportLabels { source, outcome });
            }
        }
        for kind in BounceKind::ALL {
            let _ = metrics.bounces.get_or_create(&KindLabels { kind });
        }
        for &reason in IgnoredBounce::ALL {
            let _ = metrics.ignored.get_or_create(&IgnoredLabels { reason });
        }
        registry.register("reports", "Reports of providers and of the mailbox of bounces", metrics.reports.clone());
        registry.register(
            "bounces",
            "Bounces, complaints and unsubscriptions of mail that was sent",
            metrics.bounces.clone(),
        );
        registry.register("bounces_ignored", "Reported bounces that change nothing", metrics.ignored.clone());
        let failing = "Webhooks of providers, and the mailbox, that take no report; exported by the leader";
        registry.register("sources_failing", failing, metrics.failing.clone());
        metrics.forget_failing();
        metrics
    }

    /// How many sources take nothing.
    pub(crate) fn set_failing(&self, failing: &[(ReportSource, i64)]) {
        for &source in ReportSource::ALL {
            let sources = failing.iter().find(|(of, _)| *of == source).map_or(0, |(_, sources)| *sources);
            self.failing.get_or_create(&SourceLabels { source }).set(sources as f64);
        }
    }

    /// Makes it unknown how many do.
    pub(crate) fn forget_failing(&self) {
        for &source in ReportSource::ALL {
            self.failing.get_or_create(&SourceLabels { source }).set(f64::NAN);
        }
    }

    /// Records a report that was read.
    pub(crate) fn taken(&self, source: ReportSource, bounces: usize) {
        self.reports.get_or_create(&ReportLabels { source, outcome: ReportOutcome::Taken }).inc();
        tracing::debug!(source = source.as_str(), bounces, "report about mail that was sent");
    }

    /// Records a request that was refused, or could not be dealt with.
    pub(crate) fn refused(&self, source: ReportSource, error: &ApiError) {
        let outcome = match error.status.as_u16() {
            401 => ReportOutcome::Unsigned,
            404 => ReportOutcome::Unknown,
            400..=499 => ReportOutcome::Unreadable,
            _ => ReportOutcome::Failed,
        };
        self.reports.get_or_create(&ReportLabels { source, outcome }).inc();
        let (source, reason) = (source.as_str(), error.detail.as_str());
        if outcome == ReportOutcome::Unknown {
            // Anybody can try addresses.
            tracing::debug!(source, reason, "report about mail that was sent, to an unknown address");
        } else {
            tracing::warn!(source, outcome = outcome.as_str(), reason, "report about mail that was sent is refused");
        }
    }

    /// Records that the mailbox could not be read. Its loop logs it.
    pub(crate) fn failed(&self, source: ReportSource) {
        self.reports.get_or_create(&ReportLabels { source, outcome: ReportOutcome::Failed }).inc();
    }

    /// Records a mail that is no report.
    pub(crate) fn not_understood(&self, uid: u32, reason: &str) {
        let labels = ReportLabels { source: ReportSource::Mailbox, outcome: ReportOutcome::Unreadable };
        self.reports.get_or_create(&labels).inc();
        tracing::warn!(uid, reason, "a mail in the mailbox of bounces is no report: it stays there, flagged");
    }

    /// Records a bounce that counts.
    pub(crate) fn counted(&self, kind: BounceKind) {
        self.bounces.get_or_create(&KindLabels { kind }).inc();
    }

    /// Records a bounce that changes nothing.
    pub(crate) fn ignored(&self, reason: IgnoredBounce, source: &str, kind: BounceKind) {
        self.ignored.get_or_create(&IgnoredLabels { reason }).inc();
        tracing::debug!(source, kind = kind.as_str(), reason = reason.as_str(), "a reported bounce changes nothing");
    }
}
