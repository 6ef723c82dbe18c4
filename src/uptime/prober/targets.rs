//! How many checks may run at once: in all, of an organisation, of a target, and of a target for one owner, so that nobody's monitors hold up those of
//! another. Who has no place waits for one, in the order of coming. Pure.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use crate::model::Owner;

/// Checks of one host and port at once, for one owner.
const OF_ONE: usize = 4;
/// And for all owners.
const OF_TARGET: usize = 16;
/// An organisation has at most one in so many of all places.
const SHARE: usize = 3;

/// Whether a check may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Taken,
    /// As many run as may, in all or of the organisation.
    Full,
    /// As many run of this target as may.
    Busy,
}

/// What is limited.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Scope {
    All,
    Org(Owner),
    Target(Arc<str>),
    TargetOf(Owner, Arc<str>),
}

#[derive(Debug)]
pub struct Targets {
    most: usize,
    running: HashMap<Scope, usize>,
    waiting: HashMap<Scope, VecDeque<u32>>,
}

impl Targets {
    pub fn new(most: usize) -> Self {
        Self { most, running: HashMap::new(), waiting: HashMap::new() }
    }

    pub fn running(&self) -> usize {
        self.running.get(&Scope::All).copied().unwrap_or(0)
    }

    /// The narrowest first: who waits for it holds up nobody else.
    fn scopes(owner: Owner, target: Option<&Arc<str>>) -> Vec<Scope> {
        let mut scopes = Vec::with_capacity(4);
        if let Some(target) = target {
            scopes.extend([Scope::TargetOf(owner, target.clone()), Scope::Target(target.clone())]);
        }
        if owner != Owner::Installation {
            scopes.push(Scope::Org(owner));
        }
        scopes.push(Scope::All);
        scopes
    }

    fn limit(&self, scope: &Scope) -> usize {
        match scope {
            Scope::All => self.most,
            Scope::Org(_) => (self.most / SHARE).max(1),
            Scope::Target(_) => OF_TARGET,
            Scope::TargetOf(..) => OF_ONE,
        }
    }

    /// Takes a place, or a place in the queue for one.
    pub fn take(&mut self, index: u32, owner: Owner, target: Option<&Arc<str>>) -> Place {
        let scopes = Self::scopes(owner, target);
        let is_full = |scope: &&Scope| self.running.get(*scope).is_some_and(|many| *many >= self.limit(scope));
        if let Some(full) = scopes.iter().find(is_full) {
            self.waiting.entry(full.clone()).or_default().push_back(index);
            return match full {
                Scope::All | Scope::Org(_) => Place::Full,
                Scope::Target(_) | Scope::TargetOf(..) => Place::Busy,
            };
        }
        for scope in scopes {
            *self.running.entry(scope).or_default() += 1;
        }
        Place::Taken
    }

    /// Gives a place back. Returns who may ask again now.
    pub fn give(&mut self, owner: Owner, target: Option<&Arc<str>>) -> Vec<u32> {
        let scopes = Self::scopes(owner, target);
        for scope in &scopes {
            if let Some(many) = self.running.get_mut(scope) {
                *many = many.saturating_sub(1);
                if *many == 0 {
                    self.running.remove(scope);
                }
            }
        }
        scopes.iter().filter_map(|scope| self.next_of(scope)).collect()
    }

    /// Whoever is next, if who was told to ask does not want to any more.
    pub fn next(&mut self, owner: Owner, target: Option<&Arc<str>>) -> Option<u32> {
        Self::scopes(owner, target).iter().find_map(|scope| self.next_of(scope))
    }

    fn next_of(&mut self, scope: &Scope) -> Option<u32> {
        let queue = self.waiting.get_mut(scope)?;
        let next = queue.pop_front();
        if queue.is_empty() {
            self.waiting.remove(scope);
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
    use platform::ids::OrgId;
    use uuid::Uuid;

    const OURS: Owner = Owner::Installation;

    fn org(number: u128) -> Owner {
        Owner::Org(OrgId(Uuid::from_u128(number)))
    }

    #[test]
    fn four_of_one_target_and_so_many_in_all() {
        let (mut targets, one, two) = (Targets::new(6), Arc::from("one:80"), Arc::from("two:80"));
        for index in 0..4 {
            assert_eq!(targets.take(index, OURS, Some(&one)), Place::Taken);
        }
        assert_eq!(targets.take(4, OURS, Some(&one)), Place::Busy);
        assert_eq!((targets.take(5, OURS, Some(&two)), targets.take(6, OURS, None)), (Place::Taken, Place::Taken));
        assert_eq!((targets.take(7, OURS, Some(&two)), targets.running()), (Place::Full, 6));
        assert_eq!(targets.give(OURS, Some(&one)), [4, 7]);
        assert_eq!((targets.take(4, OURS, Some(&one)), targets.take(7, OURS, Some(&two))), (Place::Taken, Place::Full));
        assert_eq!(targets.give(OURS, None), [7]);
        assert!(targets.give(OURS, Some(&two)).is_empty());
    }

    #[test]
    fn one_organisation_does_not_hold_up_another() {
        let (mut targets, shop) = (Targets::new(30), Arc::from("shop:443"));
        for index in 0..100 {
            let expected = if index < 4 { Place::Taken } else { Place::Busy };
            assert_eq!(targets.take(index, org(1), Some(&shop)), expected);
        }
        assert_eq!(targets.take(100, org(2), Some(&shop)), Place::Taken, "the same target, of another one");
        for index in 101..107 {
            assert_eq!(targets.take(index, org(1), None), Place::Taken);
        }
        assert_eq!(targets.take(107, org(1), None), Place::Full, "a third of all places");
        assert_eq!(targets.take(108, org(2), None), Place::Taken);
        assert_eq!(targets.give(org(1), None), [107]);
    }
}
