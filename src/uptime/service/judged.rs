//! What is wrong with the settings of a monitor, and what could never be checked from here: said when it is saved, instead of a status that stays
//! unknown.

use std::time::Duration;

use super::Uptime;
use crate::{
    UptimeError,
    model::Owner,
    probe::Refused,
    settings::{Limits, Settings},
    spec::MonitorSpec,
};
use platform::error::FieldError;

/// Who saves a monitor waits so long for the list of registries, if nobody has read it yet.
const PATIENCE: Duration = Duration::from_secs(3);

impl Uptime {
    /// What the installation permits this owner.
    pub(super) fn limits(&self, owner: Owner) -> Limits {
        let shortest_interval = match owner {
            Owner::Org(_) => self.inner.config.shortest_interval_seconds,
            Owner::Installation => 10,
        };
        Limits { shortest_interval, policy: self.probes().policy(owner).clone() }
    }

    /// All problems of settings. Addresses that may not be reached are counted.
    pub(super) fn problems(&self, owner: Owner, settings: &Settings) -> Vec<FieldError> {
        let problems = settings.problems(&self.limits(owner));
        for _ in problems.iter().filter(|problem| problem.code == "private_target") {
            self.inner.metrics.refused.count(Refused::Saved);
        }
        problems
    }

    /// Refuses what cannot be checked here. Who gets it by a file or an import is told by the monitor's status: one such must not hold up the others.
    /// Says nothing of settings that are wrong in other ways.
    pub(super) async fn refuse_hopeless(&self, owner: Owner, settings: &Settings) -> Result<(), UptimeError> {
        if !settings.problems(&self.limits(owner)).is_empty() {
            return Ok(());
        }
        match &settings.spec {
            MonitorSpec::Domain(spec) if self.probes().has_registry(&spec.name, PATIENCE).await == Some(false) => {
                let text =
                    format!("the registry of {} does not answer by RDAP: when it ends cannot be known", spec.name);
                return Err(UptimeError::invalid("/spec/name", "no_rdap", text));
            }
            // Where another process checks, its host may permit what this one does not.
            MonitorSpec::Icmp(_) if self.live().is_some() && !self.probes().may_echo() => {
                let text = "this host permits echo requests to nobody: see the check uptime.icmp of `holdfast doctor`";
                return Err(UptimeError::invalid("/spec/kind", "not_permitted_here", text));
            }
            _ => {}
        }
        Ok(())
    }
}
