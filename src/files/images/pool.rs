//! The children that decode pictures, kept for many orders. Nobody waits for ever: where too many wait, the next is refused.

use std::{
    ffi::OsString,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{ImageError, Limit, Made, Order, child::SUBCOMMAND, running::Running};
use platform::lifecycle::Lifecycle;

/// How many children there are, and what each may use.
#[derive(Clone, Debug)]
pub struct PoolConfig {
    pub children: usize,
    pub memory_mib: u64,
    /// Of an order.
    pub deadline: Duration,
    /// Orders that may wait.
    pub waiting: usize,
    /// How long a child is kept that has nothing to do.
    pub idle: Duration,
}

impl Default for PoolConfig {
    fn default() -> Self {
        let (deadline, idle) = (Duration::from_secs(10), Duration::from_secs(60));
        Self { children: 2, memory_mib: 768, deadline, waiting: 32, idle }
    }
}

/// What the pool does now, and has done since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Orders that wait for a child.
    pub waiting: usize,
    /// Children without an order.
    pub idle: usize,
    pub started: u64,
    /// Children that were ended by a deadline, or ended by themselves.
    pub overdue: u64,
    pub died: u64,
    /// Orders that were refused because too many waited.
    pub refused: u64,
}

/// Children of this program that decode pictures. Cheap to clone.
#[derive(Clone)]
pub struct Pool(Arc<Shared>);

/// What all clones share.
struct Shared {
    executable: PathBuf,
    arguments: Vec<OsString>,
    config: PoolConfig,
    lifecycle: Lifecycle,
    free: Arc<Semaphore>,
    waiting: AtomicUsize,
    idle: Mutex<Idle>,
    started: AtomicU64,
    overdue: AtomicU64,
    died: AtomicU64,
    refused: AtomicU64,
}

/// Children without an order; the last one was busy last.
#[derive(Default)]
struct Idle {
    children: Vec<Running>,
    /// A task ends those that are idle for too long.
    is_watched: bool,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Shared { executable, config, .. } = &*self.0;
        f.debug_struct("Pool").field("executable", executable).field("config", config).finish_non_exhaustive()
    }
}

impl Pool {
    /// `executable`: this program, which has a hidden command for children.
    pub fn new(executable: PathBuf, config: PoolConfig, lifecycle: Lifecycle) -> Self {
        Self::with_arguments(executable, vec![SUBCOMMAND.into()], config, lifecycle)
    }

    /// As [`Self::new`] with other arguments, for tests, whose executable has no commands.
    pub(crate) fn with_arguments(
        executable: PathBuf,
        arguments: Vec<OsString>,
        config: PoolConfig,
        lifecycle: Lifecycle,
    ) -> Self {
        Self(Arc::new(Shared {
            executable,
            arguments,
            free: Arc::new(Semaphore::new(config.children.max(1))),
            config,
            lifecycle,
            waiting: AtomicUsize::new(0),
            idle: Mutex::default(),
            started: AtomicU64::new(0),
            overdue: AtomicU64::new(0),
            died: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }))
    }

    pub fn figures(&self) -> Figures {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Shared { waiting, started, overdue, died, refused, .. } = &*self.0;
        Figures {
            waiting: waiting.load(Ordering::Relaxed),
            idle: self.idle().children.len(),
            started: count(started),
            overdue: count(overdue),
            died: count(died),
            refused: count(refused),
        }
    }

    /// What a picture becomes. Dropping the future ends the child that works on it.
    pub async fn run(&self, order: &Order, source: Bytes) -> Result<Made, ImageError> {
        if source.len() as u64 > order.limits.input_bytes {
            return Err(ImageError::refused(Limit::InputBytes, order.limits.input_bytes));
        }
        let _permit = self.permit().await?;
        let mut child = self.child().await?;
        let deadline = self.0.config.deadline;
        let Ok(made) = tokio::time::timeout(deadline, child.ask(order, &source)).await else {
            ended(&self.0.overdue, "deadline");
            return Err(ImageError::refused(Limit::Time, deadline.as_secs()));
        };
        match &made {
            Ok(_)
            | Err(ImageError::Refused { .. } | ImageError::Format | ImageError::Crop { .. } | ImageError::Avif)
                if child.is_alive() =>
            {
                self.keep(child);
            }
            // A decoder failed in the middle of a picture: what it left behind is not trusted with the next one.
            Err(ImageError::Malformed) if child.is_alive() => {}
            _ => ended(&self.0.died, "died"),
        }
        made
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, ImageError> {
        let free = &self.0.free;
        if let Ok(permit) = free.clone().try_acquire_owned() {
            return Ok(permit);
        }
        let waiting = Waiting::new(&self.0.waiting);
        if waiting.before >= self.0.config.waiting {
            self.0.refused.fetch_add(1, Ordering::Relaxed);
            return Err(ImageError::Busy);
        }
        free.clone().acquire_owned().await.map_err(|_| ImageError::Busy)
    }

    /// One that lives: kept, or new.
    async fn child(&self) -> Result<Running, ImageError> {
        while let Some(mut child) = self.kept() {
            if child.is_alive() {
                return Ok(child);
            }
            ended(&self.0.died, "died idle");
        }
        let Shared { executable, arguments, config, started, .. } = &*self.0;
        started.fetch_add(1, Ordering::Relaxed);
        Running::start(executable, arguments, config.memory_mib).await
    }

    fn kept(&self) -> Option<Running> {
        self.idle().children.pop()
    }

    fn keep(&self, mut child: Running) {
        if child.is_worn() || self.0.lifecycle.soft().is_cancelled() {
            return;
        }
        child.since = std::time::Instant::now();
        let mut idle = self.idle();
        idle.children.push(child);
        if !std::mem::replace(&mut idle.is_watched, true) {
            let pool = self.clone();
            self.0.lifecycle.spawn("images.idle", async move { pool.watch().await });
        }
    }

    /// Ends children that have nothing to do, until there are none, or the process ends.
    async fn watch(&self) {
        let (soft, most) = (self.0.lifecycle.soft(), self.0.config.idle);
        loop {
            let is_over = tokio::select! {
                () = tokio::time::sleep(most) => false,
                () = soft.cancelled() => true,
            };
            let mut idle = self.idle();
            idle.children.retain(|child| !is_over && child.since.elapsed() < most);
            if idle.children.is_empty() {
                idle.is_watched = false;
                return;
            }
        }
    }
}

/// Counts a child that has ended, and says why.
fn ended(counter: &AtomicU64, reason: &'static str) {
    counter.fetch_add(1, Ordering::Relaxed);
    tracing::warn!(reason, "images.child_ended");
}

/// One order that waits.
struct Waiting<'a> {
    counter: &'a AtomicUsize,
    /// How many waited before it.
    before: usize,
}

impl<'a> Waiting<'a> {
    fn new(counter: &'a AtomicUsize) -> Self {
        Self { counter, before: counter.fetch_add(1, Ordering::SeqCst) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.counter.fetch_sub(1, Ordering::SeqCst);
    }
}
