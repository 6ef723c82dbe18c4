//! What is known of mails in the mailbox of bounces that are still there at the next reading.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Times that a mail is asked for.
pub(super) const MOST_TIMES: u32 = 3;

/// What a mail is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Taken {
    /// A report of so many bounces, which are counted.
    Report(usize),
    NotUnderstood,
}

/// Mails that could not be read or marked, by UID. Some break the connection each time, and would hide all behind them.
#[derive(Debug, Default)]
pub(crate) struct Stuck(Mutex<BTreeMap<u32, Trouble>>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Trouble {
    /// How often it could not be read.
    times: u32,
    /// It was read, and could not be marked.
    taken: Option<Taken>,
}

impl Stuck {
    fn troubles(&self) -> MutexGuard<'_, BTreeMap<u32, Trouble>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is unread in the order in which it is read: what is new comes first. What is gone is forgotten.
    pub(super) fn order(&self, unread: HashSet<u32>) -> Vec<u32> {
        let mut troubles = self.troubles();
        troubles.retain(|uid, _| unread.contains(uid));
        let mut uids: Vec<u32> = unread.into_iter().collect();
        uids.sort_unstable_by_key(|uid| (troubles.get(uid).copied(), *uid));
        uids
    }

    pub(super) fn failed(&self, uid: u32) {
        self.troubles().entry(uid).or_default().times += 1;
    }

    pub(super) fn is_given_up(&self, uid: u32) -> bool {
        self.troubles().get(&uid).is_some_and(|trouble| trouble.times >= MOST_TIMES)
    }

    /// Notes that it was read, until it is marked.
    pub(super) fn take(&self, uid: u32, taken: Taken) {
        self.troubles().entry(uid).or_default().taken = Some(taken);
    }

    /// What it is, if it was read before.
    pub(super) fn taken(&self, uid: u32) -> Option<Taken> {
        self.troubles().get(&uid).and_then(|trouble| trouble.taken)
    }

    pub(super) fn forget(&self, uid: u32) {
        self.troubles().remove(&uid);
    }
}
