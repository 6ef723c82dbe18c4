//! Gauges of whole tables.

use std::time::Duration;

use super::Files;
use crate::{FilesError, store};
use jobs::Loops;
use store::figures::{Figures, Limits};

const GAUGES_EVERY: Duration = Duration::from_secs(30);

impl Files {
    pub(crate) fn start_figures(&self, loops: &Loops) {
        let (files, forget) = (self.clone(), self.inner.metrics.clone());
        let read = move || {
            let files = files.clone();
            async move { Ok(files.refresh_figures().await?) }
        };
        loops.figures("files.gauges", GAUGES_EVERY, read, move || forget.forget_figures());
    }

    async fn refresh_figures(&self) -> Result<(), FilesError> {
        let figures = self.figures().await?;
        let clamd_up = match &self.inner.scanner {
            Some(scanner) => Some(scanner.version().await.is_ok()),
            None => None,
        };
        self.inner.metrics.set(&figures, clamd_up);
        Ok(())
    }

    /// Of all organisations.
    pub(crate) async fn figures(&self) -> Result<Figures, FilesError> {
        let mut tx = self.inner.db.system().await?;
        Ok(store::figures::read(&mut tx, self.limits(), self.inner.clock.now()).await?)
    }

    /// Quotas of organisations that have none of their own.
    pub(crate) fn limits(&self) -> Limits {
        let limit = |setting: i64| (setting > 0).then_some(setting);
        Limits { bytes: limit(self.inner.config.org_bytes), objects: limit(self.inner.config.org_objects) }
    }

    pub fn metrics(&self) -> &crate::Metrics {
        &self.inner.metrics
    }
}
