//! Health checks: whether channels are reached, and whether somebody is on call.

use async_trait::async_trait;

use super::{Incidents, IncidentsError};
use platform::{
    error::chain,
    health::{Check, CheckResult},
};

pub fn checks(incidents: &Incidents) -> Vec<Box<dyn Check>> {
    vec![Box::new(Channels(incidents.clone())), Box::new(Rotas(incidents.clone()))]
}

struct Channels(Incidents);

struct Rotas(Incidents);

/// What a look at channels and rules found, over all owners.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelsFound {
    pub used: usize,
    /// Of the installation: organisations are told of their own.
    pub failing: i64,
    /// The installation has no rule that is for critical incidents of monitors, or that has no channel which can be reached.
    pub nobody: bool,
    /// How many organisations watch something and have no such rule.
    pub untold: i64,
    /// A mail server is configured.
    pub has_mail: bool,
}

fn unreadable(error: &IncidentsError) -> CheckResult {
    CheckResult::fail(format!("cannot read the channels: {}", chain(error)), "see the database check")
}

#[async_trait]
impl Check for Channels {
    fn name(&self) -> &'static str {
        "incidents.channels"
    }

    async fn run(&self) -> CheckResult {
        match self.0.channels_found().await {
            Ok(found) => judge_channels(found),
            Err(error) => unreadable(&error),
        }
    }
}

#[async_trait]
impl Check for Rotas {
    fn name(&self) -> &'static str {
        "incidents.rota"
    }

    async fn run(&self) -> CheckResult {
        match self.0.empty_rotas().await {
            Ok(empty) => judge_rotas(&empty),
            Err(error) => unreadable(&error),
        }
    }
}

fn judge_channels(found: ChannelsFound) -> CheckResult {
    let ChannelsFound { used, failing, nobody, untold, has_mail } = found;
    if failing > 0 {
        return CheckResult::warn(
            format!("{failing} of the installation's channels fail, {used} are used"),
            "the page Channels and rules shows the answers of each: try it there, or give it its new address",
        );
    }
    let remedy = if has_mail {
        "make a rule under Channels and rules, or enable the one that tells administrators by mail"
    } else {
        "no mail server is configured, so rules that mail reach nobody: set one up in [mail], or make another channel and a rule"
    };
    if nobody {
        let why = format!("{used} channels, but no rule tells anybody of the installation's critical incidents");
        return CheckResult::warn(why, remedy);
    }
    if untold > 0 {
        let why = format!("{untold} organisations have monitors, and no rule tells anybody that one is down");
        return CheckResult::warn(why, remedy);
    }
    CheckResult::pass(format!("{used} channels are used, none of the installation's fails"))
}

fn judge_rotas(empty: &[String]) -> CheckResult {
    if empty.is_empty() {
        return CheckResult::pass("somebody is on call in each rota that a rule names");
    }
    CheckResult::warn(
        format!("nobody is on call now in: {}", empty.join(", ")),
        "the page On call shows the next days: give the hours to a layer, or let somebody stand in",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use platform::health::Status;

    #[test]
    fn what_fails_or_reaches_nobody_is_a_warning() {
        let found = ChannelsFound { used: 2, failing: 0, nobody: false, untold: 0, has_mail: true };
        assert_eq!(judge_channels(found).status, Status::Pass);
        assert_eq!(judge_channels(ChannelsFound { failing: 1, ..found }).status, Status::Warn);
        assert_eq!(judge_channels(ChannelsFound { nobody: true, ..found }).status, Status::Warn);
        let untold = judge_channels(ChannelsFound { untold: 3, has_mail: false, ..found });
        assert!(untold.status == Status::Warn && untold.summary.contains("3 organisations"), "{untold:?}");
        assert_eq!(judge_rotas(&[]).status, Status::Pass);
        let empty = judge_rotas(&["First line".to_owned()]);
        assert!(empty.status == Status::Warn && empty.summary.contains("First line"), "{empty:?}");
    }
}
