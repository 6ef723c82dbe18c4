//! What status pages and badges show of many monitors at once: in as many queries, however many monitors. `conn` is a transaction of the owner, or one of
//! role `system`.

use std::collections::HashMap;

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use sqlx::PgConnection;

use super::{
    Uptime,
    history::{hour, numbers},
};
use crate::{
    UptimeError,
    history::{
        hour_of,
        pack::{Hour, read_hours, read_minutes},
        point_of_hour,
    },
    model::{MonitorId, Point},
    store::{rollups, shown},
};

/// Latency of a monitor until now, oldest first; times without a check have none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recent {
    /// Of 24 hours.
    pub hours: Vec<Point>,
    /// Of 30 days.
    pub days: Vec<Point>,
}

impl Uptime {
    /// Monitors of all owners whose badges strangers may read though no page shows them, the oldest first. As role `system`.
    pub async fn with_badge(&self, conn: &mut PgConnection, most: i64) -> Result<Vec<MonitorId>, UptimeError> {
        Ok(shown::with_badge(conn, most).await?)
    }

    /// Shares of the time up between two times: as [`Self::availability`] of each. `None`: nothing is known.
    pub async fn shares(
        &self,
        conn: &mut PgConnection,
        monitors: &[MonitorId],
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<HashMap<MonitorId, Option<f64>>, UptimeError> {
        let sums = self.sums(conn, monitors, from, until).await?;
        Ok(sums.into_iter().map(|(monitor, sums)| (monitor, sums.availability(None).share)).collect())
    }

    /// As [`Self::series`] of each, by hours and by days.
    pub async fn recent(
        &self,
        conn: &mut PgConnection,
        monitors: &[MonitorId],
    ) -> Result<HashMap<MonitorId, Recent>, UptimeError> {
        let now = self.inner.clock.now();
        let known = numbers(conn, monitors).await?;
        let all: Vec<i32> = known.iter().map(|(_, number, _)| *number).collect();
        let (day_ago, month_ago) = (now - TimeDelta::hours(24), now - TimeDelta::days(30));
        let fresh_from = self.fresh_from();
        let mut found: HashMap<i32, Recent> = HashMap::new();
        for (number, day, bytes) in shown::days(conn, &all, month_ago.date_naive(), now.date_naive()).await? {
            let begin = day.and_time(NaiveTime::MIN).and_utc();
            let recent = found.entry(number).or_default();
            let mut whole = Hour::default();
            for (hour, at) in read_hours(&bytes)?.iter().zip((0..).map(|n| begin + TimeDelta::hours(n))) {
                whole.merge(hour);
                if at + TimeDelta::hours(1) > day_ago && at < fresh_from {
                    recent.hours.extend(point_of_hour(at, hour));
                }
            }
            recent.days.extend(point_of_hour(begin, &whole));
        }
        // Hours whose rollup may be to come.
        let raw = rollups::raw(conn, &all, fresh_from, now).await?;
        let mut at = hour(fresh_from);
        while at < now {
            let next = at + TimeDelta::hours(1);
            let stored = rollups::minutes_of(conn, &all, at).await?;
            for number in &all {
                let begin = raw.partition_point(|check| (check.monitor, check.at) < (*number, at));
                let end = raw.partition_point(|check| (check.monitor, check.at) < (*number, next));
                let before = read_minutes(stored.get(number).map_or(&[][..], Vec::as_slice))?;
                let (_, whole) = hour_of(&raw[begin..end], &before);
                found.entry(*number).or_default().hours.extend(point_of_hour(at, &whole));
            }
            at = next;
        }
        Ok(known.into_iter().map(|(id, number, _)| (id, found.remove(&number).unwrap_or_default())).collect())
    }
}
