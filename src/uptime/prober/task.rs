//! The loop: what is due, what has ended, what others say. Nothing here waits for the database, except resuming.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, PoisonError, atomic::Ordering},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::{
    sync::{Notify, mpsc, watch},
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{
    Command,
    load::{self, Loaded},
    metrics::ProberMetrics,
    outbox::Outbox,
    reader::{News, Reader},
    storm::Storm,
    targets::Targets,
    turns::Done,
    watched::{Children, Watched, new_span},
    writer::SharedProgress,
};
use crate::{
    Uptime, UptimeError,
    model::{Cause, MonitorId, Owner, Window},
    schedule::{
        clock::{Jump, Observed},
        heap::Heap,
        windows::Plan,
    },
};
use jobs::{Duty, Standing};

const SECOND: Duration = Duration::from_secs(1);
/// Reading everything at the start.
const PATIENCE: Duration = Duration::from_secs(120);
/// After the database was away, or at the start: so long other processes have for storing the beats that they kept.
pub(super) const BEATS: Duration = Duration::from_secs(5);

pub struct Task {
    pub(super) uptime: Uptime,
    duty: Duty,
    pub(super) outbox: Arc<Outbox>,
    pub(super) progress: SharedProgress,
    commands: mpsc::Receiver<Command>,
    pub(super) metrics: ProberMetrics,
    pub(super) observed: Observed,
    pub(super) heap: Heap,
    pub(super) watched: Vec<Option<Watched>>,
    pub(super) by_id: HashMap<MonitorId, u32>,
    pub(super) free: Vec<u32>,
    pub(super) children: Option<Arc<Children>>,
    pub(super) targets: Targets,
    /// Checks whose place was given back though they have not ended, by their run.
    pub(super) lost: HashSet<(MonitorId, u32)>,
    pub(super) results: (mpsc::UnboundedSender<Done>, mpsc::UnboundedReceiver<Done>),
    pub(super) windows: Vec<(Owner, Arc<Window>, Plan)>,
    /// When a window next opens or closes; `None`: never.
    pub(super) covers_due: Option<DateTime<Utc>>,
    pub(super) storm: Storm,
    wake_reader: Arc<Notify>,
    pub(super) revision: i64,
    /// Since when the duty is this process's without doubt.
    pub(super) sure_since: Option<Instant>,
    pub(super) beats_read: Option<Instant>,
    pub(super) viewed: Instant,
    /// The longest delays of this minute and of the last.
    pub(super) lags: [u32; 2],
    pub(super) minute: Instant,
    /// When the clock jumped last.
    pub(super) stepped_at: Option<DateTime<Utc>>,
}

impl Task {
    pub fn new(
        uptime: Uptime,
        duty: Duty,
        outbox: Arc<Outbox>,
        progress: SharedProgress,
        commands: mpsc::Receiver<Command>,
    ) -> Self {
        let (metrics, now) = (uptime.inner.prober.metrics.clone(), Instant::now());
        let (observed, most) = (Observed::new(uptime.inner.clock.now(), now), uptime.inner.config.in_flight);
        Self {
            uptime,
            duty,
            outbox,
            progress,
            commands,
            metrics,
            observed,
            heap: Heap::default(),
            watched: Vec::new(),
            by_id: HashMap::new(),
            free: Vec::new(),
            children: None,
            targets: Targets::new(most),
            lost: HashSet::new(),
            results: mpsc::unbounded_channel(),
            windows: Vec::new(),
            covers_due: None,
            storm: Storm::default(),
            wake_reader: Arc::new(Notify::new()),
            revision: 0,
            sure_since: None,
            beats_read: None,
            viewed: now,
            lags: [0; 2],
            minute: now,
            stepped_at: None,
        }
    }

