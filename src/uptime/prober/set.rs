//! What is watched: monitors that come, change and go, and what covers them.

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::{
    definition::Definition,
    load,
    task::Task,
    watched::{Children, Watched, new_span},
};
use crate::{
    model::{Cause, MonitorId, Owner, Window, WindowId},
    schedule::{
        state::{Cover, State},
        windows::{self, Plan},
    },
};

impl Task {
    /// A monitor is new or was changed. Status, outage and failures of one that asks the same as before stay: a change must not tell anything again.
    pub(super) fn redefine(&mut self, definition: Definition, now: DateTime<Utc>) {
        self.revision = self.revision.max(definition.revision);
        let (instant, observed) = (Instant::now(), self.observed);
        let moment = |time: DateTime<Utc>| observed.moment(time, instant);
        let Some(index) = self.by_id.get(&definition.id).copied() else {
            let mut watched = Watched::new(Arc::new(definition), State::new(now), now);
            load::expect_beats(&mut watched, now, moment);
            let index = self.insert(watched);
            self.refresh_cover(index, now);
            self.plan_first(index, instant, false);
            return;
        };
        let Some(watched) = self.get_mut(index) else { return };
        let before = std::mem::replace(&mut watched.definition, Arc::new(definition));
        let definition = watched.definition.clone();
        watched.grid = definition.grid();
        if before.heartbeat() != definition.heartbeat() || before.interval != definition.interval {
            load::expect_beats(watched, now, moment);
        }
        let is_other = !before.is_same_target(&definition);
        if is_other {
            // The result of a check that runs is about another target.
            (watched.is_in_flight, watched.run, watched.attempt) = (false, watched.run.wrapping_add(1), 1);
        }
        if before.parent != definition.parent {
            self.children = None;
        }
        if is_other {
            self.lose(index, now, now, Cause::New);
        }
        self.refresh_cover(index, now);
        let is_back = (before.is_paused || before.is_removed) && !definition.is_paused && !definition.is_removed;
        if is_other || is_back || before.interval != definition.interval {
            self.plan_first(index, instant, false);
        }
    }

    pub(super) fn insert(&mut self, watched: Watched) -> u32 {
        let id = watched.definition.id;
        self.children = None;
        let index = self.free.pop().unwrap_or_else(|| {
            self.watched.push(None);
            u32::try_from(self.watched.len() - 1).unwrap_or(u32::MAX)
        });
        self.by_id.insert(id, index);
        if let Some(place) = self.watched.get_mut(index as usize) {
            *place = Some(watched);
        }
        index
    }

    pub(super) fn remove(&mut self, id: MonitorId) {
        let Some(index) = self.by_id.remove(&id) else { return };
        if let Some(place) = self.watched.get_mut(index as usize) {
            *place = None;
        }
        self.free.push(index);
        self.children = None;
    }

    pub(super) fn get(&self, index: u32) -> Option<&Watched> {
        self.watched.get(index as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut Watched> {
        self.watched.get_mut(index as usize)?.as_mut()
    }

    pub(super) fn indices(&self) -> Vec<u32> {
        self.by_id.values().copied().collect()
    }

    /// Who is silent while this one is down.
    pub(super) fn children(&mut self) -> Arc<Children> {
        let watched = &self.watched;
        let make = || {
            let mut children = Children::new();
            for (index, watched) in watched.iter().enumerate() {
                let parent = watched.as_ref().and_then(|watched| watched.definition.parent);
                if let (Some(parent), Ok(index)) = (parent, u32::try_from(index)) {
                    children.entry(parent).or_default().push(index);
                }
            }
            Arc::new(children)
        };
        self.children.get_or_insert_with(make).clone()
    }

    pub(super) fn set_windows(&mut self, windows: Vec<(Owner, Window)>) {
        self.windows = windows
            .into_iter()
            .filter_map(|(owner, window)| match Plan::of(&window) {
                Ok(plan) => Some((owner, Arc::new(window), plan)),
                Err(error) => {
                    tracing::error!(window = %window.id, %error, "a maintenance window cannot be read: it never opens");
                    None
                }
            })
            .collect();
        self.covers_due = None;
    }

    /// Of one monitor: only windows that are for it are looked at.
    fn refresh_cover(&mut self, index: u32, now: DateTime<Utc>) {
        let Some(definition) = self.get(index).map(|watched| watched.definition.clone()) else { return };
        let mut of_owner = self.windows.iter().filter(|(owner, ..)| *owner == definition.owner);
        let open = of_owner.find(|(_, window, plan)| is_for(window, &definition) && plan.open_at(now).is_some());
        let window = open.map(|(_, window, _)| window.id);
        self.set_cover(index, cover(&definition, window), now);
    }

    fn set_cover(&mut self, index: u32, cover: Cover, now: DateTime<Utc>) {
        let (instant, observed) = (Instant::now(), self.observed);
        let mut ids = new_span(&self.uptime.inner.clock);
        let Some(watched) = self.get_mut(index) else { return };
        let before = watched.state.cover();
        if before == cover {
            return;
        }
        // What covered it is over: beats are expected from now on.
        let is_free = cover == Cover::default();
        if let Some(beats) = watched.beats.as_mut().filter(|_| is_free) {
            beats.expect(now, |time| observed.moment(time, instant));
        }
        let effects = watched.state.set_cover(cover, now, &mut ids);
        self.apply(index, effects, now);
    }

    /// Of all monitors, when a window opens or closes.
    pub(super) fn refresh_covers(&mut self, now: DateTime<Utc>) {
        // Computing when a window is open costs far more than comparing what it is for: once for each window, not for each monitor.
        let mut open: HashMap<Owner, Vec<Arc<Window>>> = HashMap::new();
        for (owner, window, _) in self.windows.iter().filter(|(_, _, plan)| plan.open_at(now).is_some()) {
            open.entry(*owner).or_default().push(window.clone());
        }
        for index in self.indices() {
            let Some(definition) = self.get(index).map(|watched| watched.definition.clone()) else { continue };
            let mut of_owner = open.get(&definition.owner).into_iter().flatten();
            let window = of_owner.find(|window| is_for(window, &definition)).map(|window| window.id);
            self.set_cover(index, cover(&definition, window), now);
        }
        let next = self.windows.iter().filter_map(|(_, _, plan)| {
            let closes = plan.open_at(now).map(|open| open.until);
            let opens = plan.next_after(now).map(|next| next.from);
            closes.into_iter().chain(opens).min()
        });
        self.covers_due = next.min();
    }
}

fn is_for(window: &Window, definition: &Definition) -> bool {
    windows::is_for(window, definition.id, definition.group, &definition.tags)
}

fn cover(definition: &Definition, window: Option<WindowId>) -> Cover {
    Cover { is_removed: definition.is_removed, is_paused: definition.is_paused, window }
}
