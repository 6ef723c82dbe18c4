//! The buffer: lines since the last seal, and sealed batches. Bounded in bytes; the oldest are dropped.

use std::{
    collections::VecDeque,
    mem::size_of,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio::sync::Notify;

use super::wire::{self, Labels};
use crate::telemetry::{
    lines::{self, Line},
    log_metrics::Level,
    push_metrics::{LossReason, PushMetrics},
};

/// Text of a batch, bytes. Loki rejects pushes above 4 MB and answers small ones sooner.
pub(super) const BATCH_BYTES: usize = 512 * 1024;
/// Memory of one batch while it is built and sent: lines, their encoding, the compressed body, and the HTTP client's copy.
pub(super) const WORK_BYTES: usize = 4 * BATCH_BYTES;
/// Memory of a line besides its text: its entry in a queue with up to twice the needed capacity, the allocation header and rounding.
const LINE_OVERHEAD: usize = 2 * size_of::<Entry>() + 64;
/// Memory of a batch besides its body.
const BATCH_OVERHEAD: usize = 2 * size_of::<Sealed>() + 128;

/// A line and its timestamp in Loki.
#[derive(Debug)]
pub(super) struct Entry {
    pub nanos: i64,
    pub level: Level,
    pub json: Arc<str>,
}

impl Entry {
    fn cost(&self) -> usize {
        self.json.len() + LINE_OVERHEAD
    }
}

/// A batch ready to send.
#[derive(Debug)]
pub(super) struct Sealed {
    pub body: Bytes,
    pub lines: u64,
}

impl Sealed {
    fn cost(&self) -> usize {
        self.body.len() + BATCH_OVERHEAD
    }
}

#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Bytes of what is waiting; batches being built or sent are budgeted separately.
    limit: usize,
    labels: Labels,
    metrics: PushMetrics,
    /// Notified when the lines fill a batch.
    pub full: Notify,
}

#[derive(Debug, Default)]
struct State {
    open: VecDeque<Entry>,
    open_bytes: usize,
    sealed: VecDeque<Sealed>,
    sealed_bytes: usize,
    /// Lines being built into a batch or sent.
    at_work: u64,
    /// Timestamp of the newest line.
    last: i64,
    closed: bool,
}

impl State {
    fn bytes(&self) -> usize {
        self.open_bytes + self.sealed_bytes
    }

    /// Drops the oldest entry; returns its number of lines.
    fn evict(&mut self) -> u64 {
        if let Some(oldest) = self.sealed.pop_front() {
            self.sealed_bytes -= oldest.cost();
            return oldest.lines;
        }
        let Some(oldest) = self.open.pop_front() else { return 0 };
        self.open_bytes -= oldest.cost();
        1
    }
}

impl Queue {
    /// `buffer_bytes`: total memory.
    pub(super) fn new(buffer_bytes: usize, labels: Labels, metrics: PushMetrics) -> Self {
        // One batch is built while another is sent.
        let limit = buffer_bytes.saturating_sub(2 * WORK_BYTES);
        Self { state: Mutex::default(), limit, labels, metrics, full: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, state: &State) {
        self.metrics.buffer.set(i64::try_from(state.bytes()).unwrap_or(i64::MAX));
    }

    /// Buffers a line. After [`Self::close`] it counts as lost.
    pub(super) fn push(&self, line: &Line) {
        let mut state = self.state();
        if state.closed {
            drop(state);
            return self.metrics.lost(LossReason::Shutdown, 1);
        }
        // Loki deduplicates equal lines with equal timestamps, and wants each stream in order.
        state.last = lines::after(state.last, line.nanos);
        let entry = Entry { nanos: state.last, level: line.level, json: line.json.clone() };
        let before = state.open_bytes;
        state.open_bytes += entry.cost();
        state.open.push_back(entry);
        let mut evicted = 0;
        while state.bytes() > self.limit {
            evicted += state.evict();
        }
        let is_full = before < BATCH_BYTES && state.open_bytes >= BATCH_BYTES;
        self.show(&state);
        drop(state);
        if evicted > 0 && !crate::mutant(34) {
            self.metrics.lost(LossReason::BufferFull, evicted);
        }
        if is_full {
            self.full.notify_one();
        }
    }

    /// Builds a batch of the oldest unbatched lines; false if there are none.
    pub(super) fn seal(&self) -> bool {
        let mut state = self.state();
        let mut entries = Vec::new();
        let mut bytes = 0;
        while let Some(entry) = state.open.front() {
            if !entries.is_empty() && bytes + entry.cost() > BATCH_BYTES {
                break;
            }
            bytes += entry.cost();
            entries.extend(state.open.pop_front());
        }
        state.open_bytes -= bytes;
        if state.open.is_empty() {
            // Frees the capacity that a burst needed.
            state.open.shrink_to(1024);
        }
        let lines = entries.len() as u64;
        state.at_work += lines;
        drop(state);
        if entries.is_empty() {
            return false;
        }
        let sealed = Sealed { body: wire::encode(&self.labels, &entries), lines };
        drop(entries);
        let mut state = self.state();
        state.at_work -= lines;
        state.sealed_bytes += sealed.cost();
        state.sealed.push_back(sealed);
        self.show(&state);
        true
    }

    /// The oldest batch; its lines count as being sent until [`Self::done`].
    pub(super) fn take(&self) -> Option<Sealed> {
        let mut state = self.state();
        let oldest = state.sealed.pop_front()?;
        state.sealed_bytes -= oldest.cost();
        state.at_work += oldest.lines;
        self.show(&state);
        Some(oldest)
    }

    /// The batch was accepted or rejected.
    pub(super) fn done(&self, batch: &Sealed) {
        self.state().at_work -= batch.lines;
    }

    /// Accepts no more lines.
    pub(super) fn close(&self) {
        self.state().closed = true;
    }

    /// Lines not sent.
    pub(super) fn left(&self) -> u64 {
        let state = self.state();
        state.at_work + state.open.len() as u64 + state.sealed.iter().map(|batch| batch.lines).sum::<u64>()
    }
}
