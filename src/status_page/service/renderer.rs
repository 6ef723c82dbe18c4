//! Renders pages in the worker that has the prober's duty: it knows the statuses of now, and goes on while the database is down.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::broadcast::error::TryRecvError,
    time::{Instant, MissedTickBehavior, interval, timeout},
};

use super::{
    StatusPages,
    written::{Rendered, write},
};
use crate::{
    ShownComponentChanged, StatusPageError,
    holder::{Access, Served},
    metrics::Why,
    model::{PageId, Render},
    page::PageModel,
    render,
    store::renders::{self, Pulse},
};
use incidents::{Changed, ComponentId, ComponentStatus};
use jobs::{Duty, Loops, Standing};
use platform::{error::chain, ids::OrgId};

/// It is looked so often which pages are to be rendered.
const TICK: Duration = Duration::from_millis(250);
/// A page that changes all the time is rendered so often.
const BETWEEN: Duration = Duration::from_secs(1);
/// Each page says what is true now at least so often.
const EVERY: Duration = Duration::from_secs(60);
/// Other processes' changes are looked for so often.
const LOOK: Duration = Duration::from_secs(1);
/// A page that cannot be rendered is tried again so often: each try says why in the log.
const AGAIN: Duration = Duration::from_secs(10);
/// The database answers sooner, or is down.
const PATIENCE: Duration = Duration::from_secs(4);

/// A page as the renderer knows it.
struct Kept {
    org: Option<OrgId>,
    access: Arc<Access>,
    model: PageModel,
    /// Why it is to be read and rendered again.
    due: Option<Why>,
    rendered: Instant,
    /// When it could not be rendered; `None`: the last time it could.
    failed: Option<Instant>,
    figures_read: Instant,
    /// What is in the database: `ETag`s by stored path.
    written: HashMap<String, String>,
    /// Statuses that were shown last: their changes are events.
    shown: HashMap<ComponentId, ComponentStatus>,
}

impl Kept {
    /// Whether it is to be rendered now.
    fn is_due(&self) -> bool {
        let gap = match self.due {
            None => return false,
            Some(Why::Changed) => BETWEEN,
            Some(_) => Duration::ZERO,
        };
        self.rendered.elapsed() >= gap && self.failed.is_none_or(|failed| failed.elapsed() >= AGAIN)
    }
}

struct Renderer {
    pages: StatusPages,
    duty: Duty,
    kept: HashMap<PageId, Kept>,
    /// Pages that could not be read for the first time, and when that was.
    unread: HashMap<PageId, Instant>,
    pulse: Pulse,
    looked: Option<Instant>,
    /// The database did not answer to the last question.
    is_away: bool,
}

impl StatusPages {
    /// Starts what runs beside the listeners.
    pub(crate) fn start_loops(&self, loops: &Loops) {
        self.start_loader(loops);
        self.start_badges(loops);
        self.start_upkeep(loops);
        let lifecycle = self.inner.lifecycle.clone();
        let renderer = Renderer {
            pages: self.clone(),
            duty: loops.prober(),
            kept: HashMap::new(),
            unread: HashMap::new(),
            pulse: Pulse::default(),
            looked: None,
            is_away: false,
        };
        let soft = lifecycle.soft().clone();
        lifecycle.spawn("status_page.renderer", async move {
            tokio::select! { biased; () = soft.cancelled() => {}, () = renderer.run() => {} }
        });
    }
}