    /// Checks while this process has the duty, until the shutdown begins.
    pub async fn run(mut self) {
        let soft = self.uptime.inner.lifecycle.soft().clone();
        let mut changes = self.duty.changes();
        loop {
            let term =
                tokio::select! { term = ours(&self.duty, &mut changes) => term, () = soft.cancelled() => return };
            match self.resume(term).await {
                Ok(Some(news)) => {
                    self.watch(term, news).await;
                    self.stop(soft.is_cancelled());
                }
                Ok(None) => {}
                Err(error) => {
                    let error = platform::error::chain(&error);
                    tracing::warn!(error, "monitors cannot be read: nothing is checked yet");
                }
            }
            tokio::select! { () = sleep(SECOND) => {}, () = soft.cancelled() => return }
        }
    }

    async fn watch(&mut self, term: i64, mut news: mpsc::Receiver<News>) {
        let soft = self.uptime.inner.lifecycle.soft().clone();
        let mut tick = Instant::now() + SECOND;
        loop {
            let next = self.heap.next().map_or(tick, |due| due.min(tick));
            tokio::select! {
                biased;
                () = soft.cancelled() => return,
                Some(done) = self.results.1.recv() => self.ended(done),
                Some(command) = self.commands.recv() => self.obey(command),
                Some(news) = news.recv() => self.hear(news),
                () = sleep_until(next) => {}
            }
            let now = Instant::now();
            if now >= tick {
                tick = now + SECOND;
                match self.duty.standing() {
                    Standing::Ours { term: current } if current == term => {
                        self.sure_since.get_or_insert(now);
                    }
                    // The database is away: nobody can take the duty over, and outages must be seen.
                    Standing::Unsure { term: current } if current == term => self.sure_since = None,
                    _ => return,
                }
                self.tick(now);
            }
            self.start_due(now);
        }
    }

    /// Takes over what the last prober knew. `None`: another process has the duty by now.
    async fn resume(&mut self, term: i64) -> Result<Option<mpsc::Receiver<News>>, UptimeError> {
        let now = self.uptime.inner.clock.now();
        let loading = timeout(PATIENCE, load::load(&self.uptime, &self.duty, term, now)).await;
        let loaded = loading.unwrap_or_else(|_| Err(sqlx::Error::PoolTimedOut.into()))?;
        let Some(mut loaded) = loaded else { return Ok(None) };
        self.outbox.begin(term);
        let instant = Instant::now();
        let now = self.uptime.inner.clock.now();
        self.observed = Observed::new(now, instant);
        (self.sure_since, self.beats_read) = (Some(instant), None);
        self.results = mpsc::unbounded_channel();
        let observed = self.observed;
        let moment = |time: DateTime<Utc>| observed.moment(time, instant);
        load::heartbeats(&mut loaded.watched, now, moment);
        let gap = loaded.gap(now);
        if let Some(gap) = gap {
            load::shift(&mut loaded.watched, gap);
        }
        let news = self.start_reader(&mut loaded);
        let (alive_at, unread) = (loaded.alive_at, std::mem::take(&mut loaded.unread));
        self.set_windows(std::mem::take(&mut loaded.windows));
        for watched in loaded.watched {
            self.insert(watched);
        }
        let mut gaps = 0_u32;
        for index in self.indices() {
            let from = self.get(index).and_then(|watched| load::gap_since(watched, alive_at, now));
            if let Some(from) = from {
                gaps += 1;
                self.lose(index, from, now, Cause::ProberStopped);
            }
            self.plan_first(index, instant, true);
        }
        self.refresh_covers(now);
        for report in unread {
            self.beat(report);
        }
        self.uptime.inner.prober.is_active.store(true, Ordering::Relaxed);
        self.metrics.active(true);
        let (monitors, seconds) = (self.by_id.len(), gap.map_or(0, |gap| gap.num_seconds()));
        tracing::info!(
            event = "uptime.prober_resumed",
            term,
            monitors,
            gap_seconds = seconds,
            gaps,
            "this process checks monitors"
        );
        Ok(Some(news))
    }

    fn start_reader(&mut self, loaded: &mut Loaded) -> mpsc::Receiver<News> {
        let (sender, news) = mpsc::channel(1000);
        self.revision = loaded.revision;
        let reader = Reader {
            uptime: self.uptime.clone(),
            news: sender,
            wake: self.wake_reader.clone(),
            known: std::mem::take(&mut loaded.known),
            revision: loaded.revision,
            windows: loaded.windows_mark,
            ordinal: loaded.ordinal,
            seen: std::mem::take(&mut loaded.seen),
        };
        self.uptime.inner.lifecycle.spawn("uptime.reader", reader.run());
        news
    }

