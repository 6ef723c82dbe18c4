//! Badges for strangers: of monitors whose owner says so, and of those that a public page shows.

use super::Uptime;
use crate::{UptimeError, badge::Badge, model::MonitorId, store::monitors};

impl Uptime {
    /// `None`: there is no such monitor, or strangers may not see it; they cannot tell which. From memory where this process checks, so that it is there
    /// while the database is away.
    pub(crate) async fn badge(&self, id: MonitorId) -> Result<Option<Badge>, UptimeError> {
        let is_published = self.is_published(id);
        if let Some(live) = self.live().as_ref().and_then(|view| view.monitors.get(&id)) {
            let is_shown = live.badge || is_published;
            return Ok(is_shown.then(|| Badge { name: live.name.clone(), status: live.status }));
        }
        let mut tx = self.system().await?;
        let found = monitors::badge(&mut tx, id, is_published).await?;
        Ok(found.map(|(name, status)| Badge { name, status }))
    }
}
