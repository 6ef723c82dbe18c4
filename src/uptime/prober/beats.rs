//! Reports of heartbeat monitors: taken by any process, judged by the prober.
//!
//! Deadlines are moments of the monotonic clock: no jump of the wall clock makes one pass. A time during which nobody could judge moves them by its length.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use moka::sync::Cache;
use tokio::time::{Instant, timeout};

use super::{Command, metrics::BeatOutcome};
use crate::{
    Uptime, UptimeError,
    model::{Beat, MonitorId, Reason},
    spec::HeartbeatSpec,
    store::beats::{self, NewBeat},
};
use jobs::Cron;
use platform::{crypto::sha256, db::DbError, http::RateLimiter};

/// Beats that are kept while the database is away.
const MOST: usize = 10_000;
/// Of these, beats of tokens that this process has not seen before: strangers can make them up.
const STRANGE: usize = 1000;
/// Tokens whose monitors are remembered, and for how long.
const TOKENS: u64 = 20_000;
const REMEMBER: Duration = Duration::from_hours(48);
/// Reports of one token.
const A_MINUTE: u32 = 60;
/// A sender waits for an answer: the database has so long.
const PATIENCE: Duration = Duration::from_secs(2);
/// Beats that are remembered of a monitor: one comes from this process and from the database.
const REMEMBERED: usize = 16;
const MESSAGE: usize = 200;

/// What became of a beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    Stored,
    /// In memory, because the database is away: stored later.
    Kept,
}

/// What a sender says.
#[derive(Clone, Copy, Debug)]
pub struct Push<'a> {
    pub token: &'a str,
    /// The monitor's, where the address names it: the token of another is refused.
    pub key: Option<&'a str>,
    pub beat: Beat,
    /// How long its work took, milliseconds.
    pub took: Option<i32>,
    pub message: &'a str,
}

/// A beat of a monitor, as it is judged.
#[derive(Clone, Debug)]
pub struct Report {
    pub monitor: MonitorId,
    pub beat: Beat,
    pub at: DateTime<Utc>,
    /// What its sender says; empty: nothing.
    pub message: String,
}

/// A beat whose monitor is found when it is stored.
#[derive(Clone, Debug)]
struct Waiting {
    token: [u8; 32],
    key: Option<String>,
    at: DateTime<Utc>,
    beat: Beat,
    took: Option<i32>,
    message: String,
    /// Its token was seen before.
    is_known: bool,
}

impl Waiting {
    fn report(&self, monitor: MonitorId) -> Report {
        Report { monitor, beat: self.beat, at: self.at, message: self.message.clone() }
    }
}

/// A token, with the key that its sender names.
type Named = ([u8; 32], Option<String>);

/// Beats that could not be stored yet, and tokens that were seen.
#[derive(Debug)]
pub struct Kept {
    waiting: Mutex<VecDeque<Waiting>>,
    tokens: Cache<Named, MonitorId>,
    limit: RateLimiter,
}

impl Default for Kept {
    fn default() -> Self {
        let limit = RateLimiter::new(A_MINUTE, A_MINUTE);
        let tokens = Cache::builder().max_capacity(TOKENS).time_to_live(REMEMBER).build();
        Self { waiting: Mutex::default(), tokens, limit }
    }
}

impl Kept {
    /// A token is worth nothing any more: which one it was is not known here.
    pub fn forget_tokens(&self) {
        self.tokens.invalidate_all();
    }
}

/// Whether another beat is kept.
fn has_room(waiting: &VecDeque<Waiting>, is_known: bool) -> bool {
    let strange = || waiting.iter().filter(|one| !one.is_known).count();
    waiting.len() < MOST && (is_known || strange() < STRANGE)
}

