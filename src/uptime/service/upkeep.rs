//! Retention and partitions.

use super::Uptime;
use crate::{UptimeError, store::upkeep};

impl Uptime {
    /// Makes the partitions of the coming days and drops those past retention. Returns how many were created and dropped.
    pub(crate) async fn maintain(&self) -> Result<(i32, i32), UptimeError> {
        let config = &self.inner.config;
        let mut tx = self.system().await?;
        let done = upkeep::maintain(&mut tx, config.keep_checks_days, config.keep_minutes_days).await?;
        tx.commit().await?;
        Ok(done)
    }
}
