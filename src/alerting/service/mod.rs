//! [`Alerting`]: the rules.

mod intake;
mod passing;
mod silences;
mod upkeep;

use std::sync::Arc;

use chrono::{DateTime, Utc};

pub use silences::{DURATIONS, SilenceRequest, parse_matchers, silence_of};

use super::{
    AlertingError, Config, Metrics,
    alertmanager::Alertmanager,
    model::{Alert, AlertDetail, AlertId, Filter},
    runbooks, store,
};
use crate::{
    console::FiringAlert,
    platform::{clock::Clock, db::Db, http::Slice, http_client::HttpClients, lifecycle::Lifecycle},
};

/// What the service is built from.
#[derive(Clone)]
pub struct Deps {
    pub config: Config,
    /// How browsers reach us, without a slash at the end: for links in what is passed on.
    pub base_url: String,
    pub db: Db,
    pub clock: Clock,
    pub http: HttpClients,
    pub lifecycle: Lifecycle,
    pub metrics: Metrics,
}

/// The alerting service. Cheap to clone.
#[derive(Clone)]
pub struct Alerting {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    deps: Deps,
    pub alertmanager: Alertmanager,
}

impl std::ops::Deref for Inner {
    type Target = Deps;
    fn deref(&self) -> &Deps {
        &self.deps
    }
}

impl std::fmt::Debug for Alerting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Alerting").finish_non_exhaustive()
    }
}

impl Alerting {
    pub fn new(deps: Deps) -> Self {
        let alertmanager = Alertmanager::new(deps.http.operator().clone(), &deps.config.alertmanager_url);
        Self { inner: Arc::new(Inner { deps, alertmanager }) }
    }

    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// Whether alerts are taken at all.
    pub fn is_on(&self) -> bool {
        self.config().token.is_some()
    }

    /// Newest first, below `before`.
    pub async fn list(&self, filter: &Filter, slice: &Slice) -> Result<Vec<Alert>, AlertingError> {
        let mut tx = self.inner.db.system().await?;
        let alerts = store::alerts(&mut tx, filter, slice).await?;
        tx.commit().await?;
        Ok(alerts)
    }

    /// What fires, worst first and newest first among equals; at most `limit`.
    pub async fn firing(&self, limit: i64) -> Result<Vec<Alert>, AlertingError> {
        let mut tx = self.inner.db.system().await?;
        let alerts = store::firing(&mut tx, limit).await?;
        tx.commit().await?;
        Ok(alerts)
    }

    /// The first `limit` of what fires, for the console's first page, and how many there are. The caller has checked that an operator asks.
    pub async fn overview(&self, limit: i64) -> Result<(Vec<FiringAlert>, i64), AlertingError> {
        let mut tx = self.inner.db.system().await?;
        let alerts = store::firing(&mut tx, limit).await?;
        let count = store::firing_counts(&mut tx).await?.into_iter().map(|(_, count)| count).sum();
        tx.commit().await?;
        let shown = alerts.into_iter().map(|alert| FiringAlert {
            href: format!("/alerts/{}", alert.id),
            severity: alert.severity.as_str(),
            tone: alert.severity.tone(),
            summary: alert.summary().to_owned(),
            since: alert.starts_at,
            runbook: runbooks::href(&alert),
            name: alert.name,
        });
        Ok((shown.collect(), count))
    }

    pub async fn get(&self, id: AlertId) -> Result<AlertDetail, AlertingError> {
        let mut tx = self.inner.db.system().await?;
        let alert = store::alert(&mut tx, id).await?.ok_or(AlertingError::NotFound)?;
        let deliveries = store::deliveries(&mut tx, id).await?;
        tx.commit().await?;
        Ok(AlertDetail { alert, deliveries })
    }

    /// When the Watchdog was last heard of.
    pub async fn watchdog(&self) -> Result<Option<DateTime<Utc>>, AlertingError> {
        let mut tx = self.inner.db.system().await?;
        let seen = store::watchdog(&mut tx).await?;
        tx.commit().await?;
        Ok(seen)
    }
}