impl Uptime {
    /// Takes a report. `None`: no monitor has this token, or not with this key. While the database is away up to 10 000 are kept, of which 1 000
    /// have a token that was not seen before; more are the error, and so is more than one a second of a token.
    pub async fn take_beat(&self, push: Push<'_>) -> Result<Option<Taken>, UptimeError> {
        let Push { token, key, beat, took, message } = push;
        let prober = &self.inner.prober;
        if let Err(wait) = prober.kept.limit.check(token) {
            prober.metrics.beat(BeatOutcome::TooOften);
            return Err(UptimeError::TooOften(wait));
        }
        let message: String = message.chars().filter(|char| !char.is_control()).take(MESSAGE).collect();
        let (hash, key, at) = (sha256(token), key.map(str::to_owned), self.inner.clock.now());
        let waiting = Waiting { token: hash, key, at, beat, took, message, is_known: false };
        let stored = timeout(PATIENCE, self.store_beats(std::slice::from_ref(&waiting))).await;
        let stored = stored.unwrap_or_else(|_| Err(sqlx::Error::PoolTimedOut.into()));
        let (outcome, answer) = match stored {
            Ok(found) => match found.first() {
                Some(monitor) => {
                    prober.kept.tokens.insert((waiting.token, waiting.key.clone()), *monitor);
                    self.tell_prober(Command::Beat(waiting.report(*monitor)));
                    (BeatOutcome::Stored, Ok(Some(Taken::Stored)))
                }
                None => (BeatOutcome::Unknown, Ok(None)),
            },
            Err(UptimeError::Db(error)) if error.is_unavailable() => self.keep_beat(waiting, error),
            Err(error) => (BeatOutcome::Refused, Err(error)),
        };
        prober.metrics.beat(outcome);
        answer
    }

    fn keep_beat(&self, waiting: Waiting, error: DbError) -> (BeatOutcome, Result<Option<Taken>, UptimeError>) {
        let kept = &self.inner.prober.kept;
        let named = (waiting.token, waiting.key.clone());
        let monitor = kept.tokens.get(&named);
        let is_known = monitor.is_some();
        let report = monitor.map(|monitor| waiting.report(monitor));
        let mut all = kept.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if !has_room(&all, is_known) {
            return (BeatOutcome::Refused, Err(error.into()));
        }
        all.push_back(Waiting { is_known, ..waiting });
        drop(all);
        if let Some(report) = report {
            self.tell_prober(Command::Beat(report));
        }
        (BeatOutcome::Kept, Ok(Some(Taken::Kept)))
    }

    /// Stores those whose token a monitor has, and returns their monitors.
    async fn store_beats(&self, all: &[Waiting]) -> Result<Vec<MonitorId>, UptimeError> {
        let mut tx = self.system().await?;
        let mut rows = Vec::with_capacity(all.len());
        for waiting in all {
            if let Some((monitor, org)) = beats::of_token(&mut tx, &waiting.token, waiting.key.as_deref()).await? {
                rows.push(NewBeat {
                    org,
                    monitor,
                    received_at: waiting.at,
                    beat: waiting.beat.as_str(),
                    took: waiting.took,
                    message: waiting.message.clone(),
                });
            }
        }
        if !rows.is_empty() {
            beats::insert(&mut tx, &rows).await?;
            tx.commit().await?;
        }
        Ok(rows.into_iter().map(|row| MonitorId(row.monitor)).collect())
    }

    /// Stores the beats that were kept.
    pub(super) async fn store_kept_beats(&self) -> anyhow::Result<()> {
        let kept = &self.inner.prober.kept;
        loop {
            let some: Vec<Waiting> = {
                let all = kept.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                all.iter().take(500).cloned().collect()
            };
            if some.is_empty() {
                return Ok(());
            }
            self.store_beats(&some).await?;
            kept.waiting.lock().unwrap_or_else(PoisonError::into_inner).drain(..some.len());
        }
    }
}

/// When the next beat must come.
#[derive(Clone, Debug)]
enum Expected {
    Every(TimeDelta),
    By(Box<Cron>),
}

