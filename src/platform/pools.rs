//! Bounded thread pools for CPU work, so that a burst cannot starve the requests.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rustix::process::{Pid, setpriority_process};
use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy, thread_native_id,
};
use tokio::sync::Semaphore;

use super::trace;

/// A bounded pool of blocking threads.
#[derive(Clone, Debug)]
pub struct CpuPool {
    permits: Arc<Semaphore>,
    class: Class,
}

/// Scheduling priority under CPU contention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Normal,
    /// Lower `nice`: a small share. Applies within a control group; processes in other containers are not affected.
    Background,
    /// `SCHED_IDLE`: only idle CPU time, across containers too; gets next to nothing while all processors are busy.
    Idle,
}

/// Lowers the CPU priority of a child process (and its future children), or of this thread.
pub fn yield_processor(process: Option<Pid>) {
    // Missing permission is no reason to fail.
    let _ = setpriority_process(process, BACKGROUND);
}

/// `nice` of background work: about a tenth of the CPU under contention.
const BACKGROUND: i32 = 10;

/// Tracks whether requests are being served, so that long background work can pause meanwhile. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Traffic {
    since: Instant,
    /// Time of the last request, milliseconds after `since` plus one; 0: none yet.
    last: Arc<AtomicU64>,
}

impl Default for Traffic {
    fn default() -> Self {
        Self { since: Instant::now(), last: Arc::default() }
    }
}

impl Traffic {
    fn now(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Records a request.
    pub fn came(&self) {
        self.last.store(self.now().saturating_add(1), Ordering::Relaxed);
    }

    /// Whether a request arrived in the last 100 ms.
    pub fn is_heavy(&self) -> bool {
        let last = self.last.load(Ordering::Relaxed);
        last > 0 && self.now() <= last.saturating_add(100)
    }

    /// Returns after 100 ms without a request, or after `limit`: background work gives way, but constant load does not stop it for good.
    pub async fn quiet(&self, limit: Duration) {
        let waiting = async {
            while self.is_heavy() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let _ = tokio::time::timeout(limit, waiting).await;
    }
}

/// The work panicked.
#[derive(Debug, thiserror::Error)]
#[error("work on a CPU pool ended without a result")]
pub struct WorkLost(#[source] Option<tokio::task::JoinError>);

impl CpuPool {
    /// Runs at most `threads` pieces of work at a time; others wait.
    pub fn new(threads: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(threads.max(1))), class: Class::Normal }
    }

    /// As [`Self::new`], at low priority: for work that nobody waits for.
    pub fn background(threads: usize) -> Self {
        Self { class: Class::Background, ..Self::new(threads) }
    }

    /// The same permits, at idle priority.
    #[must_use]
    pub fn idle(&self) -> Self {
        Self { permits: self.permits.clone(), class: Class::Idle }
    }

    /// Runs `work` on a blocking thread. The work holds the permit, not the waiting future: after a client disconnects, the permit is
    /// released only when the work has ended.
    #[expect(clippy::disallowed_methods, reason = "the home of the ban")]
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, WorkLost> {
        let permit = self.permits.clone().acquire_owned().await.map_err(|_| WorkLost(None))?;
        let (span, context) = (tracing::Span::current(), trace::current());
        let work = move || {
            let result = trace::within(context, || span.in_scope(work));
            drop(permit);
            result
        };
        let class = self.class;
        if class == Class::Normal {
            return tokio::task::spawn_blocking(work).await.map_err(|e| WorkLost(Some(e)));
        }
        // A thread of its own: a lowered priority cannot be raised again.
        let (sender, result) = tokio::sync::oneshot::channel();
        let thread = std::thread::Builder::new().name("background".into()).spawn(move || {
            if class == Class::Idle {
                let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
                // Missing permission is no reason to fail.
                let _ = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, policy);
            } else {
                yield_processor(None);
            }
            let _ = sender.send(work());
        });
        thread.map_err(|_| WorkLost(None))?;
        result.await.map_err(|_| WorkLost(None))
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::getpriority_process;

    use super::*;

    #[tokio::test]
    async fn work_steps_aside_while_requests_come_and_not_for_ever() {
        let traffic = Traffic::default();
        let waited = async |limit| {
            let begin = Instant::now();
            traffic.quiet(limit).await;
            begin.elapsed()
        };
        assert!(waited(Duration::from_mins(1)).await < Duration::from_secs(5), "nobody has asked anything");
        traffic.came();
        let pause = waited(Duration::from_mins(1)).await;
        assert!((Duration::from_millis(50)..Duration::from_secs(30)).contains(&pause), "{pause:?}");
        let requests = {
            let traffic = traffic.clone();
            #[expect(clippy::disallowed_methods, reason = "aborted below")]
            tokio::spawn(async move {
                loop {
                    traffic.came();
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            })
        };
        tokio::time::sleep(Duration::from_millis(20)).await;
        let crowded = waited(Duration::from_millis(400)).await;
        assert!(crowded >= Duration::from_millis(350), "{crowded:?}");
        requests.abort();
    }

    #[test]
    fn traffic_is_heavy_for_a_moment_after_each_request() {
        let traffic = Traffic::default();
        assert!(!traffic.is_heavy(), "nobody came");
        traffic.clone().came();
        assert!(traffic.is_heavy());
        let past =
            Traffic { since: traffic.since.checked_sub(std::time::Duration::from_millis(200)).unwrap(), ..traffic };
        assert!(!past.is_heavy(), "that was a while ago");
    }

    #[tokio::test]
    async fn background_work_goes_last_and_leaves_other_threads_alone() {
        let niceness = || getpriority_process(None).unwrap();
        let ours = niceness();
        assert_eq!(CpuPool::background(1).run(niceness).await.unwrap(), BACKGROUND.max(ours));
        assert_eq!(CpuPool::new(1).run(niceness).await.unwrap(), ours);
        let policy = || thread_priority::thread_schedule_policy().unwrap();
        let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        assert_eq!(CpuPool::background(1).idle().run(policy).await.unwrap(), idle);
        assert_ne!(CpuPool::background(1).run(policy).await.unwrap(), idle);
        let lost: Result<(), WorkLost> = CpuPool::background(1).run(|| panic!("on purpose")).await;
        assert!(lost.is_err());
    }
}
