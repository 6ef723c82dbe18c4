//! `holdfast_notices_*`

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::model::{NoticeKind, Unmade};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MadeLabels {
    kind: NoticeKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct UnmadeLabels {
    kind: NoticeKind,
    reason: Unmade,
}

#[derive(Clone, Debug)]
pub struct Metrics {
    made: Family<MadeLabels, Counter>,
    unmade: Family<UnmadeLabels, Counter>,
    recipients: Gauge<f64, AtomicU64>,
}

impl Metrics {
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self { made: Family::default(), unmade: Family::default(), recipients: Gauge::default() };
        for &kind in NoticeKind::ALL {
            let _ = metrics.made.get_or_create(&MadeLabels { kind });
            for &reason in Unmade::ALL {
                let _ = metrics.unmade.get_or_create(&UnmadeLabels { kind, reason });
            }
        }
        metrics.forget_figures();
        let m = &metrics;
        registry.register("made", "Mails of notices written into the outbox", m.made.clone());
        registry.register("unmade", "Notices that could not be made, by reason", m.unmade.clone());
        registry.register(
            "recipients",
            "People who are told about the installation and have an address that mail can be sent to; exported by the leader while notices and mail are on",
            m.recipients.clone(),
        );
        metrics
    }

    /// Records mails that were written, and logs them. `about`: the event or the job.
    pub(super) fn made(&self, kind: NoticeKind, about: &str, mails: u64) {
        self.made.get_or_create(&MadeLabels { kind }).inc_by(mails);
        tracing::info!(kind = kind.as_str(), about, mails, "notice made");
    }

    /// Records a notice that could not be made, and logs it.
    pub(super) fn unmade(&self, kind: NoticeKind, about: &str, reason: Unmade, times: u64) {
        if times == 0 {
            return;
        }
        self.unmade.get_or_create(&UnmadeLabels { kind, reason }).inc_by(times);
        let (kind, why) = (kind.as_str(), reason.as_str());
        match reason {
            Unmade::NoRecipient | Unmade::BadAddress | Unmade::Late | Unmade::Refused => {
                tracing::warn!(kind, about, times, reason = why, "notice not made");
            }
            Unmade::MailOff | Unmade::Gone | Unmade::Often => {
                tracing::info!(kind, about, times, reason = why, "notice not made");
            }
        }
    }

    pub(super) fn recipients(&self, count: Option<u64>) {
        self.recipients.set(count.map_or(f64::NAN, |count| count as f64));
    }

    /// Makes the gauge unknown: another process exports it, or it was not read yet.
    pub(super) fn forget_figures(&self) {
        self.recipients(None);
    }
}
