//! How many checks may run at once: in all, and of one target. Who has no place waits for one, in the order of coming. Pure.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

/// Checks of one host and port at once.
const OF_ONE: usize = 4;

/// Whether a check may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Taken,
    /// As many run as may.
    Full,
    /// As many run of this target as may.
    Busy,
}

#[derive(Debug)]
pub struct Targets {
    most: usize,
    running: usize,
    of_target: HashMap<Arc<str>, usize>,
    waiting: VecDeque<u32>,
    waiting_for: HashMap<Arc<str>, VecDeque<u32>>,
}

impl Targets {
    pub fn new(most: usize) -> Self {
        Self { most, running: 0, of_target: HashMap::new(), waiting: VecDeque::new(), waiting_for: HashMap::new() }
    }

    pub fn running(&self) -> usize {
        self.running
    }

    /// Takes a place, or a place in the queue for one.
    pub fn take(&mut self, index: u32, target: Option<&Arc<str>>) -> Place {
        if let Some(target) = target.filter(|target| self.of_target.get(*target).is_some_and(|many| *many >= OF_ONE)) {
            self.waiting_for.entry(target.clone()).or_default().push_back(index);
            return Place::Busy;
        }
        if self.running >= self.most {
            self.waiting.push_back(index);
            return Place::Full;
        }
        self.running += 1;
        if let Some(target) = target {
            *self.of_target.entry(target.clone()).or_default() += 1;
        }
        Place::Taken
    }

    /// Gives a place back. Returns who may ask again now.
    pub fn give(&mut self, target: Option<&Arc<str>>) -> Vec<u32> {
        self.running = self.running.saturating_sub(1);
        let mut next = Vec::new();
        if let Some(target) = target {
            if let Some(many) = self.of_target.get_mut(target) {
                *many = many.saturating_sub(1);
                if *many == 0 {
                    self.of_target.remove(target);
                }
            }
            next.extend(self.next_of(target));
        }
        next.extend(self.waiting.pop_front());
        next
    }

    /// Whoever is next, if who was told to ask does not want to any more.
    pub fn next(&mut self, target: Option<&Arc<str>>) -> Option<u32> {
        target.and_then(|target| self.next_of(target)).or_else(|| self.waiting.pop_front())
    }

    fn next_of(&mut self, target: &Arc<str>) -> Option<u32> {
        let queue = self.waiting_for.get_mut(target)?;
        let next = queue.pop_front();
        if queue.is_empty() {
            self.waiting_for.remove(target);
        }
        next
    }

    pub fn clear(&mut self) {
        *self = Self::new(self.most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_of_one_target_and_so_many_in_all() {
        let (mut targets, one, two) = (Targets::new(6), Arc::from("one:80"), Arc::from("two:80"));
        for index in 0..4 {
            assert_eq!(targets.take(index, Some(&one)), Place::Taken);
        }
        assert_eq!(targets.take(4, Some(&one)), Place::Busy);
        assert_eq!((targets.take(5, Some(&two)), targets.take(6, None)), (Place::Taken, Place::Taken));
        assert_eq!((targets.take(7, Some(&two)), targets.running()), (Place::Full, 6));
        assert_eq!(targets.give(Some(&one)), [4, 7]);
        assert_eq!((targets.take(4, Some(&one)), targets.take(7, Some(&two))), (Place::Taken, Place::Full));
        assert_eq!(targets.give(None), [7]);
        assert!(targets.give(Some(&two)).is_empty());
    }
}
