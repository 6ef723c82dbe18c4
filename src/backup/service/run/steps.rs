//! The current step of a run, for its callers and for the page.

use std::{convert::Infallible, time::Duration};

use tokio::sync::watch;

use super::Backups;
use crate::{BackupError, BackupId, progress::ProgressReporter, store};
use platform::error::chain;

/// Interval of progress updates in the table.
const NOTED: Duration = Duration::from_secs(1);

/// Tracks the current step: callers get it at once, the table every second. Cheap to clone.
#[derive(Clone)]
pub(super) struct StepTracker {
    progress: ProgressReporter,
    current: watch::Sender<String>,
}

impl StepTracker {
    pub(super) fn new(progress: ProgressReporter) -> Self {
        Self { progress, current: watch::Sender::default() }
    }

    pub(super) fn report(&self, percent: u8, step: &str) {
        self.current.send_replace(step.to_owned());
        self.progress.report(percent, step);
    }

    pub(super) fn current(&self) -> String {
        self.current.borrow().clone()
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<String> {
        self.current.subscribe()
    }
}

impl Backups {
    /// Records the current step, for the page.
    pub(super) async fn note_steps(&self, id: BackupId, mut steps: watch::Receiver<String>) -> Infallible {
        loop {
            // The run that sends steps outlives this.
            if steps.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            let step = steps.borrow_and_update().clone();
            let written = async {
                let mut tx = self.inner.db.system().await?;
                store::set_step(&mut tx, id, &step).await?;
                tx.commit().await?;
                Ok::<_, BackupError>(())
            };
            if let Err(error) = written.await {
                tracing::warn!(error = chain(&error), "the step of a backup could not be recorded");
            }
            tokio::time::sleep(NOTED).await;
        }
    }
}
