//! In-memory buffer of recent lines, for the logs page without Loki.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    lines::{self, Line},
    log_metrics::Level,
};

/// Memory of a line besides its text: its queue entry and the allocation header.
const OVERHEAD: usize = 64;

/// A buffered line.
#[derive(Clone, Debug)]
pub struct Recent {
    /// Unix time, nanoseconds; unique.
    pub nanos: i64,
    pub level: Level,
    pub json: Arc<str>,
}

/// The newest lines, bounded in number and bytes.
#[derive(Debug)]
pub struct Ring {
    lines: usize,
    bytes: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    kept: VecDeque<Recent>,
    bytes: usize,
    last: i64,
}

impl Ring {
    /// `lines` and `bytes` are the limits; 0 lines disables the buffer.
    pub fn new(lines: usize, bytes: usize) -> Self {
        Self { lines, bytes, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn push(&self, line: &Line) {
        let mut state = self.state();
        state.last = lines::after(state.last, line.nanos);
        let nanos = state.last;
        state.bytes += line.json.len() + OVERHEAD;
        state.kept.push_back(Recent { nanos, level: line.level, json: line.json.clone() });
        while state.kept.len() > self.lines || state.bytes > self.bytes {
            let Some(oldest) = state.kept.pop_front() else { break };
            state.bytes -= oldest.json.len() + OVERHEAD;
        }
    }

    /// All lines, oldest first. Copies references, so that scanning needs no lock.
    pub fn all(&self) -> Vec<Recent> {
        self.state().kept.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(ring: &Ring, nanos: i64, text: &str) {
        ring.push(&Line { nanos, level: Level::Info, json: text.into(), is_local: false });
    }

    #[test]
    fn a_clock_that_is_put_back_does_not_put_lines_into_the_future() {
        let ring = Ring::new(10, 10_000);
        let (year, second) = (365 * 86_400 * 1_000_000_000, 1_000_000_000);
        // A year ahead; corrected; two threads overtaking one another; the same moment twice.
        for nanos in [year + 10 * second, 20 * second, 19 * second, 19 * second, 21 * second] {
            push(&ring, nanos, "x");
        }
        let times: Vec<i64> = ring.all().iter().map(|r| r.nanos).collect();
        assert_eq!(times, [year + 10 * second, 20 * second, 20 * second + 1, 20 * second + 2, 21 * second]);
    }

    #[test]
    fn it_keeps_the_newest_within_both_limits() {
        let ring = Ring::new(3, 10_000);
        (0..10).for_each(|n| push(&ring, n, &n.to_string()));
        assert_eq!(ring.all().iter().map(|r| &*r.json).collect::<Vec<_>>(), ["7", "8", "9"]);
        let ring = Ring::new(1000, 5000);
        (0..100).for_each(|n| push(&ring, n, &"x".repeat(936)));
        assert_eq!(ring.all().len(), 5);
        push(&ring, 200, &"x".repeat(6000));
        assert!(ring.all().is_empty(), "a line that is larger than all of it");
        assert!({
            let none = Ring::new(0, 0);
            push(&none, 1, "a");
            none.all().is_empty()
        });
    }

    #[test]
    fn no_two_lines_have_the_same_time() {
        let ring = Ring::new(10, 10_000);
        for nanos in [5, 5, 3, 9] {
            push(&ring, nanos, "a");
        }
        assert_eq!(ring.all().iter().map(|r| r.nanos).collect::<Vec<_>>(), [5, 6, 7, 9]);
    }
}
