//! Checks of logs.

use std::time::Duration;

use async_trait::async_trait;

use super::{Logs, LogsError};
use crate::platform::{
    error::chain,
    health::{Check, CheckResult},
};

/// The checks of this capability.
pub fn checks(logs: &Logs) -> Vec<Box<dyn Check>> {
    vec![Box::new(Shipping(logs.clone()))]
}

/// Does Loki answer, and were lines lost on the way?
struct Shipping(Logs);

#[async_trait]
impl Check for Shipping {
    fn name(&self) -> &'static str {
        "logs.loki"
    }

    async fn run(&self) -> CheckResult {
        let Some(loki) = &self.0.0.loki else {
            return CheckResult::pass("no Loki is configured: lines are on standard output and, the newest, in memory");
        };
        if let Err(error) = loki.ping().await {
            let LogsError::Loki(why) = error else {
                return CheckResult::fail(chain(&error), "look at [telemetry]");
            };
            return CheckResult::warn(
                format!("{} cannot be asked: {why}", loki.url),
                "look at Loki, and at loki_url, loki_user and loki_token_file in [telemetry]; lines wait in memory meanwhile",
            );
        }
        match self.lost().await {
            Some(0) => CheckResult::pass(format!("{} answers, no line was lost since the start", loki.url)),
            Some(lost) => CheckResult::warn(
                format!("{} answers, but {lost} lines were lost since the start", loki.url),
                "holdfast_log_lines_lost_total says why: a full buffer (loki_buffer_bytes), or a Loki that refuses them (its limits)",
            ),
            None => CheckResult::pass(format!("{} answers", loki.url)),
        }
    }
}

impl Shipping {
    /// Lines that the running appliance lost; `None` where none runs.
    async fn lost(&self) -> Option<u64> {
        let deps = &self.0.0.deps;
        let request = deps.http.operator().get(format!("http://{}/metrics", deps.ops)).timeout(Duration::from_secs(3));
        let text = request.send().await.ok()?.text().await.ok()?;
        let counts = text.lines().filter(|line| line.starts_with("holdfast_log_lines_lost_total{"));
        let mut counts = counts.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).peekable();
        counts.peek()?;
        Some(counts.sum())
    }
}
