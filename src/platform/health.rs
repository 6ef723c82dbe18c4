//! Health checks, for `holdfast doctor` and readiness.

use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use serde::Serialize;
use tokio::time::timeout;

/// Result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Pass,
    /// Works, but needs attention.
    Warn,
    /// Does not work.
    Fail,
}

/// Finding of a check, and the remedy.
#[derive(Clone, Debug, Serialize)]
pub struct CheckResult {
    pub status: Status,
    /// One line: the finding, with figures.
    pub summary: String,
    /// What to do, if anything.
    pub remedy: Option<String>,
}

impl CheckResult {
    pub fn pass(summary: impl Into<String>) -> Self {
        Self { status: Status::Pass, summary: summary.into(), remedy: None }
    }

    pub fn warn(summary: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { status: Status::Warn, summary: summary.into(), remedy: Some(remedy.into()) }
    }

    pub fn fail(summary: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { status: Status::Fail, summary: summary.into(), remedy: Some(remedy.into()) }
    }
}

/// One health check. Implemented in each capability's `doctor.rs`.
#[async_trait]
pub trait Check: Send + Sync {
    /// `<capability>.<what>`, stable: scripts match on it.
    fn name(&self) -> &'static str;

    /// When it takes longer, it counts as hanging. More than the default only where the settings give another server that time.
    fn limit(&self) -> Duration {
        LIMIT
    }

    /// Runs the check; must end within [`Self::limit`].
    async fn run(&self) -> CheckResult;
}

/// A check with its result.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub name: &'static str,
    #[serde(flatten)]
    pub result: CheckResult,
}

const LIMIT: Duration = Duration::from_secs(7);

/// Runs the checks concurrently, each within its limit: with a hanging database, most of them wait for it.
pub async fn run_all(checks: &[Box<dyn Check>]) -> Vec<Report> {
    let reports = checks.iter().map(async |check| {
        let limit = check.limit();
        let result = timeout(limit, check.run()).await.unwrap_or_else(|_| {
            let summary = format!("did not answer within {} s", limit.as_secs());
            CheckResult::fail(summary, "look for a hanging dependency in the logs")
        });
        Report { name: check.name(), result }
    });
    join_all(reports).await
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Hangs;

    #[async_trait]
    impl Check for Hangs {
        fn name(&self) -> &'static str {
            "test.hangs"
        }

        fn limit(&self) -> Duration {
            Duration::from_millis(100)
        }

        async fn run(&self) -> CheckResult {
            std::future::pending().await
        }
    }

    #[tokio::test]
    async fn many_checks_that_hang_take_no_longer_than_one() {
        let checks: Vec<Box<dyn Check>> = (0..20).map(|_| Box::new(Hangs) as Box<dyn Check>).collect();
        let began = tokio::time::Instant::now();
        let reports = run_all(&checks).await;
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        assert!(reports.len() == 20 && reports.iter().all(|report| report.result.status == Status::Fail));
    }
}
