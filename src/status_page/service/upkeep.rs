//! Retention.

use chrono::TimeDelta;

use super::StatusPages;
use crate::{StatusPageError, store::subscribers};

/// How long a link to confirm a subscription works.
pub const CONFIRM_WITHIN: TimeDelta = TimeDelta::hours(48);

impl StatusPages {
    /// Forgets those who asked for updates and never confirmed it. Returns how many.
    pub(crate) async fn maintain(&self) -> Result<u64, StatusPageError> {
        let mut tx = self.system().await?;
        let forgotten = subscribers::forget_unconfirmed(&mut tx, self.inner.clock.now() - CONFIRM_WITHIN).await?;
        tx.commit().await?;
        Ok(forgotten)
    }
}
