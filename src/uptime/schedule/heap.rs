//! When a monitor is due: slots on a grid, so that nothing drifts and a restart changes nothing; and what is due next. Pure.

use std::{cmp::Reverse, collections::BinaryHeap};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

use crate::model::MonitorId;

/// Slots of a monitor: `phase + k * interval`, each with a little jitter, so that no target is asked in step with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    id: u64,
    phase: i64,
    /// Milliseconds.
    interval: i64,
}

impl Grid {
    pub fn of(monitor: MonitorId, interval: TimeDelta) -> Self {
        // The end of a version 7 id is random, so phases are spread evenly.
        let (_, id) = monitor.0.as_u64_pair();
        let interval = interval.num_milliseconds().max(1);
        let phase = i64::try_from(mix(id) % interval.unsigned_abs()).unwrap_or(0);
        Self { id, phase, interval }
    }

    /// The first slot after `t`. Never derived from when the last check ended.
    pub fn after(&self, t: DateTime<Utc>) -> DateTime<Utc> {
        self.slot(self.last(t) + 1)
    }

    /// Slots in (`from`, `until`]: those that were skipped between two checks.
    pub fn between(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> u64 {
        u64::try_from(self.last(until) - self.last(from)).unwrap_or(0)
    }

    /// The number of the last slot at or before `t`.
    fn last(&self, t: DateTime<Utc>) -> i64 {
        let k = (t.timestamp_millis() - self.phase).div_euclid(self.interval);
        // Jitter is smaller than the interval.
        if self.slot(k) > t { k - 1 } else { k }
    }

    fn slot(&self, k: i64) -> DateTime<Utc> {
        let most = (self.interval / 20).min(2000).unsigned_abs();
        let jitter = if most == 0 { 0 } else { mix(self.id ^ k.unsigned_abs().rotate_left(32)) % most };
        let millis = k * self.interval + self.phase + i64::try_from(jitter).unwrap_or(0);
        DateTime::from_timestamp_millis(millis).unwrap_or_default()
    }
}

/// Scatters the bits of a number (the finaliser of splitmix64): the same in every build.
pub fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// What is due, soonest first. An entry whose generation is not its monitor's any more is void: nothing is searched for in the heap.
#[derive(Debug, Default)]
pub struct Heap(BinaryHeap<Reverse<(Instant, u32, u32)>>);

impl Heap {
    pub fn push(&mut self, due: Instant, index: u32, generation: u32) {
        self.0.push(Reverse((due, index, generation)));
    }

    /// When the next one is due.
    pub fn next(&self) -> Option<Instant> {
        self.0.peek().map(|Reverse((due, ..))| *due)
    }

    /// The next one that is due by now: when it was due, its index and its generation.
    pub fn pop(&mut self, now: Instant) -> Option<(Instant, u32, u32)> {
        if self.next()? > now {
            return None;
        }
        self.0.pop().map(|Reverse(entry)| entry)
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn grid(seed: u128, seconds: i64) -> Grid {
        Grid::of(MonitorId(uuid::Uuid::from_u128(seed)), TimeDelta::seconds(seconds))
    }

    #[test]
    fn slots_are_on_a_grid_and_jitter_a_little() {
        let start: DateTime<Utc> = "2026-11-30T12:00:00Z".parse().unwrap();
        for seed in 1..50_u128 {
            let grid = grid(seed * 0x9e37_79b9_7f4a_7c15, 60);
            let mut last = grid.after(start);
            assert!(last > start && last - start <= TimeDelta::milliseconds(62_000), "{last}");
            for _ in 0..100 {
                let next = grid.after(last);
                let distance = (next - last).num_milliseconds();
                assert!((58_000..=62_000).contains(&distance), "{distance}");
                last = next;
            }
            // 101 slots: the first, and a hundred more.
            assert_eq!(grid.between(start, last), 101);
            assert_eq!(grid.between(last, last), 0);
        }
    }

    #[test]
    fn phases_are_spread() {
        let mut quarters = [0; 4];
        for seed in 0..4000_u128 {
            let id = uuid::Uuid::from_u128(seed.wrapping_mul(0x1234_5678_9abc_def1_2345_6789));
            let grid = Grid::of(MonitorId(id), TimeDelta::seconds(60));
            quarters[usize::try_from(grid.phase / 15_000).unwrap()] += 1;
        }
        assert!(quarters.iter().all(|count| (800..1200).contains(count)), "{quarters:?}");
    }

    #[tokio::test]
    async fn what_is_due_comes_soonest_first() {
        let (mut heap, now) = (Heap::default(), Instant::now());
        for (seconds, index) in [(3, 3), (1, 1), (2, 2)] {
            heap.push(now + Duration::from_secs(seconds), index, 0);
        }
        assert_eq!(heap.next(), Some(now + Duration::from_secs(1)));
        assert!(heap.pop(now).is_none());
        let due: Vec<u32> = std::iter::from_fn(|| heap.pop(now + Duration::from_secs(2))).map(|(_, i, _)| i).collect();
        assert_eq!(due, [1, 2]);
    }
}