    /// Forgets everything: it is read anew when the duty comes back.
    fn stop(&mut self, is_shutdown: bool) {
        self.uptime.inner.prober.is_active.store(false, Ordering::Relaxed);
        self.uptime.inner.live.store(None);
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).now = None;
        self.metrics.forget();
        self.heap.clear();
        self.targets.clear();
        self.lost.clear();
        self.watched.clear();
        self.by_id.clear();
        self.free.clear();
        self.children = None;
        self.storm = Storm::default();
        if !is_shutdown {
            self.outbox.forget_changes();
            tracing::warn!("this process does not check monitors any more: another one has taken over");
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Reload => self.wake_reader.notify_one(),
            Command::Beat(report) => self.beat(report),
        }
    }

    fn hear(&mut self, news: News) {
        let now = self.observed.at(Instant::now());
        match news {
            News::Changed(definition) => self.redefine(*definition, now),
            News::Gone(ids) => ids.into_iter().for_each(|id| self.remove(MonitorId(id))),
            News::Windows(windows) => {
                self.set_windows(windows);
                self.refresh_covers(now);
            }
            News::Beats(rows, asked) => {
                for report in rows.into_iter().filter_map(super::beats::parse) {
                    self.beat(report);
                }
                self.beats_read = Some(asked);
            }
        }
    }

    /// Nobody knows what a monitor was from this time on.
    pub(super) fn lose(&mut self, index: u32, from: DateTime<Utc>, now: DateTime<Utc>, cause: Cause) {
        let mut ids = new_span(&self.uptime.inner.clock);
        let Some(watched) = self.get_mut(index) else { return };
        let effects = watched.state.lose(from, now, cause, &mut ids);
        watched.attempt = 1;
        self.apply(index, effects, now);
    }

    /// Each second.
    fn tick(&mut self, instant: Instant) {
        if let Some(jump) = self.observed.look(self.uptime.inner.clock.now(), instant) {
            self.jumped(jump, instant);
        }
        let now = self.observed.at(instant);
        if self.covers_due.is_some_and(|due| due <= now) {
            self.refresh_covers(now);
        }
        self.judge_beats(instant);
        self.look_after(instant, now);
        self.report(instant, now, self.revision);
    }

    /// The wall clock has jumped. No status changes by it; a time that no check covers is said to be unknown.
    fn jumped(&mut self, jump: Jump, instant: Instant) {
        self.metrics.clock_stepped();
        self.stepped_at = Some(jump.after);
        let seconds = (jump.after - jump.before).num_seconds();
        tracing::warn!(event = "uptime.clock_stepped", seconds, "the clock of this host has jumped");
        self.heap.clear();
        for index in self.indices() {
            let Some(watched) = self.get_mut(index) else { continue };
            // What was seen at a time that is to come again was seen by now: else no slot would come until then, and no beat would count.
            watched.last_started = watched.last_started.map(|last| last.min(jump.after));
            let (last, interval) = (watched.last_started, watched.definition.interval);
            let timeout = TimeDelta::from_std(watched.definition.timeout).unwrap_or(TimeDelta::MAX);
            let patience = interval + timeout + TimeDelta::seconds(5);
            let is_missed = last.is_some_and(|last| jump.after - last > patience);
            if let Some(last) = last.filter(|_| jump.is_forward() && is_missed && watched.is_asked()) {
                self.lose(index, last + interval, jump.after, Cause::Clock);
            }
            self.plan_first(index, instant, true);
        }
        self.refresh_covers(jump.after);
    }
}

/// Waits until the duty is this process's.
async fn ours(duty: &Duty, changes: &mut watch::Receiver<Standing>) -> i64 {
    loop {
        changes.borrow_and_update();
        if let Standing::Ours { term } = duty.standing() {
            return term;
        }
        if changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
