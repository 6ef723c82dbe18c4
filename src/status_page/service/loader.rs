//! Loads what the renderer has written, in every process that could serve it.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use super::StatusPages;
use crate::{
    StatusPageError,
    holder::Served,
    model::{PageId, Set},
    store::{pages, renders},
};
use jobs::{By, Loops};

const EVERY: Duration = Duration::from_millis(800);
/// Longer than this a question to the database is not waited for: it is asked again.
const PATIENCE: Duration = Duration::from_secs(3);

impl StatusPages {
    pub(super) fn start_loader(&self, loops: &Loops) {
        let this = self.clone();
        loops.every("status_page.load", EVERY, By::EveryProcess, move || {
            let this = this.clone();
            async move {
                let loaded = timeout(PATIENCE, this.load()).await;
                this.show_age();
                loaded.map_err(|_| anyhow::anyhow!("the database does not answer"))??;
                Ok(())
            }
        });
    }

    /// Takes over what has changed since the last look.
    pub(crate) async fn load(&self) -> Result<(), StatusPageError> {
        let holder = &self.inner.holder;
        let mut tx = self.system().await?;
        let standings = renders::standings(&mut tx).await?;
        holder.answered();
        let held = holder.held().pages.clone();
        if held.keys().any(|id| !standings.iter().any(|standing| standing.page == *id)) {
            let there: Vec<PageId> = standings.iter().map(|standing| standing.page).collect();
            holder.change(|pages| pages.retain(|id, _| there.contains(id)));
        }
        let is_changed = |standing: &&renders::Standing| {
            held.get(&standing.page).is_none_or(|served| {
                let is_newer = standing.version > served.version || standing.as_of > served.as_of;
                standing.revision != served.access.revision || (is_newer && !served.is_own)
            })
        };
        let changed: Vec<renders::Standing> = standings.iter().filter(is_changed).copied().collect();
        let ids: Vec<PageId> = changed.iter().map(|standing| standing.page).collect();
        if ids.is_empty() {
            return Ok(());
        }
        for stored in pages::of_ids(&mut tx, &ids).await? {
            let id = stored.page.id;
            let Some(standing) = changed.iter().find(|standing| standing.page == id) else { continue };
            let before = held.get(&id);
            let version = before.map_or(0, |served| served.version);
            let (new, paths) = if standing.version > version {
                (renders::above(&mut tx, id, version).await?, Some(renders::paths(&mut tx, id).await?))
            } else {
                (Vec::new(), None)
            };
            let access = Arc::new(self.access(&stored));
            holder.change(|pages| {
                let mut served =
                    pages.get(&id).map_or_else(|| Served::new(access.clone()), |served| (**served).clone());
                served.access = access.clone();
                // What this process renders itself is newer than what it reads.
                if !served.is_own {
                    served.take(new.clone());
                    if let Some(paths) = &paths {
                        served.keep(paths);
                    }
                    served.version = standing.version;
                    served.as_of = standing.as_of;
                }
                pages.insert(id, Arc::new(served));
            });
        }
        Ok(())
    }

    /// Age of the oldest page, and whether one is served as stale. One that was never rendered is as old as the page itself: nobody can read it.
    fn show_age(&self) {
        let (holder, now) = (&self.inner.holder, self.inner.clock.now());
        let held = holder.held();
        let (mut age, mut stale) = (0.0_f64, false);
        for served in held.pages.values() {
            age = age.max((now - served.old_since()).as_seconds_f64());
            stale |= served.is_rendered() && holder.set_of(served, now) == Set::Stale;
        }
        self.inner.metrics.served(age, stale);
    }
}
