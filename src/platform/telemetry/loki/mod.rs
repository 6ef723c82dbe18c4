//! Lines on their way to Loki: a bounded buffer, batches, and one push at a time.
//!
//! The wire is the JSON form of Loki's push API; the queue is ours, because that of tracing-loki loses lines without a word
//! (docs/decisions/0008-log-shipping.md). No line waits on the network: [`Loki::push`] puts it into
//! the buffer and returns. Two loops in one task carry them on: one seals what came in the last second into compressed
//! batches, the other pushes the oldest batch until Loki has taken or refused it.

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
    push_metrics::{LostTo, PushMetrics},
};

/// Target of this module's own lines: they are not sent to Loki, each would make another.
pub(super) const TARGET: &str = "holdfast::platform::telemetry::loki";

/// Where lines go, and how much memory those may take that wait.
#[derive(Clone, Debug)]
pub struct Config {
    /// Without a slash at the end.
    pub url: String,
    pub access: LokiAccess,
    /// Label `env`.
    pub environment: String,
    /// Whether ids go beside the lines, too: Loki before 3.0 refuses that.
    pub metadata: bool,
    /// Everything that waits or is being sent, bytes; at least [`LEAST_BUFFER`].
    pub buffer_bytes: usize,
}

/// A smaller buffer would have no room for a batch that is being made and one that is being sent.
pub const LEAST_BUFFER: usize = 4 * queue::WORK_BYTES;

/// The end that takes lines. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Loki {
    queue: Arc<Queue>,
    closing: CancellationToken,
}

/// The end that sends them.
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

    /// Takes a line; never waits. When the buffer is full the oldest lines make room, and are counted.
    pub fn push(&self, line: &Line) {
        if !line.is_local {
            self.queue.push(line);
        }
    }

    /// Whether the end has come: a line that is pushed now is counted as lost.
    pub fn is_closed(&self) -> bool {
        self.closing.is_cancelled()
    }
}

impl Shipping {
    /// Sends what is left, for at most `patience`; counts the rest as lost and returns how many lines that is.
    pub async fn close(mut self, patience: Duration) -> u64 {
        self.queue.close();
        self.closing.cancel();
        if tokio::time::timeout(patience, &mut self.task).await.is_err() {
            self.task.abort();
            let _ = self.task.await;
        }
        let left = self.queue.left();
        self.metrics.lost(LostTo::Shutdown, left);
        left
    }
}
