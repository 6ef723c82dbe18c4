//! The task that checks all monitors, in the worker that has the duty (`jobs::Loops::prober`).
//!
//! `task.rs` is the loop: what is due, what has ended, what others say; `set.rs` what is watched, `turns.rs` whose turn it is, `found.rs` what follows. `load.rs` reads
//! definitions and resumes, `reader.rs` sees changes of them and beats. `outbox.rs` has what waits for the database, `writer.rs` writes it in batches.
//! Nothing in the loop waits for the database.

mod beats;
mod definition;
mod found;
mod load;
mod metrics;
mod outbox;
mod reader;
mod saving;
mod set;
mod storm;
mod targets;
mod task;
mod turns;
mod watched;
mod writer;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::mpsc;

use super::{
    Uptime,
    probe::{self, Settings},
    target::Policy,
};
use jobs::{By, Loops};
use outbox::Outbox;
use task::Task;
use writer::Writer;

pub use beats::{Push, Taken};
pub use definition::host_of;
pub use metrics::ProberMetrics;

/// Commands that may wait.
const COMMANDS: usize = 20_000;

/// What this process tells its prober. What others do is seen in the database within a second.
#[derive(Clone, Debug)]
pub enum Command {
    /// Monitors or windows have changed.
    Reload,
    Beat(beats::Report),
}

/// The prober of this process, if it has one. In [`Uptime`].
pub struct Handle {
    pub probes: probe::Prober,
    metrics: ProberMetrics,
    commands: mpsc::Sender<Command>,
    receiver: Mutex<Option<mpsc::Receiver<Command>>>,
    is_active: AtomicBool,
    kept: beats::Kept,
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

impl Handle {
    /// `settings`: what probes need; its policy is that of the configuration.
    pub fn new(settings: Settings, metrics: ProberMetrics) -> Self {
        let (commands, receiver) = mpsc::channel(COMMANDS);
        Self {
            probes: probe::Prober::new(settings),
            metrics,
            commands,
            receiver: Mutex::new(Some(receiver)),
            is_active: AtomicBool::new(false),
            kept: beats::Kept::default(),
        }
    }
}

impl Uptime {
    /// What asks targets: one attempt for whoever wants one.
    pub(crate) fn probes(&self) -> &probe::Prober {
        &self.inner.prober.probes
    }

    /// A token of a heartbeat is worth nothing any more.
    pub(crate) fn forget_tokens(&self) {
        self.inner.prober.kept.forget_tokens();
    }

    /// Dropped where no prober checks, or where so many wait that it sees the change in the database as soon.
    pub(crate) fn tell_prober(&self, command: Command) {
        if self.inner.prober.is_active.load(Ordering::Relaxed) {
            let _ = self.inner.prober.commands.try_send(command);
        }
    }

    /// What probes of this appliance may reach, and how they find it.
    pub(crate) fn probe_settings(deps: &super::Deps) -> Settings {
        Settings {
            policy: Policy::new(deps.config.networks()),
            tenant_policy: (!deps.config.private_networks_for_organisations).then(Policy::default),
            self_checks: deps.self_checks.clone(),
            refused: deps.metrics.refused.clone(),
            clock: deps.clock.clone(),
            ..Settings::default()
        }
    }
}

/// Starts what checks monitors in the worker that has the duty, and what stores kept beats in every process. Call once.
pub fn start(uptime: &Uptime, loops: &Loops) {
    let handle = &uptime.inner.prober;
    let Some(commands) = handle.receiver.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
    let outbox = Arc::new(Outbox::new(uptime.inner.config.memory_mb, handle.metrics.clone()));
    let (duty, lifecycle) = (loops.prober(), &uptime.inner.lifecycle);
    let progress = writer::SharedProgress::default();
    let writer = Writer {
        uptime: uptime.clone(),
        outbox: outbox.clone(),
        duty: duty.clone(),
        metrics: handle.metrics.clone(),
        progress: progress.clone(),
    };
    lifecycle.spawn_vital("uptime.writer", writer.run());
    let task = Task::new(uptime.clone(), duty, outbox, progress, commands);
    lifecycle.spawn_vital("uptime.prober", task.run());
    let kept = uptime.clone();
    loops.every("uptime.kept_beats", Duration::from_secs(2), By::EveryProcess, move || {
        let kept = kept.clone();
        async move { kept.store_kept_beats().await }
    });
}
