//! Resuming: what the last prober knew, and the time during which nobody checked.

use std::{collections::HashMap, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    beats::{self, BeatState, Report},
    definition::Definition,
    reader::Seen,
    watched::Watched,
};
use crate::{
    Uptime, UptimeError,
    model::{Cause, Check, Owner, SpanId, Status, Window},
    schedule::state::{State, Stored, StoredOutage},
    store::{
        beats::BeatRow,
        checks,
        state::{self, DefinitionRow, StateRow},
    },
};
use jobs::Duty;
use platform::ids::OrgId;

const PAGE: i64 = 2000;
/// Checks of two days are enough for what retries and successes need: the longest interval is a day.
const CHECKS: TimeDelta = TimeDelta::days(2);
/// Beats that are looked at of each monitor.
const BEATS: i64 = 4;
/// A prober says so often that it is alive: more is a gap.
const ALIVE: TimeDelta = TimeDelta::seconds(10);

/// All that is read at once.
pub struct Loaded {
    pub watched: Vec<Watched>,
    pub windows: Vec<(Owner, Window)>,
    pub known: HashMap<Uuid, i64>,
    pub revision: i64,
    pub windows_mark: (i64, i64),
    pub ordinal: i64,
    pub seen: Seen,
    /// Beats that came after the last check of their monitor: they count.
    pub unread: Vec<Report>,
    /// When a prober was last alive.
    pub alive_at: Option<DateTime<Utc>>,
}

/// Reads everything; `None`: another process has the duty by now.
pub async fn load(uptime: &Uptime, duty: &Duty, term: i64, now: DateTime<Utc>) -> Result<Option<Loaded>, UptimeError> {
    let mut tx = uptime.system().await?;
    if !duty.holds(&mut tx, term).await? {
        return Ok(None);
    }
    let alive_at = state::alive_at(&mut tx).await?;
    let windows_mark = state::windows_mark(&mut tx).await?;
    let windows = state::windows(&mut tx, now).await?;
    let mut loaded = Loaded {
        watched: Vec::new(),
        windows: windows.into_iter().map(|(org, window)| (Owner::of(org.map(OrgId)), window)).collect(),
        known: HashMap::new(),
        revision: 0,
        windows_mark,
        ordinal: 0,
        seen: Seen::default(),
        unread: Vec::new(),
        alive_at,
    };
    let mut above = Uuid::nil();
    loop {
        let rows = state::definitions(&mut tx, above, PAGE).await?;
        let Some(last) = rows.last() else { break };
        above = last.id;
        page(uptime, &mut tx, rows, now, &mut loaded).await?;
    }
    Ok(Some(loaded))
}

async fn page(
    uptime: &Uptime,
    tx: &mut PgConnection,
    rows: Vec<DefinitionRow>,
    now: DateTime<Utc>,
    loaded: &mut Loaded,
) -> Result<(), UptimeError> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let numbers: Vec<i32> = rows.iter().map(|row| row.number).collect();
    let most = rows.iter().map(|row| row.retries.max(row.successes)).max().unwrap_or(1);
    let states = state::states(tx, &ids).await?;
    let mut states: HashMap<Uuid, StateRow> = states.into_iter().map(|row| (row.monitor_id, row)).collect();
    let mut last: HashMap<i32, Vec<Check>> = HashMap::new();
    for row in checks::last(tx, &numbers, now - CHECKS, i64::from(most) + 1).await? {
        last.entry(row.number).or_default().push(row.check);
    }
    let beats = crate::store::beats::last(tx, &ids, BEATS).await?;
    for row in rows {
        loaded.known.insert(row.id, row.revision);
        loaded.revision = loaded.revision.max(row.revision);
        let (state, checks) = (states.remove(&row.id), last.remove(&row.number).unwrap_or_default());
        let definition = Arc::new(Definition::read(row, &uptime.inner.master_key));
        loaded.watched.push(resumed(definition, state, &checks, now));
    }
    note_beats(beats, loaded);
    Ok(())
}

