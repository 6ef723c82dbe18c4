//! Retention.

use super::Incidents;
use crate::{IncidentsError, store::upkeep};

impl Incidents {
    /// Returns how many weeks of the log of messages were created and dropped.
    pub(crate) async fn maintain(&self) -> Result<(i32, i32), IncidentsError> {
        let mut tx = self.system().await?;
        let done = upkeep::maintain(&mut tx, self.inner.config.keep_told_days).await?;
        tx.commit().await?;
        Ok(done)
    }
}
