//! Checks of alerting.

use async_trait::async_trait;
use chrono::TimeDelta;

use super::Alerting;
use platform::{
    error::chain,
    health::{Check, CheckResult},
};

/// The Watchdog comes every five minutes.
const QUIET: TimeDelta = TimeDelta::minutes(15);
/// Receivers of compose/alertmanager.yml that notify nobody, or only Holdfast.
const INSIDE: [&str; 3] = ["holdfast", "watchdog", "nobody"];

/// The checks of this capability; only the token check where alerts are switched off.
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

/// Are alerts accepted?
struct Token(Alerting);

#[async_trait]
impl Check for Token {
    fn name(&self) -> &'static str {
        "alerting.token"
    }

    async fn run(&self) -> CheckResult {
        if self.0.is_on() {
            let webhooks = self.0.config().webhooks.len();
            CheckResult::pass(format!("alerts are accepted at /api/v1/alerts and forwarded to {webhooks} webhook(s)"))
        } else {
            CheckResult::warn(
                "no alerts are accepted: alerts from Prometheus do not show up here",
                "set alerting.token_file, and give the same token to Alertmanager's webhook receiver (compose/ does)",
            )
        }
    }
}

/// Do alerts from Prometheus arrive here?
struct Watchdog(Alerting);

#[async_trait]
impl Check for Watchdog {
    fn name(&self) -> &'static str {
        "alerting.watchdog"
    }

    async fn run(&self) -> CheckResult {
        let remedy = "are Prometheus and Alertmanager running? Does the route of the alert Watchdog lead to /api/v1/alerts, with repeat_interval: 5m?";
        match self.0.watchdog().await {
            Err(error) => {
                CheckResult::fail(format!("cannot read the alerts: {}", chain(&error)), "see the database check")
            }
            Ok(None) => CheckResult::warn("no Watchdog was ever received: alerts may not arrive here", remedy),
            Ok(Some(at)) => {
                let quiet = self.0.inner.clock.now() - at;
                if quiet > QUIET {
                    let minutes = quiet.num_minutes();
                    CheckResult::warn(format!("the last Watchdog was received {minutes} minutes ago, at {at}"), remedy)
                } else {
                    CheckResult::pass(format!("the last Watchdog was received {} s ago", quiet.num_seconds().max(0)))
                }
            }
        }
    }
}

/// Does anybody learn when Holdfast, which forwards the alerts, is itself down?
struct Outside(Alerting);

#[async_trait]
impl Check for Outside {
    fn name(&self) -> &'static str {
        "alerting.outside"
    }

    async fn run(&self) -> CheckResult {
        if self.0.config().heartbeat_url.is_some() {
            return CheckResult::pass(
                "a heartbeat is sent to alerting.heartbeat_url, which can alert when it stops (HeartbeatFailing fires if it is not accepted)",
            );
        }
        let remedy = "give Alertmanager a receiver besides Holdfast (ALERTS_MAIL_TO, ALERTS_SLACK_URL or ALERTS_WEBHOOK_URL in compose/.env), \
            or set alerting.heartbeat_url to a service that alerts you when the heartbeat stops";
        if !self.0.inner.alertmanager.is_on() {
            return CheckResult::warn("nobody is notified while Holdfast is down", remedy);
        }
        match self.0.inner.alertmanager.receivers().await {
            Err(error) => CheckResult::warn(format!("cannot read Alertmanager's receivers: {}", chain(&error)), remedy),
            Ok(names) => {
                let outside: Vec<&str> =
                    names.iter().map(String::as_str).filter(|name| !INSIDE.contains(name)).collect();
                if outside.is_empty() {
                    CheckResult::warn(
                        "nobody is notified while Holdfast is down: Holdfast is Alertmanager's only receiver",
                        remedy,
                    )
                } else {
                    CheckResult::pass(format!(
                        "Alertmanager also knows {}, without Holdfast; send an alert to test whether its routes lead there (amtool alert add)",
                        outside.join(", ")
                    ))
                }
            }
        }
    }
}

/// Is Alertmanager reachable for silences?
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
                "check that Alertmanager is running, and alerting.alertmanager_url: silences cannot be shown or created",
            ),
        }
    }
}
