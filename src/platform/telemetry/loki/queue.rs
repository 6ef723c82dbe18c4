//! The buffer: lines that came since the last seal, and sealed batches. Bounded in bytes; the oldest make room.

use std::{
    collections::VecDeque,
    mem::size_of,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio::sync::Notify;

use super::wire::{self, Labels};
use crate::platform::telemetry::{
    lines::{self, Line},
    log_metrics::Level,
    push_metrics::{LostTo, PushMetrics},
};

/// Text of a batch, bytes. Loki refuses pushes above 4 MB and answers small ones sooner.
pub(super) const BATCH_BYTES: usize = 512 * 1024;
/// What one batch takes while it is made and sent: its lines, their encoding, the compressed body, and what the HTTP client
/// copies of it.
pub(super) const WORK_BYTES: usize = 4 * BATCH_BYTES;
/// What a line takes beside its text: its place in a queue that may have grown to twice what it holds, the head of its
/// allocation and what that is rounded up by.
const LINE_OVERHEAD: usize = 2 * size_of::<Entry>() + 64;
/// What a batch takes beside its body.
const BATCH_OVERHEAD: usize = 2 * size_of::<Sealed>() + 128;

/// A line with its time in Loki.
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

/// A batch, ready to be sent.
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
    /// Of what waits: what is being made and sent has its own share.
    limit: usize,
    labels: Labels,
    metrics: PushMetrics,
    /// A batch's worth of lines is there.
    pub full: Notify,
}

#[derive(Debug, Default)]
struct State {
    open: VecDeque<Entry>,
    open_bytes: usize,
    sealed: VecDeque<Sealed>,
    sealed_bytes: usize,
    /// Lines that are being made into a batch or sent.
    at_work: u64,
    /// Time of the newest line.
    last: i64,
    closed: bool,
}

impl State {
    fn bytes(&self) -> usize {
        self.open_bytes + self.sealed_bytes
    }

    /// Removes the oldest; how many lines that were.
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
    /// Keeps `buffer_bytes` in all.
    pub(super) fn new(buffer_bytes: usize, labels: Labels, metrics: PushMetrics) -> Self {
        // One batch is made while another is sent.
        let limit = buffer_bytes.saturating_sub(2 * WORK_BYTES);
        Self { state: Mutex::default(), limit, labels, metrics, full: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, state: &State) {
        self.metrics.buffer.set(i64::try_from(state.bytes()).unwrap_or(i64::MAX));
    }

    /// Takes a line. After [`Self::close`] it is counted as lost.
    pub(super) fn push(&self, line: &Line) {
        let mut state = self.state();
        if state.closed {
            drop(state);
            return self.metrics.lost(LostTo::Shutdown, 1);
        }
        // Loki keeps one of two equal lines of the same time, and wants each stream in order.
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
        if evicted > 0 {
            self.metrics.lost(LostTo::BufferFull, evicted);
        }
        if is_full {
            self.full.notify_one();
        }
    }

    /// Makes a batch of the oldest lines that are in none; false where there are none.
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
            // What a burst made it grow to is not kept.
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

    /// The oldest batch; until [`Self::done`] its lines count as being sent.
    pub(super) fn take(&self) -> Option<Sealed> {
        let mut state = self.state();
        let oldest = state.sealed.pop_front()?;
        state.sealed_bytes -= oldest.cost();
        state.at_work += oldest.lines;
        self.show(&state);
        Some(oldest)
    }

    /// The batch was taken or refused.
    pub(super) fn done(&self, batch: &Sealed) {
        self.state().at_work -= batch.lines;
    }

    /// Takes no more lines.
    pub(super) fn close(&self) {
        self.state().closed = true;
    }

    /// Lines that were not sent.
    pub(super) fn left(&self) -> u64 {
        let state = self.state();
        state.at_work + state.open.len() as u64 + state.sealed.iter().map(|batch| batch.lines).sum::<u64>()
    }
}
