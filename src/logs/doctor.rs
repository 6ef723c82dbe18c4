//! Checks of logs and traces.

use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use super::{Logs, LogsError};
use platform::{
    config::secret,
    error::chain,
    health::{Check, CheckResult},
};

/// The checks of this capability.
pub fn checks(logs: &Logs) -> Vec<Box<dyn Check>> {
    let mut checks: Vec<Box<dyn Check>> = vec![Box::new(Shipping(logs.clone()))];
    if !logs.0.deps.telemetry.otlp_url.is_empty() {
        checks.push(Box::new(Traces(logs.clone())));
    }
    checks
}

/// Does Loki answer, and were log lines lost?
struct Shipping(Logs);

#[async_trait]
impl Check for Shipping {
    fn name(&self) -> &'static str {
        "logs.loki"
    }

    async fn run(&self) -> CheckResult {
        let Some(loki) = &self.0.0.loki else {
            return CheckResult::pass(
                "no Loki is configured: lines go to standard output, and the most recent are kept in memory",
            );
        };
        if let Err(error) = loki.ping().await {
            let LogsError::Loki(why) = error else {
                return CheckResult::fail(chain(&error), "check the section [telemetry]");
            };
            return CheckResult::warn(
                format!("{} cannot be queried: {why}", loki.url),
                "check Loki, and loki_url, loki_user and loki_token_file in [telemetry]; lines are buffered in memory meanwhile",
            );
        }
        match lost(&self.0, "holdfast_log_lines_lost_total{").await {
            Some(0) => CheckResult::pass(format!("{} answers, no line lost since the start", loki.url)),
            Some(lost) => CheckResult::warn(
                format!("{} answers, but {lost} lines were lost since the start", loki.url),
                "holdfast_log_lines_lost_total says why: a full buffer (loki_buffer_bytes), or a Loki that refuses them (its limits)",
            ),
            None => CheckResult::pass(format!("{} answers", loki.url)),
        }
    }
}

/// Sum of these series in the running server; `None` where none is running.
async fn lost(logs: &Logs, series: &str) -> Option<u64> {
    let deps = &logs.0.deps;
    let request = deps.http.operator().get(format!("http://{}/metrics", deps.ops)).timeout(Duration::from_secs(3));
    let text = request.send().await.ok()?.text().await.ok()?;
    let counts = text.lines().filter(|line| line.starts_with(series));
    let mut counts = counts.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).peekable();
    counts.peek()?;
    Some(counts.sum())
}

/// Does the trace collector accept spans, and were spans lost?
struct Traces(Logs);

#[async_trait]
impl Check for Traces {
    fn name(&self) -> &'static str {
        "logs.traces"
    }

    async fn run(&self) -> CheckResult {
        let deps = &self.0.0.deps;
        let Some(otlp) = deps.telemetry.otlp(Uuid::nil()) else {
            return CheckResult::pass("no trace collector is configured: no traces are sent");
        };
        let url = secret::safe_url(&otlp.url);
        if let Err(why) = otlp.ping(deps.http.operator()).await {
            return CheckResult::warn(
                format!("{url} does not accept traces: {why}"),
                "check the collector, and otlp_url (without /v1/traces) and otlp_headers_file in [telemetry]; spans are buffered in memory, and the oldest are dropped",
            );
        }
        match lost(&self.0, "holdfast_traces_spans_lost_total{").await {
            Some(0) => CheckResult::pass(format!("{url} accepts traces, no span lost since the start")),
            Some(lost) => CheckResult::warn(
                format!("{url} accepts traces, but {lost} spans were lost since the start"),
                "holdfast_traces_spans_lost_total says why: a full buffer (otlp_buffer_bytes), or a collector that refuses them (its limits)",
            ),
            None => CheckResult::pass(format!("{url} accepts traces")),
        }
    }
}
