//! Startup and shutdown: the soft and hard cancellation tokens, and the tracker of every task.
//!
//! Shutdown is soft first (stop accepting, finish running work within the grace period), then hard; a second signal skips the grace period.
//! Modelled on matrix-authentication-service.

use std::{
    future::Future,
    panic::AssertUnwindSafe,
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures::FutureExt as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::trace;

/// SIGTERM and SIGINT, received from [`Signals::listen`] on. Before that a signal ends the process at once and leaves its private database
/// running: listen before starting it.
#[derive(Debug)]
pub struct Signals {
    term: Signal,
    int: Signal,
}

impl Signals {
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self { term: signal(SignalKind::terminate())?, int: signal(SignalKind::interrupt())? })
    }
}

/// Shutdown handle. Clones share the tokens and the tracker.
#[derive(Clone, Debug, Default)]
pub struct Lifecycle {
    soft: CancellationToken,
    hard: CancellationToken,
    tasks: TaskTracker,
    /// The first vital task that ended on its own.
    lost: Arc<OnceLock<&'static str>>,
}

impl Lifecycle {
    /// A running lifecycle.
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancelled when no new work may start.
    pub fn soft(&self) -> &CancellationToken {
        &self.soft
    }

    /// Cancelled when running work must stop at once.
    pub fn hard(&self) -> &CancellationToken {
        &self.hard
    }

    /// Runs `task` until it ends; shutdown waits for it. An endless task watches [`Self::soft`]. The task inherits the trace context of the
    /// caller.
    #[expect(clippy::disallowed_methods, reason = "the home of the ban")]
    pub fn spawn<F>(&self, name: &'static str, task: F) -> tokio::task::JoinHandle<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let hard = self.hard.clone();
        tokio::spawn(self.tasks.track_future(trace::carry(async move {
            tokio::select! {
                () = task => {}
                () = hard.cancelled() => tracing::debug!(task = name, "task ended by hard shutdown"),
            }
        })))
    }

    /// Like [`Self::spawn`], for loops whose death would leave a process that looks healthy but is useless: if one ends before the shutdown
    /// (by a panic), the process shuts down in order, so that its supervisor restarts it.
    pub fn spawn_vital<F>(&self, name: &'static str, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let this = self.clone();
        self.spawn(name, async move {
            let ended = AssertUnwindSafe(task).catch_unwind().await;
            if !this.soft.is_cancelled() {
                let panicked = ended.is_err();
                tracing::error!(task = name, panicked, "the vital task {name} has ended: shutting down");
                let _ = this.lost.set(name);
                this.soft.cancel();
            }
        });
    }

    /// The vital task whose end caused the shutdown, if any.
    pub fn lost(&self) -> Option<&'static str> {
        self.lost.get().copied()
    }

    /// Starts the soft shutdown.
    pub fn shutdown(&self) {
        self.soft.cancel();
    }

    /// Waits for SIGTERM, SIGINT or [`Self::shutdown`].
    pub async fn wait_for_signal(&self, signals: &mut Signals) {
        tokio::select! {
            _ = signals.term.recv() => tracing::info!(signal = "SIGTERM", "shutting down"),
            _ = signals.int.recv() => tracing::info!(signal = "SIGINT", "shutting down"),
            () = self.soft.cancelled() => {}
        }
        self.soft.cancel();
    }

    /// Waits for all tasks, at most `grace` or until a second signal, then cancels the rest. Returns whether all tasks ended on their own.
    pub async fn drain(&self, grace: Duration) -> bool {
        self.soft.cancel();
        self.tasks.close();
        let second = async {
            match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
                (Ok(mut term), Ok(mut int)) => tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} },
                _ => std::future::pending().await,
            }
        };
        let clean = tokio::select! {
            () = self.tasks.wait() => true,
            () = tokio::time::sleep(grace) => { tracing::warn!(?grace, "grace period over: cancelling remaining tasks"); false }
            () = second => { tracing::warn!("second signal: cancelling remaining tasks"); false }
        };
        self.hard.cancel();
        let _ = tokio::time::timeout(Duration::from_secs(2), self.tasks.wait()).await;
        clean
    }
}

/// Runs `future` to completion even if the caller is dropped: for steps that must not be interrupted, such as `BEGIN` (see `platform::db`).
/// The result is dropped with the caller.
#[expect(clippy::disallowed_methods, reason = "the home of the ban; the task is bounded by its own timeouts")]
pub async fn uncancelled<T, F>(future: F) -> Result<T, tokio::task::JoinError>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    use tracing::Instrument as _;
    tokio::spawn(trace::carry(future.in_current_span())).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_vital_task_that_ends_too_early_stops_the_process_and_is_named() {
        for panics in [true, false] {
            let lifecycle = Lifecycle::new();
            lifecycle.spawn_vital("the.loop", async move { assert!(!panics, "by accident") });
            tokio::time::timeout(Duration::from_secs(5), lifecycle.soft().cancelled()).await.unwrap();
            assert_eq!(lifecycle.lost(), Some("the.loop"));
        }
        let lifecycle = Lifecycle::new();
        let soft = lifecycle.soft().clone();
        lifecycle.spawn_vital("the.loop", async move { soft.cancelled().await });
        assert!(lifecycle.drain(Duration::from_secs(5)).await);
        assert_eq!(lifecycle.lost(), None, "it ended because it was asked to");
    }
}
