//! Checks of alerting.

use async_trait::async_trait;
use chrono::TimeDelta;

use super::Alerting;
use crate::platform::{
    error::chain,
    health::{Check, CheckResult},
};

/// It comes every five minutes.
const QUIET: TimeDelta = TimeDelta::minutes(15);
/// Receivers of compose/alertmanager.yml that tell nobody, or this appliance alone.
const INSIDE: [&str; 3] = ["holdfast", "watchdog", "nobody"];

/// The checks of this capability; where no alerts are taken, one that says so.
pub fn checks(alerting: &Alerting) -> Vec<Box<dyn Check>> {
    let mut checks: Vec<Box<dyn Check>> = vec![Box::new(Token(alerting.clone()))];
    if alerting.is_on() {
        checks.push(Box::new(Watchdog(alerting.clone())));
        checks.push(Box::new(Outside(alerting.clone())));
    }
    if alerting.inner.alertmanager.is_on() {
        checks.push(Box::new(Reachable(alerting.clone())));
    }
    checks
}

/// May anybody send alerts?
struct Token(Alerting);

#[async_trait]
impl Check for Token {
    fn name(&self) -> &'static str {
        "alerting.token"
    }

    async fn run(&self) -> CheckResult {
        if self.0.is_on() {
            let webhooks = self.0.config().webhooks.len();
            CheckResult::pass(format!("alerts are taken at /api/v1/alerts and passed on to {webhooks} webhook(s)"))
        } else {
            CheckResult::warn(
                "no alerts are taken: nobody here learns of what Prometheus notices",
                "set alerting.token_file, and give the same token to Alertmanager's webhook receiver (compose/ does)",
            )
        }
    }
}

/// Does the way from Prometheus to here work?
struct Watchdog(Alerting);

#[async_trait]
impl Check for Watchdog {
    fn name(&self) -> &'static str {
        "alerting.watchdog"
    }

    async fn run(&self) -> CheckResult {
        let remedy = "do Prometheus and Alertmanager run? Does the route of the alert Watchdog lead to /api/v1/alerts, with repeat_interval: 5m?";
        match self.0.watchdog().await {
            Err(error) => CheckResult::fail(format!("cannot look: {}", chain(&error)), "see the check of the database"),
            Ok(None) => CheckResult::warn("the Watchdog has never been heard of: alerts may not get here", remedy),
            Ok(Some(at)) => {
                let quiet = self.0.inner.clock.now() - at;
                if quiet > QUIET {
                    let minutes = quiet.num_minutes();
                    CheckResult::warn(format!("the Watchdog was last heard of {minutes} minutes ago, at {at}"), remedy)
                } else {
                    CheckResult::pass(format!("the Watchdog was heard of {} s ago", quiet.num_seconds().max(0)))
                }
            }
        }
    }
}

/// Does anybody learn that this appliance, which passes alerts on, is itself down?
struct Outside(Alerting);

#[async_trait]
impl Check for Outside {
    fn name(&self) -> &'static str {
        "alerting.outside"
    }

    async fn run(&self) -> CheckResult {
        if self.0.config().heartbeat_url.is_some() {
            return CheckResult::pass(
                "a heartbeat goes to alerting.heartbeat_url: who watches it learns when it stops (HeartbeatFailing tells when it is not taken)",
            );
        }
        let remedy = "give Alertmanager a receiver of its own, beside Holdfast (ALERTS_MAIL_TO, ALERTS_SLACK_URL or ALERTS_WEBHOOK_URL in compose/.env), \
            or set alerting.heartbeat_url to an address that calls you when it is no longer heard of";
        if !self.0.inner.alertmanager.is_on() {
            return CheckResult::warn("nobody outside is told while Holdfast is down", remedy);
        }
        match self.0.inner.alertmanager.receivers().await {
            Err(error) => CheckResult::warn(format!("cannot look whom Alertmanager tells: {}", chain(&error)), remedy),
            Ok(names) => {
                let outside: Vec<&str> =
                    names.iter().map(String::as_str).filter(|name| !INSIDE.contains(name)).collect();
                if outside.is_empty() {
                    CheckResult::warn(
                        "nobody outside is told while Holdfast is down: Alertmanager knows Holdfast alone",
                        remedy,
                    )
                } else {
                    CheckResult::pass(format!(
                        "Alertmanager also knows {}, without Holdfast; an alert of yours shows whether its routes lead there (amtool alert add)",
                        outside.join(", ")
                    ))
                }
            }
        }
    }
}

/// Can silences be made?
struct Reachable(Alerting);

#[async_trait]
impl Check for Reachable {
    fn name(&self) -> &'static str {
        "alerting.alertmanager"
    }

    async fn run(&self) -> CheckResult {
        match self.0.inner.alertmanager.running_since().await {
            Ok(since) => CheckResult::pass(format!("Alertmanager answers, running since {since}")),
            Err(error) => CheckResult::fail(
                chain(&error),
                "look whether Alertmanager runs, and at alerting.alertmanager_url: silences cannot be seen or made",
            ),
        }
    }
}
