//! This room's part of the console's first page.

use askama::Template;
use async_trait::async_trait;

use super::{Alert, Alerting, runbooks};
use console::{Overview, OverviewPart, Shell};
use platform::error::ApiError;

/// Alerts that are named.
const NAMED: i64 = 5;

#[derive(Template)]
#[template(path = "alerting/templates/overview.html")]
struct Firing<'a> {
    shell: &'a Shell,
    /// Each with the address of its runbook; empty where there is none.
    alerts: Vec<(Alert, String)>,
    count: i64,
}

/// For operators: the worst of what fires.
#[async_trait]
impl OverviewPart for Alerting {
    fn label(&self) -> &'static str {
        "alerting-title"
    }

    async fn overview(&self, shell: &Shell) -> Result<Overview, ApiError> {
        if !shell.principal().is_operator() {
            return Ok(Overview::default());
        }
        let (alerts, count) = self.worst(NAMED).await?;
        if alerts.is_empty() {
            return Ok(Overview::default());
        }
        let with_runbook = |alert: Alert| {
            let href = runbooks::href(&alert);
            (alert, href)
        };
        let alerts = alerts.into_iter().map(with_runbook).collect();
        let section = Firing { shell, alerts, count }.render().map_err(ApiError::internal)?;
        Ok(Overview { sections: vec![section], ..Overview::default() })
    }
}
