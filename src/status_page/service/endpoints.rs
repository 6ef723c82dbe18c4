//! Monitors in Gatus's form: those of a page, and those whose badges strangers may read though no page shows them.

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use tokio::time::timeout;

use super::StatusPages;
use crate::{
    StatusPageError,
    gatus::{Endpoint, Figures, Latency, Line, RESULTS, Window},
    holder::Badges,
};
use jobs::{By, Loops};
use uptime::{Monitor, MonitorId, Point};

/// How often it is looked which monitors have a badge; and how old figures become.
const LOOK_EVERY: Duration = Duration::from_secs(5);
const OLD: TimeDelta = TimeDelta::seconds(60);
/// The database answers sooner, or is down: then what was read last is shown.
const PATIENCE: Duration = Duration::from_secs(10);
/// Monitors with a badge, of all owners.
const MOST: i64 = 1000;

/// What strangers read of a monitor.
pub(super) struct Named {
    pub key: String,
    pub name: String,
    pub group: String,
}

impl Named {
    /// As those within call it.
    fn own(monitor: &Monitor) -> Self {
        Self { key: monitor.key.clone(), name: monitor.name.clone(), group: String::new() }
    }
}

impl StatusPages {
    /// Monitors with everything that is asked for of them, in as many queries, however many they are.
    pub(super) async fn endpoints(
        &self,
        conn: &mut PgConnection,
        monitors: &[Monitor],
        named: impl Fn(&Monitor) -> Named,
        now: DateTime<Utc>,
    ) -> Result<Vec<Endpoint>, StatusPageError> {
        let uptime = &self.inner.rooms.uptime;
        let ids: Vec<MonitorId> = monitors.iter().map(|monitor| monitor.id).collect();
        let mut lines: HashMap<MonitorId, Vec<Line>> = HashMap::new();
        for (monitor, check) in uptime.last_checks(conn, &ids, i64::try_from(RESULTS).unwrap_or(i64::MAX)).await? {
            lines.entry(monitor).or_default().push(Line::from(&check));
        }
        let mut recent = uptime.recent(conn, &ids).await?;
        let mut shares = Vec::new();
        for window in Window::ALL {
            let from = now - TimeDelta::hours(window.hours());
            shares.push((*window, from, uptime.shares(conn, &ids, from, now).await?));
        }
        let all = monitors.iter().map(|monitor| {
            let mut results = lines.remove(&monitor.id).unwrap_or_default();
            results.reverse();
            let recent = recent.remove(&monitor.id).unwrap_or_default();
            let windows = shares.iter().map(|(window, from, shares)| {
                let points = if *window <= Window::Day { &recent.hours } else { &recent.days };
                let response = mean(points.iter().filter(|point| point.at >= *from - TimeDelta::hours(1)));
                Figures { uptime: shares.get(&monitor.id).copied().flatten(), response }
            });
            let Named { key, name, group } = named(monitor);
            Endpoint {
                monitor: monitor.id,
                key,
                name,
                group,
                results,
                windows: windows.collect(),
                hours: recent.hours.iter().map(latency).collect(),
                days: recent.days.iter().map(latency).collect(),
            }
        });
        Ok(all.collect())
    }

    pub(super) fn start_badges(&self, loops: &Loops) {
        let this = self.clone();
        loops.every("status_page.badges", LOOK_EVERY, By::EveryProcess, move || {
            let this = this.clone();
            async move {
                let read = timeout(PATIENCE, this.load_badges()).await;
                read.map_err(|_| anyhow::anyhow!("the database does not answer"))??;
                Ok(())
            }
        });
    }

    /// Reads monitors whose badges strangers may read. Not rendered: each process reads them for itself, because they belong to no page.
    pub(crate) async fn load_badges(&self) -> Result<(), StatusPageError> {
        let (uptime, now) = (&self.inner.rooms.uptime, self.inner.clock.now());
        let mut tx = self.system().await?;
        let ids = uptime.with_badge(&mut tx, MOST).await?;
        let before = self.inner.holder.held().badges.clone();
        if before.ids == ids && before.read_at.is_some_and(|at| now - at < OLD) {
            return Ok(());
        }
        let monitors = uptime.monitors(&mut tx, &ids).await?;
        let endpoints = self.endpoints(&mut tx, &monitors, Named::own, now).await?;
        self.inner.holder.set_badges(Badges { ids, read_at: Some(now), endpoints });
        Ok(())
    }
}

fn latency(point: &Point) -> Latency {
    Latency { at: point.at, response: point.p50.map(|us| i64::from(us) / 1000) }
}

/// The mean of the medians, by the number of checks, milliseconds.
fn mean<'a>(points: impl Iterator<Item = &'a Point>) -> Option<i64> {
    let (mut checks, mut total) = (0_i64, 0_i64);
    for point in points {
        if let Some(median) = point.p50 {
            checks += i64::from(point.checks);
            total += i64::from(point.checks) * i64::from(median);
        }
    }
    (checks > 0).then(|| total / checks / 1000)
}