/// A monitor as it was when it was last written.
fn resumed(definition: Arc<Definition>, row: Option<StateRow>, last: &[Check], now: DateTime<Utc>) -> Watched {
    let stored = row.and_then(stored);
    let state = stored.map_or_else(|| State::new(now), |stored| State::resume(&definition.rules, stored, last));
    let mut watched = Watched::new(definition, state, now);
    // The clock may have gone back since: then it was checked by now, and not at a time that is to come.
    watched.last_started = last.first().map(|check| check.at.min(now));
    watched.attempt = watched
        .state
        .suspect
        .as_ref()
        .map_or(1, |suspect| i16::try_from(suspect.attempts).unwrap_or(i16::MAX).saturating_add(1));
    watched
}

/// `None`: a newer version wrote it. It is judged anew then.
fn stored(row: StateRow) -> Option<Stored> {
    let certificate = row.certificate.and_then(|json| serde_json::from_value(json).ok());
    let outage = row.outage_id.map(|id| StoredOutage {
        id: SpanId(id),
        started_at: row.outage_started_at,
        told: row.outage_told,
    });
    Some(Stored {
        status: row.status.parse().ok()?,
        since: row.since,
        cause: row.cause.map_or(Some(Cause::New), |cause| cause.parse().ok())?,
        because_of: row.because_of,
        outage,
        degraded: row.degraded.and_then(|text| text.parse().ok()),
        flapping_since: row.flapping_since,
        error: row.error,
        certificate,
        certificate_ends_at: row.certificate_ends_at,
        domain_ends_at: row.domain_ends_at,
    })
}

/// Beats that nobody has judged yet.
fn note_beats(rows: Vec<BeatRow>, loaded: &mut Loaded) {
    let judged: HashMap<Uuid, Option<DateTime<Utc>>> =
        loaded.watched.iter().map(|watched| (watched.definition.id.0, watched.last_started)).collect();
    for row in rows {
        loaded.ordinal = loaded.ordinal.max(row.ordinal);
        loaded.seen.note(row.ordinal);
        if let Some(report) = beats::parse(row) {
            let last = judged.get(&report.monitor.0).copied().flatten();
            if last.is_none_or(|last| report.at > last) {
                loaded.unread.push(report);
            }
        }
    }
}

impl Loaded {
    /// How long nobody checked, if that is worth a word.
    pub fn gap(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        self.alive_at.map(|alive_at| now - alive_at).filter(|gap| *gap > ALIVE)
    }
}

/// The time at which a gap of this monitor began; `None`: nothing was missed. A slot that nobody missed is no gap.
pub fn gap_since(watched: &Watched, alive_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let definition = &watched.definition;
    let last = watched.last_started?;
    if !watched.is_asked() || watched.state.status == Status::Paused {
        return None;
    }
    // As long as the prober was alive, the monitor's turn would have come.
    let seen = alive_at.filter(|alive_at| *alive_at > last && *alive_at <= last + definition.interval).unwrap_or(last);
    let timeout = TimeDelta::from_std(definition.timeout).unwrap_or(TimeDelta::MAX);
    let patience = definition.interval + timeout + TimeDelta::seconds(5);
    (now - seen > patience).then(|| seen + definition.interval)
}

/// Monitors whose beats others report.
pub fn heartbeats(watched: &mut [Watched], now: DateTime<Utc>, moment: impl Fn(DateTime<Utc>) -> Instant + Copy) {
    for watched in watched {
        let from = watched.last_started.unwrap_or(now);
        expect_beats(watched, from, moment);
    }
}

/// Makes what judges beats of a monitor, if it is one of that kind: they are expected from this time on. A spec whose cron is not valid was refused when it was saved.
pub fn expect_beats(watched: &mut Watched, from: DateTime<Utc>, moment: impl Fn(DateTime<Utc>) -> Instant) {
    let Some(spec) = watched.definition.heartbeat() else {
        watched.beats = None;
        return;
    };
    watched.beats = BeatState::new(spec, watched.definition.interval).ok().map(|mut beats| {
        beats.expect(from, moment);
        beats
    });
}

/// How far deadlines move after a gap.
pub fn shift(watched: &mut [Watched], gap: TimeDelta) {
    let by = gap.to_std().unwrap_or(Duration::ZERO);
    for beats in watched.iter_mut().filter_map(|watched| watched.beats.as_mut()) {
        beats.shift(by);
    }
}
