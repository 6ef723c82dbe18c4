//! Progress of long work, and its cancellation.

use std::{fmt, future::Future, sync::Arc};

use tokio_util::sync::CancellationToken;

use super::BackupError;

type OnStep = dyn Fn(u8, &str) + Send + Sync;

/// Receives the progress of a run, a drill or a verification, and can cancel it. Cheap to clone.
#[derive(Clone)]
pub struct ProgressReporter {
    on_step: Arc<OnStep>,
    cancel: CancellationToken,
}

impl fmt::Debug for ProgressReporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProgressReporter").finish_non_exhaustive()
    }
}

impl ProgressReporter {
    /// `on_step` gets the percentage done and the current step; `cancel` ends the work as failed.
    pub fn new(cancel: CancellationToken, on_step: impl Fn(u8, &str) + Send + Sync + 'static) -> Self {
        Self { on_step: Arc::new(on_step), cancel }
    }

    /// Without output.
    pub fn silent(cancel: CancellationToken) -> Self {
        Self::new(cancel, |_, _| {})
    }

    pub(super) fn report(&self, percent: u8, step: &str) {
        (self.on_step)(percent, step);
    }

    /// Runs the work until it ends or is cancelled.
    pub(super) fn attend<'a, T: 'a>(
        &'a self,
        work: impl Future<Output = Result<T, BackupError>> + 'a,
    ) -> impl Future<Output = Result<T, BackupError>> + 'a {
        // The future is large; boxed, so that the futures around it stay small.
        let work = Box::pin(work);
        async { self.cancel.run_until_cancelled(work).await.unwrap_or(Err(BackupError::Cancelled)) }
    }
}

/// Part of a long operation: from this to that percent of the whole.
#[derive(Clone, Copy, Debug)]
pub struct ProgressRange(pub u8, pub u8);

impl ProgressRange {
    pub const WHOLE: Self = Self(0, 100);

    /// Percentage when `done` of `all` is done. Stays within the range if `all` is unknown or too small.
    pub fn at(self, done: u64, all: u64) -> u8 {
        let (done, all) = (u128::from(done.min(all)), u128::from(all));
        let share = (done * u128::from(self.1 - self.0)).checked_div(all).unwrap_or_default();
        self.0 + u8::try_from(share).unwrap_or_default()
    }

    /// The `n`th of `all` equal parts, from 0.
    pub fn piece(self, n: usize, all: usize) -> Self {
        let edge = |n: usize| self.at(n as u64, all as u64);
        Self(edge(n), edge(n + 1))
    }
}

/// Counts the bytes of a database, and reports each further MiB; `expected` bytes may be an estimate, or 0.
pub fn each_mib(expected: u64, mut report: impl FnMut(u64, &str)) -> impl FnMut(u64) {
    let (mut told, all) = (0, expected.div_ceil(1 << 20));
    move |bytes| {
        if bytes >> 20 > told {
            told = bytes >> 20;
            let of = if told <= all { format!(" of {all}") } else { String::new() };
            report(bytes, &format!("database, {told}{of} MiB"));
        }
    }
}
