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
use platform::{clock::Clock, db::Db, http::Slice, http_client::HttpClients};
use webhooks::Webhooks;

/// What the service is built from.
#[derive(Clone)]
pub struct Deps {
    pub config: Config,
    /// Our public address, without a trailing slash: for links in deliveries.
    pub base_url: String,
    pub db: Db,
    pub clock: Clock,
    pub http: HttpClients,
    pub metrics: Metrics,
    pub webhooks: Webhooks,
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

    /// Whether alerts are accepted at all.
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

    /// How many alerts fired between, also those that began before and still lasted.
    pub async fn fired_between(&self, since: DateTime<Utc>, until: DateTime<Utc>) -> Result<i64, AlertingError> {
        let mut tx = self.inner.db.system().await?;
        let count = store::fired_between(&mut tx, since, until).await?;
        tx.commit().await?;
        Ok(count)
    }

    /// Firing alerts, worst first, then newest first; at most `limit`.
    pub async fn firing(&self, limit: i64) -> Result<Vec<Alert>, AlertingError> {
        let mut tx = self.inner.db.system().await?;
        let alerts = store::firing(&mut tx, limit).await?;
        tx.commit().await?;
        Ok(alerts)
    }

    /// The worst `limit` of what fires, and how many there are. The caller has checked that an operator asks.
    pub async fn worst(&self, limit: i64) -> Result<(Vec<Alert>, i64), AlertingError> {
        let mut tx = self.inner.db.system().await?;
        let alerts = store::firing(&mut tx, limit).await?;
        let count = store::firing_counts(&mut tx).await?.into_iter().map(|(_, count)| count).sum();
        tx.commit().await?;
        Ok((alerts, count))
    }

    pub async fn get(&self, id: AlertId) -> Result<AlertDetail, AlertingError> {
        let mut tx = self.inner.db.system().await?;
        let alert = store::alert(&mut tx, id).await?.ok_or(AlertingError::NotFound)?;
        tx.commit().await?;
        let deliveries = self.inner.webhooks.deliveries_about(&id.to_string()).await?;
        Ok(AlertDetail { alert, deliveries: deliveries.into_iter().map(Into::into).collect() })
    }

    /// Addresses of the alert's page and of its runbook; the second is empty when there is none.
    pub fn links(&self, alert: &Alert) -> (String, String) {
        let base = &self.inner.base_url;
        let runbook = runbooks::href(alert);
        let runbook = if runbook.starts_with('/') { format!("{base}{runbook}") } else { runbook };
        (format!("{base}/alerts/{}", alert.id), runbook)
    }

    /// When the last Watchdog was received.
    pub async fn watchdog(&self) -> Result<Option<DateTime<Utc>>, AlertingError> {
        let mut tx = self.inner.db.system().await?;
        let seen = store::watchdog(&mut tx).await?;
        tx.commit().await?;
        Ok(seen)
    }
}
