//! Retention, figures, and proofs of domains.

use std::time::Duration;

use chrono::TimeDelta;

use super::StatusPages;
use crate::{
    StatusPageError,
    store::{pages, subscribers},
};
use jobs::{By, Loops};

/// How long a link to confirm a subscription works.
pub const CONFIRM_WITHIN: TimeDelta = TimeDelta::hours(48);
/// How long a page is kept that the file no longer has: it may come back, with its subscribers.
const KEEP_REMOVED: TimeDelta = TimeDelta::days(30);
const FIGURES_EVERY: Duration = Duration::from_secs(60);
const DOMAINS_EVERY: Duration = Duration::from_secs(300);
const BUILTIN_EVERY: Duration = Duration::from_secs(2);

impl StatusPages {
    /// Forgets those who asked for updates and never confirmed it, and pages that were removed. Returns how many.
    pub(crate) async fn maintain(&self) -> Result<u64, StatusPageError> {
        let now = self.inner.clock.now();
        let mut tx = self.system().await?;
        let forgotten = subscribers::forget_unconfirmed(&mut tx, now - CONFIRM_WITHIN).await?;
        let pages = pages::forget_removed(&mut tx, now - KEEP_REMOVED).await?;
        tx.commit().await?;
        Ok(forgotten + pages)
    }

    pub(super) fn start_upkeep(&self, loops: &Loops) {
        let (this, metrics) = (self.clone(), self.inner.metrics.clone());
        let read = move || {
            let this = this.clone();
            async move {
                let mut tx = this.system().await?;
                let (confirmed, waiting) = subscribers::counts(&mut tx).await?;
                this.inner.metrics.set_subscribers(confirmed, waiting);
                Ok(())
            }
        };
        loops.figures("status_page.figures", FIGURES_EVERY, read, move || metrics.forget_figures());
        let this = self.clone();
        loops.every("status_page.domains", DOMAINS_EVERY, By::Leader, move || {
            let this = this.clone();
            async move { Ok(this.check_domains().await?) }
        });
        let this = self.clone();
        loops.every("status_page.builtin", BUILTIN_EVERY, By::Leader, move || {
            let this = this.clone();
            async move { Ok(this.make_builtin().await?) }
        });
    }
}
