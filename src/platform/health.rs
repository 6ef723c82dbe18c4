//! Health checks: what `holdfast doctor` prints and readiness reads.

use async_trait::async_trait;
use serde::Serialize;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Pass,
    /// Works, but someone should look.
    Warn,
    /// Does not work.
    Fail,
}

/// What a check found and what to do about it.
#[derive(Clone, Debug, Serialize)]
pub struct CheckResult {
    pub status: Status,
    /// One line: what was found, with figures.
    pub summary: String,
    /// What to do, where there is something to do.
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

/// One thing that can be looked at and judged. Implemented in each capability's `doctor.rs`.
#[async_trait]
pub trait Check: Send + Sync {
    /// `<capability>.<what>`, stable: scripts match on it.
    fn name(&self) -> &'static str;

    /// Looks. Must end by itself within seconds.
    async fn run(&self) -> CheckResult;
}

/// A check with what it found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub name: &'static str,
    #[serde(flatten)]
    pub result: CheckResult,
}

/// Runs the checks one after another, each for at most ten seconds.
pub async fn run_all(checks: &[Box<dyn Check>]) -> Vec<Report> {
    let mut reports = Vec::with_capacity(checks.len());
    for check in checks {
        let result = tokio::time::timeout(std::time::Duration::from_secs(10), check.run()).await.unwrap_or_else(|_| {
            CheckResult::fail("did not answer within 10 s", "look for a hanging dependency in the logs")
        });
        reports.push(Report { name: check.name(), result });
    }
    reports
}
