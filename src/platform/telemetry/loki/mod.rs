//! Log shipping to Loki: a bounded buffer, batches, one push at a time.
//!
//! Uses the JSON form of Loki's push API; the queue is ours, because tracing-loki loses lines silently
//! (docs/decisions/0008-log-shipping.md). Logging never waits for the network: [`Loki::push`] buffers the line and returns. One task runs
//! two loops: one compresses the lines of the last second into a batch, the other pushes the oldest batch until Loki accepts or rejects it.

mod queue;
mod ship;
mod wire;

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use self::{queue::Queue, ship::Shipper, wire::Labels};
use super::{
    config::LokiAccess,
    lines::Line,
    log_metrics::LogMetrics,
    push_metrics::{LossReason, PushMetrics},
};

/// Target of this module's own lines; they are not shipped, because each would cause another.
pub(super) const TARGET: &str = "holdfast::platform::telemetry::loki";

/// Destination of the lines, and the memory for buffering them.
#[derive(Clone, Debug)]
pub struct Config {
    /// Without a trailing slash.
    pub url: String,
    pub access: LokiAccess,
    /// Label `env`.
    pub environment: String,
    /// Whether ids are also sent as structured metadata; Loki before 3.0 rejects it.
    pub metadata: bool,
    /// Everything buffered or being sent, bytes; at least [`LEAST_BUFFER`].
    pub buffer_bytes: usize,
}

/// A smaller buffer could not hold one batch being built and one being sent.
pub const LEAST_BUFFER: usize = 4 * queue::WORK_BYTES;

/// Producer end. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Loki {
    queue: Arc<Queue>,
    closing: CancellationToken,
}

/// Sending end.
#[derive(Debug)]
pub struct Shipping {
    queue: Arc<Queue>,
    task: tokio::task::JoinHandle<()>,
    closing: CancellationToken,
    metrics: PushMetrics,
}

impl Loki {
    /// Starts the task. `http` is the client for operators' addresses.
    #[expect(clippy::disallowed_methods, reason = "it outlives the tracker: it carries the last lines of the shutdown")]
    pub fn start(config: &Config, http: reqwest::Client, metrics: LogMetrics) -> (Self, Shipping) {
        let queue = Arc::new(Queue::new(
            config.buffer_bytes,
            Labels::new(&config.environment, config.metadata),
            metrics.push.clone(),
        ));
        let closing = CancellationToken::new();
        metrics.loki_enabled.set(1);
        let shipper = Shipper::new(config, http, queue.clone(), closing.clone(), metrics.push.clone());
        let task = tokio::spawn(shipper.run());
        let shipping = Shipping { queue: queue.clone(), task, closing: closing.clone(), metrics: metrics.push };
        (Self { queue, closing }, shipping)
    }

    /// Buffers a line; never waits. When the buffer is full, the oldest lines are dropped and counted.
    pub fn push(&self, line: &Line) {
        if !line.is_local {
            self.queue.push(line);
        }
    }

    /// Whether shipping has ended: further lines count as lost.
    pub fn is_closed(&self) -> bool {
        self.closing.is_cancelled()
    }
}

impl Shipping {
    /// Sends what is left, for at most `timeout`; returns how many lines were lost, and counts them.
    pub async fn close(mut self, timeout: Duration) -> u64 {
        self.queue.close();
        self.closing.cancel();
        if tokio::time::timeout(timeout, &mut self.task).await.is_err() {
            self.task.abort();
            let _ = self.task.await;
        }
        let left = self.queue.left();
        self.metrics.lost(LossReason::Shutdown, left);
        left
    }
}
