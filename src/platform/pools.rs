//! Bounded threads for CPU work, so that a burst of it cannot starve the requests.

use std::sync::Arc;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::telemetry::trace;

/// A bounded pool of blocking threads.
#[derive(Clone, Debug)]
pub struct CpuPool {
    permits: Arc<Semaphore>,
}

/// The work panicked.
#[derive(Debug, thiserror::Error)]
#[error("work on a CPU pool ended without a result")]
pub struct WorkLost(#[source] Option<tokio::task::JoinError>);

impl CpuPool {
    /// At most `threads` pieces of work at a time; others wait.
    pub fn new(threads: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(threads.max(1))) }
    }

    /// Runs `work` on a blocking thread. The permit belongs to the work, not to the waiting future: a client that
    /// disconnects frees its place only when the work has really ended.
    #[expect(clippy::disallowed_methods, reason = "the home of the ban")]
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, WorkLost> {
        let permit = self.permits.clone().acquire_owned().await.map_err(|_| WorkLost(None))?;
        let (span, context) = (tracing::Span::current(), trace::current());
        tokio::task::spawn_blocking(move || {
            let result = trace::within(context, || span.in_scope(work));
            drop(permit);
            result
        })
        .await
        .map_err(|e| WorkLost(Some(e)))
    }

    /// A place, if one is free now: for callers that answer "busy" rather than wait.
    pub fn try_reserve(&self) -> Option<SemaphorePermit<'_>> {
        self.permits.try_acquire().ok()
    }
}
