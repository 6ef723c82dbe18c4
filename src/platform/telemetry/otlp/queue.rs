//! The buffer: encoded spans, oldest first. Bounded in bytes; the oldest are dropped.

use std::{
    collections::VecDeque,
    mem::size_of,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::telemetry::push_metrics::{LossReason, PushMetrics};

/// Size of a batch. Collectors accept 4 MB and more.
pub(super) const BATCH_BYTES: usize = 512 * 1024;
/// Spans of a batch, as in OpenTelemetry's own libraries.
const BATCH_SPANS: usize = 512;
/// Memory of a span besides its bytes: its entry in a queue with up to twice the needed capacity, and the allocation headers.
const OVERHEAD: usize = 2 * size_of::<Bytes>() + 64;

#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    limit: usize,
    metrics: PushMetrics,
    /// Notified when the spans fill a batch.
    pub full: Notify,
}

#[derive(Debug, Default)]
struct State {
    spans: VecDeque<Bytes>,
    bytes: usize,
    /// Spans being sent.
    at_work: u64,
    closed: bool,
}

fn cost(span: &Bytes) -> usize {
    span.len() + OVERHEAD
}

impl Queue {
    pub(super) fn new(limit: usize, metrics: PushMetrics) -> Self {
        Self { state: Mutex::default(), limit, metrics, full: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, state: &State) {
        self.metrics.buffer.set(i64::try_from(state.bytes).unwrap_or(i64::MAX));
    }

    /// Buffers a span. After [`Self::close`] it counts as lost.
    pub(super) fn push(&self, span: Bytes) {
        let mut state = self.state();
        if state.closed {
            drop(state);
            return self.metrics.lost(LossReason::Shutdown, 1);
        }
        state.bytes += cost(&span);
        state.spans.push_back(span);
        let mut evicted = 0;
        while state.bytes > self.limit
            && let Some(oldest) = state.spans.pop_front()
        {
            state.bytes -= cost(&oldest);
            evicted += 1;
        }
        let is_full = state.spans.len() >= BATCH_SPANS || state.bytes >= BATCH_BYTES;
        self.show(&state);
        drop(state);
        if evicted > 0 {
            self.metrics.lost(LossReason::BufferFull, evicted);
        }
        if is_full {
            self.full.notify_one();
        }
    }

    /// The oldest spans; they count as being sent until [`Self::done`]. Empty if there are none.
    pub(super) fn take(&self) -> Vec<Bytes> {
        let mut state = self.state();
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while batch.len() < BATCH_SPANS
            && let Some(oldest) = state.spans.front()
            && (batch.is_empty() || bytes + cost(oldest) <= BATCH_BYTES)
        {
            bytes += cost(oldest);
            batch.extend(state.spans.pop_front());
        }
        state.bytes -= bytes;
        state.at_work += batch.len() as u64;
        if state.spans.is_empty() {
            // Frees the capacity that a burst needed.
            state.spans.shrink_to(2 * BATCH_SPANS);
        }
        self.show(&state);
        batch
    }

    /// This many were accepted or rejected.
    pub(super) fn done(&self, spans: u64) {
        self.state().at_work -= spans;
    }

    /// Accepts no more spans.
    pub(super) fn close(&self) {
        self.state().closed = true;
    }

    /// Spans not sent.
    pub(super) fn left(&self) -> u64 {
        let state = self.state();
        state.at_work + state.spans.len() as u64
    }
}