impl Renderer {
    async fn run(mut self) {
        let mut news = self.pages.inner.rooms.incidents.changes();
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            loop {
                match news.try_recv() {
                    Ok(changed) => self.mark(changed),
                    Err(TryRecvError::Lagged(_)) => self.mark_all(Why::Changed),
                    Err(TryRecvError::Empty | TryRecvError::Closed) => break,
                }
            }
            match self.duty.standing() {
                Standing::Theirs => self.rest(),
                Standing::Ours { term } => self.turn(Some(term)).await,
                // Nothing may be written: another process may have the duty.
                Standing::Unsure { .. } => self.turn(None).await,
            }
        }
    }

    /// Another process renders.
    fn rest(&mut self) {
        if !self.kept.is_empty() {
            self.kept.clear();
            self.looked = None;
            self.pages.inner.holder.disown();
        }
    }

    fn mark(&mut self, changed: Changed) {
        for kept in self.kept.values_mut() {
            let is_of = match changed {
                Changed::Component(id) => kept.model.component(id).is_some(),
                Changed::Incident(_) => true,
            };
            if is_of {
                kept.due = Some(Why::Changed);
            }
        }
    }

    fn mark_all(&mut self, why: Why) {
        self.kept.values_mut().for_each(|kept| kept.due = Some(why));
    }

    async fn turn(&mut self, term: Option<i64>) {
        if self.looked.is_none_or(|looked| looked.elapsed() >= LOOK) {
            self.looked = Some(Instant::now());
            let found = timeout(PATIENCE, self.look()).await;
            let found = found.unwrap_or_else(|_| Err(sqlx::Error::PoolTimedOut.into()));
            self.answered(found.as_ref().err());
            for id in found.unwrap_or_default() {
                if !self.begin_in_time(id).await {
                    break;
                }
            }
        }
        for kept in self.kept.values_mut().filter(|kept| kept.due.is_none() && kept.rendered.elapsed() >= EVERY) {
            kept.due = Some(Why::Minute);
        }
        // While the database is down statuses change nevertheless.
        if self.is_away {
            self.mark_live();
        }
        let mut due: Vec<(Instant, PageId)> =
            self.kept.iter().filter(|(_, kept)| kept.is_due()).map(|(id, kept)| (kept.rendered, *id)).collect();
        // The oldest first: a page that changes all the time does not keep others from their turn.
        due.sort_unstable();
        for (_, id) in due {
            let why = self.kept.get(&id).and_then(|kept| kept.due);
            let result = self.render(id, term).await;
            let Some(kept) = self.kept.get_mut(&id) else { continue };
            let Err(error) = result else {
                kept.failed = None;
                continue;
            };
            (kept.due, kept.failed) = (kept.due.or(why), Some(Instant::now()));
            if is_away(&error) {
                // The database, or this page alone: the next look tells.
                self.looked = None;
                tracing::debug!(page_id = %id, error = chain(&error), "a status page could not be read or written");
                return;
            }
            tracing::warn!(page_id = %id, error = chain(&error), "a status page could not be rendered");
        }
    }

    /// Notes whether the database answers; says so when that changes.
    fn answered(&mut self, error: Option<&StatusPageError>) {
        match error {
            None => {
                if std::mem::take(&mut self.is_away) {
                    tracing::info!("status pages are read from the database again");
                    self.mark_all(Why::Changed);
                }
            }
            Some(error) if !self.is_away => {
                self.is_away = true;
                // They are rendered with what is known.
                self.kept.values_mut().for_each(|kept| kept.failed = None);
                tracing::warn!(
                    error = chain(error),
                    "status pages go on with what is known: the database does not answer"
                );
            }
            Some(_) => {}
        }
    }

    /// Looks for pages that are gone or changed, and for changes that other processes have made. Returns those that are not read yet.
    async fn look(&mut self) -> Result<Vec<PageId>, StatusPageError> {
        let mut tx = self.pages.system().await?;
        let standings = renders::standings(&mut tx).await?;
        let pulse = renders::pulse(&mut tx).await?;
        drop(tx);
        if pulse != self.pulse {
            self.pulse = pulse;
            self.mark_all(Why::Changed);
        }
        let there: HashSet<PageId> = standings.iter().map(|standing| standing.page).collect();
        self.kept.retain(|id, _| there.contains(id));
        self.unread.retain(|id, _| there.contains(id));
        let mut new = Vec::new();
        for standing in standings {
            match self.kept.get_mut(&standing.page) {
                Some(kept) if kept.access.revision == standing.revision => {}
                Some(kept) => kept.due = Some(Why::Page),
                None if self.unread.get(&standing.page).is_some_and(|failed| failed.elapsed() < AGAIN) => {}
                None => new.push(standing.page),
            }
        }
        Ok(new)
    }

    /// Reads a page for the first time, or notes that it could not be read. False: then the database may not answer at all.
    async fn begin_in_time(&mut self, id: PageId) -> bool {
        let begun = timeout(PATIENCE, self.begin(id)).await;
        let Err(error) = begun.unwrap_or_else(|_| Err(sqlx::Error::PoolTimedOut.into())) else {
            self.unread.remove(&id);
            return true;
        };
        tracing::warn!(page_id = %id, error = chain(&error), "a status page could not be read");
        self.unread.insert(id, Instant::now());
        !is_away(&error)
    }

    /// Reads a page for the first time.
    async fn begin(&mut self, id: PageId) -> Result<(), StatusPageError> {
        let mut tx = self.pages.system().await?;
        let Some((stored, model)) = self.pages.read_page(&mut tx, id, None).await? else { return Ok(()) };
        let now = Instant::now();
        let shown = statuses(&model);
        let kept = Kept {
            org: stored.org,
            access: Arc::new(self.pages.access(&stored)),
            model,
            due: Some(Why::Page),
            rendered: now,
            failed: None,
            figures_read: now,
            written: HashMap::new(),
            shown,
        };
        self.kept.insert(id, kept);
        Ok(())
    }

    /// Pages whose components the prober knows to be otherwise than they are shown.
    fn mark_live(&mut self) {
        let Some(live) = self.pages.inner.rooms.uptime.live() else { return };
        for kept in self.kept.values_mut().filter(|kept| kept.due.is_none()) {
            let current = kept.model.with_live(&live);
            let differs =
                current.components.iter().zip(&kept.model.components).any(|(new, old)| new.status != old.status);
            if differs {
                kept.model = current;
                kept.due = Some(Why::Changed);
            }
        }
    }

    async fn render(&mut self, id: PageId, term: Option<i64>) -> Result<(), StatusPageError> {
        let Some(kept) = self.kept.get_mut(&id) else { return Ok(()) };
        let Some(why) = kept.due.take() else { return Ok(()) };
        let pages = &self.pages;
        let began = Instant::now();
        if !self.is_away {
            let with_figures = why == Why::Page || kept.figures_read.elapsed() >= EVERY;
            let read = async {
                let mut tx = pages.system().await?;
                let known = Some(&kept.model).filter(|_| !with_figures);
                pages.read_page(&mut tx, id, known).await
            };
            let read = timeout(PATIENCE, read).await.unwrap_or_else(|_| Err(sqlx::Error::PoolTimedOut.into()));
            // Deleted: the next look finds it gone.
            let Some((stored, model)) = read? else { return Ok(()) };
            kept.access = Arc::new(pages.access(&stored));
            kept.model = model;
            if with_figures {
                kept.figures_read = began;
            }
        }
        let (model, words, as_of) = (kept.model.clone(), pages.inner.words.clone(), pages.inner.clock.now());
        let all = pages.inner.rendering.run(move || render::render_both(&model, as_of, &words)).await??;
        kept.rendered = Instant::now();
        pages.inner.metrics.rendered(why, began.elapsed(), &all);
        let (access, org) = (kept.access.clone(), kept.org);
        // In this process at once, and then for the others.
        pages.inner.holder.change(|held| {
            let version = held.get(&id).map_or(0, |served| served.version);
            let mut served = Served { version, as_of, is_own: true, ..Served::new(access.clone()) };
            served.take(all.clone());
            held.insert(id, Arc::new(served));
        });
        let Some(term) = term.filter(|_| !self.is_away) else { return Ok(()) };
        let new: Vec<&Render> =
            all.iter().filter(|render| kept.written.get(&render.stored_path()) != Some(&render.etag)).collect();
        let statuses = statuses(&kept.model);
        let changes: Vec<ShownComponentChanged> = statuses
            .iter()
            .filter_map(|(component, new)| {
                let old = *kept.shown.get(component)?;
                let (component_id, new) = (*component, *new);
                (old != new).then_some(ShownComponentChanged { page_id: id, component_id, old, new })
            })
            .collect();
        let rendered = Rendered { page: id, org, as_of, new: &new, all: &all, changes: &changes };
        let write = write(pages, &self.duty, term, &rendered);
        match timeout(PATIENCE, write).await.unwrap_or_else(|_| Err(sqlx::Error::PoolTimedOut.into())) {
            Ok(true) => {
                kept.written = all.iter().map(|render| (render.stored_path(), render.etag.clone())).collect();
                kept.shown = statuses;
            }
            Ok(false) => tracing::info!(page_id = %id, "a status page was not written: another process has the duty"),
            Err(error) => {
                // What was written is not known: everything is written again.
                kept.written.clear();
                return Err(error);
            }
        }
        Ok(())
    }
}

fn is_away(error: &StatusPageError) -> bool {
    match error {
        StatusPageError::Db(error)
        | StatusPageError::Uptime(uptime::UptimeError::Db(error))
        | StatusPageError::Incidents(incidents::IncidentsError::Db(error)) => error.is_unavailable(),
        _ => false,
    }
}

fn statuses(model: &PageModel) -> HashMap<ComponentId, ComponentStatus> {
    model.components.iter().map(|component| (component.id, component.status)).collect()
}
