//! The buffer: encoded spans, oldest first. Bounded in bytes; the oldest make room.

use std::{
    collections::VecDeque,
    mem::size_of,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::platform::telemetry::push_metrics::{LostTo, PushMetrics};

/// Of a batch. Collectors take 4 MB and more.
pub(super) const BATCH_BYTES: usize = 512 * 1024;
/// Of a batch: as many as OpenTelemetry's own libraries send.
const BATCH_SPANS: usize = 512;
/// What a span takes beside its bytes: its place in a queue that may have grown to twice what it holds, and the heads of its
/// allocations.
const OVERHEAD: usize = 2 * size_of::<Bytes>() + 64;

#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    limit: usize,
    metrics: PushMetrics,
    /// A batch's worth of spans is there.
    pub full: Notify,
}

#[derive(Debug, Default)]
struct State {
    spans: VecDeque<Bytes>,
    bytes: usize,
    /// Spans that are being sent.
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

    /// Takes a span. After [`Self::close`] it is counted as lost.
    pub(super) fn push(&self, span: Bytes) {
        let mut state = self.state();
        if state.closed {
            drop(state);
            return self.metrics.lost(LostTo::Shutdown, 1);
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
            self.metrics.lost(LostTo::BufferFull, evicted);
        }
        if is_full {
            self.full.notify_one();
        }
    }

    /// The oldest; until [`Self::done`] they count as being sent. Empty where there are none.
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
            // What a burst made it grow to is not kept.
            state.spans.shrink_to(2 * BATCH_SPANS);
        }
        self.show(&state);
        batch
    }

    /// So many were taken or refused.
    pub(super) fn done(&self, spans: u64) {
        self.state().at_work -= spans;
    }

    /// Takes no more spans.
    pub(super) fn close(&self) {
        self.state().closed = true;
    }

    /// Spans that were not sent.
    pub(super) fn left(&self) -> u64 {
        let state = self.state();
        state.at_work + state.spans.len() as u64
    }
}
