//! This room's part of the console's first page.

use askama::Template;
use async_trait::async_trait;

use super::{Alert, Alerting, runbooks};
use crate::{
    console::{Overview, OverviewPart, Shell},
    platform::error::ApiError,
};

/// Alerts that are named.
const NAMED: i64 = 5;

#[derive(Template)]
#[template(path = "alerting/templates/overview.html")]
struct Firing<'a> {
    shell: &'a Shell,
    alerts: Vec<Alert>,
    count: i64,
}

impl Firing<'_> {
    fn runbook(&self, alert: &Alert) -> String {
        runbooks::href(alert)
    }
}

/// For operators: the worst of what fires.
#[async_trait]
impl OverviewPart for Alerting {
    async fn overview(&self, shell: &Shell) -> Result<Overview, ApiError> {
        if !shell.principal().is_operator() {
            return Ok(Overview::default());
        }
        let (alerts, count) = self.worst(NAMED).await?;
        if alerts.is_empty() {
            return Ok(Overview::default());
        }
        let section = Firing { shell, alerts, count }.render().map_err(ApiError::internal)?;
        Ok(Overview { sections: vec![section], ..Overview::default() })
    }
}
