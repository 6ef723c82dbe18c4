//! What pages and other rooms read of the past. `conn` is a transaction of the owner, or one of role `system`.

use std::collections::HashMap;

use chrono::{DateTime, DurationRound as _, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Uptime;
use crate::{
    UptimeError,
    history::{
        hour_of,
        pack::{Minute, read_hours, read_minutes},
        point_of_hour, point_of_minute,
        spans::{Stretch, Sums, by_minutes, days},
    },
    model::{Availability, Check, DayTotal, MonitorId, Owner, Point, Span, Status, Step},
    store::{
        history::{self, CheckFilter, Counted},
        monitors, rollups,
    },
};
use platform::{
    db::Tx,
    http::{Principal, Slice},
};

/// Outages that are returned at once.
const MOST_OUTAGES: i64 = 10_000;
/// Hours before this one that are read from single checks: their rollup may be to come.
const FRESH: TimeDelta = TimeDelta::hours(2);
/// Points of one answer.
const MOST_POINTS: i64 = 10_000;

impl Uptime {
    /// From `from` to the day before `until`, in this zone. Days on which a monitor did not exist are left out.
    pub async fn totals(
        &self,
        conn: &mut PgConnection,
        monitors: &[MonitorId],
        from: NaiveDate,
        until: NaiveDate,
        zone: Tz,
    ) -> Result<Vec<DayTotal>, UptimeError> {
        let now = self.inner.clock.now();
        // Begins of days differ by the zone: a day more on either side has them all.
        let first = from.and_time(chrono::NaiveTime::MIN).and_utc() - TimeDelta::days(1);
        let last = until.and_time(chrono::NaiveTime::MIN).and_utc() + TimeDelta::days(1);
        let known = numbers(conn, monitors).await?;
        let stretches = self.stretches(conn, &known, first, last).await?;
        let mut totals = Vec::new();
        for (monitor, _, created_at) in known {
            let of_monitor = stretches.get(&monitor).map_or(&[][..], Vec::as_slice);
            // Imported history may be older than the row.
            let existed = of_monitor.first().map_or(created_at, |first| first.from.min(created_at));
            totals.extend(days(monitor, of_monitor, (from, until), zone, (existed, now)));
        }
        Ok(totals)
    }

    /// Points of a chart, oldest first; times without a check have none. Hours whose rollup is to come are read from single checks.
    pub async fn series(
        &self,
        conn: &mut PgConnection,
        monitor: MonitorId,
        step: Step,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<Point>, UptimeError> {
        let Some((_, number, _)) = numbers(conn, &[monitor]).await?.pop() else { return Ok(Vec::new()) };
        let length = match step {
            Step::Minute => TimeDelta::minutes(1),
            Step::Hour => TimeDelta::hours(1),
            Step::Day => TimeDelta::days(1),
        };
        let points = (until - from).num_seconds() / length.num_seconds().max(1);
        if until <= from || points > MOST_POINTS {
            let text = format!("must be after from, and not more than {MOST_POINTS} steps later");
            return Err(UptimeError::invalid("/until", "out_of_range", text));
        }
        let mut found = match step {
            Step::Minute => self.minute_points(conn, number, from, until).await?,
            Step::Hour => self.hour_points(conn, number, from, until).await?,
            Step::Day => day_points(conn, number, from, until).await?,
        };
        found.retain(|point| point.at + length > from && point.at < until);
        Ok(found)
    }

    async fn minute_points(
        &self,
        conn: &mut PgConnection,
        number: i32,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<Point>, UptimeError> {
        let fresh_from = self.fresh_from();
        let mut points = Vec::new();
        for (hour, bytes) in rollups::minutes(conn, number, hour(from), until.min(fresh_from)).await? {
            let minutes = read_minutes(&bytes)?;
            points
                .extend(minutes.iter().enumerate().filter_map(|(place, minute)| point_of_minute(hour, place, minute)));
        }
        for (hour, minutes, _) in self.fresh(conn, number, from, until).await? {
            points
                .extend(minutes.iter().enumerate().filter_map(|(place, minute)| point_of_minute(hour, place, minute)));
        }
        Ok(points)
    }

    async fn hour_points(
        &self,
        conn: &mut PgConnection,
        number: i32,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<Point>, UptimeError> {
        let fresh_from = self.fresh_from();
        let mut points = Vec::new();
        for (day, bytes) in rollups::days(conn, number, from.date_naive(), until.date_naive()).await? {
            let begin = day.and_time(chrono::NaiveTime::MIN).and_utc();
            for (hour, at) in read_hours(&bytes)?.iter().zip((0..).map(|n| begin + TimeDelta::hours(n))) {
                points.extend(point_of_hour(at, hour).filter(|_| at < fresh_from));
            }
        }
        for (at, _, hour) in self.fresh(conn, number, from, until).await? {
            points.extend(point_of_hour(at, &hour));
        }
        Ok(points)
    }

    /// The first hour that is read from single checks.
    pub(super) fn fresh_from(&self) -> DateTime<Utc> {
        hour(self.inner.clock.now()) - FRESH
    }

    /// The last hours, from single checks.
    async fn fresh(
        &self,
        conn: &mut PgConnection,
        number: i32,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<(DateTime<Utc>, Vec<Minute>, crate::history::pack::Hour)>, UptimeError> {
        let first = self.fresh_from().max(hour(from));
        if first >= until {
            return Ok(Vec::new());
        }
        let raw = rollups::raw(conn, &[number], first, until).await?;
        let stored: HashMap<_, _> = rollups::minutes(conn, number, first, until).await?.into_iter().collect();
        let mut found = Vec::new();
        let mut at = first;
        while at < until {
            let next = at + TimeDelta::hours(1);
            let of_hour =
                &raw[raw.partition_point(|check| check.at < at)..raw.partition_point(|check| check.at < next)];
            let before = read_minutes(stored.get(&at).map_or(&[][..], Vec::as_slice))?;
            let (minutes, hour) = hour_of(of_hour, &before);
            found.push((at, minutes, hour));
            at = next;
        }
        Ok(found)
    }

    /// Between two times, of which what is to come does not count.
    pub async fn availability(
        &self,
        conn: &mut PgConnection,
        monitor: MonitorId,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Availability, UptimeError> {
        let target = monitors::target(conn, monitor).await?;
        let mut sums = self.sums(conn, &[monitor], from, until).await?;
        Ok(sums.remove(&monitor).unwrap_or_default().availability(target))
    }

    /// As [`Self::availability`], of several at once, with microseconds.
    pub(super) async fn sums(
        &self,
        conn: &mut PgConnection,
        ids: &[MonitorId],
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<HashMap<MonitorId, Sums>, UptimeError> {
        let until = until.min(self.inner.clock.now());
        let known = numbers(conn, ids).await?;
        let stretches = self.stretches(conn, &known, from, until).await?;
        let of_each = known.into_iter().map(|(monitor, _, created_at)| {
            let of_monitor = stretches.get(&monitor).map_or(&[][..], Vec::as_slice);
            let existed = of_monitor.first().map_or(created_at, |first| first.from.min(created_at));
            (monitor, Sums::between(of_monitor, from.max(existed), until))
        });
        Ok(of_each.collect())
    }

    /// What was when, by monitor. Maintenance that counts is judged by its minutes.
    pub(super) async fn stretches(
        &self,
        conn: &mut PgConnection,
        known: &[(MonitorId, i32, DateTime<Utc>)],
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<HashMap<MonitorId, Vec<Stretch>>, UptimeError> {
        let ids: Vec<Uuid> = known.iter().map(|(id, _, _)| id.0).collect();
        let mut found: HashMap<MonitorId, Vec<Stretch>> = HashMap::new();
        for span in history::counted(conn, &ids, from, until).await? {
            let (begin, end) = (span.starts_at, span.ends_at.unwrap_or(until).min(until));
            let list = found.entry(span.monitor).or_default();
            if span.status == Status::Maintenance && !span.excluded {
                let number = known.iter().find(|(id, _, _)| *id == span.monitor).map(|(_, number, _)| *number);
                let minutes = self.minutes_of(conn, number, begin, end).await?;
                list.extend(by_minutes(&minutes, begin, end));
            } else {
                list.push(plain(&span, end));
            }
        }
        Ok(found)
    }

    async fn minutes_of(
        &self,
        conn: &mut PgConnection,
        number: Option<i32>,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<(DateTime<Utc>, Minute)>, UptimeError> {
        let Some(number) = number else { return Ok(Vec::new()) };
        let fresh_from = self.fresh_from();
        let mut found = Vec::new();
        let mut put = |hour: DateTime<Utc>, minutes: Vec<Minute>| {
            let minutes = minutes.into_iter().zip((0..).map(|n| hour + TimeDelta::minutes(n)));
            found.extend(minutes.map(|(minute, at)| (at, minute)).filter(|(at, _)| *at < until));
        };
        for (hour, bytes) in rollups::minutes(conn, number, hour(from), until.min(fresh_from)).await? {
            put(hour, read_minutes(&bytes)?);
        }
        for (hour, minutes, _) in self.fresh(conn, number, from, until).await? {
            put(hour, minutes);
        }
        Ok(found)
    }

    /// The last days of UTC, today included.
    pub(crate) async fn last_days(
        &self,
        owner: Owner,
        monitors: &[MonitorId],
        count: i64,
    ) -> Result<Vec<DayTotal>, UptimeError> {
        let today = self.inner.clock.now().date_naive();
        let mut tx = self.begin(owner).await?;
        self.totals(&mut tx, monitors, today - TimeDelta::days(count - 1), today + TimeDelta::days(1), Tz::UTC).await
    }

    /// Spans of status `down`, oldest first.
    pub async fn outages(
        &self,
        conn: &mut PgConnection,
        owner: Owner,
        since: DateTime<Utc>,
    ) -> Result<Vec<Span>, UptimeError> {
        Ok(history::outages(conn, owner.org(), since, MOST_OUTAGES).await?)
    }

    /// The newest of each monitor, newest first.
    pub async fn last_checks(
        &self,
        conn: &mut PgConnection,
        monitors: &[MonitorId],
        most: i64,
    ) -> Result<Vec<(MonitorId, Check)>, UptimeError> {
        let known = numbers(conn, monitors).await?;
        let by_number: HashMap<i32, MonitorId> = known.iter().map(|(id, number, _)| (*number, *id)).collect();
        let numbers: Vec<i32> = by_number.keys().copied().collect();
        // A domain is asked once a day.
        let since = self.inner.clock.now() - TimeDelta::days(3);
        let rows = history::last_checks(conn, &numbers, since, most).await?;
        Ok(rows.into_iter().filter_map(|(number, check)| Some((*by_number.get(&number)?, check))).collect())
    }

    /// Single checks of the caller's monitor, newest first.
    pub async fn checks(
        &self,
        who: &Principal,
        id: MonitorId,
        filter: &CheckFilter,
        slice: &Slice<i64>,
    ) -> Result<Vec<Check>, UptimeError> {
        let (mut tx, number) = self.own_number(who, id).await?;
        Ok(history::checks(&mut tx, number, filter, slice).await?)
    }

    /// Newest first.
    pub async fn spans(&self, who: &Principal, id: MonitorId, slice: &Slice) -> Result<Vec<Span>, UptimeError> {
        let (mut tx, _) = self.own_number(who, id).await?;
        Ok(history::spans(&mut tx, id, slice).await?)
    }

    /// The transaction that sees the caller's monitor, and its number.
    pub(crate) async fn own_number(&self, who: &Principal, id: MonitorId) -> Result<(Tx, i32), UptimeError> {
        let (tx, _, whole) = self.find_whole(who, id).await?;
        Ok((tx, whole.number))
    }
}

fn plain(span: &Counted, until: DateTime<Utc>) -> Stretch {
    Stretch { status: span.status, from: span.starts_at, until, begins_outage: span.begins_outage }
}

pub(super) fn hour(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(TimeDelta::hours(1)).unwrap_or(at)
}

pub(super) async fn numbers(
    conn: &mut PgConnection,
    ids: &[MonitorId],
) -> Result<Vec<(MonitorId, i32, DateTime<Utc>)>, UptimeError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    Ok(monitors::numbers(conn, &ids).await?)
}

async fn day_points(
    conn: &mut PgConnection,
    number: i32,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Vec<Point>, UptimeError> {
    let mut points = Vec::new();
    for (day, bytes) in rollups::days(conn, number, from.date_naive(), until.date_naive()).await? {
        let mut whole = crate::history::pack::Hour::default();
        read_hours(&bytes)?.iter().for_each(|hour| whole.merge(hour));
        points.extend(point_of_hour(day.and_time(chrono::NaiveTime::MIN).and_utc(), &whole));
    }
    Ok(points)
}