/// What a beat says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// It was known already.
    Known,
    /// Work has begun.
    Begun,
    Well,
    Failed,
}

/// A deadline: the moment, and the time at which it is.
type Deadline = (Instant, DateTime<Utc>);

/// What is known of a monitor's beats.
#[derive(Clone, Debug)]
pub struct BeatState {
    expected: Expected,
    grace: TimeDelta,
    at_most: Option<TimeDelta>,
    /// For the next beat.
    deadline: Option<Deadline>,
    /// For the end of a run.
    run: Option<Deadline>,
    seen: VecDeque<(i64, Beat)>,
}

impl BeatState {
    pub fn new(spec: &HeartbeatSpec, interval: TimeDelta) -> Result<Self, String> {
        let zone = if spec.zone.is_empty() { "UTC" } else { &spec.zone };
        let expected = match &spec.cron {
            Some(cron) => Expected::By(Box::new(Cron::parse(cron, zone).map_err(|error| error.to_string())?)),
            None => Expected::Every(interval),
        };
        Ok(Self {
            expected,
            grace: TimeDelta::seconds(i64::from(spec.grace_seconds.max(0))),
            at_most: spec.at_most_seconds.map(|seconds| TimeDelta::seconds(i64::from(seconds))),
            deadline: None,
            run: None,
            seen: VecDeque::new(),
        })
    }

    /// The deadline that follows from a beat, or from when one began to be expected.
    fn after(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let next = match &self.expected {
            Expected::Every(interval) => at.checked_add_signed(*interval)?,
            Expected::By(cron) => cron.next(at).ok()?,
        };
        next.checked_add_signed(self.grace)
    }

    /// From now on beats are expected: after the start, a pause or a window.
    pub fn expect(&mut self, at: DateTime<Utc>, moment: impl Fn(DateTime<Utc>) -> Instant) {
        self.deadline = self.after(at).map(|deadline| (moment(deadline), deadline));
        self.run = None;
    }

    /// A beat came.
    pub fn take(&mut self, beat: Beat, at: DateTime<Utc>, moment: impl Fn(DateTime<Utc>) -> Instant) -> Said {
        let mark = (at.timestamp_micros(), beat);
        if self.seen.contains(&mark) {
            return Said::Known;
        }
        if self.seen.len() == REMEMBERED {
            self.seen.pop_front();
        }
        self.seen.push_back(mark);
        if beat == Beat::Start {
            self.run = self.at_most.map(|at_most| at + at_most).map(|end| (moment(end), end));
            return Said::Begun;
        }
        self.expect(at, moment);
        if beat == Beat::Fail { Said::Failed } else { Said::Well }
    }

    /// A deadline that has passed: why, and when. The next one follows from it, so that each missed beat counts once.
    pub fn missed(
        &mut self,
        now: Instant,
        moment: impl Fn(DateTime<Utc>) -> Instant,
    ) -> Option<(Reason, DateTime<Utc>)> {
        if let Some((_, at)) = self.run.filter(|(end, _)| *end <= now) {
            self.run = None;
            return Some((Reason::RunTooLong, at));
        }
        let (_, at) = self.deadline.filter(|(end, _)| *end <= now)?;
        self.deadline = self.after(at - self.grace).map(|deadline| (moment(deadline), deadline));
        Some((Reason::BeatMissed, at))
    }

    /// Nobody could judge for so long.
    pub fn shift(&mut self, by: Duration) {
        for (moment, at) in [&mut self.deadline, &mut self.run].into_iter().flatten() {
            *moment += by;
            *at += TimeDelta::from_std(by).unwrap_or_default();
        }
    }
}

