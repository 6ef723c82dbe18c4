//! Sees in the database what others do: changed monitors and windows, beats. Each second; and all revisions each minute, because one can become visible
//! after a greater one, and what was deleted has none.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{Notify, mpsc},
    time::{Instant, sleep, timeout},
};
use uuid::Uuid;

use super::definition::Definition;
use crate::{
    Uptime, UptimeError,
    model::{Owner, Window},
    store::{
        beats::{self, BeatRow},
        state,
    },
};
use platform::ids::OrgId;

const PAUSE: Duration = Duration::from_secs(1);
const COMPARE: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(15);
/// Revisions and ordinals that may become visible after greater ones.
const LOOK_BACK: i64 = 1000;
const BEATS: i64 = 5000;

/// What is new.
#[derive(Debug)]
pub enum News {
    Changed(Box<Definition>),
    Gone(Vec<Uuid>),
    Windows(Vec<(Owner, Window)>),
    /// Beats, maybe none: it was asked at this moment.
    Beats(Vec<BeatRow>, Instant),
}

/// What a reader has seen.
pub struct Reader {
    pub uptime: Uptime,
    pub news: mpsc::Sender<News>,
    /// Somebody says that there is something.
    pub wake: Arc<Notify>,
    pub known: HashMap<Uuid, i64>,
    pub revision: i64,
    pub windows: (i64, i64),
    /// The last beat.
    pub ordinal: i64,
    pub seen: Seen,
}

/// Ordinals of the last beats.
#[derive(Debug, Default)]
pub struct Seen {
    all: HashSet<i64>,
    order: VecDeque<i64>,
}

impl Seen {
    fn has(&self, ordinal: i64) -> bool {
        self.all.contains(&ordinal)
    }

    pub fn note(&mut self, ordinal: i64) {
        if !self.all.insert(ordinal) {
            return;
        }
        self.order.push_back(ordinal);
        if self.order.len() > 20_000
            && let Some(oldest) = self.order.pop_front()
        {
            self.all.remove(&oldest);
        }
    }
}

impl Reader {
    /// Until nobody listens any more.
    pub async fn run(mut self) {
        let mut compared = Instant::now();
        let mut is_failing = false;
        while !self.news.is_closed() {
            tokio::select! { () = sleep(PAUSE) => {}, () = self.wake.notified() => {}, () = self.news.closed() => return }
            let compare = compared.elapsed() >= COMPARE;
            let read = timeout(PATIENCE, self.read(compare)).await;
            match read.unwrap_or_else(|_| Err(sqlx::Error::PoolTimedOut.into())) {
                Ok(()) => {
                    is_failing = false;
                    if compare {
                        compared = Instant::now();
                    }
                }
                Err(error) => {
                    let error = platform::error::chain(&error);
                    if is_failing {
                        tracing::debug!(error, "changes of monitors cannot be read still");
                    } else {
                        tracing::warn!(
                            error,
                            "changes of monitors cannot be read: checking goes on with what is known"
                        );
                    }
                    is_failing = true;
                }
            }
        }
    }

    /// What was seen is noted after it was sent: when time is up in between, it comes again.
    async fn read(&mut self, compare: bool) -> Result<(), UptimeError> {
        let mut tx = self.uptime.system().await?;
        let asked = Instant::now();
        let all = if compare {
            state::revisions(&mut tx).await?
        } else {
            state::revisions_above(&mut tx, self.revision - LOOK_BACK).await?
        };
        let is_new = |(id, revision): &&(Uuid, i64)| self.known.get(id) != Some(revision);
        let differ: Vec<Uuid> = all.iter().filter(is_new).map(|(id, _)| *id).collect();
        let rows = if differ.is_empty() { Vec::new() } else { state::definitions_of(&mut tx, &differ).await? };
        if compare {
            let present: HashSet<Uuid> = all.into_iter().map(|(id, _)| id).collect();
            let gone: Vec<Uuid> = self.known.keys().copied().filter(|id| !present.contains(id)).collect();
            if !gone.is_empty() {
                self.send(News::Gone(gone)).await;
                self.known.retain(|id, _| present.contains(id));
            }
        }
        for row in rows {
            let (id, revision) = (row.id, row.revision);
            let definition = Definition::read(row, &self.uptime.inner.master_key);
            self.send(News::Changed(Box::new(definition))).await;
            self.known.insert(id, revision);
            self.revision = self.revision.max(revision);
        }
        let mark = state::windows_mark(&mut tx).await?;
        if mark != self.windows {
            let windows = state::windows(&mut tx, self.uptime.inner.clock.now()).await?;
            let windows = windows.into_iter().map(|(org, window)| (Owner::of(org.map(OrgId)), window));
            self.send(News::Windows(windows.collect())).await;
            self.windows = mark;
        }
        let rows = beats::after(&mut tx, self.ordinal - LOOK_BACK, BEATS).await?;
        let last = rows.last().map_or(self.ordinal, |row| row.ordinal.max(self.ordinal));
        let fresh: Vec<BeatRow> = rows.into_iter().filter(|row| !self.seen.has(row.ordinal)).collect();
        let ordinals: Vec<i64> = fresh.iter().map(|row| row.ordinal).collect();
        self.send(News::Beats(fresh, asked)).await;
        for ordinal in ordinals {
            self.seen.note(ordinal);
        }
        self.ordinal = last;
        Ok(())
    }

    async fn send(&self, news: News) {
        // Nobody listens: the loop ends.
        let _ = self.news.send(news).await;
    }
}