/// A stored beat, parsed.
pub fn parse(row: beats::BeatRow) -> Option<Report> {
    let beat = row.beat.parse().ok()?;
    Some(Report { monitor: MonitorId(row.monitor_id), beat, at: row.received_at, message: row.message })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: TimeDelta = TimeDelta::days(1);

    fn start() -> DateTime<Utc> {
        "2026-11-30T03:00:00Z".parse().unwrap()
    }

    fn state(spec: &HeartbeatSpec, interval: TimeDelta) -> BeatState {
        BeatState::new(spec, interval).unwrap()
    }

    #[test]
    fn made_up_tokens_leave_room_for_those_that_are_known() {
        let one = |is_known| Waiting {
            token: [0; 32],
            key: None,
            at: start(),
            beat: Beat::Ok,
            took: None,
            message: String::new(),
            is_known,
        };
        let mut all: VecDeque<Waiting> = std::iter::repeat_with(|| one(false)).take(STRANGE).collect();
        assert_eq!((has_room(&all, false), has_room(&all, true)), (false, true));
        all.extend(std::iter::repeat_with(|| one(true)).take(MOST - STRANGE));
        assert!(!has_room(&all, true));
    }

    #[tokio::test]
    async fn a_heartbeat_of_more_than_a_day_can_be_missed() {
        let spec = HeartbeatSpec { grace_seconds: 1800, ..HeartbeatSpec::default() };
        // 25 days and more are beyond 32 bits of milliseconds.
        for days in [1, 40] {
            let (mut beats, now) = (state(&spec, DAY * days), Instant::now());
            let moment = |at: DateTime<Utc>| now + (at - start()).to_std().unwrap_or_default();
            assert_eq!(beats.take(Beat::Ok, start(), moment), Said::Well);
            let due = start() + DAY * days + TimeDelta::minutes(30);
            assert_eq!(beats.missed(moment(due - TimeDelta::seconds(1)), moment), None);
            assert_eq!(beats.missed(moment(due), moment), Some((Reason::BeatMissed, due)));
            assert_eq!(beats.missed(moment(due), moment), None, "once for each interval");
            assert_eq!(beats.missed(moment(due + DAY * days), moment), Some((Reason::BeatMissed, due + DAY * days)));
        }
    }

    #[tokio::test]
    async fn a_run_that_does_not_end_and_a_failure_that_is_reported() {
        let spec = HeartbeatSpec { at_most_seconds: Some(60), ..HeartbeatSpec::default() };
        let (mut beats, now) = (state(&spec, DAY), Instant::now());
        let moment = |at: DateTime<Utc>| now + (at - start()).to_std().unwrap_or_default();
        assert_eq!(beats.take(Beat::Start, start(), moment), Said::Begun);
        let end = start() + TimeDelta::seconds(60);
        assert_eq!(beats.missed(moment(end), moment), Some((Reason::RunTooLong, end)));
        let later = end + TimeDelta::seconds(1);
        assert_eq!(beats.take(Beat::Fail, later, moment), Said::Failed);
        assert_eq!(beats.take(Beat::Fail, later, moment), Said::Known, "it came from the database, too");
    }

    #[tokio::test]
    async fn a_gap_moves_the_deadline_and_cron_sets_it() {
        let spec = HeartbeatSpec { cron: Some("0 3 * * *".into()), grace_seconds: 600, ..HeartbeatSpec::default() };
        let (mut beats, now) = (state(&spec, DAY), Instant::now());
        let moment = |at: DateTime<Utc>| now + (at - start()).to_std().unwrap_or_default();
        beats.take(Beat::Ok, start() + TimeDelta::minutes(2), moment);
        let due = start() + DAY + TimeDelta::minutes(10);
        beats.shift(Duration::from_secs(3600));
        assert_eq!(beats.missed(moment(due), moment), None);
        let late = due + TimeDelta::hours(1);
        assert_eq!(beats.missed(moment(late), moment), Some((Reason::BeatMissed, late)));
        let wrong = HeartbeatSpec { cron: Some("often".into()), ..HeartbeatSpec::default() };
        assert!(BeatState::new(&wrong, DAY).is_err());
    }
}
